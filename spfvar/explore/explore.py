"""Running a search: memory, budget, progress; and what it found."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from spfvar.explore import search as k
from spfvar.explore.livelock import first_trapped, larger_edges, new_edges
from spfvar.explore.liveness import Dead, dead_registers
from spfvar.explore.moves import one_by_one
from spfvar.explore.world import RaceWorld
from spfvar.ops import codes as c

_FIRST_CAPACITY = 1 << 12
_SLICE = 20_000


@dataclass(frozen=True, slots=True)
class Options:
    """What bounds and shortens a search.

    ``max_states`` and ``max_bytes`` bound it (a search that hits a bound is incomplete), ``seconds`` its
    wall time.  ``merge`` runs private primitives in one go, ``dead`` clears dead registers.  ``first``: stop
    at the first violation.  ``livelock``: look for states from which no way leads to an end.
    """

    max_states: int = 20_000_000
    max_bytes: int = 1 << 30
    seconds: float = 60.0
    merge: bool = True
    dead: bool = True
    first: bool = True
    livelock: bool = True


@dataclass(frozen=True, slots=True)
class Violation:
    """A property that does not hold: its code, the last state and the way out of it, the node blamed."""

    code: int
    state: int
    way: int
    node: int


@dataclass(slots=True)
class Exploration:
    """What a search found.  ``why`` says which bound an incomplete one hit."""

    complete: bool
    why: str
    violations: list[Violation]
    states: int
    transitions: int
    depth: int
    ends: int
    seconds: float
    covered: npt.NDArray[np.uint8]
    space: k.Space = field(repr=False)
    world: RaceWorld = field(repr=False)
    merge: bool = True

    def ways_to(self, state: int) -> list[int]:
        """The ways from the start to a state, in order."""
        ways: list[int] = []
        while self.space.parent[state] >= 0:
            ways.append(int(self.space.way[state]))
            state = int(self.space.parent[state])
        return ways[::-1]

    def ways_of(self, violation: Violation) -> list[int]:
        """The ways from the start to a violation, the one that violates included: one primitive each."""
        ways = self.ways_to(violation.state)
        if violation.way != k.AT_REST:
            ways.append(violation.way)
        return one_by_one(self.world, ways) if self.merge else ways


def rules_of(world: RaceWorld, options: Options) -> k.Rules:
    """What a search of this world follows."""
    op = world.program.table[:, c.C_OP]
    idle = (op == c.END) | (op == c.RCU_GP_START)
    dead = dead_registers(world.program, world.layout)
    if not options.dead:
        dead = Dead(np.zeros_like(dead.first), dead.words, dead.values)
    p, g = world.program.table, world.layout.g
    return k.Rules(p, g, world.locks, idle, dead, options.merge, options.first, options.livelock)


def new_space(capacity: int, words: int) -> k.Space:
    """Empty arrays for so many states."""
    rows = np.zeros((capacity, words), dtype=np.int16)
    buckets = np.zeros(1 << (2 * capacity - 1).bit_length(), dtype=np.int64)
    return k.Space(
        rows,
        rows.view(np.int64),
        np.zeros(capacity, dtype=np.int64),
        np.zeros(capacity, dtype=np.int32),
        np.zeros(capacity, dtype=np.int16),
        buckets,
    )


def grown(space: k.Space, states: int, capacity: int) -> k.Space:
    """The same states in larger arrays."""
    more = new_space(capacity, space.rows.shape[1])
    for old, new in zip(space[:5], more[:5], strict=True):
        new[:states] = old[:states]
    k.rehash(more, states)
    return more


def bytes_per_state(words: int) -> int:
    """Memory of one state while the arrays are being grown: the old ones are a half of the new ones."""
    return (2 * words + 8 + 4 + 2 + 32 + 8 + 16) * 3 // 2


def explore(
    world: RaceWorld,
    options: Options = Options(),
    progress: Callable[[int, int, float], None] | None = None,
) -> Exploration:
    """Search every reachable state; ``progress`` is told states, transitions and seconds now and then."""
    rules = rules_of(world, options)
    words = world.start.shape[0]
    limit = max(2, min(options.max_states, options.max_bytes // bytes_per_state(words)))
    margin = world.threads * c.MAX_OUTCOMES + 1
    space = new_space(min(_FIRST_CAPACITY, limit) + margin, words)
    edges = new_edges(len(space.rows), 4 * len(space.rows) if options.livelock else 1)
    counters = np.zeros(k.COUNTERS, dtype=np.int64)
    found = k.Found(*(np.full(k.VIOLATIONS, -1, dtype=np.int64) for _ in range(3)))
    scratch, lanes, out, covered = scratch_of(world)
    scratch[:] = world.start
    k.prepare(space, counters, scratch, lanes)
    # Without a budget they do nothing but get compiled, which is no part of the search's time.
    k.search(space, counters, found, scratch, lanes, rules, out, covered, edges, 0)
    k.rehash(space, 0)
    began = time.perf_counter()
    why = ""
    while True:
        status = k.search(space, counters, found, scratch, lanes, rules, out, covered, edges, _SLICE)
        states = int(counters[k.N_STATES])
        if status in (k.COMPLETE, k.FOUND):
            break
        if states >= limit:
            why = "max-states" if limit == options.max_states else "memory"
            break
        if time.perf_counter() - began > options.seconds:
            why = "timeout"
            break
        if status == k.FULL:
            if states + margin > len(space.rows):
                space = grown(space, states, min(2 * states, limit) + margin)
            edges = larger_edges(edges, len(space.rows), margin)
        if progress is not None:
            progress(states, int(counters[k.N_TRANSITIONS]), time.perf_counter() - began)
    violations = _violations(found)
    if status == k.COMPLETE and options.livelock:
        trapped = int(first_trapped(edges, states, np.zeros(states, dtype=np.uint8)))
        if trapped >= 0:
            violations.append(Violation(c.V_LIVELOCK, trapped, k.AT_REST, -1))
    return Exploration(
        status == k.COMPLETE,
        why,
        violations,
        states,
        int(counters[k.N_TRANSITIONS]),
        int(counters[k.N_DEPTH]),
        int(counters[k.N_ENDS]),
        time.perf_counter() - began,
        covered,
        space,
        world,
        options.merge,
    )


def scratch_of(world: RaceWorld) -> tuple[Any, Any, Any, Any]:
    """A row to work on, the same as 64-bit words, the step's scratch array, coverage by node and outcome."""
    scratch = np.zeros(world.start.shape[0], dtype=np.int16)
    out = np.zeros(c.OUT_WOKEN0 + world.threads, dtype=np.int32)
    covered = np.zeros(len(world.program.table) * c.MAX_OUTCOMES, dtype=np.uint8)
    return scratch, scratch.view(np.int64), out, covered


def _violations(found: k.Found) -> list[Violation]:
    """Shortest first."""
    codes = [code for code in range(k.VIOLATIONS) if found.state[code] >= 0]
    codes.sort(key=lambda code: int(found.state[code]))
    return [
        Violation(code, int(found.state[code]), int(found.way[code]), int(found.node[code])) for code in codes
    ]
