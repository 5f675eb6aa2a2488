"""Running generated races: the same verdicts as those of `check`, and nothing run twice."""

from __future__ import annotations

import pytest

from spfvar.explore.explore import explore
from spfvar.explore.world import build_race
from spfvar.generator.memories import MEMORIES
from spfvar.generator.programs import Group, groups
from spfvar.generator.run import BOUNDS, Hunter, Outcome, cause_of
from spfvar.ops import codes as c
from tests.stacks import stack

VERBS = ("load", "store", "munmap", "madvise", "mkyoung")


def some(memory: str, size: int = 2, verbs: tuple[str, ...] = VERBS) -> list[Group]:
    """A few groups of a memory."""
    return list(groups(MEMORIES[memory], size, [2], verbs))


def run(design: str, which: list[Group]) -> tuple[list[Outcome], Hunter]:
    """All of them under a design."""
    hunter = Hunter(stack(design))
    return list(hunter.run(which)), hunter


@pytest.mark.parametrize(("design", "memory"), [("spf-do-fault", "closed-file"), ("per-vma-6.12", "heap")])
def test_races_that_share_their_world_say_what_each_says_by_itself(design: str, memory: str) -> None:
    """Layout, linked programs and stores are shared: each race has the states that it has when built alone.

    And two are taken for one only if they are one: their programs and starts, built alone, are the same.
    """
    which = some(memory)[::3]
    outcomes, hunter = run(design, which)
    alone: dict[tuple[bytes, bytes], int] = {}
    for group in which:
        for race in group.races():
            world = build_race(race, stack(design))
            found = explore(world, BOUNDS)
            assert found.complete
            assert cause_of(world, found) is None
            table = world.program.table.copy()
            table[:, c.C_COST] = 0  # time is nothing that a race has
            table[:, c.C_FLAGS] &= c.FLAG_SLEEPS
            alone.setdefault((table.tobytes(), world.start.tobytes()), found.states)
    assert not any(outcome.cause or outcome.why for outcome in outcomes)
    assert sorted(outcome.states for outcome in outcomes) == sorted(alone.values())
    assert hunter.generated == sum(1 for group in which for _ in group.races())


def test_what_a_design_cannot_tell_apart_is_run_once() -> None:
    """The same groups again: nothing is left to be run."""
    which = some("anon")
    outcomes, hunter = run("mmap-lock", which)
    generated = hunter.generated
    assert 0 < len(outcomes) <= generated
    assert list(hunter.run(which)) == []
    assert hunter.generated == 2 * generated


def test_a_published_bug_is_met_without_its_race() -> None:
    """S5, a speculative fault on a page table that munmap frees: P4, among the smallest of all races."""
    which = some("anon", verbs=("store", "munmap"))
    broke = next(outcome for outcome in run("s5@spf-anon", which)[0] if outcome.cause is not None)
    assert broke.cause is not None
    assert (broke.cause.property, broke.size) == ("P4", 2)
    assert all(outcome.cause is None for outcome in run("spf-anon", which)[0])


def test_coverage_is_of_steps() -> None:
    """Loads alone reach no store's steps; what was reached was seen."""
    _, hunter = run("mmap-lock", some("anon", verbs=("load", "munmap")))
    assert hunter.reached <= hunter.steps
    assert any(text.startswith("munmap") for text in hunter.reached)


def test_dirty_cow_is_met_without_its_race() -> None:
    """C1: a debugger's write and madvise, two statements on a read-only mapping of a file; P8."""
    which = some("readonly-file", verbs=("poke", "madvise"))
    broke = next(outcome for outcome in run("c1@mmap-lock", which)[0] if outcome.cause is not None)
    assert broke.cause is not None
    assert (broke.cause.property, broke.size) == ("P8", 2)
    assert all(outcome.cause is None for outcome in run("mmap-lock", which)[0])


def test_what_must_not_be_reached_is_no_step() -> None:
    """A debugger's text has a BUG_ON: that nobody came to it is nothing that a hunt has missed."""
    _, hunter = run("mmap-lock", some("anon", verbs=("poke", "load")))
    assert "access_remote_vm: copy_to_user_page" in hunter.steps
    assert not any("BUG_ON" in text for text in hunter.steps)
