"""Speed of a hunt: generated races a second, of two statements and of three."""

from __future__ import annotations

import itertools
import time

from spfvar.generator.run import Hunter
from spfvar.matrix.hunting import Plan
from spfvar.plugins.registry import load_registry
from spfvar.plugins.variant import Stack

VARIANT = "spf-do-fault"
#: Races a second on two cores; one process is timed, by its own time.
TARGET, CORES = 500.0, 2
RACES = 6000


def report() -> None:
    """A line for each size; the first races, with which everything gets compiled, are left out."""
    registry = load_registry()
    print(f"spfvar hunt {VARIANT}, two actors, seed 1: races per second of CPU time, {RACES} races")
    for size in (2, 3):
        outcomes = Hunter(Stack(registry[VARIANT])).run(Plan(size, seed=1).groups())
        for _ in itertools.islice(outcomes, 100):
            pass
        started, states, races = time.process_time(), 0, 0
        for outcome in itertools.islice(outcomes, RACES):
            states += outcome.states
            races += 1
        rate = races / (time.process_time() - started)
        met = "pass" if CORES * rate >= TARGET else "SHORT"
        print(
            f"up to {size} statements{states / races:>8.0f} states a race{rate:>8.0f} races/s, "
            f"{CORES} cores {CORES * rate:.0f}, target >= {TARGET:.0f} {met}"
        )
