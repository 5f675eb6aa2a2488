"""May a thread run on through a node, as far as weak words are concerned?  By the parts of the state alone.

Not through a load that may read several messages, for that is an open choice, nor through a store to a
history that is full: a state that is stored forgets what nobody may read any more.  And where another thread
may interrupt this one's CPU, which is a full barrier in its midst, not if that barrier passes on more, or
less, of what is learned here when it comes first.
"""

from __future__ import annotations

from spfvar.ops import codes as c
from spfvar.ops.histories import (
    CHAINED,
    LOCK_ROWS,
    S_FULL,
    S_LOCKS,
    S_PAST,
    S_SLAB,
    V_FLOOR,
    V_PAST,
    V_READ,
    V_SENT,
    V_WRITTEN,
)
from spfvar.transition.jit import inlined
from spfvar.transition.published import entry_row
from spfvar.transition.views import (
    I_SENDS,
    K_LAST,
    K_RING,
    K_ROOM,
    K_SHARED,
    K_TRIES,
    K_VIEWS,
    K_WIDTH,
    K_WORDS,
    LEARNS_ENTRY,
    LEARNS_LOCK,
    LEARNS_NOTHING,
    LEARNS_ORDER,
    LEARNS_SLAB,
    N_LEARNS,
    N_LOAD,
    N_LOCK,
    N_ORDER,
    N_PLACE,
    N_SRC,
    N_SRC2,
    N_SRC3,
    N_WORD,
    SEEN_FULL,
    TRIES_RUNS,
    message_of,
    ring_of,
    words_in,
)
from spfvar.transition.weak import COMPOUND


@inlined
def word_of(rows, row, word):
    """A word of a part, which has four of 16 bits in each of its own; no negative ones."""
    return rows[row, word >> 2] >> 16 * (word & 3) & 0xFFFF


@inlined
def shared_word(weak, rows, row, word):
    """The same of a part of histories, which begins with the first of them, by the state word."""
    return word_of(rows, row, word - weak.constants[K_RING])


@inlined
def known(weak, rows, row, view, x):
    """A position of a view that lies in a part."""
    return word_of(rows, row, view + weak.lane[x]) >> weak.shift[x] & weak.constants[K_LAST]


@inlined
def one_way(weak, p, g, threads, histories, parts, here, tid, node):
    """Is there one way for a thread through a node, whether interrupts come before or behind it?

    ``threads`` and ``histories`` are the rows of the stores of parts, ``parts`` those of the state's threads,
    ``here`` is that of its histories.
    """
    if weak.nodes[node, N_LOAD] != 0 and not one_message(
        weak, p, g, threads, histories, parts, here, tid, node
    ):
        return False
    if not has_room(weak, p, g, threads, histories, parts, here, tid, node):
        return False
    if weak.nodes[node, N_LEARNS] == LEARNS_NOTHING or not interrupted(weak, g, threads, parts, tid):
        return True
    return unmoved(weak, p, g, threads, histories, parts, here, tid, node)


@inlined
def has_room(weak, p, g, threads, histories, parts, here, tid, node):
    """Have the histories that an op may store to room?  If not, the state is stored, which may make some.

    A search that would begin again with larger histories does so: they may have room here.
    """
    first = weak.nodes[node, N_WORD]
    op = p[node, c.C_OP]
    if op in COMPOUND or op == c.ALLOC:
        found = True
        for x in range(weak.constants[K_WORDS]):
            if shared_word(weak, histories, here, ring_of(weak, x)) == weak.constants[K_ROOM]:
                found = False
        if not found and weak.constants[K_TRIES] == TRIES_RUNS:
            weak.seen[SEEN_FULL] = node + 1
        return found
    if first < 0 or weak.nodes[node, N_LOAD] != 0:
        return True
    index = object_of(p, g, threads, parts[tid], node)
    found = (
        index < 0 or shared_word(weak, histories, here, ring_of(weak, first + index)) < weak.constants[K_ROOM]
    )
    if not found and weak.constants[K_TRIES] == TRIES_RUNS:
        weak.seen[SEEN_FULL] = node + 1
    return found


@inlined
def object_of(p, g, threads, thread, node):
    """The number of the object that a node's op is on; -1: none."""
    if p[node, c.C_A_REG] < 0:
        return -1
    index = word_of(threads, thread, p[node, c.C_A_REG])
    if index >= 1 << 15:  # null
        return -1
    return index - g[c.G_STALE] if index >= g[c.G_STALE] else index


@inlined
def one_message(weak, p, g, threads, histories, parts, here, tid, node):
    """May a load read one message only?"""
    thread = parts[tid]
    index = object_of(p, g, threads, thread, node)
    if index < 0:
        return False
    x = weak.nodes[node, N_WORD] + index
    newest = shared_word(weak, histories, here, ring_of(weak, x)) - 1
    views = weak.constants[K_VIEWS]
    width = weak.constants[K_WIDTH]
    floor = known(weak, threads, thread, views + V_FLOOR * width, x)
    for column in (N_SRC, N_SRC2, N_SRC3, N_PLACE):
        if weak.nodes[node, column] >= 0:
            row = views + weak.nodes[node, column] * width
            floor = max(floor, known(weak, threads, thread, row, x))
    return floor == newest


@inlined
def interrupted(weak, g, threads, parts, tid):
    """May some other thread still send an interrupt that reaches this one?"""
    found = False
    if weak.hit[tid] == 0:
        return False
    for other in range(g[c.G_THREADS]):
        if other != tid and weak.taken[word_of(threads, parts[other], c.T_PC)] >> I_SENDS & 1:
            found = True
    return found


@inlined
def unmoved(weak, p, g, threads, histories, parts, here, tid, node):
    """Does a barrier of an interrupt's pass on the same whether it comes before a node or behind it?

    It passes on what the thread has read, written or sends along.  If what the thread learns here is known
    there already, or to every full barrier, nothing is added to that.  What it only tells others do not take,
    or they would meet it at the same field.
    """
    learns = weak.nodes[node, N_LEARNS]
    width = weak.constants[K_WIDTH]
    index = object_of(p, g, threads, parts[tid], node)
    if learns == LEARNS_SLAB:
        if weak.nodes[node, N_WORD] != 0:  # its zeroes are stores
            return False
        slab = S_SLAB + (p[node, c.C_IMM] - c.G_CLASS0) // c.CLASS_WORDS
        row = weak.constants[K_SHARED] + slab * width
        return passed_on(weak, threads, histories, parts[tid], here, row, False)
    if index < 0:
        return False
    if learns == LEARNS_ENTRY:
        address = word_of(threads, parts[tid], p[node, c.C_SRC])
        row = entry_row(g, weak, index, address)
        return passed_on(weak, threads, histories, parts[tid], here, row, False)
    if learns == LEARNS_LOCK:
        lock = S_LOCKS + LOCK_ROWS * (weak.nodes[node, N_LOCK] + index)
        row = weak.constants[K_SHARED] + lock * width
        return (
            passed_on(weak, threads, histories, parts[tid], here, row, False)
            and passed_on(weak, threads, histories, parts[tid], here, row + width, False)
            and passed_on(weak, threads, histories, parts[tid], here, row + 2 * width, True)
        )
    x = weak.nodes[node, N_WORD] + index
    ring = ring_of(weak, x)
    newest = shared_word(weak, histories, here, ring) - 1
    floor = known(weak, threads, parts[tid], weak.constants[K_VIEWS] + V_FLOOR * width, x)
    if weak.nodes[node, N_LOAD] == 0 and weak.nodes[node, N_ORDER] & CHAINED == 0 and floor != newest:
        return False  # what the barrier tells may order its store
    content = message_of(weak, ring, newest) + 1
    return learns == LEARNS_ORDER or (
        passed_on(weak, threads, histories, parts[tid], here, content, False)
        and passed_on(weak, threads, histories, parts[tid], here, content + width, True)
    )


@inlined
def passed_on(weak, threads, histories, thread, here, row, past):
    """Would a barrier of a thread pass on a shared view, or a message's, (of the ``past``) already?"""
    width = weak.constants[K_WIDTH]
    views = weak.constants[K_VIEWS]
    first = weak.constants[K_RING]
    full = weak.constants[K_SHARED] + (S_FULL + S_PAST if past else S_FULL) * width
    found = True
    for word in range(width):
        if shared_word(weak, histories, here, row + word) == 0:
            continue
        for x in words_in(weak, word):
            mine = known(weak, histories, here, row - first, x)
            there = known(weak, histories, here, full - first, x)
            if past:
                there = max(there, known(weak, threads, thread, views + V_PAST * width, x))
            else:
                for view in (V_READ, V_WRITTEN, V_SENT):
                    there = max(there, known(weak, threads, thread, views + view * width, x))
            if mine > there:
                found = False
    return found
