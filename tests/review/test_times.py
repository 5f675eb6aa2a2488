"""Where the time goes in the loads that change most."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import pytest

from spfvar.matrix import catalogue
from spfvar.matrix.compare import run_comparison
from spfvar.matrix.plan import Plan, make_plan
from spfvar.plugins.registry import load_registry
from spfvar.review.document import sections
from spfvar.review.model import LoadTimes, Speed
from spfvar.review.page import page_sections
from spfvar.review.pageparts import Drawings
from spfvar.review.parts import Items, Table
from spfvar.review.speed import make_speed
from spfvar.review.times import LOADS, TOLD, find_times
from tests.review.made_up import review

REGISTRY = load_registry()
VARIANT = "per-vma-6.12"


@cache
def compared() -> tuple[Plan, Speed]:
    """A design against its baseline in two loads, of which one has no effect at one thread."""
    loads = catalogue.scenarios()
    plan = make_plan(
        REGISTRY, loads, catalogue.hardware(), variants=["mmap-lock", VARIANT], patterns=["pft", "mmap-churn"],
        threads=[4, 24], seeds=6,
    )  # fmt: skip
    titles = {name: loads[name].title for name in plan.scenario_hashes}
    return plan, make_speed(run_comparison(plan, REGISTRY, 1), REGISTRY[VARIANT], ["mmap-lock"], titles)


@cache
def found() -> tuple[LoadTimes, ...]:
    """What is recorded of it."""
    return find_times(*compared(), VARIANT)


def test_loads_are_recorded_at_their_most_threads() -> None:
    """Baseline first; the parts of a bar are the same in both, in the same order; few differences are told."""
    plan, speed = compared()
    assert {one.threads for one in found()} == {24}
    assert 0 < len(found()) <= LOADS
    for one in found():
        assert [bar.label for bar in one.bars] == ["mmap-lock", VARIANT]
        assert len({tuple(name for name, _ in bar.parts) for bar in one.bars}) == 1
        assert 0 < len(one.differences) <= TOLD
        assert one.ratio > 1.0
    assert plan.seeds == 6
    assert speed.times == ()


def test_progress_ends_with_the_last_load() -> None:
    """One step for each load."""
    steps: list[tuple[int, int]] = []
    find_times(*compared(), VARIANT, lambda done, total: steps.append((done, total)))
    assert steps == [(i + 1, len(found())) for i in range(len(found()))]


def test_without_a_duel_or_an_effect_there_is_nothing_to_record() -> None:
    """A review of the baseline itself; a load where nothing is sure."""
    plan, speed = compared()
    assert find_times(plan, Speed((), (), ()), VARIANT) == ()
    unsure = replace(speed.duels[0], loads=tuple(replace(one, kind="unsure") for one in speed.duels[0].loads))
    assert find_times(plan, replace(speed, duels=(unsure,)), VARIANT) == ()


def test_a_review_has_a_table_and_the_page_bars() -> None:
    """A row per load and variant whose parts add up to the whole; a chart per load."""
    whole = replace(review(), speed=replace(review().speed, times=found()))
    (section,) = (one for one in sections(whole, narrow=False) if one.key == "times")
    (table,) = (part for part in section.parts if isinstance(part, Table))
    assert len(table.block.rows) == 2 * len(found())
    for row in table.block.rows:
        total, *parts = (0 if cell.value == "-" else int(cell.value) for cell in row.cells)
        assert sum(parts) == pytest.approx(total, abs=4)
    (items,) = (part for part in section.parts if isinstance(part, Items))
    assert "ns on line mm_struct.mmap_lock" in " ".join(item.text for item in items.items)
    (page,) = (one for one in page_sections(whole) if one.key == "times")
    (drawings,) = (part for part in page.parts if isinstance(part, Drawings))
    assert len(drawings.drawings) == len(found())
    assert all("<svg" in drawing.svg for drawing in drawings.drawings)


def test_without_times_there_is_no_section() -> None:
    """As in a review of a design that changes nothing for sure."""
    assert "times" not in {section.key for section in sections(review(), narrow=False)}
