"""Check a matrix of variants and races on all cores: verdicts, in the matrix's order."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass, replace
from threading import Event, Lock
from typing import Any

from spfvar.automata.extract import StrategyError
from spfvar.automata.weaken import Memory
from spfvar.cpus import available_cpus
from spfvar.errors import InputError
from spfvar.explore.options import Options
from spfvar.explore.verdict import INCOMPLETE, SAFE, VIOLATION, Verdict, judge
from spfvar.explore.verdict import Progress as Report
from spfvar.explore.walk import WalkOptions
from spfvar.explore.walked import judge_walks
from spfvar.explore.world import build_race, extract_race
from spfvar.matrix.cases import Case
from spfvar.matrix.catalogue import Catalogue
from spfvar.matrix.kept_verdicts import KeptVerdicts, verdict_key
from spfvar.matrix.safety import Sums
from spfvar.matrix.scopes import base_name
from spfvar.plugins.registry import Problem, Registry
from spfvar.plugins.todos import is_draft, todos_of
from spfvar.plugins.variant import Stack, Stacks
from spfvar.scenario.race import Race
from spfvar.store.database import Store

#: Told finished cells, all cells, and the states (of walks: primitives) per second of those that run.
Progress = Callable[[int, int, float], None]


@dataclass(frozen=True)
class Checked:
    """A case and its verdict."""

    case: Case
    verdict: Verdict

    @property
    def as_expected(self) -> bool:
        """Did the run of the twins find what it has to?  A search that hit a bound leaves it open."""
        if not self.case.expected or self.verdict.verdict == INCOMPLETE:
            return True
        return self.case.expected == (self.verdict.property or SAFE)

    def as_dict(self) -> dict[str, Any]:
        """One entry of the JSON list."""
        entry = self.verdict.as_dict()
        if self.case.expected:
            entry |= {"twin": self.case.twin, "expected": self.case.expected}
        if self.case.variant.repairs:
            entry["repairs"] = [repair.as_dict() for repair in self.case.variant.repairs]
        if is_draft(self.case.variant):
            entry["draft"] = {"from": self.case.variant.draft, "todos": len(todos_of(self.case.variant))}
        return entry


def prepared(cases: Sequence[Case]) -> Stacks:
    """A stack for each variant, or why there is none.

    Texts of plugins are extracted here for all their races, in the thread that calls: it can be interrupted,
    by Ctrl-C and by the bounds of plugin code, and the workers never run any.
    """
    stacks: Stacks = {}
    for case in cases:
        name = case.variant.name
        try:
            if name not in stacks:
                stacks[name] = Stack(case.variant)
            stack = stacks[name]
            if isinstance(stack, Stack) and not case.variant.is_shipped:
                extract_race(case.race, stack)
        except StrategyError as error:
            stacks[name] = error
    return stacks


def runnable(cases: Sequence[Case], registry: Registry) -> tuple[list[Case], Stacks]:
    """The cases of variants whose texts can be extracted, and the stacks; the others become problems.

    Raises InputError if none are left.
    """
    stacks = prepared(cases)
    origins = {case.variant.name: case.variant.origin for case in cases}
    broken = {name: stack for name, stack in stacks.items() if isinstance(stack, StrategyError)}
    registry.problems += [Problem(origins[name], str(error)) for name, error in broken.items()]
    left = [case for case in cases if case.variant.name not in broken]
    if cases and not left:
        raise registry.nothing_left()
    return left, stacks


def run_checks(
    cases: Sequence[Case],
    options: Options | WalkOptions,
    jobs: int | None = None,
    progress: Progress | None = None,
    stacks: Stacks | None = None,
    memory: Memory = "sc",
    store: Store | None = None,
) -> list[Checked]:
    """Explore every case, or walk through it at random.

    The bounds are those of each search, so that no verdict depends on ``jobs``.  The same race under the
    same variant is explored once.  ``stacks``: those of `prepared`, which is called here without them.
    ``memory``: the memory model of searches and walks.  Verdicts that the ``store`` has are
    taken from it, the others are kept there.
    Raises StrategyError for a variant whose texts cannot be extracted.
    """
    if jobs is not None and jobs < 1:
        raise InputError(f"{jobs} jobs", key="--jobs", expected="1 or more")
    workers = min(jobs or available_cpus(), max(1, len(cases)))
    stacks = prepared(cases) if stacks is None else stacks
    runner = _Runner(options, len(cases), progress, stacks, KeptVerdicts(store))
    todo: dict[_Key, Case] = {}
    for case in cases:
        todo.setdefault(_key(case, memory), case)
    runner.total = len(todo)
    if store is not None:  # now: who edits a text while this runs must not get the old one's verdicts
        for case in todo.values():
            verdict_key(case, memory, options)
    verdicts: dict[_Key, Verdict] = {}
    with ThreadPoolExecutor(max_workers=workers) as pool:
        try:
            futures = {pool.submit(runner.case, key, case): key for key, case in todo.items()}
            for future in as_completed(futures):
                verdicts[futures[future]] = future.result()
                runner.finished()
        except BaseException:
            runner.stop.set()
            pool.shutdown(cancel_futures=True)
            raise
    return [Checked(case, verdicts[_key(case, memory)]) for case in cases]


def check_all(
    cases: Sequence[Case],
    options: Options | WalkOptions,
    races: Catalogue[Race],
    jobs: int | None = None,
    progress: Progress | None = None,
    stacks: Stacks | None = None,
    memory: Memory = "sc",
    store: Store | None = None,
) -> list[Checked]:
    """`run_checks`; and if a design was searched whole, as by default, what that says of its safety is kept.

    ``races``: where the cases' races are from.
    """
    sums = Sums({case.variant.name: case.variant for case in cases}.values())
    results = run_checks(cases, options, jobs, progress, stacks, memory, store)
    scaled = any(base_name(case.race_name) != case.race_name for case in cases)
    if options == Options() and memory == "sc" and not (scaled or any(case.expected for case in cases)):
        shipped = [result for result in results if races.is_shipped(result.case.race_name)]
        sums.keep(store, sums.of(map(verdict_of, shipped)))
    return results


#: Variant, race and memory model of a search.
_Key = tuple[str, str, Memory]


def _key(case: Case, memory: Memory) -> _Key:
    """A twin may need a memory model that was not asked for."""
    return case.variant.name, case.race_name, case.memory if memory == "sc" else memory


def _with_first(verdict: Verdict, wanted: str) -> Verdict:
    """The findings of one property first: a bug may break several, and is published with one of them."""
    findings = sorted(verdict.findings, key=lambda finding: finding.property != wanted)
    return replace(verdict, findings=tuple(findings))


class _StoppedError(Exception):
    """The run was interrupted."""


class _Runner:
    def __init__(
        self,
        options: Options | WalkOptions,
        total: int,
        progress: Progress | None,
        stacks: Stacks,
        kept: KeptVerdicts,
    ) -> None:
        self.kept = kept
        self.options = options
        self.total = total
        self.stop = Event()
        self._progress = progress
        self._done = 0
        self._stacks = stacks
        self._rates: dict[_Key, float] = {}
        self._lock = Lock()

    def case(self, key: _Key, case: Case) -> Verdict:
        """Explore one case."""

        def report(states: int, _transitions: int, seconds: float) -> None:
            if self.stop.is_set():
                raise _StoppedError
            with self._lock:
                self._rates[key] = states / max(seconds, 1e-9)
            self._tell()

        if self.stop.is_set():
            raise _StoppedError
        try:
            verdict = self._judge(key, case, self.options, report)
            if verdict.property and case.expected not in ("", SAFE, verdict.property):
                verdict = self._judge(key, case, replace(self.options, first=False), report)
                return _with_first(verdict, case.expected)
            return verdict
        finally:
            with self._lock:
                self._rates.pop(key, None)

    def _judge(self, key: _Key, case: Case, options: Options | WalkOptions, report: Report) -> Verdict:
        """The verdict, if it was kept; else the search or the walks, whose verdict then is."""
        found = self.kept.by_text(case, key[2], options)
        if found is not None:
            return found
        with self._lock:
            stack = self._stacks[case.variant.name]
            if isinstance(stack, StrategyError):
                raise stack
            world = build_race(case.race, stack, key[2])
        found = self.kept.by_program(case, world, options)
        if found is None:
            names = case.variant.name, case.race_name
            judged = judge_walks if isinstance(options, WalkOptions) else judge
            found = judged(world, *names, options, report)  # type: ignore[arg-type]
            self.kept.keep(case, world, options, found)
        return found

    def finished(self) -> None:
        """Count a finished case."""
        self._done += 1
        self._tell()

    def _tell(self) -> None:
        if self._progress is not None:
            with self._lock:
                rate = sum(self._rates.values())
            self._progress(self._done, self.total, rate)


def verdict_of(result: Checked) -> tuple[str, str, str, str]:
    """What `spfvar.matrix.safety` sums up: variant, race, verdict, property."""
    return result.case.variant.name, result.case.race_name, result.verdict.verdict, result.verdict.property


def exit_code(results: Sequence[Checked]) -> int:
    """0 all safe (twins: as expected), 1 a violation (twins: a miss or false alarm), 3 incomplete."""
    twins = any(result.case.expected for result in results)
    if twins and not all(result.as_expected for result in results):
        return 1
    verdicts = {result.verdict.verdict for result in results}
    if not twins and VIOLATION in verdicts:
        return 1
    return 3 if INCOMPLETE in verdicts else 0
