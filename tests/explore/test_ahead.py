"""Sets handed back through a program: the order of nodes, and what it is good for."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from spfvar.explore.ahead import ends_first, gathered

#: 0 forks to 1 and 2, which meet at 3; 3 goes round to 1, or on to 4, the end.  Nothing leads to 5 but itself.
FORK = [[1, 2], [3], [3], [1, 4], [], [0, 5]]


def test_every_node_is_behind_what_it_leads_to_but_for_circles() -> None:
    """Those that no way from node 0 comes to are in it, too: a table has several programs."""
    order = ends_first(FORK)
    assert sorted(order) == list(range(6))
    place = {node: number for number, node in enumerate(order)}
    back = {(3, 1), (5, 5)}
    assert all(
        place[successor] < place[node]
        for node, successors in enumerate(FORK)
        for successor in successors
        if (node, successor) not in back
    )


def test_bits_are_handed_back_as_far_as_they_are_kept() -> None:
    """Each node's own bit is its number's; 3 keeps those of 1 and of 3 only, so 4's gets no further."""
    own = [1 << node for node in range(6)]
    everything = (1 << 6) - 1
    kept = [everything, everything, everything, 0b1010, everything, everything]
    assert gathered(own, FORK, ends_first(FORK)) == [0b11111, 0b11010, 0b11110, 0b11010, 0b10000, 0b111111]
    assert gathered(own, FORK, ends_first(FORK), kept) == [
        0b01111,
        0b01010,
        0b01110,
        0b01010,
        0b10000,
        0b101111,
    ]


#: Some nodes, and where each of them leads to.
PROGRAMS = st.integers(1, 8).flatmap(
    lambda size: st.lists(st.lists(st.integers(0, size - 1), max_size=3), min_size=size, max_size=size)
)


@given(PROGRAMS)
def test_a_node_has_the_bits_of_all_that_lies_ahead(program: list[list[int]]) -> None:
    """With loops and without: what a walk from each node comes by."""
    reached = []
    for first in range(len(program)):
        seen, ahead = {first}, [first]
        while ahead:
            for successor in program[ahead.pop()]:
                if successor not in seen:
                    seen.add(successor)
                    ahead.append(successor)
        reached.append(sum(1 << node for node in seen))
    assert gathered([1 << node for node in range(len(program))], program, ends_first(program)) == reached
