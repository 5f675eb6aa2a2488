"""The event loop: the thread with the earliest clock executes its next shared primitive.

A thread runs ahead of the others, as far as its edges allow, only through primitives that no other can
see.  Ties go to the lower thread number.  The effect of a primitive is ordered by when it was issued; its
cost moves the thread's clock.  Waiting threads are woken by the release that grants them the lock.
"""

from __future__ import annotations

from typing import Any, Final, NamedTuple

import numpy as np

from spfvar.ops import codes as c
from spfvar.simulate import clock as k
from spfvar.simulate import edges as e
from spfvar.simulate import machine as m
from spfvar.simulate.random import uniform
from spfvar.transition.jit import compiled, inlined
from spfvar.transition.step import execute

INFINITE: Final = e.INFINITE
BINS: Final = 32  # of a histogram, per power of two, of equal width
HISTOGRAM: Final = 2048
_FRACTION: Final = 47  # bits of a double behind those that number the bins
_ONE: Final = 1023 * BINS  # bin of 1.0 if bins began at 0.0
UNMEASURED: Final = 1 << 62  # faults of a run that ends with its threads
POLL_NS: Final = 100.0  # how often a spinning waiter without a queue looks again

# --- meters ------------------------------------------------------------------------------------------
X_FAULTS: Final = 0
X_START: Final = 1  # the window, in ns: what ends at either or between is counted
X_END: Final = 2  # INFINITE until it is known
X_LOCK_WAIT: Final = 3
X_THREAD_TIME: Final = 4
X_WRITERS: Final = 5
X_BACKLOG: Final = 6  # most deferred objects at once
X_STALLED: Final = 7  # waits that a writer's release ended
X_FAULT_TIME: Final = 8
X_WRITER_TIME: Final = 9
X_STEPS: Final = 10
X_MEASURING: Final = 11
X_ALIVE: Final = 12
X_WORST_STALL: Final = 13
X_OPEN: Final = 14  # groups that have not gone round often enough yet
X_SEEN: Final = 15  # faults when idleness was looked for last
X_PATIENCE: Final = 16  # when it is next, in primitives
X_LAST: Final = 17  # when the last thread ended, so far
METERS: Final = 18

# --- why a run ended ---------------------------------------------------------------------------------
DONE: Final = 0
STUCK: Final = 1
VIOLATION: Final = 2
GOES_ON: Final = 3
IDLE: Final = 4
#: So many primitives without a fault are no run any more: a shipped load has one in some thousand at most.
IDLE_STEPS: Final = 20_000_000


class Meters(NamedTuple):
    """What a run counts: X_* scalars, events, latency histograms, and by group the rounds still to go."""

    x: Any
    events: Any
    fault_histogram: Any
    writer_histogram: Any
    left: Any


class Window(NamedTuple):
    """What a run is measured over, as (2, ...) arrays: the warm-up, then the window.

    Either is over after so many ``faults`` and, by group, so many ``rounds`` of all its threads together; a
    group with none is not waited for.  Where it is ``by_rounds``, it is over at the end of one: of the group
    that was the last to have them, and goes on by whole rounds of its ``threads`` until there are the faults.
    """

    faults: Any
    rounds: Any
    by_rounds: Any  # has any group some?
    threads: Any  # by group
    group: Any  # by thread


class Threads(NamedTuple):
    """Timed state by thread; the last one is the grace-period kthread."""

    key: Any  # winner tree of clocks: leaf size/2 + thread; INFINITE while the thread waits
    winner: Any  # the thread behind each node of ``key``
    cpu: Any  # CPU it runs on, -1 while it waits for one
    began: Any  # when its fault or call began
    blocked: Any  # when its wait began
    running: Any  # does its CPU have to be interrupted for a TLB flush?
    asleep: Any  # until when it sleeps for storage: not until then
    slice_at: Any  # when it got its CPU
    ready: Any  # queue of threads without a CPU: [head, count, entries ...]
    cpu_user: Any  # by CPU: its thread, or -1


@inlined
def set_key(threads, tid, t):
    """Schedule a thread: replay its matches up to the root; ties go to the lower thread."""
    key = threads.key
    winner = threads.winner
    node = key.shape[0] // 2 + tid
    best = t
    who = tid
    key[node] = best
    while node > 1:
        other = key[node ^ 1]
        rival = winner[node ^ 1]
        # Without a branch (so not with "and", "or"): who wins cannot be predicted.
        loses = (other < best) | ((other == best) & (rival < who))
        best = min(best, other)
        who = rival if loses else who
        node //= 2
        key[node] = best
        winner[node] = who


@inlined
def next_key(threads, tid):
    """The earliest clock among the other threads, and whose it is; ties go to the lower thread."""
    key = threads.key
    winner = threads.winner
    node = key.shape[0] // 2 + tid
    earliest = INFINITE
    who = tid
    while node > 1:
        other = key[node ^ 1]
        rival = winner[node ^ 1]
        loses = (other < earliest) | ((other == earliest) & (rival < who))
        earliest = min(earliest, other)
        who = rival if loses else who
        node //= 2
    return earliest, who


@inlined
def bin_of(ns):
    """Histogram bin of a latency: the exponent of the number and the first bits of its fraction."""
    if ns < 1.0:
        return 0
    return min((np.float64(ns).view(np.int64) >> _FRACTION) - _ONE, HISTOGRAM - 1)


@inlined
def backlog(s, g, meters):
    """The most objects that ever waited for a grace period."""
    x = meters.x
    now = s[g[c.G_RCU] + 3] + s[g[c.G_RCU] + 4]
    if x[X_MEASURING] > 0.0:
        x[X_BACKLOG] = max(x[X_BACKLOG], now)


@inlined
def take_cpu(threads, tid, t):
    """Give a woken thread its old CPU, or any idle one; else it queues."""
    cpu_user = threads.cpu_user
    old = -1 - threads.cpu[tid] - 1
    chosen = -1
    if 0 <= old < cpu_user.shape[0] and cpu_user[old] < 0:
        chosen = old
    else:
        for cpu in range(cpu_user.shape[0]):
            if cpu_user[cpu] < 0:
                chosen = cpu
                break
    if chosen >= 0:
        cpu_user[chosen] = tid
        threads.cpu[tid] = chosen
        threads.slice_at[tid] = t
        set_key(threads, tid, t)
        return
    ready = threads.ready
    capacity = ready.shape[0] - 2
    ready[2 + (ready[0] + ready[1]) % capacity] = tid
    ready[1] += 1
    threads.slice_at[tid] = t  # not before it was woken
    set_key(threads, tid, INFINITE)


@inlined
def leave_cpu(machine, threads, tid, t):
    """A thread sleeps: the first one that queues for a CPU gets this one."""
    cpu = threads.cpu[tid]
    threads.cpu[tid] = -2 - cpu
    threads.cpu_user[cpu] = -1
    ready = threads.ready
    if ready[1] > 0:
        following = ready[2 + ready[0]]
        ready[0] = (ready[0] + 1) % (ready.shape[0] - 2)
        ready[1] -= 1
        threads.cpu_user[cpu] = following
        threads.cpu[following] = cpu
        start = max(t + machine.parameters[m.P_SWITCH], threads.slice_at[following])
        threads.slice_at[following] = start
        set_key(threads, following, start)


@inlined
def go_to_sleep(machine, threads, tid, t, until, oversubscribed):
    """A thread waits for storage: its CPU is another's, or idle, and then not interrupted."""
    threads.asleep[tid] = until
    if oversubscribed:
        leave_cpu(machine, threads, tid, t)
    set_key(threads, tid, until)


@inlined
def in_window(x, t):
    """Is what happens at ``t`` counted?  A thread may be ahead of the window's ends, or behind them."""
    return x[X_START] <= t <= x[X_END]


@inlined
def within(x, begin, end):
    """How much of a wait lies in the window."""
    return max(0.0, min(end, x[X_END]) - max(begin, x[X_START]))


@inlined
def wake_threads(machine, threads, meters, p, s, g, out, by, tid, t, oversubscribed):
    """Let the threads that were handed a lock by the node ``by`` go on; returns the releaser's clock."""
    par = machine.parameters
    x = meters.x
    op = p[by, c.C_OP]
    writer = op == c.UP_WRITE or op == c.DOWNGRADE_WRITE or op == c.RANGE_DOWNGRADE
    writer |= (op == c.RANGE_UNLOCK) & (p[by, c.C_IMM] != 0)
    for i in range(out[c.OUT_WOKEN]):
        waiter = out[c.OUT_WOKEN0 + i]
        pc = s[g[c.G_T_BASE] + waiter * g[c.G_T_STRIDE]]
        waited = t - threads.blocked[waiter]
        sleeps = p[pc, c.C_FLAGS] & c.FLAG_SLEEPS
        if p[pc, c.C_OP] == c.DOWN_WRITE and waited < par[m.P_SPIN]:
            sleeps = 0
        if sleeps:
            t += par[m.P_WAKE]
            start = t + par[m.P_WAKEUP]
        else:
            start = t + par[m.P_HANDOFF] if p[pc, c.C_OP] == c.DOWN_WRITE else t
        if x[X_MEASURING] > 0.0:
            stall = within(x, threads.blocked[waiter], start)
            x[X_LOCK_WAIT] += stall
            if writer:
                x[X_STALLED] += stall
                x[X_WORST_STALL] = max(x[X_WORST_STALL], stall)
        threads.running[waiter] = True
        if threads.cpu[waiter] < 0 and oversubscribed:
            take_cpu(threads, waiter, start)
        else:
            set_key(threads, waiter, start)
    out[c.OUT_WOKEN] = 0
    return t


@inlined
def record_mark(threads, meters, kind, tid, t):
    """A fault or a writer's call begins or ends."""
    x = meters.x
    if kind == c.MARK_FAULT_BEGIN or kind == c.MARK_WRITER_BEGIN:
        threads.began[tid] = t
        return
    if not in_window(x, t):
        return
    took = t - threads.began[tid]
    if kind == c.MARK_FAULT_END:
        x[X_FAULTS] += 1.0
        if x[X_MEASURING] > 0.0:
            x[X_FAULT_TIME] += took
            meters.fault_histogram[bin_of(took)] += 1
    elif kind == c.MARK_WRITER_END and x[X_MEASURING] > 0.0:
        x[X_WRITERS] += 1.0
        x[X_WRITER_TIME] += took
        meters.writer_histogram[bin_of(took)] += 1


@inlined
def wait_for_rounds(meters, rounds):
    """Begin to count the groups' rounds."""
    meters.x[X_OPEN] = 0.0
    for group in range(rounds.shape[0]):
        meters.left[group] = rounds[group]
        if rounds[group] > 0:
            meters.x[X_OPEN] += 1.0


@inlined
def begin_measuring(meters, window, t):
    """End of the warm-up: forget what was counted."""
    x = meters.x
    meters.events[:] = 0
    x[X_FAULTS] = 0.0
    x[X_START] = t
    x[X_MEASURING] = 1.0
    wait_for_rounds(meters, window.rounds[1])


@inlined
def redraw_folios(s, g, p, pc, tb, tid, cached, rng):
    """The window moved on: draw anew which of its pages the page cache holds."""
    if p[pc, c.C_DST] < 0:
        return
    vma = s[tb + p[pc, c.C_DST]]
    base = g[c.G_CLASS0 + c.CLASS_FOLIO * c.CLASS_WORDS + c.K_BASE]
    stride = g[c.G_CLASS0 + c.CLASS_FOLIO * c.CLASS_WORDS + c.K_STRIDE]
    for page in range(s[tb + p[pc, c.C_SRC]], s[tb + p[pc, c.C_SRC2]]):
        word = base + (vma + page) * stride
        present = 1 if cached >= 1.0 or uniform(rng, tid) < cached else 0
        if s[word + c.FOLIO_LOCK] == 0:
            s[word + c.FOLIO_CACHED] = present
            s[word + c.FOLIO_UPTODATE] = present


@inlined
def touch_line(p, s, pc, outcome, tb, machine, clock, cpu, t):
    """Fetch the cache line of a node's object; returns when the CPU has it."""
    index = s[tb + p[pc, c.C_L_REG]]
    if index < 0 or index >= c.STALE:
        return t
    line = p[pc, c.C_L_BASE] + index
    mode = p[pc, c.C_L_MODE]
    if mode == c.L_READ:
        return k.read_line(machine, clock, line, cpu, t)
    busy = clock.free[line]
    owned = k.write_line(machine, clock, line, cpu, t)
    if mode == c.L_RMW_STORE and outcome >= 0 and p[pc, c.C_SUCC + outcome + 1] < 0:
        if p[pc, c.C_L_OWNER] >= 0:
            k.write_line(machine, clock, p[pc, c.C_L_OWNER] + index, cpu, owned)  # the CPU goes on meanwhile
        elif busy > t:
            k.store_behind(machine, clock, line, busy, owned, t)
    return owned


@inlined
def sleep_time(machine, ns, tid, rng):
    """A sleep, spread evenly around its mean."""
    spread = machine.parameters[m.P_SPREAD]
    return ns * (1.0 + spread * (2.0 * uniform(rng, tid) - 1.0))


@inlined
def timed(machine, clock, threads, g, p, pc, kind, ns, cpu, tid, t, out, rng):
    """When work that is more than plain is done."""
    if kind == m.IPI:
        targeted = g[c.G_OWN] != 0 and p[pc, c.C_SRC] >= 0
        return k.interrupt_others(machine, clock, threads.running, threads.asleep, out, targeted, tid, t + ns)
    if kind == m.SLEEP:
        return t + sleep_time(machine, ns, tid, rng)
    ns *= machine.speed[cpu]
    return k.local_time(machine, clock, kind, ns, cpu, t, out[c.OUT_AMOUNT], out[c.OUT_ANON], tid, rng)


@inlined
def preempted(machine, threads, tid, t):
    """Does the thread lose its CPU at the end of its time slice?"""
    if t - threads.slice_at[tid] <= machine.parameters[m.P_SLICE]:
        return False
    threads.slice_at[tid] = t
    if threads.ready[1] == 0:
        return False
    set_key(threads, tid, INFINITE)
    leave_cpu(machine, threads, tid, t)
    take_cpu(threads, tid, t)
    return True


@inlined
def ends_round(meters, window, tid):
    """A thread ends a round; returns its group if all groups have gone round often enough with it, or -1."""
    group = window.group[tid]
    meters.left[group] -= 1
    if meters.left[group] != 0:
        return -1
    meters.x[X_OPEN] -= 1.0
    return group if meters.x[X_OPEN] == 0.0 else -1


@inlined
def pass_mark(threads, meters, window, kind, tid, t):
    """A mark lies on the way; returns True when it ends the window.

    Others may be far behind this thread then, which comes from a pause perhaps: what they do until they are
    at ``t``, too, is before the window's begin, or still in it.
    """
    record_mark(threads, meters, kind, tid, t)
    x = meters.x
    if x[X_END] < INFINITE:
        return False
    measuring = x[X_MEASURING] > 0.0
    slowest = -1
    if kind == c.MARK_ITERATION:
        slowest = ends_round(meters, window, tid)
        if slowest < 0:
            return False
    elif kind != c.MARK_FAULT_END or window.by_rounds[1 if measuring else 0]:
        return False
    if x[X_FAULTS] >= window.faults[1 if measuring else 0]:
        if measuring:
            x[X_END] = t
            return True
        begin_measuring(meters, window, t)
    elif slowest >= 0:  # too few faults: one more round of each thread
        meters.left[slowest] = window.threads[slowest]
        x[X_OPEN] = 1.0
    return False


@inlined
def pass_edge(machine, edges, meters, pc, outcome, tid, t, speed, rng):
    """What lies on the way behind the mark; returns when it is done."""
    if edges.event[pc, outcome] >= 0 and in_window(meters.x, t):
        meters.events[edges.event[pc, outcome]] += 1
    t += edges.after[pc, outcome] * speed
    if edges.jittered[pc, outcome] > 0.0:
        t += edges.jittered[pc, outcome] * speed * k.jitter(machine, tid, rng)
    return t


@inlined
def measure(s, p, g, pc, tb, tid, meters, cached, rng):
    """What the meters want to know of an op."""
    if p[pc, c.C_OP] == c.FRESH_RANGE:
        redraw_folios(s, g, p, pc, tb, tid, cached, rng)
    else:
        backlog(s, g, meters)


@inlined
def wait(machine, threads, meters, s, p, pc, tb, tid, t, kthread, oversubscribed):
    """A thread cannot go on: it ends, queues or looks again later.  Returns DONE, STUCK or GOES_ON."""
    x = meters.x
    if p[pc, c.C_OP] == c.END:
        x[X_ALIVE] -= 1.0
        x[X_LAST] = max(x[X_LAST], t)
        threads.running[tid] = False
        set_key(threads, tid, INFINITE)
        if oversubscribed:
            leave_cpu(machine, threads, tid, t)
        if x[X_ALIVE] > 0.0:
            return GOES_ON
        x[X_END] = min(x[X_END], x[X_LAST])
        return DONE
    if s[tb + c.T_WAIT] == 0:
        # No queue to be woken from: look again later, unless nobody is left to change it.
        if tid == kthread:
            if next_key(threads, tid)[0] >= INFINITE:
                return STUCK
            set_key(threads, tid, t + machine.parameters[m.P_GRACE])
        else:
            set_key(threads, tid, t + POLL_NS)
        return GOES_ON
    threads.blocked[tid] = t
    set_key(threads, tid, INFINITE)
    if p[pc, c.C_FLAGS] & c.FLAG_SLEEPS:
        threads.running[tid] = False
        if oversubscribed:
            leave_cpu(machine, threads, tid, t)
    return GOES_ON


@inlined
def keeps_turn(machine, clock, edges, flags, pc, cpu, t, limit):
    """Has a thread whose clock is past another's (``limit``) to wait for it before this node?"""
    if t > limit + edges.ahead[pc]:
        return True
    return flags & e.TIMED != 0 and k.server_due(machine, clock, edges.kind[pc], cpu, t, t - limit)


@inlined
def draw(p, pc, probability, tid, rng):
    """The outcome of an open choice."""
    return 1 if uniform(rng, tid) < probability[p[pc, c.C_IMM2]] else 0


@inlined
def successor(edges, pc, outcome):
    """The node after an outcome; by branches, because the CPU can guess its way ahead of the outcome."""
    following = edges.following[pc, 0]
    if outcome == 1:
        following = edges.following[pc, 1]
    elif outcome > 1:
        following = edges.following[pc, outcome]
    return following


@inlined
def is_idle(x, steps):
    """Has no fault come in `IDLE_STEPS` primitives?"""
    if steps <= x[X_PATIENCE]:
        return False
    idle = x[X_FAULTS] == x[X_SEEN]
    x[X_SEEN] = x[X_FAULTS]
    x[X_PATIENCE] = steps + IDLE_STEPS
    return idle


@inlined
def is_over(x, steps, t):
    """Why the run ends here, if it does: everybody's clock is at the window's end, or nobody can go on."""
    if t >= x[X_END]:
        x[X_STEPS] = steps
        return DONE if x[X_END] < INFINITE else STUCK
    return IDLE if is_idle(x, steps) else GOES_ON


@compiled
def run(s, g, out, edges, machine, clock, threads, meters, window, cached, probability, rng):
    """Run until the ``window`` is over, or until every thread ended.

    Changes all arrays in place; returns DONE, STUCK, VIOLATION, or IDLE if the faults that are waited for do
    not come.
    """
    p = edges.table
    x = meters.x
    kthread = g[c.G_THREADS] - 1
    oversubscribed = kthread > threads.cpu_user.shape[0]
    key = threads.key
    steps = 0
    x[X_END] = INFINITE
    wait_for_rounds(meters, window.rounds[0])
    if window.faults[0] == 0 and x[X_OPEN] == 0.0:
        begin_measuring(meters, window, 0.0)
    rival = kthread
    known = False
    x[X_PATIENCE] = IDLE_STEPS if 0 < window.faults[1] < UNMEASURED else UNMEASURED
    while True:
        if known:  # a branch: the CPU goes on with the rival before this thread's clock has reached the root
            tid = rival
            t = key[key.shape[0] // 2 + tid]
        else:
            tid = threads.winner[1]
            t = key[1]
        known = False
        state = is_over(x, steps, t)
        if state != GOES_ON:
            return state
        if threads.cpu[tid] < 0 and oversubscribed and tid != kthread:
            take_cpu(threads, tid, t)
            if key[1] >= INFINITE or threads.winner[1] != tid:
                continue
        cpu = threads.cpu[tid]
        speed = machine.speed[cpu]
        tb = g[c.G_T_BASE] + tid * g[c.G_T_STRIDE]
        limit, rival = next_key(threads, tid)
        t += clock.stolen[tid]
        clock.stolen[tid] = 0.0
        pc = s[tb]
        while True:
            flags = edges.flags[pc]
            while flags == 0:
                outcome = execute(s, p, g, pc, tid, tb, 0, out)
                if outcome < 0:
                    break
                steps += 1
                t += edges.work[pc, outcome] * speed
                pc = successor(edges, pc, outcome)
                flags = edges.flags[pc]
            if t > limit and keeps_turn(machine, clock, edges, flags, pc, cpu, t, limit):
                set_key(threads, tid, t)
                known = True
                break
            if flags & e.PREEMPT and oversubscribed and preempted(machine, threads, tid, t):
                break
            steps += 1
            issued = t
            if flags & e.PASSES:
                outcome = 0
                s[tb] = p[pc, c.C_SUCC]
            else:
                choice = draw(p, pc, probability, tid, rng) if flags & e.OPEN else 0
                outcome = execute(s, p, g, pc, tid, tb, choice, out)
                if flags & c.FLAG_LINE:
                    t = touch_line(p, s, pc, outcome, tb, machine, clock, cpu, t)
                    if flags & e.LOCK and x[X_MEASURING] > 0.0:
                        x[X_LOCK_WAIT] += within(x, issued, t)
                if outcome < 0:
                    if outcome == c.VIOLATED:
                        x[X_END] = t
                        return VIOLATION
                    state = wait(machine, threads, meters, s, p, pc, tb, tid, t, kthread, oversubscribed)
                    if state != GOES_ON:
                        x[X_STEPS] = steps
                        return state
                    break
            if flags & e.TIMED:
                t = timed(
                    machine, clock, threads, g, p, pc, edges.kind[pc], edges.ns[pc], cpu, tid, t, out, rng,
                )  # fmt: skip
            else:
                t += edges.ns[pc] * speed
            if flags & (e.LOCK | e.METER):
                if flags & e.METER:
                    measure(s, p, g, pc, tb, tid, meters, cached, rng)
                elif out[c.OUT_WOKEN] > 0:
                    t = wake_threads(machine, threads, meters, p, s, g, out, pc, tid, t, oversubscribed)
                    limit, rival = next_key(threads, tid)
            t += edges.work[pc, outcome] * speed
            if flags & e.EDGE:
                mark = edges.mark[pc, outcome]
                if mark > 0 and pass_mark(threads, meters, window, mark, tid, t):
                    set_key(threads, tid, t)
                    break
                t = pass_edge(machine, edges, meters, pc, outcome, tid, t, speed, rng)
            if flags & e.SLEEP and tid != kthread:
                go_to_sleep(machine, threads, tid, issued, t, oversubscribed)
                break
            pc = successor(edges, pc, outcome)
