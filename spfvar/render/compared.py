"""Of a finished comparison: what its reports say around their tables, and what it says in short."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence

from spfvar.comparison.metrics import METRICS, Metric
from spfvar.matrix.compare import Comparison, by_draw, rule_of
from spfvar.matrix.plan import smaller_notes
from spfvar.render import rivals
from spfvar.render.blocks import Block
from spfvar.render.digest import Digest, digest_of
from spfvar.render.machines import OnMachine
from spfvar.render.meta import Meta
from spfvar.render.tables import build_blocks, events_blocks


def meta_of(comparison: Comparison, commands: Sequence[Sequence[str]], duels: bool = True) -> Meta:
    """Where it comes from; ``commands``: the command lines that give it, without ``spfvar``.

    ``duels``: are there notes on how rivals differ?  Nobody sees them in a summary without tables.
    """
    plan = comparison.plan
    notes = list(smaller_notes(plan.scenarios, plan.cells))
    remarks = [note for note in plan.notes if note not in notes]
    for variant in plan.variants if duels else ():
        for rival in variant.rivals:
            values = by_draw(comparison.samples.values, plan.ensemble)
            found = rivals.duel(values, variant.name, rival, plan.thresholds, rule_of(plan.ensemble))
            if found is not None:
                notes += rivals.sentences(found)
    return Meta(
        version=plan.version,
        model_version=plan.model,
        hardware=plan.hardware,
        baseline=plan.baseline,
        matrix_hash=plan.matrix_hash,
        seeds=plan.seeds if plan.ensemble is None else min(plan.seeds, len(plan.ensemble.factors)),
        seed=plan.seed,
        reproduce="; ".join(shlex.join(["spfvar", *command]) for command in commands),
        scenario_hashes=plan.scenario_hashes,
        notes=notes,
        thresholds=plan.thresholds,
        draws=plan.ensemble is not None,
        fidelity=plan.profile.fidelity,
        remarks=remarks,
    )


def in_short(comparison: Comparison, metrics: Mapping[str, Metric] = METRICS) -> Digest:
    """The digest of throughput, or where that is not shown of the first of the metrics."""
    plan = comparison.plan
    return digest_of(
        comparison.comparisons,
        baseline=plan.baseline,
        metric=summed_up(metrics),
        variants=[variant.name for variant in plan.variants],
        thresholds=plan.thresholds,
    )


def summed_up(metrics: Mapping[str, Metric]) -> Metric:
    """What a summary is about."""
    return metrics.get("faults_per_s") or next(iter(metrics.values()))


def tables_of(comparison: Comparison, metrics: Mapping[str, Metric] = METRICS) -> list[Block]:
    """A table for each load and metric."""
    plan = comparison.plan
    return build_blocks(
        comparison.cells, comparison.comparisons, baseline=plan.baseline, metrics=metrics,
        thresholds=plan.thresholds, intervals=plan.ensemble is not None,
    )  # fmt: skip


def events_of(comparison: Comparison) -> list[Block]:
    """What variants counted, and what that means."""
    events = [event for variant in comparison.plan.variants for event in variant.events]
    reasons = {event.name: event.doc for event in events if event.role == "reason"}
    runs = "seeds" if comparison.plan.ensemble is None else "draws"
    return events_blocks(comparison.events[comparison.events["event"].isin(reasons)], reasons, runs)


def on_machine_of(comparison: Comparison, commands: Sequence[Sequence[str]]) -> OnMachine:
    """A comparison as one of several, on as many machines."""
    meta = meta_of(comparison, commands)
    return OnMachine(meta, comparison.cells, comparison.comparisons, comparison.events)
