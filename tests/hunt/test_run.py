"""Running generated races: the same verdicts as those of `check`, and nothing run twice."""

from __future__ import annotations

from itertools import islice

import pytest

from spfvar.explore.explore import explore
from spfvar.explore.world import build_race
from spfvar.hunt.memories import MEMORIES
from spfvar.hunt.programs import Group, groups
from spfvar.hunt.run import BOUNDS, Hit, Tally, cause_of, hunt
from tests.stacks import stack

VERBS = ("load", "store", "munmap", "madvise", "mkyoung")


def some(memory: str, size: int = 2, verbs: tuple[str, ...] = VERBS) -> list[Group]:
    """A few groups of a memory."""
    return list(groups(MEMORIES[memory], size, [2], verbs))


def run(design: str, which: list[Group]) -> tuple[list[Hit], Tally]:
    """All of them under a design."""
    tally = Tally()
    return list(hunt(stack(design), which, tally)), tally


@pytest.mark.parametrize(("design", "memory"), [("spf-do-fault", "closed-file"), ("per-vma-6.12", "heap")])
def test_a_search_that_is_begun_again_says_what_a_new_one_says(design: str, memory: str) -> None:
    """Races of a group share program and stores: as many states in all as if each were built by itself."""
    which = some(memory)[::3]
    hits, tally = run(design, which)
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
    assert not hits
    assert tally.states == states
    assert tally.races + tally.same == sum(1 for group in which for _ in group.races())


def test_what_a_design_cannot_tell_apart_is_run_once() -> None:
    """The same groups again: nothing is left to be run."""
    which = some("anon")
    tally = Tally()
    list(hunt(stack("mmap-lock"), which, tally))
    races = tally.races
    list(hunt(stack("mmap-lock"), which, tally))
    assert (tally.races, tally.same) == (races, 2 * sum(1 for g in which for _ in g.races()) - races)


def test_a_published_bug_is_met_without_its_race() -> None:
    """S5, a speculative fault on a page table that munmap frees: P4, among the smallest of all races."""
    tally = Tally()
    hit = next(hunt(stack("s5@spf-anon"), some("anon", verbs=("store", "munmap")), tally))
    assert hit.cause.property == "P4"
    assert hit.size == 2
    assert not run("spf-anon", some("anon", verbs=("store", "munmap")))[0]


def test_coverage_is_of_steps() -> None:
    """Loads alone reach no store's steps; what was reached was seen."""
    _, tally = run("mmap-lock", some("anon", verbs=("load", "munmap")))
    assert tally.reached <= tally.seen
    assert any(text.startswith("munmap") for text in tally.reached)


def test_groups_are_taken_as_they_come() -> None:
    """A hunt may be cut off anywhere: what was done until then is counted."""
    tally = Tally()
    list(hunt(stack("mmap-lock"), islice(iter(some("heap")), 3), tally))
    assert 0 < tally.races <= 3 * len(MEMORIES["heap"].starts())
