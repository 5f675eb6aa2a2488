"""Check a matrix of variants and races on all cores: verdicts, in the matrix's order."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from threading import Lock
from typing import Any

from spfvar.automata.extract import StrategyError
from spfvar.automata.weaken import Memory
from spfvar.explore.options import Options
from spfvar.explore.verdict import INCOMPLETE, SAFE, VIOLATION, Verdict
from spfvar.explore.walk import WalkOptions
from spfvar.explore.world import extract_race
from spfvar.matrix.cases import Case
from spfvar.matrix.catalogue import Catalogue
from spfvar.matrix.executors import Executor, Recipe, executor_of
from spfvar.matrix.kept_verdicts import KeptVerdicts, verdict_key
from spfvar.matrix.safety import Sums
from spfvar.matrix.scopes import base_name
from spfvar.matrix.searching import SearchTask, SearchWork, settled
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
    executor: Executor | None = None,
) -> list[Checked]:
    """Explore every case, or walk through it at random.

    The bounds are those of each search, so that no verdict depends on ``jobs``, or on the ``executor`` in
    their place.  The same race under the same variant is explored once, and a program that is safe under
    several variants mostly is.  ``stacks``: those of `prepared`,
    which is called here without them.  ``memory``: the memory model of searches and walks.  Verdicts that the
    ``store`` has are taken from it, the others are kept there.
    Raises StrategyError for a variant whose texts cannot be extracted.
    """
    todo: dict[_Key, Case] = {}
    for case in cases:
        todo.setdefault(_key(case, memory), case)
    where = executor_of(executor, jobs, len(todo))
    stacks = prepared(cases) if stacks is None else stacks
    kept = KeptVerdicts(store)
    if store is not None:  # now: who edits a text while this runs must not get the old one's verdicts
        for case in todo.values():
            verdict_key(case, memory, options)
    told = _Told(len(todo), progress)
    verdicts: dict[_Key, Verdict] = {}
    tasks: dict[_Key, SearchTask] = {}
    for key, case in todo.items():
        task = SearchTask(key[0], key[1], case.race, key[2], case.expected)
        found = settled(task, options, partial(kept.by_text, case, key[2]))
        if found is None:
            tasks[key] = task
        else:
            verdicts[key] = found
            told.finished()
    variants = {case.variant.name: case.variant for case in cases}
    work = SearchWork(variants, options, kept, stacks, told.rate)
    recipe = Recipe(SearchWork, tuple(variants), (options,))
    # Races with more threads take longer: at the end of the matrix a core would wait for one of them.
    # And a variant behind the other, so that one program under two of them is seldom searched side by side.
    places = {name: place for place, name in enumerate(variants)}
    keys = sorted(tasks, key=lambda key: (-tasks[key].race.threads, places[key[0]]))
    for number, searched in where.results(work, recipe, [tasks[key] for key in keys]):
        key = keys[number]
        if where.remote:
            for one in searched.parts:
                kept.keep(todo[key], key[2], one.options, one.verdict, one.program)
        verdicts[key] = searched.verdict
        told.finished()
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
    executor: Executor | None = None,
) -> list[Checked]:
    """`run_checks`; and if a design was searched whole, as by default, what that says of its safety is kept.

    ``races``: where the cases' races are from.
    """
    sums = Sums({case.variant.name: case.variant for case in cases}.values())
    results = run_checks(cases, options, jobs, progress, stacks, memory, store, executor)
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


class _Told:
    """Counts what is finished, and how fast the searches that run are."""

    def __init__(self, total: int, progress: Progress | None) -> None:
        self._total = total
        self._progress = progress
        self._done = 0
        self._rates: dict[SearchTask, float] = {}
        self._lock = Lock()

    def rate(self, task: SearchTask, rate: float | None) -> None:
        """A search's states per second; None when it is over."""
        with self._lock:
            if rate is None:
                self._rates.pop(task, None)
                return
            self._rates[task] = rate
        self._tell()

    def finished(self) -> None:
        """Count a finished case."""
        self._done += 1
        self._tell()

    def _tell(self) -> None:
        if self._progress is not None:
            with self._lock:
                rate = sum(self._rates.values())
            self._progress(self._done, self._total, rate)


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
