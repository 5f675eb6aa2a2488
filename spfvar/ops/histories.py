"""Histories and views of weak words: what the layout and the kernels have to know of them."""

from __future__ import annotations

from typing import Final

from spfvar.ops import codes as c
from spfvar.ops.objects import CLASSES

#: Messages that a history has room for, in a run that is laid out once: in a hunt, in a litmus test.
HISTORY: Final = 8
#: A race is searched with histories of so many messages, the first that suffice: states are smaller then.
ROOMS: Final = (4, 8, 16)
DEEPEST: Final = ROOMS[-1]
#: A load has a choice among so many messages at most (spfvar.explore.search.WAYS has as many numbers).
READABLE: Final = DEEPEST

# --- a thread's views, each a row of positions -----------------------------------------------------------
V_FLOOR: Final = 0  # the oldest message of each word that a load may still see
V_READ: Final = 1  # what came with everything that it read
V_WRITTEN: Final = 2
V_SENT: Final = 3  # what goes along with a plain store
V_BRANCHED: Final = 4  # what the way here was chosen by
V_UNLOCKED: Final = 5  # read and written before its last unlock
V_UNLOCKED_STORES: Final = 6
V_PAST: Final = 7  # the stores that came before in program order, by being read, or in a word's order
V_REGISTERS: Final = 8  # from here on, a row for each register that a weak load fills


def bits_each(history: int) -> int:
    """Bits of a position in histories of so many messages."""
    return (history - 1).bit_length()


def packed(history: int) -> int:
    """Positions that fit into a state word of 16 bits, sign apart."""
    return 15 // bits_each(history)


def view_words(words: int, history: int) -> int:
    """State words of a view of so many weak words."""
    return -(-words // packed(history))


def message_words(words: int, history: int) -> int:
    """State words of a message, among so many weak words: its value, what it brings, its past."""
    return 1 + 2 * view_words(words, history)


def history_words(words: int, history: int) -> int:
    """State words of a history: its length, and its messages."""
    return 1 + history * message_words(words, history)


# --- shared views ---------------------------------------------------------------------------------------
S_FULL: Final = 0  # what came before some full barrier
S_GRACE: Final = 1  # what came before the start of some grace period
S_READERS: Final = 2  # what came before the end of some RCU section
S_PAST: Final = 3  # how much further down the past (V_PAST) is that goes with each of these
S_TREE: Final = 6  # what came before some store to the VMA tree
S_SLAB: Final = 7  # by class of objects: what came before one of them was freed
#: For each lock, and each strong word with an order: read and written before its last release; written; past.
S_LOCKS: Final = S_SLAB + len(CLASSES)
LOCK_ROWS: Final = 3
# Behind them: if page tables are weak, for each entry of their directory, what was sent along with the table
# that it has; for each entry of a page table, what was sent along with that; for each thread, what its
# synchronize_rcu() has learned from the sections that it waits for.

# --- primitives on entries of page tables ---------------------------------------------------------------
#: They set one entry: by a store; by an atomic; or those of a range, by atomics.
BY_STORES: Final = (c.SET_PTE, c.PTE_RESTORE, c.PTE_MKWRITE)
BY_ATOMICS: Final = (c.PTE_TAKE, c.PTE_WRPROTECT)
OF_RANGE: Final = (c.ZAP_PTES, c.CHANGE_PTES)
SETTING: Final = (*BY_STORES, *BY_ATOMICS, *OF_RANGE)
#: They read one.
READING: Final = (c.READ_PTE, c.PTE_TAKE, c.PTE_NONE, c.PTE_SAME)

# --- orders of an op, as bits ---------------------------------------------------------------------------
ACQUIRE: Final = 1
RELEASE: Final = 2
FULL: Final = 4
QUIET: Final = 8  # an atomic that returns nothing: its load is not ordered by smp_rmb
RMB: Final = 16
WMB: Final = 32
MB: Final = 64
CHAINED: Final = 128  # an atomic on a word that nothing else stores to: what comes before it is what it reads
PLAIN: Final = 256  # no atomic: a load and a store
UNORDERED: Final = 512  # of a lock: whoever takes it knows nothing of who had it
CUT: Final = 1024  # a load of a pointer on which nothing depends, as if its value had been guessed
BITS: Final = {
    "": 0,
    "value": 0,
    "acquire": ACQUIRE,
    "release": RELEASE,
    "full": FULL,
    "quiet": QUIET,
    "plain": PLAIN,
    "plain release": PLAIN | RELEASE,
    "unordered": UNORDERED,
    "rmb": RMB,
    "wmb": WMB,
    "mb": MB,
    "cut": CUT,
}
