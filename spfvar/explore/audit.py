"""An audit of strong words: those that are read by a thread that need not know their newest store.

Random walks, as `spfvar.explore.walk` takes them, with the clocks of `spfvar.explore.clocks` beside them.  A
word that is never read in such a way may be sequentially consistent: whoever reads it knows its newest store
anyway.  What is reported was met; what is not reported was not met in so many walks, which is no proof.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Hashable, Iterator
from dataclasses import dataclass, field
from typing import Final

import numpy as np

from spfvar.explore.clocks import RELEASING, TAKING, Clock, Clocks
from spfvar.explore.moves import Move, Walker
from spfvar.explore.running import running
from spfvar.explore.search import WAYS
from spfvar.explore.walk import STAYS
from spfvar.explore.walked import LONGEST
from spfvar.explore.world import RaceWorld
from spfvar.ops import codes as c
from spfvar.ops import histories as h
from spfvar.ops import objects as o
from spfvar.ops.op import Op
from spfvar.transition import views as v
from spfvar.transition import weak as t

#: What a word is called that is no field.
TREE: Final = "VMA tree"
PMD: Final = "page-table directory"
PTE: Final = "page-table entries"

_LOADS: Final = (c.LOAD, c.LOAD_TEST, c.LOAD_ODD, c.LOAD_REF, c.EQUALS, c.EQUALS_REG, c.WAIT_EQUALS)
_ATOMICS: Final = (c.ADD, c.INC_NOT_ZERO, c.DEC_AND_TEST)
_STORES: Final = (c.STORE, c.STORE_REG, c.STORE_REF, *_ATOMICS)
_ENTRIES: Final = (c.READ_PTE, c.PTE_SAME, c.PTE_NONE)
_DIRECTORY: Final = (c.READ_PMD, c.PMD_SAME)


@dataclass(frozen=True, slots=True)
class Access:
    """A primitive of a text: its function, its name, its file and line."""

    function: str
    name: str
    where: str


@dataclass(frozen=True, slots=True)
class Racy:
    """A word, as "vma->vm_start", that ``reader`` reads and need not know what ``writer`` has stored."""

    word: str
    reader: Access
    writer: Access


@dataclass(slots=True)
class Audit:
    """What walks through a race found.

    Of ``loads`` primitives that load strong words, ``read`` were executed.
    """

    racy: dict[Racy, int] = field(default_factory=dict)
    walks: int = 0
    read: int = 0
    loads: int = 0


def audit(
    world: RaceWorld, walks: int, seed: int = 1, progress: Callable[[int, int, float], None] | None = None
) -> Audit:
    """Walk through a race at random, and note every racy read of a strong word, with how often it was met."""
    found = Audit(walks=walks)
    words = _Words(world)
    executed: set[int] = set()
    rng = random.Random(seed)
    for number in range(walks):
        follower = _Follower(world, words, found.racy)
        for move in _moves(world, random.Random(rng.random())):
            executed.add(move.node)
            follower.note(move)
        if progress is not None:
            progress(number + 1, number + 1, 1.0)
    loads = [node for node, op in enumerate(world.program.ops) if words.is_read(op)]
    found.loads, found.read = len(loads), len(executed.intersection(loads))
    return found


def _moves(world: RaceWorld, rng: random.Random) -> Iterator[Move]:
    """A random walk."""
    walker = Walker(world)
    stay = rng.choice(STAYS) / 10_000
    blocked: set[int] = set()
    last = 0
    for _ in range(LONGEST):
        free = [thread for thread in range(world.threads) if thread not in blocked]
        if not free:
            return
        if last in blocked or rng.random() >= stay:
            last = rng.choice(free)
        choices = list(range(walker.choices(last)))
        rng.shuffle(choices)
        for choice in choices:
            move = walker.go(last * WAYS + choice)
            if not move.idle:
                break
        if move.outcome == c.BLOCKED:
            blocked.add(last)
        else:
            blocked.clear()
        if not move.idle:
            yield move
        if move.outcome == c.VIOLATED:
            return


class _Words:
    """Which words are looked at, and what they are called."""

    def __init__(self, world: RaceWorld) -> None:
        self.world = world
        layout, g, sizes = world.layout, world.layout.g, world.layout.sizes
        weak = set() if world.weak is None else set(world.weak.home.tolist())
        self.name: dict[int, str] = {}
        self.locks: dict[Hashable, int] = {}
        self.of_object: dict[tuple[Hashable, int], list[int]] = {}
        for one in layout.field_offset:
            for index in range(sizes.count(one.cls)):
                word = layout.word(one, index)
                if one.width > 1:
                    self.locks[one, index] = word
                elif (
                    one.width == 1
                    and word not in weak
                    and not (one.cls.lifetime and not layout.field_offset[one])
                ):
                    self.name[word] = str(one)
                    if not one.kept:
                        self.of_object.setdefault((one.cls, index), []).append(word)
        for slot in range(((sizes.pages - 1) >> sizes.tree_shift) + 1):
            self.name[int(g[c.G_TREE]) + slot] = TREE
        for slot in range(((sizes.pages - 1) >> sizes.pt_shift) + 1):
            self.name[int(g[c.G_PMD]) + slot] = PMD
        for entry in range(sizes.tables << sizes.pt_shift):
            self.name[int(g[c.G_PTE]) + entry] = PTE
        self.all = np.array(sorted(self.name), dtype=np.int64)

    def is_read(self, op: Op) -> bool:
        """Does a primitive of the kernel's (not the model's bookkeeping) load strong words?"""
        if op.cost == "free" and op.line is None and op.code not in (c.FIND_VMA, *_DIRECTORY, *_ENTRIES):
            return False
        return op.code in (*_LOADS, c.VMA_CONTAINS, c.FIND_VMA, *_DIRECTORY, *_ENTRIES)

    def read_by(self, move: Move, op: Op) -> list[int]:
        """The strong words that a primitive loads, and no atomic."""
        layout, g = self.world.layout, self.world.layout.g
        base = layout.thread_base(move.thread)
        row = self.world.program.table[move.node]

        def value(column: int) -> int:
            number = int(move.before[base + int(row[column])])
            return number - int(g[c.G_STALE]) if number >= g[c.G_STALE] else number

        if not self.is_read(op):
            return []
        if op.code == c.FIND_VMA:
            start = value(c.C_SRC)
            end = min(value(c.C_SRC2) if row[c.C_SRC2] >= 0 else start + 1, int(g[c.G_PAGES]))
            shift = int(g[c.G_TREE_SHIFT])
            slots = range(start >> shift, ((end - 1) >> shift) + 1) if end > start else ()
            return [int(g[c.G_TREE]) + slot for slot in slots]
        if op.code in _DIRECTORY:
            address = value(c.C_SRC)
            return [int(g[c.G_PMD]) + (address >> int(g[c.G_PT_SHIFT]))]
        index = value(c.C_A_REG)
        if index < 0:
            return []
        if op.code in _ENTRIES:
            shift = int(g[c.G_PT_SHIFT])
            return [int(g[c.G_PTE]) + (index << shift) + (value(c.C_SRC) & ((1 << shift) - 1))]
        assert op.place is not None
        if op.code == c.VMA_CONTAINS:
            return [layout.word(one, index) for one in (o.VM_START, o.VM_END)]
        return [layout.word(op.place.field, index)]

    def place_of(self, move: Move, op: Op) -> int:
        """The object that a primitive acts on, or -1."""
        if op.place is None:
            return -1
        layout = self.world.layout
        stale = int(layout.g[c.G_STALE])
        index = int(move.before[layout.thread_base(move.thread) + layout.registers[op.place.register]])
        return index - stale if index >= stale else index


@dataclass(frozen=True, slots=True)
class _Stored:
    """The newest store to a word: whose, which of that thread's, what it brings along, by which primitive."""

    thread: int
    number: int
    brings: Clock
    op: Op | None


class _Follower:
    """Follows a walk: clocks, and the newest store of each word."""

    def __init__(self, world: RaceWorld, words: _Words, racy: dict[Racy, int]) -> None:
        self.world, self.words, self.racy = world, words, racy
        self.clocks = Clocks(world.threads)
        self._cpus = running(world.race, world.groups)
        self._newest: dict[int, _Stored] = {}
        self._messages: list[list[Clock]] = []
        if world.weak is not None:
            self._messages = [[self.clocks.nothing()] for _ in world.weak.home]

    def note(self, move: Move) -> None:
        """Follow a primitive."""
        if move.outcome < 0:
            return
        op = self.world.program.ops[move.node]
        order = h.BITS[op.order]
        clocks, thread = self.clocks, move.thread
        place = self.words.place_of(move, op)
        if op.code == c.FENCE or (op.code == c.NOP and op.order):
            clocks.fence(thread, order)
        if order & h.FULL:
            clocks.full_fence(thread)
        brings = self._read(move, op, place, order)
        self._locks(move, op, place)
        if op.place is not None and op.code == c.ALLOC:
            clocks.allocated(thread, op.place.field.cls)
        base = self.world.layout.thread_base(thread)
        clocks.other(thread, op, int(move.before[base + c.T_RCU_NEST]), self._interrupted(move, op))
        self._write(move, op, place, order, brings)
        if order & h.FULL:
            clocks.full_fence(thread)
        if op.place is not None and op.code == c.FREE:
            clocks.freed(thread, op.place.field.cls)

    def _interrupted(self, move: Move, op: Op) -> list[int]:
        """The threads that an interrupt is sent to."""
        if op.code != c.IPI_SEND:
            return []
        layout = self.world.layout
        page = None if op.src is None else int(move.before[layout.thread_word(move.thread, op.src)])
        about = [int(move.before[layout.thread_word(one, o.mm)]) for one in range(self.world.threads)]
        return self._cpus.interrupted(move.thread, page, about)

    # --- loads ---------------------------------------------------------------------------------------------

    def _read(self, move: Move, op: Op, place: int, order: int) -> Clock | None:
        """Note racy reads; what the word's store has brought, if an atomic passes it on."""
        clocks, thread = self.clocks, move.thread
        brings = clocks.nothing()
        reach = op.place.register if op.place is not None else op.src
        through = clocks.through(thread, reach)
        x = self._weak_word(move, op, place)
        if x >= 0:
            return self._read_weak(move, op, x, order)
        words = self.words.read_by(move, op)
        for word in words:
            stored = self._newest.get(word)
            if stored is None:
                continue
            known = max(clocks.known[thread][stored.thread], through[stored.thread])
            if stored.thread != thread and known < stored.number and stored.op is not None:
                found = Racy(self.words.name[word], access_of(op), access_of(stored.op))
                self.racy[found] = self.racy.get(found, 0) + 1
            for one in range(clocks.threads):
                brings[one] = max(brings[one], stored.brings[one], through[one])
        if words and op.order:
            clocks.has_read(thread, brings, order)
        if op.dst is not None:
            published = op.code in (c.FIND_VMA, *_DIRECTORY, *_ENTRIES) or (words and op.code in _LOADS)
            copied = clocks.through(thread, op.src) if op.code == c.ADD_REG else None
            clocks.depends(thread, op.dst, brings if published else copied)
        if op.code in _ATOMICS and place >= 0:
            return self._read_atomic(move, op, place, order)
        return None

    def _read_atomic(self, move: Move, op: Op, place: int, order: int) -> Clock | None:
        """An atomic on a strong word reads the newest store, whatever it knows."""
        assert op.place is not None
        stored = self._newest.get(self.world.layout.word(op.place.field, place))
        if stored is None:
            return None
        # Each dec_and_test of the kernel is at least a release, and an acquire of the last one.
        self.clocks.has_read(move.thread, stored.brings, order | h.ACQUIRE * (op.code == c.DEC_AND_TEST))
        return stored.brings

    def _weak_word(self, move: Move, op: Op, place: int) -> int:
        if self.world.weak is None or place < 0:
            return -1
        first = int(self.world.weak.nodes[move.node, v.N_WORD])
        return first + place if first >= 0 else -1

    def _read_weak(self, move: Move, op: Op, x: int, order: int) -> Clock | None:
        messages = self._messages[x]
        if op.code in t.STORES:
            return None
        brings = messages[len(messages) - 1 - (move.choice if op.code in t.LOADS else 0)]
        self.clocks.has_read(move.thread, brings, order)
        if op.dst is not None:
            self.clocks.depends(move.thread, op.dst, brings)
        return brings if op.code not in t.LOADS else None

    # --- stores --------------------------------------------------------------------------------------------

    def _write(self, move: Move, op: Op, place: int, order: int, before: Clock | None) -> None:
        clocks, thread = self.clocks, move.thread
        x = self._weak_word(move, op, place)
        if x >= 0:
            if op.code not in t.LOADS and not (op.code == c.WEAK + c.INC_NOT_ZERO and move.outcome):
                self._messages[x].append(self._message(thread, order, before))
            self._forget(move)
            return
        changed = self.words.all[move.before[self.words.all] != move.after[self.words.all]].tolist()
        words = dict.fromkeys(changed)
        if op.place is not None and place >= 0 and op.code in _STORES:
            word = self.world.layout.word(op.place.field, place)
            words |= {word: None} if word in self.words.name else {}
        if op.code == c.ALLOC and op.place is not None and op.dst is not None:
            index = int(
                move.after[self.world.layout.thread_base(thread) + self.world.layout.registers[op.dst]]
            )
            words |= dict.fromkeys(self.words.of_object.get((op.place.field.cls, index), ()))
        if not words:
            self._forget(move)
            return
        releases = order | h.RELEASE * (op.code == c.DEC_AND_TEST)
        number = clocks.store(thread)
        for word in words:
            published = self.words.name[word] in (TREE, PMD, PTE) and not order & h.UNORDERED
            brings = self._message(thread, releases | h.RELEASE * published, before, counted=True)
            self._newest[word] = _Stored(thread, number, brings, op)
        self._forget(move)

    def _message(self, thread: int, order: int, before: Clock | None, counted: bool = False) -> Clock:
        if not counted:
            self.clocks.store(thread)
        brings = self.clocks.carried(thread, bool(order & (h.RELEASE | h.FULL)))
        for one, stores in enumerate(before or ()):
            brings[one] = max(brings[one], stores)
        return brings

    def _forget(self, move: Move) -> None:
        """Messages that nobody can read any more are gone; those that an allocation has stored are new."""
        layout = self.world.layout
        for x, messages in enumerate(self._messages):
            ring = layout.rings + x * h.history_words(len(self._messages), layout.history)
            length = int(move.after[ring])
            home = int(self.world.weak.home[x]) if self.world.weak is not None else 0
            allocates = self.world.program.ops[move.node].code == c.ALLOC
            if allocates and move.before[home] != move.after[home]:
                messages.append(self._message(move.thread, 0, None))
            del messages[: max(0, len(messages) - length)]

    # --- locks ---------------------------------------------------------------------------------------------

    def _locks(self, move: Move, op: Op, place: int) -> None:
        if op.place is not None and op.place.field.width > 1 and op.code in (*TAKING, *RELEASING):
            mine = (op.place.field, place)
            if op.code in RELEASING:
                self.clocks.unlocked(move.thread, mine)
            elif len(op.outcomes) == 1 or move.outcome == (0 if op.code == c.RANGE_LOCK else 1):
                self.clocks.locked(move.thread, mine)
            return
        for lock, word in self.words.locks.items():  # primitives of the page cache lock folios besides
            if move.before[word] == 0 != move.after[word]:
                self.clocks.locked(move.thread, lock)
            elif move.before[word] != 0 == move.after[word]:
                self.clocks.unlocked(move.thread, lock)


def access_of(op: Op) -> Access:
    """Where a primitive stands."""
    file, _, line = op.where.rpartition(":")
    return Access(op.function, op.name, f"{file.rpartition('/')[2]}:{line}")
