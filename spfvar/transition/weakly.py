"""One step under either memory model, chosen when a kernel is compiled.

``weak`` is None under sequential consistency: numba then prunes the other branch before it compiles anything,
so that such a kernel consists of the same code as if there were no weak words.
"""

from __future__ import annotations

from typing import Final

from spfvar.ops import codes as c
from spfvar.ops.histories import READABLE
from spfvar.transition.interrupts import orders_of
from spfvar.transition.jit import inlined
from spfvar.transition.settle import settle, settle_alone, single
from spfvar.transition.step import pointer, step
from spfvar.transition.views import K_ROOM, K_TRIES, K_VIEWS, N_WORD, SEEN_FULL, TRIES_NOT, ring_of
from spfvar.transition.weak import LOADS, floor_of, weak_step

#: An interrupt reaches the other CPUs in at most so many orders.
MOST_ORDERS: Final = 6


@inlined
def step_of(weak, s, p, g, tid, choice, out):
    """The next primitive of a thread, as `spfvar.transition.step.step`."""
    if weak is None:
        return step(s, p, g, tid, choice, out)
    else:
        return weak_step(s, p, g, weak, tid, choice, out)


@inlined
def ways_of(weak, p, node):
    """How many choices a thread has at a node."""
    choices = 1
    if p[node, c.C_OP] == c.CHOOSE:
        choices += p[node, c.C_IMM] - 1
    if weak is None:
        return choices
    else:
        if p[node, c.C_OP] == c.IPI_SEND:
            choices = MOST_ORDERS
        return weak.constants[K_ROOM] if p[node, c.C_OP] in LOADS else choices


@inlined
def readable(weak, s, p, g, tid):
    """How many messages a thread's load may return now, or in how many orders it interrupts; else 1."""
    if weak is None:
        return 1
    else:
        tb = g[c.G_T_BASE] + tid * g[c.G_T_STRIDE]
        node = s[tb]
        if p[node, c.C_OP] == c.IPI_SEND:
            return orders_of(s, p, g, weak, node, tid)
        if p[node, c.C_OP] not in LOADS or s[tb + p[node, c.C_A_REG]] < 0:
            return 1
        x = weak.nodes[node, N_WORD] + pointer(s, g, tb + p[node, c.C_A_REG])
        return s[ring_of(weak, x)] - floor_of(s, weak, node, tb + weak.constants[K_VIEWS], x)


@inlined
def is_last(weak, s, p, g, tid, choice):
    """Has a thread no way now behind this choice?"""
    node = s[g[c.G_T_BASE] + tid * g[c.G_T_STRIDE]]
    ways = p[node, c.C_IMM] if p[node, c.C_OP] == c.CHOOSE else readable(weak, s, p, g, tid)
    return choice + 1 >= ways


@inlined
def most_ways(weak):
    """A thread has at most so many choices."""
    if weak is None:
        return c.MAX_OUTCOMES
    else:
        return READABLE


@inlined
def gives_up(weak):
    """Was there no room in a history, in a search that begins again with larger ones then?"""
    if weak is None:
        return False
    else:
        return weak.constants[K_TRIES] != TRIES_NOT and weak.seen[SEEN_FULL] != 0


@inlined
def settled(weak, s, g):
    """With weak words: bring the state into its canonical form."""
    if weak is None:
        return
    else:
        if not single(s, weak):
            settle(s, g, weak)


@inlined
def settled_alone(weak, s, g, tid):
    """With weak words: forget of a thread's views what the others have no part in."""
    if weak is None:
        return
    else:
        if not single(s, weak):
            settle_alone(s, g, weak, tid)
