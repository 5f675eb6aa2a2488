"""Walking given ways, one primitive after the other: what traces and replays are made of."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from spfvar.explore.onestep import take, wrong
from spfvar.explore.search import WAYS
from spfvar.explore.views import is_load
from spfvar.explore.world import RaceWorld
from spfvar.ops import codes as c
from spfvar.ops.histories import READABLE
from spfvar.ops.op import Op

State = npt.NDArray[np.int16]


@dataclass(frozen=True, slots=True)
class Move:
    """One primitive that was executed: by whom, its node and outcome, the state on both sides, its choice.

    ``outcome`` is BLOCKED for a thread that has to wait and VIOLATED for the primitive to blame.
    """

    thread: int
    node: int
    outcome: int
    before: State
    after: State
    choice: int = 0

    @property
    def idle(self) -> bool:
        """Did nothing change?"""
        return self.outcome == c.BLOCKED and np.array_equal(self.before, self.after)


class Walker:
    """A race that is led along a path."""

    def __init__(self, world: RaceWorld) -> None:
        self.world = world
        self.state: State = world.start.copy()
        self._out: Any = np.zeros(c.OUT_WOKEN0 + world.threads, dtype=np.int32)

    def node_of(self, thread: int) -> int:
        """The node that a thread is about to execute."""
        return int(self.state[self.world.layout.thread_base(thread) + c.T_PC])

    def op_of(self, thread: int) -> Op:
        """The primitive that a thread is about to execute."""
        return self.world.program.ops[self.node_of(thread)]

    def choices(self, thread: int) -> int:
        """How many open outcomes the thread's next primitive has."""
        op = self.op_of(thread)
        if self.world.weak is not None and is_load(op):
            return READABLE
        return len(op.outcomes) if op.code == c.CHOOSE else 1

    def is_private(self, thread: int) -> bool:
        """Can nobody notice when the thread executes its next primitive?"""
        row = self.world.program.table[self.node_of(thread)]
        return not (row[c.C_FLAGS] & c.FLAG_SHARED or row[c.C_OP] in (c.CHOOSE, c.END))

    def go(self, way: int) -> Move:
        """Execute one primitive: the next one of a thread, with a choice if its outcome is open."""
        thread, choice = divmod(way, WAYS)
        node = self.node_of(thread)
        before = self.state.copy()
        world = self.world
        outcome = int(
            take(world.weak, self.state, world.program.table, world.layout.g, thread, choice, self._out)
        )
        return Move(thread, node, outcome, before, self.state.copy(), choice)

    def can_move(self, thread: int) -> bool:
        """Would the thread's next primitive change anything?"""
        state = self.state
        for choice in range(self.choices(thread)):
            self.state = state.copy()
            move = self.go(thread * WAYS + choice)
            self.state = state
            if not move.idle:
                return True
        return False

    def at_rest(self) -> bool:
        """Can nobody move?"""
        return not any(self.can_move(thread) for thread in range(self.world.threads))

    def wrong_at_rest(self) -> int:
        """Where nobody can move: V_DEADLOCK, another V_* code, or V_NONE."""
        idle = (c.END, c.RCU_GP_START)
        if any(self.op_of(thread).code not in idle for thread in range(self.world.threads)):
            return c.V_DEADLOCK
        return int(wrong(self.state, self.world.layout.g, self.world.locks, self.world.sequences))


def way_round(world: RaceWorld, ways: Sequence[int], limit: int = 5000) -> tuple[list[int], int]:
    """Ways behind a path that lead back to a state on them, and how many come before that state.

    Breadth first over at most ``limit`` states; nothing if there is no way round among these.
    """
    walker = Walker(world)
    for way in ways:
        walker.go(way)
    states = [walker.state]
    came: list[tuple[int, int]] = [(-1, -1)]  # by state: where from, by which way
    number = {walker.state.tobytes(): 0}
    for here in range(limit):
        if here == len(states):
            break
        walker.state = states[here].copy()
        choices = [(thread, walker.choices(thread)) for thread in range(world.threads)]
        for way in (thread * WAYS + choice for thread, count in choices for choice in range(count)):
            walker.state = states[here].copy()
            move = walker.go(way)
            if move.idle or move.outcome == c.VIOLATED:
                continue
            key = move.after.tobytes()
            if key not in number:
                number[key] = len(states)
                states.append(move.after)
                came.append((here, way))
                continue
            path = _back(came, here)
            if number[key] in path:
                behind = [came[state][1] for state in path[1:]]
                return [*behind, way], path.index(number[key])
    return [], 0


def _back(came: Sequence[tuple[int, int]], state: int) -> list[int]:
    """The states from the first one to this one."""
    path = [state]
    while came[path[-1]][0] >= 0:
        path.append(came[path[-1]][0])
    return path[::-1]
