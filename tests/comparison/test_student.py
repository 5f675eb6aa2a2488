"""Student's t beside scipy's, which computes it in another way."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import special

from spfvar.comparison.student import beyond, quantile


@pytest.mark.parametrize("freedom", [1, 2, 3, 7, 8, 99, 500])
def test_probabilities_and_quantiles_are_those_of_scipy(freedom: int) -> None:
    """Odd and even degrees of freedom have sums of their own; signs do not matter."""
    t = np.array([0.0, 0.3, -2.0, 5.0, 40.0, np.inf])
    degrees = np.full(len(t), freedom)
    expected = 2 * special.stdtr(freedom, -np.abs(t))
    np.testing.assert_allclose(beyond(t, degrees), expected, rtol=0, atol=1e-14)
    for confidence in (0.6, 0.95, 0.999):
        found = quantile(np.array([freedom]), confidence)
        np.testing.assert_allclose(found, special.stdtrit(freedom, (1 + confidence) / 2), rtol=1e-11)


def test_without_a_degree_of_freedom_there_is_none() -> None:
    """As for a single sample; each entry has its own."""
    assert np.isnan(beyond(np.array([1.0, 1.0]), np.array([0, 5]))).tolist() == [True, False]
    assert np.isnan(quantile(np.array([5, 0, -1]), 0.95)).tolist() == [False, True, True]
    assert np.isnan(beyond(np.array([np.nan]), np.array([5])))
