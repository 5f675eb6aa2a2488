"""Where two variants differ and where they do not, in words, from the results alone."""

from __future__ import annotations

import json
from dataclasses import dataclass

import pandas as pd

from spfvar.comparison.metrics import NO_THRESHOLDS, Thresholds
from spfvar.comparison.stats import compare_to
from spfvar.report.units import ratio

METRIC = "faults_per_s"


@dataclass(frozen=True, slots=True)
class Duel:
    """A variant against a rival, by scenario: the spread of the ratios that differ; empty: none does."""

    variant: str
    rival: str
    better: dict[str, list[float]]
    worse: dict[str, list[float]]
    same: list[str]


def duel(
    samples: pd.DataFrame, variant: str, rival: str, thresholds: Thresholds = NO_THRESHOLDS
) -> Duel | None:
    """Test a variant against its rival in every cell they share; None if one of them was not run.

    ``samples`` and ``thresholds`` are as for ``spfvar.comparison.stats.compare_to``; Holm's
    correction covers these cells.
    """
    pair = samples[samples["variant"].isin([variant, rival]) & (samples["metric"] == METRIC)]
    if set(pair["variant"]) != {variant, rival}:
        return None
    found = Duel(variant, rival, {}, {}, [])
    for scenario, rows in compare_to(pair, rival, thresholds=thresholds).groupby("scenario", sort=False):
        by_threads = sorted(rows.to_dict("records"), key=lambda row: json.loads(row["axes"])["threads"])
        for verdict, kept in (("better", found.better), ("WORSE", found.worse)):
            ratios = [float(row["ratio"]) for row in by_threads if row["verdict"] == verdict]
            if ratios:
                kept[str(scenario)] = ratios
        if str(scenario) not in found.better and str(scenario) not in found.worse:
            found.same.append(str(scenario))
    return found


def sentences(found: Duel) -> list[str]:
    """The duel in words."""
    lines = []
    for word, kept in (("better", found.better), ("WORSE", found.worse)):
        if kept:
            places = ", ".join(f"{scenario} ({_spread(ratios)})" for scenario, ratios in kept.items())
            lines.append(f"{found.variant} is {word} than {found.rival} (faults/s) in: {places}.")
    if found.same:
        lines.append(f"{found.variant} and {found.rival} do not differ in: {', '.join(found.same)}.")
    return lines


def _spread(ratios: list[float]) -> str:
    low, high = min(ratios), max(ratios)
    return ratio(low) if ratio(low) == ratio(high) else f"{ratio(low)} to {ratio(high)}"
