"""The reviewers' questions: the shipped ones name what exists, and answers come from results."""

from __future__ import annotations

import fnmatch
import re
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

from spfvar.comparison.stats import axes_key
from spfvar.errors import InputError
from spfvar.matrix import catalogue
from spfvar.mm.hookspecs import HOOKS
from spfvar.plugins.registry import load_registry
from spfvar.review.model import UNSURE, Duel, LoadEffect, Safety, Speed
from spfvar.review.questions import (
    DuelFigure,
    EffectFigure,
    EventsFigure,
    MetricFigure,
    Question,
    QuestionFile,
    RacesFigure,
    Results,
    answer,
    answer_all,
    implemented,
    questions,
)
from spfvar.toml_input import parse_toml
from tests.review.made_up import duel, effect, guard, outcome, review

REGISTRY = load_registry()
SHIPPED = [question for name in questions().names() for question in questions()[name].question]
SPECULATIVE = REGISTRY["spf-do-fault"]
MAP_PAGES = REGISTRY["spf-map-pages"]
BASE = REGISTRY["mmap-lock"]
EMPTY = pd.DataFrame(columns=["variant", "scenario", "axes", "metric", "value"])
NO_EVENTS = pd.DataFrame(columns=["variant", "scenario", "axes", "event", "per_1000"])


def results(
    speed: Speed | None = None,
    safety: Safety | None = None,
    cells: pd.DataFrame = EMPTY,
    events: pd.DataFrame = NO_EVENTS,
) -> Results:
    """A run of the speculative series against the baseline and map_pages alone, with these results."""
    speed = speed if speed is not None else Speed((), (), ())
    safety = safety if safety is not None else Safety({}, (), (), ())
    return Results(SPECULATIVE, (BASE, MAP_PAGES), cells, events, speed, safety)


def question(figure: str, hooks: str = '["do_fault"]') -> Question:
    """One question that reads one figure."""
    text = (
        'kind = "questions"\ntitle = "t"\n[[question]]\nid = "i"\ntext = "Why?"\nasked = "A"\nsource = "s"\n'
        f"hooks = {hooks}\nfigure = [{figure}]\n"
    )
    return parse_toml(text, "q.toml", QuestionFile).question[0]


def figures(of: Question, run: Results) -> tuple[str, ...]:
    """The sentences of the answer, () for none."""
    found = answer(of, run)
    return found.figures if found is not None else ()


# --- the shipped files ---------------------------------------------------------------------------


@pytest.mark.parametrize("shipped", SHIPPED, ids=lambda question: question.id)
def test_a_shipped_question_names_what_exists(shipped: Question) -> None:
    """Hook points, loads, races and events; a name that nothing has would never be answered."""
    assert set(shipped.hooks) <= set(HOOKS)
    events = {event.name for variant in REGISTRY.variants.values() for event in variant.events}
    for figure in shipped.figure:
        if isinstance(figure, RacesFigure):
            assert set(figure.races) <= set(catalogue.races().names())
        if isinstance(figure, MetricFigure | EffectFigure | EventsFigure):
            loads = catalogue.scenarios().names()
            assert all(fnmatch.filter(loads, glob) for glob in figure.loads)
        if isinstance(figure, EventsFigure):
            assert set(figure.events) <= events
        if isinstance(figure, DuelFigure):
            assert set(figure.has) | set(figure.lacks) <= set(HOOKS)


@pytest.mark.parametrize("shipped", SHIPPED, ids=lambda question: question.id)
def test_a_shipped_question_can_be_read_where_it_was_asked(shipped: Question) -> None:
    """Its source is a message id or a commit; it is asked by somebody, and ends in a question mark."""
    assert re.fullmatch(r"[\w.+-]+@[\w.-]+|[0-9a-f]{12}", shipped.source)
    assert shipped.asked
    assert "?" in shipped.text


def test_every_shipped_question_is_about_some_variant() -> None:
    """And none is about the unpatched kernel."""
    hooks = [set(shipped.hooks) for shipped in SHIPPED]
    for wanted in hooks:
        assert any(wanted & implemented(variant) for variant in REGISTRY.variants.values())
        assert not wanted & implemented(BASE)
    assert len({shipped.id for shipped in SHIPPED}) == len(SHIPPED)


# --- reading figures -----------------------------------------------------------------------------


def test_a_question_about_other_designs_is_not_answered() -> None:
    """The series implements do_fault, and no vma_start_write."""
    run = results(safety=review().safety)
    reads = '{ read = "guards" }'
    assert figures(question(reads), run)
    assert answer(question(reads, '["vma_start_write"]'), run) is None


def test_a_question_without_a_figure_in_this_run_is_not_answered() -> None:
    """Its race was not run."""
    assert answer(question('{ read = "races", races = ["first-race"] }'), results()) is None


def test_a_duel_is_with_rivals_that_have_and_lack_hook_points() -> None:
    """map_pages alone has fault-around and no do_fault; the baseline has neither."""
    reads = '{ read = "duel", has = ["do_fault_around"], lacks = ["do_fault"] }'
    speed = Speed((duel("mmap-lock"), duel("spf-map-pages")), (), ())
    assert figures(question(reads), results(speed)) == (
        "better than spf-map-pages (faults/s) in fast-load (x2.00)",
        "WORSE than spf-map-pages (faults/s) in slow-load (x0.80)",
        "no difference to spf-map-pages in even-load",
    )
    assert figures(question(reads), results(Speed((duel("mmap-lock"),), (), ()))) == ()


def test_a_load_that_is_unsure_is_not_said_to_be_no_different() -> None:
    """It is said to be unsure."""
    reads = '{ read = "duel", has = ["do_fault_around"], lacks = ["do_fault"] }'
    open_load = LoadEffect("open-load", "t", UNSURE, (effect("open-load", 4, 0.78, "unsure"),))
    speed = Speed((Duel("spf-map-pages", (open_load,), (), ()),), (), ())
    assert figures(question(reads), results(speed)) == ("unsure against spf-map-pages in open-load",)


def cells(**values: float) -> pd.DataFrame:
    """The share of speculative faults that succeeded, by load; the baseline's is 1."""
    rows = [("spf-do-fault", name, axes_key({"threads": 4}), "spec_success", v) for name, v in values.items()]
    rows += [("mmap-lock", name, axes_key({"threads": 4}), "spec_success", 1.0) for name in values]
    return pd.DataFrame(rows, columns=["variant", "scenario", "axes", "metric", "value"])


def test_a_metric_is_read_at_its_extreme_and_follows_the_results() -> None:
    """The lowest of the loads that are asked for, with the baseline's value there."""
    reads = '{{ read = "metric", metric = "spec_success", extreme = "{}", loads = ["f*"] }}'
    run = results(cells=cells(first=0.25, fourth=0.75, other=0.1))
    text = "speculative faults that succeeded: {} in {} at 4 threads, {} (mmap-lock there: 100.0 %)"
    assert figures(question(reads.format("lowest")), run) == (text.format("lowest", "first", "25.0 %"),)
    assert figures(question(reads.format("highest")), run) == (text.format("highest", "fourth", "75.0 %"),)
    changed = results(cells=cells(first=0.5))
    assert "50.0 %" in figures(question(reads.format("lowest")), changed)[0]


def test_an_effect_is_read_against_the_baseline() -> None:
    """The worst ratio of a metric; or the one at the most threads, whatever it is."""
    base = duel("mmap-lock")
    more = (*base.effects, effect("slow-load", 16, 0.9, "same"))
    run = results(Speed((replace(base, effects=more), duel("spf-map-pages")), (), ()))
    worst = '{ read = "effect", metric = "faults_per_s" }'
    most = '{ read = "effect", metric = "faults_per_s", at = "most threads", loads = ["slow-*"] }'
    assert figures(question(worst), run) == (
        "faults/s, worst ratio to mmap-lock: x0.80 (WORSE) in slow-load at 4 threads",
    )
    assert figures(question(most), run) == (
        "faults/s, ratio to mmap-lock: x0.90 (same) in slow-load at 16 threads",
    )


def test_events_are_added_up_where_they_are_most_frequent() -> None:
    """Two reasons of 1.5 and 2 per 1000 faults make 3.5; a load without any is named."""
    at = axes_key({"threads": 4})
    rows = [
        ("spf-do-fault", "busy", at, "odd", 1.5), ("spf-do-fault", "busy", at, "seq", 2.0),
        ("spf-do-fault", "calm", at, "odd", 0.0), ("spf-map-pages", "busy", at, "odd", 900.0),
    ]  # fmt: skip
    events = pd.DataFrame(rows, columns=["variant", "scenario", "axes", "event", "per_1000"])
    reads = '{ read = "events", name = "gave up", events = ["odd", "seq"] }'
    assert figures(question(reads), results(events=events)) == (
        "gave up: at most 3.50 per 1000 faults, in busy at 4 threads",
        "gave up: never in calm",
    )


@pytest.mark.parametrize(
    ("verdict", "said"),
    [
        ("safe", "safe in all 1234 states"), ("violation", "P1 is violated, in 2 steps"),
        ("incomplete", "open: max_states"),
    ],
)  # fmt: skip
def test_races_are_answered_by_their_verdicts(verdict: str, said: str) -> None:
    """Of the variant, not of its rivals."""
    cells_ = (outcome("spf-do-fault", "one", verdict), outcome("mmap-lock", "one", "violation"))
    run = results(safety=Safety({"one": "a against b"}, cells_, (), ()))
    assert figures(question('{ read = "races", races = ["one"] }'), run) == (f"one (a against b): {said}",)


def test_guards_say_what_breaks_without_them() -> None:
    """Chosen by kind, function and name; one that nothing needs says so."""
    run = results(safety=review().safety)
    assert figures(question('{ read = "guards", name = "look*" }'), run) == (
        "without the check in do_fault(): look again: P1 in first-race, 36 steps: access to a freed object",
    )
    assert figures(question('{ read = "guards", name = "no use" }'), run) == (
        "not needed in the races that come by it: the check in do_fault(): no use (1 race)",
    )
    assert figures(question('{ read = "guards", kind = "IPI" }'), run) == ()
    assert guard("x").breaks == ()


# --- a user's own file ---------------------------------------------------------------------------


def test_files_beside_the_user_are_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As scenarios and races are."""
    folder = tmp_path / "questions"
    folder.mkdir()
    (folder / "mine.toml").write_text(
        'kind = "questions"\ntitle = "t"\n[[question]]\nid = "i"\ntext = "Why?"\nasked = "A"\nsource = "s"\n'
        'hooks = ["do_fault"]\nfigure = [{ read = "guards" }]\n'
    )
    monkeypatch.chdir(tmp_path)
    assert questions()["mine"].question[0].text == "Why?"
    run = results(safety=review().safety)
    unasked, asked = answer_all(questions(), run), answer_all(questions(), run, ["mine"])
    assert (
        [one for one in asked if one not in unasked] == [one for one in asked if one.question == "Why?"] != []
    )


@pytest.mark.parametrize(
    ("figure", "part"),
    [
        ('{ read = "metric", metric = "spec_succes", extreme = "lowest" }', "spec_success"),
        ('{ read = "guess" }', "read"),
        ('{ read = "races" }', "races"),
    ],
)
def test_a_mistake_in_a_file_is_told_where_it_is(figure: str, part: str) -> None:
    """An unknown metric with the nearest name, an unknown way to read, a missing key."""
    with pytest.raises(InputError, match=part) as told:
        question(figure)
    assert "q.toml" in str(told.value)
