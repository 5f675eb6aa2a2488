"""Where a variant is worse than the baseline, and by how much: what `--fail-on` is about."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import pandas as pd

from spfvar.comparison.metrics import METRICS, Metric
from spfvar.comparison.verdicts import Verdict
from spfvar.units import FailOn

SURE: Final[tuple[Verdict, ...]] = ("WORSE",)
MAYBE: Final[tuple[Verdict, ...]] = ("likely WORSE", "unsure")


@dataclass(frozen=True, slots=True)
class Loss:
    """A cell that is WORSE, or may be; ``share`` is how much of the baseline is lost (NaN: that is zero)."""

    variant: str
    scenario: str
    axes: str
    metric: Metric
    share: float

    def text(self, baseline: str) -> str:
        """ "fault_p50 is 7.7 % worse than BASELINE"."""
        if math.isnan(self.share):
            return f"{self.metric.name} is worse than {baseline}, where it is 0"
        return f"{self.metric.name} is {100 * self.share:.1f} % worse than {baseline}"


def losses(
    comparisons: pd.DataFrame, metrics: Mapping[str, Metric] = METRICS, verdicts: Sequence[Verdict] = SURE
) -> list[Loss]:
    """Every loss in ``metrics``, the largest first; with the verdicts of `MAYBE`: where there may be one.

    ``comparisons`` is as made by ``spfvar.comparison.stats.compare_to``.
    """
    found = []
    for row in comparisons.to_dict("records"):
        if row["verdict"] not in verdicts or row["metric"] not in metrics:
            continue
        metric = metrics[row["metric"]]
        share = 1.0 - row["ratio"] if metric.better == "higher" else row["ratio"] - 1.0
        found.append(Loss(row["variant"], row["scenario"], row["axes"], metric, share))
    return sorted(found, key=lambda loss: -math.inf if math.isnan(loss.share) else -loss.share)


def beyond(comparisons: pd.DataFrame, condition: FailOn, verdicts: Sequence[Verdict] = SURE) -> list[Loss]:
    """The losses that meet a condition; without a metric of its own it is about throughput and latency."""
    return [
        loss
        for loss in losses(comparisons, verdicts=verdicts)
        if (loss.metric.name == condition.metric or (condition.metric is None and loss.metric.outcome))
        # Without a ratio, any loss is beyond every limit.
        and (math.isnan(loss.share) or 100.0 * loss.share > condition.percent)
    ]
