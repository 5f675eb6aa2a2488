"""Whole reviews of small scopes: what is run, and that the same is said however it is run."""

from __future__ import annotations

import re
from contextlib import closing
from pathlib import Path
from threading import Thread, current_thread
from typing import Any

import pytest

from spfvar.errors import InputError
from spfvar.explore.replay import REPRODUCED
from spfvar.explore.tokens import parse
from spfvar.matrix import catalogue
from spfvar.matrix.replaying import replay_token
from spfvar.plugins.registry import load_registry
from spfvar.review import build
from spfvar.review.build import PHASES, _apart, make_review, make_scope
from spfvar.review.html import render_html
from spfvar.review.mail import render_mail, render_short
from spfvar.review.markdown import render_markdown
from spfvar.review.model import Review
from spfvar.review.patchmail import parse_patch
from spfvar.store.database import Store
from tests.explore import broken
from tests.review.made_up import PATCH

REGISTRY = load_registry()
MAIL = parse_patch(PATCH.replace(b"1/2", b"24/37").replace(b"<1@", b"<9-25-a@"))
SMALL = {"loads": ["file-cow"], "races": ["munmap-file"], "threads": [4], "seeds": 3, "generated": 60}

Told = list[tuple[str, int, int]]
Runs = tuple[Review, Review, Review, Told, Told, Told]


def run(jobs: int) -> tuple[Review, Told]:
    """The speculative series as patch 24, on one load in one race; and the progress that was told."""
    told: Told = []
    scope = make_scope(REGISTRY, "spf-do-fault", patch=MAIL, **SMALL)  # type: ignore[arg-type]
    return make_review(REGISTRY, scope, "line", jobs, lambda *what: told.append(what)), told


@pytest.fixture(scope="module")
def runs() -> Runs:
    """The same review with one worker, with two, and with two of which one is a process; and what they told."""
    one, alone = run(1)
    two, beside = run(2)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(build, "WORTH_A_PROCESS", 0)
        patch.setattr(build, "take_out", pytest.fail)  # here
        three, apart = run(2)
    return one, two, three, alone, beside, apart


def test_the_same_bytes_however_many_work(runs: Runs) -> None:
    """Nothing of a review depends on time or on the order in which workers end: one lane after the other, or both."""
    one, two, three, *_ = runs
    for render in (render_mail, render_markdown, render_html, Review.json):
        assert render(one) == render(two) == render(three)


def test_progress_goes_through_every_phase_to_its_end(
    runs: Runs,
) -> None:
    """In order, or of each lane so, and beside one another; each phase tells at last that all is done."""
    *_, alone, beside, apart = runs
    assert list(dict.fromkeys(phase for phase, _, _ in alone)) == list(PHASES)
    for told in (beside, apart):
        order = [phase for phase, _, _ in told]
        for lane in (PHASES[:3], PHASES[3:]):
            assert [phase for phase in dict.fromkeys(order) if phase in lane] == list(lane)
    for told in (alone, beside, apart):
        for phase in PHASES:
            done, total = [(done, total) for name, done, total in told if name == phase][-1]
            assert done == total > 0


def test_a_process_of_its_own_uses_the_same_store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Verdicts that it kept are found by the next one, and are counted here."""
    monkeypatch.setattr(build, "WORTH_A_PROCESS", 0)
    scope = make_scope(REGISTRY, "spf-do-fault", **SMALL | {"generated": 0})  # type: ignore[arg-type]
    hits = []
    for _ in range(2):
        with closing(Store(tmp_path / "store")) as store:
            _apart(scope, 1, store, lambda *_: None, lambda: None)
            hits.append(store.hits)
    assert hits[0] < hits[1] == len(scope.variants)


@pytest.mark.parametrize("lane", ["find_flips", "ablate"])
@pytest.mark.parametrize("jobs", [1, 2])
def test_an_error_in_either_lane_is_the_reviews(
    jobs: int, lane: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As it was raised, whatever the other lane does."""

    def fail(*_: object, **__: object) -> None:
        raise InputError(f"{lane} failed")

    monkeypatch.setattr(build, lane, fail)
    with pytest.raises(InputError, match=f"{lane} failed"):
        run(jobs)


def test_an_error_stops_the_other_lane(monkeypatch: pytest.MonkeyPatch) -> None:
    """No assumption is moved for a review that there will not be."""

    def fail(*_: object, **__: object) -> None:
        raise InputError("failed")

    monkeypatch.setattr(build, "run_checks", fail)
    monkeypatch.setattr(build, "find_flips", pytest.fail)
    with pytest.raises(InputError, match="failed"):
        run(2)


def test_a_plugins_lanes_are_one_after_the_other_in_the_thread_that_calls(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Its texts are extracted within bounds there, whatever the number of jobs."""
    threads: list[tuple[str, Thread]] = []
    for name in ("run_comparison", "find_times", "flips", "check", "take_out", "hunt"):
        real = getattr(build, name)

        def noted(*args: Any, _name: str = name, _real: Any = real, **named: Any) -> Any:
            threads.append((_name, current_thread()))
            return _real(*args, **named)

        monkeypatch.setattr(build, name, noted)
    registry = load_registry([broken.__file__])
    small: dict[str, Any] = {**SMALL, "loads": ["pft"], "threads": [1], "seeds": 2, "generated": 0}
    make_review(registry, make_scope(registry, "no-rcu-free", against=["mmap-lock"], **small), "line", jobs=2)
    assert [name for name, _ in threads] == [
        "run_comparison", "find_times", "flips", "check", "take_out", "hunt",
    ]  # fmt: skip
    assert {thread for _, thread in threads} == {current_thread()}


def test_what_is_compared_by_itself(runs: Runs) -> None:
    """The baseline and the rival that the variant names; the load at the threads asked for."""
    review = runs[0]
    assert [rival.name for rival in review.rivals] == ["mmap-lock", "spf-map-pages"]
    assert [duel.rival for duel in review.speed.duels] == ["mmap-lock", "spf-map-pages"]
    (load,) = review.speed.against("spf-map-pages").loads
    assert [(load.scenario, effect.threads) for effect in load.effects] == [("file-cow", 4)]
    assert {found.threads for found in review.sensitivity} == {4}
    assert {found.axis for found in review.sensitivity} >= {"hit_rate", "fault_around"}


def test_generated_races_are_a_sample_and_are_told_of(
    runs: Runs,
) -> None:
    """At least the 60 that were asked for, in whole slices; the design is sound, so none of them breaks it."""
    review = runs[0]
    generated = review.safety.generated
    assert generated is not None
    assert 60 <= generated.races < 60 + 64 * 30
    assert (generated.sample, generated.complete, generated.violations) == (True, True, ())
    said = f"nothing breaks in {generated.races} races of up to 3 statements, a sample"
    assert review.verdict.generated == said
    assert said in " ".join(render_mail(review).split())
    assert said in " ".join(render_short(review).split())


def test_a_generated_race_that_breaks_makes_a_design_unsafe() -> None:
    """A plugin's, that frees at once, in a race that nothing is freed in: safe there, and not in others."""
    registry = load_registry([broken.__file__])
    scope = make_scope(
        registry, "no-rcu-free", against=["mmap-lock"], loads=["pft"], races=["punch-read"], threads=[1],
        seeds=2, generated=400, plugins=[broken.__file__],
    )  # fmt: skip
    review = make_review(registry, scope, "line", jobs=1)
    generated = review.safety.generated
    assert generated is not None
    assert "P1" in {found.property for found in generated.violations}
    assert review.verdict.is_safe is False
    assert review.verdict.safe.startswith("NO, in generated races: P1 in ")
    mail = " ".join(render_mail(review).split())
    for found in generated.violations:
        assert f"{found.race}: {found.property}, " in mail


def test_the_patchs_guards_and_the_race_that_needs_them(
    runs: Runs,
) -> None:
    """Patch 24's RCU section and its check: without either, the file is used after it was freed (P2)."""
    own = [guard for guard in runs[0].safety.guards if guard.is_of_patch]
    assert sorted(guard.kind for guard in own) == ["RCU section", "check"]
    for guard in own:
        assert [(found.race, found.property) for found in guard.breaks] == [("munmap-file", "P2")]


def test_the_question_of_the_patchs_reviewer_is_answered_with_a_ratio(
    runs: Runs,
) -> None:
    """Private write faults: what the author answered, and what this one load shows."""
    answers = {answer.id: answer for answer in runs[0].questions}
    text = " ".join(answers["beyond-map-pages"].figures)
    assert "better than spf-map-pages" in text
    assert "file-cow (x1." in text


def test_a_broken_design_is_called_unsafe_with_its_trace() -> None:
    """Without grace periods: P1 in this race; the report says NO, and shows the steps and the token."""
    registry = load_registry([broken.__file__])
    small: dict[str, Any] = {**SMALL, "generated": 0}
    scope = make_scope(registry, "no-rcu-free", against=["mmap-lock"], **small)
    review = make_review(registry, scope, "line", jobs=1)
    assert review.verdict.is_safe is False
    text = render_mail(review)
    assert "Safe:     NO, 1 of 1 race: P1 in munmap-file" in text
    assert "=> access to a recycled object" in text or "=> access to a freed object" in text
    assert "no-rcu-free:munmap-file:" in text


def test_rivals_that_make_no_sense_are_refused() -> None:
    """A variant beside itself, one that does not exist, and the baseline with nothing to hold it against."""
    with pytest.raises(InputError, match="compared with itself"):
        make_scope(REGISTRY, "spf-anon", against=["spf-anon"])
    with pytest.raises(InputError, match="spf-map-pages"):
        make_scope(REGISTRY, "spf-anon", against=["spf-map-page"])
    with pytest.raises(InputError, match="nothing to compare"):
        make_scope(REGISTRY, "mmap-lock")


def test_the_baseline_can_be_reviewed_against_another_design() -> None:
    """Then the rival is what ratios refer to."""
    scope = make_scope(REGISTRY, "mmap-lock", against=["spf-anon"], loads=["pft"])
    assert [rival.name for rival in scope.rivals] == ["spf-anon"]
    assert scope.plan.baseline == "spf-anon"


def test_a_repaired_variant_is_reviewed_as_posted_first() -> None:
    """mbind frees the policy that a speculative fault reads (H4), unless NoPolicy keeps the fault away.

    The trace's token replays by the name of the posted form, which nobody has declared.
    """
    scope = make_scope(REGISTRY, "spf-anon", loads=["pft"], races=["mbind"], threads=[1], seeds=2)
    review = make_review(REGISTRY, scope, "line", jobs=1)
    assert review.verdict.is_safe is False
    assert review.verdict.safe == "As posted: NO (1 of 1 race). With 5 repairs: yes."
    (found,) = [one for one in review.safety.violations if one.variant == "spf-anon-posted"]
    assert found.property == "P2"
    replay = replay_token(parse(found.token), load_registry(), catalogue.races())
    assert replay.outcome == REPRODUCED
    page = re.sub(r"<[^>]+>", " ", render_html(review))  # where each sentence has a colour of its own
    for text in (render_mail(review), render_short(review), render_markdown(review), page):
        assert "As posted: NO (1 of 1 race). With 5 repairs: yes." in " ".join(text.split())
    mail = " ".join(render_mail(review).split())
    for repair in REGISTRY["spf-anon"].repairs:
        assert f"{repair.bugs[0]}: {repair.what}" in mail


def test_the_posted_form_has_nothing_to_be_repaired() -> None:
    """spf-posted is what was posted, bugs and all: no part of it is called unposted."""
    scope = make_scope(REGISTRY, "spf-posted", loads=["pft"], races=["mbind"], threads=[1], seeds=2)
    review = make_review(REGISTRY, scope, "line", jobs=1)
    assert review.posted is None
    assert review.verdict.safe == "NO, 1 of 1 race: P2 in mbind"
    assert "not posted" not in render_mail(review).lower()


def test_every_load_is_run_unless_some_are_named() -> None:
    """Those that compare does not run unasked at their most threads; their losses are not hidden."""
    every = catalogue.scenarios()
    scope = make_scope(REGISTRY, "spf-anon", against=["mmap-lock"])
    assert set(scope.plan.scenario_hashes) == set(every.names())
    assert set(scope.once) == {name for name in every.names() if not every[name].default}
    counts: dict[str, set[int]] = {}
    for cell in scope.plan.cells:
        counts.setdefault(cell.load.scenario, set()).add(int(cell.axes["threads"]))
    for name in every.names():
        own = {int(count) for count in every[name].axes["threads"].values}
        assert counts[name] == ({max(own)} if name in scope.once else own)
    named = make_scope(REGISTRY, "spf-anon", against=["mmap-lock"], loads=["many-mmap"])
    assert not named.once
    assert {cell.axes["threads"] for cell in named.plan.cells} == set(
        every["many-mmap"].axes["threads"].values
    )
