"""Canonical forms, remembered by what they depend on.

Of a thread, `spfvar.transition.settle` looks at its views, and at what matters at its node and through its
pointers: its *sight*, which many parts share.  Of memory, at histories and shared views, at who has which
lock alone, and at which VMAs are in the tree.  It changes views and histories only.  So few canonical forms
are computed; the others are put together of what is remembered.
"""

from __future__ import annotations

from typing import Any, Final, NamedTuple

import numpy as np
import numpy.typing as npt

from spfvar.explore.kept import histories_of, load, memory_lanes
from spfvar.explore.parts import Store, changed_part, mix, new_store, slot_of, whole_part
from spfvar.ops import codes as c
from spfvar.ops.histories import V_BRANCHED, V_FLOOR, V_PAST, V_SENT
from spfvar.transition.jit import compiled, inlined
from spfvar.transition.settle import in_tree, pointed_at
from spfvar.transition.sole import shared_word
from spfvar.transition.views import K_LONG, K_ROWS, K_VIEWS, K_WIDTH, K_WORDS, Weak, position, ring_of
from spfvar.transition.weakly import settled

#: Lanes of a sight before its views: the number of what matters there.
_HEAD: Final = 1
_LANE_BITS: Final = 2  # four words to a lane
#: Lanes of what matters at a node, before those by weak field.
_MATTERS: Final = 10
#: Views of which it matters what the thread stores to, not what it loads.
_OF_STORES: Final = 1 << V_BRANCHED | 1 << V_PAST


class Sights(NamedTuple):
    """What is remembered of canonical forms."""

    threads: Any  # Store of sights
    matters: Any  # Store of what matters at nodes
    shapes: Any  # Store of how many messages the histories have, a lane each
    owners: Any  # Store of who has which lock alone, a lane for each of ``words``; and which VMAs are found
    of_thread: Any  # (power of 2, 2) int64: a part of a thread, a shape, has the tree a VMA?; its sight there
    of_histories: Any  # by part of histories, the number of its shape + 1; 0: not looked at yet
    of_memory: Any  # by part of memory, the number of its owners + 1
    words: Any  # state words of the owners of locks
    settled: Any  # (power of 2, 2 * threads + 3) int32: sights, owners, histories + 1 (0 is free); settled
    joined: Any  # (power of 2, 2) int64: a part and its new sight, or histories; and the part that it is then
    lanes: Any  # scratch


def owner_words(weak: Weak) -> npt.NDArray[np.int64]:
    """The state words that say who has a lock alone."""
    words = [
        word + i * stride
        for _, number, word, stride in weak.locks.tolist()
        for i in range(number)
        if word != 0
    ]
    return np.array(words or [0], dtype=np.int64)


def new_sights(weak: Weak, lanes: int, threads: int, parts: int, forms: int) -> Sights:
    """Nothing is remembered yet, with room for so many parts of each kind, and canonical forms.

    ``lanes``: of a part of a thread.
    """
    words = owner_words(weak)
    widths = {
        "threads": _HEAD + lanes - (int(weak.constants[K_VIEWS]) >> _LANE_BITS),
        "matters": 2 * (_MATTERS + weak.sure.shape[1]),
        "shapes": int(weak.constants[K_WORDS]),
        "owners": len(words) + 1,
    }
    return Sights(
        **{name: new_store(parts, width) for name, width in widths.items()},
        of_thread=np.zeros((forms, 2), dtype=np.int64),
        of_histories=np.zeros(parts, dtype=np.int32),
        of_memory=np.zeros(parts, dtype=np.int32),
        words=words,
        settled=np.zeros((forms, 2 * (threads + 1) + 1), dtype=np.int32),
        joined=np.zeros((forms, 2), dtype=np.int64),
        lanes=np.zeros(max(widths.values()), dtype=np.int64),
    )


def stores_of(sights: Sights) -> dict[str, Store]:
    """Its stores, by the names of its fields."""
    return {name: getattr(sights, name) for name in ("threads", "matters", "shapes", "owners")}


def with_parts(sights: Sights, histories: int, memories: int) -> Sights:
    """The same with room for so many parts of histories and of memory."""
    grown = [
        np.concatenate([array, np.zeros(parts - len(array), dtype=array.dtype)])
        for array, parts in ((sights.of_histories, histories), (sights.of_memory, memories))
    ]
    return sights._replace(of_histories=grown[0], of_memory=grown[1])


def forget_forms(sights: Sights, forms: int) -> Sights:
    """The same with room for so many canonical forms, none of which is remembered."""
    empty = {
        name: np.zeros((forms, getattr(sights, name).shape[1]), dtype=getattr(sights, name).dtype)
        for name in ("settled", "joined", "of_thread")
    }
    return sights._replace(**empty)


@inlined
def shape_of(weak, space, work):
    """The number of how long the histories of ``work.parts`` are."""
    sights = space.sights
    here = histories_of(space, work.parts[work.order.shape[0]])
    if sights.of_histories[here] == 0:
        for x in range(weak.constants[K_WORDS]):
            sights.lanes[x] = shared_word(weak, space.histories.rows, here, ring_of(weak, x))
        sights.of_histories[here] = whole_part(sights.shapes, sights.lanes, 0) + 1
    return sights.of_histories[here] - 1


@inlined
def sight_of(weak, space, work, g, tid, shape, bare):
    """The number of the sight of a thread of ``work.parts``, whose histories have a shape.

    ``bare``: the tree has no VMA, so that it counts, too, what matters where none is found any more.
    """
    sights = space.sights
    memo = sights.of_thread
    key = (work.parts[tid] << 32 | shape << 1 | (1 if bare else 0)) + 1
    place = (mix(key, 0) >> 20) & (memo.shape[0] - 1)
    if memo[place, 0] != key:
        load(weak, space, work)
        views = memory_lanes(space, work) + tid * space.threads.rows.shape[1]
        memo[place, 0] = key
        memo[place, 1] = new_sight(weak, sights, work.s, work.lanes, views, g, tid, shape, bare)
    return memo[place, 1]


@compiled
def new_sight(weak, sights, s, lanes, first, g, tid, shape, bare):
    """The number of the sight of a thread whose words begin at ``lanes[first]``; called, for it is rare."""
    for i in range(sights.lanes.shape[0]):
        sights.lanes[i] = 0
    note_matters(weak, sights, s, g, tid, shape, 0)
    if bare:
        note_matters(weak, sights, s, g, tid, shape, 1)
    sights.lanes[0] = whole_part(sights.matters, sights.lanes, 0)
    copy_views(weak, sights, lanes, first)
    return whole_part(sights.threads, sights.lanes, 0)


@inlined
def note_matters(weak, sights, s, g, tid, shape, half):
    """Note what matters to the canonical form at the node of a thread: if a VMA is found, or (1) none is.

    Of words that have one message nothing does; nor the way to know more of those of which it knows all; nor
    which views are looked at that have nothing.
    """
    tb = g[c.G_T_BASE] + tid * g[c.G_T_STRIDE]
    views = tb + weak.constants[K_VIEWS]
    lanes = sights.lanes
    first = half * (_MATTERS + weak.sure.shape[1])
    node = s[tb] + half * (weak.loads.shape[0] // 2)
    pointed = pointed_at(s, g, weak, tid, node, weak.loads_of)
    loads = weak.loads[node] | pointed
    long = 0
    needs = 0
    for x in range(weak.constants[K_WORDS]):
        newest = sights.shapes.rows[shape, x] - 1
        if newest > 0:
            long |= 1 << x
            if loads >> x & 1 and position(s, weak, views + V_FLOOR * weak.constants[K_WIDTH], x) < newest:
                needs |= 1 << x
    stores = (weak.stores[node] | pointed_at(s, g, weak, tid, node, weak.stores_of)) & long
    held = 0
    for row in range(V_FLOOR + 1, weak.constants[K_ROWS]):
        for word in range(weak.constants[K_WIDTH]):
            if s[views + row * weak.constants[K_WIDTH] + word] != 0:
                held |= 1 << row
    looked = (0 if needs == 0 else ~_OF_STORES) | (0 if stores == 0 else _OF_STORES)
    lanes[first] = loads & long
    lanes[first + 1] = stores
    lanes[first + 2] = weak.found[node] & ~pointed & needs
    lanes[first + 3] = weak.own[node] & held & looked
    lanes[first + 4] = weak.told[node] & held
    lanes[first + 5] = weak.sends[node] if held >> V_SENT & 1 else 0
    lanes[first + 6] = weak.touched[node]
    lanes[first + 7] = weak.stored[node]
    lanes[first + 8] = weak.taken[node]
    lanes[first + 9] = weak.given[node]
    for x in range(weak.constants[K_WORDS]):
        if needs >> x & 1:
            lanes[first + _MATTERS + weak.field[x]] = weak.sure[node, weak.field[x]]


@inlined
def copy_views(weak, sights, lanes, first):
    """Copy the views of a thread whose words begin at ``lanes[first]`` to where a sight has them."""
    views = first + (weak.constants[K_VIEWS] >> _LANE_BITS)
    for i in range(sights.threads.rows.shape[1] - _HEAD):
        sights.lanes[_HEAD + i] = lanes[views + i]


@inlined
def owners_of(weak, space, work, g):
    """The number of what the memory of ``work.parts`` says of who has which lock, and of the tree."""
    sights = space.sights
    part = work.parts[work.order.shape[0]]
    if sights.of_memory[part] == 0:
        load(weak, space, work)
        for i in range(sights.words.shape[0]):
            sights.lanes[i] = work.s[sights.words[i]]
        sights.lanes[sights.words.shape[0]] = in_tree(work.s, g)
        sights.of_memory[part] = whole_part(sights.owners, sights.lanes, 0) + 1
    return sights.of_memory[part] - 1


@inlined
def thread_with(weak, space, work, part, sight):
    """The part of a thread that has the views of a sight instead of its own."""
    joined = space.sights.joined
    key = (part << 32 | sight << 1) + 1
    place = (mix(key, 0) >> 20) & (joined.shape[0] - 1)
    if joined[place, 0] != key:
        width = space.threads.rows.shape[1]
        first = weak.constants[K_VIEWS] >> _LANE_BITS
        for i in range(first):
            work.t_lanes[i] = space.threads.rows[part, i]
        for i in range(width - first):
            work.t_lanes[first + i] = space.sights.threads.rows[sight, _HEAD + i]
        joined[place, 0] = key
        joined[place, 1] = changed_part(space.threads, work.t_lanes, 0, part)
    return joined[place, 1]


@inlined
def memory_with(space, work, part, histories):
    """The part of memory that has other histories."""
    joined = space.sights.joined
    key = (part << 32 | histories << 1) + 2
    place = (mix(key, 0) >> 20) & (joined.shape[0] - 1)
    if joined[place, 0] != key:
        strong = space.memories.rows.shape[1] - 1
        for i in range(strong):
            work.t_lanes[i] = space.memories.rows[part, i]
        work.t_lanes[strong] = histories
        joined[place, 0] = key
        joined[place, 1] = changed_part(space.memories, work.t_lanes, 0, part)
        space.belongs[joined[place, 1]] = histories
    return joined[place, 1]


@inlined
def compute(weak, space, work, g, place):
    """Remember the canonical form of ``work.parts``, whose sights are in ``work.seen``, at a place."""
    threads = work.order.shape[0]
    sights = space.sights
    memo = sights.settled
    load(weak, space, work)
    settled(weak, work.s, g)
    strong = space.memories.rows.shape[1] - 1
    histories = changed_part(space.histories, work.lanes, strong, work.seen[threads + 1])
    for i in range(threads):
        sights.lanes[0] = sights.threads.rows[work.seen[i], 0]
        copy_views(weak, sights, work.lanes, memory_lanes(space, work) + i * space.threads.rows.shape[1])
        sight = changed_part(sights.threads, sights.lanes, 0, work.seen[i])
        memo[place, threads + 2 + i] = sight
        if sight != work.seen[i]:
            work.loaded[i] = -1
    memo[place, 2 * threads + 2] = histories
    if histories != work.seen[threads + 1]:
        work.loaded[threads] = -1
        work.loaded[threads + 1] = histories
    for i in range(threads + 1):
        memo[place, i] = work.seen[i]
    memo[place, threads + 1] = work.seen[threads + 1] + 1


@inlined
def has_forms(weak, space, work):
    """Has any history more than one message?  Else each state is its own canonical form."""
    if weak is None:
        return False
    else:
        here = histories_of(space, work.parts[work.order.shape[0]])
        return shared_word(weak, space.histories.rows, here, weak.constants[K_LONG]) != 0


@inlined
def is_bare(space, owners):
    """Has the tree no VMA, by the number of `owners_of`?"""
    rows = space.sights.owners.rows
    return rows[owners, rows.shape[1] - 1] == 0


@inlined
def note_sights(weak, space, work, g):
    """Note in ``work.seen`` what the canonical form of ``work.parts`` depends on."""
    if weak is None:
        return
    threads = work.order.shape[0]
    shape = shape_of(weak, space, work)
    work.seen[threads] = owners_of(weak, space, work, g)
    bare = is_bare(space, work.seen[threads])
    for i in range(threads):
        work.seen[i] = sight_of(weak, space, work, g, i, shape, bare)
    work.seen[threads + 1] = histories_of(space, work.parts[threads])


@inlined
def looks_alike(weak, space, work, g):
    """Is that still what it depends on?"""
    if weak is None:
        return True
    threads = work.order.shape[0]
    if work.seen[threads + 1] != histories_of(space, work.parts[threads]):
        return False
    if work.seen[threads] != owners_of(weak, space, work, g):
        return False
    shape = shape_of(weak, space, work)
    bare = is_bare(space, work.seen[threads])
    found = True
    for i in range(threads):
        found = found and work.seen[i] == sight_of(weak, space, work, g, i, shape, bare)
    return found


@inlined
def settle(weak, space, work, g):
    """With weak words: make ``work.parts`` those of the canonical form of the state."""
    if weak is None:
        return
    if not has_forms(weak, space, work):
        return
    threads = work.order.shape[0]
    memo = space.sights.settled
    note_sights(weak, space, work, g)
    histories = work.seen[threads + 1]
    digest = 0
    for i in range(threads + 2):
        digest += mix(work.seen[i], i)
    place = slot_of(digest, memo.shape[0])
    same = memo[place, threads + 1] == histories + 1
    for i in range(threads + 1):
        same = same and memo[place, i] == work.seen[i]
    if not same:
        compute(weak, space, work, g, place)
    for i in range(threads):
        sight = memo[place, threads + 2 + i]
        if sight != work.seen[i]:
            work.parts[i] = thread_with(weak, space, work, work.parts[i], sight)
    after = memo[place, 2 * threads + 2]
    if after != histories:
        work.parts[threads] = memory_with(space, work, work.parts[threads], after)
