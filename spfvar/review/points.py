"""Points of loads for a variant and its rival, run side by side, each once: the verdict at each."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
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
#: By which a point's figure is kept: the scenario, and the axes as tables spell them.
Place = tuple[str, str]


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


def _place_of(asked: Asked) -> Place:
    name, scenario, point, setting = asked
    return name, axes_key(_axes(scenario, point, setting))


def _place(cell: CellSpec) -> Place:
    return cell.load.scenario, axes_key(cell.axes)


class Runner:
    """Runs points side by side, each once."""

    def __init__(
        self, plan: Plan, variant: str, metric: str, jobs: int | None, progress: Progress | None,
        store: Store | None,
    ) -> None:  # fmt: skip
        self.plan = plan
        self.metric = metric
        self.variant = variant
        self._jobs = jobs
        self._progress = progress
        self._store = store
        self._done = 0
        self._rule = rule_of(plan.ensemble)
        self._stacks: Stacks = {}
        self._figures: dict[Place, Figure] = {}
        self._samples: dict[Place, int] = {}
        self._begun: list[pd.DataFrame] = []

    def found(self, asked: Asked) -> Figure:
        """What a point gave, without its value."""
        return self._figures[_place_of(asked)]

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
        return len(self.plan.variants) * self._samples.get(_place_of(asked), 0)

    def run(self, wanted: Sequence[Asked]) -> None:
        """Run those of the points that were not run yet."""
        cells = self._cells(wanted)
        if cells:
            rows = self._ran(cells, self.plan.seeds)
            self._begun.append(rows)
            self._figures |= self._judged(rows)

    def run_moved(self, wanted: Sequence[Asked], starts: Mapping[str, Asked]) -> None:
        """Run those of the points that were not run yet, which were moved from others: ``starts``, by load.

        That variant and rival can be run at all is known from there, so they are not where both run the same
        program.  Half of the seeds or draws come first: where these, whose intervals are wider, surely say
        the verdict of the start, the others are not run.
        """
        cells = self._cells(wanted)
        if self.metric == ALWAYS_THERE:
            cells = self._without_alike(cells)
        half = (self.plan.seeds + 1) // 2
        if cells and half < self.plan.seeds:
            began = {name: _place_of(start) for name, start in starts.items()}
            rows = pd.concat(self._begun)
            few = self._judged(rows[rows["seed"] < self.plan.seed + half])
            for place, figure in self._judged(self._ran(cells, half)).items():
                start = began[place[0]]
                self._figures[place] = _beside(figure, few.get(start, NOTHING), self._figures[start])
            cells = [
                cell
                for cell in cells
                if self._figures[_place(cell)].verdict != self._figures[began[cell.load.scenario]].verdict
            ]
        if cells:
            self._figures |= self._judged(self._ran(cells, self.plan.seeds))

    def _cells(self, wanted: Sequence[Asked]) -> list[CellSpec]:
        """The cells of the points that were not asked for yet; they have no figure for now."""
        cells: list[CellSpec] = []
        for asked in wanted:
            if _place_of(asked) in self._figures:
                continue
            self._figures[_place_of(asked)] = NOTHING
            name, scenario, point, setting = asked
            try:
                load = make_load(name, scenario, point)
            except InputError:
                continue  # the range goes further than the model: there is no figure at that value
            axes = _axes(scenario, point, setting)
            cells += [_cell(variant, load, axes, setting) for variant in self.plan.variants]
        return cells

    def _ran(self, cells: Sequence[CellSpec], samples: int) -> pd.DataFrame:
        """The metric in the cells of some points, with so many of the plan's seeds or draws."""
        each = len(self.plan.variants)
        first, total = self._done, self._done + len(cells) // each

        def count(done: int, _of: int) -> None:
            if self._progress is not None:
                self._progress(first + done // each, total)

        plan = replace(self.plan, cells=tuple(cells), seeds=samples)
        values = run_plan(plan, self._jobs, count, self._stacks, self._store).values
        self._done = total
        self._samples |= dict.fromkeys(map(_place, cells), samples)
        return values[values["metric"] == self.metric]

    def _without_alike(self, cells: Sequence[CellSpec]) -> list[CellSpec]:
        """The cells of points, without the points where all of them have one program."""
        each = len(self.plan.variants)
        programs = programs_of(replace(self.plan, cells=tuple(cells)), self._stacks, self._store)
        left: list[CellSpec] = []
        for first in range(0, len(cells), each):
            point = cells[first : first + each]
            if "" not in programs[first : first + each] and len({*programs[first : first + each]}) == 1:
                self._figures[_place(point[0])] = ALIKE
            else:
                left += point
        return left

    def _judged(self, rows: pd.DataFrame) -> dict[Place, Figure]:
        """The figures of points; each is tested alone: it does not depend on which others were run."""
        rival = self.plan.baseline
        means: dict[Place, dict[str, float]] = {}
        cells = summarise(rows, rule=self._rule)
        for scenario, axes, variant, value in zip(
            *(cells[name].tolist() for name in ("scenario", "axes", "variant", "value")), strict=True
        ):
            means.setdefault((scenario, axes), {})[variant] = value
        figures = {
            place: replace(NOTHING, values=(both.get(self.variant, math.nan), both.get(rival, math.nan)))
            for place, both in means.items()
        }
        if rival not in set(rows["variant"]):
            return figures
        tests = compare_to(rows, rival, thresholds=self.plan.thresholds, rule=self._rule)
        for scenario, axes, verdict, ratio in zip(
            *(tests[name].tolist() for name in ("scenario", "axes", "verdict", "ratio")), strict=True
        ):
            values = figures[scenario, axes].values
            if not math.isnan(sum(values)):
                figures[scenario, axes] = Figure("", verdict, ratio, values)
        return figures


def _beside(figure: Figure, few: Figure, start: Figure) -> Figure:
    """A point's figure of fewer samples, as it differs from its start's of the same (``few``).

    So that what is shown beside the start's does not differ by which of the machine's figures were drawn.
    """

    def moved(one: float, by: float, from_: float) -> float:
        found = from_ * (one / by) if by else math.nan
        return found if math.isfinite(found) else one

    variant, rival = map(moved, figure.values, few.values, start.values)
    return replace(figure, ratio=moved(figure.ratio, few.ratio, start.ratio), values=(variant, rival))
