"""The posterior of a profile's figures: what curves say narrows it, discrepancy along a curve widens it."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.ensemble import residual_covariance
from benchmarks.fit import MACHINES, Machine, Series
from spfvar.validation.ensemble import posterior


def test_one_figure_and_independent_points() -> None:
    """n points of slope j and variance s**2, prior p: the variance is 1 / (n j**2 / s**2 + 1 / p**2)."""
    n, j, s, p = 5, 0.5, 0.2, 1.0
    found = posterior(np.full((n, 1), j), s**2 * np.eye(n), np.array([p]))
    assert found[0, 0] == pytest.approx(1.0 / (n * j**2 / s**2 + 1.0 / p**2))


def test_a_figure_that_no_curve_moves_keeps_its_prior() -> None:
    found = posterior(np.array([[1.0, 0.0], [2.0, 0.0]]), np.eye(2), np.array([1.0, 0.3]))
    assert found[1] == pytest.approx([0.0, 0.09])


def test_neighbours_on_a_curve_tell_less_than_points_far_apart() -> None:
    """The same slopes: two points at 20 and 21 threads leave a wider posterior than two at 1 and 100."""

    def spread(threads: tuple[int, int]) -> float:
        machine = Machine((Series("s", {"a": dict.fromkeys(threads, 1.0)}),), ())
        noise = residual_covariance(machine, np.full(2, 0.2))
        return float(posterior(np.ones((2, 1)), noise, np.array([1.0]))[0, 0])

    assert spread((20, 21)) > 1.2 * spread((1, 100))


def test_curves_of_different_designs_are_independent() -> None:
    """At one number of threads: variance 0.04 each, no covariance."""
    machine = Machine((Series("s", {"a": {4: 1.0}, "b": {4: 1.0}}),), ())
    assert residual_covariance(machine, np.full(2, 0.2)) == pytest.approx(0.04 * np.eye(2))


def test_what_was_fitted_is_read_from_the_published_data() -> None:
    """Points by machine as docs/fidelity.md has them; figures as the profile says."""
    assert {name: len(one.points()) for name, one in MACHINES.items()} == {
        "skylake-2s56c": 20, "rome-2s128c": 20, "broadwell-2s28c": 22,
    }  # fmt: skip
    assert MACHINES["rome-2s128c"].fitted[:2] == ("cost_ns", "latency_ns.socket")
    assert ("mmap-lock", 112, 3.627511) in MACHINES["skylake-2s56c"].points()
