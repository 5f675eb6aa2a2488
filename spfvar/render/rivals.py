"""Where two variants differ and where they do not, in words, from the results alone."""

from __future__ import annotations

import json
from dataclasses import dataclass, field

import pandas as pd

from spfvar.comparison.depends import OPEN
from spfvar.comparison.metrics import NO_THRESHOLDS, Thresholds
from spfvar.comparison.stats import compare_to
from spfvar.comparison.verdicts import SEEDS, Rule
from spfvar.render.units import ratio

METRIC = "faults_per_s"


@dataclass(frozen=True, slots=True)
class Duel:
    """A variant against a rival, by scenario, with the verdicts that tables of this pair show.

    ``better`` and ``worse`` have the ratios of the cells with that verdict; ``same`` the scenarios whose
    every cell is the same; ``unsure`` how many cells are, and of how many.
    """

    variant: str
    rival: str
    better: dict[str, list[float]] = field(default_factory=dict)
    worse: dict[str, list[float]] = field(default_factory=dict)
    same: list[str] = field(default_factory=list)
    unsure: dict[str, tuple[int, int]] = field(default_factory=dict)


def duel(
    samples: pd.DataFrame,
    variant: str,
    rival: str,
    thresholds: Thresholds = NO_THRESHOLDS,
    rule: Rule = SEEDS,
) -> Duel | None:
    """Compare a variant with its rival in every cell they share; None if one of them was not run.

    ``samples``, ``thresholds`` and ``rule`` are as for ``spfvar.comparison.stats.compare_to``.
    """
    pair = samples[samples["variant"].isin([variant, rival]) & (samples["metric"] == METRIC)]
    if set(pair["variant"]) != {variant, rival}:
        return None
    found = Duel(variant, rival)
    judged = compare_to(pair, rival, thresholds=thresholds, rule=rule)
    for place, rows in judged.groupby("scenario", sort=False):
        scenario = str(place)
        by_threads = sorted(rows.to_dict("records"), key=lambda row: json.loads(row["axes"])["threads"])
        for verdict, kept in (("better", found.better), ("WORSE", found.worse)):
            ratios = [float(row["ratio"]) for row in by_threads if row["verdict"] == verdict]
            if ratios:
                kept[scenario] = ratios
        if (rows["verdict"] == "same").all():
            found.same.append(scenario)
        if open_cells := int(rows["verdict"].isin(OPEN).sum()):
            found.unsure[scenario] = open_cells, len(rows)
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
    if found.unsure:
        places = ", ".join(f"{place} ({count} of {cells})" for place, (count, cells) in found.unsure.items())
        lines.append(f"{found.variant} against {found.rival} is unsure in cells of: {places}.")
    return lines


def _spread(ratios: list[float]) -> str:
    low, high = min(ratios), max(ratios)
    return ratio(low) if ratio(low) == ratio(high) else f"{ratio(low)} to {ratio(high)}"
