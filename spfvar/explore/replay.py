"""Replaying a token: the path with the state beside it, and where a changed model goes another way."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from spfvar.explore.moves import Move, Walker
from spfvar.explore.search import WAYS
from spfvar.explore.tokens import Summing, Token, model_digest
from spfvar.explore.trace import Recorder, Step
from spfvar.explore.world import RaceWorld
from spfvar.ops import codes as c
from spfvar.ops import objects as o

REPRODUCED = "reproduced"
DIVERGED = "diverged"
HOLDS = "no longer violated"


@dataclass(frozen=True, slots=True)
class Scene:
    """One step: its primitives, and the state behind them in lines."""

    steps: tuple[Step, ...]
    state: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Replay:
    """What a replay saw.

    ``outcome`` is reproduced, diverged or no longer violated; ``message`` says where and why.  ``changed``:
    is the race, or what the variant does in it, another than when the token was made?
    """

    variant: str
    race: str
    start: tuple[str, ...]
    scenes: tuple[Scene, ...]
    outcome: str
    message: str
    changed: bool

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "variant": self.variant, "race": self.race, "outcome": self.outcome, "message": self.message,
            "changed": self.changed, "start": list(self.start),
            "steps": [
                {"primitives": [step.as_dict() for step in scene.steps], "state": list(scene.state)}
                for scene in self.scenes
            ],
        }  # fmt: skip


class _DivergedError(Exception):
    """The model goes another way."""


def replay(world: RaceWorld, token: Token, recorded: Sequence[str] = ()) -> Replay:
    """Walk a token's path.

    ``recorded`` are the primitives as they were when the token was made, if a file has them: then a
    divergence says what was there.
    """
    walk = _Walk(world, token, recorded)
    start = tuple(state_lines(walk.walker, walk.recorder))
    try:
        outcome, message = walk.run()
    except _DivergedError as diverged:
        outcome, message = DIVERGED, str(diverged)
    changed = model_digest(world) != token.digest
    return Replay(token.variant, token.race, start, tuple(walk.scenes), outcome, message, changed)


class _Walk:
    def __init__(self, world: RaceWorld, token: Token, recorded: Sequence[str]) -> None:
        self.world = world
        self.token = token
        self.recorded = recorded
        self.walker = Walker(world)
        self.recorder = Recorder(world)
        self.scenes: list[Scene] = []
        self._summing = Summing()
        self._steps: list[Step] = []

    def run(self) -> tuple[str, str]:
        """Follow every way; the outcome and what there is to say."""
        last: Move | None = None
        for number, way in enumerate(self.token.ways):
            self._check_way(number, way)
            self.recorder.next(self.walker, way)
            if self._steps and self._steps[0].number != self.recorder.number:
                self._close()
            last = self.walker.go(way)
            step = self.recorder.step(last)
            self._steps.append(step)
            if last.idle:
                self._close()
                raise self._diverged(number, f"{step.thread} cannot go on: it waits in {step.name}")
            self._compare(number, step)
            if last.outcome == c.VIOLATED and number + 1 < len(self.token.ways):
                self._close()
                raise self._diverged(number, f"{c.VIOLATIONS[self._code(last)]}, before the end of the path")
        self._close()
        return self._judge(last)

    def _check_way(self, number: int, way: int) -> None:
        thread, choice = divmod(way, WAYS)
        if thread >= self.world.threads:
            raise self._diverged(number, f"the race has no thread {thread + 1}")
        if choice >= self.walker.choices(thread):
            op = self.walker.op_of(thread)
            raise self._diverged(
                number, f"{self.world.names[thread]} has no open outcome {choice} in {op.name}"
            )

    def _compare(self, number: int, step: Step) -> None:
        """Is it the primitive that the token, or its file, remembers?"""
        found = self._summing.add(step)
        known = number < len(self.recorded)
        if self.token.sums[number] != found or (known and self.recorded[number] != str(step)):
            self._close()
            raise self._diverged(number, f"it is now {step}")

    def _close(self) -> None:
        """The step is complete."""
        if self._steps:
            self.scenes.append(Scene(tuple(self._steps), tuple(state_lines(self.walker, self.recorder))))
            self._steps = []

    def _diverged(self, number: int, what: str) -> _DivergedError:
        """At primitive ``number`` of the path."""
        was = f"; it was {self.recorded[number]}" if number < len(self.recorded) else ""
        return _DivergedError(f"step {self.recorder.number}: {what}{was}")

    def _code(self, move: Move) -> int:
        return int(move.after[int(self.world.layout.g[c.G_VIOLATION])])

    def _judge(self, last: Move | None) -> tuple[str, str]:
        expected = c.VIOLATIONS[self.token.code]
        if last is not None and last.outcome == c.VIOLATED:
            code = self._code(last)
        elif self.token.code == c.V_LIVELOCK:
            # Only a search can tell that no way leads on to an end; the way into the trap is the same.
            return REPRODUCED, expected
        elif self.walker.at_rest():
            code = self.walker.wrong_at_rest()
        else:
            raise self._diverged(len(self.token.ways), "threads can still move where nobody could")
        if code == c.V_NONE:
            return HOLDS, f"the path is the same, and {expected!r} is not found at its end"
        if code != self.token.code:
            return HOLDS, f"the end is now: {c.VIOLATIONS[code]}; it was: {expected}"
        return REPRODUCED, expected


def state_lines(walker: Walker, recorder: Recorder) -> Iterator[str]:
    """Where each thread is, who holds what, VMA tree and page tables."""
    world, words, state = walker.world, recorder.words, walker.state
    for thread, name in enumerate(world.names):
        yield f"{name}: {_position(walker, recorder, thread)}"
    for lock in dict.fromkeys([*recorder.locks.held, *recorder.locks.waiting.values()]):
        holders = ", ".join(recorder.locks.held.get(lock, ["nobody"]))
        waiting = [name for name, wanted in recorder.locks.waiting.items() if wanted == lock]
        yield f"{lock}: {holders}" + (f"; waiting: {', '.join(waiting)}" if waiting else "")
    g, sizes = world.layout.g, world.layout.sizes
    slots = [int(state[int(g[c.G_TREE]) + i]) for i in range(((sizes.pages - 1) >> sizes.tree_shift) + 1)]
    tree = " ".join(f"[{i}] {words.slot(vma)}" for i, vma in enumerate(slots) if vma)
    yield f"tree: {tree or 'empty'}"
    for slot in range(((sizes.pages - 1) >> sizes.pt_shift) + 1):
        table = int(state[int(g[c.G_PMD]) + slot])
        yield f"pmd[{slot}]: {words.reference(o.PAGE_TABLE, table)}"
        for i in range(1 << sizes.pt_shift if table else 0):
            word = int(g[c.G_PTE]) + ((table - 1) << sizes.pt_shift) + i
            if state[word]:
                yield f"pte[{(slot << sizes.pt_shift) + i}]: {words.spell[word](int(state[word]))}"


def _position(walker: Walker, recorder: Recorder, thread: int) -> str:
    op = walker.op_of(thread)
    if op.code == c.END:
        return "has ended"
    base = walker.world.layout.thread_base(thread)
    inside = [
        text for word, text in ((c.T_RCU_NEST, "in RCU"), (c.T_IRQ_OFF, "interrupts off"))
        if walker.state[base + word] and not (word == c.T_RCU_NEST and walker.state[base + c.T_IRQ_OFF])
    ]  # fmt: skip
    place = f"{op.function}, at {op.name}"
    return f"{place} ({', '.join(inside)})" if inside else place
