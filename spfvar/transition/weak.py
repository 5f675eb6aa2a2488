"""Weak words: the transition function of the Linux kernel memory model, without load buffering.

A weak word has a history: the stores (*messages*) that somebody may still read, oldest first, the newest of
which is also in the word itself.  A *view* has a position in the history of every weak word.  Each thread has
some (V_*): where its next load of a word may begin, what it has read, has written, and sends along with a
plain store; each message has one, of what was sent along with it; so have locks, RCU and the full barrier.  A
load is an open choice among the messages from its floor on, 0 being the newest; a store appends.  Only what
the barriers of the text order raises a floor.

What does not fit is noted in ``seen``, never dropped: a store that might have to come before another one in
the word's order although it came later (SEEN_UNORDERED), a history that is full (SEEN_FULL), an interrupt of
so many CPUs that not every order of them is tried (SEEN_ORDERS).
"""

from __future__ import annotations

from typing import Final

from spfvar.ops import codes as c
from spfvar.ops.codes import BLOCKED, C_A_REG, C_DST, C_IMM, C_IMM2, C_OP, C_SRC, C_SUCC
from spfvar.ops.histories import (
    ACQUIRE,
    CHAINED,
    CUT,
    FULL,
    LOCK_ROWS,
    PLAIN,
    QUIET,
    RELEASE,
    S_GRACE,
    S_LOCKS,
    S_READERS,
    S_SLAB,
    UNORDERED,
    V_BRANCHED,
    V_FLOOR,
    V_PAST,
    V_READ,
    V_SENT,
    V_UNLOCKED,
    V_UNLOCKED_STORES,
    V_WRITTEN,
)
from spfvar.transition import lifetime
from spfvar.transition.grace import end_grace, leave_section, start_grace, synchronize
from spfvar.transition.interrupts import interrupt, orders_of
from spfvar.transition.jit import inlined
from spfvar.transition.published import (
    DIRECTORY,
    ON_ENTRIES,
    begun_anew,
    created,
    found_in_tree,
    linked_or_found,
    set_or_read,
    stored_in_tree,
)
from spfvar.transition.step import execute, pointer, violation_of
from spfvar.transition.views import (
    K_DIRECTORY,
    K_ENTRIES,
    K_LONG,
    K_ROOM,
    K_SHARED,
    K_VIEWS,
    K_WIDTH,
    K_WORDS,
    N_DST,
    N_LOCK,
    N_ORDER,
    N_PLACE,
    N_SRC,
    N_SRC2,
    N_SRC3,
    N_WORD,
    SEEN_FULL,
    SEEN_UNORDERED,
    begin_anew,
    copy_view,
    fence,
    full_fence,
    lift,
    message_of,
    position,
    put,
    raise_to,
    ring_of,
    row_of,
    share_past,
)

#: Ops with a choice among messages.
LOADS: Final = (
    c.WEAK + c.LOAD, c.WEAK + c.LOAD_TEST, c.WEAK + c.LOAD_ODD, c.WEAK + c.EQUALS_REG, c.WEAK + c.EQUALS,
    c.WEAK + c.WAIT_EQUALS, c.WEAK + c.LOAD_REF, c.AT_MOST, c.ABOVE,
)  # fmt: skip
#: Primitives that change words of anonymous pages besides the one of their place.
COMPOUND: Final = (c.PAGE_ALLOC, c.PAGE_GET, c.PAGE_PUT, c.PAGES_PUT, c.PAGE_RMAP)
#: Stores that are no atomics.
STORES: Final = (c.WEAK + c.STORE, c.WEAK + c.STORE_REG, c.WEAK + c.STORE_REF)


@inlined
def take_message(s, w, pc, tv, x, i, order):
    """Read message ``i`` of a word: what it brings along becomes known as far as ``order`` says."""
    n = w.constants[K_WIDTH]
    content = message_of(w, ring_of(w, x), i) + 1
    lift(s, w, tv + V_FLOOR * n, x, i)
    raise_to(s, w, tv + V_PAST * n, content + n)
    lift(s, w, tv + V_PAST * n, x, i)
    if order & QUIET == 0:
        raise_to(s, w, tv + V_READ * n, content)
        lift(s, w, tv + V_READ * n, x, i)
    if order & ACQUIRE:
        raise_to(s, w, tv + V_FLOOR * n, content)
    if w.nodes[pc, N_DST] >= 0:
        row = row_of(w, tv, w.nodes[pc, N_DST])
        old = -1
        for column in (N_SRC, N_SRC2, N_SRC3, N_PLACE):
            if w.nodes[pc, column] == w.nodes[pc, N_DST]:
                old = row  # the register was part of the address: what it brought still holds
        if old < 0:
            copy_view(s, w, row, -1)
        for column in (N_SRC, N_SRC2, N_SRC3, N_PLACE):
            if w.nodes[pc, column] >= 0:
                raise_to(s, w, row, row_of(w, tv, w.nodes[pc, column]))
        if order & CUT == 0:
            raise_to(s, w, row, content)
            lift(s, w, row, x, i)


@inlined
def floor_of(s, w, pc, tv, x):
    """The oldest message that a load may see, by what the thread knows and by its address's dependencies."""
    n = w.constants[K_WIDTH]
    floor = position(s, w, tv + V_FLOOR * n, x)
    for column in (N_SRC, N_SRC2, N_SRC3, N_PLACE):
        if w.nodes[pc, column] >= 0:
            floor = max(floor, position(s, w, row_of(w, tv, w.nodes[pc, column]), x))
    return floor


@inlined
def note_order(s, w, pc, tv, x, order):
    """Note it if a store might come earlier in its word's order than at the end.

    It might if an earlier store is in its past, for then no interleaving has it before that one, and nothing
    that the thread knows orders the two.
    """
    n = w.constants[K_WIDTH]
    known = max(floor_of(s, w, pc, tv, x), position(s, w, tv + V_BRANCHED * n, x))
    if order & (RELEASE | FULL):
        known = max(known, position(s, w, tv + V_READ * n, x), position(s, w, tv + V_WRITTEN * n, x))
    if known < position(s, w, tv + V_PAST * n, x) and order & CHAINED == 0:
        w.seen[SEEN_UNORDERED] = pc + 1


@inlined
def append(s, w, pc, tv, x, value, order, atomic):
    """Store to a word: the newest message.  Outcome 0, or BLOCKED if the history is full.

    ``atomic``: it belongs to a read-modify-write, and carries what the message before it carried.
    """
    n = w.constants[K_WIDTH]
    ring = ring_of(w, x)
    length = s[ring]
    if length == w.constants[K_ROOM]:
        w.seen[SEEN_FULL] = pc + 1
        return BLOCKED
    if not atomic:
        note_order(s, w, pc, tv, x, order)
    message = message_of(w, ring, length)
    s[message] = value
    copy_view(s, w, message + 1, tv + V_SENT * n)
    if order & RELEASE:
        raise_to(s, w, message + 1, tv + V_READ * n)
        raise_to(s, w, message + 1, tv + V_WRITTEN * n)
    before = message_of(w, ring, length - 1) + 1
    raise_to(s, w, tv + V_PAST * n, before + n)
    put(s, w, tv + V_PAST * n, x, length)
    copy_view(s, w, message + 1 + n, tv + V_PAST * n)
    if atomic:
        raise_to(s, w, message + 1, before)
    put(s, w, message + 1, x, length)
    s[ring] = length + 1
    if length == 1:
        s[w.constants[K_LONG]] += 1
    s[w.home[x]] = value
    put(s, w, tv + V_FLOOR * n, x, length)
    put(s, w, tv + V_WRITTEN * n, x, length)
    return 0


@inlined
def branch(s, w, tv, row):
    """The way from here on depends on a register."""
    n = w.constants[K_WIDTH]
    if row >= 0:
        raise_to(s, w, tv + V_BRANCHED * n, row_of(w, tv, row))


@inlined
def weak_load(s, p, g, w, pc, tb, tv, x, choice):
    """A load of a weak word, of the message ``choice`` before the newest; BLOCKED: there is none."""
    op = p[pc, C_OP] - c.WEAK
    order = w.nodes[pc, N_ORDER]
    n = w.constants[K_WIDTH]
    ring = ring_of(w, x)
    i = s[ring] - 1 - choice
    if i < floor_of(s, w, pc, tv, x):
        return BLOCKED
    value = s[message_of(w, ring, i)]
    if op == c.WAIT_EQUALS and value != p[pc, C_IMM]:
        return BLOCKED
    if choice > 0:
        w.stale[pc] = 1
    outcome = 0
    if op == c.LOAD_TEST:
        outcome = 1 if value != 0 else 0
    elif op == c.LOAD_ODD:
        outcome = value & 1
    elif op == c.EQUALS:
        outcome = 1 if value == p[pc, C_IMM] else 0
    elif op == c.EQUALS_REG:
        outcome = 1 if value == s[tb + p[pc, C_SRC]] else 0
    elif op == c.LOAD_REF:
        outcome = 1 if p[pc, C_IMM] != 0 and value != 0 else 0
    elif op == c.AT_MOST - c.WEAK:
        outcome = 1 if value <= s[tb + p[pc, C_SRC]] else 0
    elif op == c.ABOVE - c.WEAK:
        outcome = 1 if value > s[tb + p[pc, C_SRC]] else 0
    take_message(s, w, pc, tv, x, i, order)
    if op == c.LOAD_REF:
        s[tb + p[pc, C_DST]] = value - 1
    elif p[pc, C_DST] >= 0:
        s[tb + p[pc, C_DST]] = value
    if op != c.LOAD:
        raise_to(s, w, tv + V_BRANCHED * n, message_of(w, ring, i) + 1)
        lift(s, w, tv + V_BRANCHED * n, x, i)
        branch(s, w, tv, w.nodes[pc, N_SRC])
    return outcome


@inlined
def changed_value(s, p, g, pc, old):
    """What an atomic makes of a value; and does it store at all?"""
    op = p[pc, C_OP]
    imm = p[pc, C_IMM]
    if op == c.WEAK + c.ADD:
        return (old + imm) & g[c.G_SEQ_MASK], True
    if op == c.WEAK + c.INC_NOT_ZERO:
        return old + p[pc, C_IMM2], old != 0 and old < imm
    if op == c.WEAK + c.DEC_AND_TEST:
        return old - 1, True
    if op == c.RMW_ADD:
        return old + imm, True
    if op == c.RMW_AND:
        return old & imm, True
    if op == c.RMW_OR:
        return old | imm, True
    if op == c.RMW_XOR:
        return old ^ imm, True
    if op == c.RMW_XCHG:
        return imm, True
    if op == c.RMW_CMPXCHG:
        return imm, old == p[pc, C_IMM2]
    return old + imm, old != p[pc, C_IMM2]  # RMW_ADD_UNLESS


@inlined
def weak_atomic(s, p, g, w, pc, tb, tv, x):
    """A read-modify-write of a weak word: it reads the newest message, and nothing comes between."""
    n = w.constants[K_WIDTH]
    op = p[pc, C_OP]
    ring = ring_of(w, x)
    newest = s[ring] - 1
    old = s[message_of(w, ring, newest)]
    if op == c.WEAK + c.DEC_AND_TEST and old <= 0:
        return -2 - c.V_REFCOUNT
    value, stores = changed_value(s, p, g, pc, old)
    order = w.nodes[pc, N_ORDER] if stores else w.nodes[pc, N_ORDER] & QUIET
    if stores and newest + 1 == w.constants[K_ROOM]:
        w.seen[SEEN_FULL] = pc + 1
        return BLOCKED
    if order & FULL:
        full_fence(s, w, tv)
    if stores:
        note_order(s, w, pc, tv, x, order)
    take_message(s, w, pc, tv, x, newest, order | (ACQUIRE if order & FULL else 0))
    if stores:
        append(s, w, pc, tv, x, value, order, order & PLAIN == 0)
    if order & FULL:
        full_fence(s, w, tv)
    outcome = 0
    if op == c.WEAK + c.INC_NOT_ZERO:
        outcome = 0 if stores else (1 if old == 0 else 2)
        if stores and s[tb + p[pc, C_A_REG]] >= g[c.G_STALE]:
            s[tb + p[pc, C_A_REG]] -= g[c.G_STALE]
    elif op == c.WEAK + c.DEC_AND_TEST:
        outcome = 1 if value == 0 else 0
        if outcome == 1 and order & RELEASE:  # refcount_dec_and_test()
            raise_to(s, w, tv + V_FLOOR * n, message_of(w, ring, newest) + 1)
        if p[pc, C_DST] >= 0:
            s[tb + p[pc, C_DST]] = value
    elif op >= c.RMW_ADD and op <= c.RMW_ADD_UNLESS and p[pc, C_DST] >= 0:
        s[tb + p[pc, C_DST]] = old
    if op <= c.LAST_WEAK and op >= c.FIRST_WEAK and op != c.WEAK + c.ADD:
        raise_to(s, w, tv + V_BRANCHED * n, message_of(w, ring, newest) + 1)
        put(s, w, tv + V_BRANCHED * n, x, s[ring] - 1)
    return outcome


@inlined
def weak_word(s, p, g, w, pc, tb, tv, choice):
    """An op on a weak word."""
    wrong = violation_of(s, p, g, pc, tb)
    if wrong != 0:
        return -2 - wrong
    index = pointer(s, g, tb + p[pc, C_A_REG])
    x = w.nodes[pc, N_WORD] + index
    op = p[pc, C_OP]
    order = w.nodes[pc, N_ORDER]
    if op == c.WEAK + c.STORE:
        return append(s, w, pc, tv, x, p[pc, C_IMM], order, False)
    if op == c.WEAK + c.STORE_REG:
        return append(s, w, pc, tv, x, s[tb + p[pc, C_SRC]], order, False)
    if op == c.WEAK + c.STORE_REF:
        return append(s, w, pc, tv, x, pointer(s, g, tb + p[pc, C_SRC]) + 1, order, False)
    if op >= c.RMW_ADD and op <= c.RMW_ADD_UNLESS:
        return weak_atomic(s, p, g, w, pc, tb, tv, x)
    if op == c.WEAK + c.ADD or op == c.WEAK + c.INC_NOT_ZERO or op == c.WEAK + c.DEC_AND_TEST:
        return weak_atomic(s, p, g, w, pc, tb, tv, x)
    return weak_load(s, p, g, w, pc, tb, tv, x, choice)


@inlined
def locked(s, w, tv, lock):
    """A lock was taken: what came before its last release, and before the thread's last unlock, is known."""
    n = w.constants[K_WIDTH]
    row = w.constants[K_SHARED] + (S_LOCKS + LOCK_ROWS * lock) * n
    raise_to(s, w, tv + V_READ * n, row)
    raise_to(s, w, tv + V_FLOOR * n, row)
    raise_to(s, w, tv + V_FLOOR * n, tv + V_UNLOCKED * n)
    raise_to(s, w, tv + V_SENT * n, row + n)
    raise_to(s, w, tv + V_PAST * n, row + 2 * n)
    raise_to(s, w, tv + V_SENT * n, tv + V_UNLOCKED_STORES * n)


@inlined
def unlocked(s, w, tv, lock):
    """A lock was released."""
    n = w.constants[K_WIDTH]
    row = w.constants[K_SHARED] + (S_LOCKS + LOCK_ROWS * lock) * n
    raise_to(s, w, tv + V_UNLOCKED * n, tv + V_READ * n)
    raise_to(s, w, tv + V_UNLOCKED * n, tv + V_WRITTEN * n)
    raise_to(s, w, tv + V_UNLOCKED_STORES * n, tv + V_WRITTEN * n)
    raise_to(s, w, tv + V_UNLOCKED_STORES * n, tv + V_SENT * n)
    raise_to(s, w, row, tv + V_UNLOCKED * n)
    raise_to(s, w, row + n, tv + V_UNLOCKED_STORES * n)
    raise_to(s, w, row + 2 * n, tv + V_PAST * n)


@inlined
def order_strong(s, w, tv, lock, order, op, outcome):
    """An op on a strong word with orders: whoever acquires it knows what came before its releases."""
    n = w.constants[K_WIDTH]
    if op == c.INC_NOT_ZERO and outcome != 0:
        return  # a failed one orders nothing
    row = w.constants[K_SHARED] + (S_LOCKS + LOCK_ROWS * lock) * n
    if order & FULL:
        full_fence(s, w, tv)
    if order & (RELEASE | FULL):
        raise_to(s, w, row, tv + V_READ * n)
        raise_to(s, w, row, tv + V_WRITTEN * n)
        raise_to(s, w, row + 2 * n, tv + V_PAST * n)
    raise_to(s, w, tv + V_READ * n, row)
    raise_to(s, w, tv + V_PAST * n, row + 2 * n)
    if order & (ACQUIRE | FULL) or (op == c.DEC_AND_TEST and outcome == 1 and order & RELEASE):
        raise_to(s, w, tv + V_FLOOR * n, row)
    if order & FULL:
        full_fence(s, w, tv)


@inlined
def learn(s, p, g, w, pc, tid, tb, tv, index, outcome, nested, interrupted):
    """What an op that is not on a weak word does to views: locks, RCU, interrupts, registers.

    ``nested``: RCU sections that the thread was in; ``interrupted``: an interrupt that waited is taken.
    """
    n = w.constants[K_WIDTH]
    op = p[pc, C_OP]
    lock = w.nodes[pc, N_LOCK]
    if lock >= 0 and op >= c.LOAD and op <= c.STORE_REF:
        order_strong(s, w, tv, lock + index, w.nodes[pc, N_ORDER], op, outcome)
    elif lock >= 0:
        lock += index
        tries = op == c.DOWN_READ_TRYLOCK or op == c.TRYLOCK or (op == c.DOWN_WRITE and p[pc, C_IMM] != 0)
        if (
            op == c.UP_READ
            or op == c.UP_WRITE
            or op == c.UNLOCK
            or op == c.DOWNGRADE_WRITE
            or op == c.RANGE_UNLOCK
            or op == c.RANGE_DOWNGRADE
        ):
            unlocked(s, w, tv, lock)
        elif w.nodes[pc, N_ORDER] & UNORDERED == 0 and (
            (not tries and op != c.RANGE_TRYLOCK) or outcome == 1
        ):
            locked(s, w, tv, lock)
    elif op == c.RCU_READ_LOCK or op == c.IRQ_DISABLE:
        if nested == 0:
            raise_to(s, w, tv + V_FLOOR * n, w.constants[K_SHARED] + S_GRACE * n)
            share_past(s, w, tv, S_GRACE, False, True)
    elif op == c.RCU_READ_UNLOCK or op == c.IRQ_ENABLE:
        if interrupted:
            full_fence(s, w, tv)
        if nested == 1:
            leave_section(s, g, w, tid, tv)
    elif op == c.RCU_GP_START:
        start_grace(s, w, tv)
    elif op == c.RCU_GP_WAIT:
        end_grace(s, w, tv, w.constants[K_SHARED] + S_READERS * n)
    elif op == c.IPI_SEND or op == c.IPI_WAIT or op == c.SRCU_READ_LOCK or op == c.SRCU_READ_UNLOCK:
        full_fence(s, w, tv)
    elif op == c.TREE_STORE:
        stored_in_tree(s, w, pc, tv)
    elif op == c.FREE:
        row = w.constants[K_SHARED] + slab_of(p[pc, C_IMM]) * n
        raise_to(s, w, row, tv + V_READ * n)
        raise_to(s, w, row, tv + V_WRITTEN * n)
    elif op == c.FIND_VMA:
        found_in_tree(s, w, pc, tv)
    elif w.constants[K_DIRECTORY] != 0 and op in DIRECTORY:
        linked_or_found(s, p, g, w, pc, tb, tv)
    elif w.constants[K_ENTRIES] != 0 and op in ON_ENTRIES:
        set_or_read(s, p, g, w, pc, tb, tv, index, outcome)
    elif op == c.TEST_REG or op == c.REG_EQUAL:
        branch(s, w, tv, w.nodes[pc, N_SRC])
        branch(s, w, tv, w.nodes[pc, N_SRC2])
    elif w.nodes[pc, N_DST] >= 0:
        row = row_of(w, tv, w.nodes[pc, N_DST])
        copies = op == c.ADD_REG or op == c.ADD_REGS
        copy_view(s, w, row, row_of(w, tv, w.nodes[pc, N_SRC]) if copies else -1)
        if op == c.ADD_REGS and w.nodes[pc, N_SRC2] >= 0:
            raise_to(s, w, row, row_of(w, tv, w.nodes[pc, N_SRC2]))


@inlined
def slab_of(k):
    """The shared view of the allocator of a class, whose constants begin at ``k``: it passes objects on."""
    return S_SLAB + (k - c.G_CLASS0) // c.CLASS_WORDS


@inlined
def allocated(s, p, g, w, pc, tb, tv):
    """An object was allocated, and its words cleared.

    Nobody has a reference to it that was not freed behind his back: its words' histories begin anew.  Memory
    that stays of its type may still be looked at: there the zeroes are stores like others.
    """
    n = w.constants[K_WIDTH]
    k = p[pc, C_IMM]
    slab = w.constants[K_SHARED] + slab_of(k) * n
    raise_to(s, w, tv + V_READ * n, slab)
    raise_to(s, w, tv + V_FLOOR * n, slab)
    if w.constants[K_ENTRIES] != 0 and k == c.G_CLASS0 + c.CLASS_TABLE * c.CLASS_WORDS:
        begun_anew(s, g, w, s[tb + p[pc, C_DST]])
    first = g[k + c.K_BASE] + s[tb + p[pc, C_DST]] * g[k + c.K_STRIDE]
    for x in range(w.constants[K_WORDS]):
        if w.home[x] < first or w.home[x] >= first + g[k + c.K_STRIDE]:
            continue
        if w.nodes[pc, N_WORD] == 0:
            begin_anew(s, g, w, x)
            continue
        ring = ring_of(w, x)
        if s[message_of(w, ring, s[ring] - 1)] != s[w.home[x]]:
            value = s[w.home[x]]
            # The memory is this thread's alone: nothing is unordered.
            put(s, w, tv + V_FLOOR * n, x, s[ring] - 1)
            append(s, w, pc, tv, x, value, 0, False)


@inlined
def is_of_page(g, w, x):
    """Is a weak word one of an anonymous page's?"""
    k = c.G_CLASS0 + c.CLASS_PAGE * c.CLASS_WORDS
    return 0 <= w.home[x] - g[k + c.K_BASE] < g[k + c.K_STRIDE] * g[k + c.K_COUNT]


@inlined
def is_full(s, g, w, pc):
    """Has some history no room for what a primitive on whole pages stores?"""
    found = False
    for x in range(w.constants[K_WORDS]):
        if is_of_page(g, w, x) and s[ring_of(w, x)] == w.constants[K_ROOM]:
            found = True
    if found:
        w.seen[SEEN_FULL] = pc + 1
    return found


@inlined
def changed(s, p, g, w, pc, tv):
    """Weak words of pages have another value since a primitive on whole ones: it was an atomic on each.

    A page that is allocated is the thread's alone.
    """
    n = w.constants[K_WIDTH]
    order = w.nodes[pc, N_ORDER]
    if order & FULL:
        full_fence(s, w, tv)
    for x in range(w.constants[K_WORDS]):
        ring = ring_of(w, x)
        newest = s[ring] - 1
        value = s[w.home[x]]
        if is_of_page(g, w, x) and s[message_of(w, ring, newest)] != value:
            if p[pc, C_OP] == c.PAGE_ALLOC:
                put(s, w, tv + V_FLOOR * n, x, newest)
            take_message(s, w, pc, tv, x, newest, ACQUIRE if order & FULL else QUIET)
            append(s, w, pc, tv, x, value, 0, True)
    if order & FULL:
        full_fence(s, w, tv)


@inlined
def weak_step(s, p, g, w, tid, choice, out):
    """Execute the next primitive of a thread in a run with weak words; see `spfvar.transition.step.step`."""
    tb = g[c.G_T_BASE] + tid * g[c.G_T_STRIDE]
    tv = tb + w.constants[K_VIEWS]
    pc = s[tb + c.T_PC]
    op = p[pc, C_OP]
    if op <= c.LAST_STRONG:
        nested = s[tb + c.T_RCU_NEST]
        index = pointer(s, g, tb + p[pc, C_A_REG]) if p[pc, C_A_REG] >= 0 else 0
        interrupted = op == c.IRQ_ENABLE and lifetime.is_interrupted(s, g, tid)
        if op == c.IPI_SEND and choice >= orders_of(s, p, g, w, pc, tid):
            return BLOCKED
        if op in COMPOUND and is_full(s, g, w, pc):
            return BLOCKED
        outcome = execute(s, p, g, pc, tid, tb, choice, out)
        if outcome >= 0:
            if op == c.ALLOC:
                allocated(s, p, g, w, pc, tb, tv)
            if op in COMPOUND:
                changed(s, p, g, w, pc, tv)
            if op == c.FOLIO_CREATE and outcome == 1:
                created(s, g, w, s[tb + p[pc, C_DST]])
            if op == c.IPI_SEND:
                interrupt(s, p, g, w, pc, tid, choice, out)
            learn(s, p, g, w, pc, tid, tb, tv, index, outcome, nested, interrupted)
        return outcome
    if op == c.FENCE:
        fence(s, w, tv, w.nodes[pc, N_ORDER])
        outcome = 0
    elif op == c.DEPEND:
        branch(s, w, tv, w.nodes[pc, N_SRC])
        outcome = 0
    elif op == c.SYNC_START or op == c.SYNC_WAIT:
        outcome = synchronize(s, p, g, w, pc, tid, tv)
    else:
        outcome = weak_word(s, p, g, w, pc, tb, tv, choice)
    if outcome >= 0:
        s[tb + c.T_PC] = p[pc, C_SUCC + outcome]
        return outcome
    if outcome == BLOCKED:
        return BLOCKED
    s[g[c.G_VIOLATION]] = -2 - outcome
    s[g[c.G_VIOLATION] + 1] = tid
    s[g[c.G_VIOLATION] + 2] = pc
    return c.VIOLATED
