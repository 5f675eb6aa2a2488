"""Speed of the explorer: three speculative file faults against one munmap, plain and reduced.

Searches run on one core and are timed by its time; compilation is left out.  All are bounded, for the plain
one may not fit: then its counts are lower bounds, and so are the ratios.
"""

from __future__ import annotations

import dataclasses
import time
from pathlib import Path

from spfvar.explore.explore import Exploration, explore
from spfvar.explore.options import Options
from spfvar.explore.world import build_race
from spfvar.plugins.registry import load_registry
from spfvar.plugins.variant import Stack
from spfvar.scenario.race import Race
from spfvar.toml_input import load_toml

RACES = Path(__file__).parents[1] / "races"
RACE, VARIANT = "three-faults-munmap", "spf-do-fault"
#: Targets: how many times fewer states and less time the reductions need.
FEWER_STATES = FASTER = 20.0
PLAIN_BYTES, PLAIN_SECONDS = 8 << 30, 600.0

STEPS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("plain", ()),
    ("+ dead registers", ("forget",)),
    ("+ private steps", ("forget", "merge")),
    ("+ symmetry", ("forget", "merge", "symmetry")),
    ("+ partial order", ("forget", "merge", "symmetry", "partial_order")),
)


@dataclasses.dataclass(frozen=True)
class Measured:
    """One search, and the CPU time it took."""

    found: Exploration
    seconds: float

    @property
    def rate(self) -> float:
        """Transitions per second."""
        return self.found.transitions / self.seconds


def measure(options: Options) -> Measured:
    """Search the race once."""
    world = build_race(load_toml(RACES / f"{RACE}.toml", Race), Stack(load_registry()[VARIANT]))
    explore(world, dataclasses.replace(options, max_states=1))
    started = time.process_time()
    found = explore(world, options)
    return Measured(found, time.process_time() - started)


def report() -> None:
    """A line per search, each with one more reduction than the one before."""
    print(f"{VARIANT} x {RACE}, one core, CPU time")
    print(f"{'':<18}{'states':>13}{'transitions':>13}{'depth':>7}{'s':>8}{'M trans/s':>11}")
    searches: list[Measured] = []
    for name, reductions in STEPS:
        options = Options.plain(max_bytes=PLAIN_BYTES, max_states=1 << 30, seconds=PLAIN_SECONDS)
        options = dataclasses.replace(options, **dict.fromkeys(reductions, True))
        searches.append(measure(options))
        found, seconds = searches[-1].found, searches[-1].seconds
        bound = "" if found.complete else f"  incomplete: {found.why}"
        print(
            f"{name:<18}{found.states:>13,}{found.transitions:>13,}{found.depth:>7}{seconds:>8.1f}"
            f"{searches[-1].rate / 1e6:>11.2f}{bound}"
        )
    plain, reduced = searches[0], searches[-1]
    at_least = "" if plain.found.complete else "at least "
    for what, ratio, target in (
        ("fewer states", plain.found.states / reduced.found.states, FEWER_STATES),
        ("less time", plain.seconds / reduced.seconds, FASTER),
    ):
        met = "pass" if ratio >= target else "SHORT"
        print(f"    {at_least}{ratio:.0f} times {what}, target >= {target:.0f} {met}")
