"""RCU in a run with weak words: what sections and grace periods tell each other.

A section that begins after a grace period has begun knows what came before that; a grace period's end knows
what the sections before it did.
"""

from __future__ import annotations

from spfvar.ops import codes as c
from spfvar.ops.codes import BLOCKED, C_OP
from spfvar.ops.histories import S_FULL, S_GRACE, S_READERS, V_READ, V_WRITTEN
from spfvar.transition.jit import inlined
from spfvar.transition.views import (
    K_SHARED,
    K_SHARED_ROWS,
    K_SYNC,
    K_WIDTH,
    copy_view,
    full_fence,
    raise_to,
    share_past,
)


@inlined
def leave_section(s, g, w, tid, tv):
    """An RCU section ends: what came before it is known behind every grace period that waits for it."""
    n = w.constants[K_WIDTH]
    done = w.constants[K_SHARED] + S_READERS * n
    raise_to(s, w, done, tv + V_READ * n)
    raise_to(s, w, done, tv + V_WRITTEN * n)
    share_past(s, w, tv, S_READERS, True, False)
    threads = g[c.G_THREADS]
    for waiter in range(threads):
        mask = w.constants[K_SYNC] + waiter
        if s[mask] >> tid & 1:
            s[mask] &= ~(1 << tid)
            row = w.constants[K_SHARED] + (w.constants[K_SHARED_ROWS] - threads + waiter) * n
            raise_to(s, w, row, tv + V_READ * n)
            raise_to(s, w, row, tv + V_WRITTEN * n)


@inlined
def start_grace(s, w, tv):
    """A grace period starts: sections that begin from now on know what came before it."""
    n = w.constants[K_WIDTH]
    full_fence(s, w, tv)
    raise_to(s, w, w.constants[K_SHARED] + S_GRACE * n, w.constants[K_SHARED] + S_FULL * n)
    share_past(s, w, tv, S_GRACE, True, False)


@inlined
def end_grace(s, w, tv, row):
    """A grace period ends: what came before the end of the sections it waited for is known."""
    n = w.constants[K_WIDTH]
    raise_to(s, w, tv + V_READ * n, row)
    share_past(s, w, tv, S_READERS, False, True)
    full_fence(s, w, tv)


@inlined
def synchronize(s, p, g, w, pc, tid, tv):
    """synchronize_rcu() in a thread: SYNC_START, SYNC_WAIT."""
    n = w.constants[K_WIDTH]
    threads = g[c.G_THREADS]
    mask = w.constants[K_SYNC] + tid
    row = w.constants[K_SHARED] + (w.constants[K_SHARED_ROWS] - threads + tid) * n
    if p[pc, C_OP] == c.SYNC_WAIT:
        if s[mask] != 0:
            return BLOCKED
        end_grace(s, w, tv, row)
        copy_view(s, w, row, -1)
        return 0
    for thread in range(threads):
        if s[g[c.G_T_BASE] + thread * g[c.G_T_STRIDE] + c.T_RCU_NEST] != 0:
            s[mask] |= 1 << thread
    copy_view(s, w, row, w.constants[K_SHARED] + S_READERS * n)
    start_grace(s, w, tv)
    return 0
