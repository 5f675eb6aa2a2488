"""A hunt against another design: races that are the same in both are left out, and no others."""

from __future__ import annotations

import pytest

from spfvar.generator.focus import Focus, Reach
from spfvar.generator.memories import MEMORIES
from spfvar.generator.programs import Group, groups, statement_text, statements
from spfvar.generator.run import Hunter, Outcome
from spfvar.plugins.registry import load_registry
from spfvar.plugins.variant import Stack

REGISTRY = load_registry()
VERBS = ("load", "store", "munmap", "mprotect", "madvise", "pin", "dma", "poke")


def stack(name: str) -> Stack:
    """A design, or a twin."""
    return Stack(REGISTRY.any_variant(name))


def program(group: Group) -> set[str]:
    """The verbs of a group."""
    return {statement.verb for actor in group.race().actor for statement in actor.program}


def outcomes(design: Stack, group: Group) -> list[Outcome]:
    """What comes of the races of a group in a hunt of their own."""
    return list(Hunter(design).run([group]))


@pytest.mark.parametrize(
    ("twin", "changed"),
    [
        ("b1@bonsai", {"munmap"}),  # frees tables without the lock, where a VMA goes
        ("c1@mmap-lock", {"poke"}),  # FOLL_WRITE is dropped once a debugger's fault was handled
    ],
)
def test_what_is_left_out_is_the_same_race_in_both_designs(twin: str, changed: set[str]) -> None:
    """State by state: with as many states, and the same end."""
    fixed = REGISTRY.twins[twin].fixed
    focus = Focus(stack(twin), Reach(stack(fixed)))
    every = list(groups(MEMORIES["anon"], 2, [2], VERBS))
    differing = [group for group in every if focus.differs(group)]
    same = [group for group in every if not focus.differs(group)]
    assert differing
    assert same
    for group in differing:
        assert program(group) & changed
    for group in same:
        assert outcomes(focus.stack, group) == outcomes(focus.reach.stack, group)


def test_a_hunter_runs_and_counts_by_its_focus() -> None:
    """What is left out is counted with what cannot be told apart; what breaks is found all the same."""
    every = list(groups(MEMORIES["anon"], 2, [2], ("store", "munmap", "mprotect")))
    focus = Focus(stack("b1@bonsai"), Reach(stack("bonsai")))
    narrow, wide = Hunter(focus.stack, focus=focus), Hunter(focus.stack)
    few, many = list(narrow.run(every)), list(wide.run(every))
    assert {one.key for one in few} < {one.key for one in many}
    assert [one for one in few if one.cause] == [one for one in many if one.cause]
    assert narrow.generated == wide.generated


def test_designs_learn_of_one_fixed_design_once() -> None:
    """A second patch of the design looks at no statement again."""
    reach = Reach(stack("mmap-lock"))
    every = list(groups(MEMORIES["anon"], 2, [2], ("store", "munmap")))
    for group in every:
        Focus(stack("c1@mmap-lock"), reach).differs(group)
    learned = len(reach._names)
    other = Focus(stack("r5@mmap-lock"), reach)
    assert any(other.differs(group) for group in every)
    assert len(reach._names) == learned > 0


def test_a_design_differs_from_itself_in_nothing() -> None:
    """However often its patches are made."""
    focus = Focus(stack("per-vma-6.12"), Reach(stack("per-vma-6.12")))
    assert not any(focus.differs(group) for group in groups(MEMORIES["file"], 2, [2], VERBS))


def test_statements_that_differ_by_themselves() -> None:
    """C2 changes the pin without locks: with it, what a device does with the page."""
    focus = Focus(stack("c2@mmap-lock"), Reach(stack("mmap-lock")))
    memory = MEMORIES["anon"]
    every = statements(memory)
    texts = {statement_text(every[number]) for number in focus.statements(memory)}
    assert texts == {"pin map (fast)", "pin map (write, fast)", "dma map", "unpin map"}
