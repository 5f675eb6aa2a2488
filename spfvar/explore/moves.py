"""Walking given ways, one primitive after the other: what traces and replays are made of."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from spfvar.explore.search import WAYS
from spfvar.explore.world import RaceWorld
from spfvar.ops import codes as c
from spfvar.ops.op import Op
from spfvar.transition.jit import compiled
from spfvar.transition.quiescent import wrong_at_rest
from spfvar.transition.step import step

State = npt.NDArray[np.int16]
#: Private primitives in a row after which a thread is taken to be in a private loop.
_ENDLESS = 10_000


@compiled
def take(s: Any, table: Any, g: Any, tid: int, choice: int, out: Any) -> int:
    """One primitive of one thread; its outcome, BLOCKED or VIOLATED."""
    out[c.OUT_WOKEN] = 0
    return step(s, table, g, tid, choice, out)  # type: ignore[no-any-return]


@compiled
def wrong(s: Any, g: Any, locks: Any) -> int:
    """The property that does not hold at rest, or V_NONE."""
    return wrong_at_rest(s, g, locks)  # type: ignore[no-any-return]


@dataclass(frozen=True, slots=True)
class Move:
    """One primitive that was executed: by whom, its node and outcome, the state on both sides.

    ``outcome`` is BLOCKED for a thread that began to wait and VIOLATED for the primitive to blame.  ``way``
    counts the ways of the path; private primitives behind a scheduled one have the same.
    """

    way: int
    thread: int
    node: int
    outcome: int
    before: State
    after: State


class Walker:
    """A race that is led along a path."""

    def __init__(self, world: RaceWorld, merge: bool = True) -> None:
        self.world = world
        self.merge = merge
        self.state: State = world.start.copy()
        self._out: Any = np.zeros(c.OUT_WOKEN0 + world.threads, dtype=np.int32)
        self._way = -1

    def node_of(self, thread: int) -> int:
        """The node that a thread is about to execute."""
        return int(self.state[self.world.layout.thread_base(thread) + c.T_PC])

    def op_of(self, thread: int) -> Op:
        """The primitive that a thread is about to execute."""
        return self.world.program.ops[self.node_of(thread)]

    def choices(self, thread: int) -> int:
        """How many open outcomes the thread's next primitive has."""
        op = self.op_of(thread)
        return len(op.outcomes) if op.code == c.CHOOSE else 1

    def go(self, way: int) -> Iterator[Move]:
        """Follow one way: a scheduled primitive and the private ones behind it, as the search merges them."""
        thread, choice = divmod(way, WAYS)
        self._way += 1
        for _ in range(_ENDLESS):
            move = self.step(thread, choice)
            yield move
            if move.outcome < 0 or not self.merge or not self._goes_on(thread):
                return

    def step(self, thread: int, choice: int = 0) -> Move:
        """Execute one primitive."""
        node = self.node_of(thread)
        before = self.state.copy()
        world = self.world
        outcome = int(take(self.state, world.program.table, world.layout.g, thread, choice, self._out))
        return Move(self._way, thread, node, outcome, before, self.state.copy())

    def can_move(self, thread: int) -> bool:
        """Would the thread's next primitive change anything?"""
        state = self.state.copy()
        try:
            move = self.step(thread)
        finally:
            self.state = state
        return move.outcome != c.BLOCKED or not np.array_equal(move.before, move.after)

    def _goes_on(self, thread: int) -> bool:
        row = self.world.program.table[self.node_of(thread)]
        return not (row[c.C_FLAGS] & c.FLAG_SHARED or row[c.C_OP] in (c.CHOOSE, c.END))

    def wrong_at_rest(self) -> int:
        """When nobody can move: V_DEADLOCK, another V_* code, or V_NONE."""
        idle = (c.END, c.RCU_GP_START)
        if any(self.op_of(thread).code not in idle for thread in range(self.world.threads)):
            return c.V_DEADLOCK
        return int(wrong(self.state, self.world.layout.g, self.world.locks))

    def at_rest(self) -> bool:
        """Can nobody move?"""
        return not any(self.can_move(thread) for thread in range(self.world.threads))
