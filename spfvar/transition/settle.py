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
    BITS_EACH,
    HISTORY,
    LAST,
    LOCK_ROWS,
    PACKED,
    S_FULL,
    S_LOCKS,
    S_TREE,
    V_BRANCHED,
    V_FLOOR,
    V_PAST,
    V_READ,
    V_SENT,
    V_WRITTEN,
)
from spfvar.transition.jit import compiled, inlined
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

# --- columns of ``room``, by thread ----------------------------------------------------------------------
LOADS: Final = 0  # what it needs to know of: Matters.loads, and of which objects
STORES: Final = 1
TAKEN: Final = 2  # Matters.taken, and what interrupts bring
REACHED: Final = 3  # whom it may still tell anything: threads, a bit each
POINTED: Final = 4  # of LOADS: the words of objects that its pointers point to now
ROOM: Final = 5


@inlined
def lower_row(s, row, x, low):
    """A view's position in a history whose first ``low`` messages are gone."""
    old = position(s, row, x)
    if old != 0:
        put(s, row, x, max(old - low, 0))


@inlined
def pointed_at(s, g, w, tid, through):
    """The weak words that a thread needs to know of, of the objects that its pointers point to now."""
    tb = g[c.G_T_BASE] + tid * g[c.G_T_STRIDE]
    needed = 0
    for column in range(w.pointers.shape[0]):
        fields = through[s[tb], column]
        index = s[tb + w.pointers[column]]
        if fields != 0 and index >= 0:
            needed |= fields << (index - g[c.G_STALE] if index >= g[c.G_STALE] else index)
    return needed


@inlined
def note_needs(s, g, w):
    """Note by thread what it needs to know of, and whom it may still tell anything, directly or not."""
    threads = g[c.G_THREADS]
    taken = 0
    for tid in range(threads):
        node = s[g[c.G_T_BASE] + tid * g[c.G_T_STRIDE]]
        w.room[tid, POINTED] = pointed_at(s, g, w, tid, w.loads_of)
        w.room[tid, LOADS] = w.loads[node] | w.room[tid, POINTED]
        w.room[tid, STORES] = w.stores[node] | pointed_at(s, g, w, tid, w.stores_of)
        w.room[tid, TAKEN] = w.taken[node]
        taken |= w.taken[node]
    interrupts = 1 << I_FULL if taken >> I_SENDS & 1 else 0
    for tid in range(threads):
        if w.hit[tid] != 0:
            w.room[tid, TAKEN] |= interrupts
    for tid in range(threads):
        node = s[g[c.G_T_BASE] + tid * g[c.G_T_STRIDE]]
        told = 0
        given = w.given[node] | (interrupts if w.hit[tid] != 0 else 0)
        for other in range(threads):
            touched = w.touched[s[g[c.G_T_BASE] + other * g[c.G_T_STRIDE]]]
            if given & w.room[other, TAKEN] != 0 or w.stored[node] & touched != 0:
                told |= 1 << other
        w.room[tid, REACHED] = told
    for between in range(threads):
        for tid in range(threads):
            if w.room[tid, REACHED] >> between & 1:
                w.room[tid, REACHED] |= w.room[between, REACHED]


@compiled
def settle(s, g, w):
    """Forget the messages that nobody can read any more, and what nobody will learn from views.

    Called, not inlined: it is large, and runs once for a state that is stored.
    """
    n = w.constants[K_WIDTH]
    threads = g[c.G_THREADS]
    note_needs(s, g, w)
    for tid in range(threads):
        tv = g[c.G_T_BASE] + tid * g[c.G_T_STRIDE] + w.constants[K_VIEWS]
        for word in range(n):
            if s[tv + V_FLOOR * n + word] != 0:
                for lane in range(PACKED):
                    if w.room[tid, LOADS] >> (word * PACKED + lane) & 1 == 0:
                        s[tv + V_FLOOR * n + word] &= ~(LAST << BITS_EACH * lane)
    longest = 1
    for x in range(w.constants[K_WORDS]):
        ring = ring_of(w, x)
        low = s[ring] - 1
        if low == 0:
            continue
        for tid in range(threads):
            if w.room[tid, LOADS] >> x & 1:
                low = min(low, known_before(s, g, w, tid, x))
        if low > 0:
            drop(s, g, w, x, ring, low)
        longest = max(longest, s[ring])
    if longest > 1:
        for x in range(w.constants[K_WORDS]):
            if s[ring_of(w, x)] > 1:
                forget_positions(s, g, w, x)


@inlined
def known_before(s, g, w, tid, x):
    """Raise a thread's floor to what it will know at least when it looks at a word, and return it."""
    n = w.constants[K_WIDTH]
    tb = g[c.G_T_BASE] + tid * g[c.G_T_STRIDE]
    node = s[tb]
    floor = tb + w.constants[K_VIEWS] + V_FLOOR * n
    sure = w.sure[node, w.field[x]]
    if sure != 0:
        lift(s, floor, x, will_know(s, g, w, tid, x, sure))
    if w.found[node] >> x & 1 and w.room[tid, POINTED] >> x & 1 == 0:
        lift(s, floor, x, position(s, w.constants[K_SHARED] + S_TREE * n, x))
    return position(s, floor, x)


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
def known_to(s, g, w, x, reached, past):
    """The lowest position of a word that some thread knows which is ``reached`` and may need to know better.

    ``past``: for the order of its stores; else for its loads, too.  NEVER: there is none.
    """
    n = w.constants[K_WIDTH]
    low = NEVER
    for tid in range(g[c.G_THREADS]):
        if reached >> tid & 1 and w.room[tid, STORES if past else LOADS] >> x & 1:
            tv = g[c.G_T_BASE] + tid * g[c.G_T_STRIDE] + w.constants[K_VIEWS]
            low = min(low, position(s, tv + V_FLOOR * n, x))
    return low


@inlined
def and_told(g, w, first):
    """Some threads, and all whom they may still tell anything."""
    reached = first
    for tid in range(g[c.G_THREADS]):
        if first >> tid & 1:
            reached |= w.room[tid, REACHED]
    return reached


@inlined
def takers(g, w, number):
    """The threads that may still take something from a shared view, and all whom they may tell."""
    found = 0
    for tid in range(g[c.G_THREADS]):
        if number < 0 or w.room[tid, TAKEN] >> number & 1:
            found |= 1 << tid
    return and_told(g, w, found)


@inlined
def clip(s, row, x, low):
    """Forget a view's position in a history unless it is higher."""
    if position(s, row, x) <= low:
        put(s, row, x, 0)


@inlined
def forget_positions(s, g, w, x):
    """Forget what makes no difference of the positions in one history."""
    n = w.constants[K_WIDTH]
    threads = g[c.G_THREADS]
    full = w.constants[K_SHARED] + S_FULL * n
    for tid in range(threads):
        tb = g[c.G_T_BASE] + tid * g[c.G_T_STRIDE]
        node = s[tb]
        tv = tb + w.constants[K_VIEWS]
        own = w.own[node]
        told = w.told[node]
        for other in range(threads):
            if w.hit[tid] != 0 and other != tid and w.room[other, TAKEN] >> I_SENDS & 1:
                own |= INTERRUPTED
                told |= INTERRUPTED
        mine = position(s, tv + V_FLOOR * n, x)
        loads = mine if w.room[tid, LOADS] >> x & 1 else NEVER
        stores = mine if w.room[tid, STORES] >> x & 1 else NEVER
        for row in range(V_FLOOR + 1, w.constants[K_ROWS]):
            if position(s, tv + row * n, x) == 0:
                continue
            past = row == V_PAST
            low = NEVER
            if own >> row & 1:
                low = stores if past or row == V_BRANCHED else loads
            if told >> row & 1:
                low = min(low, known_to(s, g, w, x, w.room[tid, REACHED], past))
            if row == V_SENT and w.sends[node] == 0:
                low = max(low, position(s, full, x))  # it goes there next, and comes back with it
            clip(s, tv + row * n, x, low)
    for row in range(w.constants[K_SHARED_ROWS]):
        view = w.constants[K_SHARED] + row * n
        if position(s, view, x) != 0:
            clip(s, view, x, known_to(s, g, w, x, takers(g, w, w.shared[row, 0]), w.shared[row, 1] != 0))
    for y in range(w.constants[K_WORDS]):
        ring = ring_of(w, y)
        for i in range(s[ring]):
            content = message_of(w, ring, i) + 1
            if position(s, content, x) != 0 or position(s, content + n, x) != 0:
                reached = and_told(g, w, readers(s, g, w, y, i))
                clip(s, content, x, known_to(s, g, w, x, reached, False))
                clip(s, content + n, x, known_to(s, g, w, x, reached, True))


@inlined
def readers(s, g, w, y, i):
    """Who may still read a message: by a load, or by an atomic, which reads the newest one?"""
    n = w.constants[K_WIDTH]
    found = 0
    for tid in range(g[c.G_THREADS]):
        tb = g[c.G_T_BASE] + tid * g[c.G_T_STRIDE]
        if w.touched[s[tb]] >> y & 1:
            newest = i + 1 == s[ring_of(w, y)]
            if newest or position(s, tb + w.constants[K_VIEWS] + V_FLOOR * n, y) <= i:
                found |= 1 << tid
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
