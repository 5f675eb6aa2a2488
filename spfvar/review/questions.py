"""The reviewers' recorded questions, as data, and their answers from a run's results.

A question says which figures it wants; what a figure reads is below.  A question is answered if the variant
implements one of its hook points and at least one of its figures exists in this run.
"""

from __future__ import annotations

import fnmatch
import inspect
import json
import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Annotated, Literal

import pandas as pd
from pydantic import BaseModel, ConfigDict, Field, field_validator

from spfvar.comparison.metrics import METRICS, lookup
from spfvar.explore.verdict import SAFE, VIOLATION
from spfvar.matrix.catalogue import Catalogue
from spfvar.mm import hookspecs
from spfvar.plugins.variant import Variant
from spfvar.render import units
from spfvar.review.model import HELPS, HURTS, MIXED, SAME, UNSURE, Answer, RaceOutcome, Safety, Speed
from spfvar.review.speed import loss
from spfvar.review.words import (
    break_words,
    guard_name,
    metric_words,
    place,
    plural,
    range_of,
    value_text,
)


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class DuelFigure(_Strict):
    """Where the variant and a rival differ; rivals that implement ``has``, and none of ``lacks``."""

    read: Literal["duel"]
    has: list[str] = Field(default_factory=list)
    lacks: list[str] = Field(default_factory=list)


class MetricFigure(_Strict):
    """The variant's lowest or highest value of a metric in some loads, and the baseline's there."""

    read: Literal["metric"]
    metric: str
    extreme: Literal["lowest", "highest"]
    loads: list[str] = Field(default_factory=lambda: ["*"])

    _known = field_validator("metric")(lambda name: lookup(name).name)


class EffectFigure(_Strict):
    """The ratio to the baseline: the worst of some loads, or the one at the most threads."""

    read: Literal["effect"]
    metric: str
    at: Literal["worst", "most threads"] = "worst"
    loads: list[str] = Field(default_factory=lambda: ["*"])

    _known = field_validator("metric")(lambda name: lookup(name).name)


class EventsFigure(_Strict):
    """Where some of the variant's events, added up, are most frequent."""

    read: Literal["events"]
    events: list[str] = Field(min_length=1)
    name: str
    loads: list[str] = Field(default_factory=lambda: ["*"])


class RacesFigure(_Strict):
    """The verdicts of some races under the variant."""

    read: Literal["races"]
    races: list[str] = Field(min_length=1)


class GuardsFigure(_Strict):
    """What breaks without some of the variant's guards."""

    read: Literal["guards"]
    kind: str = "*"
    function: str = "*"
    name: str = "*"


Figure = Annotated[
    DuelFigure | MetricFigure | EffectFigure | EventsFigure | RacesFigure | GuardsFigure,
    Field(discriminator="read"),
]


class Question(_Strict):
    """One question: in our words, who asked it of what, and where it can be read.

    ``hooks``: it is about variants that implement one of these hook points.  ``caveat``: what no run can see.
    """

    id: str
    text: str
    asked: str
    source: str
    hooks: list[str] = Field(min_length=1)
    figure: list[Figure] = Field(min_length=1)
    caveat: str = ""


class QuestionFile(_Strict):
    """A file of questions about one family of designs."""

    kind: Literal["questions"]
    title: str
    question: list[Question] = Field(min_length=1)


def questions() -> Catalogue[QuestionFile]:
    """The files of questions: shipped, and dropped into ``questions/``, which are asked if they are named."""
    return Catalogue("file of questions", "questions", QuestionFile)


@dataclass(frozen=True, slots=True)
class Results:
    """What answers are read from.  ``rivals`` are the variants, the baseline first."""

    variant: Variant
    rivals: tuple[Variant, ...]
    cells: pd.DataFrame
    events: pd.DataFrame
    speed: Speed
    safety: Safety


def answer_all(
    catalogue: Catalogue[QuestionFile], results: Results, asked: Sequence[str] = ()
) -> tuple[Answer, ...]:
    """The answers to every question that this run can answer, in the order of files and questions.

    Those of the shipped files, and of the files that are ``asked`` by name, glob or path.
    """
    found = []
    for name in dict.fromkeys([*catalogue.select(()), *(catalogue.select(asked) if asked else ())]):
        for question in catalogue[name].question:
            answered = answer(question, results)
            if answered is not None:
                found.append(answered)
    return tuple(found)


def answer(question: Question, results: Results) -> Answer | None:
    """The answer; None if the question is not about this variant, or this run has none of its figures."""
    if not implemented(results.variant) & set(question.hooks):
        return None
    figures = [sentence for figure in question.figure for sentence in _read(figure, results)]
    if not figures:
        return None
    return Answer(
        question.id, question.text, question.asked, question.source, tuple(figures), question.caveat
    )


def implemented(variant: Variant) -> set[str]:
    """The hook points that a variant's own patches implement."""
    mark = f"{hookspecs.PROJECT}_impl"
    return {
        name
        for patch in variant.patches
        for name, member in inspect.getmembers(patch, inspect.isfunction)
        if hasattr(member, mark)
    }


def _read(figure: Figure, results: Results) -> Iterable[str]:
    match figure:
        case DuelFigure():
            return _duel(figure, results)
        case MetricFigure():
            return _metric(figure, results)
        case EffectFigure():
            return _effect(figure, results)
        case EventsFigure():
            return _events(figure, results)
        case RacesFigure():
            return _races(figure, results)
        case GuardsFigure():
            return _guards(figure, results)


def _duel(figure: DuelFigure, results: Results) -> Iterator[str]:
    for rival in results.rivals:
        theirs = implemented(rival)
        if not set(figure.has) <= theirs or theirs & set(figure.lacks):
            continue
        for duel in results.speed.duels:
            if duel.rival != rival.name:
                continue
            for word, kinds in (("better", (HELPS, MIXED)), ("WORSE", (HURTS, MIXED))):
                places = [
                    f"{load.scenario} ({range_of([e for e in load.effects if e.verdict == word])})"
                    for load in duel.where(*kinds)
                ]
                if places:
                    yield f"{word} than {rival.name} (faults/s) in {', '.join(places)}"
            same = [load.scenario for load in duel.where(SAME)]
            if same:
                yield f"no difference to {rival.name} in {', '.join(same)}"
            unsure = [load.scenario for load in duel.where(UNSURE)]
            if unsure:
                yield f"unsure against {rival.name} in {', '.join(unsure)}"


def _metric(figure: MetricFigure, results: Results) -> Iterator[str]:
    cells = results.cells
    rows = cells[(cells["metric"] == figure.metric) & cells["value"].notna()]
    mine = [
        row
        for row in rows[rows["variant"] == results.variant.name].to_dict("records")
        if _matches(row["scenario"], figure.loads)
    ]
    if not mine:
        return
    pick = min if figure.extreme == "lowest" else max
    found = pick(mine, key=lambda row: row["value"])
    metric = METRICS[figure.metric]
    baseline = results.rivals[0].name
    beside = rows[
        (rows["variant"] == baseline)
        & (rows["scenario"] == found["scenario"])
        & (rows["axes"] == found["axes"])
    ]
    text = f"{metric.title}: {figure.extreme} in {place(found['scenario'], json.loads(found['axes']))}, "
    text += value_text(found["value"], metric.name)
    if len(beside):
        text += f" ({baseline} there: {value_text(float(beside['value'].iloc[0]), metric.name)})"
    yield text


def _effect(figure: EffectFigure, results: Results) -> Iterator[str]:
    if not results.speed.duels:
        return
    duel = results.speed.duels[0]
    effects = [
        effect
        for effect in duel.effects
        if effect.metric == figure.metric
        and _matches(effect.scenario, figure.loads)
        and not math.isnan(effect.ratio)
    ]
    if not effects:
        return
    found = max(effects, key=loss if figure.at == "worst" else lambda effect: effect.threads)
    which = "worst ratio" if figure.at == "worst" else "ratio"
    told = f"{units.ratio(found.ratio)} ({found.verdict}) in {place(found.scenario, found.axes)}"
    yield f"{metric_words(figure.metric)}, {which} to {duel.rival}: {told}"


def _events(figure: EventsFigure, results: Results) -> Iterator[str]:
    events = results.events
    mine = events[(events["variant"] == results.variant.name) & events["event"].isin(figure.events)]
    totals: dict[tuple[str, str], float] = {}
    for row in mine.to_dict("records"):
        if _matches(row["scenario"], figure.loads):
            at = row["scenario"], row["axes"]
            totals[at] = totals.get(at, 0.0) + row["per_1000"]
    happened = {at: total for at, total in totals.items() if total > 0}
    if not totals:
        return
    if not happened:
        yield f"{figure.name}: never in these loads"
        return
    scenario, axes = max(happened, key=lambda at: happened[at])
    yield (
        f"{figure.name}: at most {units.digits(happened[scenario, axes])} per 1000 faults, "
        f"in {place(scenario, json.loads(axes))}"
    )
    without = sorted({at[0] for at in totals} - {at[0] for at in happened})
    if without:
        yield f"{figure.name}: never in {', '.join(without)}"


def _races(figure: RacesFigure, results: Results) -> Iterator[str]:
    outcomes = [
        outcome for outcome in results.safety.of(results.variant.name) if _matches(outcome.race, figure.races)
    ]
    for outcome in outcomes:
        yield f"{outcome.race} ({results.safety.races[outcome.race]}): {_outcome(outcome)}"


def _outcome(outcome: RaceOutcome) -> str:
    if outcome.verdict == VIOLATION:
        return f"{outcome.property} is violated, in {plural(outcome.steps, 'step')}"
    if outcome.verdict == SAFE:
        weak = ", but reached too little" if outcome.vacuous else ""
        return f"safe in all {plural(outcome.states, 'state')}{weak}"
    return f"open: {outcome.why}"


def _guards(figure: GuardsFigure, results: Results) -> Iterator[str]:
    needless = []
    for guard in results.safety.guards:
        texts = (guard.kind, figure.kind), (guard.function, figure.function), (guard.name, figure.name)
        if not all(fnmatch.fnmatchcase(text, glob) for text, glob in texts):
            continue
        if guard.breaks:
            yield f"without the {guard_name(guard)}: {break_words(guard.breaks[0])}"
        else:
            needless.append(f"the {guard_name(guard)} ({plural(len(guard.holds), 'race')})")
    if needless:
        yield f"not needed in the races that come by it: {'; '.join(needless)}"


def _matches(name: str, globs: Sequence[str]) -> bool:
    return any(fnmatch.fnmatchcase(name, glob) for glob in globs)
