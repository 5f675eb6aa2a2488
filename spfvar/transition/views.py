"""Views of weak words: where they lie in the state, how they are joined, what barriers do to them.

A view is a row of positions, one for each weak word, several of them packed into a state word of 16 bits.
"""

from __future__ import annotations

from typing import Any, Final, NamedTuple

from spfvar.ops import codes as c
from spfvar.ops.histories import (
    MB,
    RMB,
    S_FULL,
    S_PAST,
    V_FLOOR,
    V_PAST,
    V_READ,
    V_SENT,
    V_WRITTEN,
    WMB,
)
from spfvar.transition.jit import compiled, inlined

# --- constants -------------------------------------------------------------------------------------------
K_WORDS: Final = 0  # weak words
K_RING: Final = (
    1  # state word of the first history: length, then value and two views by message; the rest is 0
)
K_VIEWS: Final = 2  # thread word of the first view
K_ROWS: Final = 3  # views of a thread
K_SHARED: Final = 4  # state word of the first shared view; of which there are K_SHARED_ROWS
K_SHARED_ROWS: Final = 5
K_SYNC: Final = 6  # state word: by thread, the readers that its synchronize_rcu() waits for
K_WIDTH: Final = 7  # state words of a view
K_DIRECTORY: Final = 8  # state word: what comes with entry 0 of the page-table directory; 0: nothing does
K_MM: Final = 9  # thread word: the address space that the thread is about
K_ROOM: Final = 10  # messages that a history has room for
K_HISTORY: Final = 11  # state words of a history
K_MESSAGE: Final = 12  # state words of a message
K_LAST: Final = 13  # the highest position, all ones
K_PACKED: Final = 14  # positions to a state word
K_LONG: Final = 15  # state word: how many histories have several messages
K_TRIES: Final = 16  # does a search end, to begin again with larger histories, when one is full: TRIES_*
K_ENTRIES: Final = 17  # state word: what comes with the first entry of page table 0; 0: nothing does
CONSTANTS: Final = 18

TRIES_NOT: Final = 0  # it goes on without the thread that has no room
TRIES_STORES: Final = 1  # when there is no room for a store
TRIES_RUNS: Final = (
    2  # and when a thread cannot be run on because there is none: larger ones have fewer states
)

# --- columns of ``nodes`` --------------------------------------------------------------------------------
N_WORD: Final = 0  # weak number of the word in object 0, or -1; of an allocation: do histories go on (0, 1)?
N_LOCK: Final = 1  # number of the lock in object 0, or -1
N_ORDER: Final = 2
N_DST: Final = 3  # row of the register's view, or -1
N_SRC: Final = 4
N_SRC2: Final = 5
N_SRC3: Final = 6
N_PLACE: Final = 7
N_LOAD: Final = 8  # 1: a load of a weak word
N_LEARNS: Final = 9  # what its thread learns from: LEARNS_*
NODE_COLUMNS: Final = 10

LEARNS_NOTHING: Final = 0  # that an interrupt would pass on
LEARNS_LOCK: Final = 1  # from whoever released a lock, or a strong word with an order
LEARNS_MESSAGE: Final = 2  # from whoever stored what it loads
LEARNS_SLAB: Final = 3  # from whoever freed the memory that it gets
LEARNS_ORDER: Final = 4  # nothing, but it stores to a weak word
LEARNS_ENTRY: Final = 5  # from whoever set the entry of a page table that it reads

# --- what a thread may take something from, or do: bits of ``taken`` ---------------------------------------
I_FULL: Final = 0  # S_FULL, and so on
I_GRACE: Final = 1
I_READERS: Final = 2
I_TREE: Final = 3
I_SLAB: Final = 4
I_SENDS: Final = 5  # it may interrupt other CPUs, which is a full barrier there
I_DIRECTORY: Final = 6  # what the directory's entries say of their tables
I_ENTRIES: Final = 7  # what comes with the entries of page tables
I_LOCKS: Final = 8  # from here on, the fields of locks, and of strong words with orders

SEEN_UNORDERED: Final = 0
SEEN_FULL: Final = 1
SEEN_ORDERS: Final = 2
SEEN: Final = 3  # of these


class Weak(NamedTuple):
    """What a run with weak words knows besides the program table."""

    constants: Any  # K_*
    lane: Any  # by weak word: where the state word is, of a view's, that has its position
    shift: Any  # and the first bit of that
    home: Any  # by weak word, the state word that holds the newest value
    nodes: Any  # (nodes, NODE_COLUMNS)
    spaces: Any  # by thread, the address spaces that its CPU may run, a bit each: Running
    space: Any  # by page, the address space that it is in
    hit: Any  # by thread: may an interrupt ever reach its CPU (0, 1)?
    loads: Any  # what of views still matters, by node: spfvar.explore.matters.Matters
    stores: Any
    found: Any
    loads_of: Any
    stores_of: Any
    pointers: Any
    touched: Any
    stored: Any
    own: Any
    told: Any
    sends: Any
    taken: Any
    given: Any
    shared: Any  # and by shared view
    sure: Any
    field: Any
    vma: Any
    locks: Any
    room: Any
    low: Any  # by weak word; and in two rows, with a column more: scratch of spfvar.transition.settle, too
    lows: Any
    seen: Any  # SEEN_*: 1 + the first node where that was noted
    stale: Any  # by node: did a load there ever return a message that was not the newest?


@inlined
def position(s, w, row, x):
    """A view's position in the history of word ``x``."""
    return s[row + w.lane[x]] >> w.shift[x] & w.constants[K_LAST]


@inlined
def put(s, w, row, x, i):
    """Set a view's position in one history."""
    word = row + w.lane[x]
    s[word] = s[word] & ~(w.constants[K_LAST] << w.shift[x]) | i << w.shift[x]


@inlined
def lift(s, w, row, x, i):
    """Raise a view's position in one history."""
    if position(s, w, row, x) < i:
        put(s, w, row, x, i)


@inlined
def words_in(w, word):
    """The weak words whose positions are in one of a view's state words."""
    first = word * w.constants[K_PACKED]
    return range(first, min(first + w.constants[K_PACKED], w.constants[K_WORDS]))


@inlined
def join(s, row, by, width, last):
    """Join a view into another, by a view's width and the highest position."""
    for word in range(width):
        mine = s[row + word]
        other = s[by + word]
        if mine == 0:
            s[row + word] = other
        elif other != 0 and mine != other:
            joined = 0
            lane = last
            while lane < 1 << 15:
                joined |= max(mine & lane, other & lane)
                lane *= last + 1
            s[row + word] = joined


@inlined
def raise_to(s, w, row, by):
    """Join a view into another."""
    join(s, row, by, w.constants[K_WIDTH], w.constants[K_LAST])


@inlined
def copy_view(s, w, row, by):
    """Replace a view by another, or by nothing if ``by`` is negative."""
    for word in range(w.constants[K_WIDTH]):
        s[row + word] = s[by + word] if by >= 0 else 0


@inlined
def share_past(s, w, tv, shared, gives, takes):
    """Join a thread's past into that of a shared view, or the other way round, or both."""
    n = w.constants[K_WIDTH]
    row = w.constants[K_SHARED] + (shared + S_PAST) * n
    if gives:
        raise_to(s, w, row, tv + V_PAST * n)
    if takes:
        raise_to(s, w, tv + V_PAST * n, row)


@inlined
def full_fence(s, w, tv):
    """smp_mb() of the thread whose views begin at ``tv``."""
    fence_fully(s, tv, w.constants[K_SHARED], w.constants[K_WIDTH], w.constants[K_LAST])


@compiled
def fence_fully(s, tv, views, n, last):
    """The same, by the state word of the shared views and what a view is: called, for it has many callers."""
    shared = views + S_FULL * n
    join(s, tv + V_SENT * n, tv + V_READ * n, n, last)
    join(s, tv + V_SENT * n, tv + V_WRITTEN * n, n, last)
    join(s, shared, tv + V_SENT * n, n, last)
    join(s, tv + V_FLOOR * n, shared, n, last)
    join(s, shared + S_PAST * n, tv + V_PAST * n, n, last)
    join(s, tv + V_PAST * n, shared + S_PAST * n, n, last)
    # Whoever reads a store behind a full barrier comes after it, too.
    join(s, tv + V_SENT * n, shared, n, last)


@inlined
def fence(s, w, tv, order):
    """A barrier of some kind."""
    n = w.constants[K_WIDTH]
    if order & MB:
        full_fence(s, w, tv)
    if order & RMB:
        raise_to(s, w, tv + V_FLOOR * n, tv + V_READ * n)
    if order & WMB:
        raise_to(s, w, tv + V_SENT * n, tv + V_WRITTEN * n)
        raise_to(s, w, tv + V_FLOOR * n, tv + V_WRITTEN * n)


@inlined
def ring_of(w, x):
    """State word of the length of a word's history."""
    return w.constants[K_RING] + x * w.constants[K_HISTORY]


@inlined
def message_of(w, ring, i):
    """State word of a message's value; behind it are what it brings along, and its past."""
    return ring + 1 + i * w.constants[K_MESSAGE]


@inlined
def begin_anew(s, g, w, x):
    """Give a word a history of one message, of which nobody knows anything yet."""
    n = w.constants[K_WIDTH]
    ring = ring_of(w, x)
    if s[ring] > 1:
        s[w.constants[K_LONG]] -= 1
    for word in range(ring, message_of(w, ring, s[ring])):
        s[word] = 0
    s[ring] = 1
    s[ring + 1] = s[w.home[x]]
    for other in range(w.constants[K_WORDS]):
        for i in range(s[ring_of(w, other)]):
            put(s, w, message_of(w, ring_of(w, other), i) + 1, x, 0)
            put(s, w, message_of(w, ring_of(w, other), i) + 1 + n, x, 0)
    for tid in range(g[c.G_THREADS]):
        views = g[c.G_T_BASE] + tid * g[c.G_T_STRIDE] + w.constants[K_VIEWS]
        for row in range(w.constants[K_ROWS]):
            put(s, w, views + row * n, x, 0)
    for row in range(w.constants[K_SHARED_ROWS]):
        put(s, w, w.constants[K_SHARED] + row * n, x, 0)


@inlined
def row_of(w, tv, row):
    """State word of a thread's view, or -1."""
    return tv + row * w.constants[K_WIDTH] if row >= 0 else -1
