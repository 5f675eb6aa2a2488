"""Recorded runs that the tests of several modules look at."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from functools import cache
from typing import Any

from spfvar.matrix import catalogue
from spfvar.plugins.registry import load_registry
from spfvar.scenario.load import Load
from spfvar.simulate.recorded import Recorded, record
from spfvar.simulate.runner import seed_sequence
from spfvar.simulate.world import build_world
from spfvar.timing.breakdown import Breakdown, break_down
from tests.stacks import stack
from tests.transition import driver as d

REGISTRY = load_registry()
SHIPPED = catalogue.hardware()
#: Eight CPUs: what has more threads shares them.
PROFILE = SHIPPED["phone-8c"]


def finite(threads: int, pages: int, passes: int, shared: bool = False, sized: bool = True) -> Load:
    """Each thread maps, writes and unmaps pages of its own, then writes to those that all share."""
    region = {"name": "own", "size": f"{4 * pages}KiB"}
    common: dict[str, Any] = {"name": "all", "size": f"{4 * pages}KiB", "per": "process", "mapped": True}
    program: list[dict[str, Any]] = [{"mmap": "own"}, {"touch": "own"}]
    program += [{"touch": "all"}, {"madvise": "all"}] if shared else []
    program += [{"munmap": "own"}] if sized else []
    group = {"name": "t", "threads": threads, "repeat": passes, "program": program}
    load: Load = d.small_load([region, *([common] if shared else [])], [group])
    return load


def reading_on(faults: int = 400, threads: int = 2, **region: Any) -> Load:
    """Threads that read on through memory, of which so many faults are counted."""
    table = {"name": "m", "size": "1GiB", "window": "64KiB", "mapped": True, **region}
    load: Load = d.small_load(
        [table], [{"name": "t", "threads": threads, "program": [{"touch": "m", "access": "read"}]}]
    )
    return replace(load, faults=faults)


def recorded(
    variant: str, load: Load, seed: int = 0, window: tuple[float, float] | None = None, events: int = 0
) -> Recorded:
    """One recorded run on eight CPUs."""
    world = build_world(load, stack(variant), chains=True)
    seeds = seed_sequence(1, seed, load.scenario, load.threads)
    return record(world, REGISTRY.any_variant(variant), PROFILE, seeds, window, events)


@cache
def churn(variant: str, threads: int = 6, passes: int = 12) -> Recorded:
    """A run with everything: faults and writers of a VMA that all share."""
    return recorded(variant, finite(threads, 4, passes, shared=True))


@cache
def broken_down(variant: str, threads: int = 6) -> Breakdown:
    """Its breakdown."""
    return break_down(churn(variant, threads))


def digest() -> str:
    """Of every array of the record of a small run with a timeline."""
    found = hashlib.sha256()
    run = recorded("spf-do-fault", finite(3, 2, 3, shared=True), window=(0.0, 20_000.0), events=2000)
    for array in run.record:
        found.update(array.tobytes())
    return found.hexdigest()


if __name__ == "__main__":
    print(digest())
