"""Canonical forms, remembered by what they depend on.

Of a thread, `spfvar.transition.settle` looks at its views, at what matters at its node, and at what its
pointers lead to: its *sight*, which many parts share.  Of memory, at histories and shared views, at who has
which lock alone, and at which VMAs are in the tree.  It changes views and histories only.  So few canonical
forms are computed; the others are put together of what is remembered.
"""

from __future__ import annotations

from typing import Any, Final, NamedTuple

import numpy as np
import numpy.typing as npt

from spfvar.explore.kept import histories_of, load, memory_lanes
from spfvar.explore.matters import Matters
from spfvar.explore.parts import changed_part, mix, new_store, slot_of, whole_part
from spfvar.ops import codes as c
from spfvar.transition.jit import inlined
from spfvar.transition.settle import in_tree, pointed_at
from spfvar.transition.sole import shared_word
from spfvar.transition.views import K_LONG, K_VIEWS, Weak
from spfvar.transition.weakly import settled

#: Lanes of a sight before its views: the kind of its node; what its pointers lead to, loaded and stored to;
#: and the same if no VMA is found any more.
_HEAD: Final = 5
_LANE_BITS: Final = 2  # four words to a lane


class Sights(NamedTuple):
    """What is remembered of canonical forms."""

    threads: Any  # Store of sights
    owners: Any  # Store of who has which lock alone, a lane for each of ``words``; and which VMAs are found
    of_thread: Any  # by part of a thread, the number of its sight + 1; 0: not looked at yet
    of_memory: Any  # by part of memory, the number of its owners + 1
    kinds: Any  # by node: those that look alike have the same number
    words: Any  # state words of the owners of locks
    settled: Any  # (power of 2, 2 * threads + 3) int32: sights, owners, histories + 1 (0 is free); settled
    joined: Any  # (power of 2, 2) int64: a part and its new sight, or histories; and the part that it is then


def kinds_of(weak: Weak) -> npt.NDArray[np.int64]:
    """The kind of each node: two are of one kind if all is the same that is known to matter there."""
    nodes = len(weak.nodes)
    known = [getattr(weak, name) for name in Matters._fields]
    both = [
        array for array in known if array.ndim and len(array) == 2 * nodes
    ]  # found a VMA, or not any more
    columns = [half.reshape(nodes, -1) for array in both for half in (array[:nodes], array[nodes:])]
    return np.unique(np.hstack(columns), axis=0, return_inverse=True)[1].reshape(-1).astype(np.int64)


def owner_words(weak: Weak) -> npt.NDArray[np.int64]:
    """The state words that say who has a lock alone."""
    words = [
        word + i * stride
        for _, number, word, stride in weak.locks.tolist()
        for i in range(number)
        if word != 0
    ]
    return np.array(words or [0], dtype=np.int64)


def new_sights(weak: Weak, threads: int, lanes: int, parts: int, forms: int) -> Sights:
    """Nothing is remembered yet, with room for so many parts of each kind, and canonical forms.

    ``lanes``: of a part of a thread.
    """
    words = owner_words(weak)
    return Sights(
        new_store(parts, _HEAD + lanes - (int(weak.constants[K_VIEWS]) >> _LANE_BITS)),
        new_store(parts, len(words) + 1),
        np.zeros(parts, dtype=np.int32),
        np.zeros(parts, dtype=np.int32),
        kinds_of(weak),
        words,
        np.zeros((forms, 2 * (threads + 1) + 1), dtype=np.int32),
        np.zeros((forms, 2), dtype=np.int64),
    )


def with_parts(sights: Sights, threads: int, memories: int) -> Sights:
    """The same with room for so many parts of threads and of memory."""
    grown = [
        np.concatenate([array, np.zeros(parts - len(array), dtype=array.dtype)])
        for array, parts in ((sights.of_thread, threads), (sights.of_memory, memories))
    ]
    return sights._replace(of_thread=grown[0], of_memory=grown[1])


def forget_forms(sights: Sights, forms: int) -> Sights:
    """The same with room for so many canonical forms, none of which is remembered."""
    settled = np.zeros((forms, sights.settled.shape[1]), dtype=np.int32)
    return sights._replace(settled=settled, joined=np.zeros((forms, 2), dtype=np.int64))


@inlined
def sight_of(weak, space, work, g, tid):
    """The number of the sight of a thread of ``work.parts``."""
    sights = space.sights
    part = work.parts[tid]
    if sights.of_thread[part] == 0:
        load(weak, space, work)
        row = work.t_lanes
        node = work.s[g[c.G_T_BASE] + tid * g[c.G_T_STRIDE]]
        row[0] = sights.kinds[node]
        row[1] = pointed_at(work.s, g, weak, tid, node, weak.loads_of)
        row[2] = pointed_at(work.s, g, weak, tid, node, weak.stores_of)
        node += weak.loads.shape[0] // 2
        row[3] = pointed_at(work.s, g, weak, tid, node, weak.loads_of)
        row[4] = pointed_at(work.s, g, weak, tid, node, weak.stores_of)
        copy_views(weak, space, work, tid, row)
        sights.of_thread[part] = whole_part(sights.threads, row, 0) + 1
    return sights.of_thread[part] - 1


@inlined
def copy_views(weak, space, work, tid, row):
    """Copy the views that a thread has in ``work.s`` to where a sight has them."""
    width = space.threads.rows.shape[1]
    first = weak.constants[K_VIEWS] >> _LANE_BITS
    at = memory_lanes(space, work) + tid * width
    for i in range(width - first):
        row[_HEAD + i] = work.lanes[at + first + i]


@inlined
def owners_of(weak, space, work, g):
    """The number of what the memory of ``work.parts`` says of who has which lock, and of the tree."""
    sights = space.sights
    part = work.parts[work.order.shape[0]]
    if sights.of_memory[part] == 0:
        load(weak, space, work)
        for i in range(sights.words.shape[0]):
            work.t_lanes[i] = work.s[sights.words[i]]
        work.t_lanes[sights.words.shape[0]] = in_tree(work.s, g)
        sights.of_memory[part] = whole_part(sights.owners, work.t_lanes, 0) + 1
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
        for j in range(_HEAD):
            work.t_lanes[j] = sights.threads.rows[work.seen[i], j]
        copy_views(weak, space, work, i, work.t_lanes)
        sight = changed_part(sights.threads, work.t_lanes, 0, work.seen[i])
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
def settle(weak, space, work, g):
    """With weak words: make ``work.parts`` those of the canonical form of the state."""
    if weak is None:
        return
    threads = work.order.shape[0]
    histories = histories_of(space, work.parts[threads])
    if shared_word(weak, space.histories.rows, histories, weak.constants[K_LONG]) == 0:
        return
    memo = space.sights.settled
    for i in range(threads):
        work.seen[i] = sight_of(weak, space, work, g, i)
    work.seen[threads] = owners_of(weak, space, work, g)
    work.seen[threads + 1] = histories
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
