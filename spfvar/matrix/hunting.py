"""A hunt: generated races under each design, on all cores, within a budget; every cause once."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice
from typing import Any

from spfvar.explore.explore import explore
from spfvar.explore.world import build_race
from spfvar.hunt.findings import Finding, finding_of
from spfvar.hunt.memories import MEMORIES
from spfvar.hunt.programs import LONGEST, Group, groups
from spfvar.hunt.run import BOUNDS, Cause, Hit, Tally, cause_of, hunt
from spfvar.plugins.variant import Stack, Variant
from spfvar.scenario.race import Race
from spfvar.scenario.verbs import VERBS

#: Told races, groups that are done, all groups, and seconds.
Progress = Callable[[int, int, int, float], None]
#: Groups between two looks at the clock.
_SLICE = 16


@dataclass(frozen=True, slots=True)
class Plan:
    """Which races.

    ``size``: statements in all, up to which; ``actors``: how many threads; ``memories``, ``verbs``: which.
    ``seconds``: the time for each design (infinite: all of them).  ``seed``: a random order, for a budget.
    """

    size: int
    actors: tuple[int, ...] = (2,)
    memories: tuple[str, ...] = tuple(MEMORIES)
    verbs: tuple[str, ...] = tuple(VERBS)
    seconds: float = float("inf")
    seed: int | None = None

    def groups(self) -> Iterator[Group]:
        """All of them, smallest first; or in the order of the seed."""
        ordered = self._in_order()
        if self.seed is None:
            return ordered
        every = list(ordered)
        random.Random(self.seed).shuffle(every)
        return iter(every)

    def _in_order(self) -> Iterator[Group]:
        for size in range(2, self.size + 1):
            counts = [count for count in self.actors if count <= size <= count * LONGEST]
            for name in self.memories:
                yield from groups(MEMORIES[name], size, counts, self.verbs)


@dataclass(frozen=True, slots=True)
class Hunted:
    """What a hunt in one design did and found.

    ``complete``: every race was run, none hit a bound.  ``unreached``: texts of the design that no race came
    to.  ``known``: findings that the design it was run against has, too.
    """

    variant: str
    races: int
    same: int
    states: int
    seconds: float
    complete: bool
    open: tuple[str, ...]
    size: int
    unreached: tuple[str, ...]
    findings: tuple[Finding, ...]
    known: int = 0

    def as_dict(self) -> dict[str, Any]:
        """One entry of the JSON list."""
        return {
            "variant": self.variant,
            "races": self.races,
            "states": self.states,
            "seconds": round(self.seconds, 3),
            "complete": self.complete,
            "size": self.size,
            "unreached": list(self.unreached),
            "findings": [finding.as_dict() for finding in self.findings],
        }


@dataclass(slots=True)
class _Causes:
    """The first race of each cause, and how many there were."""

    first: dict[Cause, Hit] = field(default_factory=dict)
    count: dict[Cause, int] = field(default_factory=dict)

    def add(self, hit: Hit) -> None:
        cause = replace(hit.cause, text="") if hit.cause.op else hit.cause
        self.first.setdefault(cause, hit)
        self.count[cause] = self.count.get(cause, 0) + 1


def run_hunt(
    variant: Variant, plan: Plan, against: Variant | None = None, progress: Progress | None = None
) -> Hunted:
    """Hunt in one design.  ``against``: leave out what breaks that one, too.  Raises StrategyError."""
    stack = Stack(variant)
    fixed = Stack(against) if against is not None else None
    tally, causes, known = Tally(), _Causes(), 0
    began = time.monotonic()
    every = list(plan.groups()) if progress is not None else plan.groups()
    total = len(every) if isinstance(every, Sequence) else 0
    done, finished = 0, True
    for some in _slices(iter(every)):
        for hit in hunt(stack, some, tally):
            if fixed is not None and _breaks(hit.race, fixed):
                known += 1
            else:
                causes.add(hit)
        done += len(some)
        spent = time.monotonic() - began
        if progress is not None:
            progress(tally.races, done, total, spent)
        if spent > plan.seconds:
            finished = False
            break
    taken: set[str] = set()
    findings = tuple(
        finding_of(stack, hit, causes.count[cause], [], BOUNDS, taken) for cause, hit in causes.first.items()
    )
    return Hunted(
        variant.name, tally.races, tally.same, tally.states, time.monotonic() - began,
        finished and not tally.open, tuple(tally.open), plan.size,
        tuple(sorted(tally.seen - tally.reached)), findings, known,
    )  # fmt: skip


def _breaks(race: Race, stack: Stack) -> bool:
    world = build_race(race, stack)
    return cause_of(world, explore(world, BOUNDS)) is not None


def _slices(every: Iterable[Group]) -> Iterator[list[Group]]:
    here = iter(every)
    while some := list(islice(here, _SLICE)):
        yield some
