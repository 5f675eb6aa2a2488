"""Ablation under the kernel's memory model: what each barrier, order and dependency is for."""

from __future__ import annotations

import json
from functools import cache
from typing import Any

import pytest

from spfvar.automata.weaken import Memory
from spfvar.explore.barriers import (
    ACQUIRE,
    BARRIERS,
    DEPENDENCY,
    FENCE,
    FULL,
    NOT_ACQUIRE,
    RELEASE,
)
from spfvar.explore.explore import Exploration, explore
from spfvar.explore.options import Options
from spfvar.explore.verdict import Brief, judge_briefly
from spfvar.matrix import catalogue
from spfvar.matrix.ablate import Ablated, Ablation, ablate
from spfvar.render.ablation import render_json, render_markdown, render_text
from tests.explore.weakworlds import RACE, registry

WRITER, READER = "munmap", "do_user_addr_fault"


@cache
def ablated(
    name: str, race: str = RACE, memory: Memory = "lkmm", barriers: bool = True, **bounds: Any
) -> Ablated:
    """A variant without each of its guards in a race."""
    variant = registry().any_variant(name)
    races = {race: catalogue.races()[race]}
    return ablate(variant, races, options=Options(**bounds), jobs=1, memory=memory, barriers=barriers)


def guards(found: Ablated) -> dict[tuple[str, str], Ablation]:
    """By function and kind."""
    return {(a.guard.function, a.guard.kind): a for a in found.guards}


@pytest.mark.parametrize(
    ("name", "needed"),
    [
        # Message passing: an order on both sides.
        ("fences", {(WRITER, FENCE), (READER, FENCE)}),
        ("orders", {(WRITER, RELEASE), (READER, ACQUIRE)}),
        # A full barrier between store and load of both.
        ("buffers", {(WRITER, FENCE), (READER, FENCE)}),
        # A pointer that is published, and the address dependency of who follows it.
        ("publishes", {(WRITER, RELEASE), (READER, DEPENDENCY)}),
        # An atomic that publishes: as much order as a release has is enough, an acquire is not.
        ("counts", {(WRITER, FULL), (WRITER, NOT_ACQUIRE), (READER, ACQUIRE)}),
        # Whoever drops its reference releases; whoever drops the last one acquires, as each release of a
        # count does that reaches zero, so that nothing needs an order in full.
        ("drops", {(READER, FULL), (READER, NOT_ACQUIRE), (WRITER, FULL)}),
    ],
)
def test_every_kind_of_barrier_is_found_where_it_is_needed(name: str, needed: set[tuple[str, str]]) -> None:
    """And it is the barrier: under sequential consistency the race holds without it."""
    found = guards(ablated(f"weak-{name}"))
    assert {key for key, ablation in found.items() if ablation.needed} == needed
    for key in needed:
        (broken,) = found[key].breaks
        assert (broken.race, broken.property, broken.sc) == (RACE, "P17", "safe")


def test_of_two_orders_that_do_the_same_either_is_enough() -> None:
    """An acquire and an smp_rmb() behind it: the race breaks without both, and each names the other."""
    found = guards(ablated("weak-both"))
    acquire, fence = found[READER, ACQUIRE], found[READER, FENCE]
    assert not acquire.needed
    assert not fence.needed
    for one, other in ((acquire, fence), (fence, acquire)):
        (either,) = one.either
        assert either.others == (other.guard,)
        assert (either.race, either.property, either.sc) == (RACE, "P17", "safe")
    assert found[WRITER, RELEASE].either == []  # it is needed alone


def test_no_pair_is_tried_where_every_barrier_is_needed() -> None:
    """Then there is nothing that another one could do for it."""
    assert all(ablation.either == [] for ablation in ablated("weak-fences").guards)


def test_a_race_that_holds_without_any_barrier_is_searched_once_for_all(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Less order allows more: what is safe without all of them is safe without each, as guard by guard."""
    searched = []

    def counted(*args: Any) -> Exploration:
        searched.append(args)
        return explore(*args)

    monkeypatch.setattr("spfvar.matrix.ablate.explore", counted)
    found = ablated.__wrapped__("per-vma-6.12", race="fork-cow")
    assert len(searched) == 1
    assert found.guards
    monkeypatch.setattr("spfvar.matrix.ablate._of_barriers", lambda *_: None)
    assert ablated.__wrapped__("per-vma-6.12", race="fork-cow") == found
    assert len(searched) > 2


def test_among_other_guards_barriers_are_searched_once_too(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same answers with and without that search."""
    searched = []

    def counted(*args: Any) -> Brief:
        searched.append(args)
        return judge_briefly(*args)

    monkeypatch.setattr("spfvar.matrix.ablate.judge_briefly", counted)
    found = ablated.__wrapped__("per-vma-6.12", race="fork-cow", barriers=False)
    once = len(searched)
    monkeypatch.setattr("spfvar.matrix.ablate._without_barriers", lambda *_: None)
    assert ablated.__wrapped__("per-vma-6.12", race="fork-cow", barriers=False) == found
    assert len(searched) > once


def test_under_sequential_consistency_a_barrier_is_no_guard() -> None:
    """Nothing is listed, and JSON has none of the keys of weak memory."""
    found = ablated("weak-fences", memory="sc", barriers=False)
    assert [a.guard for a in found.guards if a.guard.kind in BARRIERS] == []
    assert "either" not in render_json("weak-fences", found)
    assert '"sc"' not in render_json("weak-fences", found)


def test_a_check_beside_the_barriers_says_what_sequential_consistency_says() -> None:
    """In per-vma-6.12 the comparison of sequence counts is needed under either model, the acquire under one."""
    found = ablated("per-vma-6.12", barriers=False, max_states=100_000)
    told = {
        (a.guard.kind, b.sc)
        for a in found.guards
        for b in a.breaks
        if a.guard.function == "fault_with_vma_lock"
    }
    assert (ACQUIRE, "safe") in told
    assert ("check", "violation") in told


def test_both_halves_of_v6_are_barriers_that_a_shipped_design_needs() -> None:
    """Without the acquire of the second look at mm_lock_seq, or without the barrier before it is unlocked."""
    found = guards(ablated("per-vma-6.12"))
    assert found["fault_with_vma_lock", ACQUIRE].needed
    assert found["mmap_write_downgrade", FENCE].needed


def test_the_result_does_not_depend_on_how_many_run_side_by_side() -> None:
    """Pairs included."""
    variant = registry().any_variant("weak-both")
    races = {RACE: catalogue.races()[RACE]}
    one, two = (ablate(variant, races, jobs=jobs, memory="lkmm") for jobs in (1, 2))
    assert one == two


def test_a_bound_leaves_barriers_open() -> None:
    """Neither needed nor not, and no pairs of them are tried."""
    found = ablated("weak-both", max_states=5)
    assert found.open
    assert all(a.incomplete == [RACE] and not a.either for a in found.guards)


def test_every_form_has_the_model_beside_what_breaks() -> None:
    """Text and markdown in words, JSON as a key."""
    found = ablated("weak-both")
    text = render_text("weak-both", found, "spfvar ablate weak-both")
    assert "under --memory lkmm" in text
    assert "SC: safe" in text
    joined = " ".join(text.split())
    assert "either it or fence: smp_rmb() (weakly.py:" in joined
    assert "Memory is sequentially consistent" not in joined
    markdown = render_markdown("weak-both", found, "spfvar ablate weak-both")
    assert "either it or acquire: load(mm->flag)" in markdown
    entries = json.loads(render_json("weak-both", found))
    (release,) = [entry for entry in entries if entry["kind"] == RELEASE]
    assert release["breaks"][0]["sc"] == "safe"
    assert release["either"] == []
    (acquire,) = [entry for entry in entries if entry["kind"] == ACQUIRE]
    (either,) = acquire["either"]
    assert [other["kind"] for other in either["others"]] == [FENCE]
    assert (either["race"], either["property"], either["sc"]) == (RACE, "P17", "safe")
