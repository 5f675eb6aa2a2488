"""Livelock: states from which no way leads to an end.

A search that is to find them records where its transitions lead: as states are expanded in the order of their
numbers, the targets lie one behind the other, and each state only needs to know where its own begin.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from spfvar.transition.jit import compiled, inlined


class Edges(NamedTuple):
    """The transitions of a search: those of state ``i`` are ``target[first[i] : first[i + 1]]``."""

    first: Any  # (capacity + 1,) int64
    target: Any  # (capacity,) int32
    used: Any  # (1,) int64


def new_edges(states: int, transitions: int) -> Edges:
    """Room for so many states and transitions."""
    first = np.zeros(states + 1, dtype=np.int64)
    return Edges(first, np.zeros(transitions, dtype=np.int32), np.zeros(1, dtype=np.int64))


def larger_edges(edges: Edges, states: int, margin: int) -> Edges:
    """The same transitions with room for more; ``margin`` is what one expansion may add."""
    used = int(edges.used[0])
    wanted = len(edges.target) if used + margin <= len(edges.target) else 2 * used + margin
    more = new_edges(states, wanted)
    kept = min(len(edges.first), len(more.first))
    more.first[:kept] = edges.first[:kept]
    more.target[:used] = edges.target[:used]
    more.used[0] = used
    return more


@inlined
def add_edge(edges, row):
    """One more transition of the state that is being expanded."""
    edges.target[edges.used[0]] = row
    edges.used[0] += 1


@compiled
def first_trapped(edges, states, ends):
    """The first state from which no end can be reached, or -1, after a complete search.

    ``ends`` is scratch, a zero by state.  A state without transitions is an end (a deadlock is reported as
    such).  Most transitions lead to states found later, so few sweeps from the last state to the first do.
    """
    changed = True
    while changed:
        changed = False
        for state in range(states - 1, -1, -1):
            if ends[state]:
                continue
            reaches = edges.first[state] == edges.first[state + 1]
            for i in range(edges.first[state], edges.first[state + 1]):
                if ends[edges.target[i]]:
                    reaches = True
                    break
            if reaches:
                ends[state] = 1
                changed = True
    for state in range(states):
        if ends[state] == 0:
            return state
    return -1
