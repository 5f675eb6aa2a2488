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
    DEEPEST,
    LOCK_ROWS,
    S_FULL,
    S_LOCKS,
    S_TREE,
    V_BRANCHED,
    V_FLOOR,
    V_PAST,
    V_READ,
    V_SENT,
    V_UNLOCKED_STORES,
    V_WRITTEN,
)
from spfvar.transition.jit import compiled, inlined
from spfvar.transition.views import (
    I_FULL,
    I_SENDS,
    I_TREE,
    K_LONG,
    K_MESSAGE,
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
    words_in,
)

#: No position is as high: nothing of the word matters.
NEVER: Final = DEEPEST
#: What an interrupt passes on, wherever the thread is, and what comes back to it.
INTERRUPTED: Final = 1 << V_READ | 1 << V_WRITTEN | 1 << V_SENT | 1 << V_PAST

# --- columns of ``room``, by thread ----------------------------------------------------------------------
LOADS: Final = 0  # what it needs to know of: Matters.loads, and of which objects
STORES: Final = 1
TAKEN: Final = 2  # Matters.taken, and what interrupts bring
REACHED: Final = 3  # whom it may still tell anything: threads, a bit each
POINTED: Final = 4  # of LOADS: the words of objects that its pointers point to now
NODE: Final = 5  # the row of Matters that says what is known of its node
ROOM: Final = 6


@inlined
def in_tree(s, g):
    """The VMAs in the tree, a bit each."""
    found = 0
    for slot in range(g[c.G_TREE], g[c.G_PMD]):
        if s[slot] > 0:
            found |= 1 << int(s[slot]) - 1
    return found


@inlined
def note_nodes(s, g, w):
    """Note by thread the row of its node: the second half's where no thread will find a VMA any more.

    The tree has none, and nobody will store one who goes on as if it stays so: then it does.
    """
    nodes = w.loads.shape[0] // 2
    first = 0 if in_tree(s, g) != 0 else nodes
    for tid in range(g[c.G_THREADS]):
        if w.given[nodes + s[g[c.G_T_BASE] + tid * g[c.G_T_STRIDE]]] >> I_TREE & 1:
            first = 0
    for tid in range(g[c.G_THREADS]):
        w.room[tid, NODE] = first + s[g[c.G_T_BASE] + tid * g[c.G_T_STRIDE]]


@inlined
def pointed_at(s, g, w, tid, row, through):
    """The weak words that a thread needs to know of, of the objects that its pointers point to now.

    ``row``: the one of `through` that says what is known of its node.
    """
    tb = g[c.G_T_BASE] + tid * g[c.G_T_STRIDE]
    needed = 0
    for column in range(w.pointers.shape[0]):
        fields = through[row, column]
        index = s[tb + w.pointers[column]]
        if fields != 0 and index >= 0:
            needed |= fields << (index - g[c.G_STALE] if index >= g[c.G_STALE] else index)
    return needed


@inlined
def note_needs(s, g, w, tid):
    """Note what a thread needs to know of, of whose node is noted what is known."""
    node = w.room[tid, NODE]
    w.room[tid, POINTED] = pointed_at(s, g, w, tid, node, w.loads_of)
    w.room[tid, LOADS] = w.loads[node] | w.room[tid, POINTED]
    w.room[tid, STORES] = w.stores[node] | pointed_at(s, g, w, tid, node, w.stores_of)


@inlined
def note_reached(s, g, w):
    """Note by thread what it may take, and whom it may still tell anything, directly or not."""
    threads = g[c.G_THREADS]
    taken = 0
    for tid in range(threads):
        node = w.room[tid, NODE]
        w.room[tid, TAKEN] = w.taken[node]
        taken |= w.taken[node]
    interrupts = 1 << I_FULL if taken >> I_SENDS & 1 else 0
    for tid in range(threads):
        if w.hit[tid] != 0:
            w.room[tid, TAKEN] |= interrupts
    for tid in range(threads):
        node = w.room[tid, NODE]
        told = 0
        given = w.given[node] | (interrupts if w.hit[tid] != 0 else 0)
        for other in range(threads):
            touched = w.touched[w.room[other, NODE]]
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
    threads = g[c.G_THREADS]
    note_nodes(s, g, w)
    for tid in range(threads):
        note_needs(s, g, w, tid)
        forget_floor(s, g, w, tid)
    dropped = 0
    for x in range(w.constants[K_WORDS]):
        low = s[ring_of(w, x)] - 1
        if low > 0:
            for tid in range(threads):
                if w.room[tid, LOADS] >> x & 1:
                    low = min(low, known_before(s, g, w, tid, x))
        w.low[x] = low
        dropped += low
    if dropped > 0:
        drop(s, g, w)
    if not single(s, w):
        note_reached(s, g, w)
        forget_positions(s, g, w)


@compiled
def settle_alone(s, g, w, tid):
    """Forget of a thread's views what makes no difference whatever the others know and do.

    It is a part of `settle` that can be remembered along with what the thread has done.
    """
    w.room[tid, NODE] = s[g[c.G_T_BASE] + tid * g[c.G_T_STRIDE]]
    note_needs(s, g, w, tid)
    forget_floor(s, g, w, tid)
    forget_own(s, g, w, tid, True)


@inlined
def forget_floor(s, g, w, tid):
    """Forget where the loads of a thread may begin of words that it does not load any more."""
    n = w.constants[K_WIDTH]
    floor = g[c.G_T_BASE] + tid * g[c.G_T_STRIDE] + w.constants[K_VIEWS] + V_FLOOR * n
    for word in range(n):
        if s[floor + word] != 0:
            for x in words_in(w, word):
                if w.room[tid, LOADS] >> x & 1 == 0:
                    put(s, w, floor, x, 0)


@inlined
def known_before(s, g, w, tid, x):
    """Raise a thread's floor to what it will know at least when it looks at a word, and return it."""
    n = w.constants[K_WIDTH]
    tb = g[c.G_T_BASE] + tid * g[c.G_T_STRIDE]
    node = w.room[tid, NODE]
    floor = tb + w.constants[K_VIEWS] + V_FLOOR * n
    if position(s, w, floor, x) + 1 == s[ring_of(w, x)]:
        return position(s, w, floor, x)
    sure = w.sure[node, w.field[x]]
    if sure != 0:
        lift(s, w, floor, x, will_know(s, g, w, tid, x, sure))
    if w.found[node] >> x & 1 and w.room[tid, POINTED] >> x & 1 == 0:
        lift(s, w, floor, x, position(s, w, w.constants[K_SHARED] + S_TREE * n, x))
        if w.vma[x] != 0 and in_tree(s, g) >> (w.vma[x] - 1) & 1 == 0:
            lift(s, w, floor, x, published_with(s, g, w, x))
    return position(s, w, floor, x)


@inlined
def published_with(s, g, w, x):
    """What whoever finds a VMA will know at least of one of its words, where the tree has not got it now.

    Somebody stores it there before, and tells what he has read and written by then: all that he has until
    now, and more.  If it is allocated before that, the word's history begins anew, or goes on.
    """
    n = w.constants[K_WIDTH]
    least = s[ring_of(w, x)] - 1
    for tid in range(g[c.G_THREADS]):
        if w.given[w.room[tid, NODE]] >> I_TREE & 1:
            tv = g[c.G_T_BASE] + tid * g[c.G_T_STRIDE] + w.constants[K_VIEWS]
            known = max(position(s, w, tv + V_READ * n, x), position(s, w, tv + V_WRITTEN * n, x))
            least = min(least, known)
    return least


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
                known = position(s, w, row, x)
                # Whoever has it alone tells what it has written before others get it.
                if w.locks[lock, 2] != 0:
                    owner = s[w.locks[lock, 2] + i * w.locks[lock, 3]] - 1
                    if owner >= 0 and owner != tid:
                        tv = g[c.G_T_BASE] + owner * g[c.G_T_STRIDE] + w.constants[K_VIEWS]
                        known = max(
                            known, position(s, w, tv + V_READ * n, x), position(s, w, tv + V_WRITTEN * n, x)
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
            low = min(low, position(s, w, tv + V_FLOOR * n, x))
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
def note_lows(s, g, w, reached, past):
    """Note what `known_to` is of each word of which there are several messages.

    Mostly it is asked of the same threads as before, so that it is there already.
    """
    words = w.constants[K_WORDS]
    row = 1 if past else 0
    if w.lows[row, words] != reached:
        w.lows[row, words] = reached
        for x in range(words):
            if s[ring_of(w, x)] > 1:
                w.lows[row, x] = known_to(s, g, w, x, reached, past)


@inlined
def forget_positions(s, g, w):
    """Forget what makes no difference of the positions: most are 0, so whole words of views are passed by."""
    n = w.constants[K_WIDTH]
    for past in range(2):
        w.lows[past, w.constants[K_WORDS]] = -1
    for tid in range(g[c.G_THREADS]):
        forget_own(s, g, w, tid, False)
    first = w.constants[K_SHARED]
    number = reached = -1
    for at in range(w.constants[K_SHARED_ROWS] * n):
        if s[first + at] != 0:
            row = at // n
            if reached < 0 or w.shared[row, 0] != number:
                number = w.shared[row, 0]
                reached = takers(g, w, number)
            forget_word(s, g, w, first + row * n, at - row * n, reached, w.shared[row, 1] != 0)
    for y in range(w.constants[K_WORDS]):
        ring = ring_of(w, y)
        for i in range(s[ring]):
            content = message_of(w, ring, i) + 1
            reached = -1
            for at in range(2 * n):
                if s[content + at] != 0:
                    if reached < 0:
                        reached = and_told(g, w, readers(s, g, w, y, i))
                    past = at >= n
                    view = content + n if past else content
                    forget_word(s, g, w, view, at - n if past else at, reached, past)


@inlined
def forget_word(s, g, w, view, word, reached, past):
    """Forget what makes no difference to those who are reached in one state word of a view."""
    note_lows(s, g, w, reached, past)
    for x in words_in(w, word):
        at = position(s, w, view, x)
        if at != 0 and at <= w.lows[1 if past else 0, x]:
            put(s, w, view, x, 0)


@inlined
def forget_own(s, g, w, tid, alone):
    """Forget what makes no difference of the positions in a thread's views.

    ``alone``: nothing is noted of the others, so whatever they may be told they may need.
    """
    n = w.constants[K_WIDTH]
    full = w.constants[K_SHARED] + S_FULL * n
    tb = g[c.G_T_BASE] + tid * g[c.G_T_STRIDE]
    node = w.room[tid, NODE]
    tv = tb + w.constants[K_VIEWS]
    own = w.own[node]
    told = w.told[node]
    for other in range(g[c.G_THREADS]):
        if w.hit[tid] != 0 and other != tid and (alone or w.room[other, TAKEN] >> I_SENDS & 1 != 0):
            own |= INTERRUPTED
            told |= INTERRUPTED
    # From the last on: what others still make needless is forgotten before these are.
    for row in range(w.constants[K_ROWS] - 1, V_FLOOR, -1):
        past = row == V_PAST
        lows = 1 if past else 0
        needs = w.room[tid, STORES if past or row == V_BRANCHED else LOADS]
        for word in range(n):
            if s[tv + row * n + word] == 0:
                continue
            if told >> row & 1 and not alone:
                note_lows(s, g, w, w.room[tid, REACHED], past)
            for x in words_in(w, word):
                at = position(s, w, tv + row * n, x)
                if at == 0:
                    continue
                low = NEVER
                if own >> row & 1 and needs >> x & 1:
                    low = position(s, w, tv + V_FLOOR * n, x)
                if told >> row & 1:
                    low = 0 if alone else min(low, w.lows[lows, x])
                if row == V_SENT and w.sends[node] == 0:
                    low = max(low, position(s, w, full, x))  # it goes there next, and comes back with it
                # What was read is looked at together with what was written, or raises the floor, which knows
                # that; the stores before the last unlock are only added to what is sent along.
                if row == V_READ:
                    low = max(low, position(s, w, tv + V_WRITTEN * n, x))
                elif row == V_UNLOCKED_STORES:
                    low = max(low, position(s, w, tv + V_SENT * n, x))
                if at <= low:
                    put(s, w, tv + row * n, x, 0)


@inlined
def readers(s, g, w, y, i):
    """Who may still read a message: by a load, or by an atomic, which reads the newest one?"""
    n = w.constants[K_WIDTH]
    found = 0
    for tid in range(g[c.G_THREADS]):
        tb = g[c.G_T_BASE] + tid * g[c.G_T_STRIDE]
        if w.touched[w.room[tid, NODE]] >> y & 1:
            newest = i + 1 == s[ring_of(w, y)]
            if newest or position(s, w, tb + w.constants[K_VIEWS] + V_FLOOR * n, y) <= i:
                found |= 1 << tid
    return found


@inlined
def drop(s, g, w):
    """Forget the first messages of each word, as many as ``w.low`` says."""
    for x in range(w.constants[K_WORDS]):
        low = w.low[x]
        if low > 0:
            ring = ring_of(w, x)
            kept = (s[ring] - low) * w.constants[K_MESSAGE]
            gone = low * w.constants[K_MESSAGE]
            for word in range(ring + 1, ring + 1 + kept + gone):
                s[word] = s[word + gone] if word <= ring + kept else 0
            s[ring] -= low
            if s[ring] == 1:
                s[w.constants[K_LONG]] -= 1
    for tid in range(g[c.G_THREADS]):
        tv = g[c.G_T_BASE] + tid * g[c.G_T_STRIDE] + w.constants[K_VIEWS]
        lower(s, w, tv, w.constants[K_ROWS])
    lower(s, w, w.constants[K_SHARED], w.constants[K_SHARED_ROWS])
    for x in range(w.constants[K_WORDS]):
        for i in range(s[ring_of(w, x)]):
            lower(s, w, message_of(w, ring_of(w, x), i) + 1, 2)


@inlined
def lower(s, w, first, rows):
    """Number the positions of some views anew, after `drop`."""
    n = w.constants[K_WIDTH]
    for at in range(rows * n):
        if s[first + at] != 0:
            word = at % n
            for x in words_in(w, word):
                old = position(s, w, first + at - word, x)
                if old != 0 and w.low[x] != 0:
                    put(s, w, first + at - word, x, max(old - w.low[x], 0))


@inlined
def single(s, w):
    """Has every history one message?  Then there is nothing to forget in them."""
    return s[w.constants[K_LONG]] == 0
