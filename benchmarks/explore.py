"""Speed of the explorer: three speculative file faults against one munmap, plain and reduced.

Searches run on one core and are timed by its time; compilation is left out.  All are bounded, for the plain
one may not fit: then its counts are lower bounds, and so are the ratios.

    python -m benchmarks.explore [VARIANT...]

compares the kernel's memory model with sequential consistency instead (docs/weak-memory.md): each shipped
race of these designs, or of all, under both.
"""

from __future__ import annotations

import dataclasses
import hashlib
import statistics
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from spfvar.explore.explore import Exploration, explore
from spfvar.explore.options import Options
from spfvar.explore.verdict import beyond_model
from spfvar.explore.world import RaceWorld, build_race
from spfvar.matrix import catalogue
from spfvar.ops import codes as c
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


#: Targets under the kernel's memory model: times the states, and the time of a transition, at most.
MORE_STATES, SLOWER = 3.0, 2.0
#: Searches that take less are too short for the time of a transition.
LEAST_SECONDS = 0.2


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


@dataclasses.dataclass(frozen=True)
class Counted:
    """What is kept of a search: its arrays are large.  ``open``: why it is incomplete, or ""."""

    states: int
    transitions: int
    seconds: float
    open: str
    broken: bool

    @property
    def rate(self) -> float:
        """Transitions per second."""
        return self.transitions / self.seconds


class Both:
    """Races under both memory models; what has the same program is searched once."""

    def __init__(self) -> None:
        self._searched: dict[str, Counted] = {}

    def measure(self, world: RaceWorld) -> Counted:
        """The search of a race's world."""
        digest = hashlib.sha256(world.program.table.tobytes() + world.start.tobytes())
        for array in (world.layout.g, *(world.weak or ())):
            digest.update(array.tobytes())
        key = digest.hexdigest()
        if key not in self._searched:
            started = time.process_time()
            found = explore(world, Options())
            seconds = time.process_time() - started
            no_memory = any(one.code == c.V_NO_MEMORY for one in found.violations)
            why = beyond_model(world) or (
                "out of objects" if no_memory else "" if found.complete else found.why
            )
            broken = bool(found.violations) and not beyond_model(world) and not no_memory
            self._searched[key] = Counted(
                found.states, found.transitions, seconds, "" if broken else why, broken
            )
        return self._searched[key]


def compare_models(names: Sequence[str]) -> None:
    """A line per design: in how many races words are weak, and how many times the states these have."""
    registry, races = load_registry(), catalogue.races()
    both = Both()
    for memory in ("sc", "lkmm"):  # compile
        both.measure(build_race(races["munmap-file"], Stack(registry["per-vma-6.12"]), memory))
    long: list[tuple[Counted, Counted]] = []
    started = time.process_time()
    print(f"{'':<18}{'weak':>5}{'median':>8}{'above 3':>9}{'incomplete':>12}{'broken':>8}  worst")
    for name in names or list(registry.variants):
        ratios: list[tuple[float, str]] = []
        open_races: list[str] = []
        broken: list[str] = []
        for race in races.names():
            strong, weak = (
                both.measure(build_race(races[race], Stack(registry[name]), memory))
                for memory in ("sc", "lkmm")
            )
            if weak is strong:  # no word is weak
                continue
            if weak.broken:
                broken.append(race)
            elif weak.open:
                open_races.append(f"{race} ({weak.open})")
            ratios.append((weak.states / strong.states, race))
            if min(strong.seconds, weak.seconds) > LEAST_SECONDS:
                long.append((strong, weak))
        worst = ", ".join(f"{race} {ratio:.1f}" for ratio, race in sorted(ratios, reverse=True)[:3])
        above = sum(ratio > MORE_STATES for ratio, _ in ratios)
        median = statistics.median(ratio for ratio, _ in ratios)
        counts = f"{len(ratios):>5}{median:>8.2f}{above:>9}{len(open_races):>12}{len(broken):>8}"
        print(f"{name:<18}{counts}  {worst}", flush=True)
        for what, which in (("incomplete", open_races), ("broken", broken)):
            if which:
                print(f"    {what}: {', '.join(which)}", flush=True)
    slower = [strong.rate / weak.rate for strong, weak in long]
    if slower:
        times = f"median {statistics.median(slower):.1f} times, target <= {SLOWER:.0f}"
        print(f"time of a transition in {len(slower)} races: {times}")
    print(f"CPU time in all: {time.process_time() - started:.0f} s")


if __name__ == "__main__":
    compare_models(sys.argv[1:])
