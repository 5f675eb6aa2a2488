"""What the generated races of one memory have in common under a design: automata, layout, linked programs.

A race by itself is extracted, laid out and linked in some ten milliseconds, and searched in less than one.
Here each actor's program is linked once, in a layout that has room for every race so far; a race puts
such pieces together.  Words and objects that a race does not use add no states.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Collection, Hashable, Mapping
from dataclasses import dataclass, fields, replace
from operator import attrgetter
from typing import Final

import numpy as np
import numpy.typing as npt

from spfvar.automata.automaton import Automaton, registers_of
from spfvar.automata.layout import Layout, Sizes
from spfvar.automata.link import Program, link
from spfvar.automata.lower import lower, resizes
from spfvar.automata.weaken import Memory as Model
from spfvar.automata.weaken import strengthen, weaken_each, without_fences
from spfvar.explore.footprints import deferred_by
from spfvar.explore.options import Options
from spfvar.explore.rules import Followed, Piece, join, moved, piece_of
from spfvar.explore.running import running
from spfvar.explore.views import weak_of
from spfvar.explore.world import (
    KTHREAD,
    RaceWorld,
    allocations,
    begin,
    fills_own_tables,
    lock_words,
    memory_of,
    names_of_threads,
    sequence_words,
    sizes_for,
)
from spfvar.generator.memories import Memory
from spfvar.generator.programs import Group
from spfvar.mm.grace_period import gp_kthread
from spfvar.mm.vmf import Mapping as MappedFacts
from spfvar.ops import codes as c
from spfvar.ops import objects as o
from spfvar.ops.op import Op
from spfvar.ops.places import Field, ObjectClass, Register
from spfvar.plugins.variant import Stack
from spfvar.scenario.actors import actor_text
from spfvar.scenario.race import Race

#: Bytes of a digest that are kept: of ten million races two are confused once in 400,000 hunts.
KEY: Final = 8
#: Programs that are remembered; one takes some 100 KB.
_REMEMBERED: Final = 200

State = npt.NDArray[np.int16]
#: What a program's text depends on besides its memory: its statements, and the facts of each VMA.
_TextKey = tuple[tuple[int, ...], tuple[MappedFacts, ...]]


@dataclass(frozen=True, slots=True)
class _Text:
    """The automaton of a program or of the kthread, and what races have to know of it."""

    automaton: Automaton
    allocated: Counter[ObjectClass]
    own_tables: bool
    resizes: bool
    deferred: frozenset[ObjectClass]


@dataclass(frozen=True, slots=True)
class _Lowered:
    """An automaton as a world runs it: what it needs of a layout, and what it is equal to."""

    automaton: Automaton
    registers: frozenset[Register]
    fields: frozenset[Field]
    codes: frozenset[int]
    digest: bytes


def _step_text(op: Op) -> str:
    """A primitive as a hunt names it; "" for what is none: an end, or what must not be reached."""
    return "" if op.code in (c.END, c.BUG) else f"{op.function}: {op.name}"


@dataclass(frozen=True, slots=True)
class Linked:
    """A program in a layout: its rows, what a search follows in it, and its steps in words."""

    ops: tuple[Op, ...]
    piece: Piece
    steps: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Joint:
    """What the races of a group share: all but their start states, which `Ground.start` makes."""

    world: RaceWorld
    followed: Followed
    linked: tuple[Linked, ...]
    digest: bytes
    fields: frozenset[Field]
    entries: tuple[int, ...]


class Ground:
    """Makes the races of a memory ready, under one design and a memory model."""

    def __init__(self, stack: Stack, memory: Memory, options: Options, model: Model = "sc") -> None:
        self._model: Model = model
        self._stack = stack
        self._memory = memory
        self._options = options
        self._texts: dict[_TextKey, _Text] = {}
        self._lowered: dict[Hashable, _Lowered] = {}
        self._plots: dict[int, _Plot] = {}
        self._kthreads: dict[frozenset[bool], _Text] = {}
        self._op_digests: dict[Op, bytes] = {}
        self._start_keys: dict[tuple[int, frozenset[Field]], bytes] = {}

    def joint(self, group: Group) -> Joint:
        """The world of a group's races.  Raises StrategyError for a text that is none."""
        race = group.race()
        texts = {
            actor.name: self._text(race, number, program)
            for number, (actor, (_, program)) in enumerate(zip(race.actor, group.actors, strict=True))
        }
        kthread = self._kthread(texts)
        every = texts | ({KTHREAD: kthread} if kthread is not None else {})
        threads = race.threads + (kthread is not None)
        populated = race.model_copy(update={"vma": list(self._memory.fullest)})
        sizes = sizes_for(
            populated,
            [text.allocated for text in texts.values()],
            any(text.own_tables for text in every.values()),
            threads,
        )
        resized = any(text.resizes for text in texts.values())
        lowered = {name: self._lower(text, sizes, resized) for name, text in every.items()}
        plot = self._plots.setdefault(threads, _Plot())
        plot.make_room(sizes, lowered.values())
        deferred = frozenset().union(*(text.deferred for text in texts.values()))
        linked = {name: plot.link(one, deferred) for name, one in lowered.items()}
        return self._joint(race, plot, lowered, linked)

    def start(self, number: int, joint: Joint) -> State:
        """The start state of a group's race from the memory's start of that number."""
        layout = joint.world.layout
        race = joint.world.race.model_copy(update={"vma": list(self._memory.starts[number])})
        plot = self._plots[layout.sizes.threads]
        if number not in plot.memories:
            plot.memories[number] = memory_of(race, layout)
        state = plot.memories[number].copy()
        begin(race, layout, state, joint.entries)
        if layout.weak_words:
            layout.begin_histories(state)
        return state

    def key(self, number: int, joint: Joint, start: State) -> bytes:
        """Equal for races that are one race to the design: the same programs, started from the same state."""
        known = (number, joint.fields)
        if known not in self._start_keys:
            warm = [vma.start for vma in self._memory.starts[number] if vma.warm]
            words = _start_words(joint.world.layout, start, joint.fields)
            self._start_keys[known] = repr((warm, words)).encode()
        return hashlib.sha256(joint.digest + self._start_keys[known]).digest()[:KEY]

    def _text(self, race: Race, number: int, program: tuple[int, ...]) -> _Text:
        key = (program, tuple(race.mapping(vma) for vma in race.vma))
        if key not in self._texts:
            if len(self._texts) >= _REMEMBERED:
                self._texts.clear()
                self._lowered.clear()
                self._plots.clear()
            text = actor_text(race, race.actor[number])
            name, strong = race.actor[number].name, self._model == "sc"
            self._texts[key] = _known_of(self._stack.automaton(name, text, keep=False, strong=strong))
        return self._texts[key]

    def _kthread(self, texts: Mapping[str, _Text]) -> _Text | None:
        """The grace-period kthread that the programs need."""
        if not any(text.deferred for text in texts.values()):
            return None
        automata = [text.automaton for text in texts.values()]
        flavours = frozenset(
            bool(op.imm2) for automaton in automata for op in automaton.ops() if op.code == c.CALL_RCU
        )
        if flavours not in self._kthreads:
            text = gp_kthread(automata)
            assert text is not None
            self._kthreads[flavours] = _known_of(self._stack.automaton(KTHREAD, text))
        return self._kthreads[flavours]

    def _lower(self, text: _Text, sizes: Sizes, resized: bool) -> _Lowered:
        # Of a memory's races, some have policies and some have none.
        key = (id(text), resized, sizes.policies == 0)
        if key not in self._lowered:
            name = text.automaton.name
            lowered = lower({name: text.automaton}, sizes, resized)
            weak = self._model == "lkmm"
            self._lowered[key] = self._needs(
                weaken_each(lowered[name]) if weak else strengthen(lowered)[name]
            )
        return self._lowered[key]

    def _needs(self, automaton: Automaton) -> _Lowered:
        ops = list(automaton.ops())
        digest = hashlib.sha256()
        for node in automaton.nodes:
            digest.update(self._op_digest(node.op))
            digest.update(bytes(str(node.successors), "ascii"))
        used = frozenset(registers_of(ops))
        places = frozenset(op.place.field for op in ops if op.place is not None)
        return _Lowered(automaton, used, places, frozenset(op.code for op in ops), digest.digest())

    def _op_digest(self, op: Op) -> bytes:
        if op not in self._op_digests:
            self._op_digests[op] = hashlib.sha256(repr(_content(op)).encode()).digest()[:KEY]
        return self._op_digests[op]

    def _joint(
        self, race: Race, plot: _Plot, lowered: Mapping[str, _Lowered], linked: Mapping[str, Linked]
    ) -> Joint:
        layout = plot.layout
        entry: dict[str, int] = {}
        tables = []
        row = 0
        for name, one in linked.items():
            entry[name] = row
            tables.append(moved(one.piece.table, row))
            row += len(one.ops)
        ops = tuple(op for one in linked.values() for op in one.ops)
        program = Program(np.concatenate(tables), ops, entry, (), (), (), 0, 0)
        names, groups = names_of_threads(race, KTHREAD in linked)
        programs = list(entry)
        entries = tuple(entry[programs[group]] for group in groups)
        automata = {name: one.automaton for name, one in lowered.items()}
        cpus = running(race, groups)
        start = np.zeros(layout.words + -layout.words % 4, dtype=np.int16)
        begin(race, layout, start, entries)
        world = RaceWorld(
            race, layout, program, automata, start, plot.locks, plot.sequences, names, groups,
            weak_of(layout, program, cpus) if self._model == "lkmm" else None,
        )  # fmt: skip
        followed = join(world, {name: one.piece for name, one in linked.items()}, self._options, plot.bits)
        digest = hashlib.sha256(repr((race.table_pages, layout.sizes.pages, race.mms)).encode())
        if world.weak is not None:
            digest.update(repr(cpus).encode())
        for group in groups:
            digest.update(lowered[programs[group]].digest)
        mentioned = frozenset().union(*(one.fields for one in lowered.values()))
        return Joint(world, followed, tuple(linked.values()), digest.digest(), mentioned, entries)


class _Plot:
    """A layout for races of so many threads, and the programs linked in it.

    It is made anew, and they with it, if a program comes that it has no place for.
    """

    def __init__(self) -> None:
        self.layout: Layout = None  # type: ignore[assignment]  # make_room comes first
        self.locks: npt.NDArray[np.int64] = np.zeros(0, dtype=np.int64)
        self.sequences = self.locks.reshape(-1, 2)
        self.bits: dict[Hashable, int] = {}
        self.memories: dict[int, State] = {}
        self._linked: dict[Hashable, Linked] = {}
        self._shapers: list[Automaton] = []
        self._sizes: Sizes | None = None
        self._has: set[Hashable] = set()

    def make_room(self, sizes: Sizes, programs: Collection[_Lowered]) -> None:
        """See to it that the layout has what these programs need."""
        changed = False
        for program in programs:
            needed = program.registers | program.fields | program.codes
            if not needed <= self._has:
                self._has |= needed
                self._shapers.append(program.automaton)
                changed = True
        largest = sizes if self._sizes is None else _larger(sizes, self._sizes)
        if changed or largest != self._sizes:
            self._sizes = largest
            self.layout = Layout(largest, self._shapers)
            self.locks, self.sequences = lock_words(self.layout), sequence_words(self.layout)
            self.memories.clear()
            self._linked.clear()

    def link(self, program: _Lowered, deferred: frozenset[ObjectClass]) -> Linked:
        """A program's rows and what a search follows in it."""
        name = program.automaton.name
        key = (id(program), deferred if name == KTHREAD else None)
        if key not in self._linked:
            automaton = program.automaton if self.layout.weak_words else without_fences(program.automaton)
            linked = link({name: automaton}, self.layout, lifetimes=True)
            piece = piece_of(linked.ops, linked.table, self.layout, deferred)
            steps = tuple(_step_text(op) for op in linked.ops)
            self._linked[key] = Linked(linked.ops, piece, steps)
        return self._linked[key]


def _known_of(automaton: Automaton) -> _Text:
    return _Text(
        automaton,
        allocations(automaton),
        fills_own_tables(automaton),
        resizes(automaton),
        frozenset(deferred_by(automaton.ops())),
    )


#: What an op does and is called; its costs and its place in a file make no difference to a race.
_content = attrgetter(
    *(one.name for one in fields(Op) if one.compare and one.name not in ("cost", "line", "event"))
)


def _larger(one: Sizes, other: Sizes) -> Sizes:
    """Room for both; they differ in numbers of objects only."""
    names = ("vmas", "tables", "anon_vmas", "anon_pages", "policies", "nodes")
    more = {name: max(getattr(one, name), getattr(other, name)) for name in names}
    return replace(one, **more, tlbs=one.tlbs or other.tlbs)


def _start_words(layout: Layout, start: State, mentioned: frozenset[Field]) -> list[int]:
    """What programs that mention these fields can find at the start.

    Who uses or keeps an mm, and whose TLBs are warm, is up to the programs.
    """
    words: list[int] = []
    looked_at = sorted(
        (field for field in layout.field_offset if field.width == 1 and _matters(field, mentioned)),
        key=lambda field: (o.CLASSES.index(field.cls), field.name),
    )
    for cls in o.CLASSES:
        base, stride = layout.class_base(cls), layout.class_stride[cls]
        for index in range(layout.sizes.count(cls)):
            if cls.lifetime and start[base + index * stride] != c.LIVE:
                continue
            words += [int(start[layout.word(field, index)]) for field in looked_at if field.cls == cls]
        words.append(-1)
    g, sizes = layout.g, layout.sizes
    directory = range(int(g[c.G_PMD]), int(g[c.G_PMD]) + (sizes.pages >> sizes.pt_shift))
    words += start[int(g[c.G_TREE]) : int(g[c.G_TREE]) + sizes.pages].tolist()
    for word in directory:
        words.append(int(start[word]))
        if start[word]:
            first = int(g[c.G_PTE]) + (int(start[word]) - 1 << sizes.pt_shift)
            words += start[first : first + (1 << sizes.pt_shift)].tolist()
    return words


def _matters(field: Field, mentioned: frozenset[Field]) -> bool:
    return field not in (o.MM_USERS, o.MM_COUNT) and (
        field in mentioned or field in o.FIXED_FIELDS.get(field.cls, ())
    )
