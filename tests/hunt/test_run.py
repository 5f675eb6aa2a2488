"""Running generated races: the same verdicts as those of `check`, and nothing run twice."""

from __future__ import annotations

import pytest

from spfvar.explore.explore import explore
from spfvar.explore.world import build_race
from spfvar.hunt.memories import MEMORIES
from spfvar.hunt.programs import Group, groups
from spfvar.hunt.run import BOUNDS, Hunter, Outcome, cause_of
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
def test_a_search_that_is_begun_again_says_what_a_new_one_says(design: str, memory: str) -> None:
    """Races of a group share program and stores: as many states in all as if each were built by itself."""
    which = some(memory)[::3]
    outcomes, hunter = run(design, which)
    states, digests = 0, set()
    for group in which:
        for race in group.races():
            world = build_race(race, stack(design))
            found = explore(world, BOUNDS)
            assert found.complete
            assert cause_of(world, found) is None
            digest = (world.program.table.tobytes(), world.start.tobytes())
            if digest not in digests:
                digests.add(digest)
                states += found.states
    assert not any(outcome.cause or outcome.why for outcome in outcomes)
    assert sum(outcome.states for outcome in outcomes) == states
    assert len(outcomes) == len(digests)
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
