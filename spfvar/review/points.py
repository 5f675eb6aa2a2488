"""Points of loads for a variant and its rival, run side by side, each once: the verdict at each."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import pandas as pd

from spfvar.automata.extract import StrategyError
from spfvar.comparison.stats import axes_key, compare_to, summarise
from spfvar.errors import InputError
from spfvar.matrix.compare import rule_of
from spfvar.matrix.plan import CellSpec, Plan, Value, spelled
from spfvar.matrix.run import programs_of, run_plan
from spfvar.plugins.variant import Stacks, Variant, stack_in
from spfvar.scenario.load import Load, make_load
from spfvar.scenario.schema import Scenario
from spfvar.simulate.sharing import Line, written_lines
from spfvar.store.database import Store
from spfvar.structs.lines import ALL, Memory
from spfvar.structs.shipped import layout_named

NOT_AVAILABLE, UNSURE = "n/a", "unsure"
#: The axis that every load has beside its own (no scenario can call one so), and values of it.
LAYOUT = "struct layout"
#: What the axes of cost classes that variants bring begin with.
COST = "cost "
OWN = "each kernel's own"
EVERY_APART = "every member apart"
APART = " apart"

Point = dict[str, Value]
Progress = Callable[[int, int], None]
#: `OWN`, a value of `LAYOUT`, or a cost class and its nanoseconds.
Setting = str | tuple[str, float]
#: A scenario, where on its axes, and what of the variants is moved.
Asked = tuple[str, Scenario, Point, Setting]


@dataclass(frozen=True, slots=True)
class Figure:
    """What came out with an axis at a value (as a user would write it): variant / rival and the verdict.

    ``values`` are the metric's means of variant and rival.  A point that cannot be run has the verdict "n/a",
    and NaN; where both run the same program, nothing is run, and they are NaN, too.
    """

    value: Value
    verdict: str
    ratio: float
    values: tuple[float, float]


#: Of a point that cannot be run.
NOTHING = Figure("", NOT_AVAILABLE, math.nan, (math.nan, math.nan))
#: Of one where both run the same program: every run of either is one of the other, to the bit.
ALIKE = Figure("", "same", 1.0, (math.nan, math.nan))
#: The metric that every run has: only what is not there can come between two equal programs and "same".
ALWAYS_THERE = "faults_per_s"


def _costs(variant: Variant, setting: Setting) -> dict[str, float]:
    """A variant's own cost classes, one of them at another value."""
    name, value = setting if isinstance(setting, tuple) else ("", 0.0)
    return variant.costs | ({name: value} if name in variant.costs else {})


def memory_of(variant: Variant, layout: Setting) -> Memory:
    """A variant's structs under a value of `LAYOUT`."""
    own = variant.memory
    if layout == OWN or isinstance(layout, tuple):
        return own
    if layout == EVERY_APART:
        return replace(own, apart=frozenset({ALL}))
    if layout.endswith(APART):
        return replace(own, apart=own.apart | {layout.removesuffix(APART)})
    return Memory(layout, layout_named(layout))


def _cell(variant: Variant, load: Load, axes: Point, setting: Setting) -> CellSpec:
    """With nothing of the variant moved it is a cell as comparisons have it, whose runs may be known."""
    if setting == OWN:
        return CellSpec(variant, load, axes)
    return CellSpec(variant, load, axes, memory_of(variant, setting), _costs(variant, setting))


def _axes(scenario: Scenario, point: Point, setting: Setting) -> Point:
    """A point as tables spell it, with the layout or cost class that was moved."""
    if isinstance(setting, tuple):
        name, value = setting
        return spelled(scenario, point) | {f"{COST}{name}": value}
    return spelled(scenario, point) | ({} if setting == OWN else {LAYOUT: setting})


class Runner:
    """Runs points side by side, each once."""

    def __init__(
        self, plan: Plan, variant: str, metric: str, jobs: int | None, progress: Progress | None,
        store: Store | None,
    ) -> None:  # fmt: skip
        self.plan = plan
        self.metric = metric
        self._variant = variant
        self._jobs = jobs
        self._progress = progress
        self._store = store
        self._done = 0
        self._rule = rule_of(plan.ensemble)
        self._stacks: Stacks = {}
        self._figures: dict[tuple[str, str], Figure] = {}

    def found(self, asked: Asked) -> Figure:
        """What a point gave, without its value."""
        name, scenario, point, setting = asked
        return self._figures[name, axes_key(_axes(scenario, point, setting))]

    def lines(self, name: str, scenario: Scenario, point: Point, layout: str) -> dict[str, frozenset[Line]]:
        """By variant, the lines of a load that are shared and written; empty if one cannot be run."""
        found = {}
        for variant in self.plan.variants:
            try:
                stack = stack_in(self._stacks, variant)  # what was in the store has needed none
            except StrategyError:
                return {}
            load = make_load(name, scenario, point)
            found[variant.name] = written_lines(load, stack, memory_of(variant, layout))
        return found

    def runs(self, asked: Asked) -> int:
        """The simulated runs that a point's verdict is of."""
        found = self.found(asked)
        alike = found.verdict == ALIKE.verdict and math.isnan(sum(found.values))
        return 0 if alike else len(self.plan.variants) * self.plan.seeds

    def run(self, wanted: Sequence[Asked], moved: bool = False) -> None:
        """Run those of the points that were not run yet.

        ``moved``: not where variant and rival run the same program; that they can be run at all is known from
        the points that these were moved from.
        """
        cells: list[CellSpec] = []
        for name, scenario, point, setting in wanted:
            axes = _axes(scenario, point, setting)
            if (name, axes_key(axes)) in self._figures:
                continue
            self._figures[name, axes_key(axes)] = NOTHING
            try:
                load = make_load(name, scenario, point)
            except InputError:
                continue  # the range goes further than the model: there is no figure at that value
            cells += [_cell(variant, load, axes, setting) for variant in self.plan.variants]
        if moved and self.metric == ALWAYS_THERE:
            cells = self._without_alike(cells)
        if not cells:
            return
        each = len(self.plan.variants)
        first, total = self._done, self._done + len(cells) // each

        def count(done: int, _of: int) -> None:
            if self._progress is not None:
                self._progress(first + done // each, total)

        plan = replace(self.plan, cells=tuple(cells))
        samples = run_plan(plan, self._jobs, count, self._stacks, self._store).values
        self._done = total
        self._judge(samples[samples["metric"] == self.metric])

    def _without_alike(self, cells: Sequence[CellSpec]) -> list[CellSpec]:
        """The cells of points, without the points where all of them have one program."""
        each = len(self.plan.variants)
        programs = programs_of(replace(self.plan, cells=tuple(cells)), self._stacks, self._store)
        left: list[CellSpec] = []
        for first in range(0, len(cells), each):
            point = cells[first : first + each]
            if "" not in programs[first : first + each] and len({*programs[first : first + each]}) == 1:
                self._figures[point[0].load.scenario, axes_key(point[0].axes)] = ALIKE
            else:
                left += point
        return left

    def _judge(self, rows: pd.DataFrame) -> None:
        """The figures of new points; each is tested alone: it does not depend on which others were run."""
        rival = self.plan.baseline
        means: dict[tuple[str, str], dict[str, float]] = {}
        cells = summarise(rows, rule=self._rule)
        for scenario, axes, variant, value in zip(
            *(cells[name].tolist() for name in ("scenario", "axes", "variant", "value")), strict=True
        ):
            means.setdefault((scenario, axes), {})[variant] = value
        for point, of_point in means.items():
            both = of_point.get(self._variant, math.nan), of_point.get(rival, math.nan)
            self._figures[point] = replace(NOTHING, values=both)
        if rival not in set(rows["variant"]):
            return
        tests = compare_to(rows, rival, thresholds=self.plan.thresholds, rule=self._rule)
        for scenario, axes, verdict, ratio in zip(
            *(tests[name].tolist() for name in ("scenario", "axes", "verdict", "ratio")), strict=True
        ):
            both = self._figures[scenario, axes].values
            if not math.isnan(sum(both)):
                self._figures[scenario, axes] = Figure("", verdict, ratio, both)
