"""The walker: random interleavings of a race, reproducible by a seed, for scopes beyond an exhaustive search.

A walk lets threads drawn at random execute one primitive each, over the same transition function.  How
readily it leaves a thread that could go on is drawn for each walk, from "after every primitive" to "hardly
ever": some races need many switches, and some a long run of one thread at the right place.  A walk proves
nothing: it finds violations, or it does not.  A load of a weak word returns one of the messages that it may
see, each as likely as the others.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from spfvar.explore.search import WAYS
from spfvar.explore.world import RaceWorld
from spfvar.ops import codes as c
from spfvar.transition.jit import compiled, inlined
from spfvar.transition.quiescent import wrong_at_rest
from spfvar.transition.weakly import readable, settled, step_of

#: Of ten thousand: how likely a walk's last thread goes on.
STAYS: Final = (0, 5_000, 8_000, 9_300, 9_800, 9_950)
_CERTAIN: Final = 10_000
_PRIME: Final = 2_147_483_647
_CHUNK: Final = 2_000  # walks that are drawn at a time

# --- how a walk ended --------------------------------------------------------------------------------
ENDED: Final = 0
ENDLESS: Final = -1
CUT: Final = -2  # out of walks

# --- counters ----------------------------------------------------------------------------------------
N_WALKS: Final = 0
N_STEPS: Final = 1
N_ENDS: Final = 2
N_ENDLESS: Final = 3
N_TRAIL: Final = 4
N_NODE: Final = 5
N_AT_REST: Final = 6
COUNTERS: Final = 7


@dataclass(frozen=True, slots=True)
class WalkOptions:
    """How much to walk: ``walks`` of at most ``steps`` primitives each; ``seconds`` bounds all of them."""

    walks: int = 20_000
    steps: int = 100_000
    seconds: float = math.inf
    seed: int = 1
    first: bool = True


@dataclass(frozen=True, slots=True)
class WalkViolation:
    """A property that does not hold: its code, the node blamed (-1: the state at rest), the walk, its ways.

    ``ways`` lead from the start to the violation, one primitive each (thread * WAYS + choice).
    """

    code: int
    node: int
    walk: int
    ways: tuple[int, ...]


@dataclass(slots=True)
class Walked:
    """What the walks found; ``endless`` of them hit the bound of steps."""

    walks: int
    steps: int
    ends: int
    endless: int
    violations: list[WalkViolation]
    seconds: float
    covered: npt.NDArray[np.uint8] = field(repr=False)


@inlined
def draw(random, number):
    """One of 0 .. number - 1; ``random`` is the state of a Lehmer generator."""
    random[0] = random[0] * 48_271 % _PRIME
    return (random[0] >> 7) % number


@inlined
def next_thread(g, blocked, random, last, stay):
    """The thread to go on: the last one, or one drawn among those not known to wait; -1: all wait."""
    threads = g[c.G_THREADS]
    free = 0
    for thread in range(threads):
        if not blocked[thread]:
            free += 1
    if free == 0:
        return -1
    if not blocked[last] and draw(random, _CERTAIN) < stay:
        return last
    skip = draw(random, free)
    chosen = 0
    while blocked[chosen] or skip > 0:
        if not blocked[chosen]:
            skip -= 1
        chosen += 1
    return chosen


@inlined
def at_rest(s, table, g, locks, sequences):
    """The violation of a state in which nobody can move, or V_NONE."""
    for thread in range(g[c.G_THREADS]):
        op = table[s[g[c.G_T_BASE] + thread * g[c.G_T_STRIDE]], c.C_OP]
        if op != c.END and op != c.RCU_GP_START:
            return c.V_DEADLOCK
    return wrong_at_rest(s, g, locks, sequences)


@compiled
def walk(
    weak, s, start, table, g, locks, sequences, seeds, stays, limit, random, out, blocked, trail, covered,
    counters,
):  # fmt: skip
    """Walk until something is violated or the seeds are used up; returns its code, or CUT."""
    threads = g[c.G_THREADS]
    while counters[N_WALKS] < seeds.shape[0]:
        number = counters[N_WALKS]
        counters[N_WALKS] = number + 1
        random[0] = seeds[number]
        stay = stays[draw(random, stays.shape[0])]
        for i in range(s.shape[0]):
            s[i] = start[i]
        for thread in range(threads):
            blocked[thread] = False
        length = 0
        status = ENDLESS
        last = 0
        while length < limit:
            tid = next_thread(g, blocked, random, last, stay)
            if tid < 0:
                status = at_rest(s, table, g, locks, sequences)
                counters[N_AT_REST] = 1
                break
            last = tid
            tb = g[c.G_T_BASE] + tid * g[c.G_T_STRIDE]
            node = s[tb]
            choice = 0
            if table[node, c.C_OP] == c.CHOOSE:
                choice = draw(random, table[node, c.C_IMM])
            waited = s[tb + c.T_WAIT]
            out[c.OUT_WOKEN] = 0
            messages = readable(weak, s, table, g, tid)
            if messages > 1:
                choice = draw(random, messages)
            tries = 0
            outcome = c.BLOCKED
            while outcome == c.BLOCKED and tries < messages:  # a wait may end by another message
                if tries > 0:
                    choice = choice + 1 if choice + 1 < messages else 0
                outcome = step_of(weak, s, table, g, tid, choice, out)
                tries += 1
            if outcome == c.BLOCKED:
                blocked[tid] = True
                if s[tb + c.T_WAIT] == waited:
                    continue
            trail[length] = tid * WAYS + choice
            length += 1
            if outcome == c.VIOLATED:
                status = s[g[c.G_VIOLATION]]
                counters[N_NODE] = node
                counters[N_AT_REST] = 0
                break
            if outcome >= 0:
                settled(weak, s, g)
                covered[node * c.MAX_OUTCOMES + outcome] = 1
                for thread in range(threads):
                    blocked[thread] = False
        counters[N_STEPS] += length
        counters[N_TRAIL] = length
        if status == ENDED:
            counters[N_ENDS] += 1
        elif status == ENDLESS:
            counters[N_ENDLESS] += 1
        else:
            return status
    return CUT


def walks(
    world: RaceWorld,
    options: WalkOptions = WalkOptions(),
    progress: Callable[[int, int, float], None] | None = None,
) -> Walked:
    """Walk at random; ``progress`` is told walks, primitives and seconds now and then."""
    began = time.perf_counter()
    seeds = np.random.default_rng(options.seed).integers(1, _PRIME, options.walks, dtype=np.int64)
    counters = np.zeros(COUNTERS, dtype=np.int64)
    work: tuple[Any, ...] = (
        np.zeros(1, dtype=np.int64),
        np.zeros(c.OUT_WOKEN0 + world.threads, dtype=np.int32),
        np.zeros(world.threads, dtype=np.bool_),
        np.zeros(options.steps, dtype=np.int64),
        np.zeros(len(world.program.table) * c.MAX_OUTCOMES, dtype=np.uint8),
        counters,
    )
    trail, covered = work[3], work[4]
    stays = np.array(STAYS, dtype=np.int64)
    s = world.start.copy()
    violations: dict[int, WalkViolation] = {}
    while counters[N_WALKS] < options.walks:
        until = min(options.walks, int(counters[N_WALKS]) + _CHUNK)
        code = int(
            walk(
                world.weak, s, world.start, world.program.table, world.layout.g, world.locks, world.sequences,
                seeds[:until], stays, options.steps, *work,
            )
        )  # fmt: skip
        if code > 0 and code not in violations:
            node = -1 if counters[N_AT_REST] else int(counters[N_NODE])
            ways = tuple(trail[: counters[N_TRAIL]].tolist())
            violations[code] = WalkViolation(code, node, int(counters[N_WALKS]) - 1, ways)
        if code > 0 and options.first:
            break
        now = time.perf_counter() - began
        if now > options.seconds:
            break
        if progress is not None:
            progress(int(counters[N_WALKS]), int(counters[N_STEPS]), now)
    return Walked(
        int(counters[N_WALKS]),
        int(counters[N_STEPS]),
        int(counters[N_ENDS]),
        int(counters[N_ENDLESS]),
        list(violations.values()),
        time.perf_counter() - began,
        covered,
    )
