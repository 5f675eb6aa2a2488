"""What a search executed, as nodes of the texts, under either memory model."""

from __future__ import annotations

import pytest

from spfvar.automata.weaken import Memory
from spfvar.explore.alone import alone, covered
from spfvar.explore.explore import explore
from spfvar.explore.options import Options
from spfvar.explore.world import KTHREAD, build_world, extract_race
from spfvar.matrix import catalogue
from spfvar.ops import codes as c
from spfvar.plugins.variant import Stack
from tests.explore.weakworlds import registry

OPTIONS = Options(first=False, livelock=False)


def executed(race: str, memory: Memory) -> dict[tuple[str, str, str], set[int]]:
    """By actor, line and name of a comparison with a VMA's range: the outcomes that it had."""
    shipped = catalogue.races()[race]
    automata = extract_race(shipped, Stack(registry()["per-vma-6.12"]), memory=memory)
    world = build_world(shipped, automata, memory=memory)
    found = explore(world, OPTIONS)
    outcomes: dict[tuple[str, str, str], set[int]] = {}
    for name, automaton in automata.items():
        for node, outcome in covered(world, found, name) if name != KTHREAD else ():
            if node < len(automaton.nodes) and automaton.nodes[node].op.code == c.VMA_CONTAINS:
                op = automaton.nodes[node].op
                outcomes.setdefault((name, op.where, op.name), set()).add(outcome)
    return outcomes


@pytest.mark.parametrize("race", ["stack-growth", "heap"])
def test_a_comparison_in_two_halves_has_the_outcomes_of_one(race: str) -> None:
    """Under weak memory vm_start is compared first, then vm_end: a text knows one comparison, which may fail in both."""
    strong, weak = executed(race, "sc"), executed(race, "lkmm")
    assert strong
    assert set(weak) == set(strong)
    assert all(strong[key] <= weak[key] for key in strong)


@pytest.mark.parametrize("memory", ["sc", "lkmm"])
def test_whoever_is_alone_takes_nodes_of_the_automaton_that_he_is_given(memory: Memory) -> None:
    """Its orders count for nothing, and shift no node: each pair is a node that has such an outcome."""
    race = catalogue.races()["userfault"]
    automata = extract_race(race, Stack(registry()["per-vma-6.12"]), memory=memory)
    for actor in race.actor:
        nodes = automata[actor.name].nodes
        pairs = alone(race, automata, actor.name)
        assert pairs
        assert all(outcome < len(nodes[node].successors) for node, outcome in pairs)
        acquires = [node for node, _ in pairs if nodes[node].op.name.startswith("write-locked")]
        assert bool(acquires) == any(node.op.name.startswith("write-locked") for node in nodes)
