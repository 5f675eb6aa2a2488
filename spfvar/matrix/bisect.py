"""Bisect a series: what each of its patches changes, in races and in loads.

Prefixes whose automata are equal are the same protocol, and one of them is run for all.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial

import pandas as pd

from spfvar.automata.automaton import Automaton
from spfvar.automata.extract import StrategyError
from spfvar.automata.weaken import Memory
from spfvar.comparison.stats import CELL_COLUMNS, COMPARISON_COLUMNS, PLACE, axes_key, summarise
from spfvar.comparison.verdicts import Rule
from spfvar.errors import InputError
from spfvar.explore.options import Options
from spfvar.explore.verdict import INCOMPLETE, SAFE, VIOLATION, Verdict
from spfvar.explore.world import extract_race
from spfvar.matrix.cases import Case
from spfvar.matrix.check import Progress as CheckProgress
from spfvar.matrix.check import run_checks
from spfvar.matrix.compare import judged, rule_of
from spfvar.matrix.plan import CellSpec, Plan
from spfvar.matrix.run import Progress, run_plan
from spfvar.matrix.samples import Failure
from spfvar.plugins.registry import Registry
from spfvar.plugins.series import split_name, with_bug
from spfvar.plugins.variant import Stack, Variant
from spfvar.scenario.race import Race
from spfvar.simulate.world import extract_programs
from spfvar.store.database import Store

BREAKS, HEALS, OTHER = "BREAKS", "heals", "BREAKS otherwise"


@dataclass(frozen=True)
class Prefix:
    """A series up to a patch, which ``number`` and ``title`` are of; 0: none of its patches."""

    number: int
    title: str
    variant: Variant


@dataclass(frozen=True)
class RaceStep:
    """A prefix in a race: is it the ``same`` protocol as the one before, what is the verdict, what changed?

    ``change`` is BREAKS, HEALS, OTHER (another property breaks than before) or "".
    """

    prefix: Prefix
    race: str
    same: bool
    verdict: Verdict
    change: str


@dataclass(frozen=True)
class LoadBisection:
    """Prefixes in loads, for one metric.

    ``cells``: value, ci_low, ci_high, n per number, scenario and axes, and ``same``: is it the protocol of
    the prefix before?  ``steps``: ratio to the prefix before and verdict, for those that are not.
    """

    plan: Plan
    metric: str
    prefixes: tuple[Prefix, ...]
    cells: pd.DataFrame
    steps: pd.DataFrame
    failures: tuple[Failure, ...]


def prefixes_of(registry: Registry, name: str, bug: str = "") -> list[Prefix]:
    """Every prefix of a series, or of a stack of its patches, each with a ``bug`` put into it.

    Raises InputError for a name of neither, and for what is no twin.
    """
    head, _ = split_name(name)
    if head not in registry.series:
        registry[name]  # an unknown name is told as everywhere
        known = ", ".join(registry.series) or "none is loaded"
        raise InputError(f"{name!r} is a variant and no series", expected=f"a series: {known}")
    series = registry.series[head]
    numbers = series.choose(name).numbers
    if not numbers:
        raise InputError(f"{name!r} has no patches")
    titles = {patch.number: patch.title for patch in series.patches}
    names = series.prefixes(numbers)
    titles[0] = f"{series.kernel}, without the series"
    variants = [registry[with_bug(one, bug)] for one in names]
    return [Prefix(n, titles[n], one) for n, one in zip((0, *numbers), variants, strict=True)]


def bisect_races(
    prefixes: Sequence[Prefix],
    races: Mapping[str, Race],
    options: Options,
    jobs: int | None = None,
    progress: CheckProgress | None = None,
    memory: Memory = "sc",
    store: Store | None = None,
) -> list[RaceStep]:
    """Explore every race under every prefix, race by race, with a ``memory`` model.

    Verdicts that the ``store`` has are taken from it, the others are kept there.
    """
    stacks = _stacks(prefixes)
    protocols = {
        name: [
            _protocol(stacks[p.variant.name], partial(extract_race, race, memory=memory)) for p in prefixes
        ]
        for name, race in races.items()
    }
    firsts = {name: _first_alike(found) for name, found in protocols.items()}
    cases = []
    results: dict[tuple[str, str], Verdict] = {}
    for name, found in firsts.items():
        for first in dict.fromkeys(found):
            variant, protocol = prefixes[first].variant, protocols[name][first]
            if isinstance(protocol, str):  # a patch that lacks another one may have no text here
                results[name, variant.name] = Verdict(
                    variant.name, name, INCOMPLETE, 0, 0, 0, 0.0, why=protocol
                )
            else:
                cases.append(Case(variant, name, races[name]))
    checked = run_checks(cases, options, jobs, progress, memory=memory, store=store)
    results |= {(one.case.race_name, one.case.variant.name): one.verdict for one in checked}
    steps = []
    for name, found in firsts.items():
        before: Verdict | None = None
        for place, (prefix, first) in enumerate(zip(prefixes, found, strict=True)):
            verdict = results[name, prefixes[first].variant.name]
            same = place > 0 and found[place - 1] == first
            steps.append(RaceStep(prefix, name, same, verdict, _change(before, verdict)))
            before = verdict if verdict.verdict != INCOMPLETE else before
    return steps


def _change(before: Verdict | None, after: Verdict) -> str:
    """What happened between two verdicts; an incomplete one says nothing."""
    if after.verdict == VIOLATION:
        if before is None or before.verdict == SAFE:
            return BREAKS
        return "" if before.property == after.property else OTHER
    return HEALS if after.verdict == SAFE and before is not None and before.verdict == VIOLATION else ""


def bisect_loads(
    plan: Plan,
    prefixes: Sequence[Prefix],
    metric: str,
    jobs: int | None = None,
    progress: Progress | None = None,
    store: Store | None = None,
) -> LoadBisection:
    """Run every prefix over a plan's loads, and compare each with the one before, seed by seed.

    The plan's variants are the prefixes'.  Verdicts are those of `judged`, under the plan's thresholds.
    ``store`` as in `run_plan`.
    """
    stacks = _stacks(prefixes)
    by_load: dict[tuple[str, str], dict[str, CellSpec]] = {}
    for cell in plan.cells:
        by_load.setdefault((cell.load.scenario, axes_key(cell.axes)), {})[cell.variant.name] = cell
    firsts: dict[tuple[str, str], list[int]] = {}
    wanted: list[CellSpec] = []
    for load, cells in by_load.items():
        ordered = [cells[prefix.variant.name] for prefix in prefixes]
        firsts[load] = _first_alike(
            [_protocol(stacks[cell.variant.name], partial(extract_programs, cell.load)) for cell in ordered]
        )
        wanted += [ordered[first] for first in dict.fromkeys(firsts[load])]
    samples = run_plan(replace(plan, cells=tuple(wanted)), jobs, progress, dict(stacks), store)
    runs = _runs(samples.values[samples.values["metric"] == metric], prefixes, firsts)
    return LoadBisection(
        plan, metric, tuple(prefixes), _cells(runs, rule_of(plan.ensemble)), _steps(runs, plan),
        tuple(samples.failures),
    )  # fmt: skip


@dataclass(frozen=True, slots=True)
class _Run:
    """A prefix in a load: its samples, and those of the one ``before``, unless it is the same protocol."""

    number: int
    scenario: str
    axes: str
    same: bool
    samples: pd.DataFrame
    before: pd.DataFrame | None


def _runs(
    values: pd.DataFrame, prefixes: Sequence[Prefix], firsts: Mapping[tuple[str, str], Sequence[int]]
) -> list[_Run]:
    """The samples spread over the prefixes that they stand for; a prefix that could not be run has none."""
    groups = {tuple(key): rows for key, rows in values.groupby(PLACE, sort=False)}
    runs = []
    for (scenario, axes), found in firsts.items():
        samples = [groups.get((prefixes[first].variant.name, scenario, axes)) for first in found]
        for place, (prefix, rows) in enumerate(zip(prefixes, samples, strict=True)):
            same = place > 0 and found[place - 1] == found[place]
            before = samples[place - 1] if place > 0 and not same else None
            if rows is not None:
                runs.append(_Run(prefix.number, scenario, axes, same, rows, before))
    return runs


def _cells(runs: Sequence[_Run], rule: Rule) -> pd.DataFrame:
    """Means and intervals; ``number`` and ``same`` beside the columns of `summarise`."""
    if not runs:
        return pd.DataFrame(columns=["number", "same", *CELL_COLUMNS[1:]])
    cells = summarise(pd.concat([run.samples.assign(variant=str(run.number)) for run in runs]), rule=rule)
    cells.insert(0, "number", cells.pop("variant").astype(int))
    same = {(run.number, run.scenario, run.axes): run.same for run in runs}
    places = zip(cells["number"], cells["scenario"], cells["axes"], strict=True)
    cells.insert(1, "same", [same[place] for place in places])
    return cells


def _steps(runs: Sequence[_Run], plan: Plan) -> pd.DataFrame:
    """Each prefix against the one before; ``number`` beside the columns of `compare_to`."""
    pairs: dict[int, list[pd.DataFrame]] = {}
    for run in runs:
        if run.before is not None:
            sides = run.before.assign(variant="before"), run.samples.assign(variant="after")
            pairs.setdefault(run.number, []).extend(sides)
    if not pairs:
        return pd.DataFrame(columns=["number", *COMPARISON_COLUMNS[1:]])
    steps = []
    for number, sides_of in pairs.items():
        found = judged(pd.concat(sides_of), "before", plan.thresholds, plan.ensemble)
        found = found.drop(columns="variant")
        found.insert(0, "number", number)
        steps.append(found)
    return pd.concat(steps, ignore_index=True)


def _stacks(prefixes: Sequence[Prefix]) -> dict[str, Stack | StrategyError]:
    """A stack for each prefix, one for all that have the same patches; or why there is none."""
    made: dict[tuple[type, ...], Stack | StrategyError] = {}
    stacks = {}
    for prefix in prefixes:
        variant = prefix.variant
        if variant.patches not in made:
            try:
                made[variant.patches] = Stack(variant)
            except StrategyError as error:
                made[variant.patches] = error
        stacks[variant.name] = made[variant.patches]
    return stacks


def _protocol(stack: Stack | StrategyError, extract: Callable[[Stack], Mapping[str, Automaton]]) -> Hashable:
    """What tells two protocols apart: the automata of every thread; or why there are none."""
    try:
        if isinstance(stack, StrategyError):
            raise stack
        return tuple(extract(stack).items())
    except StrategyError as error:
        return str(error)


def _first_alike(protocols: Sequence[Hashable]) -> list[int]:
    """For each protocol the place of the first that is equal."""
    first: dict[Hashable, int] = {}
    return [first.setdefault(protocol, place) for place, protocol in enumerate(protocols)]
