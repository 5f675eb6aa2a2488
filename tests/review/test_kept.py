"""Kept reviews: drawn from what the first one was made of, in every form the same."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from spfvar.explore.options import Options
from spfvar.matrix.catalogue import Known
from spfvar.matrix.keys import package_digest
from spfvar.plugins.registry import load_registry
from spfvar.review import kept
from spfvar.review.build import Scope, make_review, make_scope
from spfvar.review.html import render_html
from spfvar.review.kept import kept_review, review_key
from spfvar.review.mail import render_mail
from spfvar.review.markdown import render_markdown
from spfvar.review.model import Review
from spfvar.store.database import Store
from tests.explore import broken

REGISTRY = load_registry()


def scope(**more: object) -> Scope:
    """A small review, with a violation: of what was posted."""
    asked = {"against": ["mmap-lock"], "loads": ["pft"], "races": ["munmap-anon", "munmap-file"], "threads": [1, 2],
             "seeds": 2}  # fmt: skip
    return make_scope(REGISTRY, "spf-do-fault", **asked | more)  # type: ignore[arg-type]


def never() -> Review:
    raise AssertionError("it was made again")


def test_every_form_of_a_kept_review_is_the_same(tmp_path: Path) -> None:
    """NaN and traces too; only the line that makes it again is the second one's."""
    wanted = scope()
    store = Store(tmp_path / "results.sqlite")
    made = kept_review(store, wanted, "line", lambda: make_review(REGISTRY, wanted, "line"))
    found = kept_review(store, wanted, "line", never)
    for render in (render_html, render_markdown, render_mail):
        assert render(found) == render(made)
    other = kept_review(store, wanted, "another line", never)
    assert other.provenance.reproduce == "another line"
    assert store.trouble == ""
    store.close()


@pytest.mark.parametrize(
    "more",
    [
        {"seeds": 3},
        {"threads": [1]},
        {"loads": ["file-read"]},
        {"races": ["munmap-anon"]},
        {"against": ["spf-anon"]},
        {"generated": 5},
        {"memory": "lkmm"},
        {"bounds": Options(max_states=7)},
        {"asked": ["speculative"]},
        {"hardware": "rome-2s128c"},
    ],
)
def test_another_scope_is_another_review(more: dict[str, object]) -> None:
    assert review_key(scope()) not in ("", review_key(scope(**more)))


def test_a_machine_of_another_name_is_another_review() -> None:
    """A review names its machine, though the figures of two may be the same."""
    known = Known()
    known.hardware.give("mine", known.hardware["skylake-2s56c"].model_copy(update={"draws": None}))
    known.hardware.give("yours", known.hardware["mine"])
    mine, yours = (scope(hardware=name, known=known) for name in ("mine", "yours"))
    assert mine.plan.matrix_hash == yours.plan.matrix_hash
    assert review_key(mine) not in ("", review_key(yours))


def test_a_change_of_anything_that_is_shipped_makes_them_all_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    """A template, a question, a sentence on limits: a review has them all."""
    before = review_key(scope())
    assert len(package_digest()) == 64
    monkeypatch.setattr(kept, "package_digest", lambda: "another")
    assert review_key(scope()) != before


def test_what_may_differ_another_time_is_not_kept() -> None:
    """A search that time may end, and a plugin's texts."""
    assert review_key(scope(bounds=Options(seconds=5.0))) == ""
    registry = load_registry([broken.__file__])
    of_plugin = make_scope(
        registry, "no-rcu-free", against=["mmap-lock"], loads=["pft"], races=["munmap-anon"]
    )
    assert review_key(of_plugin) == ""
    assert review_key(replace(scope(), plugins=("mine.py",))) == ""
