"""The canonical form of a state with weak words: what nobody can read or look at any more is forgotten."""

from __future__ import annotations

from spfvar.ops import codes as c
from spfvar.ops.histories import HISTORY, V_BRANCHED, V_FLOOR
from spfvar.transition.jit import inlined
from spfvar.transition.views import (
    K_ROWS,
    K_SHARED,
    K_SHARED_ROWS,
    K_VIEWS,
    K_WIDTH,
    K_WORDS,
    copy_view,
    message_of,
    position,
    put,
    ring_of,
)


@inlined
def lower_row(s, row, x, low):
    """A view's position in a history whose first ``low`` messages are gone."""
    old = position(s, row, x)
    if old != 0:
        put(s, row, x, max(old - low, 0))


@inlined
def settle(s, g, w):
    """Forget the messages that nobody can read any more, and the views that nobody will look at."""
    n = w.constants[K_WIDTH]
    threads = g[c.G_THREADS]
    rows = w.constants[K_ROWS]
    for tid in range(threads):
        tb = g[c.G_T_BASE] + tid * g[c.G_T_STRIDE]
        keep = w.rows[s[tb]]
        for row in range(rows):
            if keep >> row & 1 == 0:
                copy_view(s, tb + w.constants[K_VIEWS] + row * n, -1, n)
        for x in range(w.constants[K_WORDS]):
            if w.ahead[s[tb]] >> x & 1 == 0:
                put(s, tb + w.constants[K_VIEWS] + V_FLOOR * n, x, 0)
                put(s, tb + w.constants[K_VIEWS] + V_BRANCHED * n, x, 0)
    for x in range(w.constants[K_WORDS]):
        ring = ring_of(w, x)
        low = s[ring] - 1
        if low == 0:
            continue
        for tid in range(threads):
            tb = g[c.G_T_BASE] + tid * g[c.G_T_STRIDE]
            if w.ahead[s[tb]] >> x & 1:
                low = min(low, position(s, tb + w.constants[K_VIEWS] + V_FLOOR * n, x))
        if low > 0:
            drop(s, g, w, x, ring, low)


@inlined
def drop(s, g, w, x, ring, low):
    """Forget the first ``low`` messages of a word."""
    n = w.constants[K_WIDTH]
    length = s[ring] - low
    for i in range(HISTORY):
        message = message_of(w, ring, i)
        for word in range(1 + 2 * n):
            s[message + word] = s[message_of(w, ring, i + low) + word] if i < length else 0
    s[ring] = length
    for other in range(w.constants[K_WORDS]):
        for i in range(s[ring_of(w, other)]):
            lower_row(s, message_of(w, ring_of(w, other), i) + 1, x, low)
            lower_row(s, message_of(w, ring_of(w, other), i) + 1 + n, x, low)
    for tid in range(g[c.G_THREADS]):
        tv = g[c.G_T_BASE] + tid * g[c.G_T_STRIDE] + w.constants[K_VIEWS]
        for row in range(w.constants[K_ROWS]):
            lower_row(s, tv + row * n, x, low)
    for row in range(w.constants[K_SHARED_ROWS]):
        lower_row(s, w.constants[K_SHARED] + row * n, x, low)


@inlined
def single(s, w):
    """Has every history one message?  Then there is nothing to forget in them."""
    longest = 1
    for x in range(w.constants[K_WORDS]):
        longest = max(longest, s[ring_of(w, x)])
    return longest == 1
