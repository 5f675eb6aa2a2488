"""Which assumption of a load would flip the verdict of one variant against another, and at what value.

Every axis of the scenario is moved alone, the others stay at their defaults: numbers within the range that
the scenario calls plausible, in halves (linear for shares, else logarithmic); choices one by one.
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
from spfvar.matrix.plan import DEFAULT_HARDWARE, CellSpec, Plan, Value, make_plan, spelled, spelled_value
from spfvar.matrix.run import run_plan
from spfvar.plugins.registry import Registry
from spfvar.plugins.variant import Stacks
from spfvar.report.units import ratio as ratio_text
from spfvar.scenario.hardware import Profile
from spfvar.scenario.load import make_load
from spfvar.scenario.schema import PAGE, Axis, Scenario

NOT_AVAILABLE = "n/a"
#: Without a range in the scenario, a number is moved by this factor either way.
FACTOR = 10
#: A default run takes the largest of the scenario's thread counts that is at most this.
CHEAP_THREADS = 16

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
    """Between two values the verdict becomes another; ``keeps`` is the one on the default's side."""

    keeps: Figure
    flips: Figure


@dataclass(frozen=True, slots=True)
class Sensitivity:
    """One axis of one load: the verdict at its default, and where it flips.

    ``flips`` holds the nearest flip found below the default, and the nearest above; for a choice, each choice
    with another verdict.  None: the verdict is the same at every value in ``tried``, which holds all values
    that were run, in order, the ends of the range among them.  ``runs`` counts simulated runs, without those
    of the default, which the load's axes share.  ``threads`` are those of all these runs.
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
    seeds: int = 3,
    seed: int = 1,
    halvings: int = 4,
    jobs: int | None = None,
    progress: Progress | None = None,
) -> tuple[Sensitivity, ...]:
    """Each axis (``axes``; none: all but threads, which tables show) of each scenario in ``names``, in order.

    ``threads``: the count that the other axes are looked at with (default: the largest of the scenario's own
    that is at most `CHEAP_THREADS`).  A side of an axis takes two points, and ``halvings`` more if there is a
    flip.  ``progress`` is called with the points run, and known of, so far.  The result does not depend on
    ``jobs``.  Raises InputError for names that do not exist.
    """
    lookup(metric, METRICS)
    plan = make_plan(
        registry, scenarios, profiles, variants=[variant, rival], baseline=rival, patterns=names,
        hardware=hardware, seeds=seeds, seed=seed,
    )  # fmt: skip
    runner = _Runner(plan, variant, metric, jobs, progress)
    moved = []
    for name in plan.scenario_hashes:
        scenario = scenarios[name]
        default = _default_point(scenario, threads, plan.profile)
        chosen = [axis for axis in scenario.axes if axis in axes or (not axes and axis != "threads")]
        moved += [_Moved(runner, name, scenario, axis, default) for axis in chosen]
    for axis in axes:
        if axis not in {one.axis_name for one in moved}:
            raise unknown(
                "axis", axis, {known for name in plan.scenario_hashes for known in scenarios[name].axes}
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
        keeps, low = figure, value
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
            keeps, low = figure, half
    return [Flip(keeps, flips)]


def _each_choice(choices: list[Value], first: Figure) -> _Side:
    """Try every other choice."""
    figures = yield choices
    return [Flip(first, figure) for figure in figures if _differ(figure, first)]


def _differ(one: Figure, other: Figure) -> bool:
    """Do both have a verdict, and not the same?"""
    return NOT_AVAILABLE not in (one.verdict, other.verdict) and one.verdict != other.verdict


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

    def point(self, value: Value) -> _Asked:
        """What to run for a value."""
        self._values[value] = None
        return self.scenario_name, self.scenario, {**self.default, self.axis_name: value}

    def figure(self, value: Value) -> Figure:
        """What a value gave."""
        found = self.runner.found(self.point(value))
        return replace(found, value=spelled_value(self.axis.unit, value))

    def sides(self, halvings: int) -> list[_Side]:
        """The searches to make, none if the default cannot be run."""
        first = self.figure(self.start)
        if first.verdict == NOT_AVAILABLE:
            return []
        if self.axis.unit == "choice":
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
        order = self._values if self.axis.unit == "choice" else sorted(self._values, key=float)
        metric = self.runner.metric
        runs = len(self.runner.plan.variants) * self.runner.plan.seeds * (len(self._values) - 1)
        return Sensitivity(
            self.scenario_name, variant, rival, metric, self.axis_name, self.axis.doc,
            self.figure(self.start), tuple(self.flips), tuple(self.figure(value) for value in order), runs,
            int(self.default["threads"]),
        )  # fmt: skip


# --- running -------------------------------------------------------------------------------------

_Asked = tuple[str, Scenario, Point]
_NOTHING = Figure("", NOT_AVAILABLE, math.nan, (math.nan, math.nan))


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
        self._stacks: Stacks = {}
        self._figures: dict[tuple[str, str], Figure] = {}

    def found(self, asked: _Asked) -> Figure:
        """What a point gave, without its value."""
        name, scenario, point = asked
        return self._figures[name, axes_key(spelled(scenario, point))]

    def run(self, wanted: Sequence[_Asked]) -> None:
        """Run those of the points that were not run yet."""
        cells: list[CellSpec] = []
        for name, scenario, point in wanted:
            axes = spelled(scenario, point)
            if (name, axes_key(axes)) in self._figures:
                continue
            self._figures[name, axes_key(axes)] = _NOTHING
            try:
                load = make_load(name, scenario, point)
            except InputError:
                continue  # the range goes further than the model: there is no figure at that value
            cells += [CellSpec(variant, load, axes) for variant in self.plan.variants]
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
        cells = summarise(rows)
        means = dict(zip(cells["variant"], cells["value"], strict=True))
        values = float(means.get(self._variant, math.nan)), float(means.get(rival, math.nan))
        if math.isnan(sum(values)):
            return replace(_NOTHING, values=values)
        row = compare_to(rows, rival).iloc[0]
        return Figure("", str(row["verdict"]), float(row["ratio"]), values)


# --- in words ------------------------------------------------------------------------------------


def sentence(found: Sensitivity) -> str:
    """One axis in words, e.g. "hit_rate: better at 1 (x1.99); same (x1.01) at 0.97, still better at 0.98"."""
    first = found.default
    if first.verdict == NOT_AVAILABLE:
        return f"{found.axis}: no figure at {_shown(first)}"
    start = f"{found.axis}: {first.verdict} at {_shown(first)} ({ratio_text(first.ratio)})"
    if not found.flips:
        values = [figure for figure in found.tried if figure.verdict != NOT_AVAILABLE]
        return f"{start}, and so at {_listed([_shown(figure) for figure in values if figure != first])}"
    return "; ".join([start, *(_flip_text(found, flip) for flip in found.flips)])


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
