"""The canonical form of a state with weak words: what makes no difference any more is forgotten.

Messages that nobody can read; and positions of views.  A position of a word matters only as long as it can
still reach a thread that may load the word and does not know as much yet: through the thread's own barriers,
or through what others tell it.  (Of the past, V_PAST: a thread that stores where the order of stores counts.)
A thread that takes a lock on every way to its loads counts as if it knew already what the lock will tell it.
"""

from __future__ import annotations

from typing import Final

from spfvar.ops import codes as c
from spfvar.ops.histories import (
    HISTORY,
    LOCK_ROWS,
    S_LOCKS,
    V_BRANCHED,
    V_FLOOR,
    V_PAST,
    V_READ,
    V_SENT,
    V_WRITTEN,
)
from spfvar.transition.jit import inlined
from spfvar.transition.views import (
    I_FULL,
    I_SENDS,
    K_ROWS,
    K_SHARED,
    K_SHARED_ROWS,
    K_VIEWS,
    K_WIDTH,
    K_WORDS,
    lift,
    message_of,
    position,
    put,
    ring_of,
)

#: No position is as high: nothing of the word matters.
NEVER: Final = HISTORY
#: What an interrupt passes on, wherever the thread is, and what comes back to it.
INTERRUPTED: Final = 1 << V_READ | 1 << V_WRITTEN | 1 << V_SENT | 1 << V_PAST


@inlined
def lower_row(s, row, x, low):
    """A view's position in a history whose first ``low`` messages are gone."""
    old = position(s, row, x)
    if old != 0:
        put(s, row, x, max(old - low, 0))


@inlined
def settle(s, g, w):
    """Forget the messages that nobody can read any more, and what nobody will learn from views."""
    n = w.constants[K_WIDTH]
    threads = g[c.G_THREADS]
    for tid in range(threads):
        tb = g[c.G_T_BASE] + tid * g[c.G_T_STRIDE]
        tv = tb + w.constants[K_VIEWS]
        for x in range(w.constants[K_WORDS]):
            if w.loads[s[tb]] >> x & 1 == 0:
                put(s, tv + V_FLOOR * n, x, 0)
    longest = 1
    for x in range(w.constants[K_WORDS]):
        ring = ring_of(w, x)
        low = s[ring] - 1
        if low == 0:
            continue
        for tid in range(threads):
            tb = g[c.G_T_BASE] + tid * g[c.G_T_STRIDE]
            if w.loads[s[tb]] >> x & 1:
                floor = tb + w.constants[K_VIEWS] + V_FLOOR * n
                sure = w.sure[s[tb], w.field[x]]
                if sure != 0:
                    lift(s, floor, x, will_know(s, g, w, tid, x, sure))
                low = min(low, position(s, floor, x))
        if low > 0:
            drop(s, g, w, x, ring, low)
        longest = max(longest, s[ring])
    if longest > 1:
        taken = 0
        for tid in range(threads):
            taken |= w.taken[s[g[c.G_T_BASE] + tid * g[c.G_T_STRIDE]]]
        if taken >> I_SENDS & 1:
            taken |= 1 << I_FULL
        for x in range(w.constants[K_WORDS]):
            if s[ring_of(w, x)] > 1:
                forget_positions(s, g, w, x, taken)


@inlined
def will_know(s, g, w, tid, x, sure):
    """What a thread will know of a word when it looks at it, at least, for it takes these locks before."""
    n = w.constants[K_WIDTH]
    most = 0
    for lock in range(w.locks.shape[0]):
        if sure >> lock & 1:
            least = NEVER
            for i in range(w.locks[lock, 1]):
                row = w.constants[K_SHARED] + (S_LOCKS + LOCK_ROWS * (w.locks[lock, 0] + i)) * n
                known = position(s, row, x)
                # Whoever has it alone tells what it has written before others get it.
                if w.locks[lock, 2] != 0:
                    owner = s[w.locks[lock, 2] + i * w.locks[lock, 3]] - 1
                    if owner >= 0 and owner != tid:
                        tv = g[c.G_T_BASE] + owner * g[c.G_T_STRIDE] + w.constants[K_VIEWS]
                        known = max(
                            known, position(s, tv + V_READ * n, x), position(s, tv + V_WRITTEN * n, x)
                        )
                least = min(least, known)
            most = max(most, least)
    return most


@inlined
def needed_from(s, g, w, x, past):
    """The lowest position that some thread knows of a word and may need to know better.

    ``past``: for the order of its stores; else for its loads, too.  NEVER: there is none.
    """
    n = w.constants[K_WIDTH]
    low = NEVER
    for tid in range(g[c.G_THREADS]):
        tb = g[c.G_T_BASE] + tid * g[c.G_T_STRIDE]
        ahead = w.stores[s[tb]] if past else w.loads[s[tb]]
        if ahead >> x & 1:
            low = min(low, position(s, tb + w.constants[K_VIEWS] + V_FLOOR * n, x))
    return low


@inlined
def clip(s, row, x, low):
    """Forget a view's position in a history unless it is higher."""
    if position(s, row, x) <= low:
        put(s, row, x, 0)


@inlined
def forget_positions(s, g, w, x, taken):
    """Forget what makes no difference of the positions in one history.

    ``taken``: the shared views that somebody may still take something from.
    """
    n = w.constants[K_WIDTH]
    threads = g[c.G_THREADS]
    some = needed_from(s, g, w, x, False)
    some_past = needed_from(s, g, w, x, True)
    for tid in range(threads):
        tb = g[c.G_T_BASE] + tid * g[c.G_T_STRIDE]
        node = s[tb]
        tv = tb + w.constants[K_VIEWS]
        own = w.own[node]
        told = w.told[node]
        for other in range(threads):
            if other != tid and w.taken[s[g[c.G_T_BASE] + other * g[c.G_T_STRIDE]]] >> I_SENDS & 1:
                own |= INTERRUPTED
                told |= INTERRUPTED
        mine = position(s, tv + V_FLOOR * n, x)
        loads = mine if w.loads[node] >> x & 1 else NEVER
        stores = mine if w.stores[node] >> x & 1 else NEVER
        for row in range(V_FLOOR + 1, w.constants[K_ROWS]):
            if position(s, tv + row * n, x) == 0:
                continue
            past = row == V_PAST
            low = NEVER
            if own >> row & 1:
                low = stores if past or row == V_BRANCHED else loads
            if told >> row & 1:
                low = min(low, some_past if past else some)  # what is told may come back
            clip(s, tv + row * n, x, low)
    for row in range(w.constants[K_SHARED_ROWS]):
        view = w.constants[K_SHARED] + row * n
        if position(s, view, x) != 0:
            number = w.shared[row, 0]
            low = some_past if w.shared[row, 1] else some
            clip(s, view, x, low if number < 0 or taken >> number & 1 else NEVER)
    for y in range(w.constants[K_WORDS]):
        ring = ring_of(w, y)
        for i in range(s[ring]):
            read = is_read(s, g, w, y, i)
            clip(s, message_of(w, ring, i) + 1, x, some if read else NEVER)
            clip(s, message_of(w, ring, i) + 1 + n, x, some_past if read else NEVER)


@inlined
def is_read(s, g, w, y, i):
    """May somebody still read a message: a load, or an atomic, which reads the newest one?"""
    n = w.constants[K_WIDTH]
    found = False
    for tid in range(g[c.G_THREADS]):
        tb = g[c.G_T_BASE] + tid * g[c.G_T_STRIDE]
        if w.touched[s[tb]] >> y & 1:
            newest = i + 1 == s[ring_of(w, y)]
            if newest or position(s, tb + w.constants[K_VIEWS] + V_FLOOR * n, y) <= i:
                found = True
    return found


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
