"""How near the model comes: a result per published number, and scores of groups of them."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby

import numpy as np
from scipy.stats import t as student

from spfvar.comparison.metrics import METRICS
from spfvar.scenario.published import KnownOff
from spfvar.validation.points import Cell, Point, Rows
from spfvar.validation.run import Figures, figures_of

#: A model within so much of what was published is near.
NEAR = 0.15
#: A published effect of less has no sign that a model could miss.
EFFECT = 0.05
COVERAGE = 0.95
#: Fewer draws say nothing of an interval.
FEWEST_DRAWS = 3


@dataclass(frozen=True, slots=True)
class Scored:
    """A published number, the model's, and the interval of that: by draws of the machine, or by seeds."""

    point: Point
    model: float
    low: float
    high: float
    by_draws: bool

    @property
    def log_error(self) -> float:
        """Logarithm of model / published."""
        return math.log(self.model / self.point.published)

    @property
    def is_near(self) -> bool:
        """Within `NEAR` of what was published."""
        return abs(self.model / self.point.published - 1.0) <= NEAR

    @property
    def has_sign(self) -> bool:
        """Is it a ratio of two designs with an effect beyond `EFFECT`?"""
        return self.point.kind == "ratio" and abs(self.point.published - 1.0) > EFFECT

    @property
    def sign_holds(self) -> bool:
        """Is the model's effect on the published side of 1, and more than the metric's noise?"""
        effect = self.model - 1.0 if self.point.published > 1.0 else 1.0 - self.model
        return effect > METRICS[self.point.b.metric].noise

    @property
    def is_inside(self) -> bool:
        """Is the published number within the interval?"""
        return self.low <= self.point.published <= self.high


def interval(draws: Sequence[float], discrepancy: float = 0.0) -> tuple[float, float]:
    """Where a published number would be with `COVERAGE`, for positive numbers whose logarithms are normal.

    The figures' part is of ``draws``: Student's t, for their mean and variance are their own.
    ``discrepancy`` is the standard deviation, of logarithms, of what a model with the right figures still is
    off.  NaN for too few.
    """
    if len(draws) < FEWEST_DRAWS:
        return math.nan, math.nan
    logs = np.log(draws)
    n = len(logs)
    spread = math.hypot(float(logs.std(ddof=1)) * math.sqrt(1.0 + 1.0 / n), discrepancy)
    reach = float(student.ppf(0.5 + COVERAGE / 2, n - 1)) * spread
    return math.exp(float(logs.mean()) - reach), math.exp(float(logs.mean()) + reach)


def score(rows: Rows, found: Mapping[Cell, Figures], left: Mapping[str, float]) -> list[Scored]:
    """Every point with the model's figure: a ratio of medians over seeds; in the order of the rows.

    ``left``: by file, what the fit of the machine left.  A ratio of two numbers has it twice.
    """
    scored = []
    for point in rows.points:
        both = figures_of(found, point.a, point.b)
        model = float(np.median(found[point.b].seeds))
        discrepancy = left.get(point.file, 0.0)
        if point.a is not None:
            model /= float(np.median(found[point.a].seeds))
            discrepancy *= math.sqrt(2.0)
        low, high = interval(both.draws.tolist(), discrepancy)
        by_draws = math.isfinite(low)
        if not by_draws:
            low, high = float(both.seeds.min()), float(both.seeds.max())
        scored.append(Scored(point, model, low, high, by_draws))
    return scored


def known_off(rows: Rows, scored: Iterable[Scored], patches: Mapping[str, list[str]]) -> list[KnownOff]:
    """Where ratios on a profile's own machine are not near, or have not the published sign.

    Neighbours among a curve's thread counts are one range.  ``patches``: the names of each design's.
    """
    curves: dict[tuple[object, ...], list[Scored]] = {}
    for one in scored:
        point = one.point
        if point.a is not None and point.kind == "ratio" and not rows.machine(point.file).relative:
            curves.setdefault((point.row, point.file, point.table, point.b.design), []).append(one)
    found = []
    for curve in curves.values():
        ordered = sorted(curve, key=lambda one: one.point.threads)
        for side, group in groupby(ordered, _off_side):
            if side == 0:
                continue
            there = list(group)
            point = there[0].point
            assert point.a is not None
            worst = max(there, key=lambda one: abs(one.log_error))
            found.append(KnownOff(
                row=point.row, profile=rows.machine(point.file).profile, load=point.b.load,
                settings=dict(point.b.settings), metric=point.b.metric, design=point.b.design,
                patches=patches.get(point.b.design, []), baseline=point.a.design,
                threads=(point.threads, there[-1].point.threads),
                off=round(worst.model / worst.point.published - 1.0, 2),
            ))  # fmt: skip
    return found


def _off_side(one: Scored) -> int:
    """1 or -1 for a number that the model is off, above or below it; or else 0."""
    is_off = not one.is_near or (one.has_sign and not one.sign_holds)
    return int(math.copysign(1, one.log_error)) if is_off else 0


@dataclass(frozen=True, slots=True)
class Score:
    """Of a group of results: how many, how many near, with the right sign, and inside the interval; rms.

    Rows that compare by sign only count there alone.  ``rms``: of logarithms of model / published; NaN: none.
    """

    title: str
    count: int
    near: int
    signs: int
    signs_right: int
    intervals: int
    inside: int
    rms: float


def score_of(title: str, results: Iterable[Scored]) -> Score:
    """The score of a group."""
    every = list(results)
    sized = [one for one in every if not one.point.sign_only]
    signed = [one for one in every if one.has_sign]
    drawn = [one for one in sized if one.by_draws]
    return Score(
        title,
        len(sized),
        sum(one.is_near for one in sized),
        len(signed),
        sum(one.sign_holds for one in signed),
        len(drawn),
        sum(one.is_inside for one in drawn),
        math.sqrt(float(np.mean([one.log_error**2 for one in sized]))) if sized else math.nan,
    )


_KINDS = {"ratio": "ratios", "scaling": "multiples of one thread", "rate": "rates"}


def scores(rows: Rows, results: Sequence[Scored]) -> list[Score]:
    """By fitted or not and by kind; then by machine.  Groups with nothing in them are left out."""
    groups: list[tuple[str, Callable[[Scored], bool]]] = []
    for fitted in (False, True):
        for kind, title in _KINDS.items():
            named = f"{title}, {'fitted' if fitted else 'not fitted'}"
            groups.append((named, _of(fitted, kind)))
    for name in dict.fromkeys(_machine(rows, one) for one in results):
        for fitted in (False, True):
            for kind, title in _KINDS.items():
                said = f"{name}: {title}, {'fitted' if fitted else 'not fitted'}"
                groups.append((said, _on(rows, name, fitted, kind)))
    made = (score_of(title, filter(wanted, results)) for title, wanted in groups)
    return [one for one in made if one.count or one.signs]


def _machine(rows: Rows, one: Scored) -> str:
    machine = rows.machine(one.point.file)
    return f"{one.point.file} (by {machine.profile})" if machine.relative else machine.profile


def _of(fitted: bool, kind: str) -> Callable[[Scored], bool]:
    return lambda one: one.point.fitted == fitted and one.point.kind == kind


def _on(rows: Rows, name: str, fitted: bool, kind: str) -> Callable[[Scored], bool]:
    return lambda one: _of(fitted, kind)(one) and _machine(rows, one) == name
