"""A race under a variant, made ready to be explored: automata, layout, program table, start state."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from spfvar.automata.automaton import Automaton
from spfvar.automata.layout import Layout, Sizes, Words
from spfvar.automata.link import Program, link
from spfvar.automata.lower import lower
from spfvar.automata.weaken import Memory, strengthen, weak_in, weaken
from spfvar.explore.running import running
from spfvar.explore.views import narrowed, weak_of
from spfvar.mm.grace_period import gp_kthread
from spfvar.ops import codes as c
from spfvar.ops import objects as o
from spfvar.ops.histories import DEEPEST
from spfvar.ops.places import Field, ObjectClass
from spfvar.plugins.variant import Stack
from spfvar.scenario.actors import actor_text
from spfvar.scenario.race import MAX_ANON_PAGES, Race, RaceVma
from spfvar.scenario.verbs import ACCESSES, MONITORING, PINNING
from spfvar.transition.views import Weak

KTHREAD = "rcu_gp_kthread"
LANE = 4  # 16-bit words per 64-bit word


@dataclass(frozen=True, slots=True)
class RaceWorld:
    """What a search needs.

    ``start`` is the start state, padded to whole 64-bit words; ``locks`` the words that are 0 in a free lock,
    ``sequences`` those that are even at rest, each with the word of its object's life; ``names`` the threads'
    names, ``groups`` the number of each thread's actor.  ``weak`` is what a run under ``--memory lkmm`` needs
    besides, if it has weak words (spfvar.explore.views).
    """

    race: Race
    layout: Layout
    program: Program
    automata: dict[str, Automaton]
    start: npt.NDArray[np.int16]
    locks: npt.NDArray[np.int64]
    sequences: npt.NDArray[np.int64]
    names: tuple[str, ...]
    groups: tuple[int, ...]
    weak: Weak | None = None

    @property
    def memory(self) -> Memory:
        """The memory model that it runs under; without weak words there is no difference, and it is "sc"."""
        return "sc" if self.weak is None else "lkmm"

    @property
    def threads(self) -> int:
        """Threads of all actors, and the grace-period kthread if there is one."""
        return len(self.names)


def build_race(race: Race, stack: Stack, memory: Memory = "sc") -> RaceWorld:
    """Extract, lay out and link a race under a variant.  Raises StrategyError."""
    return build_world(race, extract_race(race, stack), memory=memory)


def extract_race(
    race: Race, stack: Stack, callers: bool = False, memory: Memory | None = None
) -> dict[str, Automaton]:
    """The automaton of each actor, and of the grace-period kthread if anything is freed by RCU.

    ``callers``: the calls of a function are kept apart.  ``memory``: with the nodes of a world under that
    memory model; None: whichever it will be.
    """
    automata = {
        actor.name: stack.automaton(actor.name, actor_text(race, actor), callers) for actor in race.actor
    }
    kthread = gp_kthread(automata.values())
    if kthread is not None:
        automata[KTHREAD] = stack.automaton(KTHREAD, kthread)
    return automata if memory is None else with_nodes_of(automata, memory)


def with_nodes_of(automata: dict[str, Automaton], memory: Memory) -> dict[str, Automaton]:
    """Automata of texts with the nodes, and their numbers, that they have in a world under a memory model."""
    return automata if memory == "lkmm" and weak_in(automata) else strengthen(automata)


def build_world(
    race: Race, automata: dict[str, Automaton], sizes: Sizes | None = None, memory: Memory = "sc"
) -> RaceWorld:
    """Lay out and link a race's automata.  ``sizes``: as large as they say, not as the race needs.

    ``memory``: the memory model; "sc" is sequential consistency, "lkmm" the kernel's (docs/weak-memory.md).
    """
    with_rcu = KTHREAD in automata
    sizes = sizes or sizes_of(race, automata)
    automata = lower(automata, sizes)
    automata = weaken(automata) if memory == "lkmm" else strengthen(automata)
    layout = Layout(sizes, automata.values(), DEEPEST)
    program = link(automata, layout, lifetimes=True)
    start = start_state(race, layout, program)
    names, groups = names_of_threads(race, with_rcu)
    return RaceWorld(
        race, layout, program, automata, start, lock_words(layout), sequence_words(layout), names, groups,
        weak_of(layout, program, running(race, groups)),
    )  # fmt: skip


def with_histories(world: RaceWorld, history: int, tries: int) -> RaceWorld:
    """The same world with room for so many messages in each history; what is noted is noted in both.

    ``tries``: what a search does when one of them is full, TRIES_* of spfvar.transition.views.
    """
    layout = world.layout.with_histories(history)
    start = without_histories(world.start, world.layout, layout)
    layout.begin_histories(start)
    weak = narrowed(world.weak, layout, tries) if world.weak is not None else None
    return replace(world, layout=layout, start=start, weak=weak)


def without_histories(state: npt.NDArray[np.int16], old: Layout, new: Layout) -> npt.NDArray[np.int16]:
    """What a state with weak words has besides histories and views, in a layout with other histories."""
    found = np.zeros(new.words, dtype=np.int16)
    found[: new.rings] = state[: old.rings]
    for thread in range(new.sizes.threads):
        here, there = old.thread_base(thread), new.thread_base(thread)
        found[there : there + new.fixed] = state[here : here + old.fixed]
    return found


def start_state(race: Race, layout: Layout, program: Program) -> npt.NDArray[np.int16]:
    """The start state of a race, padded to whole 64-bit words."""
    state = memory_of(race, layout)
    entries = [program.entry[actor.name] for actor in race.actor for _ in range(actor.count)]
    begin(race, layout, state, [*entries, *([program.entry[KTHREAD]] if KTHREAD in program.entry else [])])
    layout.begin_histories(state)
    return state


def memory_of(race: Race, layout: Layout) -> npt.NDArray[np.int16]:
    """The start state without its threads: nobody uses an mm, nobody is about to do anything."""
    return packed(_Start(race, layout).state)


def begin(race: Race, layout: Layout, state: npt.NDArray[np.int16], entries: Sequence[int]) -> None:
    """Put threads to the nodes that they begin with, and count who uses each mm, or keeps its mm_struct."""
    for thread, entry in enumerate(entries):
        state[layout.thread_base(thread) + c.T_PC] = entry
    if layout.has(o.MM_USERS):
        state[layout.word(o.MM_USERS, 0)] = 1 if race.single_threaded else max(2, race.threads)
        for mm in range(1, race.mms):
            users = sum(actor.count for actor in race.actor if race.runs_in(actor, mm))
            # Where nobody here runs, somebody else does.
            state[layout.word(o.MM_USERS, mm)] = max(1, users)
    for mm in range(race.mms):
        kept = sum(actor.count * race.keeps(actor, mm) for actor in race.actor)
        state[layout.word(o.MM_COUNT, mm)] = 1 + kept
    for vma in race.vma:
        if vma.warm:
            _warm(race, layout, state, vma)


def _warm(race: Race, layout: Layout, state: npt.NDArray[np.int16], vma: RaceVma) -> None:
    """Let the TLB of the first thread that runs in the VMA's mm have its entries."""
    g = layout.g
    shift = int(g[c.G_PT_SHIFT])
    actors = [actor for actor in race.actor for _ in range(actor.count)]
    thread = next((n for n, actor in enumerate(actors) if race.runs_in(actor, vma.mm)), 0)
    for page in range(vma.start + vma.growsdown, vma.end):
        table = int(state[int(g[c.G_PMD]) + (page >> shift)]) - 1
        entry = state[int(g[c.G_PTE]) + (table << shift) + (page & (1 << shift) - 1)]
        state[int(g[c.G_TLB]) + thread * int(g[c.G_PAGES]) + page] = entry
        if g[c.G_WALK] and not g[c.G_OWN]:
            slots = ((layout.sizes.pages - 1) >> shift) + 1
            state[int(g[c.G_WALK]) + thread * slots + (page >> shift)] = table + 1


def names_of_threads(race: Race, with_rcu: bool) -> tuple[tuple[str, ...], tuple[int, ...]]:
    """The threads' names, and the number of each one's actor; the kthread's is one more."""
    names: list[str] = []
    groups: list[int] = []
    for number, actor in enumerate(race.actor):
        for i in range(actor.count):
            names.append(actor.name if actor.count == 1 else f"{actor.name} {i + 1}")
            groups.append(number)
    if with_rcu:
        names.append(KTHREAD)
        groups.append(len(race.actor))
    return tuple(names), tuple(groups)


def allocations(automaton: Automaton) -> Counter[ObjectClass]:
    """How many primitives allocate an object of each class."""
    return Counter(
        op.dst.cls
        for op in automaton.ops()
        if op.code == c.ALLOC and op.dst is not None and op.dst.cls is not None
    )


def fills_own_tables(automaton: Automaton) -> bool:
    """Do its faults fill page tables of their own CPU?"""
    return any(op.code == c.OWN_SET_PTE for op in automaton.ops())


def sizes_of(race: Race, automata: dict[str, Automaton]) -> Sizes:
    """The sizes of a race whose actors, and perhaps a kthread, have these automata."""
    return sizes_for(
        race,
        [allocations(automata[actor.name]) for actor in race.actor],
        any(fills_own_tables(automaton) for automaton in automata.values()),
        race.threads + (KTHREAD in automata),
    )


def sizes_for(
    race: Race, allocated: Sequence[Mapping[ObjectClass, int]], own_tables: bool, threads: int
) -> Sizes:
    """As many objects as the actors can have at once, and a few more: a spare one adds no state.

    ``allocated``: by actor, what a thread of it allocates; ``threads``: all of them, a kthread too.
    """
    span = race.table_pages
    pages = -(-max(vma.end for vma in race.vma) // span) * span

    def allocated_of(cls: ObjectClass) -> int:
        counts = zip(race.actor, allocated, strict=True)
        return sum(actor.count * found.get(cls, 0) for actor, found in counts)

    vmas = sum(vma.mapped for vma in race.vma) + min(allocated_of(o.VMA), 4)
    statements = [(actor.count, statement) for actor in race.actor for statement in actor.program]
    faulting = (*ACCESSES, *PINNING, *MONITORING)
    accesses = sum(count for count, statement in statements if statement.verb in faulting)
    # What is pinned, fork copies.
    copied = sum(
        count * race.vma_named(statement.target).pages
        for count, statement in statements
        if statement.verb == "fork" and race.mapping(race.vma_named(statement.target)).pinned
    )
    populated = sum(vma.pages for vma in race.vma if vma.present == "anon")
    return Sizes(
        threads=threads,
        vmas=vmas,
        tables=2 * (pages // span) + accesses,
        files=len(race.file) + len(race.swapped),
        folios=sum(file.pages for file in race.file) + sum(vma.pages for vma in race.swapped),
        pages=pages,
        pt_shift=span.bit_length() - 1,
        seq_bits=10,
        mms=race.mms,
        nodes=race.mms + min(replaced, 4) if (replaced := allocated_of(o.MAPLE_NODE)) else 0,
        anon_vmas=vmas + accesses,
        policies=sum(vma.policy for vma in race.vma) + allocated_of(o.MEMPOLICY),
        # At least one: without any, lower() drops bookkeeping that the properties look at.
        anon_pages=min(MAX_ANON_PAGES, max(1, populated + 2 * accesses + copied)),
        folio_pages=race.folio_pages,
        tlbs=race.tlb or own_tables,
        stale=c.SMALL_STALE,
        align=LANE,
    )


def packed(state: Words) -> npt.NDArray[np.int16]:
    """A state in words of 16 bits."""
    words = np.zeros(-(-len(state) // LANE) * LANE, dtype=np.int16)
    words[: len(state)] = state
    assert (words[: len(state)] == state).all(), "a word of the start state does not fit into 16 bits"
    return words


def lock_words(layout: Layout) -> npt.NDArray[np.int64]:
    """Every word of every lock: all of them are 0 when it is free and nobody waits; and SRCU's readers."""
    words = [
        layout.word(field, index) + i
        for field in layout.field_offset if field.width > 1
        for index in range(layout.sizes.count(field.cls))
        for i in range(field.width)
    ]  # fmt: skip
    if srcu := int(layout.g[c.G_SRCU]):
        words += [srcu + 1, srcu + 2]
    return np.array(words, dtype=np.int64)


def sequence_words(layout: Layout) -> npt.NDArray[np.int64]:
    """The word of every sequence count, and that of its object's life: rows of two."""
    words = [
        (layout.word(field, index), layout.class_base(field.cls) + index * layout.class_stride[field.cls])
        for field in layout.field_offset if field.sequence
        for index in range(layout.sizes.count(field.cls))
    ]  # fmt: skip
    return np.array(words, dtype=np.int64).reshape(-1, 2)


class _Start:
    """The memory that a race starts from."""

    def __init__(self, race: Race, layout: Layout) -> None:
        self.race = race
        self.layout = layout
        self.state = layout.empty_state()
        self._files()
        if layout.sizes.nodes:
            for mm in range(race.mms):
                self._set(o.MA_ROOT, mm, self._take(o.MAPLE_NODE) + 1)
        self.vmas: dict[str, int] = {}
        for _ in range(1, race.mms):
            self._take(o.MM)
        for vma in sorted(race.vma, key=lambda vma: bool(vma.shares)):
            if vma.mapped:
                self._vma(vma)

    def _set(self, field: Field, index: int, value: int) -> None:
        if self.layout.has(field):
            self.state[self.layout.word(field, index)] = value

    def _take(self, cls: ObjectClass) -> int:
        """Pop an object from a class's free list."""
        g, state = self.layout.g, self.state
        k = c.G_CLASS0 + self.layout.class_number(cls) * c.CLASS_WORDS
        index = -int(state[g[k + c.K_FREE]]) - 2
        base = int(g[k + c.K_BASE]) + index * int(g[k + c.K_STRIDE])
        state[g[k + c.K_FREE]] = state[base]
        state[base : base + int(g[k + c.K_STRIDE])] = 0
        state[base] = c.LIVE
        self.layout.initialise(state, cls, index)
        return index

    def _files(self) -> None:
        self.folios = 0
        for file in self.race.file:
            self._file(file.pages, file.open, file.cached == "all")
        for vma in self.race.swapped:
            self._file(vma.pages, True, vma.swap == "cache")

    def _file(self, pages: int, opened: bool, cached: bool) -> None:
        index = self._take(o.FILE)
        self._set(o.FILE_FOLIO0, index, self.folios)
        self._set(o.F_COUNT, index, int(opened))
        self._set(o.F_OPEN, index, int(opened))
        self._set(o.I_SIZE, index, pages)
        for _ in range(pages):
            self._set(o.CACHED, self.folios, int(cached))
            self._set(o.UPTODATE, self.folios, int(cached))
            self._set(o.FOLIO_DATA, self.folios, int(cached))
            self.folios += 1

    def _vma(self, vma: RaceVma) -> None:
        index = self._take(o.VMA)
        start = vma.start + vma.growsdown
        self._set(o.VM_START, index, start)
        self._set(o.VM_PGOFF, index, vma.pgoff + vma.growsdown)
        if vma.policy:
            policy = self._take(o.MEMPOLICY)
            self._set(o.VM_POLICY, index, policy + 1)
            self._set(o.POLICY_REFS, policy, 1)
        self._set(o.VM_END, index, vma.end)
        self._set(o.VM_WRITE, index, int(vma.prot == "rw" and not vma.write_notify))
        self._set(o.VM_MM, index, vma.mm + 1)
        if vma.file:
            file = [f.name for f in self.race.file].index(vma.file)
            self._set(o.VM_FILE, index, file + 1)
            self._set(o.VM_LINKED, index, 1)
            self.state[self.layout.word(o.F_COUNT, file)] += 1
        self.vmas[vma.name] = index
        if vma.shares:
            anon_vma = int(self.state[self.layout.word(o.VM_ANON_VMA, self.vmas[vma.shares])]) - 1
            self._set(o.VM_ANON_VMA, index, anon_vma + 1)
            self.state[self.layout.word(o.ANON_VMA_REFS, anon_vma)] += 1
        elif vma.anon_vma and (not vma.file or vma.sharing == "private"):
            anon_vma = self._take(o.ANON_VMA_CLASS)
            self._set(o.VM_ANON_VMA, index, anon_vma + 1)
            self._set(o.ANON_VMA_REFS, anon_vma, 1)
        g = self.layout.g
        for page in range(start, vma.end):
            self.state[int(g[c.G_TREE]) + page] = index + 1
            if vma.table or vma.present != "no" or vma.shares:
                self._present(vma, index, page)

    def _present(self, vma: RaceVma, index: int, page: int) -> None:
        g, state = self.layout.g, self.state
        slot = int(g[c.G_PMD]) + (page >> int(g[c.G_PT_SHIFT]))
        if state[slot] == 0:
            state[slot] = self._take(o.PAGE_TABLE) + 1
        mask = (1 << int(g[c.G_PT_SHIFT])) - 1
        word = int(g[c.G_PTE]) + ((int(state[slot]) - 1) << int(g[c.G_PT_SHIFT])) + (page & mask)
        state[word] = self._entry(vma, index, page)

    def _entry(self, vma: RaceVma, index: int, page: int) -> int:
        if vma.shares:
            return self._shared_entry(vma, page)
        if vma.present == "zero":
            return c.PTE_PRESENT | c.PTE_ZERO
        if vma.present == "file":
            file = int(self.state[self.layout.word(o.VM_FILE, index)]) - 1
            folio = int(self.state[self.layout.word(o.FILE_FOLIO0, file)]) + vma.pgoff + page - vma.start
            self.state[self.layout.word(o.REFCOUNT, folio & -self.race.folio_pages)] += 1
            return c.PTE_PRESENT | folio << c.PTE_FOLIO_SHIFT
        if vma.present == "anon":
            number = self._take(o.PAGE)
            self._set(o.PAGE_REFS, number, 1)
            self._set(o.PAGE_ANON_VMA, number, int(self.state[self.layout.word(o.VM_ANON_VMA, index)]))
            self._set(o.PAGE_EXCLUSIVE, number, 1)
            self._set(o.PAGE_INDEX, number, vma.pgoff + page - vma.start)
            writable = c.PTE_WRITE if vma.prot == "rw" else 0
            return c.PTE_PRESENT | c.PTE_ANON | c.PTE_DIRTY | writable | number << c.PTE_FOLIO_SHIFT
        if vma.swap == "synchronous":
            space = len(self.race.file) + self.race.swapped.index(vma)
            slot = int(self.state[self.layout.word(o.FILE_FOLIO0, space)]) + page - vma.start
            self._set(o.SWAP_COUNT, slot, 1)
            return c.PTE_SWAP | slot << c.PTE_FOLIO_SHIFT
        return 0

    def _shared_entry(self, vma: RaceVma, page: int) -> int:
        """The same page as the VMA that this one shares its pages with; neither may write."""
        g, state = self.layout.g, self.state
        address = self.race.vma_named(vma.shares).start + page - vma.start
        table = int(state[int(g[c.G_PMD]) + (address >> int(g[c.G_PT_SHIFT]))]) - 1
        mask = (1 << int(g[c.G_PT_SHIFT])) - 1
        word = int(g[c.G_PTE]) + (table << int(g[c.G_PT_SHIFT])) + (address & mask)
        state[word] &= ~c.PTE_WRITE
        shared = int(state[word]) >> c.PTE_FOLIO_SHIFT
        state[self.layout.word(o.PAGE_REFS, shared)] += 1
        self._set(o.PAGE_EXCLUSIVE, shared, 0)
        return int(state[word])


def thread_register(world: RaceWorld, state: Any, thread: int, name: str) -> int | None:
    """The value of a thread's register by name; None if the run has no such register."""
    for register, slot in world.layout.registers.items():
        if register.name == name:
            return int(state[world.layout.thread_base(thread) + slot])
    return None
