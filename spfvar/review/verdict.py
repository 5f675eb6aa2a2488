"""The verdict of a review in three lines: safe or not, worth it where, who pays.  From results alone."""

from __future__ import annotations

import math
from collections.abc import Sequence

from spfvar.comparison.depends import OPEN
from spfvar.explore.verdict import INCOMPLETE, VIOLATION
from spfvar.kernel.conform import Conformity
from spfvar.render.meta import open_because
from spfvar.render.verdicts import count_text
from spfvar.review.model import (
    HELPS,
    HURTS,
    MIXED,
    VERDICT_WIDTH,
    Duel,
    Generated,
    LoadEffect,
    RaceOutcome,
    Safety,
    Sentence,
    Speed,
    Subject,
    Verdict,
)
from spfvar.review.speed import THROUGHPUT, loss
from spfvar.review.words import fitting, fitting_with, plural, range_of, ratio_of


def make_verdict(safety: Safety, speed: Speed, variant: Subject, posted: str = "", text: str = "") -> Verdict:
    """The three lines against the baseline (the first rival), and one line for each other rival.

    ``text``: how the variant's text compares with a booted kernel (`text_line`).

    ``posted`` names the form without the variant's repairs, if it has some: what it is comes first.
    """
    sentences = _as_posted(safety, variant, posted) if posted else (_safe(safety, variant.name),)
    is_safe, safe = sentences[0][1], " ".join(text for text, _ in sentences)
    generated = _of_generated(safety.generated) if safety.generated is not None else ""
    if not speed.duels:
        unknown = "not known: nothing could be run"
        return Verdict(is_safe, safe, generated, text, unknown, "not known", (), sentences)
    first, *others = speed.duels
    return Verdict(
        is_safe, safe, generated, text, _worth(first), _pays(first),
        tuple((duel.rival, _beside(duel)) for duel in others), sentences,
    )  # fmt: skip


def text_line(found: Conformity | None) -> str:
    """ "4058 of 4058 faults recorded on 6.12.117 are paths of it; 8 abstracted (...)"; None: no recording."""
    if found is None:
        return "never compared with a booted kernel"
    letters = len(found.abstracted)
    return (
        f"{found.paths} of {found.faults} faults recorded on {found.kernel} are paths of it"
        f"{f'; {letters} abstracted (spfvar conform {found.variant} lists them)' if letters else ''}"
        f"{'; none of its own steps was seen' if found.unseen else ''}"
    )


def _safe(safety: Safety, variant: str) -> Sentence:
    outcomes = safety.of(variant)
    broken = sorted((o for o in outcomes if o.verdict == VIOLATION), key=lambda o: (o.steps, o.race))
    left = [o for o in outcomes if o.verdict == INCOMPLETE]
    races = plural(len(outcomes), "race")
    generated = safety.generated.violations if safety.generated is not None else ()
    if broken or generated:
        counted = f"NO, {len(broken)} of {races}: " if broken else "NO, in generated races: "
        items = [f"{o.property} in {o.race}" for o in broken or generated]
        return counted + fitting(items, VERDICT_WIDTH - len(counted), ""), False
    if left:
        counted = f"open in {len(left)} of {races}: "
        return counted + fitting([o.race for o in left], VERDICT_WIDTH - len(counted), ""), None
    states = count_text(sum(o.states for o in outcomes))
    text = f"yes: every interleaving of {races}, {states} states"
    weak = sum(bool(o.vacuous) for o in outcomes)
    return text + (f"; {weak} vacuous" if weak else ""), True


def _as_posted(safety: Safety, variant: Subject, posted: str) -> tuple[Sentence, Sentence]:
    """ "As posted: NO (45 of 195 races).", "With 6 repairs: yes."."""
    is_safe, short = _in_short(safety.of(posted))
    repairs = plural(len(variant.repairs), "repair")
    mended, repaired = _in_short(safety.of(variant.name))
    if safety.generated is not None and safety.generated.violations and mended is not False:
        mended, repaired = False, f"NO ({plural(len(safety.generated.violations), 'generated race')})"
    return (f"As posted: {short}.", is_safe), (f"With {repairs}: {repaired}.", mended)


def _of_generated(generated: Generated) -> str:
    """ "nothing breaks in 5012 races of up to 3 statements, a sample"."""
    which = f"{generated.races} races of up to {generated.size} statements"
    which += (", a sample" if generated.sample else "") + ("" if generated.complete else ", incomplete")
    if not generated.violations:
        return f"nothing breaks in {which}"
    first, *others = generated.violations
    more = f", and {len(others)} more" if others else ""
    return f"{first.property} in {first.race}{more}, of {which}"


def _in_short(outcomes: Sequence[RaceOutcome]) -> tuple[bool | None, str]:
    races = plural(len(outcomes), "race")
    for verdict, is_safe, word in ((VIOLATION, False, "NO"), (INCOMPLETE, None, "open")):
        count = sum(outcome.verdict == verdict for outcome in outcomes)
        if count:
            return is_safe, f"{word} ({count} of {races})"
    weak = sum(bool(outcome.vacuous) for outcome in outcomes)
    return True, "yes" + (f" ({weak} vacuous)" if weak else "")


def _worth(duel: Duel) -> str:
    loads = _best_first(duel)
    counted = f"{len(loads)} of {plural(len(duel.loads), 'load')}"
    if not loads:
        likely = _likely(duel, "likely better")
        return f"nowhere: better than {duel.rival} in {counted}" + (f"; {likely}" if likely else "")
    items = [f"{load.scenario} {ratio_of(load.gain)}" for load in loads]
    return f"{counted}: " + fitting(items, VERDICT_WIDTH - len(counted) - 2, "")


def _pays(duel: Duel) -> str:
    """The largest losses, those of throughput and of writers among them; the rest is counted."""
    if not duel.costs:
        return _nobody(duel)
    items = [f"{cost.scenario} {ratio_of(cost)}" for cost in duel.costs]
    largest: dict[str, int] = {}
    for index, cost in enumerate(duel.costs):
        largest.setdefault(cost.metric if cost.metric == THROUGHPUT else cost.metric.partition("_")[0], index)
    must = {index for kind, index in largest.items() if kind in (THROUGHPUT, "writer")}
    return fitting_with(items, must | {0}, 2 * VERDICT_WIDTH)


def _nobody(duel: Duel) -> str:
    likely = _likely(duel, "likely WORSE")
    if likely:
        return f"nobody for sure; {likely}"
    unsure = sum(effect.verdict in OPEN for effect in duel.effects)
    if unsure:
        why = open_because(draws=duel.of_draws)
        return f"none found, but {unsure} of {plural(len(duel.effects), 'cell')} unsure: {why}"
    return "nobody: no rate and no latency is WORSE"


def _likely(duel: Duel, verdict: str) -> str:
    """ "likely file-cow x0.91": the farthest cell of throughput with that verdict, or else of any outcome."""
    found = [effect for effect in duel.effects if effect.verdict == verdict]
    found = [effect for effect in found if effect.metric == THROUGHPUT] or found
    if not found:
        return ""
    effect = max(found, key=lambda one: loss(one) if verdict == "likely WORSE" else -loss(one))
    return f"likely {effect.scenario} {ratio_of(effect)}"


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
        key=lambda load: -load.gain.ratio if math.isfinite(load.gain.ratio) else math.inf,
    )
