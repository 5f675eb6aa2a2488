"""The mmap_lock baseline under pft as a SimPy program: a second opinion, and what spfvar's speed is
measured against.

    python benchmarks/simpy_pft.py --threads 8

It models what `spfvar compare mmap-lock --scenario pft` models, from the same hardware profile, in the
way one writes SimPy: a process per thread, a `simpy.Resource` per contended cache line or kernel lock, and
one timeout for all the work between two of them.  What cannot contend in this load (page-table locks, the
VMA's line that nobody writes, mmap_lock without writers) is plain work here, its time included.
"""

from __future__ import annotations

import argparse
import random
import time
from collections.abc import Generator
from dataclasses import dataclass
from typing import Any

import simpy

from spfvar.matrix import catalogue
from spfvar.scenario.hardware import Profile
from spfvar.scenario.load import make_load
from spfvar.simulate import machine as m
from spfvar.simulate.machine import build_machine

Steps = Generator[simpy.Event, Any, None]
PAGES_AHEAD = 20  # how far a node's memory channel may lag before it delays anybody


class Hardware:
    """The profile with threads placed on it, as plain Python numbers."""

    def __init__(self, profile: Profile, threads: int) -> None:
        machine = build_machine(profile, threads)
        self.cost = profile.cost_ns
        self.jitter = profile.jitter
        self.cpu_of: list[int] = machine.cpu_of.tolist()
        self.node: list[int] = machine.node.tolist()
        self.speed: list[float] = machine.speed.tolist()
        self.latency: list[float] = machine.latency.tolist()
        self.distance: list[list[int]] = machine.distance.tolist()
        self.near: list[list[float]] = machine.near.tolist()
        parameters: list[float] = machine.parameters.tolist()
        self.growth, self.limit = parameters[m.P_GROWTH], parameters[m.P_GROWTH_LIMIT]
        self.locality = parameters[m.P_LOCALITY]
        self.late_store = parameters[m.P_LATE_STORE]
        self.pcp_batch, self.zone_ns = int(parameters[m.P_PCP_BATCH]), parameters[m.P_ZONE_NS]
        self.lru_batch, self.lru_ns = int(parameters[m.P_LRU_BATCH]), parameters[m.P_LRU_NS]
        self.memcg_pages = parameters[m.P_MEMCG_PAGES]
        self.page_ns = parameters[m.P_PAGE_NS]

    def transfer(self, owner: int | None, cpu: int, waited: float) -> float:
        """Time to fetch a cache line from its owner; slower for a request that had to queue."""
        if owner == cpu:
            return 0.0
        base = self.latency[0 if owner is None else self.distance[owner][cpu]]
        if waited <= 0.0:
            return base
        queue = min(waited / base, self.limit)
        if owner is not None:
            nearest = self.near[owner][int(queue)]
            if nearest < base:
                base += self.locality * (nearest - base)
        return base * (1.0 + self.growth * queue)


class Line(simpy.Resource):
    """A contended cache line, first come, first served; or the short lock that lives on it."""

    def __init__(self, env: simpy.Environment, hardware: Hardware) -> None:
        super().__init__(env)
        self.env = env
        self.hardware = hardware
        self.owner: int | None = None

    def pass_through(self, cpu: int, hold: float = 0.0) -> Steps:
        """Own the line, and the lock on it for ``hold`` ns."""
        arrived = self.env.now
        with self.request() as turn:
            yield turn
            took = hold + self.hardware.transfer(self.owner, cpu, self.env.now - arrived)
            self.owner = cpu
            if took > 0.0:
                yield self.env.timeout(took)

    def pass_through_and_store(self, cpu: int) -> Steps:
        """Own the line for an atomic; the store behind it may keep the line busy, but not its CPU."""
        arrived = self.env.now
        turn = self.request()
        yield turn
        waited = self.env.now - arrived
        took = self.hardware.transfer(self.owner, cpu, waited)
        self.owner = cpu
        if took > 0.0:
            yield self.env.timeout(took)
        late = min(took, self.hardware.late_store * min(waited, self.hardware.limit * took))
        if late > 0.0:
            self.env.process(self._store(turn, late))
        else:
            self.release(turn)

    def _store(self, turn: Any, late: float) -> Steps:
        yield self.env.timeout(late)
        self.release(turn)


class MemoryChannel:
    """A node's memory bandwidth: a backlog in time, which delays only when it grows long."""

    def __init__(self, env: simpy.Environment, page_ns: float) -> None:
        self.env = env
        self.page_ns = page_ns
        self.busy_until = 0.0

    def fill(self) -> float:
        """Send a page; returns how long its writer is held up."""
        start = max(self.env.now - PAGES_AHEAD * self.page_ns, self.busy_until)
        self.busy_until = start + self.page_ns
        return max(0.0, self.busy_until - self.env.now)


@dataclass
class Meter:
    """Counts faults: first those of the warm-up, then those of the measurement."""

    env: simpy.Environment
    warmup: int
    faults: int
    done: simpy.Event
    count: int = 0
    began: float = 0.0

    def fault(self) -> None:
        """One fault is over."""
        self.count += 1
        if self.count == self.warmup:
            self.began = self.env.now
        elif self.count == self.warmup + self.faults:
            self.done.succeed()


class Process:
    """The faulting process: what its threads share, and the thread's program."""

    def __init__(self, env: simpy.Environment, hardware: Hardware, meter: Meter, window: int) -> None:
        self.env = env
        self.hardware = hardware
        self.meter = meter
        self.window = window
        self.mmap_lock = Line(env, hardware)
        self.pmd_line = Line(env, hardware)
        self.pmd_lock = simpy.Resource(env)
        self.memcg = Line(env, hardware)
        nodes = range(max(hardware.node) + 1)
        self.zone = [Line(env, hardware) for _ in nodes]
        self.lru = [Line(env, hardware) for _ in nodes]
        self.memory = [MemoryChannel(env, hardware.page_ns) for _ in nodes]

    def thread(self, cpu: int, page: int) -> Steps:
        """Write to page after page of a window, then to those of the next one, for ever."""
        env, hw = self.env, self.hardware
        node = hw.node[cpu]
        zone, lru, memory = self.zone[node], self.lru[node], self.memory[node]
        cost = {name: ns * hw.speed[cpu] for name, ns in hw.cost.items()}
        # The work between two places where a thread can meet another.
        enter = 2 * cost["touch"] + cost["count"]
        find = cost["atomic"] + cost["find_vma"] + cost["handle_mm_fault"] + cost["walk"]
        prepare = 2 * cost["local"] + cost["alloc_page"]
        commit = 2 * cost["local"] + cost["atomic"] + cost["anon_rmap"] + cost["lru_add"]
        finish = cost["set_pte"] + cost["unlock"]
        leave = cost["atomic"] + cost["iret"]
        # Batches are part-used at the start, so that the CPUs do not refill in step.
        pages_free = random.randint(0, hw.pcp_batch)
        batch = random.randrange(hw.lru_batch)
        stock = random.random() * hw.memcg_pages
        pending = random.random() * 1000.0
        has_table = False
        while True:
            pending += enter + cost["exception"] * self._jitter()
            yield env.timeout(pending)
            yield from self.mmap_lock.pass_through_and_store(cpu)
            pending = find
            if not has_table:
                yield env.timeout(pending)
                yield from self.link_table(cpu, cost)
                pending = cost["walk"]
                has_table = True
            pending += prepare
            if pages_free == 0:
                yield env.timeout(pending)
                yield from zone.pass_through(cpu, hw.zone_ns)
                pending = 0.0
                pages_free = hw.pcp_batch
            pages_free -= 1
            yield env.timeout(pending + cost["zero_page"] * self._jitter())
            pending = memory.fill() + cost["memcg_charge"]
            stock -= 1.0
            if stock < 0.0:
                yield env.timeout(pending)
                pending = 0.0
                while stock < 0.0:
                    stock += hw.memcg_pages
                    yield from self.memcg.pass_through(cpu)
            pending += commit
            batch += 1
            if batch >= hw.lru_batch:
                batch = 0
                yield env.timeout(pending)
                yield from lru.pass_through(cpu, hw.lru_ns)
                pending = 0.0
            yield env.timeout(pending + finish)
            yield from self.mmap_lock.pass_through(cpu)
            pending = leave
            self.meter.fault()
            page += 1
            if page == self.window:
                page = 0
                has_table = False

    def link_table(self, cpu: int, cost: dict[str, float]) -> Steps:
        """The first fault of a window: allocate its page table and link it under the PMD's lock."""
        yield self.env.timeout(cost["alloc_table"])
        with self.pmd_lock.request() as held:
            yield from self.pmd_line.pass_through(cpu)
            yield held
            yield self.env.timeout(cost["atomic"] + cost["walk"])
            yield from self.mmap_lock.pass_through(cpu)  # the count of page tables is its neighbour
            yield self.env.timeout(cost["atomic"] + cost["local"])
            yield from self.pmd_line.pass_through(cpu)
        yield self.env.timeout(cost["unlock"])

    def _jitter(self) -> float:
        return 1.0 + self.hardware.jitter * (2.0 * random.random() - 1.0)


def simulate(profile: Profile, threads: int, warmup: int, faults: int, window: int, seed: int = 1) -> float:
    """Simulated faults per second of ``threads`` threads."""
    random.seed(seed)
    env = simpy.Environment()
    hardware = Hardware(profile, threads)
    meter = Meter(env, warmup, faults, env.event())
    process = Process(env, hardware, meter, window)
    phase = random.random()
    for i, cpu in enumerate(hardware.cpu_of):
        env.process(process.thread(cpu, int((i + phase) / threads % 1.0 * window)))
    env.run(meter.done)
    return faults / (env.now - meter.began) * 1e9


def main() -> None:
    """Run one thread count and print both speeds."""
    parser = argparse.ArgumentParser(description="The mmap-lock variant under pft, as a SimPy program.")
    parser.add_argument("--threads", type=int, default=8)
    parser.add_argument("--faults", type=int, help="default: the scenario's number")
    parser.add_argument("--hardware", default="skylake-2s56c")
    options = parser.parse_args()
    scenario = catalogue.scenarios()["pft"]
    axes = {name: axis.parse(axis.values[0]) for name, axis in scenario.axes.items()}
    load = make_load("pft", scenario, {**axes, "threads": options.threads})
    faults = options.faults or load.faults
    started = time.perf_counter()
    speed = simulate(
        catalogue.hardware()[options.hardware], options.threads, load.warmup, faults, load.regions[0].pages
    )
    took = time.perf_counter() - started
    print(f"{options.threads} threads: {speed / 1e6:.3f} M faults/s simulated")
    print(f"{(faults + load.warmup) / took:.0f} faults per second of wall time")


if __name__ == "__main__":
    main()
