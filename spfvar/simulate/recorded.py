"""Run one cell with one seed, and keep where its time went."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from spfvar.ops import codes as c
from spfvar.ops.op import Op
from spfvar.plugins.variant import Variant
from spfvar.scenario.hardware import Profile
from spfvar.simulate import edges as e
from spfvar.simulate import engine
from spfvar.simulate import machine as m
from spfvar.simulate import meters as w
from spfvar.simulate import record as r
from spfvar.simulate.result import Result
from spfvar.simulate.runner import Run, SimulationError, result_of, start
from spfvar.simulate.world import World
from spfvar.structs.lines import LineKey

LOG_ENTRIES = 1 << 14
LOCKS_AT_ONCE = 16
NEVER = 1e300


@dataclass(frozen=True, slots=True)
class Recorded:
    """A run and its record.

    ``folded`` as `spfvar.simulate.edges.fold` fills it; ``sites`` are the steps that touch lines, by number,
    ``locks`` the fields that locks are, by number.
    """

    world: World
    variant: Variant
    result: Result
    meters: w.Meters
    record: r.Record
    folded: e.Folded
    sites: tuple[tuple[Op, LineKey], ...]
    locks: tuple[str, ...]


def record(
    world: World,
    variant: Variant,
    profile: Profile,
    seeds: np.random.SeedSequence,
    window: tuple[float, float] | None = None,
    events: int = 0,
) -> Recorded:
    """Simulate one seed as `simulate` does, and record it.

    ``window`` (ns): of what lies in it at most so many ``events`` are kept for a timeline.  Raises
    SimulationError as `simulate` does.
    """
    run = start(world, profile, seeds)
    folded: e.Folded = {}
    costs = m.cost_table(world.program.costs, profile, dict(world.compute_ns))
    edges = e.fold(world.program, costs, folded=folded)
    sites, site_of = _sites(world)
    locks, lock_of = _locks(world, edges.flags)
    nodes = np.stack([site_of, lock_of], axis=1)
    rec = _new_record(world, variant, run, nodes, len(sites), len(locks))
    rec.window[:] = [*(window or (NEVER, -NEVER)), 0.0]
    rec = rec._replace(events=np.zeros((events, r.EVENT_COLUMNS)))
    status = engine.run_recorded(*run.arguments(rec))
    result = result_of(run, status, world, variant)
    if rec.now[r.NOW_FULL]:
        where = f"{variant.name} in {world.load.scenario}"
        raise SimulationError(f"{where}: a fault or call goes through too many steps to be recorded")
    return Recorded(world, variant, result, run.meters, rec, folded, sites, locks)


def _sites(world: World) -> tuple[tuple[tuple[Op, LineKey], ...], npt.NDArray[np.int64]]:
    """The steps that touch lines, equal ones once, and the number of each node's."""
    table = world.program.table
    number = np.full(len(table), -1, dtype=np.int64)
    known: dict[tuple[object, ...], int] = {}
    sites: list[tuple[Op, LineKey]] = []
    for node, op in enumerate(world.program.ops):
        if op.line is None or not table[node, c.C_FLAGS] & c.FLAG_LINE:
            continue
        line = world.line_of(op)
        key = (op.function, op.name, op.where, op.line.field.cls.name, line)
        if key not in known:
            known[key] = len(sites)
            sites.append((op, line))
        number[node] = known[key]
    return tuple(sites), number


def _locks(world: World, flags: npt.NDArray[np.int64]) -> tuple[tuple[str, ...], npt.NDArray[np.int64]]:
    """The locks that more than one thread can see, by their fields' names, and the number of each node's."""
    number = np.full(len(flags), -1, dtype=np.int64)
    names: dict[str, int] = {}
    for node, op in enumerate(world.program.ops):
        if flags[node] & e.LOCK and op.place is not None:
            field = op.place.field
            number[node] = names.setdefault(f"{field.cls.struct or field.cls.name}.{field.name}", len(names))
    return tuple(names), number


def _new_record(
    world: World, variant: Variant, run: Run, nodes: npt.NDArray[np.int64], sites: int, locks: int
) -> r.Record:
    threads, program = world.load.threads + 1, world.program
    roles = np.zeros(max(1, len(program.events)), dtype=np.int64)
    for role, kind in (("attempt", r.ATTEMPT), ("abort", r.ABORT), ("reason", r.REASON)):
        for name in variant.events_with(role):
            if name in program.events:
                roles[program.events.index(name)] = kind
    slots = r.try_slot(len(nodes)) + len(roles) * (len(roles) + 1)
    zeros: Any = np.zeros
    takers = zeros((program.lines, 3))
    takers[:, 0] = -1.0
    return r.Record(
        x=run.meters.x,
        now=zeros(3, dtype=np.int64),
        heads=zeros((threads, r.HEADS), dtype=np.int64),
        times=zeros((threads, r.TIMES)),
        log=zeros((threads, LOG_ENTRIES, r.L_TIMES + 1)),
        scratch=zeros(slots, dtype=np.int64),
        totals=zeros((3, slots, 3)),
        nodes=nodes,
        roles=roles,
        takers=takers,
        pairs=zeros((3, max(1, sites), sites + 1, 2)),
        servers=zeros((3, r.SERVERS, 4)),
        held=zeros((threads, LOCKS_AT_ONCE, 3)),
        queued=zeros(len(run.state), dtype=np.int32),
        locks=zeros((max(1, locks), r.LOCK_COLUMNS)),
        lock_bins=zeros((max(1, locks), 2, w.HISTOGRAM), dtype=np.int64),
        ended=zeros((len(nodes), 2)),
        window=zeros(3),
        events=zeros((0, r.EVENT_COLUMNS)),
    )
