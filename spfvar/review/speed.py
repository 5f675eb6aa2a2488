"""Speed: the variant against each rival, load by load, and why."""

from __future__ import annotations

import json
import math
from collections.abc import Collection, Mapping, Sequence
from typing import Any

import pandas as pd

from spfvar.comparison.depends import OPEN
from spfvar.comparison.metrics import METRICS, NO_THRESHOLDS, Metric, Thresholds
from spfvar.comparison.stats import KEY, summarise
from spfvar.matrix.compare import Comparison, judged, rule_of
from spfvar.plugins.variant import Variant
from spfvar.render.charts import Curve, Point
from spfvar.review.model import (
    HELPS,
    HURTS,
    MIXED,
    SAME,
    UNKNOWN,
    UNSURE,
    Abort,
    Chart,
    Duel,
    Effect,
    LoadEffect,
    Reason,
    Speed,
    Value,
)
from spfvar.scenario.hardware import Draws

THROUGHPUT = "faults_per_s"
#: What explains a load's speed.
EXPLAINS = ("lock_wait_share", "mmap_lock_share", "spec_success", "writer_p50", "writer_p99")
_OUTCOMES = [metric.name for metric in METRICS.values() if metric.outcome]


def make_speed(
    comparison: Comparison,
    variant: Variant,
    rivals: Sequence[str],
    titles: Mapping[str, str],
    once: Collection[str] = (),
) -> Speed:
    """Duels in the order of ``rivals``, reasons and charts in the plan's order of loads.

    ``titles`` are those of the scenarios.  ``once`` are loads that have no chart, for they were run at one
    count of threads.  Rivals without a value (they could not be run) have no duel.
    """
    values = comparison.samples.values
    ran = set(values["variant"])
    duels = [
        make_duel(values, variant.name, rival, titles, comparison.plan.thresholds, comparison.plan.ensemble)
        for rival in rivals
        if rival in ran and variant.name in ran
    ]
    names = [*rivals, variant.name]
    scaled = comparison.cells[~comparison.cells["scenario"].isin(once)]
    return Speed(
        tuple(duels), tuple(_reasons(comparison, variant)), tuple(make_charts(scaled, names, titles))
    )


def make_duel(
    samples: pd.DataFrame,
    variant: str,
    rival: str,
    titles: Mapping[str, str],
    thresholds: Thresholds = NO_THRESHOLDS,
    draws: Draws | None = None,
) -> Duel:
    """Compare every outcome in every cell that the two share, throughput first.

    ``samples`` and ``thresholds`` are as for `spfvar.comparison.stats.compare_to`; ``draws``: the
    ensemble, if samples are draws.
    """
    pair = samples[samples["variant"].isin([variant, rival]) & samples["metric"].isin(_OUTCOMES)]
    found = _effects(pair, variant, rival, thresholds, draws)
    effects = sorted(found, key=lambda effect: effect.metric != THROUGHPUT)
    by_load: dict[str, list[Effect]] = {}
    for effect in effects:
        if effect.metric == THROUGHPUT:
            by_load.setdefault(effect.scenario, []).append(effect)
    loads = [
        LoadEffect(scenario, titles[scenario], kind_of(found), tuple(sorted(found, key=lambda e: e.threads)))
        for scenario, found in by_load.items()
    ]
    worst: dict[tuple[str, str], Effect] = {}
    for effect in effects:
        place = effect.scenario, effect.metric
        if effect.verdict == "WORSE" and (place not in worst or loss(effect) > loss(worst[place])):
            worst[place] = effect
    return Duel(
        rival,
        tuple(sorted(loads, key=lambda load: _finite(load.worst.ratio))),
        tuple(effects),
        tuple(sorted(worst.values(), key=lambda effect: -loss(effect))),
    )


def _effects(
    pair: pd.DataFrame, variant: str, rival: str, thresholds: Thresholds, draws: Draws | None
) -> list[Effect]:
    cells = summarise(pair, rule=rule_of(draws))
    values = {tuple(row[name] for name in KEY): row["value"] for row in cells.to_dict("records")}
    found: list[Effect] = []
    if not len(pair):
        return found
    for row in judged(pair, rival, thresholds, draws).to_dict("records"):
        rest = row["scenario"], row["axes"], row["metric"]
        found.append(
            Effect(
                row["scenario"], json.loads(row["axes"]), row["metric"], row["ratio"], row["ci_low"],
                row["ci_high"], values[variant, *rest], values.get((rival, *rest), math.nan),
                row["verdict"], draws is not None, row["warning"] if row["verdict"] in OPEN else "",
            )
        )  # fmt: skip
    return found


def kind_of(effects: Sequence[Effect]) -> str:
    """What the verdicts of one load say together; what is likely is no more than open."""
    verdicts = {effect.verdict for effect in effects}
    if {"better", "WORSE"} <= verdicts:
        return MIXED
    if "better" in verdicts:
        return HELPS
    if "WORSE" in verdicts:
        return HURTS
    if verdicts <= {"n/a"}:
        return UNKNOWN
    return SAME if verdicts == {"same"} else UNSURE


def loss(effect: Effect) -> float:
    """How much worse, as a logarithm; infinite against a baseline of zero."""
    if math.isnan(effect.ratio):
        return math.inf
    log = math.log(effect.ratio) if effect.ratio > 0 else -math.inf
    return -log if METRICS[effect.metric].better == "higher" else log


def _finite(ratio: float) -> float:
    return math.inf if math.isnan(ratio) else ratio


def _reasons(comparison: Comparison, variant: Variant) -> list[Reason]:
    """Why, at the largest number of threads of each load."""
    docs = {event.name: event.doc for event in variant.events if event.role == "reason"}
    found = []
    for scenario, rows in comparison.cells.groupby("scenario", sort=False):
        axes_text = max(rows["axes"].unique(), key=lambda text: int(json.loads(text)["threads"]))
        here = rows[rows["axes"] == axes_text]
        metrics: dict[str, dict[str, float]] = {name: {} for name in EXPLAINS}
        for row in here.to_dict("records"):
            if row["metric"] in metrics:
                metrics[row["metric"]][row["variant"]] = row["value"]
        events = comparison.events
        mine = events[
            (events["variant"] == variant.name)
            & (events["scenario"] == scenario)
            & (events["axes"] == axes_text)
        ]
        aborts = [
            Abort(row["event"], docs[row["event"]], row["per_1000"])
            for row in mine.to_dict("records")
            if row["event"] in docs and row["per_1000"] > 0
        ]
        aborts.sort(key=lambda abort: (-abort.per_1000, abort.event))
        found.append(Reason(str(scenario), json.loads(axes_text), metrics, tuple(aborts)))
    return found


def make_charts(cells: pd.DataFrame, names: Sequence[str], titles: Mapping[str, str]) -> list[Chart]:
    """A chart per load and point of the axes other than threads.

    ``cells`` is as `spfvar.comparison.stats.summarise` makes it; ``titles`` may lack loads.
    """
    metric: Metric = METRICS[THROUGHPUT]
    charts = []
    for scenario, rows in cells[cells["metric"] == metric.name].groupby("scenario", sort=False):
        groups: dict[str, dict[str, list[Point]]] = {}
        records = [(json.loads(row["axes"]), row) for row in rows.to_dict("records")]
        varied = _varied([axes for axes, _ in records])
        for axes, row in records:
            subtitle = "".join(f", {name}={axes[name]}" for name in varied)
            curves = groups.setdefault(subtitle, {name: [] for name in names})
            point = Point(float(axes["threads"]), row["value"], row["ci_low"], row["ci_high"])
            curves[row["variant"]].append(point)
        for subtitle, curves in groups.items():
            drawn = tuple(
                Curve(name, tuple(sorted(points, key=lambda point: point.x)))
                for name, points in curves.items()
                if points
            )
            charts.append(Chart(str(scenario), subtitle, titles.get(str(scenario), ""), metric, drawn))
    return charts


def _varied(points: Sequence[Mapping[str, Any]]) -> list[str]:
    """The axes besides threads that have more than one value."""
    values: dict[str, set[Value]] = {}
    for axes in points:
        for name, value in axes.items():
            values.setdefault(name, set()).add(value)
    return [name for name, seen in values.items() if len(seen) > 1 and name != "threads"]
