"""The event loop: the thread with the earliest clock executes its next shared primitive.

A thread runs ahead of the others, as far as its edges allow, only through primitives that no other can
see.  Ties go to the lower thread number.  The effect of a primitive is ordered by when it was issued; its
cost moves the thread's clock.  Waiting threads are woken by the release that grants them the lock.
"""

from __future__ import annotations

from typing import Any, Final, NamedTuple

from spfvar.ops import codes as c
from spfvar.simulate import clock as k
from spfvar.simulate import edges as e
from spfvar.simulate import machine as m
from spfvar.simulate import record as r
from spfvar.simulate.meters import (
    IDLE_STEPS,
    UNMEASURED,
    X_ALIVE,
    X_END,
    X_LAST,
    X_LOCK_WAIT,
    X_MEASURING,
    X_OPEN,
    X_PATIENCE,
    X_STALLED,
    X_STEPS,
    X_WORST_STALL,
    backlog,
    begin_measuring,
    in_window,
    is_idle,
    pass_mark,
    wait_for_rounds,
    within,
)
from spfvar.simulate.random import uniform
from spfvar.transition.jit import compiled, inlined
from spfvar.transition.step import execute

INFINITE: Final = e.INFINITE
POLL_NS: Final = 100.0  # how often a spinning waiter without a queue looks again

# --- why a run ended ---------------------------------------------------------------------------------
DONE: Final = 0
STUCK: Final = 1
VIOLATION: Final = 2
GOES_ON: Final = 3
IDLE: Final = 4


class Threads(NamedTuple):
    """Timed state by thread; the last one is the grace-period kthread."""

    key: Any  # tree of clocks, each the earlier of two: leaf size/2 + thread; INFINITE while it runs or waits
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
    """Schedule a thread."""
    key = threads.key
    node = key.shape[0] // 2 + tid
    first = t
    key[node] = first
    while node > 1:
        first = min(first, key[node ^ 1])
        node //= 2
        key[node] = first


@inlined
def earliest(threads):
    """The thread with the earliest clock; ties go to the lower one."""
    key = threads.key
    leaves = key.shape[0] // 2
    node = 1
    while node < leaves:
        node = 2 * node + (key[2 * node + 1] < key[2 * node])  # no branch: it could not be predicted
    return node - leaves


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
def wake_threads(machine, threads, meters, p, s, g, out, by, tid, t, oversubscribed, rec):
    """Let the threads that were handed a lock by the node ``by`` go on; returns the releaser's clock."""
    par = machine.parameters
    x = meters.x
    op = p[by, c.C_OP]
    writer = op == c.UP_WRITE or op == c.DOWNGRADE_WRITE or op == c.RANGE_DOWNGRADE
    writer |= (op == c.RANGE_UNLOCK) & (p[by, c.C_IMM] != 0)
    for i in range(out[c.OUT_WOKEN]):
        waiter = out[c.OUT_WOKEN0 + i]
        pc = s[g[c.G_T_BASE] + waiter * g[c.G_T_STRIDE]]
        released = t
        waited = t - threads.blocked[waiter]
        sleeps = p[pc, c.C_FLAGS] & c.FLAG_SLEEPS
        if p[pc, c.C_OP] == c.DOWN_WRITE and waited < par[m.P_SPIN]:
            sleeps = 0
        if sleeps:
            t = r.spent(rec, r.WAKING, t, t + par[m.P_WAKE])
            start = t + par[m.P_WAKEUP]
        else:
            start = t + par[m.P_HANDOFF] if p[pc, c.C_OP] == c.DOWN_WRITE else t
        if x[X_MEASURING] > 0.0:
            stall = within(x, threads.blocked[waiter], start)
            x[X_LOCK_WAIT] += stall
            if writer:
                x[X_STALLED] += stall
                x[X_WORST_STALL] = max(x[X_WORST_STALL], stall)
        r.woken(rec, s, p, g, by, tid, waiter, released, start)
        threads.running[waiter] = True
        if threads.cpu[waiter] < 0 and oversubscribed:
            take_cpu(threads, waiter, start)
        else:
            set_key(threads, waiter, start)
    out[c.OUT_WOKEN] = 0
    return t


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
def touch_line(p, s, pc, outcome, tb, machine, clock, cpu, t, rec=None):
    """Fetch the cache line of a node's object; returns when the CPU has it."""
    index = s[tb + p[pc, c.C_L_REG]]
    if index < 0 or index >= c.STALE:
        return t
    line = p[pc, c.C_L_BASE] + index
    mode = p[pc, c.C_L_MODE]
    busy = clock.free[line]
    if mode == c.L_READ:
        owned = k.read_line(machine, clock, line, cpu, t)
        r.moved(rec, pc, line, t, busy, owned, machine.latency[1], False)
        return owned
    owned = k.write_line(machine, clock, line, cpu, t)
    r.moved(rec, pc, line, t, busy, owned, machine.latency[1], True)
    if mode == c.L_RMW_STORE and outcome >= 0 and p[pc, c.C_SUCC + outcome + 1] < 0:
        if p[pc, c.C_L_OWNER] >= 0:
            other = p[pc, c.C_L_OWNER] + index
            had = k.write_line(machine, clock, other, cpu, owned)  # the CPU goes on meanwhile
            r.taken(rec, pc, other, had)
        elif busy > t:
            k.store_behind(machine, clock, line, busy, owned, t)
    return owned


@inlined
def sleep_time(machine, ns, tid, rng):
    """A sleep, spread evenly around its mean."""
    spread = machine.parameters[m.P_SPREAD]
    return ns * (1.0 + spread * (2.0 * uniform(rng, tid) - 1.0))


@inlined
def timed(machine, clock, threads, g, p, pc, kind, ns, cpu, tid, t, out, rng, rec):
    """When work that is more than plain is done."""
    if kind == m.IPI:
        targeted = g[c.G_OWN] != 0 and p[pc, c.C_SRC] >= 0
        sent = r.spent(rec, r.WORK, t, t + ns)
        done = k.interrupt_others(machine, clock, threads.running, threads.asleep, out, targeted, tid, sent)
        return r.spent(rec, r.FLUSH, sent, done)
    if kind == m.SLEEP:
        return r.spent(rec, r.SLEEP, t, t + sleep_time(machine, ns, tid, rng))
    ns *= machine.speed[cpu]
    return k.local_time(machine, clock, kind, ns, cpu, t, out[c.OUT_AMOUNT], out[c.OUT_ANON], tid, rng, rec)


@inlined
def preempted(machine, threads, tid, t):
    """Does the thread lose its CPU at the end of its time slice?"""
    if t - threads.slice_at[tid] <= machine.parameters[m.P_SLICE]:
        return False
    threads.slice_at[tid] = t
    if threads.ready[1] == 0:
        return False
    leave_cpu(machine, threads, tid, t)
    take_cpu(threads, tid, t)
    return True


@inlined
def pass_edge(machine, p, times, meters, pc, outcome, tid, t, speed, rng, rec):
    """What lies on the way behind the mark; returns when it is done."""
    if p[pc, e.N_EVENT + outcome] >= 0 and in_window(meters.x, t):
        meters.events[p[pc, e.N_EVENT + outcome]] += 1
    t = r.through(rec, pc, outcome, e.AFTER, t, t + times[pc * e.TIMES + e.AFTER_NS + outcome] * speed)
    if times[pc * e.TIMES + e.JITTERED_NS + outcome] > 0.0:
        jittered = times[pc * e.TIMES + e.JITTERED_NS + outcome] * speed * k.jitter(machine, tid, rng)
        t = r.through(rec, pc, outcome, e.JITTERED, t, t + jittered)
    r.event(rec, p[pc, e.N_EVENT + outcome], tid, t)
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
        if oversubscribed:
            leave_cpu(machine, threads, tid, t)
        if x[X_ALIVE] > 0.0:
            return GOES_ON
        x[X_END] = min(x[X_END], x[X_LAST])
        return DONE
    if s[tb + c.T_WAIT] == 0:
        # No queue to be woken from: look again later, unless nobody is left to change it.
        if tid == kthread:
            if threads.key[1] >= INFINITE:
                return STUCK
            set_key(threads, tid, t + machine.parameters[m.P_GRACE])
        else:
            set_key(threads, tid, t + POLL_NS)
        return GOES_ON
    threads.blocked[tid] = t
    if p[pc, c.C_FLAGS] & c.FLAG_SLEEPS:
        threads.running[tid] = False
        if oversubscribed:
            leave_cpu(machine, threads, tid, t)
    return GOES_ON


@inlined
def keeps_turn(machine, clock, p, times, flags, pc, cpu, t, limit):
    """Has a thread whose clock is past another's (``limit``) to wait for it before this node?"""
    if t > limit + times[pc * e.TIMES + e.AHEAD_NS]:
        return True
    return flags & e.TIMED != 0 and k.server_due(machine, clock, p[pc, e.N_KIND], cpu, t, t - limit)


@inlined
def draw(p, pc, probability, tid, rng):
    """The outcome of an open choice."""
    return 1 if uniform(rng, tid) < probability[p[pc, c.C_IMM2]] else 0


@inlined
def successor(p, pc, outcome):
    """The node after an outcome; by branches, because the CPU can guess its way ahead of the outcome."""
    following = p[pc, c.C_SUCC]
    if outcome == 1:
        following = p[pc, c.C_SUCC + 1]
    elif outcome > 1:
        following = p[pc, c.C_SUCC + outcome]
    return following


@inlined
def is_over(x, steps, t, threads):
    """Why the run ends here, if it does: everybody's clock is at the window's end, or nobody can go on."""
    if t >= x[X_END]:
        x[X_STEPS] = steps
        return DONE if x[X_END] < INFINITE else STUCK
    return IDLE if is_idle(x, steps, threads) else GOES_ON


@compiled
def run(s, g, out, nodes, machine, clock, threads, meters, window, cached, probability, rng, rec):
    """Run until the ``window`` is over, or until every thread ended.

    Changes all arrays in place; returns DONE, STUCK, VIOLATION, or IDLE if the faults that are waited for do
    not come.  ``rec``, a Record or None, is told where the time goes; compiled for None, it is not there.
    """
    p = nodes.table
    times = nodes.times
    x = meters.x
    kthread = g[c.G_THREADS] - 1
    oversubscribed = kthread > threads.cpu_user.shape[0]
    key = threads.key
    steps = 0
    x[X_END] = INFINITE
    wait_for_rounds(meters, window.rounds[0])
    if window.faults[0] == 0 and x[X_OPEN] == 0.0:
        begin_measuring(meters, window, 0.0)
    limit = 0.0
    rival = kthread
    known = False
    x[X_PATIENCE] = IDLE_STEPS * kthread if 0 < window.faults[1] < UNMEASURED else UNMEASURED
    while True:
        if known:  # a branch: the CPU goes on with the rival before this thread's clock has reached the root
            tid = rival
            t = limit
        else:
            tid = earliest(threads)
            t = key[1]
        known = False
        state = is_over(x, steps, t, kthread)
        if state != GOES_ON:
            return state
        if threads.cpu[tid] < 0 and oversubscribed and tid != kthread:
            take_cpu(threads, tid, t)
            if key[1] >= INFINITE or earliest(threads) != tid:
                continue
        cpu = threads.cpu[tid]
        speed = machine.speed[cpu]
        tb = g[c.G_T_BASE] + tid * g[c.G_T_STRIDE]
        set_key(threads, tid, INFINITE)
        limit = key[1]
        rival = earliest(threads)
        issued = t
        t += clock.stolen[tid]
        clock.stolen[tid] = 0.0
        pc = s[tb]
        r.runs(rec, tid, pc, issued, t)
        while True:
            flags = p[pc, c.C_FLAGS]
            if flags != 0 and t > limit and keeps_turn(machine, clock, p, times, flags, pc, cpu, t, limit):
                set_key(threads, tid, t)
                known = True
                break
            if flags & e.PREEMPT and oversubscribed and preempted(machine, threads, tid, t):
                r.stops(rec, tid, r.CPU_WAIT, t)
                break
            issued = t
            outcome = 0
            row = pc * e.TIMES
            r.comes_to(rec, pc)
            if flags & e.PASSES:
                s[tb] = p[pc, c.C_SUCC]
            else:
                choice = draw(p, pc, probability, tid, rng) if flags & e.OPEN else 0
                outcome = execute(s, p, g, pc, tid, tb, choice, out)
                if flags == 0 and outcome >= 0:
                    steps += 1
                    t = r.through(rec, pc, outcome, e.BEFORE, t, t + times[row + e.WORK_NS + outcome] * speed)
                    pc = successor(p, pc, outcome)
                    continue
                if flags & c.FLAG_LINE:
                    t = touch_line(p, s, pc, outcome, tb, machine, clock, cpu, t, rec)
                    if flags & e.LOCK and x[X_MEASURING] > 0.0:
                        x[X_LOCK_WAIT] += within(x, issued, t)
                if outcome < 0:
                    if flags == 0 and t > limit + times[row + e.AHEAD_NS]:  # to end has its turn, too
                        set_key(threads, tid, t)
                        known = True
                        break
                    steps += 1
                    if outcome == c.VIOLATED:
                        x[X_END] = t
                        return VIOLATION
                    r.blocks(rec, s, p, g, pc, tb, tid, t)
                    state = wait(machine, threads, meters, s, p, pc, tb, tid, t, kthread, oversubscribed)
                    if state != GOES_ON:
                        x[X_STEPS] = steps
                        return state
                    break
            steps += 1
            if flags & e.TIMED:
                t = timed(
                    machine, clock, threads, g, p, pc, p[pc, e.N_KIND], times[row + e.OWN_NS], cpu, tid, t,
                    out, rng, rec,
                )  # fmt: skip
            else:
                t = r.spent(rec, r.WORK, t, t + times[row + e.OWN_NS] * speed)
            if flags & (e.LOCK | e.METER):
                r.locks(rec, s, p, g, pc, tb, tid, outcome, t)
                if flags & e.METER:
                    measure(s, p, g, pc, tb, tid, meters, cached, rng)
                elif out[c.OUT_WOKEN] > 0:
                    t = wake_threads(machine, threads, meters, p, s, g, out, pc, tid, t, oversubscribed, rec)
                    limit = key[1]
                    rival = earliest(threads)
            t = r.through(rec, pc, outcome, e.BEFORE, t, t + times[row + e.WORK_NS + outcome] * speed)
            if flags & e.EDGE:
                mark = p[pc, e.N_MARK + outcome]
                r.mark(rec, mark, tid, t)
                if mark > 0 and pass_mark(threads, meters, window, mark, tid, t):
                    set_key(threads, tid, t)
                    break
                t = pass_edge(machine, p, times, meters, pc, outcome, tid, t, speed, rng, rec)
            if flags & e.SLEEP and tid != kthread:
                go_to_sleep(machine, threads, tid, issued, t, oversubscribed)
                r.stops(rec, tid, r.CPU_WAIT, t)
                break
            pc = successor(p, pc, outcome)


@compiled
def run_recorded(s, g, out, nodes, machine, clock, threads, meters, window, cached, probability, rng, rec):
    """`run` with a record, compiled under a name of its own: so a progress line can tell whether it was."""
    return run(s, g, out, nodes, machine, clock, threads, meters, window, cached, probability, rng, rec)
