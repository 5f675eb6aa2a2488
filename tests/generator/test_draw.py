"""Drawing races that can tell two designs apart: all of them, once, those of a differing statement first."""

from __future__ import annotations

import itertools

import pytest

from spfvar.generator.draw import STARTS, Drawn
from spfvar.generator.focus import Focus, Reach
from spfvar.generator.memories import MEMORIES
from spfvar.generator.programs import Family, Group, verb_of
from spfvar.plugins.registry import load_registry
from spfvar.plugins.variant import Stack

REGISTRY = load_registry()


def focus_of(twin: str) -> Focus:
    """A twin's, against the design without its bug."""
    fixed = REGISTRY.twins[twin].fixed
    return Focus(Stack(REGISTRY.any_variant(twin)), Reach(Stack(REGISTRY.any_variant(fixed))))


def drawn(family: Family, focus: Focus, seed: int, turns: int | None = None) -> list[Group]:
    """The groups of its first turns, or of all."""
    some = itertools.islice(Drawn(family, focus, seed).turns(4), turns)
    return list(itertools.chain.from_iterable(some))


@pytest.mark.parametrize("seed", [1, 2])
def test_every_group_that_differs_is_drawn_once_and_no_other(seed: int) -> None:
    """However few draws bring anything, none is left out in the end."""
    focus = focus_of("b1@bonsai")
    family = Family("anon", (2, 1), ("store", "munmap", "mprotect"))
    found = [str(group) for group in drawn(family, focus, seed)]
    every = [group for group in map(family.group, range(len(family))) if group is not None]
    assert sorted(found) == sorted(str(group) for group in every if focus.differs(group))
    assert len(set(found)) == len(found) > 0


def test_the_same_seed_draws_the_same() -> None:
    """And another seed in another order."""
    focus = focus_of("b1@bonsai")
    family = Family("heap", (2, 1))
    assert drawn(family, focus, 1, 3) == drawn(family, focus, 1, 3) != drawn(family, focus, 2, 3)


def test_a_pin_is_drawn_with_a_use_of_it() -> None:
    """Of the programs of three statements one in a thousand has a pin and a use: drawn ones have, if a pin."""
    focus = focus_of("c2@mmap-lock")
    memory = MEMORIES["fork"]
    for group in drawn(Family("fork", (3, 1)), focus, 1, 3):
        roles = [{verb_of(memory, number).pin for number in program} for program in group.programs]
        assert any({"takes", "uses"} <= some for some in roles)


def test_very_many_starts_are_not_all_tried_at_once() -> None:
    """Two VMAs in eight states each: a group of the first turns has a few of the 64."""
    focus = focus_of("rl1@range-lock-refined")
    memory = MEMORIES["neighbours"]
    assert len(memory.starts) > STARTS
    for group in drawn(Family("neighbours", (1, 1)), focus, 1, 2):
        assert len(group.starts) == STARTS
        assert set(group.starts) <= set(range(len(memory.starts)))
