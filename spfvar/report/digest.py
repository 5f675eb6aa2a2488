"""What a comparison says, first: per variant whether it is safe, worth it where, and who pays; then ratios.

A digest is data; this module makes it, `spfvar.report.digested` lays it out.
"""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import pandas as pd

from spfvar.comparison.depends import REMARK
from spfvar.comparison.metrics import METRICS, NO_THRESHOLDS, Metric, Thresholds, noise_of
from spfvar.comparison.verdicts import Verdict
from spfvar.report import units

COLUMN_AXIS: Final = "threads"


@dataclass(frozen=True, slots=True)
class Entry:
    """One comparison; ``gain`` is the log-ratio, positive where the variant is better."""

    metric: str
    load: str
    column: str
    ratio: float
    low: float
    high: float
    verdict: Verdict
    gain: float


@dataclass(frozen=True, slots=True)
class Claim:
    """What there is to say of a variant.

    ``gains`` and ``losses``: of each load the cell where it gains or loses most, the largest first, of the
    shown metric; ``likely``: the same where it is not sure (losses first).  ``hidden``: losses of other
    outcomes, one for each metric.
    """

    variant: str
    gains: tuple[Entry, ...]
    losses: tuple[Entry, ...]
    likely: tuple[Entry, ...]
    hidden: tuple[Entry, ...]


@dataclass(frozen=True, slots=True)
class Line:
    """A load, with an entry for each variant and column that it has."""

    load: str
    entries: Mapping[tuple[str, str], Entry]

    @property
    def columns(self) -> tuple[str, ...]:
        """Its points on the axis of the columns, as they come."""
        return tuple(dict.fromkeys(column for _, column in self.entries))


@dataclass(frozen=True, slots=True)
class Digest:
    """A comparison in short: of one metric, every variant but the baseline.

    ``loads`` is how many there are, ``noise`` the smallest and largest share that counts as the same.
    ``depends`` counts open cells by the figure of the machine that they depend on.
    """

    baseline: str
    metric: Metric
    noise: tuple[float, float]
    variants: tuple[str, ...]
    claims: tuple[Claim, ...]
    lines: tuple[Line, ...]
    depends: tuple[tuple[str, int], ...]


def digest_of(
    comparisons: pd.DataFrame,
    *,
    baseline: str,
    metric: Metric,
    variants: Sequence[str],
    thresholds: Thresholds = NO_THRESHOLDS,
) -> Digest:
    """The digest of a comparison.

    ``comparisons`` is as made by `spfvar.comparison.stats.compare_to`, ``variants`` the order of the
    variants that are not the baseline.
    """
    varied = _varied(comparisons)
    rows: list[dict[str, Any]] = [
        {str(name): value for name, value in row.items()}
        for row in comparisons.to_dict("records")
        if row["metric"] in METRICS
    ]
    entries = [(str(row["variant"]), _entry(row, varied[str(row["scenario"])])) for row in rows]
    lines: dict[str, dict[tuple[str, str], Entry]] = {}
    for variant, entry in entries:
        if entry.metric == metric.name:
            lines.setdefault(entry.load, {})[variant, entry.column] = entry
    noises = [noise_of(metric, str(name), thresholds) for name in comparisons["scenario"].unique()]
    shown = [row for row in rows if row["metric"] == metric.name]
    found = [name for name in variants if any(variant == name for variant, _ in entries)]
    return Digest(
        baseline,
        metric,
        (min(noises, default=0.0), max(noises, default=0.0)),
        tuple(found),
        tuple(_claim(name, [e for variant, e in entries if variant == name], metric) for name in found),
        tuple(Line(load, of_load) for load, of_load in lines.items()),
        tuple(_depends(str(row["warning"]) for row in shown)),
    )


def places(comparisons: pd.DataFrame) -> dict[tuple[str, str], str]:
    """Each scenario and point in words, with the axes that have more than one value: "file-cow threads=4"."""
    varied = _varied(comparisons)
    rows = comparisons[["scenario", "axes"]].drop_duplicates().itertuples(index=False)
    return {
        (str(scenario), str(axes)): _named(str(scenario), json.loads(str(axes)), varied[str(scenario)])
        for scenario, axes in rows
    }


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


def _named(scenario: str, axes: Mapping[str, object], varied: Iterable[str]) -> str:
    return " ".join([scenario, *(f"{name}={value}" for name, value in axes.items() if name in varied)])


def _entry(row: Mapping[str, Any], varied: set[str]) -> Entry:
    axes = json.loads(str(row["axes"]))
    name, ratio = str(row["metric"]), float(row["ratio"])
    sign = {"higher": 1.0, "lower": -1.0, "neutral": 0.0}[METRICS[name].better]
    log = math.log(ratio) if ratio > 0 else -math.inf if ratio == 0 else math.nan
    return Entry(
        name,
        _named(str(row["scenario"]), axes, varied - {COLUMN_AXIS}),
        str(axes.get(COLUMN_AXIS, "")),
        ratio,
        float(row["ci_low"]),
        float(row["ci_high"]),
        row["verdict"],
        sign * log if sign else 0.0,
    )


def _claim(variant: str, entries: Sequence[Entry], metric: Metric) -> Claim:
    shown = [entry for entry in entries if entry.metric == metric.name]
    others = [e for e in entries if e.metric != metric.name and METRICS[e.metric].outcome]
    unlikely = _extremes(shown, "likely WORSE", -1.0) + _extremes(shown, "likely better", 1.0)
    return Claim(
        variant,
        tuple(_extremes(shown, "better", 1.0)),
        tuple(_extremes(shown, "WORSE", -1.0)),
        tuple(unlikely),
        tuple(_extremes(others, "WORSE", -1.0, by_metric=True)),
    )


def _extremes(
    entries: Iterable[Entry], verdict: Verdict, sign: float, by_metric: bool = False
) -> list[Entry]:
    """Of each load (or metric) the entry with that verdict that goes farthest, the farthest first."""
    best: dict[str, Entry] = {}
    for entry in entries:
        if entry.verdict != verdict or math.isnan(entry.gain):
            continue
        key = entry.metric if by_metric else entry.load
        if key not in best or sign * entry.gain > sign * best[key].gain:
            best[key] = entry
    return sorted(best.values(), key=lambda entry: -sign * entry.gain)


def _depends(remarks: Iterable[str]) -> list[tuple[str, int]]:
    figures: Counter[str] = Counter()
    for remark in remarks:
        _, found, text = remark.partition(REMARK)
        if found:
            figures[text.split(" with ")[1].split(" ")[0] if " with " in text else "several"] += 1
    return figures.most_common()


def number(entry: Entry) -> str:
    """A ratio without the "x" of running text; "n/a" if there is none."""
    return units.ratio(entry.ratio)[1:] or units.NOT_AVAILABLE
