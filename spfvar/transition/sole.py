"""Is a load of a weak word open?  It is not if its thread can read but one message, so that it may run on."""

from __future__ import annotations

from spfvar.ops import codes as c
from spfvar.ops.histories import BITS_EACH, LAST, PACKED, V_FLOOR
from spfvar.transition.jit import inlined
from spfvar.transition.views import (
    K_VIEWS,
    K_WIDTH,
    N_LOAD,
    N_PLACE,
    N_SRC,
    N_SRC2,
    N_SRC3,
    N_WORD,
    ring_of,
)


@inlined
def word_of(rows, row, word):
    """A word of a part, which has four of 16 bits in each of its own; no negative ones."""
    return rows[row, word >> 2] >> 16 * (word & 3) & 0xFFFF


@inlined
def one_message(weak, p, g, threads, thread, memories, memory, node):
    """Is there one way through a node, for a thread with this part, and memory with this one?

    ``threads`` and ``memories`` are the rows of the stores of parts.
    """
    if weak is None:
        return True
    else:
        if weak.nodes[node, N_LOAD] == 0:
            return True
        index = word_of(threads, thread, p[node, c.C_A_REG])
        if index >= 1 << 15:  # null
            return False
        if index >= g[c.G_STALE]:
            index -= g[c.G_STALE]
        x = weak.nodes[node, N_WORD] + index
        newest = word_of(memories, memory, ring_of(weak, x)) - 1
        views = weak.constants[K_VIEWS]
        width = weak.constants[K_WIDTH]
        shift = BITS_EACH * (x % PACKED)
        floor = word_of(threads, thread, views + V_FLOOR * width + x // PACKED) >> shift & LAST
        for column in (N_SRC, N_SRC2, N_SRC3, N_PLACE):
            if weak.nodes[node, column] >= 0:
                row = views + weak.nodes[node, column] * width + x // PACKED
                floor = max(floor, word_of(threads, thread, row) >> shift & LAST)
        return floor == newest
