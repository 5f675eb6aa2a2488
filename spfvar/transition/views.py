"""Views of weak words: where they lie in the state, how they are joined, what barriers do to them.

A view is a row of positions, one for each weak word, packed: `PACKED` of them to a state word of 16 bits.
"""

from __future__ import annotations

from typing import Any, Final, NamedTuple

from spfvar.ops import codes as c
from spfvar.ops.histories import (
    BITS_EACH,
    HISTORY,
    LAST,
    MB,
    PACKED,
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
K_RING: Final = 1  # state word of the first history: length, then value and two views by message
K_VIEWS: Final = 2  # thread word of the first view
K_ROWS: Final = 3  # views of a thread
K_SHARED: Final = 4  # state word of the first shared view; of which there are K_SHARED_ROWS
K_SHARED_ROWS: Final = 5
K_SYNC: Final = 6  # state word: by thread, the readers that its synchronize_rcu() waits for
K_WIDTH: Final = 7  # state words of a view
K_DIRECTORY: Final = 8  # state word: what comes with entry 0 of the page-table directory; 0: nothing does
K_MM: Final = 9  # thread word: the address space that the thread is about
CONSTANTS: Final = 10

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

# --- what a thread may take something from, or do: bits of ``taken`` ---------------------------------------
I_FULL: Final = 0  # S_FULL, and so on
I_GRACE: Final = 1
I_READERS: Final = 2
I_TREE: Final = 3
I_SLAB: Final = 4
I_SENDS: Final = 5  # it may interrupt other CPUs, which is a full barrier there
I_DIRECTORY: Final = 6  # what the directory's entries say of their tables
I_LOCKS: Final = 7  # from here on, the fields of locks, and of strong words with orders

SEEN_UNORDERED: Final = 0
SEEN_FULL: Final = 1
SEEN_ORDERS: Final = 2
SEEN: Final = 3  # of these


class Weak(NamedTuple):
    """What a run with weak words knows besides the program table."""

    constants: Any  # K_*
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
    locks: Any
    room: Any
    seen: Any  # SEEN_*: 1 + the first node where that was noted
    stale: Any  # by node: did a load there ever return a message that was not the newest?


@inlined
def position(s, row, x):
    """A view's position in the history of word ``x``."""
    return s[row + x // PACKED] >> BITS_EACH * (x % PACKED) & LAST


@inlined
def put(s, row, x, i):
    """Set a view's position in one history."""
    shift = BITS_EACH * (x % PACKED)
    s[row + x // PACKED] = s[row + x // PACKED] & ~(LAST << shift) | i << shift


@inlined
def lift(s, row, x, i):
    """Raise a view's position in one history."""
    if position(s, row, x) < i:
        put(s, row, x, i)


@inlined
def raise_to(s, row, by, width):
    """Join a view into another."""
    for word in range(width):
        mine = s[row + word]
        other = s[by + word]
        if mine == 0:
            s[row + word] = other
        elif other != 0 and mine != other:
            joined = 0
            for lane in range(PACKED):
                lanes = LAST << BITS_EACH * lane
                joined |= max(mine & lanes, other & lanes)
            s[row + word] = joined


@inlined
def copy_view(s, row, by, width):
    """Replace a view by another, or by nothing if ``by`` is negative."""
    for word in range(width):
        s[row + word] = s[by + word] if by >= 0 else 0


@inlined
def share_past(s, w, tv, shared, gives, takes):
    """Join a thread's past into that of a shared view, or the other way round, or both."""
    n = w.constants[K_WIDTH]
    row = w.constants[K_SHARED] + (shared + S_PAST) * n
    if gives:
        raise_to(s, row, tv + V_PAST * n, n)
    if takes:
        raise_to(s, tv + V_PAST * n, row, n)


@inlined
def full_fence(s, w, tv):
    """smp_mb() of the thread whose views begin at ``tv``."""
    fence_fully(s, tv, w.constants[K_SHARED], w.constants[K_WIDTH])


@compiled
def fence_fully(s, tv, views, n):
    """The same, by the state word of the shared views and a view's width: called, for it has many callers."""
    shared = views + S_FULL * n
    raise_to(s, tv + V_SENT * n, tv + V_READ * n, n)
    raise_to(s, tv + V_SENT * n, tv + V_WRITTEN * n, n)
    raise_to(s, shared, tv + V_SENT * n, n)
    raise_to(s, tv + V_FLOOR * n, shared, n)
    raise_to(s, shared + S_PAST * n, tv + V_PAST * n, n)
    raise_to(s, tv + V_PAST * n, shared + S_PAST * n, n)
    raise_to(s, tv + V_SENT * n, shared, n)  # whoever reads a store behind a full barrier comes after it, too


@inlined
def fence(s, w, tv, order):
    """A barrier of some kind."""
    n = w.constants[K_WIDTH]
    if order & MB:
        full_fence(s, w, tv)
    if order & RMB:
        raise_to(s, tv + V_FLOOR * n, tv + V_READ * n, n)
    if order & WMB:
        raise_to(s, tv + V_SENT * n, tv + V_WRITTEN * n, n)
        raise_to(s, tv + V_FLOOR * n, tv + V_WRITTEN * n, n)


@inlined
def ring_of(w, x):
    """State word of the length of a word's history."""
    return w.constants[K_RING] + x * (1 + HISTORY * (1 + 2 * w.constants[K_WIDTH]))


@inlined
def message_of(w, ring, i):
    """State word of a message's value; behind it are what it brings along, and its past."""
    return ring + 1 + i * (1 + 2 * w.constants[K_WIDTH])


@inlined
def begin_anew(s, g, w, x):
    """Give a word a history of one message, of which nobody knows anything yet."""
    n = w.constants[K_WIDTH]
    ring = ring_of(w, x)
    for word in range(ring, ring + 1 + HISTORY * (1 + 2 * n)):
        s[word] = 0
    s[ring] = 1
    s[ring + 1] = s[w.home[x]]
    for other in range(w.constants[K_WORDS]):
        for i in range(s[ring_of(w, other)]):
            put(s, message_of(w, ring_of(w, other), i) + 1, x, 0)
            put(s, message_of(w, ring_of(w, other), i) + 1 + n, x, 0)
    for tid in range(g[c.G_THREADS]):
        views = g[c.G_T_BASE] + tid * g[c.G_T_STRIDE] + w.constants[K_VIEWS]
        for row in range(w.constants[K_ROWS]):
            put(s, views + row * n, x, 0)
    for row in range(w.constants[K_SHARED_ROWS]):
        put(s, w.constants[K_SHARED] + row * n, x, 0)


@inlined
def row_of(w, tv, row):
    """State word of a thread's view, or -1."""
    return tv + row * w.constants[K_WIDTH] if row >= 0 else -1
