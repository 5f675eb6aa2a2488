"""What a primitive costs: cache lines, shared servers of the kernel, core-local work.

A cache line is a server: a toucher waits until the line is free, then for its transfer from the
last owner.  Where a socket has several clusters, each with a cache of its own, a line that comes to one of
them serves everybody who waits there before it leaves: a visit.  Locks that no protocol step can block under
(zone lock, LRU lock, memory channel) are servers too: first come, first served, with a known time of service.
"""

from __future__ import annotations

from typing import Any, Final, NamedTuple

import numpy as np

from spfvar.ops.codes import OUT_TARGET0
from spfvar.simulate import machine as m
from spfvar.simulate import record as r
from spfvar.simulate.edges import in_lines
from spfvar.simulate.random import uniform
from spfvar.transition.jit import inlined

UNOWNED: Final = -1
MEMORY_BACKLOG: Final = 20.0  # pages by which a memory channel may lag before it delays anybody
VISITED: Final = 1024  # lines for which visits are kept at once
SHORT_BACKLOG: Final = 5.0  # up to here the order of the pages is not looked at


class Clock(NamedTuple):
    """The timed state beside the logical one.

    By cache line: ``owner`` CPU, ``free`` time, ``visits``, ``sharers`` bit sets (read-shared lines only).
    By socket: the zone lock, the LRU lock, the memory channel.  By CPU: pages in the per-CPU list, the LRU
    batch, the memcg stock.  By thread: ``stolen`` time owed to interrupts.
    """

    owner: Any
    free: Any
    visits: Any  # its row of ``comes``; 0: nobody of two clusters ever waited for it
    comes: Any  # (VISITED, clusters): when the line comes to each cluster; row 1 is of ``charge``
    leaves: Any  # and leaves it
    rows: Any  # (1,): the row given last
    sharers: Any
    zone_free: Any
    zone_owner: Any
    lru_free: Any
    lru_owner: Any
    memory_free: Any
    charge: Any  # (2,): free time, owner
    pcp: Any
    lru_count: Any
    stock: Any
    stolen: Any


def new_clock(
    machine: m.Machine, lines: int, read_lines: int, threads: int, rng: np.random.Generator
) -> Clock:
    """A clock at time 0; batches are part-used, so that CPUs do not refill in step."""
    cpus, nodes = len(machine.node), int(machine.node.max()) + 1
    par = machine.parameters
    words = int(machine.word.max()) + 1
    # What belongs to a line lies side by side: it is asked for together.
    row = in_lines(np.zeros((lines, 2 + words)))
    owner = row.view(np.int16)[:, 4]
    owner[:] = UNOWNED
    visited = (VISITED if par[m.P_VISITS] > 0.0 else 1, int(machine.cluster.max()) + 1)
    return Clock(
        owner,
        row[:, 0],
        row.view(np.int16)[:, 5],
        np.zeros(visited),
        np.zeros(visited),
        np.array([1]),
        row.view(np.int64)[: max(read_lines, 1), 2 : 2 + words],
        np.zeros(nodes),
        np.full(nodes, UNOWNED, dtype=np.int64),
        np.zeros(nodes),
        np.full(nodes, UNOWNED, dtype=np.int64),
        np.zeros(nodes),
        np.array([0.0, UNOWNED]),
        rng.integers(0, int(par[m.P_PCP_BATCH]) + 1, cpus),
        rng.integers(0, int(par[m.P_LRU_BATCH]), cpus),
        rng.random(cpus) * par[m.P_MEMCG_PAGES],
        np.zeros(threads),
    )


@inlined
def transfer(machine, owner, cpu, waited):
    """Time to fetch a line from its owner when the request waited behind others."""
    if owner < 0 or owner == cpu:
        base = machine.latency[0] if owner < 0 else 0.0
    else:
        base = machine.latency[machine.distance[owner, cpu]]
    if waited > 0.0 and base > 0.0:
        par = machine.parameters
        queue = min(waited / base, par[m.P_GROWTH_LIMIT])
        nearest = machine.near[owner, int(queue)]
        if owner >= 0 and nearest < base:
            base += par[m.P_LOCALITY] * (nearest - base)
        return base * (1.0 + par[m.P_GROWTH] * queue)
    return base


@inlined
def join(machine, clock, row, cpu, t, free):
    """When a line is had that will come to the CPU's cluster, and has others to go to behind; or -1.

    Who waits there when it comes has it a transfer within the cluster later than the last of them; clusters
    that it goes to later get it later by as much.  Who asks once it is there waits for it to come back.
    """
    here = machine.cluster[cpu]
    leaves = clock.leaves[row, here]
    if clock.comes[row, here] < t or leaves >= free:
        return -1.0
    more = machine.latency[1]
    for cluster in range(clock.leaves.shape[1]):
        if clock.leaves[row, cluster] > leaves:
            clock.comes[row, cluster] += more
            clock.leaves[row, cluster] += more
    clock.leaves[row, here] = leaves + more
    return leaves + more


@inlined
def note_visit(machine, clock, row, owner, cpu, had):
    """The line comes to the CPU's cluster, or stays there."""
    here = machine.cluster[cpu]
    if owner < 0 or machine.cluster[owner] != here:
        clock.comes[row, here] = had
    clock.leaves[row, here] = had


@inlined
def note_wait(machine, clock, line, owner, cpu, start, t, had):
    """Keep a line's visits from when somebody first waits for it to leave another cluster."""
    row = clock.visits[line]
    if row == 0:
        if start <= t or machine.cluster[owner] == machine.cluster[cpu] or clock.rows[0] + 1 >= VISITED:
            return
        clock.rows[0] += 1
        row = clock.rows[0]
        clock.visits[line] = row
        note_visit(machine, clock, row, UNOWNED, owner, start)
    note_visit(machine, clock, row, owner, cpu, had)


@inlined
def write_line(machine, clock, line, cpu, t):
    """A read-modify-write: when the CPU owns the line."""
    visits = machine.parameters[m.P_VISITS] > 0.0
    had = -1.0
    if visits and clock.visits[line] > 0:
        had = join(machine, clock, clock.visits[line], cpu, t, clock.free[line])
    start = max(t, clock.free[line])
    owner = clock.owner[line]
    cost = transfer(machine, owner, cpu, start - t)
    if line < clock.sharers.shape[0]:
        shared = False
        for word in range(clock.sharers.shape[1]):
            bits = clock.sharers[line, word]
            if bits != 0:
                if word == machine.word[cpu] and bits == machine.bit[cpu]:
                    continue
                shared = True
                clock.sharers[line, word] = 0
        if shared and owner == cpu:
            cost = machine.latency[2]  # the copies have to be invalidated
        clock.sharers[line, machine.word[cpu]] = machine.bit[cpu]
    if had > 0.0:
        clock.free[line] += machine.latency[1]
        return had
    if visits and owner >= 0:
        note_wait(machine, clock, line, owner, cpu, start, t, start + cost)
    clock.owner[line] = cpu
    clock.free[line] = start + cost
    return start + cost


@inlined
def store_behind(machine, clock, line, busy, owned, t):
    """A store to a line behind a read-modify-write that came at ``t`` and had it from ``busy`` to ``owned``.

    If a request comes between the two, the line moves once more.  The store buffer waits for that, the CPU
    does not.  As many are taken to wait behind this request as it found before it: so it is on average.  The
    line gets the expected time, so nothing is drawn.
    """
    par = machine.parameters
    if owned < busy:  # it joined a visit; who waits elsewhere does not come between
        return
    cost = owned - busy
    late = par[m.P_LATE_STORE] * min(busy - t, par[m.P_GROWTH_LIMIT] * cost)
    clock.free[line] = owned + min(late, cost)


@inlined
def read_line(machine, clock, line, cpu, t):
    """A read: free while the line was not written since this CPU read it last."""
    word = machine.word[cpu]
    bit = machine.bit[cpu]
    if clock.sharers[line, word] & bit:
        return t
    start = max(t, clock.free[line])
    owner = clock.owner[line]
    cost = transfer(machine, owner, cpu, start - t)
    clock.sharers[line, word] |= bit
    if machine.parameters[m.P_VISITS] > 0.0 and clock.visits[line] > 0:
        had = join(machine, clock, clock.visits[line], cpu, t, clock.free[line])
        if had > 0.0:
            clock.free[line] += machine.latency[1] * machine.parameters[m.P_READ_HOLD]
            return had
    if owner >= 0 and owner != cpu:
        clock.free[line] = start + cost * machine.parameters[m.P_READ_HOLD]
    return start + cost


@inlined
def serve(machine, free, owner, node, cpu, t, hold, server, rec=None):
    """Pass through a lock-protected section of known length; returns when it is over."""
    start = max(t, free[node])
    last = owner[node]
    cost = transfer(machine, last, cpu, start - t)
    owner[node] = cpu
    free[node] = start + cost + hold
    r.served(rec, server, t, start, cost, start + cost + hold)
    return start + cost + hold


@inlined
def alloc_page(machine, clock, cpu, t, rec=None):
    """A page from the per-CPU list; an empty list is refilled under the zone lock."""
    if clock.pcp[cpu] > 0:
        clock.pcp[cpu] -= 1
        return t
    par = machine.parameters
    clock.pcp[cpu] = int(par[m.P_PCP_BATCH]) - 1
    node = machine.node[cpu]
    hold = par[m.P_ZONE_NS]
    return serve(machine, clock.zone_free, clock.zone_owner, node, cpu, t, hold, r.ZONE, rec)


@inlined
def lru_add(machine, clock, cpu, t, rec=None):
    """A page to the per-CPU LRU batch; a full batch is drained under the LRU lock."""
    par = machine.parameters
    clock.lru_count[cpu] += 1
    if clock.lru_count[cpu] < par[m.P_LRU_BATCH]:
        return t
    clock.lru_count[cpu] = 0
    node = machine.node[cpu]
    return serve(machine, clock.lru_free, clock.lru_owner, node, cpu, t, par[m.P_LRU_NS], r.LRU, rec)


@inlined
def charge(machine, clock, cpu, t, rec=None):
    """Charge a page, count it: every so often an atomic on a counter that all CPUs share."""
    clock.stock[cpu] -= 1.0
    while clock.stock[cpu] < 0.0:
        clock.stock[cpu] += machine.parameters[m.P_MEMCG_PAGES]
        visits = machine.parameters[m.P_VISITS] > 0.0
        if visits:
            had = join(machine, clock, 1, cpu, t, clock.charge[0])
            if had > 0.0:
                clock.charge[0] += machine.latency[1]
                r.served(rec, r.MEMCG, t, had - machine.latency[1], machine.latency[1], had)
                t = had
                continue
        start = max(t, clock.charge[0])
        cost = transfer(machine, int(clock.charge[1]), cpu, start - t)
        r.served(rec, r.MEMCG, t, start, cost, start + cost)
        t = start + cost
        if visits:
            note_visit(machine, clock, 1, int(clock.charge[1]), cpu, t)
        clock.charge[0] = t
        clock.charge[1] = cpu
    return t


@inlined
def server_due(machine, clock, kind, cpu, t, ahead):
    """Will work of this kind pass through a server now, so that it has to keep its turn?

    ``ahead`` is how far the thread's clock ``t`` is before that of another.
    """
    if kind == m.ALLOC:
        return clock.pcp[cpu] <= 0
    if kind == m.LRU:
        return clock.lru_count[cpu] + 1 >= machine.parameters[m.P_LRU_BATCH]
    if kind == m.CHARGE:
        return clock.stock[cpu] < 1.0
    if kind == m.FILL:
        # While the channel lags little, a page that comes too early delays nobody who comes later.
        per_page = machine.parameters[m.P_PAGE_NS]
        spare = (MEMORY_BACKLOG - SHORT_BACKLOG - 1.0) * per_page
        return ahead > spare or clock.memory_free[machine.node[cpu]] > t - spare - per_page
    return False


@inlined
def free_pages(machine, clock, cpu, t, pages, rec=None):
    """Anonymous pages leave the LRU and return to the zone, batch by batch."""
    par = machine.parameters
    node = machine.node[cpu]
    batch = par[m.P_PCP_BATCH]
    left = float(pages)
    while left > 0.0:
        part = min(left, batch)
        hold = par[m.P_FREE_NS] * part
        t = serve(machine, clock.lru_free, clock.lru_owner, node, cpu, t, hold, r.LRU, rec)
        clock.pcp[cpu] += int(part)
        left -= part
    while clock.pcp[cpu] > 6 * batch:
        clock.pcp[cpu] -= int(batch)
        hold = par[m.P_ZONE_NS]
        t = serve(machine, clock.zone_free, clock.zone_owner, node, cpu, t, hold, r.ZONE, rec)
    return t


@inlined
def fill_page(machine, clock, cpu, t, rec=None):
    """A page's traffic through its node's memory channel: delays only when it is saturated."""
    node = machine.node[cpu]
    per_page = machine.parameters[m.P_PAGE_NS]
    start = max(t - MEMORY_BACKLOG * per_page, clock.memory_free[node])
    clock.memory_free[node] = start + per_page
    r.served(rec, r.MEMORY, t, max(t, start), 0.0, max(t, start + per_page))
    return max(t, start + per_page)


@inlined
def interrupt_others(machine, clock, running, asleep, out, targeted, me, t):
    """A TLB flush: the sender pays per running CPU, and each of them loses the handler's time.

    Who is ``asleep`` until later does not run.  ``targeted``: only those in ``out`` are interrupted.
    """
    par = machine.parameters
    targets = 0
    for thread in range(running.shape[0]):
        there = thread != me and running[thread] and asleep[thread] <= t
        if there and (not targeted or out[OUT_TARGET0 + thread] != 0):
            targets += 1
            clock.stolen[thread] += par[m.P_IPI_HANDLE]
    if targets == 0:
        return t
    return t + par[m.P_IPI_HANDLE] + par[m.P_IPI_CPU] * targets


@inlined
def jitter(machine, tid, rng):
    """A factor, evenly spread around 1."""
    return 1.0 + machine.parameters[m.P_JITTER] * (2.0 * uniform(rng, tid) - 1.0)


@inlined
def local_time(machine, clock, kind, ns, cpu, t, entries, anonymous, tid, rng, rec=None):
    """When work of a cost class is done that begins at ``t``; IPIs and sleeps are the engine's."""
    if kind == m.JITTERED:
        return r.spent(rec, r.WORK, t, t + ns * jitter(machine, tid, rng))
    if kind == m.FILL:
        t = r.spent(rec, r.WORK, t, t + ns * jitter(machine, tid, rng))
        return fill_page(machine, clock, cpu, t, rec)
    if kind == m.ALLOC:
        return alloc_page(machine, clock, cpu, r.spent(rec, r.WORK, t, t + ns), rec)
    if kind == m.LRU:
        return lru_add(machine, clock, cpu, r.spent(rec, r.WORK, t, t + ns), rec)
    if kind == m.CHARGE:
        return charge(machine, clock, cpu, r.spent(rec, r.WORK, t, t + ns), rec)
    if kind == m.PER_ENTRY:
        return r.spent(rec, r.WORK, t, t + ns * entries)
    if kind == m.ZAP:
        t = r.spent(rec, r.WORK, t, t + ns * entries)
        return free_pages(machine, clock, cpu, t, anonymous, rec) if anonymous > 0 else t
    return r.spent(rec, r.WORK, t, t + ns)
