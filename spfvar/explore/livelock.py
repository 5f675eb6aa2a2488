"""Livelock: states from which no way leads to an end.

A search that is to find them records its transitions, in the order of the states that they leave.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from spfvar.transition.jit import compiled, inlined


class Edges(NamedTuple):
    """The transitions of a search, in the order of ``source``."""

    source: Any  # (capacity,) int32
    target: Any  # (capacity,) int32
    used: Any  # (1,) int64


def new_edges(transitions: int) -> Edges:
    """Room for so many transitions; none: they are not recorded."""
    source, target = (np.zeros(transitions, dtype=np.int32) for _ in range(2))
    return Edges(source, target, np.zeros(1, dtype=np.int64))


def larger_edges(edges: Edges) -> Edges:
    """The same transitions with room for as many more."""
    more = new_edges(2 * len(edges.source))
    used = int(edges.used[0])
    more.source[:used] = edges.source[:used]
    more.target[:used] = edges.target[:used]
    more.used[0] = used
    return more


@inlined
def add_edge(edges, source, target):
    """One more transition."""
    edges.source[edges.used[0]] = source
    edges.target[edges.used[0]] = target
    edges.used[0] += 1


def trapped(edges: Edges, states: int) -> int:
    """The first state from which no end can be reached, or -1, after a complete search."""
    used = int(edges.used[0])
    first = np.searchsorted(edges.source[:used], np.arange(states + 1))
    return int(first_trapped(first, edges.target, states, np.zeros(states, dtype=np.uint8)))


@compiled
def first_trapped(first, target, states, ends):
    """See `trapped`: the transitions of state ``i`` lead to ``target[first[i] : first[i + 1]]``.

    ``ends`` is scratch, a zero by state.  A state without transitions is an end (a deadlock is reported as
    such).  Most transitions lead to states found later, so few sweeps from the last state to the first do.
    """
    changed = True
    while changed:
        changed = False
        for state in range(states - 1, -1, -1):
            if ends[state]:
                continue
            reaches = first[state] == first[state + 1]
            for i in range(first[state], first[state + 1]):
                if ends[target[i]]:
                    reaches = True
                    break
            if reaches:
                ends[state] = 1
                changed = True
    for state in range(states):
        if ends[state] == 0:
            return state
    return -1
