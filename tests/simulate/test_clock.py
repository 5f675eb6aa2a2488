"""The clock: cache lines queue their writers, copies are read for nothing, locks serve in turn."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from spfvar.matrix.catalogue import hardware
from spfvar.ops import codes as c
from spfvar.simulate import clock as k
from spfvar.simulate import machine as m
from tests.kernels import kernel

alloc_page = kernel(k.alloc_page)
charge = kernel(k.charge)
fill_page = kernel(k.fill_page)
free_pages = kernel(k.free_pages)
interrupt_others = kernel(k.interrupt_others)
lru_add = kernel(k.lru_add)
read_line = kernel(k.read_line)
store_behind = kernel(k.store_behind)
transfer = kernel(k.transfer)
write_line = kernel(k.write_line)

LINE, OTHER = 0, 1  # two lines that are also read; line 2 is only ever written
WRITTEN = 2


@pytest.fixture
def machine() -> m.Machine:
    """Four CPUs, two per socket, without the growth of a queue: latencies 5, 10, 20, 40 ns."""
    built = m.build_machine(hardware()["phone-8c"], 2)
    parameters = np.zeros(m.PARAMETERS)
    parameters[m.P_READ_HOLD] = 0.5
    parameters[[m.P_PCP_BATCH, m.P_LRU_BATCH]] = 4, 3
    parameters[[m.P_ZONE_NS, m.P_LRU_NS, m.P_FREE_NS, m.P_PAGE_NS]] = 100, 60, 10, 50
    parameters[[m.P_IPI_CPU, m.P_IPI_HANDLE]] = 7, 30
    node = np.array([0, 0, 1, 1])
    distance = np.where(node[:, None] == node[None, :], 2, 3).astype(np.int8)
    np.fill_diagonal(distance, 0)
    return built._replace(
        distance=distance, latency=np.array([5.0, 10.0, 20.0, 40.0]), near=np.full((4, 1), 1e9),
        speed=np.ones(4), node=node, cpu_of=np.arange(4), parameters=parameters,
    )  # fmt: skip


@pytest.fixture
def clock(machine: m.Machine) -> Any:
    """A clock with three lines, empty batches."""
    new = k.new_clock(
        machine._replace(parameters=np.maximum(machine.parameters, 1.0)), 3, 2, 4, np.random.default_rng(0)
    )
    new.pcp[:] = 0
    new.lru_count[:] = 0
    return new


def test_the_first_toucher_fetches_a_line_from_nobody(machine: m.Machine, clock: Any) -> None:
    """The nearest latency, 5 ns; after that its owner writes for nothing."""
    assert write_line(machine, clock, WRITTEN, 0, 100.0) == 105.0
    assert write_line(machine, clock, WRITTEN, 0, 200.0) == 200.0


@pytest.mark.parametrize(("cpu", "latency"), [(1, 20.0), (2, 40.0)])
def test_a_line_moves_with_the_latency_of_the_distance(
    machine: m.Machine, clock: Any, cpu: int, latency: float
) -> None:
    """Within the socket 20 ns, across 40 ns."""
    write_line(machine, clock, WRITTEN, 0, 0.0)
    assert write_line(machine, clock, WRITTEN, cpu, 100.0) == 100.0 + latency


def test_a_second_writer_waits_until_the_first_has_the_line(machine: m.Machine, clock: Any) -> None:
    """Both ask at 100: the first has it at 120, the second at 120 + 40, the third (asks at 130) at 200."""
    write_line(machine, clock, WRITTEN, 0, 0.0)
    assert write_line(machine, clock, WRITTEN, 1, 100.0) == 120.0
    assert write_line(machine, clock, WRITTEN, 2, 100.0) == 160.0
    assert write_line(machine, clock, WRITTEN, 1, 130.0) == 200.0


def test_a_queue_slows_the_line_up_to_a_limit(machine: m.Machine, clock: Any) -> None:
    """growth 0.5, limit 2: who waited one transfer pays 1.5 of it; who waited ever so long, 2."""
    machine.parameters[[m.P_GROWTH, m.P_GROWTH_LIMIT]] = 0.5, 2.0
    slow = machine._replace(near=np.full((4, 3), 1e9))
    for waited, cost in ((20.0, 30.0), (1000.0, 40.0)):
        assert transfer(slow, 0, 1, waited) == cost
    assert transfer(slow, 0, 1, 0.0) == 20.0


def write_and_store(machine: m.Machine, clock: Any, cpu: int, t: float) -> float:
    """What the engine does for a rwsem that is had: when the CPU owns the line."""
    busy = float(clock.free[WRITTEN])
    owned = float(write_line(machine, clock, WRITTEN, cpu, t))
    if busy > t:
        store_behind(machine, clock, WRITTEN, busy, owned, t)
    return owned


def test_a_store_behind_an_atomic_keeps_the_line_busy_but_not_its_cpu(machine: m.Machine, clock: Any) -> None:
    """late_store = 1/4, limit 2: who waited w finds w / 20 waiting, each takes the line away once in four.

    Nobody waits at 100: the line is free at 120.  Who asks at 110 waits 10, has it at 140, and keeps it for
    another 1/4 * 10/20 * 20 = 2.5.  Who asks at 0 and waits long is behind 2, so the line gets 2/4 * 20 more.
    """
    machine.parameters[[m.P_LATE_STORE, m.P_GROWTH_LIMIT]] = 0.25, 2.0
    busy = machine._replace(near=np.full((4, 3), 1e9))
    write_line(busy, clock, WRITTEN, 0, 0.0)
    assert write_and_store(busy, clock, 1, 100.0) == 120.0
    assert clock.free[WRITTEN] == 120.0
    assert write_and_store(busy, clock, 0, 110.0) == 140.0
    assert clock.free[WRITTEN] == 142.5
    assert write_and_store(busy, clock, 1, 0.0) == 162.5
    assert clock.free[WRITTEN] == 172.5


def test_a_store_moves_the_line_at_most_once(machine: m.Machine, clock: Any) -> None:
    """late_store = 1: however many wait, one transfer of 20 ns is added."""
    machine.parameters[[m.P_LATE_STORE, m.P_GROWTH_LIMIT]] = 1.0, 20.0
    busy = machine._replace(near=np.full((4, 21), 1e9))
    write_line(busy, clock, WRITTEN, 0, 1000.0)
    assert write_and_store(busy, clock, 1, 0.0) == 1025.0
    assert clock.free[WRITTEN] == 1045.0


def test_a_line_that_was_read_once_is_read_for_nothing_until_it_is_written(
    machine: m.Machine, clock: Any
) -> None:
    """A copy is fetched once per CPU and write."""
    write_line(machine, clock, LINE, 0, 0.0)
    assert read_line(machine, clock, LINE, 1, 100.0) == 120.0
    assert read_line(machine, clock, LINE, 1, 500.0) == 500.0
    assert read_line(machine, clock, LINE, 2, 500.0) == 540.0
    write_line(machine, clock, LINE, 0, 1000.0)
    assert read_line(machine, clock, LINE, 1, 2000.0) == 2020.0


def test_writing_a_shared_line_invalidates_the_copies(machine: m.Machine, clock: Any) -> None:
    """Even the owner pays the socket's latency while others have copies, and nothing once they are gone."""
    write_line(machine, clock, LINE, 0, 0.0)
    read_line(machine, clock, LINE, 1, 100.0)
    assert write_line(machine, clock, LINE, 0, 1000.0) == 1020.0
    assert write_line(machine, clock, LINE, 0, 2000.0) == 2000.0


def test_a_read_holds_the_line_for_its_share_of_the_transfer(machine: m.Machine, clock: Any) -> None:
    """read_hold = 1/2: a read at 100 has the line busy until 110 for the next, not until 120."""
    write_line(machine, clock, LINE, 0, 0.0)
    assert read_line(machine, clock, LINE, 1, 100.0) == 120.0
    assert read_line(machine, clock, LINE, 2, 100.0) == 150.0


def test_lines_do_not_disturb_each_other(machine: m.Machine, clock: Any) -> None:
    """A queue on one line is none on another."""
    for cpu in (0, 1, 2, 3):
        write_line(machine, clock, WRITTEN, cpu, 0.0)
    assert write_line(machine, clock, OTHER, 3, 0.0) == 5.0


def test_a_page_comes_from_the_cpus_list_until_that_is_empty(machine: m.Machine, clock: Any) -> None:
    """Batch of 4: one refill under the zone lock (5 ns to get the line + 100 ns), then three for nothing."""
    assert [alloc_page(machine, clock, 0, 0.0) for _ in range(4)] == [105.0, 0.0, 0.0, 0.0]
    assert alloc_page(machine, clock, 0, 1000.0) == 1100.0


def test_refills_of_one_socket_queue_and_sockets_have_zones_of_their_own(
    machine: m.Machine, clock: Any
) -> None:
    """CPUs 0 and 1 share a zone lock: 105, then 105 + 20 + 100.  CPU 2's is another."""
    assert alloc_page(machine, clock, 0, 0.0) == 105.0
    assert alloc_page(machine, clock, 1, 0.0) == 225.0
    assert alloc_page(machine, clock, 2, 0.0) == 105.0


def test_every_third_page_drains_the_lru_batch(machine: m.Machine, clock: Any) -> None:
    """Batch of 3: two pages for nothing, the third takes the LRU lock for 60 ns."""
    assert [lru_add(machine, clock, 0, 0.0) for _ in range(3)] == [0.0, 0.0, 65.0]


def test_memory_traffic_delays_only_when_the_channel_is_saturated(machine: m.Machine, clock: Any) -> None:
    """50 ns a page and slack for 20: the 21st page at once still fits, the 23rd is two pages late."""
    times = [fill_page(machine, clock, 0, 2000.0) for _ in range(23)]
    # Page i is over at 2000 - 20 * 50 + 50 * i, never before it was asked for.
    assert times == [max(2000.0, 1000.0 + 50.0 * i) for i in range(1, 24)]


def test_a_flush_costs_the_sender_per_cpu_and_steals_from_each(machine: m.Machine, clock: Any) -> None:
    """Two others run: 30 + 2 * 7 for the sender, 30 stolen from each of them, nothing from who sleeps."""
    running, awake = np.array([True, True, False, True]), np.zeros(4)
    out = np.zeros(c.OUT_TARGET0 + 4, dtype=np.int32)
    assert interrupt_others(machine, clock, running, awake, out, False, 0, 100.0) == 144.0
    assert list(clock.stolen) == [0.0, 30.0, 0.0, 30.0]
    alone = np.array([True, False, False, False])
    assert interrupt_others(machine, clock, alone, awake, out, False, 0, 100.0) == 100.0


def test_a_targeted_flush_interrupts_its_targets_only(machine: m.Machine, clock: Any) -> None:
    """Threads 1 and 2 are targets, 2 sleeps: 30 + 7 for the sender, 30 stolen from 1; without targets, nothing."""
    running, awake = np.array([True, True, False, True]), np.zeros(4)
    out = np.array([0] * c.OUT_TARGET0 + [0, 1, 1, 0], dtype=np.int32)
    assert interrupt_others(machine, clock, running, awake, out, True, 0, 100.0) == 137.0
    assert list(clock.stolen) == [0.0, 30.0, 0.0, 0.0]
    assert interrupt_others(machine, clock, running, awake, out * 0, True, 0, 100.0) == 100.0


def test_who_sleeps_for_storage_is_interrupted_once_it_is_back(machine: m.Machine, clock: Any) -> None:
    """Thread 1 sleeps until 150: a flush at 100 finds nobody, one at 150 costs 30 + 7 and steals 30."""
    running, asleep = np.array([True, True]), np.array([0.0, 150.0])
    out = np.zeros(c.OUT_TARGET0 + 2, dtype=np.int32)
    assert interrupt_others(machine, clock, running, asleep, out, False, 0, 100.0) == 100.0
    assert interrupt_others(machine, clock, running, asleep, out, False, 0, 150.0) == 187.0
    assert list(clock.stolen[:2]) == [0.0, 30.0]


def test_freed_pages_go_back_through_the_lru_lock_and_refill_the_list(machine: m.Machine, clock: Any) -> None:
    """6 pages in batches of 4: 5 + 4 * 10, then 2 * 10 (the line stayed); the list holds 6."""
    assert free_pages(machine, clock, 0, 0.0, 6) == 65.0
    assert clock.pcp[0] == 6


def test_a_list_that_overflows_is_drained_to_the_zone(machine: m.Machine, clock: Any) -> None:
    """More than 6 batches of 4 pages: the list drops to 24, under the zone lock."""
    clock.pcp[0] = 24
    free_pages(machine, clock, 0, 0.0, 4)
    assert clock.pcp[0] == 24


@pytest.fixture
def clusters() -> m.Machine:
    """Two clusters of four CPUs in a socket: 40 ns within one, 80 ns to the other; nothing slows a queue."""
    built = m.build_machine(hardware()["phone-8c"], 8)
    parameters = np.zeros(m.PARAMETERS)
    parameters[m.P_VISITS] = built.parameters[m.P_VISITS]
    parameters[[m.P_READ_HOLD, m.P_MEMCG_PAGES, m.P_PCP_BATCH, m.P_LRU_BATCH]] = 0.5, 1.0, 63, 15
    return built._replace(parameters=parameters)


def lines(machine: m.Machine) -> Any:
    """A clock with three lines, the first two of which are also read."""
    return k.new_clock(machine, 3, 2, 8, np.random.default_rng(0))


def test_a_line_serves_who_waits_in_a_cluster_before_it_leaves(clusters: m.Machine) -> None:
    """CPU 4 of the other cluster has it at 100 + 80, so CPU 1, who asks meanwhile, at 260.

    CPU 5 asks at 120, behind CPU 1, but the line comes to its cluster before: 180 + 40, and it is busy for 40 more.
    CPU 2 asks before the line comes to its cluster, which is now at 260 + 40, and nobody waits behind: 300 + 40.  Who
    asks in the other cluster once the line was there (at 180) waits for it to come back: 340 + 80.
    """
    clock = lines(clusters)
    write_line(clusters, clock, WRITTEN, 0, 0.0)
    assert write_line(clusters, clock, WRITTEN, 4, 100.0) == 180.0
    assert write_line(clusters, clock, WRITTEN, 1, 110.0) == 260.0
    assert write_line(clusters, clock, WRITTEN, 5, 120.0) == 220.0
    assert clock.free[WRITTEN] == 300.0
    assert write_line(clusters, clock, WRITTEN, 2, 130.0) == 340.0
    assert write_line(clusters, clock, WRITTEN, 6, 190.0) == 420.0


def test_without_clusters_within_a_socket_a_line_is_served_in_turn() -> None:
    """Skylake's socket is one cluster: CPU 30 of the other socket waits for CPU 1, who asked before."""
    machine = m.build_machine(hardware()["skylake-2s56c"], 56)
    assert machine.parameters[m.P_VISITS] == 0.0
    clock = k.new_clock(machine, 3, 2, 56, np.random.default_rng(0))
    times = [
        write_line(machine, clock, WRITTEN, cpu, t)
        for cpu, t in ((0, 0.0), (28, 100.0), (1, 110.0), (30, 120.0))
    ]
    assert times == sorted(times)
    assert not clock.visits.any()


def test_a_reader_and_the_counter_of_pages_join_a_visit_too(clusters: m.Machine) -> None:
    """The same times as of the writers; a read has the line busy for half its transfer of 40 ns."""
    clock = lines(clusters)
    write_line(clusters, clock, LINE, 0, 0.0)
    for cpu, t in ((4, 100.0), (1, 110.0)):
        write_line(clusters, clock, LINE, cpu, t)
    assert read_line(clusters, clock, LINE, 5, 120.0) == 220.0
    assert clock.free[LINE] == 280.0
    clock.stock[:] = 0.0
    assert charge(clusters, clock, 0, 0.0) == 15.0
    assert [charge(clusters, clock, cpu, t) for cpu, t in ((4, 100.0), (1, 110.0), (5, 120.0))] == [
        180.0,
        260.0,
        220.0,
    ]


def test_a_store_behind_one_who_joined_leaves_the_line_as_it_is(clusters: m.Machine) -> None:
    """CPU 5 has the line at 220, before CPU 1 who asked first (260): nobody else's request comes between."""
    clusters.parameters[[m.P_LATE_STORE, m.P_GROWTH_LIMIT]] = 1.0, 20.0
    clusters.near[:] = 1e9
    clock = lines(clusters)
    for cpu, t in ((0, 0.0), (4, 100.0), (1, 110.0)):
        write_line(clusters, clock, WRITTEN, cpu, t)
    busy = float(clock.free[WRITTEN])
    owned = float(write_line(clusters, clock, WRITTEN, 5, 120.0))
    store_behind(clusters, clock, WRITTEN, busy, owned, 120.0)
    assert (owned, clock.free[WRITTEN]) == (220.0, 300.0)


def test_the_rate_of_a_line_grows_with_the_threads_in_a_cluster(clusters: m.Machine) -> None:
    """Threads that ask again 10 ns after they had it: a visit of n costs 80 + (n - 1) * 40 and serves n.

    So 80 ns a request for one thread in each cluster, 50 for four; in turn they would be nearer to each other.
    """

    def each(cpus: list[int]) -> float:
        clock, due = lines(clusters), dict.fromkeys(cpus, 0.0)
        for _ in range(4000):
            cpu = min(due, key=lambda one: (due[one], one))
            due[cpu] = float(write_line(clusters, clock, WRITTEN, cpu, due[cpu])) + 10.0
        return max(due.values()) / 4000

    assert each([0, 4]) == pytest.approx(80.0 + 10.0, rel=0.15)
    assert each(list(range(8))) == pytest.approx(50.0, rel=0.1)
