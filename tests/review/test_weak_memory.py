"""A review whose races are searched under the kernel's memory model."""

from __future__ import annotations

from dataclasses import replace

import pytest

from spfvar.explore.barriers import ACQUIRE, RELEASE
from spfvar.matrix.hunting import run_hunt
from spfvar.review import build
from spfvar.review.build import HUNT, check, hunt, make_scope, take_out
from spfvar.review.mail import render_short
from tests.explore.weakworlds import registry
from tests.review.made_up import review


def scope(name: str, memory: str) -> build.Scope:
    """A design against mmap-lock, in one race."""
    return make_scope(
        registry(), f"weak-{name}", against=["mmap-lock"], loads=["file-cow"], races=["munmap-file"], threads=[4],
        seeds=1, generated=20, memory=memory,  # type: ignore[arg-type]
    )  # fmt: skip


def test_a_missing_barrier_makes_a_design_unsafe_there_only(monkeypatch: pytest.MonkeyPatch) -> None:
    """The races that are written, and the generated ones: here the smallest, which have few states."""
    smallest = replace(HUNT, size=2, actors=(2,), seed=None)
    monkeypatch.setattr(build, "HUNT", smallest)
    weak, strong = scope("no-rmb", "lkmm"), scope("no-rmb", "sc")
    assert [r.verdict.property for r in check(weak, 1, None) if r.case.variant.name == "weak-no-rmb"] == [
        "P17"
    ]
    assert [r.verdict.property for r in check(strong, 1, None) if r.case.variant.name == "weak-no-rmb"] == [
        ""
    ]
    found, _ = hunt(weak, 1, None)
    assert found is not None
    again = run_hunt(weak.variant, replace(smallest, races=20, model="lkmm"), jobs=1)
    assert [[f.broken.property for f in hunted.findings] for hunted in (found, again)] == [["P17"], ["P17"]]
    nothing, _ = hunt(strong, 1, None)
    assert nothing is not None
    assert not nothing.findings


def test_its_barriers_are_among_the_guards() -> None:
    """Acquire and release are needed; under sequential consistency neither is a guard."""
    for memory, kinds in (("lkmm", {ACQUIRE, RELEASE}), ("sc", set())):
        here = scope("orders", memory)
        ablations, _ = take_out(here, check(here, 1, None), 1, None)
        assert {a.guard.kind for a in ablations if a.needed and a.guard.kind in (ACQUIRE, RELEASE)} == kinds


def test_the_fine_print_names_the_model() -> None:
    """In the shortest form, too."""
    assert "memory is sequentially consistent" in " ".join(render_short(review()).split())
    text = " ".join(render_short(replace(review(), memory="lkmm")).split())
    assert "memory is LKMM's for weak words" in text
    assert "sequentially consistent" not in text
