"""Which published bugs does a hunt meet, with the hand-written races left out?

    python -m benchmarks.rediscover [--size 4] [--actors 2,3] [--seed 1] [--seconds 300] [TWIN...]

A row for each twin that breaks a property: the generated race that broke it first, which one in order that
was, after how many seconds of one core's time; or that none did.  The hunt is that of
``spfvar hunt TWIN --size 4 --actors 2,3 --seed 1``, in one process.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from dataclasses import dataclass

from spfvar.hunt.run import Hunter
from spfvar.matrix.hunting import Plan
from spfvar.plugins.registry import Registry, load_registry
from spfvar.plugins.variant import Stack, Twin


@dataclass(frozen=True)
class Row:
    """How a twin fared: ``group`` is "" if its property did not break; ``others`` did."""

    twin: Twin
    races: int
    seconds: float
    group: str
    others: frozenset[str]

    def __str__(self) -> str:
        also = f" (broke {', '.join(sorted(self.others))})" if self.others else ""
        found = f"race {self.races:7} {self.seconds:6.1f} s  {self.group}"
        missed = f"not in {self.races} races, {self.seconds:.0f} s{also}: {self.twin.race}"
        return f"{self.twin.name:28} {self.twin.prop:4} {found if self.group else missed}"


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("twins", nargs="*", metavar="TWIN")
    parser.add_argument("--size", type=int, default=4)
    parser.add_argument("--actors", default="2,3")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--seconds", type=float, default=300.0)
    options = parser.parse_args()
    registry = load_registry()
    actors = tuple(int(count) for count in options.actors.split(","))
    plan = Plan(options.size, actors, seconds=options.seconds, seed=options.seed)
    rows = []
    for twin in _twins(registry, options.twins):
        rows.append(hunted(registry, twin, plan))
        print(rows[-1], flush=True)
    print(f"{sum(bool(row.group) for row in rows)} of {len(rows)} twins found")


def _twins(registry: Registry, names: Sequence[str]) -> list[Twin]:
    """Those that break a property, or those of these names."""
    return [twin for twin in registry.twins.values() if twin.prop and (not names or twin.name in names)]


def hunted(registry: Registry, twin: Twin, plan: Plan) -> Row:
    """Hunt until the twin's own property breaks, or there is no more time."""
    began, races = time.process_time(), 0
    others: set[str] = set()
    for outcome in Hunter(Stack(registry.any_variant(twin.name))).run(plan.groups()):
        races += 1
        spent = time.process_time() - began
        if outcome.cause is not None:
            if outcome.cause.property == twin.prop:
                return Row(twin, races, spent, outcome.group, frozenset(others))
            others.add(outcome.cause.property)
        if spent > plan.seconds:
            break
    return Row(twin, races, time.process_time() - began, "", frozenset(others))


if __name__ == "__main__":
    main()
