"""Which published bugs does a hunt meet, with the hand-written races left out?

``python -m benchmarks.rediscover [--size 2] [--actors 2] [--seconds 300] [TWIN...]``: a row for each twin
that breaks a property: what was found, in the how manyth race, after how long, or that it was not.
"""

from __future__ import annotations

import argparse
import time

from spfvar.hunt.run import Hunter
from spfvar.matrix.hunting import Plan
from spfvar.plugins.registry import Registry, load_registry
from spfvar.plugins.variant import Stack, Twin


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("twins", nargs="*", metavar="TWIN")
    parser.add_argument("--size", type=int, default=2)
    parser.add_argument("--actors", default="2")
    parser.add_argument("--seconds", type=float, default=300.0)
    options = parser.parse_args()
    registry = load_registry()
    actors = tuple(int(count) for count in options.actors.split(","))
    plan = Plan(options.size, actors, seconds=options.seconds)
    twins = [twin for twin in registry.twins.values() if twin.prop]
    twins = [twin for twin in twins if not options.twins or twin.name in options.twins]
    found = [_row(registry, twin, plan) for twin in twins]
    print(f"{sum(found)} of {len(found)} twins found")


def _row(registry: Registry, twin: Twin, plan: Plan) -> bool:
    """Hunt until the twin's own property breaks; says whether it did."""
    began, others, races = time.perf_counter(), set(), 0
    hunter = Hunter(Stack(registry.any_variant(twin.name)))
    for outcome in hunter.run(plan.groups()):
        races += 1
        seconds = time.perf_counter() - began
        if outcome.cause is not None:
            if outcome.cause.property == twin.prop:
                print(
                    f"{twin.name:28} {twin.prop:4} race {races:6} {seconds:6.1f} s  {outcome.group}",
                    flush=True,
                )
                return True
            others.add(outcome.cause.property)
        if seconds > plan.seconds:
            break
    seconds = time.perf_counter() - began
    also = f" (broke {', '.join(sorted(others))})" if others else ""
    print(
        f"{twin.name:28} {twin.prop:4} not in {races} races, {seconds:.0f} s{also}: {twin.race}", flush=True
    )
    return False


if __name__ == "__main__":
    main()
