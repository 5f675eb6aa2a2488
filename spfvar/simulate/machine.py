"""The hardware of a run as arrays: what the compiled clock reads.

All times are nanoseconds.  A cost class of the profile becomes a row of `Costs`; its kind says how the
time is found.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, NamedTuple

import numpy as np
import numpy.typing as npt

from spfvar.automata.automaton import Automaton
from spfvar.automata.extract import StrategyError
from spfvar.errors import unknown
from spfvar.scenario.hardware import Profile

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

CPUS_PER_WORD: Final = 62  # of a set of CPUs

# --- kinds of cost ---------------------------------------------------------------------------------
PLAIN: Final = 0  # ns of core-local work
FILL: Final = 1  # plain, with jitter, and a page of memory traffic
ALLOC: Final = 2  # plain, and every pcp_batch-th page a refill under the zone lock
LRU: Final = 3  # plain, and every lru_batch-th page a drain under the LRU lock
CHARGE: Final = 4  # plain, and every memcg_pages pages an atomic on a shared counter
ZAP: Final = 5  # per entry; anonymous pages also go back through the LRU and zone locks
PER_ENTRY: Final = 6  # per page-table entry changed
IPI: Final = 7  # per CPU that runs the mm, and steals time from each
SLEEP: Final = 8  # off the CPU
JITTERED: Final = 9  # plain, with jitter
USER: Final = 10  # the program's own work, whose time the scenario gives

_KINDS: Final = {
    "zero_page": FILL,
    "copy_page": FILL,
    "alloc_page": ALLOC,
    "lru_add": LRU,
    "memcg_charge": CHARGE,
    "zap_pte": ZAP,
    "change_pte": PER_ENTRY,
    "tlb_flush_ipi": IPI,
    "io": SLEEP,
    "exception": JITTERED,
}

# --- positions in the table of scalars -------------------------------------------------------------
P_GROWTH: Final = 0
P_GROWTH_LIMIT: Final = 1
P_PCP_BATCH: Final = 2
P_ZONE_NS: Final = 3  # zone lock held per refill or drain
P_LRU_BATCH: Final = 4
P_LRU_NS: Final = 5
P_MEMCG_PAGES: Final = 6  # pages per atomic on a shared memcg counter
P_PAGE_NS: Final = 7  # memory bandwidth of a node: ns per page filled
P_IPI_CPU: Final = 8
P_IPI_HANDLE: Final = 9
P_WAKE: Final = 10  # waker's time per sleeper
P_WAKEUP: Final = 11  # until a sleeper runs
P_SPIN: Final = 12  # how long a writer spins before it sleeps
P_HANDOFF: Final = 13  # until a spinning waiter has the lock
P_JITTER: Final = 14
P_FREE_NS: Final = 15  # LRU lock per freed page
P_GRACE: Final = 16  # how often the grace-period kthread looks
P_SLICE: Final = 17
P_SWITCH: Final = 18
P_SPREAD: Final = 19  # sleep times are drawn from 1 - spread .. 1 + spread
P_READ_HOLD: Final = 20  # share of a transfer for which a read keeps the line busy
P_LOCALITY: Final = 21
P_LATE_STORE: Final = 22  # a waiting request's chance to come before a store behind an atomic
P_VISITS: Final = 23  # 1: a line serves who waits in a cluster before it leaves that
PARAMETERS: Final = 24


class Machine(NamedTuple):
    """A profile with threads placed on it.  Arrays over CPUs, except ``latency`` (by distance)."""

    distance: Any  # (cpus, cpus) int8: 0 the same core, 1 a cluster, 2 a socket, 3 remote
    latency: Any  # (4,)
    near: Any  # (cpus, limit + 1): expected latency to the nearest of so many waiters
    speed: Any  # factor on core-local work
    node: Any  # socket number
    cluster: Any  # cluster number
    cpu_of: Any  # by thread: its CPU at the start
    parameters: Any  # P_*
    word: Any  # a CPU's word in a set of CPUs
    bit: Any  # and its bit there


class Costs(NamedTuple):
    """Cost classes by number: kind, time."""

    kind: Any
    ns: Any


def cost_table(names: tuple[str, ...], profile: Profile, given: dict[str, float]) -> Costs:
    """Times of the cost classes that a program uses.

    ``given`` are classes that the scenario defines (its I/O latency, its computing times).  Raises
    InputError for a class that neither knows.
    """
    kinds = np.zeros(len(names), dtype=np.int64)
    ns = np.zeros(len(names), dtype=np.float64)
    known = {**profile.cost_ns, **given}
    for i, name in enumerate(names):
        if name not in known:
            raise unknown("cost class", name, sorted(known))
        kinds[i] = USER if name.startswith("compute:") else _KINDS.get(name, PLAIN)
        ns[i] = known[name]
    return Costs(kinds, ns)


def check_costs(
    automaton: Automaton, profile: Profile, given: dict[str, float], own: Mapping[str, float] = {}
) -> None:
    """Raise StrategyError, with the text's line, for a cost class that `cost_table` would not know.

    ``own``: a variant's own classes; none of them may be the profile's or the load's.
    """
    for name in own:
        if name in profile.cost_ns or name in given:
            owner = "the machine" if name in profile.cost_ns else "the load"
            raise StrategyError(f"Variant.costs.{name}: {owner} has that cost class; expected another name")
    given = {**own, **given}
    for op in automaton.ops():
        if op.cost not in profile.cost_ns and op.cost not in given:
            error = unknown("cost class", op.cost, sorted({*profile.cost_ns, *given}))
            raise StrategyError(f"{op.where}: {op.function}: {op.name}: {error}")


def build_machine(profile: Profile, threads: int) -> Machine:
    """Place ``threads`` threads on the profile's CPUs; more threads than CPUs share them."""
    cpus = profile.cpus
    core, cluster, node = (np.array(x, dtype=np.int64) for x in profile.topology())
    distance = np.full((cpus, cpus), 3, dtype=np.int8)
    distance[node[:, None] == node[None, :]] = 2
    distance[cluster[:, None] == cluster[None, :]] = 1
    distance[core[:, None] == core[None, :]] = 0
    order = profile.placement(threads)
    cpu_of = np.array([order[i % cpus] for i in range(threads)], dtype=np.int64)
    latency = np.array(
        [profile.latency_ns.core, profile.latency_ns.cluster, profile.latency_ns.socket,
         profile.latency_ns.remote]
    )  # fmt: skip
    return Machine(
        distance,
        latency,
        _nearest(distance, latency, cpu_of, profile.queue.limit, profile.clusters_per_socket > 1),
        _speed(profile, core, node, cpu_of),
        node,
        cluster,
        cpu_of,
        _parameters(profile),
        np.arange(cpus) // CPUS_PER_WORD,
        1 << np.arange(cpus) % CPUS_PER_WORD,
    )  # fmt: skip


def _nearest(
    distance: npt.NDArray[np.int8], latency: Floats, cpu_of: Ints, limit: int, visits: bool
) -> Floats:
    """Expected latency from a CPU to the nearest of q waiters, who are any of the run's other CPUs.

    With ``visits`` those of its own cluster do not wait: they had their turn.  With a share f of the others
    within a distance, the nearest of q is within it with 1 - (1 - f)**q.
    """
    users = np.unique(cpu_of)
    waiters = np.arange(limit + 1)
    near = np.zeros((len(distance), limit + 1))
    for cpu in users:
        there = np.array([np.count_nonzero(distance[cpu, users] <= d) for d in range(4)])
        there = np.maximum(0, there - (there[1] if visits else 1))
        within = there / max(1, there[3])
        reached = 1.0 - (1.0 - np.minimum(within, 1.0)[:, None]) ** waiters
        near[cpu] = latency[3] + (np.diff(latency)[:, None] * -reached[:3]).sum(axis=0)
    return near


def _speed(profile: Profile, core: Ints, node: Ints, cpu_of: Ints) -> Floats:
    """Slow-down of each CPU: frequency by active cores of its socket, and a busy SMT sibling."""
    busy = np.unique(cpu_of)
    threads = np.bincount(core[busy], minlength=int(core.max()) + 1)  # of each core
    cores = [len(np.unique(core[busy[node[busy] == n]])) for n in range(int(node.max()) + 1)]
    slowdown = np.array([profile.turbo.slowdown(max(1, active)) for active in cores])
    return np.asarray(slowdown[node] * np.where(threads[core] > 1, profile.smt_slowdown, 1.0))


def _parameters(profile: Profile) -> Floats:
    kernel = profile.kernel
    table = np.zeros(PARAMETERS)
    table[P_GROWTH] = profile.queue.growth
    table[P_GROWTH_LIMIT] = profile.queue.limit
    table[P_PCP_BATCH] = kernel.pcp_batch
    table[P_ZONE_NS] = kernel.zone_lock_page_ns * kernel.pcp_batch
    table[P_LRU_BATCH] = kernel.lru_batch
    table[P_LRU_NS] = kernel.lru_lock_page_ns * kernel.lru_batch
    table[P_FREE_NS] = kernel.lru_lock_page_ns
    table[P_MEMCG_PAGES] = kernel.memcg_pages
    table[P_PAGE_NS] = 4096.0 / profile.memory_gb_per_s
    table[P_IPI_CPU] = profile.ipi.per_cpu_ns
    table[P_IPI_HANDLE] = profile.ipi.handler_ns
    table[P_WAKE] = kernel.wake_ns
    table[P_WAKEUP] = kernel.wakeup_ns
    table[P_SPIN] = kernel.writer_spin_ns
    table[P_HANDOFF] = kernel.spin_handoff_ns
    table[P_JITTER] = profile.jitter
    table[P_GRACE] = kernel.rcu_poll_ns
    table[P_SLICE] = kernel.time_slice_ns
    table[P_SWITCH] = kernel.context_switch_ns
    table[P_SPREAD] = profile.io_spread
    table[P_READ_HOLD] = profile.queue.read_hold
    table[P_LOCALITY] = profile.queue.locality
    table[P_LATE_STORE] = profile.queue.late_store
    table[P_VISITS] = float(profile.clusters_per_socket > 1)
    return table
