"""Which assumption of a load would flip the verdict of one variant against another, and at what value.

Every axis of the scenario is moved alone, the others stay at their defaults: numbers within the range that
the scenario calls plausible, in halves (linear for shares, else logarithmic); choices one by one.  So is
where the members of structs lie (`LAYOUT`): as in kernels before and behind, and each on a line of its own.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass, field, replace

from spfvar.comparison.metrics import METRICS, lookup
from spfvar.errors import unknown
from spfvar.matrix.catalogue import Catalogue
from spfvar.matrix.plan import DEFAULT_HARDWARE, Value, make_plan, spelled_value
from spfvar.plugins.registry import Registry
from spfvar.plugins.variant import Variant
from spfvar.render.units import ratio as ratio_text
from spfvar.review.points import (
    APART,
    COST,
    EVERY_APART,
    LAYOUT,
    NOT_AVAILABLE,
    OWN,
    UNSURE,
    Asked,
    Figure,
    Point,
    Progress,
    Runner,
)
from spfvar.scenario.hardware import Profile
from spfvar.scenario.schema import PAGE, Axis, Scenario
from spfvar.simulate.sharing import Line
from spfvar.store.database import Store, shared
from spfvar.structs.shipped import layouts

#: No verdicts: what has one of these neither keeps another nor flips it.
OPEN = (NOT_AVAILABLE, UNSURE, "likely better", "likely WORSE")
#: Without a range in the scenario, a number is moved by this factor either way.
FACTOR = 10
#: A default run takes the largest of the scenario's thread counts that is at most this.
CHEAP_THREADS = 16


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
    ``runs`` counts simulated runs, without those of the default, which the load's axes share: none where both
    run the same program.  ``threads`` are those of all these runs.
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
    store: Store | None = None,
) -> tuple[Sensitivity, ...]:
    """Each axis (``axes``; none: all but threads, which tables show) of each scenario in ``names``, in order.

    `LAYOUT` is the last axis of each but for the cost classes that variants bring.

    With ``draws`` of the machine's figures instead of ``seeds`` verdicts are those of draws.
    ``threads``: the count that the other axes are looked at with (default: the largest of the scenario's own
    that is at most `CHEAP_THREADS`).  A side of an axis takes two points, and ``halvings`` more if there is a
    flip.  ``progress`` is called with the points run, and known of, so far.  The result does not depend on
    ``jobs``.  Runs that the ``store`` has are taken from it, the others are kept there.  Where half of the
    seeds or draws surely say the verdict of the default, a value has no more of them (`Runner.run_moved`).
    Raises InputError for names that do not exist.
    """
    lookup(metric, METRICS)
    plan = make_plan(
        registry, scenarios, profiles, variants=[variant, rival], baseline=rival, patterns=names,
        hardware=hardware, seeds=seeds, seed=seed, draws=draws,
    )  # fmt: skip
    with shared(store) as runs:
        return _found(
            Runner(plan, variant, metric, jobs, progress, runs), scenarios, rival, threads, axes, halvings
        )


def _found(
    runner: Runner, scenarios: Catalogue[Scenario], rival: str, threads: int | None, axes: Sequence[str],
    halvings: int,
) -> tuple[Sensitivity, ...]:  # fmt: skip
    plan = runner.plan
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
    return tuple(one.result(rival) for one in moved)


def _default_point(scenario: Scenario, threads: int | None, profile: Profile) -> Point:
    """Every axis at its first value, threads at a count that is cheap to run; in the order of comparisons."""
    first = {name: axis.parse(axis.values[0]) for name, axis in scenario.axes.items()}
    point = {name: value for name, value in first.items() if name != "threads"}
    counts = [int(count) for count in scenario.axes["threads"].values]
    fitting = [count for count in counts if count <= min(CHEAP_THREADS, profile.cpus)]
    point["threads"] = threads or max(fitting, default=min(counts))
    return point


# --- the search ----------------------------------------------------------------------------------

#: Asks for some values of an axis, is sent the figures there, and returns the flips that it found.
_Side = Generator[list[Value], list[Figure], list[Flip]]


def _drive(runner: Runner, sides: Sequence[tuple[_Moved, _Side]]) -> None:
    """Run all searches together, so that what they ask for next runs side by side."""
    starts = {moved.scenario_name: moved.point(moved.start) for moved, _ in sides}
    asking = []
    for moved, side in sides:
        asking.append((moved, side, next(side)))
    while asking:
        runner.run_moved([moved.point(value) for moved, _, values in asking for value in values], starts)
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

    runner: Runner
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

    def point(self, value: Value) -> Asked:
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

    def result(self, rival: str) -> Sensitivity:
        """What was found; call it when all has been run."""
        order = self._values if self.is_choice else sorted(self._values, key=float)
        metric = self.runner.metric
        runs = sum(self.runner.runs(self.point(value)) for value in order if value != self.start)
        return Sensitivity(
            self.scenario_name, self.runner.variant, rival, metric, self.axis_name, self.doc,
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

    def point(self, value: Value) -> Asked:
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

    def point(self, value: Value) -> Asked:
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
        if first.verdict in OPEN or not own:
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
