"""A hunt: generated races under each design, on all cores, within a budget; every cause once."""

from __future__ import annotations

import multiprocessing
import random
import signal
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any

from spfvar.cpus import available_cpus
from spfvar.explore.explore import explore
from spfvar.explore.world import build_race
from spfvar.hunt.findings import Finding, finding_of
from spfvar.hunt.memories import MEMORIES
from spfvar.hunt.programs import LONGEST, Group, groups
from spfvar.hunt.run import BOUNDS, Cause, Hunter, Outcome, cause_of
from spfvar.plugins.registry import load_registry
from spfvar.plugins.variant import Stack, Variant
from spfvar.scenario.race import Race
from spfvar.scenario.verbs import VERBS

#: Told races, groups that are done, all groups, and seconds.
Progress = Callable[[int, int, int, float], None]
#: Groups that a worker runs before it tells of them.
_SLICE = 16
#: Slices that take longer than two processes need to start.
_WORTH_PROCESSES = 20


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


@dataclass(frozen=True, slots=True)
class _Chunk:
    """What a worker did with some groups: texts are those that are new to it."""

    groups: int
    generated: int
    outcomes: tuple[Outcome, ...]
    steps: frozenset[str]
    reached: frozenset[str]


class _Worker:
    """Runs groups under a design, in this process or in one of its own."""

    def __init__(self, variant: Variant) -> None:
        self._hunter = Hunter(Stack(variant))

    def run(self, some: Sequence[Group]) -> _Chunk:
        """One slice of the plan."""
        hunter = self._hunter
        before, steps, reached = hunter.generated, set(hunter.steps), set(hunter.reached)
        outcomes = tuple(hunter.run(some))
        return _Chunk(
            len(some), hunter.generated - before, outcomes,
            frozenset(hunter.steps - steps), frozenset(hunter.reached - reached),
        )  # fmt: skip


class _Result:
    """The chunks so far, put together in the plan's order, so that it does not matter who ran them."""

    def __init__(self, fixed: Stack | None) -> None:
        self.generated = self.states = self.known = 0
        self.open: list[str] = []
        self.steps: set[str] = set()
        self.reached: set[str] = set()
        self.keys: set[bytes] = set()
        self.first: dict[Cause, Race] = {}
        self.count: Counter[Cause] = Counter()
        self._fixed = fixed

    def add(self, chunk: _Chunk) -> None:
        """Another chunk.  What two workers ran, each for the first time, counts once."""
        self.generated += chunk.generated
        self.steps |= chunk.steps
        self.reached |= chunk.reached
        for outcome in chunk.outcomes:
            if outcome.key not in self.keys:
                self.keys.add(outcome.key)
                self._add(outcome)

    def _add(self, outcome: Outcome) -> None:
        self.states += outcome.states
        if outcome.why:
            self.open.append(f"{outcome.group}: {outcome.why}")
        if outcome.cause is None or outcome.race is None:
            return
        if self._fixed is not None and _breaks(outcome.race, self._fixed):
            self.known += 1
            return
        cause = replace(outcome.cause, text="") if outcome.cause.op else outcome.cause
        self.first.setdefault(cause, outcome.race)
        self.count[cause] += 1

    def findings(self, stack: Stack) -> tuple[Finding, ...]:
        """Each cause by its first race, made smaller."""
        taken: set[str] = set()
        return tuple(
            finding_of(stack, race, cause, self.count[cause], BOUNDS, taken)
            for cause, race in self.first.items()
        )


def run_hunt(
    variant: Variant,
    plan: Plan,
    against: Variant | None = None,
    progress: Progress | None = None,
    jobs: int | None = None,
    plugins: Sequence[str] = (),
) -> Hunted:
    """Hunt in one design.

    ``against``: leave out what breaks that one, too.  ``jobs`` processes (default: one for each CPU), which
    load ``plugins`` for themselves, run slices of the plan; the result does not depend on them.  Raises
    StrategyError.
    """
    result = _Result(Stack(against) if against is not None else None)
    began = time.monotonic()
    slices = list(_slices(plan.groups()))
    total, done, finished = sum(map(len, slices)), 0, True
    with _running(variant, slices, jobs or available_cpus(), plugins) as chunks:
        for chunk in chunks:
            result.add(chunk)
            done += chunk.groups
            spent = time.monotonic() - began
            if progress is not None:
                progress(len(result.keys), done, total, spent)
            if spent > plan.seconds and done < total:
                finished = False
                break
    findings = result.findings(Stack(variant))
    return Hunted(
        variant.name, len(result.keys), result.generated - len(result.keys), result.states,
        time.monotonic() - began, finished and not result.open, tuple(result.open), plan.size,
        tuple(sorted(result.steps - result.reached)), findings, result.known,
    )  # fmt: skip


def _breaks(race: Race, stack: Stack) -> bool:
    world = build_race(race, stack)
    return cause_of(world, explore(world, BOUNDS)) is not None


def _slices(every: Iterable[Group]) -> Iterator[list[Group]]:
    here = iter(every)
    while some := list(islice(here, _SLICE)):
        yield some


@contextmanager
def _running(
    variant: Variant, slices: Sequence[Sequence[Group]], jobs: int, plugins: Sequence[str]
) -> Iterator[Iterator[_Chunk]]:
    """The chunks in the plan's order.  A hunt too small to be worth starting processes is run in this one."""
    if jobs == 1 or len(slices) < _WORTH_PROCESSES:
        worker = _Worker(variant)
        yield map(worker.run, slices)
        return
    pool = ProcessPoolExecutor(
        jobs, multiprocessing.get_context("spawn"), _begin, (variant.name, tuple(plugins))
    )
    try:
        yield pool.map(_run, slices)
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


_worker: _Worker | None = None


def _begin(name: str, plugins: Sequence[str]) -> None:
    global _worker
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent is told, and ends its workers
    _worker = _Worker(load_registry(plugins).any_variant(name))


def _run(some: Sequence[Group]) -> _Chunk:
    assert _worker is not None
    return _worker.run(some)
