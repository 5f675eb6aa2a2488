"""Run one cell of the matrix with one seed, and read its meters."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from threading import Lock
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from spfvar.errors import SpfvarError
from spfvar.ops import codes as c
from spfvar.plugins.variant import Variant
from spfvar.scenario.hardware import Profile
from spfvar.scenario.load import Load
from spfvar.simulate import engine as e
from spfvar.simulate import machine as m
from spfvar.simulate import meters as w
from spfvar.simulate.clock import Clock, new_clock
from spfvar.simulate.edges import Edges, Nodes, fold, side_by_side, with_costs
from spfvar.simulate.machine import Costs, Machine, build_machine, cost_table
from spfvar.simulate.random import seeded
from spfvar.simulate.record import Record
from spfvar.simulate.result import Result as Result
from spfvar.simulate.world import World, draw_start


class SimulationError(SpfvarError):
    """A simulated run broke a property or cannot go on; names variant, scenario and primitive."""


def seed_sequence(seed: int, index: int, scenario: str, threads: int) -> np.random.SeedSequence:
    """Seeds are shared by variants, so that ratios pair; they differ by scenario and threads."""
    return np.random.SeedSequence([seed, index, threads, *scenario.encode()])


@dataclass(frozen=True, slots=True)
class Run:
    """A run that can begin: what `engine.run` takes, in its order but for the record, which is last."""

    state: npt.NDArray[np.int32]
    g: npt.NDArray[np.int32]
    out: npt.NDArray[np.int32]
    nodes: Nodes
    machine: Machine
    clock: Clock
    threads: e.Threads
    meters: w.Meters
    window: w.Window
    cached: float
    probability: npt.NDArray[np.float64]
    rng: npt.NDArray[np.int64]

    def arguments(self, record: Record | None = None) -> tuple[Any, ...]:
        """The arguments."""
        return *(getattr(self, name) for name in self.__slots__), record


def simulate(world: World, variant: Variant, profile: Profile, seeds: np.random.SeedSequence) -> Result:
    """Simulate one seed.  Raises SimulationError if the protocol breaks or the run is stuck."""
    run = start(world, profile, seeds)
    status = e.run(*run.arguments())
    return result_of(run, status, world, variant)


def start(world: World, profile: Profile, seeds: np.random.SeedSequence) -> Run:
    """The start of a run, as its seeds draw it."""
    load, program = world.load, world.program
    rng = np.random.Generator(np.random.PCG64(seeds))
    threads = load.threads + 1
    machine, edges = _prepare(world, profile)
    state = draw_start(world, rng)
    clock = new_clock(machine, program.lines, program.read_lines, threads, rng)
    timing = _threads(machine, load.threads, rng)
    meters = w.Meters(
        np.zeros(w.METERS),
        np.zeros(max(1, len(program.events)), dtype=np.int64),
        np.zeros(w.HISTOGRAM, dtype=np.int64),
        np.zeros(w.HISTOGRAM, dtype=np.int64),
        np.zeros(len(load.groups), dtype=np.int64),
    )
    meters.x[w.X_ALIVE] = load.threads
    cached = min((r.cached for r in load.regions if r.has_folios), default=1.0)
    probability = np.zeros(max(1, len(program.probabilities)))
    out = np.zeros(c.OUT_WOKEN0 + threads, dtype=np.int32)
    return Run(
        state, world.layout.g, out, side_by_side(edges), machine, clock, timing, meters, _window(load),
        cached, probability, seeded(seeds, threads),
    )  # fmt: skip


def result_of(run: Run, status: int, world: World, variant: Variant) -> Result:
    """What a run that is over measured.  Raises SimulationError if it broke."""
    if status != e.DONE:
        raise SimulationError(_what_broke(status, world, variant, run.state))
    return _read(run.meters, world, variant)


def what_decides(world: World, variant: Variant) -> str:
    """A digest of all that the results of a world depend on, beside profile and seeds.

    Two cells with the same one give the same results, be they of two variants, or of two loads that differ
    in what none of their texts asks for.
    """
    program, layout = world.program, world.layout
    times = [(name, ns) for name, ns in sorted(world.compute_ns.items()) if name in program.costs]
    words = [
        _what_runs_read(world.load), times, layout.registers, layout.field_offset, program.entry,
        program.events, program.costs, program.probabilities, program.lines, program.read_lines,
        *(sorted(variant.events_with(kind)) for kind in ("attempt", "abort")),
    ]  # fmt: skip
    digest = hashlib.sha256(repr(words).encode())
    for array in (program.table, layout.g):  # the start state follows from these and the load
        digest.update(array.tobytes())
    return digest.hexdigest()


def _what_runs_read(load: Load) -> Load:
    """A load without what is in a program, its start state or its cost classes, if anywhere."""
    groups = tuple(replace(group, compute_ns=(), every_ns=()) for group in load.groups)
    regions = tuple(
        replace(region, mapping=replace(region.mapping, fault_around=1, map_pages=True))
        for region in load.regions
    )
    return replace(load, axes=(), io_ns=0.0, groups=groups, regions=regions)


def _prepare(world: World, profile: Profile) -> tuple[Machine, Edges]:
    """What a profile makes of a world; kept, for every seed asks for it."""
    known = world.prepared.get(id(profile))
    if known is None:
        costs = cost_table(world.program.costs, profile, dict(world.compute_ns))
        known = (profile, (_machine(profile, world.load.threads), _edges(world, costs)))
        world.prepared[id(profile)] = known
    prepared: tuple[Machine, Edges] = known[1]
    return prepared


def _edges(world: World, costs: Costs) -> Edges:
    """The program's edges; those of another profile with these times, where that is the same."""
    for edges, parts in world.folded:
        found = with_costs(edges, world.program, costs, parts)
        if found is not None:
            return found
    parts = []
    edges = fold(world.program, costs, parts=parts)
    world.folded.append((edges, parts))
    return edges


#: Machines made last, by profile (kept, so that its id stays its own) and threads: designs share them.
_MACHINES: Final = 64
_machines: dict[tuple[int, int], tuple[Profile, Machine]] = {}
_machines_lock = Lock()


def _machine(profile: Profile, threads: int) -> Machine:
    """`build_machine`, whose arrays nobody changes."""
    key = id(profile), threads
    with _machines_lock:
        known = _machines.get(key)
    if known is None:
        known = profile, build_machine(profile, threads)
        with _machines_lock:
            while len(_machines) >= _MACHINES:
                del _machines[next(iter(_machines))]
            _machines[key] = known
    return known[1]


def _window(load: Load) -> w.Window:
    """What is measured.

    Who touches the pages of a window that another's call goes over has to have been at each of them once.
    """
    threads = np.array([group.threads for group in load.groups], dtype=np.int64)
    waited_for = np.array([group.group.goes_round for group in load.groups], dtype=np.int64)
    rounds = np.outer([load.warmup_rounds, load.rounds], threads * waited_for)
    reached = {s.target for group in load.groups for s in group.group.program if s.reaches_all}
    for i, group in enumerate(load.groups):
        touched = [load.region(s.touch) for s in group.group.program if s.touch in reached]
        if not group.group.repeat and any(region.windowed for region in touched):
            rounds[0, i] = max(rounds[0, i], group.threads)
    return w.Window(
        np.array([load.warmup, w.UNMEASURED if load.ends else load.faults], dtype=np.int64),
        rounds,
        rounds.any(axis=1),
        threads,
        np.repeat(np.arange(len(load.groups)), threads),
    )


def _threads(machine: Machine, threads: int, rng: np.random.Generator) -> e.Threads:
    cpus = len(machine.node)
    leaves = 1 << threads.bit_length()  # more than there are threads: there is the kthread, too
    start = np.append(rng.random(threads) * 1000.0, machine.parameters[m.P_GRACE])
    cpu = np.append(machine.cpu_of, 0)
    cpu_user = np.full(cpus, -1, dtype=np.int64)
    ready = np.zeros(threads + 3, dtype=np.int64)
    for thread in range(threads):
        if thread < cpus:
            cpu_user[cpu[thread]] = thread
        else:
            cpu[thread] = -2 - cpu[thread]
            ready[2 + thread - cpus] = thread
            ready[1] += 1
            start[thread] = e.INFINITE
    running = np.ones(threads + 1, dtype=np.bool_)
    running[threads] = False
    return e.Threads(
        _tournament(start, leaves), cpu, np.zeros(threads + 1), np.zeros(threads + 1), running,
        np.zeros(threads + 1), np.zeros(threads + 1), ready, cpu_user,
    )  # fmt: skip


def _tournament(start: npt.NDArray[np.float64], leaves: int) -> npt.NDArray[np.float64]:
    """What `engine.set_key` of each thread gives: on each node the earliest of the two below."""
    key = np.full(2 * leaves, e.INFINITE)
    key[leaves : leaves + len(start)] = start
    for level in (leaves >> shift for shift in range(leaves.bit_length() - 1)):
        key[level // 2 : level] = np.minimum(key[level : 2 * level : 2], key[level + 1 : 2 * level : 2])
    return key


def _what_broke(status: int, world: World, variant: Variant, state: npt.NDArray[np.int32]) -> str:
    where = f"{variant.name} in {world.load.scenario}"
    g = world.layout.g
    if status == e.STUCK:
        pcs = [int(state[world.layout.thread_base(t) + c.T_PC]) for t in range(world.load.threads)]
        op = world.program.ops[pcs[0]]
        return f"{where}: every thread waits (thread 0: {op.function}: {op.name}); a deadlock?"
    if status == e.IDLE:
        count = f"{w.IDLE_STEPS // 1_000_000} million primitives of each thread"
        return f"{where}: no page fault in {count}, and the load waits for more of them"
    code, thread, pc = (int(state[g[c.G_VIOLATION] + i]) for i in range(3))
    op = world.program.ops[pc]
    return f"{where}: {c.VIOLATIONS[code]} by thread {thread} in {op.function}: {op.name}"


def _read(meters: w.Meters, world: World, variant: Variant) -> Result:
    x = meters.x
    duration = x[w.X_END] - x[w.X_START]
    faults = x[w.X_FAULTS]
    counts = dict(zip(world.program.events, (int(n) for n in meters.events), strict=False))
    attempts = sum(counts.get(name, 0) for name in variant.events_with("attempt"))
    aborts = sum(counts.get(name, 0) for name in variant.events_with("abort"))
    retries = counts.get("io_retry", 0)
    nan = float("nan")
    metrics = {
        "faults_per_s": faults / duration * 1e9 if duration > 0 else nan,
        "fault_p50": percentile(meters.fault_histogram, 0.50),
        "fault_p99": percentile(meters.fault_histogram, 0.99),
        "fault_p999": percentile(meters.fault_histogram, 0.999),
        "writer_p50": percentile(meters.writer_histogram, 0.50),
        "writer_p99": percentile(meters.writer_histogram, 0.99),
        "lock_wait_share": x[w.X_LOCK_WAIT] / (duration * world.load.threads) if duration > 0 else nan,
        "stalled_share": x[w.X_STALLED] / (duration * world.load.threads) if duration > 0 else nan,
        "worst_stall": x[w.X_WORST_STALL],
        # A fault may have been tried before the measurement began and aborted after.
        "spec_success": min(1.0, max(0.0, 1.0 - aborts / attempts)) if attempts else nan,
        "mmap_lock_share": counts.get("mmap_lock_fault", 0) / faults if faults else nan,
        "lost_retries": min(1.0, counts.get("lost_retry", 0) / retries) if retries else nan,
        "deferred_backlog": x[w.X_BACKLOG],
        "makespan": duration if world.load.ends else nan,
    }
    events = {name: float(1000.0 * n / faults) for name, n in counts.items()} if faults else {}
    metrics = {name: float(value) for name, value in metrics.items()}
    return Result(metrics, events, int(faults), int(x[w.X_STEPS]))


def percentile(histogram: npt.NDArray[np.int64], share: float) -> float:
    """A quantile in nanoseconds, interpolated within its bin; NaN if empty."""
    total = int(histogram.sum())
    if total == 0:
        return float("nan")
    rank = share * total
    cumulative = np.cumsum(histogram)
    index = min(int(np.searchsorted(cumulative, rank)), len(histogram) - 1)
    before = float(cumulative[index] - histogram[index])
    within = (rank - before) / float(histogram[index])
    octave, part = divmod(index, w.BINS)
    return float(2.0**octave * (1.0 + (part + min(max(within, 0.0), 1.0)) / w.BINS))
