"""Where a run's time goes: what the engine notes beside its meters, if it is asked to.

`spfvar.simulate.engine.run` is compiled twice: without a `Record` (``rec`` is None, and numba drops what
stands behind every question for one), and with one.  Nothing here moves a clock.

All times between the begin of a fault (or of a writer's call) and its end are entered in the thread's log,
each under a *slot*: a node and a category, or a part of an edge (the work of the nodes that were folded into
it).  If the meters count the fault, its log is added to the totals.  So the totals add up to what the meters
measure.
"""

from __future__ import annotations

from typing import Any, Final, NamedTuple

from spfvar.ops import codes as c
from spfvar.simulate.meters import X_MEASURING, bin_of, in_window
from spfvar.transition.jit import compiled, inlined

# --- categories: what a time is spent on ---------------------------------------------------------
WORK: Final = 0  # core-local
TRANSFER: Final = 1  # a cache line on its way
LINE_WAIT: Final = 2  # the line is others' first
LOCK_WAIT: Final = 3  # in a lock's queue
WAKEUP: Final = 4  # from the lock's release until the thread runs
SPIN: Final = 5  # looks again and again, in no queue
SLEEP: Final = 6
CPU_WAIT: Final = 7  # others have the CPU
INTERRUPT: Final = 8  # others' TLB flushes
FLUSH: Final = 9  # sends one
WAKING: Final = 10  # wakes others
ZONE: Final = 11  # servers: wait, transfer and hold
LRU: Final = 12
MEMCG: Final = 13
MEMORY: Final = 14
CATEGORIES: Final = 15
SERVERS: Final = 4  # from ZONE on

# --- contexts: the totals' first index -----------------------------------------------------------
ELSEWHERE: Final = 0
IN_FAULT: Final = 1
IN_CALL: Final = 2  # a writer's

# --- columns ---------------------------------------------------------------------------------------
NOW_THREAD: Final = 0
NOW_NODE: Final = 1
NOW_FULL: Final = 2  # a log was too short

H_CONTEXT: Final = 0
H_LENGTH: Final = 1  # of the log
H_TRY: Final = 2  # the log's entry with which a try begins
H_REASON: Final = 3  # event that said why the try gives up, or -1
H_ABORT: Final = 4  # the log's entry of an abort without a reason yet, or -1
H_WHY: Final = 5  # why the thread does not run: a category, or WORK
HEADS: Final = 6

T_SINCE: Final = 0  # when it stopped
T_GRANTED: Final = 1  # when the lock became its own
T_READY: Final = 2  # when it can run again
T_TRIED: Final = 3  # when its try began
T_BEGAN: Final = 4  # its fault or call
TIMES: Final = 5

L_SLOT: Final = 0
L_NS: Final = 1
L_LOST: Final = 2  # of it, in a try that was given up
L_TIMES: Final = 3

N_SITE: Final = 0  # number of the step among those that touch lines, or -1
N_LOCK: Final = 1  # number of the lock, or -1

K_TAKEN: Final = 0
K_WAITED: Final = 1
K_WAIT: Final = 2
K_RELEASED: Final = 3
K_HOLD: Final = 4
K_LONGEST: Final = 5  # most threads in the queue at once
K_CONVOYS: Final = 6  # how often a second thread joined a queue
LOCK_COLUMNS: Final = 7

V_VISITS: Final = 0
V_WAIT: Final = 1
V_TRANSFER: Final = 2
V_HOLD: Final = 3

W_FROM: Final = 0
W_TO: Final = 1
W_COUNT: Final = 2

# --- kinds of events of a timeline: (kind, thread, what, other thread, begin, end) -----------------
E_SLICE: Final = 0  # what: slot
E_MARK: Final = 1  # what: MARK_FAULT_END or MARK_WRITER_END
E_ABORT: Final = 2  # what: event * (events + 1) + reason + 1
E_HOLD: Final = 3  # what: lock, other: state word
E_LOCK: Final = 4  # a lock is handed over: what: lock, other: who released it
E_LINE: Final = 5  # a line moves: what: line, other: who had it
EVENT_COLUMNS: Final = 6

# --- roles of events ---------------------------------------------------------------------------------
NO_ROLE, ATTEMPT, ABORT, REASON = 0, 1, 2, 3

PARTS: Final = 3  # of an edge: spfvar.simulate.edges BEFORE, AFTER, JITTERED


class Record(NamedTuple):
    """What is recorded.  ``x`` are the meters' scalars; the columns are above."""

    x: Any
    now: Any  # (3,) int64
    heads: Any  # (threads, HEADS) int64
    times: Any  # (threads, TIMES) ns
    log: Any  # (threads, entries, 4)
    scratch: Any  # by slot: where it is in the log that is being shortened, + 1
    totals: Any  # (contexts, slots, 3): ns, lost ns, times
    nodes: Any  # (nodes, 2) int64
    roles: Any  # by event
    takers: Any  # (lines, 3): site that took it last, thread, when
    pairs: Any  # (contexts, sites, sites + 1, 2): requests that took time, ns; by taker's site + 1
    servers: Any  # (contexts, SERVERS, 4)
    held: Any  # (threads, locks at once, 3): lock + 1, state word, since
    queued: Any  # by state word of a lock: threads in its queue
    locks: Any  # (locks, LOCK_COLUMNS)
    lock_bins: Any  # (locks, 2, HISTOGRAM): waits, holds
    ended: Any  # (nodes, 2): waits that the node's release ended, ns
    window: Any  # (3,): from, to, events
    events: Any  # (capacity, EVENT_COLUMNS)


def edge_slot(nodes: int, node: int, outcome: int, part: int) -> int:
    """The slot of a part of an edge."""
    return nodes * CATEGORIES + (node * c.MAX_OUTCOMES + outcome) * PARTS + part


def try_slot(nodes: int) -> int:
    """The first slot of tries that were given up: event * (events + 1) + reason + 1."""
    return nodes * (CATEGORIES + c.MAX_OUTCOMES * PARTS)


# --- the log -------------------------------------------------------------------------------------------


@compiled
def put_event(window, events, kind, tid, what, other, begin, end):
    """An event of the timeline, if it lies in the window and there is room."""
    n = int(window[W_COUNT])
    if begin >= window[W_TO] or end < window[W_FROM]:
        return
    window[W_COUNT] += 1.0
    if n < events.shape[0]:
        events[n, 0] = kind
        events[n, 1] = tid
        events[n, 2] = what
        events[n, 3] = other
        events[n, 4] = begin
        events[n, 5] = end


@compiled
def merged(log, scratch, tid, begin, end, to):
    """Put a part of a log together, one entry for each slot, from ``to`` on; returns where it ends."""
    n = to
    for i in range(begin, end):
        slot = int(log[tid, i, L_SLOT])
        there = scratch[slot]
        if there == 0:
            for column in range(L_TIMES + 1):
                log[tid, n, column] = log[tid, i, column]
            n += 1
            scratch[slot] = n
        else:
            for column in range(L_NS, L_TIMES + 1):
                log[tid, there - 1, column] += log[tid, i, column]
    for i in range(to, n):
        scratch[int(log[tid, i, L_SLOT])] = 0
    return n


@compiled
def append(now, heads, log, scratch, tid, slot, ns):
    """An entry of a thread's log."""
    n = heads[tid, H_LENGTH]
    if n == log.shape[1]:
        first = heads[tid, H_TRY]
        heads[tid, H_TRY] = merged(log, scratch, tid, 0, first, 0)
        n = merged(log, scratch, tid, first, n, heads[tid, H_TRY])
        heads[tid, H_ABORT] = -1
        if 2 * n > log.shape[1]:
            now[NOW_FULL] = 1
            n = 0
    log[tid, n, L_SLOT] = slot
    log[tid, n, L_NS] = ns
    log[tid, n, L_LOST] = 0.0
    log[tid, n, L_TIMES] = 1.0
    heads[tid, H_LENGTH] = n + 1


@inlined
def enter(rec, slot, begin, end):
    """A time of the thread that runs."""
    tid = rec.now[NOW_THREAD]
    if rec.heads[tid, H_CONTEXT] != ELSEWHERE:
        append(rec.now, rec.heads, rec.log, rec.scratch, tid, slot, end - begin)
    if end > begin and begin < rec.window[W_TO]:
        put_event(rec.window, rec.events, E_SLICE, tid, slot, 0, begin, end)


@inlined
def note(rec, category, begin, end):
    """The node that is executed took this time; less than none, where an earlier one was too long."""
    if end != begin:
        enter(rec, rec.now[NOW_NODE] * CATEGORIES + category, begin, end)


@inlined
def spent(rec, category, begin, end):
    """The same, if there is a record; returns ``end``."""
    if rec is not None:
        note(rec, category, begin, end)
    return end


@inlined
def through(rec, pc, outcome, part, begin, end):
    """A part of an edge was gone through, if there is a record; returns ``end``."""
    if rec is not None and end != begin:
        edge = pc * c.MAX_OUTCOMES + outcome
        enter(rec, rec.nodes.shape[0] * CATEGORIES + edge * PARTS + part, begin, end)
    return end


@inlined
def comes_to(rec, pc):
    """The node that is executed."""
    if rec is not None:
        rec.now[NOW_NODE] = pc


# --- threads that run and do not --------------------------------------------------------------------


@inlined
def runs(rec, tid, pc, key, t):
    """A thread's turn begins at ``key``, or at ``t``, for interrupts took the time between."""
    if rec is None:
        return
    rec.now[NOW_THREAD] = tid
    rec.now[NOW_NODE] = pc
    why = rec.heads[tid, H_WHY]
    rec.heads[tid, H_WHY] = WORK
    since = rec.times[tid, T_SINCE]
    if why == LOCK_WAIT:
        granted, ready = rec.times[tid, T_GRANTED], rec.times[tid, T_READY]
        note(rec, LOCK_WAIT, since, granted)
        note(rec, WAKEUP, granted, ready)
        note(rec, CPU_WAIT, ready, key)
    elif why != WORK:
        note(rec, why, since, key)
    note(rec, INTERRUPT, key, t)


@inlined
def stops(rec, tid, why, t):
    """A thread does not go on at ``t``."""
    if rec is None:
        return
    rec.heads[tid, H_WHY] = why
    rec.times[tid, T_SINCE] = t


@inlined
def word_of(p, s, g, pc, tb):
    """The state word of the lock that a node acts on."""
    index = s[tb + p[pc, c.C_A_REG]]
    if index >= g[c.G_STALE]:
        index -= g[c.G_STALE]
    return p[pc, c.C_A_BASE] + index * p[pc, c.C_A_STRIDE]


@inlined
def blocks(rec, s, p, g, pc, tb, tid, t):
    """A node makes its thread wait."""
    if rec is None:
        return
    if s[tb + c.T_WAIT] == 0:
        stops(rec, tid, SPIN, t)
        return
    stops(rec, tid, LOCK_WAIT, t)
    rec.times[tid, T_GRANTED] = t
    rec.times[tid, T_READY] = t
    lock = rec.nodes[pc, N_LOCK]
    if lock >= 0:
        word = word_of(p, s, g, pc, tb)
        rec.queued[word] += 1
        if in_window(rec.x, t) and rec.x[X_MEASURING] > 0.0:
            rec.locks[lock, K_LONGEST] = max(rec.locks[lock, K_LONGEST], rec.queued[word])
            if rec.queued[word] == 2:
                rec.locks[lock, K_CONVOYS] += 1.0


@inlined
def woken(rec, s, p, g, by, tid, waiter, granted, ready):
    """The node ``by`` of thread ``tid`` hands a waiter its lock at ``granted``; it runs from ``ready`` on."""
    if rec is None:
        return
    tb = g[c.G_T_BASE] + waiter * g[c.G_T_STRIDE]
    pc = s[tb]
    rec.times[waiter, T_GRANTED] = granted
    rec.times[waiter, T_READY] = ready
    lock = rec.nodes[pc, N_LOCK]
    if lock < 0:
        return
    rec.queued[word_of(p, s, g, pc, tb)] -= 1
    waited = max(0.0, ready - rec.times[waiter, T_SINCE])
    if in_window(rec.x, ready) and rec.x[X_MEASURING] > 0.0:
        rec.locks[lock, K_WAITED] += 1.0
        rec.locks[lock, K_WAIT] += waited
        rec.lock_bins[lock, 0, bin_of(waited)] += 1
        rec.ended[by, 0] += 1.0
        rec.ended[by, 1] += waited
    put_event(rec.window, rec.events, E_LOCK, waiter, lock, tid, granted, ready)


# --- lines, servers, locks ---------------------------------------------------------------------------


@inlined
def moved(rec, pc, line, t, busy, owned, within, writes):
    """A node asked for a line at ``t`` that was others' until ``busy``, and has it since ``owned``."""
    if rec is None:
        return
    tid = rec.now[NOW_THREAD]
    site = rec.nodes[pc, N_SITE]
    if owned > t:
        start = min(max(t, busy), owned)
        if owned < busy:  # it joined a visit: the line came from within the cluster
            start = max(t, owned - within)
        note(rec, LINE_WAIT, t, start)
        note(rec, TRANSFER, start, owned)
        if in_window(rec.x, owned) and rec.x[X_MEASURING] > 0.0:
            context = rec.heads[tid, H_CONTEXT]
            taker = int(rec.takers[line, 0])
            rec.pairs[context, site, taker + 1, 0] += 1.0
            rec.pairs[context, site, taker + 1, 1] += owned - t
        if owned > start and rec.takers[line, 0] >= 0.0:
            other = int(rec.takers[line, 1])
            put_event(rec.window, rec.events, E_LINE, tid, line, other, rec.takers[line, 2], owned)
    if writes:
        taken(rec, pc, line, owned)


@inlined
def taken(rec, pc, line, t):
    """A node has a line for itself now."""
    if rec is None:
        return
    rec.takers[line, 0] = rec.nodes[pc, N_SITE]
    rec.takers[line, 1] = rec.now[NOW_THREAD]
    rec.takers[line, 2] = t


@inlined
def served(rec, server, t, start, cost, end):
    """The thread that runs waited for a server from ``t`` to ``start``, and passed through until ``end``."""
    if rec is None:
        return
    note(rec, server, t, end)
    if in_window(rec.x, end) and rec.x[X_MEASURING] > 0.0:
        context = rec.heads[rec.now[NOW_THREAD], H_CONTEXT]
        rec.servers[context, server - ZONE, V_VISITS] += 1.0
        rec.servers[context, server - ZONE, V_WAIT] += start - t
        rec.servers[context, server - ZONE, V_TRANSFER] += cost
        rec.servers[context, server - ZONE, V_HOLD] += end - start - cost


@inlined
def locks(rec, s, p, g, pc, tb, tid, outcome, t):
    """A node that acts on a lock came out at ``t``."""
    if rec is None:
        return
    lock = rec.nodes[pc, N_LOCK]
    if lock < 0:
        return
    op = p[pc, c.C_OP]
    held = rec.held
    word = word_of(p, s, g, pc, tb)
    counted = in_window(rec.x, t) and rec.x[X_MEASURING] > 0.0
    tries = op == c.TRYLOCK or op == c.DOWN_READ_TRYLOCK or op == c.RANGE_TRYLOCK
    tries |= (op == c.DOWN_WRITE) & (p[pc, c.C_IMM] != 0)
    takes = op == c.DOWN_READ or op == c.DOWN_WRITE or op == c.LOCK or op == c.RANGE_WAIT
    if (tries and outcome == 1) or (takes and not tries) or (op == c.RANGE_LOCK and outcome == 0):
        if counted:
            rec.locks[lock, K_TAKEN] += 1.0
        for i in range(held.shape[1]):
            if held[tid, i, 0] == 0.0:
                held[tid, i, 0] = lock + 1
                held[tid, i, 1] = word
                held[tid, i, 2] = t
                break
    elif op == c.UP_READ or op == c.UP_WRITE or op == c.UNLOCK or op == c.RANGE_UNLOCK:
        for i in range(held.shape[1]):
            if held[tid, i, 0] == lock + 1 and held[tid, i, 1] == word:
                since = held[tid, i, 2]
                held[tid, i, 0] = 0.0
                if counted:
                    rec.locks[lock, K_RELEASED] += 1.0
                    rec.locks[lock, K_HOLD] += t - since
                    rec.lock_bins[lock, 1, bin_of(t - since)] += 1
                put_event(rec.window, rec.events, E_HOLD, tid, lock, word, since, t)
                break


# --- faults, tries -----------------------------------------------------------------------------------


@compiled
def commit(heads, log, totals, tid, context):
    """Add a thread's log to the totals."""
    for i in range(heads[tid, H_LENGTH]):
        slot = int(log[tid, i, L_SLOT])
        for column in range(L_NS, L_TIMES + 1):
            totals[context, slot, column - L_NS] += log[tid, i, column]


@inlined
def mark(rec, kind, tid, t):
    """A fault or a writer's call begins or ends; has to come before the meters hear of it."""
    if rec is None:
        return
    heads = rec.heads
    if kind == c.MARK_FAULT_BEGIN or kind == c.MARK_WRITER_BEGIN:
        heads[tid, H_CONTEXT] = IN_FAULT if kind == c.MARK_FAULT_BEGIN else IN_CALL
        heads[tid, H_LENGTH] = 0
        heads[tid, H_TRY] = 0
        heads[tid, H_REASON] = -1
        heads[tid, H_ABORT] = -1
        rec.times[tid, T_TRIED] = t
        rec.times[tid, T_BEGAN] = t
    elif kind == c.MARK_FAULT_END or kind == c.MARK_WRITER_END:
        context = IN_FAULT if kind == c.MARK_FAULT_END else IN_CALL
        if heads[tid, H_CONTEXT] == context:
            if in_window(rec.x, t) and rec.x[X_MEASURING] > 0.0:
                commit(heads, rec.log, rec.totals, tid, context)
            put_event(rec.window, rec.events, E_MARK, tid, kind, 0, rec.times[tid, T_BEGAN], t)
        heads[tid, H_CONTEXT] = ELSEWHERE


@inlined
def event(rec, number, tid, t):
    """A text counted something (-1: nothing): a try may begin, be given up, or say why it is.

    Told at the end of the edge: a try does not begin before the exception, which is on the same one.
    """
    if rec is None:
        return
    if number < 0:
        return
    role = rec.roles[number]
    heads = rec.heads
    if role == NO_ROLE or heads[tid, H_CONTEXT] == ELSEWHERE:
        return
    if role == ATTEMPT:
        heads[tid, H_TRY] = heads[tid, H_LENGTH]
        heads[tid, H_REASON] = -1
        heads[tid, H_ABORT] = -1
        rec.times[tid, T_TRIED] = t
    elif role == ABORT:
        gives_up(rec, number, tid, t)
    elif heads[tid, H_ABORT] >= 0:
        rec.log[tid, heads[tid, H_ABORT], L_SLOT] += number + 1
        heads[tid, H_ABORT] = -1
    else:
        heads[tid, H_REASON] = number


@inlined
def gives_up(rec, number, tid, t):
    """What the thread did since its try began was for nothing."""
    heads = rec.heads
    for i in range(heads[tid, H_TRY], heads[tid, H_LENGTH]):
        rec.log[tid, i, L_LOST] = rec.log[tid, i, L_NS]
    what = number * (rec.roles.shape[0] + 1) + heads[tid, H_REASON] + 1
    first = rec.nodes.shape[0] * (CATEGORIES + c.MAX_OUTCOMES * PARTS)
    append(rec.now, heads, rec.log, rec.scratch, tid, first + what, t - rec.times[tid, T_TRIED])
    if heads[tid, H_REASON] < 0:
        heads[tid, H_ABORT] = heads[tid, H_LENGTH] - 1
    heads[tid, H_TRY] = heads[tid, H_LENGTH]
    heads[tid, H_REASON] = -1
    put_event(rec.window, rec.events, E_ABORT, tid, what, 0, t, t)
    rec.times[tid, T_TRIED] = t
