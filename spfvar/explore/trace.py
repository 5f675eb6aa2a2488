"""A violation's path in kernel terms: who executes which primitive, and what that changes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from spfvar.explore.moves import Move, Walker
from spfvar.explore.search import WAYS
from spfvar.explore.stale import Histories, Old
from spfvar.explore.states import States, Watch
from spfvar.explore.story import Teller
from spfvar.explore.words import Words
from spfvar.explore.world import RaceWorld
from spfvar.ops import codes as c
from spfvar.ops.op import Op

_TAKES = (
    c.DOWN_READ, c.DOWN_READ_TRYLOCK, c.DOWN_WRITE, c.LOCK, c.TRYLOCK,
    c.RANGE_LOCK, c.RANGE_TRYLOCK, c.RANGE_WAIT,
)  # fmt: skip
_RELEASES = (c.UP_READ, c.UP_WRITE, c.UNLOCK, c.RANGE_UNLOCK)
_TRIES = (c.DOWN_READ_TRYLOCK, c.TRYLOCK, c.RANGE_TRYLOCK)
_DOWNGRADES = (c.DOWNGRADE_WRITE, c.RANGE_DOWNGRADE)
_RANGES = (c.RANGE_LOCK, c.RANGE_TRYLOCK)
_MODES = {c.DOWN_READ: "read", c.DOWN_READ_TRYLOCK: "read", c.DOWN_WRITE: "write"}
#: What stands for the outcome of the primitive that violates.
VIOLATED = "VIOLATION"


@dataclass(frozen=True, slots=True)
class Step:
    """One primitive of a trace.

    ``number`` counts from 1 and is shared by primitives that nobody could come between; ``outcome`` is empty
    for a primitive that has only one; ``changes`` are sentences such as "pmd[0]: page_table 0 -> NULL".
    ``old``: it is a load that returned an old value; the last change says so.
    """

    number: int
    thread: str
    function: str
    name: str
    outcome: str
    changes: tuple[str, ...]
    old: Old | None = None

    @property
    def is_work(self) -> bool:
        """Plain work: nothing to see but its name."""
        return not self.outcome and not self.changes

    @property
    def assigns(self) -> bool:
        """Does it only set a register, so that the change says it all?"""
        return (
            not self.outcome
            and len(self.changes) == 1
            and self.name.split(" = ")[0] == (self.changes[0].split(" = ")[0])
        )

    def __str__(self) -> str:
        """ "fault: do_fault: mmap_seq_read_check(mm->mmap_seq): yes"."""
        outcome = f": {self.outcome}" if self.outcome else ""
        return f"{self.thread}: {self.function}: {self.name}{outcome}"

    def as_dict(self) -> dict[str, object]:
        """For JSON."""
        entry: dict[str, object] = {
            "step": self.number, "thread": self.thread, "function": self.function,
            "primitive": self.name, "outcome": self.outcome, "changes": list(self.changes),
        }  # fmt: skip
        return entry if self.old is None else entry | {"old": self.old.as_dict()}


@dataclass(slots=True)
class Locks:
    """Who holds and who waits for each lock, told by the primitives that went by."""

    words: Words
    held: dict[str, list[str]] = field(default_factory=dict)
    waiting: dict[str, str] = field(default_factory=dict)

    def note(self, move: Move, op: Op) -> list[str]:
        """Follow a primitive; what it did to its lock."""
        if op.place is None or op.code not in (*_TAKES, *_RELEASES, *_DOWNGRADES):
            return []
        lock = self.lock_name(move, op)
        thread = self.words.world.names[move.thread]
        if move.outcome == c.BLOCKED:
            self.waiting[thread] = lock
            return [f"waits for {lock}"]
        if move.outcome < 0:
            return []
        if op.code in _RELEASES:
            self._drop(lock, thread)
            return [f"releases {lock}"]
        if op.code in _DOWNGRADES:
            self._drop(lock, thread)
            self.held.setdefault(lock, []).append(f"{thread} (read)")
            return [f"now holds {lock} for reading"]
        if op.code in _TRIES and move.outcome == 0:
            return []
        if op.code == c.RANGE_LOCK and move.outcome == 1:
            return [f"asks for a range of {lock}"]
        self.waiting.pop(thread, None)
        how = ("read", "write")[op.imm] if op.code in _RANGES else _MODES.get(op.code, "")
        self.held.setdefault(lock, []).append(f"{thread} ({how})" if how else thread)
        return [f"takes {lock} for {how}ing".replace("eing", "ing") if how else f"takes {lock}"]

    def _drop(self, lock: str, thread: str) -> None:
        holders = self.held.get(lock, [])
        for holder in holders:
            if holder.split(" (")[0] == thread:
                holders.remove(holder)
                break
        if not holders:
            self.held.pop(lock, None)

    def lock_name(self, move: Move, op: Op) -> str:
        """The lock of the object that the thread's register refers to."""
        assert op.place is not None
        slot = self.words.world.layout.registers[op.place.register]
        index = int(move.before[self.words.world.layout.thread_base(move.thread) + slot])
        index -= self.words.stale if index >= self.words.stale else 0
        return self.words.field_name(op.place.field, index)


@dataclass(frozen=True, slots=True)
class Trace:
    """A violation's path.

    ``threads`` are the columns; ``end`` says what is wrong, in lines; ``ways`` are the primitives; ``blamed``
    is what violates, or waits for ever, as "function: primitive" whatever thread it is; () if only the state
    at the end is wrong.  ``states``: the state behind each step; ``story``: at most five lines that tell it.
    """

    threads: tuple[str, ...]
    steps: tuple[Step, ...]
    end: tuple[str, ...]
    ways: tuple[int, ...]
    blamed: tuple[str, ...] = ()
    states: States | None = None
    story: tuple[str, ...] = ()

    @property
    def length(self) -> int:
        """Steps, each of which had to be scheduled."""
        return self.steps[-1].number if self.steps else 0


class Numbers:
    """Numbers the steps of a path: primitives that had to be scheduled."""

    def __init__(self) -> None:
        self.number = 0
        self._thread = -1

    def next(self, walker: Walker, way: int) -> None:
        """Count a step, unless the thread only goes on with what nobody can notice."""
        thread = way // WAYS
        if thread != self._thread or not walker.is_private(thread):
            self.number += 1
        self._thread = thread


class Recorder(Numbers):
    """Turns moves into steps."""

    def __init__(self, world: RaceWorld) -> None:
        super().__init__()
        self.world = world
        self.words = Words(world)
        self.locks = Locks(self.words)
        self.histories = Histories(self.words) if world.weak is not None else None
        self.teller = Teller(self.words)

    def step(self, move: Move) -> Step:
        """One move in kernel terms."""
        op = self.world.program.ops[move.node]
        changes = self.locks.note(move, op)
        changes += self.words.changes(move.before, move.after, move.thread)
        changes += self._handed_over(move)
        old = self.histories.note(move, op, self.number) if self.histories is not None else None
        outcome = outcome_text(op, move.outcome)
        self.teller.note(self.number, move, op, outcome, changes, old)
        changes += [str(old)] if old is not None else []
        return Step(
            self.number, self.world.names[move.thread], op.function, op.name, outcome, tuple(changes), old
        )

    def _handed_over(self, move: Move) -> list[str]:
        """Waiters that a release let in."""
        found = []
        for thread, name in enumerate(self.world.names):
            word = self.world.layout.thread_base(thread) + c.T_WAIT
            if move.before[word] == 1 and move.after[word] == 2:
                found.append(f"{name} gets it")
        return found


def outcome_text(op: Op, outcome: int) -> str:
    """The outcome in words; "" if there is only one."""
    if outcome == c.BLOCKED:
        return "waits"
    if outcome == c.VIOLATED:
        return VIOLATED
    if len(op.outcomes) == 1:
        return ""
    value = op.outcomes[outcome]
    return {True: "yes", False: "no"}.get(value, str(value)) if isinstance(value, bool) else str(value)


def record(world: RaceWorld, ways: Sequence[int], code: int, round_from: int = -1) -> Trace:
    """The path along ``ways`` (one primitive each), at whose end ``code`` is violated.

    ``round_from``: the primitive from which on the path goes round for ever.
    """
    walker, recorder = Walker(world), Recorder(world)
    watch = Watch(walker, recorder.words, recorder.locks.held, recorder.locks.waiting)
    steps: list[Step] = []
    for way in ways:
        recorder.next(walker, way)
        if steps and steps[-1].number != recorder.number:
            watch.behind()
        move = walker.go(way)
        steps.append(recorder.step(move))
        watch.note(move, world.program.ops[move.node], recorder.number)
    watch.behind()
    moving = {step.thread for step in steps}
    threads = tuple(name for name in world.names if name in moving) or world.names[:1]
    end = list(ending(walker, recorder, steps, code))
    if 0 <= round_from < len(steps):
        end.append(f"steps {steps[round_from].number} to {steps[-1].number} can be repeated for ever")
    story = recorder.teller.tell(code, c.VIOLATIONS[code], tuple(_waiting(walker)))
    blamed = tuple(_blamed(walker, steps, code))
    return Trace(threads, tuple(steps), tuple(end), tuple(ways), blamed, watch.states(), story)


def length_of(world: RaceWorld, ways: Sequence[int]) -> int:
    """The length that a path has when it is recorded."""
    walker, numbers = Walker(world), Numbers()
    for way in ways:
        numbers.next(walker, way)
        walker.go(way)
    return numbers.number


def _blamed(walker: Walker, steps: Sequence[Step], code: int) -> Iterable[str]:
    if steps and steps[-1].outcome == VIOLATED:
        yield f"{steps[-1].function}: {steps[-1].name}"
    elif code == c.V_DEADLOCK:
        yield from sorted({f"{op.function}: {op.name}" for _, op in _waiting(walker)})


def _waiting(walker: Walker) -> Iterable[tuple[str, Op]]:
    """Threads that cannot go on, and where each of them is."""
    for thread, name in enumerate(walker.world.names):
        op = walker.op_of(thread)
        if op.code not in (c.END, c.RCU_GP_START):
            yield name, op


def ending(walker: Walker, recorder: Recorder, steps: Sequence[Step], code: int) -> Iterable[str]:
    """What is wrong at the end of a path."""
    yield c.VIOLATIONS[code]
    if steps and steps[-1].outcome == VIOLATED:
        yield f"{steps[-1].thread}, in {steps[-1].function}: {steps[-1].name}"
    if code != c.V_DEADLOCK:
        return
    for lock, holders in sorted(recorder.locks.held.items()):
        yield f"{lock} is held by {', '.join(holders)}"
    for name, op in _waiting(walker):
        wanted = recorder.locks.waiting.get(name)
        place = f"waits for {wanted}" if wanted and op.code in _TAKES else f"waits in {op.name}"
        yield f"{name} {place}, in {op.function}"
