"""What is found by a pointer, under the kernel's memory model: seen as it was published, or not."""

from __future__ import annotations

import pytest

from spfvar.automata.automaton import Automaton, Node
from spfvar.automata.publish import links_unordered
from spfvar.automata.weaken import Memory
from spfvar.explore.options import Options
from spfvar.explore.verdict import SAFE, Verdict, judge
from spfvar.explore.world import build_race, build_world, extract_race
from spfvar.matrix.catalogue import races
from spfvar.ops import codes as c
from spfvar.ops import objects as o
from spfvar.plugins.registry import load_registry
from spfvar.plugins.variant import Stack
from tests.explore import weakworlds

REGISTRY = load_registry()
RACE = "first-writes"


@pytest.mark.parametrize(
    ("design", "holds"),
    [
        ("plants", True), ("plants-plainly", False), ("plants-behind-fence", True),
        ("plants-behind-full-fence", True), ("guesses", False),
    ],
)  # fmt: skip
def test_a_vma_is_complete_for_who_finds_it_in_the_tree(design: str, holds: bool) -> None:
    """By a release, or a barrier before the plain store, and a dependency of who finds it; not without one of them.

    Under sequential consistency it always is.
    """
    assert (weakworlds.verdict(design).verdict == SAFE) == holds
    assert weakworlds.verdict(design, "sc").verdict == SAFE


@pytest.mark.parametrize(
    ("design", "holds"),
    [
        ("enters", True), ("enters-plainly", False), ("enters-unread", False),
        ("enters-folio", True), ("enters-folio-plainly", False),
    ],
)  # fmt: skip
def test_who_reads_an_entry_of_a_page_table_has_read_what_was_sent_along_with_it(
    design: str, holds: bool
) -> None:
    """By a barrier before it is set, and one behind its load, or an address that depends on it; not without one of them.

    Under sequential consistency it always is.
    """
    assert (weakworlds.verdict(design).verdict == SAFE) == holds
    assert weakworlds.verdict(design, "sc").verdict == SAFE


def automata(variant: str) -> dict[str, Automaton]:
    """Two first writes, which bring a page table each."""
    return extract_race(races()[RACE], Stack(REGISTRY.any_variant(variant)))


def guessing(automaton: Automaton) -> Automaton:
    """Nothing depends on the entry that a page table was found by."""
    nodes = [
        Node(node.op.but(order="cut") if node.op.code == c.READ_PMD else node.op, node.successors)
        for node in automaton.nodes
    ]
    return Automaton(automaton.name, tuple(nodes))


def verdict(of: dict[str, Automaton], memory: Memory = "lkmm") -> Verdict:
    """The verdict on two first writes."""
    return judge(build_world(races()[RACE], of, memory=memory), "it", RACE, Options())


def test_who_walks_there_depends_on_the_entry() -> None:
    """Without that, the barrier of who links a table is no use; where nothing is reordered, all is well."""
    cut = {name: guessing(one) for name, one in automata("mmap-lock").items()}
    assert verdict(cut).property == "P4"
    assert verdict(cut, "sc").verdict == SAFE


def test_a_barrier_on_every_way_leaves_nothing_to_be_explored() -> None:
    """No word is added, and no node: neither in the race, nor to its states, which both models have alike."""
    of = automata("mmap-lock")
    assert not links_unordered(of.values())
    weak = build_world(races()[RACE], of, memory="lkmm")
    assert not weak.layout.has(o.TABLE_READY)
    assert len(weak.automata["fault"]) == len(of["fault"])
    without = build_world(races()[RACE], automata("b11@mmap-lock"), memory="lkmm")
    assert links_unordered(automata("b11@mmap-lock").values())
    assert without.layout.has(o.TABLE_READY)


def test_a_full_barrier_before_a_link_is_one_for_who_walks_there() -> None:
    """Its table is initialised for whoever finds it, even where another text has no barrier before its own link."""
    actors = [
        {"name": "fault", "program": [{"load": "heap"}]},
        {"name": "munmap", "program": [{"munmap": "heap"}]},
        {"name": "mprotect", "program": [{"mprotect": "heap", "prot": "r"}]},
    ]
    race = weakworlds.race([{"name": "heap", "start": 0, "table": False}], *actors)
    world = build_race(race, Stack(weakworlds.registry().any_variant("weak-links")), "lkmm")
    assert world.weak is not None
    assert judge(world, "weak-links", "test", Options()).verdict == SAFE
