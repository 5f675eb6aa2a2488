"""The verdict on a cell: intervals of its own samples against its noise, whatever else was run.

Samples are either seeds or draws.  Seeds are runs of one machine: what counts is their mean, which more seeds
tell better.  Draws are machines, each with other figures, of which nobody knows which is the real one: what
counts is what one of them gives, which more draws do not make surer.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final, Literal, get_args

import numpy as np
import numpy.typing as npt

from spfvar.comparison import student
from spfvar.comparison.metrics import Better

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]
BoolArray = npt.NDArray[np.bool_]

Verdict = Literal["better", "likely better", "WORSE", "likely WORSE", "differs", "same", "unsure", "n/a"]
VERDICTS: Final[tuple[Verdict, ...]] = get_args(Verdict)
"""The words that judge a cell, in the order in which tables count them."""

CONFIDENCE: Final = 0.95
"""Of the intervals that are shown."""
SURE: Final = 0.999
"""Of the second, wider interval that machines are told."""


@dataclass(frozen=True, slots=True)
class Rule:
    """What samples are, and how sure a verdict has to be: the confidence of two-sided intervals.

    That of ``sure`` has to lie beyond the noise for "better", "WORSE" and "differs", that of ``likely`` for
    "likely better" and "likely WORSE" (None: there are none), that of ``same`` within it.  ``each``:
    intervals are of what one more sample would give, not of the mean.
    """

    sure: float
    same: float
    likely: float | None
    each: bool


SEEDS: Final = Rule(sure=SURE, same=CONFIDENCE, likely=None, each=False)
"""At most one cell in 1000 that is within the noise gets a verdict, so a table of 50 of them has a false
one at most once in 20 times (1 - 0.999^50 = 4.9 %)."""
DRAWS: Final = Rule(sure=CONFIDENCE, same=CONFIDENCE, likely=0.6, each=True)
"""The interval that is shown, in which 95 % of the machines lie, is beyond the noise, or within it; or 80 %
of them are beyond it: an interval of 60 % leaves out 20 % on either side."""

_ROUNDING: Final = 1e-12
"""Relative difference that is nothing but rounding: its digits depend on the machine."""


@dataclass(frozen=True, slots=True)
class Contrast:
    """Something measured once per sample, and averaged: the mean over ``n`` and its deviation, per cell.

    ``scale`` is the size of what was subtracted to get it, for what counts as rounding.  ``each``: intervals
    are of one more sample.
    """

    mean: FloatArray
    std: FloatArray
    n: IntArray
    scale: FloatArray
    each: bool = False

    def interval(self, confidence: float) -> tuple[FloatArray, FloatArray]:
        """Both ends of the two-sided Student t interval; NaN below two samples."""
        half = half_width(self.std, self.n, confidence, self.each)
        return self.mean - half, self.mean + half

    def p_value(self) -> FloatArray:
        """Two-sided p of a mean (``each``: one more sample) of zero; NaN below two samples.

        It is below 1 - c where the interval of confidence c leaves out zero.
        """
        freedom = self.n - 1
        one = half_width(np.ones_like(self.std), self.n, CONFIDENCE, self.each)
        exact = np.abs(self.mean) <= _ROUNDING * self.scale
        with np.errstate(divide="ignore", invalid="ignore"):
            t = np.where(
                exact, 0.0, np.abs(self.mean) * student.quantile(freedom, CONFIDENCE) / (self.std * one)
            )
        return student.beyond(t, freedom)

    def is_above(self, limit: FloatArray, confidence: float) -> BoolArray:
        """Where it is larger than the limit, so surely."""
        return np.asarray(self.interval(confidence)[0] > limit + _ROUNDING * self.scale, dtype=np.bool_)

    def is_within(self, limit: FloatArray, confidence: float) -> BoolArray:
        """Where its interval does not reach beyond the limit."""
        return np.asarray(self.interval(confidence)[1] <= limit + _ROUNDING * self.scale, dtype=np.bool_)

    def turned(self) -> Contrast:
        """The same with its sign turned."""
        return replace(self, mean=-self.mean)


def half_width(
    std: FloatArray, n: IntArray, confidence: float = CONFIDENCE, each: bool = False
) -> FloatArray:
    """Return half the two-sided Student t interval of means over ``n`` samples; NaN below two.

    ``each``: of one more sample instead, whose deviation comes on top of that of the mean.
    """
    share = 1.0 / np.maximum(n, 1)
    return np.asarray(
        student.quantile(n - 1, confidence) * std * np.sqrt(1.0 + share if each else share), dtype=np.float64
    )


def judge(
    more: Contrast,
    less: Contrast,
    gap: Contrast,
    floor: FloatArray,
    better: Sequence[Better],
    rule: Rule = SEEDS,
) -> list[Verdict]:
    """Return the verdict on each cell, which depends on nothing but its own entries.

    ``more`` and ``less`` are above zero where the value exceeds the baseline's, or is exceeded by it, by more
    than the noise; ``gap`` is the plain difference, for metrics whose ``floor`` is above zero: a difference
    up to that is the same, whatever its ratio.

    "better" and "WORSE" ("differs", where neither direction is better): the rule's interval lies beyond both
    thresholds.  "likely better" and "likely WORSE": its less sure one does.  "same": the interval lies within
    one of them, which is an equivalence test (two one-sided tests).  "unsure": none of these.  "n/a": fewer
    than two samples.
    """
    zero, has_floor = np.zeros_like(floor), floor > 0

    def beyond(confidence: float) -> tuple[BoolArray, BoolArray]:
        higher = more.is_above(zero, confidence) & (~has_floor | gap.is_above(floor, confidence))
        lower = less.is_above(zero, confidence) & (~has_floor | gap.turned().is_above(floor, confidence))
        return higher, lower

    surely = beyond(rule.sure)
    likely = beyond(rule.likely) if rule.likely is not None else surely
    same = more.is_within(zero, rule.same) & less.is_within(zero, rule.same)
    same |= has_floor & gap.is_within(floor, rule.same) & gap.turned().is_within(floor, rule.same)
    made = more.n > 1
    return [_word(*row) for row in zip(made, same, *surely, *likely, better, strict=True)]


def _word(
    made: bool, same: bool, higher: bool, lower: bool, maybe_higher: bool, maybe_lower: bool, better: Better
) -> Verdict:
    if not made:
        return "n/a"
    if same:
        return "same"
    if better == "neutral":
        return "differs" if higher or lower else "unsure"
    if higher or lower:
        return "better" if higher == (better == "higher") else "WORSE"
    if maybe_higher or maybe_lower:
        return "likely better" if maybe_higher == (better == "higher") else "likely WORSE"
    return "unsure"
