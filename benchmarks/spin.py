"""SPIN beside the explorer: the same race, exported as Promela, searched by both.

    python -m benchmarks.spin                     three speculative file faults against one munmap
    python -m benchmarks.spin --race munmap-cow --variant spf-anon --faults 2

SPIN is compiled with ``-O2 -DSAFETY``, once as it comes (partial-order reduction, dead variables, merged
statements) and once with -DNOREDUCE and without these; then both programs search the same states.
"""

from __future__ import annotations

import argparse
import dataclasses
import sys
import time
from collections.abc import Callable

from spfvar.explore.explore import explore
from spfvar.explore.options import Options
from spfvar.explore.world import RaceWorld, build_race
from spfvar.export.promela import promela
from spfvar.export.spin import Search, missing, run_spin
from spfvar.matrix import catalogue
from spfvar.plugins.registry import load_registry
from spfvar.plugins.variant import Stack

RATIO = 3.0
#: Memory of each search; one that needs more is incomplete, and its counts are lower bounds.
MEGABYTES = 3000
#: Race, variant, and threads of the race's first actor.
DEFAULT = ("munmap-file", "spf-do-fault", 3)


def run_ours(world: RaceWorld, options: Options) -> Search:
    """The explorer, after a first search that compiles it."""
    explore(world, dataclasses.replace(options, max_states=1))
    started = time.process_time()
    found = explore(world, options)
    return Search(found.states, found.transitions, time.process_time() - started, (), found.complete)


def faults_against_munmap(race: str, variant: str, faults: int) -> RaceWorld:
    """The race with so many threads of its first actor."""
    text = catalogue.races()[race]
    actors = [
        actor.model_copy(update={"count": faults}) if i == 0 else actor for i, actor in enumerate(text.actor)
    ]
    return build_race(text.model_copy(update={"actor": actors}), Stack(load_registry()[variant]))


def report(race: str, variant: str, faults: int) -> None:
    """The table of both programs."""
    lacking = missing()
    if lacking:
        print(f"SPIN: skipped, for there is no {lacking} here (Debian: apt-get install spin gcc)")
        return
    world = faults_against_munmap(race, variant, faults)
    text = promela(world, variant, race)
    options = Options(
        max_states=1 << 30, max_bytes=MEGABYTES << 20, seconds=600.0, first=False, livelock=False
    )
    plain = dataclasses.replace(options, merge=False, forget=False, symmetry=False, partial_order=False)
    runs: dict[str, Callable[[], Search]] = {
        "SPIN, plain": lambda: run_spin(text, True, megabytes=MEGABYTES),
        "SPIN": lambda: run_spin(text, False, megabytes=MEGABYTES),
        "spfvar, plain": lambda: run_ours(world, plain),
        "spfvar": lambda: run_ours(world, options),
    }
    rows: list[tuple[str, Search]] = []
    for name, run in runs.items():
        print(f"{name}: {faults} faults of {race} under {variant}", file=sys.stderr, flush=True)
        rows.append((name, run()))
    print(f"{race} under {variant}, {faults} x {world.race.actor[0].name}; -O2 -DSAFETY, one core, CPU time")
    print(f"{'':<16}{'states':>12}{'transitions':>13}{'seconds':>9}{'transitions/s':>15}")
    for name, search in rows:
        note = "" if search.complete and not search.errors else f"  incomplete {' '.join(search.errors)}"
        print(
            f"{name:<16}{search.states:>12}{search.transitions:>13}{search.seconds:>9.2f}{search.rate:>15.0f}{note}"
        )
    spin, ours, reduced = rows[0][1], rows[2][1], rows[3][1]
    ratio = ours.rate / spin.rate
    print(f"transitions/s, plain, against SPIN's: {ratio:.1f}, target >= {RATIO:.0f} "
          f"{'pass' if ratio >= RATIO else 'SHORT'}")  # fmt: skip
    at_least = "" if spin.complete else "at least "
    print(f"with reductions: {at_least}{spin.states / reduced.states:.1f} times fewer states, "
          f"{spin.seconds / max(reduced.seconds, 1e-9):.1f} times less time than SPIN, plain")  # fmt: skip


def main() -> None:
    """Run the comparison asked for."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--race", default=DEFAULT[0])
    parser.add_argument("--variant", default=DEFAULT[1])
    parser.add_argument("--faults", type=int, default=DEFAULT[2])
    options = parser.parse_args()
    report(options.race, options.variant, options.faults)


if __name__ == "__main__":
    main()
