"""Student's t: both tails, and NaN where there is no degree of freedom."""

from __future__ import annotations

import numpy as np
import pytest

from spfvar.comparison.student import beyond, quantile


def test_one_degree_of_freedom_is_cauchys_distribution() -> None:
    """Half of it lies between -1 and 1, whatever the sign; 95 % within tan(0.475 pi) = 12.706."""
    one = np.ones(2, dtype=np.int64)
    assert beyond(np.array([1.0, -1.0]), one) == pytest.approx(0.5)
    assert quantile(one, 0.95) == pytest.approx(np.tan(0.475 * np.pi))


@pytest.mark.parametrize("freedom", [1, 2, 3, 7, 8, 99, 500])
def test_a_quantile_leaves_the_rest_beyond_it(freedom: int) -> None:
    degrees = np.array([freedom])
    for confidence in (0.6, 0.95, 0.999):
        assert beyond(quantile(degrees, confidence), degrees) == pytest.approx(1 - confidence)


def test_without_a_degree_of_freedom_there_is_none() -> None:
    """As for a single sample; each entry has its own."""
    assert np.isnan(beyond(np.array([1.0, 1.0]), np.array([0, 5]))).tolist() == [True, False]
    assert np.isnan(quantile(np.array([5, 0, -1]), 0.95)).tolist() == [False, True, True]
    assert np.isnan(beyond(np.array([np.nan]), np.array([5])))
