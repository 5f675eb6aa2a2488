"""Student's t for whole degrees of freedom: probabilities and quantiles, as comparisons need them."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]


def beyond(t: FloatArray, freedom: IntArray) -> FloatArray:
    """The probability of a value at least as far from zero as ``t``; NaN without a degree of freedom."""
    from scipy import special  # a sixth of a second to load

    return np.asarray(2.0 * special.stdtr(_some(freedom), -np.abs(t)), dtype=np.float64)


def quantile(freedom: IntArray, confidence: float) -> FloatArray:
    """Between minus and plus this lies ``confidence`` (0 to 1) of the values; NaN without a degree."""
    from scipy import special

    return np.asarray(special.stdtrit(_some(freedom), (1 + confidence) / 2), dtype=np.float64)


def _some(freedom: IntArray) -> FloatArray:
    return np.where(freedom > 0, freedom, np.nan)
