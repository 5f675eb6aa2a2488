"""Which assumption of a load would flip the verdict of one variant against another, and at what value.

Every axis of the scenario is moved alone, the others stay at their defaults: numbers within the range that
the scenario calls plausible, in halves (linear for shares, else logarithmic); choices one by one.  So is
where the members of structs lie (`LAYOUT`): as in kernels before and behind, and each on a line of its own.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass, field, replace

import pandas as pd

from spfvar.comparison.metrics import METRICS, lookup
from spfvar.comparison.stats import axes_key, compare_to, summarise
from spfvar.errors import InputError, unknown
from spfvar.matrix.catalogue import Catalogue
from spfvar.matrix.compare import rule_of
from spfvar.matrix.plan import DEFAULT_HARDWARE, CellSpec, Plan, Value, make_plan, spelled, spelled_value
from spfvar.matrix.run import run_plan
from spfvar.plugins.registry import Registry
from spfvar.plugins.variant import Stack, Stacks, Variant
from spfvar.render.units import ratio as ratio_text
from spfvar.scenario.hardware import Profile
from spfvar.scenario.load import make_load
from spfvar.scenario.schema import PAGE, Axis, Scenario
from spfvar.simulate.sharing import Line, written_lines
from spfvar.structs.lines import ALL, Memory
from spfvar.structs.shipped import layout_named, layouts

NOT_AVAILABLE, UNSURE = "n/a", "unsure"
#: No verdicts: what has one of these neither keeps another nor flips it.
OPEN = (NOT_AVAILABLE, UNSURE, "likely better", "likely WORSE")
#: Without a range in the scenario, a number is moved by this factor either way.
FACTOR = 10
#: A default run takes the largest of the scenario's thread counts that is at most this.
CHEAP_THREADS = 16
#: The axis that every load has beside its own (no scenario can call one so), and values of it.
LAYOUT = "struct layout"
#: What the axes of cost classes that variants bring begin with.
COST = "cost "
OWN = "each kernel's own"
EVERY_APART = "every member apart"
APART = " apart"

Point = dict[str, Value]
Progress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class Figure:
    """What came out with an axis at a value (as a user would write it): variant / rival and the verdict.

    ``values`` are the metric's means of variant and rival.  A point that cannot be run has the verdict "n/a",
    and NaN.
    """

    value: Value
    verdict: str
    ratio: float
    values: tuple[float, float]


@dataclass(frozen=True, slots=True)
class Flip:
    """Between two values the verdict becomes another; ``keeps`` is the one on the default's side.

    Values between them may have been tried and left unsure.
    """

    keeps: Figure
    flips: Figure


@dataclass(frozen=True, slots=True)
class Sensitivity:
    """One axis of one load: the verdict at its default, and where it flips.

    ``flips`` holds the nearest flip found below the default, and the nearest above; for a choice, each choice
    with another verdict.  None: no value in ``tried`` surely has another verdict, or the default has none
    that could flip.  ``tried`` holds all values that were run, in order, the ends of the range among them.
    ``runs`` counts simulated runs, without those of the default, which the load's axes share.  ``threads``
    are those of all these runs.
    """

    scenario: str
    variant: str
    rival: str
    metric: str
    axis: str
    doc: str
    default: Figure
    flips: tuple[Flip, ...]
    tried: tuple[Figure, ...]
    runs: int
    threads: int

    @property
    def is_steady(self) -> bool:
        """Has every value that could be run surely the verdict of the default?"""
        verdicts = {figure.verdict for figure in self.tried} - {NOT_AVAILABLE}
        return len(verdicts) == 1 and self.default.verdict not in OPEN

    @property
    def low(self) -> Figure:
        """The lowest value that was run; of a choice, the first."""
        return self.tried[0]

    @property
    def high(self) -> Figure:
        """The highest value that was run; of a choice, the last."""
        return self.tried[-1]


def find_flips(
    registry: Registry,
    scenarios: Catalogue[Scenario],
    profiles: Catalogue[Profile],
    *,
    variant: str,
    rival: str,
    names: Sequence[str],
    threads: int | None = None,
    axes: Sequence[str] = (),
    hardware: str = DEFAULT_HARDWARE,
    metric: str = "faults_per_s",
    seeds: int = 6,
    seed: int = 1,
    draws: int = 0,
    halvings: int = 4,
    jobs: int | None = None,
    progress: Progress | None = None,
) -> tuple[Sensitivity, ...]:
    """Each axis (``axes``; none: all but threads, which tables show) of each scenario in ``names``, in order.

    `LAYOUT` is the last axis of each but for the cost classes that variants bring.

    With ``draws`` of the machine's figures instead of ``seeds`` verdicts are those of draws.
    ``threads``: the count that the other axes are looked at with (default: the largest of the scenario's own
    that is at most `CHEAP_THREADS`).  A side of an axis takes two points, and ``halvings`` more if there is a
    flip.  ``progress`` is called with the points run, and known of, so far.  The result does not depend on
    ``jobs``.  Raises InputError for names that do not exist.
    """
    lookup(metric, METRICS)
    plan = make_plan(
        registry, scenarios, profiles, variants=[variant, rival], baseline=rival, patterns=names,
        hardware=hardware, seeds=seeds, seed=seed, draws=draws,
    )  # fmt: skip
    runner = _Runner(plan, variant, metric, jobs, progress)
    costs = list(dict.fromkeys(f"{COST}{name}" for one in plan.variants for name in one.costs))
    moved = []
    for name in plan.scenario_hashes:
        scenario = scenarios[name]
        default = _default_point(scenario, threads, plan.profile)
        chosen = [axis for axis in scenario.axes if axis in axes or (not axes and axis != "threads")]
        moved += [_Moved(runner, name, scenario, axis, default) for axis in chosen]
        if not axes or LAYOUT in axes:
            moved.append(_MovedLayout(runner, name, scenario, LAYOUT, default))
        moved += [
            _MovedCost(runner, name, scenario, cost, default) for cost in costs if not axes or cost in axes
        ]
    for axis in axes:
        if axis not in {one.axis_name for one in moved}:
            raise unknown(
                "axis",
                axis,
                {LAYOUT, *costs, *(known for name in plan.scenario_hashes for known in scenarios[name].axes)},
            )
    runner.run([one.point(one.start) for one in moved])
    _drive(runner, [(one, side) for one in moved for side in one.sides(halvings)])
    return tuple(one.result(variant, rival) for one in moved)


def _default_point(scenario: Scenario, threads: int | None, profile: Profile) -> Point:
    """Every axis at its first value, threads at a count that is cheap to run."""
    point = {name: axis.parse(axis.values[0]) for name, axis in scenario.axes.items()}
    counts = [int(count) for count in scenario.axes["threads"].values]
    fitting = [count for count in counts if count <= min(CHEAP_THREADS, profile.cpus)]
    point["threads"] = threads or max(fitting, default=min(counts))
    return point


# --- the search ----------------------------------------------------------------------------------

#: Asks for some values of an axis, is sent the figures there, and returns the flips that it found.
_Side = Generator[list[Value], list[Figure], list[Flip]]


def _drive(runner: _Runner, sides: Sequence[tuple[_Moved, _Side]]) -> None:
    """Run all searches together, so that what they ask for next runs side by side."""
    asking = []
    for moved, side in sides:
        asking.append((moved, side, next(side)))
    while asking:
        runner.run([moved.point(value) for moved, _, values in asking for value in values])
        still = []
        for moved, side, values in asking:
            try:
                still.append((moved, side, side.send([moved.figure(value) for value in values])))
            except StopIteration as stop:
                moved.flips += stop.value
        asking = still


def _along(
    start: Value, end: Value, first: Figure, middle: Callable[[Value, Value], Value | None], halvings: int
) -> _Side:
    """Look from ``start`` towards ``end`` for another verdict, then halve; ``middle``: None if nothing is."""
    half = middle(start, end)
    tried = [value for value in (half, end) if value is not None]
    keeps, flips, low, high = first, None, start, start
    for value, figure in zip(tried, (yield tried), strict=True):
        if _differ(figure, first):
            flips, high = figure, value
            break
        keeps, low = _kept(keeps, figure), value
    if flips is None:
        return []
    for _ in range(halvings):
        half = middle(low, high)
        if half is None:
            break
        (figure,) = yield [half]
        if _differ(figure, first):
            flips, high = figure, half
        else:
            keeps, low = _kept(keeps, figure), half
    return [Flip(keeps, flips)]


def _each_choice(choices: list[Value], first: Figure) -> _Side:
    """Try every other choice."""
    figures = yield choices
    return [Flip(first, figure) for figure in figures if _differ(figure, first)]


def _differ(one: Figure, other: Figure) -> bool:
    """Do both have a verdict, and not the same?"""
    return not {one.verdict, other.verdict} & set(OPEN) and one.verdict != other.verdict


def _kept(before: Figure, figure: Figure) -> Figure:
    """The last figure that surely has the default's verdict."""
    return before if figure.verdict in OPEN else figure


@dataclass(slots=True)
class _Moved:
    """One axis of one scenario, moved while the others stay at their defaults."""

    runner: _Runner
    scenario_name: str
    scenario: Scenario
    axis_name: str
    default: Point
    flips: list[Flip] = field(default_factory=list)
    _values: dict[Value, None] = field(default_factory=dict)

    @property
    def axis(self) -> Axis:
        """The axis."""
        return self.scenario.axes[self.axis_name]

    @property
    def start(self) -> Value:
        """Its default."""
        return self.default[self.axis_name]

    @property
    def is_choice(self) -> bool:
        """Are its values words?"""
        return self.axis.unit == "choice"

    @property
    def doc(self) -> str:
        """What it means."""
        return self.axis.doc

    def point(self, value: Value) -> _Asked:
        """What to run for a value."""
        self._values[value] = None
        return self.scenario_name, self.scenario, {**self.default, self.axis_name: value}, OWN

    def figure(self, value: Value) -> Figure:
        """What a value gave."""
        found = self.runner.found(self.point(value))
        return replace(found, value=spelled_value(self.axis.unit, value))

    def sides(self, halvings: int) -> list[_Side]:
        """The searches to make, none if the default has no verdict."""
        first = self.figure(self.start)
        if first.verdict in OPEN:
            return []
        if self.is_choice:
            others = [choice for choice in self.axis.choices if choice != self.start]
            return [_each_choice(list(others), first)] if others else []
        ends = [end for end in self._range() if end != self.start]
        return [_along(self.start, end, first, self._middle, halvings) for end in ends]

    def _range(self) -> tuple[Value, Value]:
        """Lowest and highest value: as the scenario says, or by what the unit allows."""
        axis, start = self.axis, float(self.start)
        if axis.range is not None:
            low, high = (axis.parse(value) for value in axis.range)
            return (min(low, self.start, key=float), max(high, self.start, key=float))
        if axis.unit == "share":
            return 0.0, 1.0
        if self.axis_name == "threads":
            return 1, max(self.runner.plan.profile.cpus, int(start))
        if start == 0:
            return self.start, self.start
        return self._rounded(start / FACTOR), self._rounded(start * FACTOR)

    def _middle(self, low: Value, high: Value) -> Value | None:
        """A value in the middle that a person would choose; None if there is none strictly between."""
        ends = sorted((float(low), float(high)))
        linear = self.axis.unit == "share" or ends[0] <= 0
        value = self._rounded(sum(ends) / 2 if linear else math.sqrt(ends[0] * ends[1]))
        return value if ends[0] < float(value) < ends[1] else None

    def _rounded(self, value: float) -> Value:
        """Whole counts, sizes of a power of two pages, two digits of a time, three decimals of a share."""
        if self.axis.unit == "size":
            return PAGE << max(0, round(math.log2(value / PAGE)))
        if self.axis.unit == "count":
            return max(1, round(value))
        return float(f"{value:.2g}") if self.axis.unit == "duration" else round(value, 3)

    def result(self, variant: str, rival: str) -> Sensitivity:
        """What was found; call it when all has been run."""
        order = self._values if self.is_choice else sorted(self._values, key=float)
        metric = self.runner.metric
        runs = len(self.runner.plan.variants) * self.runner.plan.seeds * (len(self._values) - 1)
        return Sensitivity(
            self.scenario_name, variant, rival, metric, self.axis_name, self.doc,
            self.figure(self.start), tuple(self.flips), tuple(self.figure(value) for value in order), runs,
            int(self.default["threads"]),
        )  # fmt: skip


class _MovedCost(_Moved):
    """A cost class that variants bring, while the load stays as it is."""

    @property
    def axis(self) -> Axis:
        """As a scenario would have it; it says no range."""
        name = self.axis_name.removeprefix(COST)
        doc = f"what the variants' own cost class {name} takes"
        return Axis.model_construct(doc=doc, unit="duration", values=[self.start], range=None)

    @property
    def start(self) -> Value:
        """What the first variant says that has it, in nanoseconds."""
        name = self.axis_name.removeprefix(COST)
        return next(one.costs[name] for one in self.runner.plan.variants if name in one.costs)

    def point(self, value: Value) -> _Asked:
        """What to run for a value."""
        self._values[value] = None
        setting = OWN if value == self.start else (self.axis_name.removeprefix(COST), float(value))
        return self.scenario_name, self.scenario, self.default, setting


class _MovedLayout(_Moved):
    """Where the members of structs lie, while the load stays as it is."""

    @property
    def is_choice(self) -> bool:
        """Its values are names."""
        return True

    @property
    def doc(self) -> str:
        """What it means."""
        return "which members of structs share a cache line"

    @property
    def start(self) -> Value:
        """As each variant's kernel has it."""
        return OWN

    def point(self, value: Value) -> _Asked:
        """What to run with a layout."""
        self._values[value] = None
        return self.scenario_name, self.scenario, self.default, str(value)

    def figure(self, value: Value) -> Figure:
        """What a layout gave."""
        return replace(self.runner.found(self.point(value)), value=value)

    def sides(self, halvings: int) -> list[_Side]:
        """One search, unless no layout would make a difference."""
        first = self.figure(OWN)
        own = self._lines(OWN)
        if first.verdict == NOT_AVAILABLE or not own:
            return []
        choices = [name for name in _neighbours(self.runner.plan.variants) if self._lines(name) != own]
        if any(own.values()):
            choices.append(EVERY_APART)
        return [self._search(first, choices)] if choices else []

    def _search(self, first: Figure, choices: Sequence[Value]) -> _Side:
        """If the verdict depends on what shares a line, which member is it?"""
        figures = yield list(choices)
        flips = [Flip(first, figure) for figure in figures if _differ(figure, first)]
        if EVERY_APART not in [flip.flips.value for flip in flips]:
            return flips
        lines = self._lines(OWN).values()
        members = sorted({name for found in lines for line in found for name in line if _can_move(name)})
        alone = yield [f"{name}{APART}" for name in members]
        found = [Flip(first, figure) for figure in alone if _differ(figure, first)]
        return [*(flip for flip in flips if flip.flips.value != EVERY_APART or not found), *found]

    def _lines(self, layout: str) -> dict[str, frozenset[Line]]:
        """By variant, which members disturb each other; empty if a variant cannot be run."""
        name, scenario, point, _ = self.point(OWN)
        return self.runner.lines(name, scenario, point, layout)


def _can_move(member: str) -> bool:
    """A rwsem's owner stays with its count."""
    return not member.endswith(".owner")


def _neighbours(variants: Sequence[Variant]) -> list[str]:
    """The layouts of the variants, and those before and behind each, the oldest first."""
    names = list(layouts())
    places = {names.index(variant.memory.name) + step for variant in variants for step in (-1, 0, 1)}
    return [name for place, name in enumerate(names) if place in places]


def _costs(variant: Variant, setting: _Setting) -> dict[str, float]:
    """A variant's own cost classes, one of them at another value."""
    name, value = setting if isinstance(setting, tuple) else ("", 0.0)
    return variant.costs | ({name: value} if name in variant.costs else {})


def _memory(variant: Variant, layout: _Setting) -> Memory:
    """A variant's structs under a value of `LAYOUT`."""
    own = variant.memory
    if layout == OWN or isinstance(layout, tuple):
        return own
    if layout == EVERY_APART:
        return replace(own, apart=frozenset({ALL}))
    if layout.endswith(APART):
        return replace(own, apart=own.apart | {layout.removesuffix(APART)})
    return Memory(layout, layout_named(layout))


# --- running -------------------------------------------------------------------------------------

#: A scenario, where on its axes, and what of the variants is moved.
_Asked = tuple[str, Scenario, Point, "_Setting"]
#: `OWN`, a value of `LAYOUT`, or a cost class and its nanoseconds.
_Setting = str | tuple[str, float]
_NOTHING = Figure("", NOT_AVAILABLE, math.nan, (math.nan, math.nan))


def _axes(scenario: Scenario, point: Point, setting: _Setting) -> Point:
    """A point as tables spell it, with the layout or cost class that was moved."""
    if isinstance(setting, tuple):
        name, value = setting
        return spelled(scenario, point) | {f"{COST}{name}": value}
    return spelled(scenario, point) | ({} if setting == OWN else {LAYOUT: setting})


class _Runner:
    """Runs points side by side, each once."""

    def __init__(
        self, plan: Plan, variant: str, metric: str, jobs: int | None, progress: Progress | None
    ) -> None:
        self.plan = plan
        self.metric = metric
        self._variant = variant
        self._jobs = jobs
        self._progress = progress
        self._done = 0
        self._rule = rule_of(plan.ensemble)
        self._stacks: Stacks = {}
        self._figures: dict[tuple[str, str], Figure] = {}

    def found(self, asked: _Asked) -> Figure:
        """What a point gave, without its value."""
        name, scenario, point, setting = asked
        return self._figures[name, axes_key(_axes(scenario, point, setting))]

    def lines(self, name: str, scenario: Scenario, point: Point, layout: str) -> dict[str, frozenset[Line]]:
        """By variant, the lines of a load that are shared and written; empty if one cannot be run."""
        found = {}
        for variant in self.plan.variants:
            stack = self._stacks.get(variant.name)
            if not isinstance(stack, Stack):
                return {}
            load = make_load(name, scenario, point)
            found[variant.name] = written_lines(load, stack, _memory(variant, layout))
        return found

    def run(self, wanted: Sequence[_Asked]) -> None:
        """Run those of the points that were not run yet."""
        cells: list[CellSpec] = []
        for name, scenario, point, setting in wanted:
            axes = _axes(scenario, point, setting)
            if (name, axes_key(axes)) in self._figures:
                continue
            self._figures[name, axes_key(axes)] = _NOTHING
            try:
                load = make_load(name, scenario, point)
            except InputError:
                continue  # the range goes further than the model: there is no figure at that value
            cells += [
                CellSpec(v, load, axes, _memory(v, setting), _costs(v, setting)) for v in self.plan.variants
            ]
        if not cells:
            return
        each = len(self.plan.variants)
        first, total = self._done, self._done + len(cells) // each

        def count(done: int, _of: int) -> None:
            if self._progress is not None:
                self._progress(first + done // each, total)

        samples = run_plan(replace(self.plan, cells=tuple(cells)), self._jobs, count, self._stacks).values
        self._done = total
        of_metric = samples[samples["metric"] == self.metric]
        for (scenario_name, key), rows in of_metric.groupby(["scenario", "axes"], sort=False):
            self._figures[str(scenario_name), str(key)] = self._figure(rows)

    def _figure(self, rows: pd.DataFrame) -> Figure:
        """The verdict at one point, tested alone: it does not depend on which other points were run."""
        rival = self.plan.baseline
        cells = summarise(rows, rule=self._rule)
        means = dict(zip(cells["variant"], cells["value"], strict=True))
        values = float(means.get(self._variant, math.nan)), float(means.get(rival, math.nan))
        if math.isnan(sum(values)):
            return replace(_NOTHING, values=values)
        row = compare_to(rows, rival, thresholds=self.plan.thresholds, rule=self._rule).iloc[0]
        return Figure("", str(row["verdict"]), float(row["ratio"]), values)


# --- in words ------------------------------------------------------------------------------------


def sentence(found: Sensitivity) -> str:
    """One axis in words, e.g. "hit_rate: better at 1 (x1.99); same (x1.01) at 0.97, still better at 0.98"."""
    first = found.default
    if first.verdict == NOT_AVAILABLE:
        return f"{found.axis}: no figure at {_shown(first)}"
    start = f"{found.axis}: {first.verdict} at {_shown(first)} ({ratio_text(first.ratio)})"
    if first.verdict in OPEN:
        return f"{start}: no verdict that could flip"
    if found.flips:
        return "; ".join([start, *(_flip_text(found, flip) for flip in found.flips)])
    others = [figure for figure in found.tried if figure != first]
    kept, unsure = (
        [_shown(figure) for figure in others if figure.verdict in verdicts]
        for verdicts in ((first.verdict,), OPEN[1:])
    )
    return f"{start}, and so at {_listed(kept)}" + (f"; unsure at {_listed(unsure)}" if unsure else "")


def _flip_text(found: Sensitivity, flip: Flip) -> str:
    verdict = f"{flip.flips.verdict} ({ratio_text(flip.flips.ratio)}) at {_shown(flip.flips)}"
    if flip.keeps == found.default:
        return verdict
    return f"{verdict}, still {flip.keeps.verdict} at {_shown(flip.keeps)}"


def _shown(figure: Figure) -> str:
    return f"{figure.value:g}" if isinstance(figure.value, float) else str(figure.value)


def _listed(values: Sequence[str]) -> str:
    return (
        " and ".join([", ".join(values[:-1]), values[-1]] if len(values) > 1 else values) or "no other value"
    )
