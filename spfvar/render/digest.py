"""What a comparison says, first: per variant whether it is safe, worth it where, and who pays; then ratios.

A digest is data; this module makes it, `spfvar.render.digested` lays it out.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import pandas as pd

from spfvar.comparison.depends import figures_of
from spfvar.comparison.metrics import METRICS, NO_THRESHOLDS, Metric, Thresholds, noise_of
from spfvar.comparison.places import COLUMN_AXIS, named, varied_axes
from spfvar.comparison.verdicts import Verdict
from spfvar.matrix.known_off import REMARK
from spfvar.render import units

#: Throughput, faults, writers, stalls.
_ORDER: Final = {name: i for i, name in enumerate(METRICS)}


@dataclass(frozen=True, slots=True)
class Entry:
    """One comparison; ``gain`` is the log-ratio, positive where the variant is better.

    ``off``: a published ratio of that machine and load does not come out there.
    """

    metric: str
    load: str
    column: str
    ratio: float
    low: float
    high: float
    verdict: Verdict
    gain: float
    off: bool = False


@dataclass(frozen=True, slots=True)
class Claim:
    """What there is to say of a variant.

    ``gains`` and ``losses``: of each load the cell where it gains or loses most, the largest first, of the
    shown metric; ``likely``: the same where it is not sure (losses first).  ``hidden``: losses of other
    outcomes, one for each metric, in the order of metrics.  ``loads`` has those with a verdict on the shown
    metric, ``missing`` those where there is no figure, ``untold`` those where there are too few runs for a
    verdict.
    """

    variant: str
    gains: tuple[Entry, ...]
    losses: tuple[Entry, ...]
    likely: tuple[Entry, ...]
    hidden: tuple[Entry, ...]
    loads: int = 0
    missing: tuple[str, ...] = ()
    untold: tuple[str, ...] = ()


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

    ``noise``: the smallest and largest share that counts as the same.
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
    varied = varied_axes(comparisons)
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
    found = [name for name in variants if name != baseline]
    claims = []
    for name in found:
        own = [entry for variant, entry in entries if variant == name]
        claims.append(_claim(name, own, metric, list(lines)))
    return Digest(
        baseline,
        metric,
        (min(noises, default=0.0), max(noises, default=0.0)),
        tuple(found),
        tuple(claims),
        tuple(Line(load, of_load) for load, of_load in lines.items()),
        tuple(figures_of(row["warning"] for row in shown)),
    )


def _entry(row: Mapping[str, Any], varied: set[str]) -> Entry:
    axes = json.loads(str(row["axes"]))
    name, ratio = str(row["metric"]), float(row["ratio"])
    sign = {"higher": 1.0, "lower": -1.0, "neutral": 0.0}[METRICS[name].better]
    log = math.log(ratio) if ratio > 0 else -math.inf if ratio == 0 else math.nan
    return Entry(
        name,
        named(str(row["scenario"]), axes, varied - {COLUMN_AXIS}),
        str(axes.get(COLUMN_AXIS, "")),
        ratio,
        float(row["ci_low"]),
        float(row["ci_high"]),
        row["verdict"],
        sign * log if sign else 0.0,
        REMARK in str(row["warning"]),
    )


def _claim(variant: str, entries: Sequence[Entry], metric: Metric, loads: Sequence[str]) -> Claim:
    shown = [entry for entry in entries if entry.metric == metric.name]
    others = [e for e in entries if e.metric != metric.name and METRICS[e.metric].outcome]
    unlikely = _extremes(shown, "likely WORSE", -1.0) + _extremes(shown, "likely better", 1.0)
    return Claim(
        variant,
        tuple(_extremes(shown, "better", 1.0)),
        tuple(_extremes(shown, "WORSE", -1.0)),
        tuple(unlikely),
        tuple(sorted(_extremes(others, "WORSE", -1.0, by_metric=True), key=lambda e: _ORDER[e.metric])),
        len({entry.load for entry in shown if entry.verdict != "n/a"}),
        tuple(load for load in loads if load not in {entry.load for entry in shown}),
        tuple(dict.fromkeys(entry.load for entry in shown if entry.verdict == "n/a")),
    )


def _extremes(
    entries: Iterable[Entry], verdict: Verdict, sign: float, by_metric: bool = False
) -> list[Entry]:
    """Of each load (or metric) the entry with that verdict that goes farthest, the farthest first."""
    best: dict[str, Entry] = {}
    for entry in entries:
        if entry.verdict != verdict:
            continue
        key = entry.metric if by_metric else entry.load
        if key not in best or _far(entry, sign) > _far(best[key], sign):
            best[key] = entry
    return sorted(best.values(), key=lambda entry: -_far(entry, sign))


def _far(entry: Entry, sign: float) -> float:
    """How far it goes; from zero, which has no ratio, farther than anything."""
    return math.inf if math.isnan(entry.gain) else sign * entry.gain


def number(entry: Entry) -> str:
    """A ratio without the "x" of running text; "n/a" if there is none."""
    return units.ratio(entry.ratio)[1:] or units.NOT_AVAILABLE
