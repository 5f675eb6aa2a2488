"""Races that ended as they never do in the other design, and what is grown from them."""

from __future__ import annotations

import itertools

from spfvar.explore.explore import Search, run
from spfvar.explore.world import build_race
from spfvar.generator.ends import Ends, ends_of
from spfvar.generator.focus import Focus, Reach
from spfvar.generator.grow import Growth, hunted
from spfvar.generator.memories import MEMORIES
from spfvar.generator.programs import Family, Group, group_of, statement_text, statements
from spfvar.generator.run import BOUNDS, Hunter, Outcome
from spfvar.plugins.registry import load_registry
from spfvar.plugins.variant import Stack

REGISTRY = load_registry()


def stack(name: str) -> Stack:
    """A design, or a twin."""
    return Stack(REGISTRY.any_variant(name))


def group_named(memory: str, *programs: tuple[str, ...]) -> Group:
    """The group whose threads run these statements."""
    texts = [statement_text(one) for one in statements(MEMORIES[memory])]
    group = group_of(MEMORIES[memory], [tuple(map(texts.index, program)) for program in programs])
    assert group is not None
    return group


def ends_in(design: str, group: Group, start: int) -> Ends:
    """How one race of a group ends."""
    race = next(itertools.islice(group.races(), start, None))
    world = build_race(race, stack(design))
    search = Search(world, BOUNDS)
    assert run(search).complete
    ends = ends_of(search, world)
    assert ends is not None
    return ends


def test_two_threads_that_read_end_in_one_way() -> None:
    """Whoever comes first maps the zero page; the other one finds it: a tree, a table, an entry, two TLBs.

    Which of two tables that were allocated stays is the only difference.
    """
    ends = ends_in("mmap-lock", group_named("anon", ("load map",), ("load map",)), 0)
    for memory in ends.memories:
        names = [name for name, _, _ in memory]
        assert names.count("tree") == names.count("pmd") == names.count("pte 0") == 1
        assert names.count("tlb") == 2
    tables = {"page_table", "pmd"}
    assert len({frozenset(word for word in memory if word[0] not in tables) for memory in ends.memories}) == 1


def test_a_design_ends_like_itself() -> None:
    """And like another one that protects the same memory with words of its own."""
    group = group_named("anon", ("store map",), ("munmap map",))
    ends = ends_in("per-vma-6.12", group, 0)
    assert not ends.not_in(ends_in("per-vma-6.12", group, 0))
    assert not ends.not_in(ends_in("mmap-lock", group, 0))


def test_a_bug_that_nobody_noticed_shows_in_the_end() -> None:
    """V1: fork write-protects a page that a fault is about to map as writable."""
    group = group_named("fork", ("fork map to child",), ("store map",))
    broken = ends_in("v1@per-vma-6.12", group, 0)
    assert broken.not_in(ends_in("per-vma-6.12", group, 0))


def outcomes(twin: str, family: Family, most: int) -> list[Outcome]:
    """Of a hunt for a twin in one family, and in what is grown from it."""
    fixed = REGISTRY.twins[twin].fixed
    hunter = Hunter(stack(twin))
    focus = Focus(hunter.stack, Reach(stack(fixed)))
    larger = Family(family.memory, (family.shape[0] + 1, *family.shape[1:]), family.verbs)
    return list(itertools.islice(hunted([family, larger], focus, hunter, 1, lambda: True), most))


def test_larger_races_are_grown_from_those_that_went_wrong() -> None:
    """V7 breaks once the neighbour is unmapped, too; the same command, the same races."""
    family = Family("beside", (1, 1), ("store", "dontunmap", "munmap"))
    found = outcomes("v7@per-vma-6.12", family, 2000)
    broke = [one for one in found if one.cause is not None and one.cause.property == "P2"]
    assert broke
    assert all("dontunmap" in one.group for one in broke)
    assert found == outcomes("v7@per-vma-6.12", family, 2000)


def test_nothing_is_grown_from_races_that_end_as_they_should() -> None:
    """A design against itself."""
    hunter = Hunter(stack("per-vma-6.12"))
    growth = Growth(hunter, hunter.stack, [Family("anon", (2, 1))], 1)
    assert list(growth.run(group_named("anon", ("store map",), ("munmap map",))))
    assert not list(growth.turn())
