"""The verdict on a cell: intervals of its own samples against its noise, whatever else was run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal, get_args

import numpy as np
import numpy.typing as npt

from spfvar.comparison.metrics import Better

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]
BoolArray = npt.NDArray[np.bool_]

Verdict = Literal["better", "WORSE", "differs", "same", "unsure", "n/a"]
VERDICTS: Final[tuple[Verdict, ...]] = get_args(Verdict)
"""The words that judge a cell, in the order in which tables count them."""

CONFIDENCE: Final = 0.95
"""Of the intervals that are shown; that of the ratio has to lie within the noise for "same"."""
SURE: Final = 0.999
"""Of the interval that has to lie beyond the noise for "better", "WORSE" and "differs".

At most one cell in 1000 that is within the noise gets such a verdict, so a table of 50 of them has a false
one at most once in 20 times (1 - 0.999^50 = 4.9 %).
"""
_ROUNDING: Final = 1e-12
"""Relative difference that is nothing but rounding: its digits depend on the machine."""


@dataclass(frozen=True, slots=True)
class Contrast:
    """Something measured once per seed, and averaged: the mean over ``n`` seeds and its deviation, per cell.

    ``scale`` is the size of what was subtracted to get it, for what counts as rounding.
    """

    mean: FloatArray
    std: FloatArray
    n: IntArray
    scale: FloatArray

    def interval(self, confidence: float) -> tuple[FloatArray, FloatArray]:
        """Both ends of the two-sided Student t interval of the mean; NaN below two seeds."""
        half = half_width(self.std, self.n, confidence)
        return self.mean - half, self.mean + half

    def is_above(self, limit: FloatArray) -> BoolArray:
        """Where it is surely larger than the limit."""
        return np.asarray(self.interval(SURE)[0] > limit + _ROUNDING * self.scale, dtype=np.bool_)

    def is_within(self, limit: FloatArray) -> BoolArray:
        """Where its interval does not reach beyond the limit."""
        return np.asarray(self.interval(CONFIDENCE)[1] <= limit + _ROUNDING * self.scale, dtype=np.bool_)

    def turned(self) -> Contrast:
        """The same with its sign turned."""
        return Contrast(-self.mean, self.std, self.n, self.scale)


def half_width(std: FloatArray, n: IntArray, confidence: float = CONFIDENCE) -> FloatArray:
    """Return half the two-sided Student t interval of means over ``n`` samples; NaN below two."""
    # The quantile of Student's t; scipy.stats has it too, and takes most of a second to load.  This takes a
    # fifth of one, for which only those wait who compare.
    from scipy import special

    quantile = special.stdtrit(np.where(n > 1, n - 1, np.nan), (1 + confidence) / 2)
    return np.asarray(quantile * std / np.sqrt(np.maximum(n, 1)), dtype=np.float64)


def judge(
    more: Contrast, less: Contrast, gap: Contrast, floor: FloatArray, better: Sequence[Better]
) -> list[Verdict]:
    """Return the verdict on each cell, which depends on nothing but its own entries.

    ``more`` and ``less`` are above zero where the value exceeds the baseline's, or is exceeded by it, by more
    than the noise; ``gap`` is the plain difference, for metrics whose ``floor`` is above zero: a difference
    up to that is the same, whatever its ratio.

    "better" and "WORSE" ("differs", where neither direction is better): the `SURE` interval lies beyond both
    thresholds.  "same": the `CONFIDENCE` interval lies within one of them, which is an equivalence test (two
    one-sided tests).  "unsure": neither.  "n/a": fewer than two seeds.
    """
    zero, has_floor = np.zeros_like(floor), floor > 0
    higher = more.is_above(zero) & (~has_floor | gap.is_above(floor))
    lower = less.is_above(zero) & (~has_floor | gap.turned().is_above(floor))
    same = more.is_within(zero) & less.is_within(zero)
    same |= has_floor & gap.is_within(floor) & gap.turned().is_within(floor)
    made = more.n > 1
    return [_word(*row) for row in zip(made, higher, lower, same, better, strict=True)]


def _word(made: bool, higher: bool, lower: bool, same: bool, better: Better) -> Verdict:
    if not made:
        return "n/a"
    if same:
        return "same"
    if not (higher or lower):
        return "unsure"
    if better == "neutral":
        return "differs"
    return "better" if higher == (better == "higher") else "WORSE"
