"""One search after the other, wherever it is done: what `spfvar.matrix.check` gives to an executor."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass, replace
from threading import Event, Lock

from spfvar.automata.weaken import Memory
from spfvar.explore.options import Options
from spfvar.explore.verdict import Progress as Report
from spfvar.explore.verdict import Verdict, judge
from spfvar.explore.walk import WalkOptions
from spfvar.explore.walked import judge_walks
from spfvar.explore.world import RaceWorld, build_race
from spfvar.matrix.cases import SAFE, Case
from spfvar.matrix.kept_verdicts import KeptVerdicts, program_digest, program_of
from spfvar.plugins.variant import Stacks, Variant, stack_in
from spfvar.scenario.race import Race

#: Told a search and its states (of walks: primitives) per second; None when it is over.
Rate = Callable[["SearchTask", float | None], None]
Bounds = Options | WalkOptions


@dataclass(frozen=True, slots=True, eq=False)
class SearchTask:
    """A case to be searched, its variant by name, under a memory model."""

    variant: str
    race_name: str
    race: Race
    memory: Memory
    expected: str


@dataclass(frozen=True, slots=True)
class Part:
    """One search: its bounds, its verdict, and the `program_of` what was searched."""

    options: Bounds
    verdict: Verdict
    program: str


@dataclass(frozen=True, slots=True)
class Searched:
    """The verdict on a case, and the one or two searches that it took."""

    verdict: Verdict
    parts: tuple[Part, ...]


def settled(task: SearchTask, options: Bounds, judged: Callable[[Bounds], Verdict | None]) -> Verdict | None:
    """The verdict on a case, from a search; from one of every property, if the first is not the expected one.

    ``judged`` gives the verdict of a search with these bounds, None if there is none: then nor is here.
    """
    found = judged(options)
    if found is None or not found.property or task.expected in ("", SAFE, found.property):
        return found
    found = judged(replace(options, first=False))
    return None if found is None else _with_first(found, task.expected)


def _with_first(verdict: Verdict, wanted: str) -> Verdict:
    """The findings of one property first: a bug may break several, and is published with one of them."""
    findings = sorted(verdict.findings, key=lambda finding: finding.property != wanted)
    return replace(verdict, findings=tuple(findings))


class _StoppedError(Exception):
    """The run was interrupted."""


class SearchWork:
    """Searches cases, or walks through them."""

    def __init__(
        self,
        variants: Mapping[str, Variant],
        options: Bounds,
        kept: KeptVerdicts | None = None,
        stacks: Stacks | None = None,
        rate: Rate | None = None,
    ) -> None:
        self._variants = variants
        self._options = options
        self._kept = kept or KeptVerdicts(None)
        self._stacks: Stacks = {} if stacks is None else stacks
        self._rate = rate
        self._stopped = Event()
        self._lock = Lock()
        self._safe: dict[Hashable, Verdict] = {}

    def stop(self) -> None:
        """End the running searches."""
        self._stopped.set()

    def run(self, task: SearchTask) -> Searched:
        """Explore one case.  Raises StrategyError for a text that cannot be extracted."""
        parts: list[Part] = []

        def report(states: int, _transitions: int, seconds: float) -> None:
            if self._stopped.is_set():
                raise _StoppedError
            if self._rate is not None:
                self._rate(task, states / max(seconds, 1e-9))

        def judged(options: Bounds) -> Verdict:
            parts.append(self._judge(task, options, report))
            return parts[-1].verdict

        if self._stopped.is_set():
            raise _StoppedError
        try:
            verdict = settled(task, self._options, judged)
            assert verdict is not None  # `judged` always gives one
            return Searched(verdict, tuple(parts))
        finally:
            if self._rate is not None:
                self._rate(task, None)

    def _judge(self, task: SearchTask, options: Bounds, report: Report) -> Part:
        """The verdict, if it was kept; else the search or the walks, whose verdict then is."""
        case = Case(self._variants[task.variant], task.race_name, task.race)
        with self._lock:
            world = build_race(task.race, stack_in(self._stacks, case.variant), task.memory)
        program = program_of(case, world)
        found = self._kept.by_program(case, task.memory, options, program)
        if found is None:
            found = self._searched(task, world, options, report)
            self._kept.keep(case, task.memory, options, found, program)
        return Part(options, found, program)

    def _searched(self, task: SearchTask, world: RaceWorld, options: Bounds, report: Report) -> Verdict:
        """What a search or walks say; a program that is safe under one variant is so under every other."""
        names = task.variant, task.race_name
        if isinstance(options, WalkOptions):
            return judge_walks(world, *names, options, report)
        key = task.race_name, task.memory, options, program_digest(world)
        known = self._safe.get(key)
        if known is not None:
            return replace(known, variant=task.variant)
        found = judge(world, *names, options, report)
        if found.verdict == SAFE:  # a trace has its variant's name in its token
            self._safe[key] = found
        return found
