"""The tables that open a report: how often each variant is better, and its worst and best cell."""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pandas as pd

from spfvar.comparison.metrics import METRICS, Metric
from spfvar.comparison.verdicts import VERDICTS
from spfvar.report import units
from spfvar.report.blocks import Block, Cell, Footnote, Row


@dataclass(frozen=True, slots=True)
class _Result:
    """One comparison; ``gain`` is the log-ratio, positive where the variant is better."""

    variant: str
    metric: Metric
    where: str
    ratio: float
    gain: float
    verdict: str


def summary_blocks(
    comparisons: pd.DataFrame, *, baseline: str, metrics: Mapping[str, Metric] = METRICS
) -> list[Block]:
    """Return two tables over all scenarios: verdicts counted, and the extremes per variant.

    ``comparisons`` is as made by ``compare_to``; only the given ``metrics`` take part. The worst
    cell stands before the best one, so that no report shows gains without their costs.
    """
    results = _results(comparisons, metrics)
    if not results:
        return []
    by_variant: dict[str, list[_Result]] = {}
    for result in results:
        by_variant.setdefault(result.variant, []).append(result)
    return [_counts_block(by_variant, baseline), _extremes_block(by_variant, baseline)]


def places(comparisons: pd.DataFrame) -> dict[tuple[str, str], str]:
    """Each scenario and point in words, with the axes that have more than one value: "file-cow threads=4"."""
    varied = _varied(comparisons)
    rows = comparisons[["scenario", "axes"]].drop_duplicates().itertuples(index=False)
    return {
        (str(scenario), str(axes)): _where(str(scenario), json.loads(str(axes)), varied[str(scenario)])
        for scenario, axes in rows
    }


def _results(comparisons: pd.DataFrame, metrics: Mapping[str, Metric]) -> list[_Result]:
    sign = {"higher": 1.0, "lower": -1.0, "neutral": 0.0}
    where = places(comparisons)
    return [
        _Result(
            variant=row["variant"],
            metric=metrics[row["metric"]],
            where=where[row["scenario"], row["axes"]],
            ratio=row["ratio"],
            gain=sign[metrics[row["metric"]].better] * _log(row["ratio"]),
            verdict=row["verdict"],
        )
        for row in comparisons.to_dict("records")
        if row["metric"] in metrics
    ]


def _varied(comparisons: pd.DataFrame) -> dict[str, set[str]]:
    """By scenario, the axes that have more than one value in this comparison."""
    found: dict[str, set[str]] = {}
    for scenario, rows in comparisons.groupby("scenario", sort=False):
        values: dict[str, set[str]] = {}
        for axes in rows["axes"].unique():
            for name, value in json.loads(axes).items():
                values.setdefault(name, set()).add(str(value))
        found[str(scenario)] = {name for name, seen in values.items() if len(seen) > 1}
    return found


def _where(scenario: str, axes: Mapping[str, object], varied: set[str]) -> str:
    return " ".join([scenario, *(f"{name}={value}" for name, value in axes.items() if name in varied)])


def _log(ratio: float) -> float:
    """Return log(ratio), -inf for zero: a share can fall to nothing."""
    if ratio <= 0:
        return -math.inf
    return math.log(ratio)


def _counts_block(by_variant: Mapping[str, Sequence[_Result]], baseline: str) -> Block:
    verdicts = [result.verdict for results in by_variant.values() for result in results]
    words = [word for word in VERDICTS if word != "differs" or word in verdicts]
    return Block(
        title=f"Summary against {baseline}: comparisons by verdict",
        direction="a comparison is one scenario at one point of the axes under one metric",
        stub_headers=("variant",),
        headers=tuple(words),
        rows=tuple(
            Row(
                (variant,),
                tuple(Cell(str(sum(r.verdict == word for r in results))) for word in words),
            )
            for variant, results in by_variant.items()
        ),
        panel_columns=len(words),
    )


def _extremes_block(by_variant: Mapping[str, Sequence[_Result]], baseline: str) -> Block:
    rows = []
    for variant, results in by_variant.items():
        ranked = sorted(
            (r for r in results if r.metric.outcome and not math.isnan(r.ratio)),
            key=lambda r: r.gain,
        )
        worst = [r for r in ranked if r.verdict == "WORSE"][:1]
        best = [r for r in ranked if r.verdict == "better"][-1:]
        rows += [_extreme(variant, "WORSE", worst), _extreme(variant, "better", best)]
    unranked = sum(
        r.metric.outcome and math.isnan(r.ratio) and r.verdict in ("better", "WORSE")
        for results in by_variant.values()
        for r in results
    )
    remark = f"not ranked: {unranked} with a baseline of zero, which have no ratio"
    return Block(
        title=f"Worst and best cell of each variant against {baseline}",
        direction="the largest ratio either way that is sure, of throughput or latency",
        stub_headers=("variant", "verdict"),
        headers=("ratio", "metric", "where"),
        rows=tuple(rows),
        footnotes=(Footnote("", remark),) if unranked else (),
        align="left",
    )


def _extreme(variant: str, word: str, found: Sequence[_Result]) -> Row:
    if not found:
        return Row((variant, word), (Cell("none"), Cell(""), Cell("")))
    result = found[0]
    cells = (
        Cell("", ratio=units.ratio(result.ratio)),
        Cell(result.metric.name),
        Cell(result.where),
    )
    return Row((variant, word), cells)
