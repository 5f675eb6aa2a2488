"""Sequential consistency inside the kernel's model: with a full barrier before each access, there is nothing else."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from spfvar.automata.automaton import Automaton, Node
from spfvar.automata.weaken import Memory
from spfvar.explore.explore import Exploration, explore
from spfvar.explore.options import Options
from spfvar.explore.verdict import SAFE, VIOLATION, beyond_model, judge
from spfvar.explore.world import RaceWorld, build_world, extract_race
from spfvar.matrix import catalogue
from spfvar.ops import codes as c
from spfvar.ops.op import Op
from spfvar.ops.orders import smp_mb
from spfvar.plugins.variant import Stack
from tests.explore import weakworlds

OPTIONS = Options(first=False, livelock=False)
#: The strongest order of each primitive.
STRONGEST = {
    **dict.fromkeys((c.LOAD, c.LOAD_TEST, c.LOAD_ODD, c.EQUALS, c.EQUALS_REG, c.WAIT_EQUALS, c.LOAD_REF), "acquire"),
    **dict.fromkeys((c.STORE, c.STORE_REG, c.STORE_REF), "release"),
    **dict.fromkeys((c.ADD, c.INC_NOT_ZERO, c.DEC_AND_TEST), "full"),
}  # fmt: skip


def fenced(automaton: Automaton) -> Automaton:
    """The automaton with every order as strong as it can be, and smp_mb() before each access to memory."""
    nodes = [Node(strongest(node.op), node.successors) for node in automaton.nodes]
    for number, node in enumerate(list(nodes)):
        if node.op.code in STRONGEST or node.op.code == c.VMA_CONTAINS:
            nodes.append(node)
            nodes[number] = Node(smp_mb(), (len(nodes) - 1,))
    return Automaton(automaton.name, tuple(nodes))


def strongest(op: Op) -> Op:
    """A primitive with the strongest order that it can have."""
    return replace(op, order=STRONGEST[op.code]) if op.code in STRONGEST else op


def world(variant: str, race: str, memory: Memory) -> RaceWorld:
    """A race; under weak memory, with barriers everywhere."""
    shipped = catalogue.races()[race]
    automata = extract_race(shipped, Stack(weakworlds.registry().any_variant(variant)))
    if memory == "lkmm":
        automata = {name: fenced(automaton) for name, automaton in automata.items()}
    return build_world(shipped, automata, memory=memory)


def ends(here: RaceWorld, found: Exploration) -> set[tuple[int, ...]]:
    """What memory holds wherever nobody can move: fields by name, VMA tree, page-table directory and entries."""
    space, rules = found.search.space, found.search.rules
    keys = space.keys.rows[: found.states]
    columns = [keys[:, word] >> bit & mask for word, bit, mask in rules.fields.tolist()]
    idle = np.array(rules.idle)
    threads = space.threads.rows.view(np.int16).reshape(len(space.threads.rows), -1)
    at_rest = np.ones(found.states, dtype=bool)
    for column in columns[:-1]:
        at_rest &= idle[threads[column, c.T_PC]]
    memories = space.memories.rows.view(np.int16).reshape(len(space.memories.rows), -1)
    return {
        tuple(memories[memory - 1][words_of(here)].tolist()) for memory in set(columns[-1][at_rest].tolist())
    }


def words_of(here: RaceWorld) -> Any:
    """The words of memory that both models have, in the same order."""
    layout, g, sizes = here.layout, here.layout.g, here.layout.sizes
    fields = sorted(
        (one for one in layout.field_offset if one.width == 1), key=lambda one: (one.cls.name, one.name)
    )
    words = [layout.word(one, index) for one in fields for index in range(sizes.count(one.cls))]
    for first, count in (
        (g[c.G_TREE], ((sizes.pages - 1) >> sizes.tree_shift) + 1),
        (g[c.G_PMD], ((sizes.pages - 1) >> sizes.pt_shift) + 1),
        (g[c.G_PTE], sizes.tables << sizes.pt_shift),
    ):
        words += range(int(first), int(first) + int(count))
    return np.array(words)


@pytest.mark.parametrize(
    "race", ["munmap-file", "userfault", "stack-growth", "map-over-copy", "mprotect", "merge-over-fault"]
)
def test_with_a_barrier_before_each_access_a_design_has_the_ends_of_sequential_consistency(race: str) -> None:
    """The same verdict too, though its words are weak: no load ever returns an old value."""
    strong, weak = world("per-vma-6.12", race, "sc"), world("per-vma-6.12", race, "lkmm")
    assert weak.weak is not None
    found = explore(strong, OPTIONS), explore(weak, OPTIONS)
    assert all(one.complete for one in found)
    assert beyond_model(weak) == ""
    assert not found[0].violations
    assert not found[1].violations
    assert ends(strong, found[0])
    assert ends(weak, found[1]) == ends(strong, found[0])


@pytest.mark.parametrize("name", ["no-wmb", "no-rmb", "no-release", "no-mb"])
def test_barriers_everywhere_make_good_for_one_that_is_missing(name: str) -> None:
    """What breaks under the kernel's model only holds again, and ends as under sequential consistency."""
    assert weakworlds.verdict(name).verdict == VIOLATION
    variant = f"weak-{name}"
    strong, weak = (world(variant, weakworlds.RACE, memory) for memory in ("sc", "lkmm"))
    assert judge(weak, variant, weakworlds.RACE, Options()).verdict == SAFE
    found = explore(strong, OPTIONS), explore(weak, OPTIONS)
    assert weak.weak is not None
    assert ends(weak, found[1]) == ends(strong, found[0])


def test_a_violation_of_sequential_consistency_is_one_with_barriers_everywhere() -> None:
    """A twin whose bug is none of barriers: the same property."""
    found = [
        judge(world("s7@spf-do-fault", "munmap-file", memory), "s7@spf-do-fault", "munmap-file", Options())
        for memory in ("sc", "lkmm")
    ]
    assert found[0].verdict == VIOLATION
    assert found[1].property == found[0].property
