"""What --fail-on looks at: sure losses, and how large they are."""

from __future__ import annotations

import math

import pandas as pd
import pytest

from spfvar.comparison.losses import MAYBE, beyond, losses
from spfvar.comparison.metrics import select
from spfvar.units import parse_fail_on

ROWS = [
    # A rate of x0.9 is 10 % lost, a latency of x1.3 is 30 % lost.
    ("a", "faults_per_s", 0.9, "WORSE"),
    ("b", "fault_p99", 1.3, "WORSE"),
    ("c", "faults_per_s", 0.5, "same"),
    ("d", "fault_p99", 1.5, "better"),
    # A share explains, it is no outcome; a baseline of zero has no ratio.
    ("e", "lock_wait_share", 3.0, "WORSE"),
    ("f", "writer_p99", math.nan, "WORSE"),
]
COMPARISONS = pd.DataFrame(
    [(variant, "s", "{}", metric, ratio, verdict) for variant, metric, ratio, verdict in ROWS],
    columns=["variant", "scenario", "axes", "metric", "ratio", "verdict"],
)


def test_losses_are_shares_of_the_baseline_largest_first() -> None:
    """Whichever way is better; only verdicts of WORSE count."""
    found = [(loss.variant, round(loss.share, 9)) for loss in losses(COMPARISONS)]
    assert found[0][0] == "f"
    assert math.isnan(found[0][1])
    assert found[1:] == [("e", 2.0), ("b", 0.3), ("a", 0.1)]
    assert [loss.variant for loss in losses(COMPARISONS, select(["faults_per_s"]))] == ["a"]


@pytest.mark.parametrize(
    ("condition", "variants"),
    [
        ("worse>5%", ["f", "b", "a"]),
        ("worse>10%", ["f", "b"]),
        ("worse>99%", ["f"]),
        ("lock_wait_share:worse>5%", ["e"]),
        ("faults_per_s:worse>9.9%", ["a"]),
        ("faults_per_s:worse>10.1%", []),
    ],
)
def test_a_condition_without_a_metric_is_about_outcomes(condition: str, variants: list[str]) -> None:
    """Beyond its limit; where there is no ratio, beyond every limit."""
    assert [loss.variant for loss in beyond(COMPARISONS, parse_fail_on(condition))] == variants


def test_what_may_be_a_loss_is_told_apart_from_what_is_one() -> None:
    """The same limits, for cells that are unsure."""
    rows = [("g", "faults_per_s", 0.78, "unsure"), ("h", "faults_per_s", 0.97, "unsure")]
    more = pd.DataFrame([(v, "s", "{}", m, r, w) for v, m, r, w in rows], columns=COMPARISONS.columns)
    both = pd.concat([COMPARISONS, more])
    condition = parse_fail_on("faults_per_s:worse>5%")
    assert [loss.variant for loss in beyond(both, condition)] == ["a"]
    assert [loss.variant for loss in beyond(both, condition, MAYBE)] == ["g"]


def test_a_loss_in_words() -> None:
    """With its metric and the baseline."""
    texts = {loss.variant: loss.text("base") for loss in losses(COMPARISONS)}
    assert texts["b"] == "fault_p99 is 30.0 % worse than base"
    assert texts["f"] == "writer_p99 is worse than base, where it is 0"
