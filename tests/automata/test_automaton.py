"""Minimisation: what no observer can tell apart is one node."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from spfvar.automata.automaton import Node, minimise
from spfvar.ops.primitives import choose, count, work


def test_equal_cycles_are_merged_although_they_never_end() -> None:
    """a -> b -> a and its copy a' -> b' -> a' are one cycle of 2; sharing suffixes would not find it."""
    a, b = work("a"), work("b")
    nodes = [Node(a, (1,)), Node(b, (2,)), Node(a, (3,)), Node(b, (0,))]
    automaton = minimise("t", nodes, 0)
    assert automaton.nodes == (Node(a, (1,)), Node(b, (0,)))


def test_a_late_difference_keeps_nodes_apart() -> None:
    """Two chains that differ only in their last op share nothing but the exit."""
    ops = [work(name) for name in "xxyz"]
    # 0 asks; 1 -> 3 (y) -> 5, 2 -> 4 (z) -> 5
    nodes = [
        Node(choose("q", 0, 1), (1, 2)), Node(ops[0], (3,)), Node(ops[1], (4,)),
        Node(ops[2], (5,)), Node(ops[3], (5,)), Node(work("end"), (5,)),
    ]  # fmt: skip
    assert len(minimise("t", nodes, 0)) == 6


def test_unreachable_nodes_are_dropped_and_the_entry_is_node_0() -> None:
    """Numbers are breadth first from the entry."""
    nodes = [Node(work("dead"), (0,)), Node(work("end"), (1,)), Node(work("start"), (1,))]
    automaton = minimise("t", nodes, 2)
    assert [op.name for op in automaton.ops()] == ["start", "end"]
    assert minimise("t", [], 0).nodes == ()


def test_events_are_listed_once_each_in_order() -> None:
    """The columns of the abort table come from here."""
    nodes = [Node(count("b"), (1,)), Node(count("a"), (2,)), Node(count("b"), (2,))]
    assert minimise("t", nodes, 0).events() == ["b", "a"]


@given(
    st.lists(st.tuples(st.sampled_from("ab"), st.integers(0, 9), st.integers(0, 9)), min_size=10, max_size=10)
)
def test_minimised_graphs_behave_as_the_given_ones(graph: list[tuple[str, int, int]]) -> None:
    """Over all words of length 6, both graphs give the same ops; and minimising again changes nothing."""
    nodes = [Node(choose(name, 0, 1), (left, right)) for name, left, right in graph]
    automaton = minimise("t", nodes, 0)
    pairs = [(0, 0)]
    for _ in range(6):
        assert all(nodes[old].op == automaton.nodes[new].op for old, new in pairs)
        pairs = list(
            {(nodes[a].successors[i], automaton.nodes[b].successors[i]) for a, b in pairs for i in (0, 1)}
        )
    assert minimise("t", list(automaton.nodes), 0) == automaton
