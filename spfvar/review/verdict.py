"""The verdict of a review in three lines: safe or not, worth it where, who pays.  From results alone."""

from __future__ import annotations

import math

from spfvar.comparison.metrics import METRICS
from spfvar.explore.verdict import INCOMPLETE, VIOLATION
from spfvar.report.verdicts import count_text
from spfvar.review.model import (
    HELPS,
    HURTS,
    MIXED,
    VERDICT_WIDTH,
    Duel,
    Effect,
    LoadEffect,
    Safety,
    Speed,
    Verdict,
)
from spfvar.review.speed import THROUGHPUT
from spfvar.review.words import fitting, plural, range_of, ratio_of


def make_verdict(safety: Safety, speed: Speed, variant: str) -> Verdict:
    """The three lines against the baseline (the first rival), and one line for each other rival."""
    is_safe, safe = _safe(safety, variant)
    if not speed.duels:
        return Verdict(is_safe, safe, "not known: nothing could be run", "not known", ())
    first, *others = speed.duels
    return Verdict(
        is_safe, safe, _worth(first), _pays(first), tuple((duel.rival, _beside(duel)) for duel in others)
    )


def _safe(safety: Safety, variant: str) -> tuple[bool | None, str]:
    outcomes = safety.of(variant)
    broken = sorted((o for o in outcomes if o.verdict == VIOLATION), key=lambda o: (o.steps, o.race))
    left = [o for o in outcomes if o.verdict == INCOMPLETE]
    races = plural(len(outcomes), "race")
    if broken:
        counted = f"NO, {len(broken)} of {races}: "
        items = [f"{o.property} in {o.race}" for o in broken]
        return False, counted + fitting(items, VERDICT_WIDTH - len(counted), "")
    if left:
        counted = f"open in {len(left)} of {races}: "
        return None, counted + fitting([o.race for o in left], VERDICT_WIDTH - len(counted), "")
    states = count_text(sum(o.states for o in outcomes))
    text = f"yes: every interleaving of {races}, {states} states"
    weak = sum(bool(o.vacuous) for o in outcomes)
    return True, text + (f"; {weak} vacuous" if weak else "")


def _worth(duel: Duel) -> str:
    loads = _best_first(duel)
    counted = f"{len(loads)} of {plural(len(duel.loads), 'load')}"
    if not loads:
        return f"nowhere: better than {duel.rival} in {counted}"
    items = [f"{load.scenario} {ratio_of(load.best)}" for load in loads]
    return f"{counted}: " + fitting(items, VERDICT_WIDTH - len(counted) - 2, "")


def _pays(duel: Duel) -> str:
    """The worst of throughput, of writers and of faults, then the rest."""
    first: dict[str, Effect] = {}
    for cost in duel.costs:
        first.setdefault(cost.metric if cost.metric == THROUGHPUT else cost.metric.partition("_")[0], cost)
    leading = sorted(first.values(), key=lambda cost: list(METRICS).index(cost.metric))
    order = leading + [cost for cost in duel.costs if cost not in leading]
    items = [f"{cost.scenario} {ratio_of(cost)}" for cost in order]
    return fitting(items, VERDICT_WIDTH, _nobody(duel))


def _nobody(duel: Duel) -> str:
    unsure = sum(effect.verdict == "unsure" for effect in duel.effects)
    if unsure:
        return f"none found, but {unsure} of {plural(len(duel.effects), 'cell')} unsure: more seeds may tell"
    return "nobody: no rate and no latency is WORSE"


def _beside(duel: Duel) -> str:
    """ "better in 3 of 11 loads: file-cow (x1.15 to x2.49), ...; WORSE in none"."""
    parts: list[str] = []
    for word, loads in (("better", _best_first(duel)), ("WORSE", duel.where(HURTS, MIXED))):
        items = [
            f"{load.scenario} ({range_of([e for e in load.effects if e.verdict == word])})" for load in loads
        ]
        where = f"{len(loads)} of {plural(len(duel.loads), 'load')}: {', '.join(items)}" if items else "none"
        parts.append(f"{word} in {where}")
    return "; ".join(parts)


def _best_first(duel: Duel) -> list[LoadEffect]:
    return sorted(
        duel.where(HELPS, MIXED),
        key=lambda load: -load.best.ratio if math.isfinite(load.best.ratio) else math.inf,
    )
