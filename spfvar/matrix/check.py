"""Check a matrix of variants and races on all cores: verdicts, in the matrix's order."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from threading import Event, Lock
from typing import Any

from spfvar.automata.extract import StrategyError
from spfvar.cpus import available_cpus
from spfvar.errors import InputError, unknown
from spfvar.explore.explore import Options
from spfvar.explore.verdict import INCOMPLETE, SAFE, VIOLATION, Verdict, judge
from spfvar.explore.verdict import Progress as Report
from spfvar.explore.walk import WalkOptions
from spfvar.explore.walked import judge_walks
from spfvar.explore.world import RaceWorld, build_race, extract_race
from spfvar.matrix.catalogue import Catalogue
from spfvar.matrix.scopes import scaled
from spfvar.plugins.registry import Problem, Registry
from spfvar.plugins.variant import Stack, Stacks, Twin, Variant
from spfvar.scenario.race import Race

#: Told finished cells, all cells, and the states (of walks: primitives) per second of those that run.
Progress = Callable[[int, int, float], None]


@dataclass(frozen=True)
class Case:
    """A cell of the matrix.  A run of the twins sets ``twin`` and ``expected``: a property, or "safe"."""

    variant: Variant
    race_name: str
    race: Race
    twin: str = ""
    expected: str = ""


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
        return entry


def make_cases(
    registry: Registry,
    races: Catalogue[Race],
    names: Sequence[str],
    patterns: Sequence[str],
    twins: bool = False,
    counts: Mapping[str, int] | None = None,
) -> list[Case]:
    """The cases of variants (or twins) in races, in the order asked for.

    With ``twins``, ``names`` are those of twins or of bugs (none: all), and each twin is run on its own race,
    as is the variant without its bug.  ``counts`` gives actors another number of threads than their race
    does.  InputError for names that do not exist; a twin that does not go together with its race or variant
    becomes a problem.
    """
    chosen = races.select(patterns or races.names())
    if not twins:
        variants = [registry.any_variant(name) for name in names]
        for name in chosen:
            if not races.is_shipped(name):
                check_sometimes(races[name], variants, races.origin(name))
        scopes = scaled({name: races[name] for name in chosen}, counts or {})
        return [Case(variant, *scope) for scope in scopes.values() for variant in variants]
    return _twin_cases(_wanted_twins(registry, names, chosen if patterns else None), registry, races, counts)


def _wanted_twins(registry: Registry, names: Sequence[str], races: Sequence[str] | None) -> list[Twin]:
    """The twins of these names or bugs (none: all), on these races (None: any)."""
    bugs = {twin.bug.lower() for twin in registry.twins.values()}
    for name in names:
        if name not in registry.twins and name.lower() not in bugs:
            raise unknown("twin", name, registry.twins)
    wanted = [
        twin for twin in registry.twins.values()
        if (not names or twin.name in names or twin.bug.lower() in [name.lower() for name in names])
        and (races is None or Path(twin.race).stem in races)
    ]  # fmt: skip
    if not wanted:
        raise InputError("no twin is about these races", key="--twins")
    return wanted


def _twin_cases(
    wanted: Sequence[Twin], registry: Registry, races: Catalogue[Race], counts: Mapping[str, int] | None
) -> list[Case]:
    """Each twin's own race under it, and under the variant without its bug."""
    found: list[tuple[Twin, str, Variant, Variant]] = []
    for twin in wanted:
        try:
            file = twin.race.endswith(".toml")
            name = races.add_file(twin.race, unless_taken=True) if file else twin.race
            broken, fixed = registry.any_variant(twin.name), registry[twin.fixed]
            if not races.is_shipped(name):
                check_sometimes(races[name], [broken, fixed], races.origin(name))
            found.append((twin, name, broken, fixed))
        except (InputError, StrategyError) as error:
            registry.problems.append(Problem(twin.origin, f"twin {twin.name}: {error}"))
    if not found:
        raise registry.nothing_left()
    scopes = scaled({name: races[name] for _, name, _, _ in found}, counts or {})
    return [
        case for twin, name, broken, fixed in found
        for case in (Case(broken, *scopes[name], twin.name, twin.prop or SAFE),
                     Case(fixed, *scopes[name], twin.name, SAFE))
    ]  # fmt: skip


def check_sometimes(race: Race, variants: Sequence[Variant], file: str) -> None:
    """Raise InputError for what has to happen sometimes, but is no primitive of the race's texts.

    Neither under the core nor under one of the variants, as far as their texts can be extracted.  Of
    alternatives ("a or b") one is enough: the other may be of a variant that is not asked for.
    """
    names: dict[str, None] = {}
    missing: list[tuple[int, str]] = []
    for variant in (Variant("core", "", "", ""), *variants):
        with suppress(StrategyError):
            found = extract_race(race, Stack(variant)).values()
            names |= dict.fromkeys(op.name for automaton in found for op in automaton.ops())
        missing = [
            (place, wanted) for place, wanted in enumerate(race.sometimes)
            if not any(name.startswith(tuple(wanted.split(" or "))) for name in names)
        ]  # fmt: skip
        if not missing:
            return
    place, name = missing[0]
    raise unknown("primitive", name, names, file=file, key=f"sometimes[{place}]")


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
) -> list[Checked]:
    """Explore every case, or walk through it at random.

    ``options.max_bytes`` is shared by the searches that run side by side.  The same race under the same
    variant is explored once.  ``stacks``: those of `prepared`, which is called here without them.  Raises
    StrategyError for a variant whose texts cannot be extracted.
    """
    if jobs is not None and jobs < 1:
        raise InputError(f"{jobs} jobs", key="--jobs", expected="1 or more")
    workers = min(jobs or available_cpus(), max(1, len(cases)))
    if isinstance(options, Options):
        options = replace(options, max_bytes=options.max_bytes // workers)
    runner = _Runner(options, len(cases), progress, prepared(cases) if stacks is None else stacks)
    todo: dict[tuple[str, str], Case] = {}
    for case in cases:
        todo.setdefault((case.variant.name, case.race_name), case)
    runner.total = len(todo)
    verdicts: dict[tuple[str, str], Verdict] = {}
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
    return [Checked(case, verdicts[case.variant.name, case.race_name]) for case in cases]


def _with_first(verdict: Verdict, wanted: str) -> Verdict:
    """The findings of one property first: a bug may break several, and is published with one of them."""
    findings = sorted(verdict.findings, key=lambda finding: finding.property != wanted)
    return replace(verdict, findings=tuple(findings))


class _StoppedError(Exception):
    """The run was interrupted."""


class _Runner:
    def __init__(
        self, options: Options | WalkOptions, total: int, progress: Progress | None, stacks: Stacks
    ) -> None:
        self.options = options
        self.total = total
        self.stop = Event()
        self._progress = progress
        self._done = 0
        self._stacks = stacks
        self._rates: dict[tuple[str, str], float] = {}
        self._lock = Lock()

    def case(self, key: tuple[str, str], case: Case) -> Verdict:
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
            with self._lock:
                stack = self._stacks[case.variant.name]
                if isinstance(stack, StrategyError):
                    raise stack
                world = build_race(case.race, stack)
            verdict = self._judge(world, case, self.options, report)
            if verdict.property and case.expected not in ("", SAFE, verdict.property):
                verdict = self._judge(world, case, replace(self.options, first=False), report)
                return _with_first(verdict, case.expected)
            return verdict
        finally:
            with self._lock:
                self._rates.pop(key, None)

    def _judge(self, world: RaceWorld, case: Case, options: Options | WalkOptions, report: Report) -> Verdict:
        names = case.variant.name, case.race_name
        if isinstance(options, WalkOptions):
            return judge_walks(world, *names, options, report)
        return judge(world, *names, options, report)

    def finished(self) -> None:
        """Count a finished case."""
        self._done += 1
        self._tell()

    def _tell(self) -> None:
        if self._progress is not None:
            with self._lock:
                rate = sum(self._rates.values())
            self._progress(self._done, self.total, rate)


def exit_code(results: Sequence[Checked]) -> int:
    """0 all safe (twins: as expected), 1 a violation (twins: a miss or false alarm), 3 incomplete."""
    twins = any(result.case.expected for result in results)
    if twins and not all(result.as_expected for result in results):
        return 1
    verdicts = {result.verdict.verdict for result in results}
    if not twins and VIOLATION in verdicts:
        return 1
    return 3 if INCOMPLETE in verdicts else 0
