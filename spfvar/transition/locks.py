"""Locks in the state: queued rwsems and spinlocks (kernel/locking/rwsem.c, qspinlock).

A rwsem is four words (readers, writer + 1, queue head + 1, queue tail + 1), a spinlock three
(owner + 1, head, tail).  Both hand over in FIFO order; as in the kernel, a release that reaches a
reader at the head of the queue lets every queued reader in.
"""

from __future__ import annotations

from spfvar.ops.codes import (
    BLOCKED,
    G_T_BASE,
    G_T_STRIDE,
    OUT_WOKEN,
    OUT_WOKEN0,
    T_WAIT,
    T_WKIND,
    T_WNEXT,
    V_UNBALANCED,
)
from spfvar.transition.jit import inlined

READER = 1
WRITER = 2
QUEUED = 1
GRANTED = 2


@inlined
def enqueue(s, g, head, tid, tb, kind):
    """Put a thread at the end of the queue whose head word is ``head`` (the tail follows)."""
    s[tb + T_WAIT] = QUEUED
    s[tb + T_WKIND] = kind
    s[tb + T_WNEXT] = 0
    if s[head] == 0:
        s[head] = tid + 1
    else:
        s[g[G_T_BASE] + (s[head + 1] - 1) * g[G_T_STRIDE] + T_WNEXT] = tid + 1
    s[head + 1] = tid + 1


@inlined
def wake(s, g, waiter, out):
    """Hand the lock to a waiter: its pending op succeeds when it runs next."""
    s[g[G_T_BASE] + waiter * g[G_T_STRIDE] + T_WAIT] = GRANTED
    out[OUT_WOKEN0 + out[OUT_WOKEN]] = waiter
    out[OUT_WOKEN] += 1


@inlined
def granted_or_queued(s, tb):
    """Is this the second run of a waiting op?  0 no, 1 still waiting, 2 now granted (and taken)."""
    wait = s[tb + T_WAIT]
    if wait == GRANTED:
        s[tb + T_WAIT] = 0
    return wait


@inlined
def grant(s, g, a, out):
    """Let the head of a rwsem's queue in: the writer, or all readers wherever they stand."""
    tb0 = g[G_T_BASE]
    stride = g[G_T_STRIDE]
    head = s[a + 2]
    if head == 0 or s[a + 1] != 0:
        return
    first = tb0 + (head - 1) * stride
    if s[first + T_WKIND] == WRITER:
        if s[a] == 0:
            s[a + 1] = head
            s[a + 2] = s[first + T_WNEXT]
            if s[a + 2] == 0:
                s[a + 3] = 0
            wake(s, g, head - 1, out)
        return
    previous = 0
    current = head
    while current != 0:
        cb = tb0 + (current - 1) * stride
        following = s[cb + T_WNEXT]
        if s[cb + T_WKIND] == READER:
            if previous == 0:
                s[a + 2] = following
            else:
                s[tb0 + (previous - 1) * stride + T_WNEXT] = following
            s[a] += 1
            wake(s, g, current - 1, out)
        else:
            previous = current
        current = following
    s[a + 3] = previous


@inlined
def down_read(s, g, a, tid, tb):
    """Outcome 0 when held, BLOCKED while queued."""
    wait = granted_or_queued(s, tb)
    if wait == GRANTED:
        return 0
    if wait == QUEUED:
        return BLOCKED
    if s[a + 1] == 0 and s[a + 2] == 0:
        s[a] += 1
        return 0
    enqueue(s, g, a + 2, tid, tb, READER)
    return BLOCKED


@inlined
def down_read_trylock(s, a):
    """Outcome 1 if taken."""
    if s[a + 1] == 0 and s[a + 2] == 0:
        s[a] += 1
        return 1
    return 0


@inlined
def up_read(s, g, a, out):
    """Outcome 0, or -V_UNBALANCED - 2 if nobody holds it."""
    if s[a] <= 0:
        return -2 - V_UNBALANCED
    s[a] -= 1
    if s[a] == 0:
        grant(s, g, a, out)
    return 0


@inlined
def down_write(s, g, a, tid, tb):
    """Outcome 0 when held, BLOCKED while queued."""
    wait = granted_or_queued(s, tb)
    if wait == GRANTED:
        return 0
    if wait == QUEUED:
        return BLOCKED
    if s[a] == 0 and s[a + 1] == 0 and s[a + 2] == 0:
        s[a + 1] = tid + 1
        return 0
    enqueue(s, g, a + 2, tid, tb, WRITER)
    return BLOCKED


@inlined
def down_write_trylock(s, a, tid):
    """Outcome 1 if taken."""
    if s[a] == 0 and s[a + 1] == 0 and s[a + 2] == 0:
        s[a + 1] = tid + 1
        return 1
    return 0


@inlined
def up_write(s, g, a, tid, out):
    """Outcome 0, or -V_UNBALANCED - 2 if another holds it."""
    if s[a + 1] != tid + 1:
        return -2 - V_UNBALANCED
    s[a + 1] = 0
    grant(s, g, a, out)
    return 0


@inlined
def downgrade_write(s, g, a, tid, out):
    """The writer becomes a reader; queued readers get in if one is at the head."""
    if s[a + 1] != tid + 1:
        return -2 - V_UNBALANCED
    s[a + 1] = 0
    s[a] = 1
    grant(s, g, a, out)
    return 0


@inlined
def lock(s, g, a, tid, tb):
    """Spinlock or bit lock: outcome 0 when held, BLOCKED while queued."""
    wait = granted_or_queued(s, tb)
    if wait == GRANTED:
        return 0
    if wait == QUEUED:
        return BLOCKED
    if s[a] == 0:
        s[a] = tid + 1
        return 0
    enqueue(s, g, a + 1, tid, tb, WRITER)
    return BLOCKED


@inlined
def trylock(s, a, tid):
    """Outcome 1 if taken."""
    if s[a] == 0:
        s[a] = tid + 1
        return 1
    return 0


@inlined
def unlock(s, g, a, tid, out):
    """Release, handing over to the head of the queue."""
    if s[a] != tid + 1:
        return -2 - V_UNBALANCED
    head = s[a + 1]
    s[a] = head
    if head != 0:
        following = s[g[G_T_BASE] + (head - 1) * g[G_T_STRIDE] + T_WNEXT]
        s[a + 1] = following
        if following == 0:
            s[a + 2] = 0
        wake(s, g, head - 1, out)
    return 0
