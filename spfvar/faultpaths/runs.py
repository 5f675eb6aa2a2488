"""Threads of a small world, led one primitive at a time: alone, or one after the other."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from spfvar.explore.moves import State, Walker
from spfvar.explore.search import WAYS
from spfvar.explore.world import KTHREAD, RaceWorld, build_world
from spfvar.mm.grace_period import gp_kthread
from spfvar.ops import codes as c
from spfvar.ops import objects as o
from spfvar.ops.op import Op, Steps
from spfvar.plugins.variant import Stack
from spfvar.scenario.race import Race

#: The event that the core counts when a fault takes mmap_lock (spfvar.mm.fault).
UNDER_MMAP_LOCK = "mmap_lock_fault"
#: More primitives than any fault or writer of one page has.
MAX_STEPS = 2000


@dataclass(frozen=True, slots=True)
class Step:
    """A primitive that was executed, with its outcome's number, and the state before it."""

    op: Op
    outcome: int
    before: State

    @property
    def succeeded(self) -> bool:
        """For a primitive with two outcomes: was it the second, "yes"?"""
        return self.outcome == 1

    def is_on(self, field: object, *codes: int) -> bool:
        """Is it one of these opcodes, on a field of the thread's own mm?"""
        place = self.op.place
        return self.op.code in codes and place is not None and place.field == field and place.register == o.mm


def world_of(race: Race, stack: Stack, texts: Mapping[str, Callable[[], Steps]]) -> RaceWorld:
    """The race's world under a variant, with these texts of its actors.  Raises StrategyError."""
    automata = {name: stack.automaton(name, text) for name, text in texts.items()}
    text = gp_kthread(automata.values())
    if text is not None:
        automata[KTHREAD] = stack.automaton(KTHREAD, text)
    return build_world(race, automata)


class Lead:
    """Threads that are led; remembers what each state was reached by."""

    def __init__(self, world: RaceWorld) -> None:
        self.world = world
        self._walker = Walker(world)

    def to(self, state: State) -> None:
        """Go on from this state."""
        self._walker.state = state.copy()

    @property
    def state(self) -> State:
        """Where the threads are."""
        return self._walker.state.copy()

    def ended(self, thread: int) -> bool:
        """Has the thread nothing more to do?"""
        return self._walker.op_of(thread).code == c.END

    def choices(self, thread: int) -> int:
        """Open outcomes of the thread's next primitive."""
        return self._walker.choices(thread)

    def next_op(self, thread: int) -> Op:
        """The primitive that the thread is about to execute, or waits for."""
        return self._walker.op_of(thread)

    def step(self, thread: int, choice: int = 0) -> Step | None:
        """Execute the thread's next primitive; None if it has to wait."""
        op, before = self.next_op(thread), self.state
        outcome = self._walker.go(thread * WAYS + choice).outcome
        if outcome == c.VIOLATED:
            raise AssertionError(f"{op.function}: {op.name}: a run of one thread after the other goes wrong")
        return None if outcome == c.BLOCKED else Step(op, outcome, before)

    def run(self, thread: int) -> list[Step]:
        """Let the thread run until it ends or has to wait."""
        steps: list[Step] = []
        while not self.ended(thread) and len(steps) < MAX_STEPS:
            step = self.step(thread)
            if step is None:
                break
            steps.append(step)
        return steps

    def failing(self, thread: int, step: Step) -> State:
        """The state behind a trylock that was had, had it not been: nothing is changed by one that fails."""
        state = step.before.copy()
        word = self.world.layout.thread_base(thread) + c.T_PC
        state[word] = self.world.program.table[int(state[word]), c.C_SUCC]
        return state


def events_of(steps: Sequence[Step]) -> list[str]:
    """The events that were counted, in order, each once."""
    return list(dict.fromkeys(step.op.event for step in steps if step.op.code == c.COUNT))
