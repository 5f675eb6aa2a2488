"""Intervals cover what they promise; near, sign and rms are what their names say."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spfvar.scenario.published import MeasuredOn, Published
from spfvar.validation.points import Cell, Kind, Point, Rows
from spfvar.validation.scores import FEWEST_DRAWS, Scored, interval, known_off, score_of


def scored(published: float, model: float, low: float = 0.0, high: float = 9.0, **given: object) -> Scored:
    """A result of a made-up ratio."""
    kind: Kind = given.get("kind", "ratio")  # type: ignore[assignment]
    cell = Cell("f", "pft", (), "faults_per_s", 4, "b")
    point = Point("X", kind, "f", 0, cell, cell, published, False, bool(given.get("sign_only")))
    return Scored(point, model, low, high, bool(given.get("by_draws", True)))


@pytest.mark.parametrize("n", [4, 12, 24])
@pytest.mark.parametrize("discrepancy", [0.0, 0.3])
def test_an_interval_covers_the_next_number_95_times_in_100(n: int, discrepancy: float) -> None:
    """Of 4000 ensembles of n draws; the standard error of a share of 0.95 is 0.0035.

    With a discrepancy Student's factor is for both parts, so few draws cover more than that.
    """
    rng = np.random.default_rng(n)
    truth = rng.normal(0.5, math.hypot(0.2, discrepancy), 4000)
    covered = 0
    for number in truth:
        low, high = interval(np.exp(rng.normal(0.5, 0.2, n)).tolist(), discrepancy)
        covered += low <= math.exp(number) <= high
    assert covered / 4000 >= 0.935
    assert discrepancy or covered / 4000 <= 0.965


@given(st.lists(st.floats(0.01, 100), min_size=FEWEST_DRAWS, max_size=30), st.floats(0, 1))
def test_an_interval_scales_with_its_draws(draws: list[float], discrepancy: float) -> None:
    """Twice the draws, twice the ends: only ratios matter; the mean of the logarithms is inside."""
    low, high = interval(draws, discrepancy)
    again = interval([2 * draw for draw in draws], discrepancy)
    assert again == pytest.approx((2 * low, 2 * high))
    assert low <= math.exp(np.mean(np.log(draws))) * (1 + 1e-9)
    assert high >= math.exp(np.mean(np.log(draws))) * (1 - 1e-9)


def test_too_few_draws_have_no_interval() -> None:
    assert math.isnan(interval([1.0] * (FEWEST_DRAWS - 1))[0])


@pytest.mark.parametrize(
    ("published", "model", "near", "has_sign", "holds"),
    [
        (2.0, 2.29, True, True, True),
        (2.0, 2.31, False, True, True),
        (0.8, 1.2, False, True, False),
        (1.2, 1.005, False, True, False),  # within the metric's noise of 1 %: no effect
        (1.04, 0.97, True, False, False),  # too small an effect to have a sign
    ],
)
def test_near_and_sign(published: float, model: float, near: bool, has_sign: bool, holds: bool) -> None:
    one = scored(published, model)
    assert (one.is_near, one.has_sign) == (near, has_sign)
    assert not has_sign or one.sign_holds == holds


def test_a_multiple_of_one_thread_has_no_sign() -> None:
    """It says nothing of two designs."""
    assert not scored(5.0, 0.5, kind="scaling").has_sign


def test_a_score_counts() -> None:
    """Errors of ln 2 and 0: rms ln 2 / sqrt 2.  A row that compares by its sign counts there alone."""
    results = [
        scored(1.0, 2.0, 0.5, 3.0),
        scored(2.0, 2.0, 3.0, 4.0),
        scored(0.5, 5.0, sign_only=True),
    ]
    one = score_of("t", results)
    assert (one.count, one.near, one.signs, one.signs_right) == (2, 1, 2, 1)
    assert (one.intervals, one.inside) == (2, 1)
    assert one.rms == pytest.approx(math.log(2.0) / math.sqrt(2.0))
    assert math.isnan(score_of("none", []).rms)


@pytest.mark.parametrize(
    ("model", "ranges"),
    [
        # Published is 2.0 at every count: near is 1.7 to 2.3.
        ([2.0, 2.28, 1.72, 2.2], []),
        ([2.0, 2.4, 2.6, 2.0], [(4, 8, 0.3)]),
        ([2.4, 2.0, 1.4, 2.0], [(1, 1, 0.2), (8, 8, -0.3)]),
        ([2.0, 2.0, 1.4, 2.6], [(8, 8, -0.3), (16, 16, 0.3)]),  # above and below are two
    ],
)
@pytest.mark.parametrize("relative", [False, True])
def test_neighbours_that_are_off_on_one_side_are_a_range_of_the_machines_own(
    model: list[float], ranges: list[tuple[int, int, float]], relative: bool
) -> None:
    """Numbers of another machine by a relative's profile are of no cell that a comparison has."""
    machine = MeasuredOn(title="a machine", profile="box", relative=relative)
    file = Published.model_construct(machine=machine)
    every = []
    for threads, value in zip([1, 4, 8, 16], model, strict=True):
        a, b = (Cell("f", "pft", (), "faults_per_s", threads, name) for name in "ab")
        every.append(Scored(Point("X", "ratio", "f", 0, a, b, 2.0, True, False), value, 0.0, 9.0, True))
    found = known_off(Rows((), {"f": file}, ()), every, {"b": ["P"]})
    assert [(*one.threads, one.off) for one in found] == ([] if relative else ranges)
    assert all((one.design, one.baseline, one.patches) == ("b", "a", ["P"]) for one in found)
