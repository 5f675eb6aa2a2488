"""Student's t for whole degrees of freedom: probabilities and quantiles.

scipy.special has both, and takes as long to load as all else that a comparison from the store does.
"""

from __future__ import annotations

import math
from functools import cache

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]


def beyond(t: FloatArray, freedom: IntArray) -> FloatArray:
    """The probability of a value at least as far from zero as ``t``; NaN without a degree of freedom.

    To 1e-15, whatever its size: what is smaller may be 0.
    """
    found = np.full(np.shape(t), np.nan)
    for degrees in np.unique(freedom):
        if degrees > 0:
            where = freedom == degrees
            found[where] = _beyond(t[where], int(degrees))
    return found


def _beyond(t: FloatArray, freedom: int) -> FloatArray:
    """Abramowitz and Stegun, 26.7.3 and 26.7.4: finite sums over powers of the angle's cosine."""
    angle = np.arctan2(np.abs(t), math.sqrt(freedom))
    sine, square = np.sin(angle), np.square(np.cos(angle))
    odd = freedom % 2
    term = np.cos(angle) if odd else np.ones_like(angle)
    total = np.zeros_like(angle)
    for place in range(1 + odd, freedom, 2):
        total = total + term
        term = term * square * (place / (place + 1))
    inside = (angle + sine * total) * (2 / math.pi) if odd else sine * total
    return np.asarray(np.maximum(1.0 - inside, 0.0), dtype=np.float64)


def quantile(freedom: IntArray, confidence: float) -> FloatArray:
    """Between minus and plus this lies ``confidence`` (0 to 1) of the values; NaN without a degree."""
    found = np.full(np.shape(freedom), np.nan)
    for degrees in np.unique(freedom):
        if degrees > 0:
            found[freedom == degrees] = _quantile(int(degrees), confidence)
    return found


@cache
def _quantile(freedom: int, confidence: float) -> float:
    """By Newton's method from 0: the probability beyond is convex, so it never goes too far."""
    out, t, step = 1.0 - confidence, 0.0, 1.0
    log_scale = math.lgamma((freedom + 1) / 2) - math.lgamma(freedom / 2) - 0.5 * math.log(freedom * math.pi)
    while step > 1e-12 * t:
        density = math.exp(log_scale - (freedom + 1) / 2 * math.log1p(t * t / freedom))
        step = (float(_beyond(np.array(t), freedom)) - out) / (2 * density)
        t += step
    return t
