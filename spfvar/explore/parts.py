"""States kept as tuples of parts.

A state is cut into the words of each thread and the words of memory. Every different *part* is kept once,
and a state is the tuple of its parts' numbers, packed into a *key* of one or two machine words. Nothing is
lost: two states are equal if and only if their keys are."""

from __future__ import annotations

from typing import Any, Final, NamedTuple

import numpy as np

from spfvar.transition.jit import compiled, inlined

_HIGH: Final = -(1 << 32)
_LOW: Final = (1 << 32) - 1


class Store(NamedTuple):
    """Parts of one kind, as rows of 64-bit words; ``buckets`` finds a row by its hash.

    A bucket has the high half of the hash above, the row's number + 1 below; 0 is free.  A match is always
    confirmed on the row.
    """

    rows: Any  # (capacity, words) int64
    hashes: Any  # (capacity,) int64
    buckets: Any  # (power of 2,) int64
    used: Any  # (1,) int64: rows in use


def new_store(capacity: int, words: int) -> Store:
    """An empty store of parts."""
    return Store(
        np.zeros((capacity, words), dtype=np.int64),
        np.zeros(capacity, dtype=np.int64),
        np.zeros(2 * capacity, dtype=np.int64),
        np.zeros(1, dtype=np.int64),
    )


def larger_store(store: Store) -> Store:
    """The same parts with room for as many more."""
    used = int(store.used[0])
    more = new_store(2 * len(store.rows), store.rows.shape[1])
    more.rows[:used] = store.rows[:used]
    more.hashes[:used] = store.hashes[:used]
    more.used[0] = used
    refill_parts(more)
    return more


class Keys(NamedTuple):
    """Keys of states in the order in which they were found.

    ``buckets`` has the keys themselves (0 is free) and their numbers.
    """

    rows: Any  # (capacity, words) int64
    buckets: Any  # (power of 2, words + 1) int64
    used: Any  # (1,) int64


@inlined
def mix(lane, position):
    """A word's share of a hash."""
    x = (lane + (position + 1) * -7046029254386353131) * -4658895280553007687
    x ^= x >> 32
    return x * -7723592293110705685


@inlined
def slot_of(digest, slots):
    """Where the search for a hash begins."""
    return (digest ^ (digest >> 29)) & (slots - 1)


@compiled
def add_part(store, lanes, at, digest):
    """The number of the row whose words are ``lanes[at:]``, added if it is new."""
    buckets = store.buckets
    slot = slot_of(digest, buckets.shape[0])
    high = digest & _HIGH
    while buckets[slot] != 0:
        if (buckets[slot] & _HIGH) == high:
            row = (buckets[slot] & _LOW) - 1
            same = True
            for i in range(store.rows.shape[1]):
                if store.rows[row, i] != lanes[at + i]:
                    same = False
                    break
            if same:
                return row
        slot = (slot + 1) & (buckets.shape[0] - 1)
    row = store.used[0]
    buckets[slot] = high | (row + 1)
    for i in range(store.rows.shape[1]):
        store.rows[row, i] = lanes[at + i]
    store.hashes[row] = digest
    store.used[0] = row + 1
    return row


@compiled
def whole_part(store, lanes, at):
    """The number of the part in ``lanes[at:]``: its hash is the sum of its words' shares."""
    digest = 0
    for i in range(store.rows.shape[1]):
        digest += mix(lanes[at + i], i)
    return add_part(store, lanes, at, digest)


@compiled
def changed_part(store, lanes, at, row):
    """The number of the part in ``lanes[at:]``, which was part ``row`` before something may have changed."""
    digest = store.hashes[row]
    changed = False
    for i in range(store.rows.shape[1]):
        if lanes[at + i] != store.rows[row, i]:
            changed = True
            digest += mix(lanes[at + i], i) - mix(store.rows[row, i], i)
    return add_part(store, lanes, at, digest) if changed else row


@compiled
def refill_parts(store):
    """Enter every row into new, empty buckets."""
    buckets = store.buckets
    for row in range(store.used[0]):
        digest = store.hashes[row]
        slot = slot_of(digest, buckets.shape[0])
        while buckets[slot] != 0:
            slot = (slot + 1) & (buckets.shape[0] - 1)
        buckets[slot] = (digest & _HIGH) | (row + 1)


@inlined
def slot_of_key(rows, row, slots):
    """Where the search for a key begins."""
    digest = 0
    for i in range(rows.shape[1]):
        digest += mix(rows[row, i], i)
    return slot_of(digest, slots)


@inlined
def add_key(keys, rows, row, slot):
    """Enter ``rows[row]``, whose search begins at ``slot``, unless it is there; returns its number."""
    buckets = keys.buckets
    while buckets[slot, 0] != 0:
        same = True
        for i in range(rows.shape[1]):
            if buckets[slot, i] != rows[row, i]:
                same = False
        if same:
            return buckets[slot, rows.shape[1]]
        slot = (slot + 1) & (buckets.shape[0] - 1)
    number = keys.used[0]
    for i in range(rows.shape[1]):
        buckets[slot, i] = rows[row, i]
        keys.rows[number, i] = rows[row, i]
    buckets[slot, rows.shape[1]] = number
    keys.used[0] = number + 1
    return number


@compiled
def refill_keys(keys):
    """Enter every key into new, empty buckets."""
    used = keys.used[0]
    keys.used[0] = 0
    for row in range(used):
        add_key(keys, keys.rows, row, slot_of_key(keys.rows, row, keys.buckets.shape[0]))
