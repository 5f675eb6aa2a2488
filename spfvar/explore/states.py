"""The state behind each step of a trace, word by word: what a viewer shows beside it, and who freed what."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from spfvar.explore.moves import Move, Walker
from spfvar.explore.words import Words
from spfvar.ops import codes as c
from spfvar.ops import objects as o
from spfvar.ops.op import Op
from spfvar.ops.places import RWSEM_WORDS, SPIN_WORDS, Field
from spfvar.transition.locks import GRANTED

#: A word as a reader knows it: its group ("fault", "locks", "page tables", "vma") and its name there.
Key = tuple[str, str]

LOCKS, TREE, TABLES, RCU, CPUS = "locks", "VMA tree", "page tables", "RCU", "CPUs"
#: What a word is worth showing for: not if it is one of these all the way.
_IDLE = {"", "free", "none", "NULL", "0 readers", "not asked for"}
#: An object's life while its memory is its own.
_THERE = (c.LIVE, c.PENDING_NEXT, c.PENDING_WAIT)


@dataclass(frozen=True, slots=True)
class Freed:
    """An object that somebody gave up: ``how`` is "in use -> free", or first to a grace period."""

    object: str
    how: str
    step: int
    thread: str
    function: str
    primitive: str


@dataclass(frozen=True, slots=True)
class States:
    """The words of the state along a path, in a reader's order, each with its group and name.

    ``start`` has their values before the first step; ``changes``, for each scheduled step, what it left
    changed: (index of the word, its value), "" where the word is not there (a field of free memory).
    ``freed`` has what was freed, in order.
    """

    words: tuple[Key, ...]
    start: tuple[str, ...]
    changes: tuple[tuple[tuple[int, str], ...], ...]
    freed: tuple[Freed, ...]

    def at(self, step: int) -> dict[Key, str]:
        """What is there behind a step, 0 for the start: words with a value."""
        values = list(self.start)
        for changes in self.changes[:step]:
            for index, value in changes:
                values[index] = value
        return {word: value for word, value in zip(self.words, values, strict=True) if value}


class Watch:
    """Looks at the state of a walker behind each step.

    ``held`` tells who has which lock, by its name (the state only counts readers); ``waiting`` who waits for
    which, by thread.
    """

    def __init__(
        self, walker: Walker, words: Words, held: Mapping[str, list[str]], waiting: Mapping[str, str]
    ) -> None:
        self._walker = walker
        self._words = words
        self._held = held
        self._waiting = waiting
        self._assigned: set[int] = set()
        self._freed: list[Freed] = []
        self._views = [dict(self._view())]

    def note(self, move: Move, op: Op, number: int) -> None:
        """Follow a primitive of a step."""
        for word in map(int, (move.before != move.after).nonzero()[0]):
            self._assigned.add(word)
        thread = self._words.world.names[move.thread]
        for word, label in self._lives():
            before, after = int(move.before[word]), int(move.after[word])
            if before != after and before in _THERE and (before == c.LIVE or after not in _THERE):
                spell = self._words.spell[word]
                how = f"{spell(before)} -> {spell(after)}"
                self._freed.append(Freed(label, how, number, thread, op.function, op.name))

    def behind(self) -> None:
        """The state now is behind a step."""
        self._views.append(dict(self._view()))

    def states(self) -> States:
        """All that was seen; what was nothing all the way is left out."""
        keys = dict.fromkeys(key for view in self._views for key in view)
        shown = [key for key in keys if any(view.get(key, "") not in _IDLE for view in self._views)]
        shown.sort(key=self._place)
        rows = [[view.get(key, "") for key in shown] for view in self._views]
        changes = tuple(
            tuple((i, new) for i, (old, new) in enumerate(zip(before, after, strict=True)) if old != new)
            for before, after in pairwise(rows)
        )
        return States(tuple(shown), tuple(rows[0]), changes, tuple(self._freed))

    def _place(self, key: Key) -> int:
        """Threads, locks, tree, tables, then objects by class; within a group as found."""
        order = [*self._words.world.names, LOCKS, RCU, TREE, TABLES]
        order += [cls.name for cls in o.CLASSES]
        return order.index(key[0]) if key[0] in order else len(order)

    # --- one state -------------------------------------------------------------------------------

    def _view(self) -> Iterator[tuple[Key, str]]:
        state = self._walker.state
        for thread, name in enumerate(self._words.world.names):
            for label, text in self._thread(thread, name):
                yield (name, label), text
        yield from self._locks(state)
        yield from self._sections(state)
        yield from self._tables(state)
        yield from self._objects(state)
        yield from self._others(state)

    def _thread(self, thread: int, name: str) -> Iterator[tuple[str, str]]:
        state, world = self._walker.state, self._words.world
        op = self._walker.op_of(thread)
        base = world.layout.thread_base(thread)
        yield "next", "has ended" if op.code == c.END else f"{op.function}(): {op.name}"
        inside = (
            "interrupts off" if state[base + c.T_IRQ_OFF] else "RCU" if state[base + c.T_RCU_NEST] else ""
        )
        yield "inside", inside
        yield "waits for", self._waiting.get(name, "")
        for word, register in self._words.registers[thread].items():
            if word in self._assigned:
                yield register.name, self._words.register_text(register, int(state[word]))

    def _locks(self, state: Any) -> Iterator[tuple[Key, str]]:
        layout = self._words.world.layout
        for field in layout.field_offset:
            if field.width not in (RWSEM_WORDS, SPIN_WORDS):
                continue
            for index in range(layout.sizes.count(field.cls)):
                name = self._words.field_name(field, index)
                yield (LOCKS, name), self._lock(state, field, layout.word(field, index), name)

    def _lock(self, state: Any, field: Field, word: int, name: str) -> str:
        """Who holds it, by the state: an owner's number, or a count of readers; then the queue."""
        if field.width == RWSEM_WORDS:
            readers, owner, head = (int(state[word + i]) for i in range(3))
        else:
            readers, owner, head = 0, int(state[word]), int(state[word + 1])
        names = self._words.world.names
        parts = []
        if owner:
            how = " writes" if field.width == RWSEM_WORDS else ""
            parts.append(names[owner - 1] + how)
        if readers:
            known = [one.removesuffix(" (read)") for one in self._held.get(name, []) if " (read)" in one]
            known += [one for one, lock in self._waiting.items() if lock == name and self._granted(one)]
            parts.append(f"{', '.join(known)} read{'s' if readers == 1 else ''}" if len(known) == readers
                         else f"{readers} reader{'' if readers == 1 else 's'}")  # fmt: skip
        queue = []
        while head:
            queue.append(names[head - 1])
            head = int(state[self._words.world.layout.thread_base(head - 1) + c.T_WNEXT])
        if queue:
            parts.append(f"waiting: {', '.join(queue)}")
        return "; ".join(parts) or "free"

    def _granted(self, name: str) -> bool:
        world = self._words.world
        base = world.layout.thread_base(world.names.index(name))
        return int(self._walker.state[base + c.T_WAIT]) == GRANTED

    def _sections(self, state: Any) -> Iterator[tuple[Key, str]]:
        word = int(self._words.world.layout.g[c.G_RCU])
        _, first, second, running, pending = (int(state[word + i]) for i in range(5))
        readers = first + second
        yield (RCU, "readers"), f"{readers} reader{'' if readers == 1 else 's'}"
        asked = "runs" if running else "asked for" if pending else "not asked for"
        yield (RCU, "grace period"), asked

    def _tables(self, state: Any) -> Iterator[tuple[Key, str]]:
        words = self._words
        g, sizes = words.world.layout.g, words.world.layout.sizes
        for slot in range(((sizes.pages - 1) >> sizes.tree_shift) + 1):
            word = int(g[c.G_TREE]) + slot
            yield (TREE, words.label[word]), words.spell[word](int(state[word]))
        for slot in range(((sizes.pages - 1) >> sizes.pt_shift) + 1):
            word = int(g[c.G_PMD]) + slot
            yield (TABLES, words.label[word]), words.spell[word](int(state[word]))
        for word in words.entry_words:
            yield (TABLES, words.place_of_entry(word, state)), words.spell[word](int(state[word]))

    def _lives(self) -> Iterator[tuple[int, str]]:
        layout = self._words.world.layout
        for cls in o.CLASSES:
            for index in range(layout.sizes.count(cls) if cls.lifetime else 0):
                word = layout.class_base(cls) + index * layout.class_stride[cls]
                yield word, self._words.label[word]

    def _objects(self, state: Any) -> Iterator[tuple[Key, str]]:
        """The life of every object, and the fields of those that are not free."""
        words, layout = self._words, self._words.world.layout
        for cls in o.CLASSES:
            fields = [
                field for field, offset in layout.field_offset.items()
                if field.cls == cls and field.width == 1 and not (cls.lifetime and offset == 0)
            ]  # fmt: skip
            for index in range(layout.sizes.count(cls)):
                life = layout.class_base(cls) + index * layout.class_stride[cls]
                if cls.lifetime:
                    yield (cls.name, words.label[life]), words.spell[life](int(state[life]))
                if cls.lifetime and state[life] not in _THERE:
                    continue
                for field in fields:
                    word = layout.word(field, index)
                    yield (cls.name, words.label[word]), words.spell[word](int(state[word]))

    def _others(self, state: Any) -> Iterator[tuple[Key, str]]:
        """TLBs, loaded mms, CPUs that are waited for: "TLB of fault[0]"."""
        for word, label in self._words.other_words.items():
            yield (CPUS, label), self._words.spell[word](int(state[word])) if state[word] else ""
