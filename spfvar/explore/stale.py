"""Loads that returned an old value: which store they missed, and why they may."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from spfvar.explore.moves import Move
from spfvar.explore.words import Words
from spfvar.ops import codes as c
from spfvar.ops.histories import ACQUIRE, FULL, MB, RMB
from spfvar.ops.op import Op
from spfvar.transition import views as v
from spfvar.transition import weak as t

#: Ops on weak words that store, if they have the outcome 0.
_IF_FIRST = (c.WEAK + c.INC_NOT_ZERO,)
_STORES = (
    *t.STORES,
    c.WEAK + c.ADD,
    c.WEAK + c.DEC_AND_TEST,
)
_ATOMICS = (c.WEAK + c.ADD, c.WEAK + c.INC_NOT_ZERO, c.WEAK + c.DEC_AND_TEST)


@dataclass(frozen=True, slots=True)
class Old:
    """A load of ``word`` that missed a store: by whom, at which step, of which value, and ``later`` ones.

    ``why`` it may, and ``last``: what ordered its thread's loads last.
    """

    word: str
    thread: str
    step: int
    value: str
    later: int
    why: str
    last: str

    def __str__(self) -> str:
        """The line of a trace."""
        more = f", and {self.later} more stores came behind that" if self.later > 1 else ""
        more = ", and another store came behind that" if self.later == 1 else more
        return f"OLD: {self.thread} wrote {self.value} at step {self.step}{more}; {self.why} ({self.last})"

    def as_dict(self) -> dict[str, object]:
        """For JSON."""
        return {
            "word": self.word, "missed": {"thread": self.thread, "step": self.step, "value": self.value},
            "later": self.later, "why": self.why, "last": self.last,
        }  # fmt: skip


@dataclass(frozen=True, slots=True)
class _Store:
    """A store of a history; the one that a race begins with has no thread."""

    thread: str
    step: int
    number: int  # of primitives executed so far
    value: str

    @property
    def text(self) -> str:
        return f"as {self.thread} stored it at step {self.step}" if self.thread else "as it was at the start"


@dataclass(frozen=True, slots=True)
class _Read:
    """A message that a thread has read, when, and how far along each history it brings who acquires it."""

    word: str
    store: _Store
    step: int
    brings: tuple[int, ...]


@dataclass(slots=True)
class Histories:
    """Follows the histories of weak words along a path."""

    words: Words
    _stores: list[list[_Store]] = field(default_factory=list)
    _dropped: list[int] = field(default_factory=list)
    _reads: dict[int, list[_Read]] = field(default_factory=dict)
    _last: dict[int, str] = field(default_factory=dict)
    _number: int = 0

    def __post_init__(self) -> None:
        for x in range(self._words):
            word = int(self._weak.home[x])
            value = self.words.spell[word](int(self.words.world.start[word]))
            self._stores.append([_Store("", 0, 0, value)])
            self._dropped.append(0)

    @property
    def _weak(self) -> v.Weak:
        weak = self.words.world.weak
        assert weak is not None
        return weak

    @property
    def _words(self) -> int:
        return int(self._weak.constants[v.K_WORDS])

    def note(self, move: Move, op: Op, step: int) -> Old | None:
        """Follow a primitive; what it missed, if it is a load of an old value."""
        if move.outcome < 0:
            return None
        self._number += 1
        x = self._word_of(move)
        old = None
        if x >= 0 and op.code in (*t.LOADS, *_ATOMICS):
            i = self._length(move.before, x) - 1 - (move.choice if op.code in t.LOADS else 0)
            old = self._missed(move, x, i)
            self._has_read(move, x, i, step)
        self._orders(move, op, x, step)
        for stored in self._stored(move, op, x):
            self._append(move, stored, step)
        self._forget(move)
        return old

    def _word_of(self, move: Move) -> int:
        """The number of the weak word that a primitive acts on, or -1."""
        first = int(self._weak.nodes[move.node, v.N_WORD])
        if first < 0:
            return -1
        world = self.words.world
        word = world.layout.thread_base(move.thread) + int(world.program.table[move.node, c.C_A_REG])
        index = int(move.before[word])
        return first + (index - self.words.stale if index >= self.words.stale else index)

    def _length(self, state: object, x: int) -> int:
        ring = int(v.ring_of(self._weak, x))
        return int(state[ring])  # type: ignore[index]

    def _missed(self, move: Move, x: int, i: int) -> Old | None:
        """What a load of message ``i`` did not see."""
        behind = self._stores[x][i + 1 :]
        if not behind:
            return None
        missed = behind[0]
        thread = self.words.world.names[move.thread]
        why = self._why(move.thread, missed, x, self._dropped[x] + i + 1)
        last = self._last.get(move.thread, f"{thread} has acquired nothing")
        return Old(
            self._label(x), missed.thread, missed.step, missed.value, len(behind) - 1,
            why.format(thread=thread), last,
        )  # fmt: skip

    def _why(self, thread: int, missed: _Store, x: int, number: int) -> str:
        for read in reversed(self._reads.get(thread, [])):
            if read.brings[x] >= number:
                return (
                    f"{{thread}} has read {read.word} at step {read.step}, {read.store.text}, "
                    "which comes behind it, but nothing orders that load before this one"
                )
        for read in reversed(self._reads.get(thread, [])):
            if read.store.thread == missed.thread and read.store.number > missed.number:
                return (
                    f"{{thread}} has read {read.word} at step {read.step}, {read.store.text}, "
                    "but nothing orders those two stores"
                )
        return "nothing orders that before this load"

    def _has_read(self, move: Move, x: int, i: int, step: int) -> None:
        n = self._words
        weak = self._weak
        content = v.message_of(weak, v.ring_of(weak, x), i) + 1
        brings = tuple(self._dropped[y] + int(v.position(move.before, weak, content, y)) for y in range(n))
        read = _Read(self._label(x), self._stores[x][i], step, brings)
        self._reads.setdefault(move.thread, []).append(read)

    def _orders(self, move: Move, op: Op, x: int, step: int) -> None:
        """Note what orders the thread's later loads."""
        order = int(self._weak.nodes[move.node, v.N_ORDER])
        thread = self.words.world.names[move.thread]
        if x >= 0 and order & (ACQUIRE | FULL) and self._reads.get(move.thread):
            store = self._reads[move.thread][-1].store
            of = f"of step {store.step}" if store.thread else "of the start"
            self._last[move.thread] = f"last thing {thread} acquired: {self._label(x)} {of}"
        elif x < 0 and op.place is not None and op.place.field.width == 1 and order & (ACQUIRE | FULL):
            name = self._place_name(move, op)
            self._last[move.thread] = f"last thing {thread} acquired: {name}, at step {step}"
        elif op.code == c.FENCE and order & (RMB | MB):
            self._last[move.thread] = f"last barrier for loads of {thread}: {op.name} at step {step}"
        elif op.place is not None and op.code in _LOCKS and self._takes(move, op):
            name = self._place_name(move, op)
            self._last[move.thread] = f"last thing {thread} acquired: {name}, taken at step {step}"

    @staticmethod
    def _takes(move: Move, op: Op) -> bool:
        return len(op.outcomes) == 1 or move.outcome == 1

    def _place_name(self, move: Move, op: Op) -> str:
        assert op.place is not None
        layout = self.words.world.layout
        index = int(move.before[layout.thread_base(move.thread) + layout.registers[op.place.register]])
        index -= self.words.stale if index >= self.words.stale else 0
        return self.words.field_name(op.place.field, index)

    def _stored(self, move: Move, op: Op, x: int) -> Iterator[int]:
        """The words that got another message."""
        stores = op.code in _STORES or (op.code in _IF_FIRST and move.outcome == 0)
        for y in range(self._words):
            home = int(self._weak.home[y])
            if move.before[home] != move.after[home] or (y == x and stores):
                yield y

    def _append(self, move: Move, x: int, step: int) -> None:
        home = int(self._weak.home[x])
        value = self.words.spell[home](int(move.after[home]))
        self._stores[x].append(_Store(self.words.world.names[move.thread], step, self._number, value))

    def _forget(self, move: Move) -> None:
        """What nobody can read any more is gone from the histories."""
        for x in range(self._words):
            gone = max(0, len(self._stores[x]) - self._length(move.after, x))
            self._dropped[x] += gone
            del self._stores[x][:gone]

    def _label(self, x: int) -> str:
        return self.words.label[int(self._weak.home[x])]


_LOCKS = (c.DOWN_READ, c.DOWN_READ_TRYLOCK, c.DOWN_WRITE, c.LOCK, c.TRYLOCK)
