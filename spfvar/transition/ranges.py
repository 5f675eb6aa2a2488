"""Locks of ranges: readers of ranges that overlap share them, writers do not; in the order of arrival.

The lock itself is two words (requests, those of them for writing).  A thread's request lies in four of its
registers, as the kernel's does on its stack (Kara and Bueso, lib/range_lock.c, posted 2013 and 2017):

* first address and end;
* entry: twice its place in the order of arrival, from 1 on, + 1 if it is for writing; none if not positive;
* blocking: how many earlier requests it has to wait for.

A thread has one request at a time.  Places are closed up when a request goes, so that states stay finite.
"""

from __future__ import annotations

from spfvar.ops.codes import (
    BLOCKED,
    C_A_REG,
    C_DST,
    C_IMM,
    C_IMM2,
    C_OP,
    C_SRC,
    C_SRC2,
    C_SRC3,
    EVERYTHING,
    G_PAGES,
    G_PT_SHIFT,
    G_T_BASE,
    G_T_STRIDE,
    G_THREADS,
    RANGE_DOWNGRADE,
    RANGE_LOCK,
    RANGE_TRYLOCK,
    RANGE_WAIT,
    T_WAIT,
    T_WKIND,
    T_WNEXT,
    V_UNBALANCED,
)
from spfvar.transition.jit import inlined
from spfvar.transition.locks import GRANTED, QUEUED, granted_or_queued, wake
from spfvar.transition.tables import table_end


@inlined
def overlaps(s, p, pc, mine, other):
    """Has the thread at ``other`` a request on the same lock that overlaps the one at ``mine``?"""
    return (
        s[other + p[pc, C_SRC3]] > 0
        and s[other + p[pc, C_A_REG]] == s[mine + p[pc, C_A_REG]]
        and s[other + p[pc, C_SRC]] < s[mine + p[pc, C_SRC2]]
        and s[mine + p[pc, C_SRC]] < s[other + p[pc, C_SRC2]]
    )


@inlined
def rivals(s, p, g, pc, tb, writers):
    """How many requests there are that one of this kind has to wait for."""
    if writers == 0 and p[pc, C_IMM] == 0:
        return 0
    found = 0
    for thread in range(g[G_THREADS]):
        other = g[G_T_BASE] + thread * g[G_T_STRIDE]
        if other != tb and overlaps(s, p, pc, tb, other):
            found += 1 if p[pc, C_IMM] != 0 else s[other + p[pc, C_SRC3]] & 1
    return found


@inlined
def enter(s, p, g, pc, tb, a, found):
    """Add a request that has to wait for so many."""
    s[a] += 1
    s[a + 1] += p[pc, C_IMM]
    s[tb + p[pc, C_SRC3]] = 2 * s[a] + p[pc, C_IMM]
    s[tb + p[pc, C_DST]] = found


@inlined
def widen(s, p, g, pc, tb):
    """Let the range begin and end where page tables do, or be everything."""
    start = tb + p[pc, C_SRC]
    end = tb + p[pc, C_SRC2]
    if p[pc, C_IMM2] == EVERYTHING:
        s[start] = 0
        s[end] = g[G_PAGES]
    else:
        s[start] = max(s[start], 0) >> g[G_PT_SHIFT] << g[G_PT_SHIFT]
        s[end] = table_end(g, s[end] - 1)


@inlined
def let_in(s, p, pc, other, g, thread, out):
    """A later request has one fewer to wait for."""
    blocking = other + p[pc, C_DST]
    s[blocking] -= 1
    if s[blocking] == 0 and s[other + T_WAIT] == QUEUED:
        wake(s, g, thread, out)


@inlined
def leave(s, p, g, pc, tb, a, out):
    """Take the thread's request away; those behind it move up."""
    mine = s[tb + p[pc, C_SRC3]]
    s[tb + p[pc, C_SRC3]] = 0
    s[a] -= 1
    s[a + 1] -= mine & 1
    for thread in range(g[G_THREADS]):
        other = g[G_T_BASE] + thread * g[G_T_STRIDE]
        entry = other + p[pc, C_SRC3]
        if s[entry] > mine and s[other + p[pc, C_A_REG]] == s[tb + p[pc, C_A_REG]]:
            s[entry] -= 2
            if (mine | s[entry]) & 1 and overlaps(s, p, pc, tb, other):
                let_in(s, p, pc, other, g, thread, out)
    return 0


@inlined
def downgrade(s, p, g, pc, tb, a, out):
    """A request for writing becomes one for reading: later readers need not wait for it any more."""
    s[a + 1] -= 1
    s[tb + p[pc, C_SRC3]] -= 1
    mine = s[tb + p[pc, C_SRC3]]
    for thread in range(g[G_THREADS]):
        other = g[G_T_BASE] + thread * g[G_T_STRIDE]
        entry = s[other + p[pc, C_SRC3]]
        if entry > mine + 1 and entry & 1 == 0 and overlaps(s, p, pc, tb, other):
            let_in(s, p, pc, other, g, thread, out)
    return 0


@inlined
def queue(s, tb):
    """The thread waits; it is in no list, for its request says where it stands."""
    s[tb + T_WAIT] = QUEUED
    s[tb + T_WKIND] = 0
    s[tb + T_WNEXT] = 0


@inlined
def wait(s, p, pc, tb):
    """Outcome 0 when the range is held, BLOCKED until then."""
    queued = granted_or_queued(s, tb)
    if queued == GRANTED or s[tb + p[pc, C_DST]] <= 0:
        return 0
    queue(s, tb)
    return BLOCKED


@inlined
def range_op(s, p, g, pc, tb, a, out):
    """Range locks (opcodes RANGE_LOCK to RANGE_DOWNGRADE)."""
    op = p[pc, C_OP]
    entry = s[tb + p[pc, C_SRC3]]
    if op == RANGE_WAIT:
        return wait(s, p, pc, tb)
    if op in (RANGE_LOCK, RANGE_TRYLOCK):
        if entry > 0:  # it would wait for itself
            queue(s, tb)
            return BLOCKED
        if p[pc, C_IMM2] != 0:
            widen(s, p, g, pc, tb)
        found = rivals(s, p, g, pc, tb, s[a + 1])
        if op == RANGE_LOCK:
            enter(s, p, g, pc, tb, a, found)
            return 1 if found > 0 else 0
        if found == 0:
            enter(s, p, g, pc, tb, a, found)
        return 1 if found == 0 else 0
    if entry <= 0 or entry & 1 != p[pc, C_IMM] or s[tb + p[pc, C_DST]] > 0:
        return -2 - V_UNBALANCED
    if op == RANGE_DOWNGRADE:
        return downgrade(s, p, g, pc, tb, a, out)
    return leave(s, p, g, pc, tb, a, out)
