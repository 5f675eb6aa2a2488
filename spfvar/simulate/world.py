"""One cell of the matrix made ready to run: automata, layout, program table, start state."""

from __future__ import annotations

from collections.abc import Iterable
from collections.abc import Mapping as Dict
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from spfvar.automata.automaton import Automaton
from spfvar.automata.layout import Layout, Sizes, Words
from spfvar.automata.link import Program, link
from spfvar.automata.lower import lower
from spfvar.automata.weaken import strengthen
from spfvar.errors import SpfvarError
from spfvar.mm.grace_period import gp_kthread, rcu_gp_kthread
from spfvar.ops import codes as c
from spfvar.ops import objects as o
from spfvar.ops.op import Op
from spfvar.ops.places import Field, ObjectClass, Register
from spfvar.plugins.variant import Stack
from spfvar.scenario.load import PT_SHIFT, PT_SPAN, ConcreteGroup, ConcreteRegion, Load
from spfvar.scenario.program import (
    end_of,
    file_of,
    files_of,
    folios_of,
    hand,
    hand_file,
    iterations,
    phase,
    start_of,
    stop_of,
    swap_start_of,
    thread_text,
)
from spfvar.structs.lines import CacheLines, LineKey, Memory, touched_fields

KTHREAD = "rcu_gp_kthread"
#: VMAs that may wait for a grace period beside those in use.
SPARE_VMAS = 4096
#: Page tables that may, where it is RCU that frees them: those of a grace period of munmaps.
SPARE_TABLES = 512


@dataclass(frozen=True, slots=True)
class World:
    """What every seed of a cell shares.

    ``prepared`` holds, by the id of a profile, that profile (so that the id stays its own) and what the
    runner made of it; ``folded`` what it folded the program to, and how.
    """

    load: Load
    layout: Layout
    program: Program
    compute_ns: Dict[str, float]
    prepared: dict[int, tuple[Any, Any]] = field(default_factory=dict, compare=False)
    folded: list[tuple[Any, Any]] = field(default_factory=list, compare=False)
    lines: CacheLines | None = field(default=None, compare=False)
    _built: list[Words] = field(default_factory=list, compare=False)

    @property
    def state(self) -> Words:
        """The start state, to be copied; built when it is first asked for, by who runs the world."""
        if not self._built:
            state = self.layout.empty_state()
            _note_unused(self.layout, state)
            _Builder(self.load, self.layout, self.program, state).build()
            self._built.append(state)
        return self._built[0]

    def line_of(self, op: Op) -> LineKey:
        """The cache line that an op touches; it has to touch one."""
        assert op.line is not None
        assert self.lines is not None
        return self.lines.key(op.line.field)


def build_world(
    load: Load,
    stack: Stack,
    memory: Memory | None = None,
    costs: Dict[str, float] | None = None,
    chains: bool = False,
) -> World:
    """Extract, lay out and link a load under a variant.  Raises StrategyError.

    ``memory``: where the members of structs lie, ``costs``: its own cost classes, if not as the stack's
    variant says.  ``chains``: each primitive says by which calls it was come to; results stay as they are.
    """
    programs = extract_programs(load, stack, chains)
    sizes = sizes_of(load, programs.values())
    own, settled = own_classes(load), settled_fields(load, programs)
    memory = stack.memory if memory is None else memory
    # The times of a load, which are no part of it, are moved more often than what is.
    of = tuple((name, id(program)) for name, program in programs.items())
    key = of, sizes, own, settled, memory.name, id(memory.layout), memory.apart
    linked: _Linked | None = stack.linked.get(key)
    if linked is None:
        linked = stack.linked[key] = _link(programs, sizes, own, settled, memory)
    costs = stack.variant.costs if costs is None else costs
    times = {**costs, **compute_times(load)}
    return World(load, linked.layout, linked.program, times, lines=linked.lines)


@dataclass(frozen=True, slots=True)
class _Linked:
    """What is linked, and of what: whose ids are the key that it is kept under, so they have to stay."""

    layout: Layout
    program: Program
    lines: CacheLines
    of: tuple[Any, ...]


def _link(
    programs: Dict[str, Automaton],
    sizes: Sizes,
    own: frozenset[ObjectClass],
    settled: tuple[Field, ...],
    memory: Memory,
) -> _Linked:
    automata = strengthen(lower(programs, sizes))
    layout = Layout(sizes, automata.values())
    ops = (op for automaton in automata.values() for op in automaton.ops())
    lines = CacheLines(memory, touched_fields(ops))
    return _Linked(layout, link(automata, layout, own, settled, lines=lines), lines, (programs, memory))


def extract_programs(load: Load, stack: Stack, chains: bool = False) -> dict[str, Automaton]:
    """The automaton of each group's threads, and of the grace-period kthread; ``chains`` as `build_world`."""
    automata = {
        group.group.name: stack.automaton(
            group.group.name, thread_text(load, group), callers=chains, chains=chains
        )
        for group in load.groups
    }
    automata[KTHREAD] = stack.automaton(KTHREAD, gp_kthread(automata.values()) or rcu_gp_kthread)
    return automata


def own_classes(load: Load) -> frozenset[ObjectClass]:
    """The classes of which each object serves one thread only, for as long as it is allocated.

    Page tables, if no two threads' ranges meet in one; what belongs to a VMA, or to a file, if every thread
    has its own; and nobody comes by who goes over those of all.
    """
    reach = {s.verb for group in load.groups for s in group.group.program if s.reaches_all}
    user: dict[int, int] = {}
    meet = False
    for region in load.regions:
        for thread, range_ in enumerate(region.ranges):
            if range_.pages:
                end = range_.start + range_.pages * region.count
                for table in range(range_.start // PT_SPAN, -(-end // PT_SPAN)):
                    meet |= user.setdefault(table, thread) != thread
    own = set() if meet or reach - {"maps"} else {o.PAGE_TABLE}
    if reach:
        return frozenset(own)
    if load.threads == 1 or not any(region.shared_vma for region in load.regions):
        own |= {o.VMA, o.ANON_VMA_CLASS}
    ranges = [(t, r.file) for region in load.regions for t, r in enumerate(region.ranges) if r.pages]
    readers = {(thread, file) for thread, file in ranges if file >= 0}
    if len(readers) == len({file for _, file in readers}):
        own |= {o.FILE, o.FOLIO}
    return frozenset(own)


def settled_fields(load: Load, automata: Dict[str, Automaton]) -> tuple[Field, ...]:
    """Fields that no fault has to fill in: the anon_vma, if every VMA has had faults before."""
    makes_vmas = any(
        op.code == c.ALLOC and op.dst is not None and op.dst.cls == o.VMA
        for automaton in automata.values() for op in automaton.ops()
    )  # fmt: skip
    return () if makes_vmas or not all(region.anon_vma for region in load.regions) else (o.VM_ANON_VMA,)


def compute_times(load: Load) -> dict[str, float]:
    """The cost classes that the scenario itself defines, in nanoseconds."""
    times = {"io": load.io_ns}
    for group in load.groups:
        for i in range(len(group.group.program)):
            times[f"compute:{group.group.name}.{i}"] = group.compute_ns[i]
            times[f"compute:{group.group.name}.{i}.every"] = group.every_ns[i]
    return times


def sizes_of(load: Load, automata: Iterable[Automaton]) -> Sizes:
    """How big the world of a load has to be."""
    vmas = sum(region.count * len(region.ranges) * (1 if region.child < 0 else 2) for region in load.regions)
    deferred = any(
        op.code == c.CALL_RCU and op.src is not None and op.src.cls == o.PAGE_TABLE
        for automaton in automata for op in automaton.ops()
    )  # fmt: skip
    return Sizes(
        threads=load.threads + 1,
        vmas=vmas + SPARE_VMAS,
        # Tables that were unlinked wait for a grace period while their successors are in use; every
        # thread may hold one that it preallocated.
        tables=2 * (load.pages // PT_SPAN) + 2 * load.threads + 64 + (SPARE_TABLES if deferred else 0),
        files=max(1, load.files),
        folios=max(1, load.folios),
        pages=load.pages,
        mms=2 if load.forks else 1,
        tree_shift=load.tree_shift,
        pt_shift=PT_SHIFT,
    )


def _note_unused(layout: Layout, state: Words) -> None:
    """Note that no VMA was ever allocated: walks over all of them end there, for the lowest are taken first.

    An allocation clears it.
    """
    words = layout.class_base(o.VMA) + layout.class_stride[o.VMA] * np.arange(layout.sizes.vmas)
    state[words + c.VMA_LINKED] = -1


class _Builder:
    """Fills the start state: files and swap caches, VMAs mapped from the start, each thread's registers."""

    def __init__(self, load: Load, layout: Layout, program: Program, state: Words) -> None:
        self.load = load
        self.layout = layout
        self.program = program
        self.state = state
        self.folio0: dict[int, int] = {}

    def build(self) -> None:
        for region in self.load.regions:
            self._files(region)
        for region in self.load.regions:
            if region.mapped:
                self._map(region)
        for group in self.load.groups:
            for thread in range(group.first, group.first + group.threads):
                self._thread(group, thread)
        kthread = self.layout.thread_base(self.load.threads)
        self.state[kthread + c.T_PC] = self.program.entry[KTHREAD]
        if self.load.forks:
            self._take(c.CLASS_MM)
            self.layout.initialise(self.state, o.MM, 1)
        if self.layout.has(o.MM_USERS):
            self.state[self.layout.word(o.MM_USERS)] = self.load.threads

    def _take(self, cls_number: int) -> int:
        """Pop an object from a class's free list."""
        g, k = self.layout.g, c.G_CLASS0 + cls_number * c.CLASS_WORDS
        head = int(self.state[g[k + c.K_FREE]])
        if head == c.FREE_END:
            raise SpfvarError(f"{self.load.scenario}: the model has too few objects of a class")
        index = -head - 2
        base = int(g[k + c.K_BASE]) + index * int(g[k + c.K_STRIDE])
        self.state[g[k + c.K_FREE]] = self.state[base]
        self.state[base : base + int(g[k + c.K_STRIDE])] = 0
        self.state[base] = c.LIVE
        return index

    def _files(self, region: ConcreteRegion) -> None:
        for range_ in dict.fromkeys([region.whole, *region.ranges]):
            if range_.file < 0 or range_.file in self.folio0:
                continue
            index = self._take(c.CLASS_FILE)
            assert index == range_.file
            self.folio0[index] = sum(self._file_pages(f) for f in range(index))
            self.layout.initialise(self.state, o.FILE, index)
            self.state[self.layout.word(o.FILE_FOLIO0, index)] = self.folio0[index]
            self.state[self.layout.word(o.F_COUNT, index)] = 1  # the program's descriptor

    def _file_pages(self, file: int) -> int:
        for region in self.load.regions:
            for range_ in [region.whole, *region.ranges]:
                if range_.file == file:
                    return range_.pages
        raise AssertionError(file)

    def _map(self, region: ConcreteRegion) -> None:
        ranges = [region.whole] if region.shared_vma else [r for r in region.ranges if r.pages]
        for range_ in ranges:
            for i in range(1 if region.shared_vma else region.count):
                self._vma(region, range_.start + i * range_.pages, range_.pages, range_.file)

    def _vma(self, region: ConcreteRegion, start: int, pages: int, file: int) -> None:
        layout, state = self.layout, self.state
        vma = self._take(c.CLASS_VMA)
        layout.initialise(state, o.VMA, vma)
        state[layout.word(o.VM_START, vma)] = start
        state[layout.word(o.VM_END, vma)] = start + pages
        file = -1 if region.mapping.anonymous else file
        values = {
            o.VM_WRITE: 1, o.VM_ANON_VMA: int(region.anon_vma), o.VM_FILE: file + 1,
            o.VM_LINKED: int(file >= 0),
        }  # fmt: skip
        for vma_field, value in values.items():
            if layout.has(vma_field):
                state[layout.word(vma_field, vma)] = value
        if file >= 0:
            state[layout.word(o.F_COUNT, file)] += 1
        shift, tree = int(layout.g[c.G_TREE_SHIFT]), int(layout.g[c.G_TREE])
        state[tree + (start >> shift) : tree + ((start + pages - 1) >> shift) + 1] = vma + 1

    def _thread(self, group: ConcreteGroup, thread: int) -> None:
        base = self.layout.thread_base(thread)
        self.state[base + c.T_PC] = self.program.entry[group.group.name]
        self._set(thread, iterations, group.group.repeat)
        self._hand(group, thread)
        for region in self.load.regions:
            range_ = region.ranges[thread]
            if not range_.pages:
                continue
            self._set(thread, start_of(region), range_.start)
            self._set(thread, end_of(region), range_.start + range_.pages)
            self._set(thread, stop_of(region), range_.start + range_.pages * region.count)
            if range_.file >= 0:
                self._set(thread, file_of(region), range_.file)
                origin = region.whole.start if region.shared_vma else range_.start
                self._set(thread, folios_of(region), self.folio0[range_.file] - origin)
                self._set(thread, swap_start_of(region), origin)

    def _hand(self, group: ConcreteGroup, thread: int) -> None:
        """The threads of a group that reclaims begin evenly spread over what there is to reclaim."""
        for statement in group.group.program:
            if statement.reclaim is not None:
                region = self.load.region(statement.reclaim)
                pages = region.vma_pages
                page = (thread - group.first) * len(files_of(region)) * pages // group.threads
                self._set(thread, hand_file, page // pages)
                self._set(thread, hand, page % pages)

    def _set(self, thread: int, register: Register, value: int) -> None:
        slot = self.layout.registers.get(register)
        if slot is not None:
            self.state[self.layout.thread_base(thread) + slot] = value


def draw_start(world: World, rng: np.random.Generator) -> Words:
    """A copy of the start state with the page cache drawn and each endless thread at its own phase."""
    state = world.state.copy()
    layout, load = world.layout, world.load
    stride = layout.class_stride[o.FOLIO]
    base = layout.class_base(o.FOLIO)
    for region in load.regions:
        for range_ in [region.whole] if region.shared_vma else region.ranges:
            if range_.file < 0:
                continue
            first = int(state[layout.word(o.FILE_FOLIO0, range_.file)])
            present = (rng.random(range_.pages) < region.cached).astype(np.int32)
            words = base + (first + np.arange(range_.pages)) * stride
            state[words + c.FOLIO_CACHED] = present
            state[words + c.FOLIO_UPTODATE] = present
    if phase in layout.registers:
        _draw_phases(world, state, rng)
    return state


def _draw_phases(world: World, state: Words, rng: np.random.Generator) -> None:
    """Let each thread begin somewhere in its first pass over a region, wherever the others are.

    Threads that meet at a lock stay together for many rounds.  Evenly spread ones would take long to meet,
    those that start in step long to part.
    """
    for group in world.load.groups:
        if group.group.repeat:
            continue
        touched = [s.touch for s in group.group.program if s.touch is not None]
        if not touched:
            continue
        pages = world.load.region(touched[0]).pages
        for i, share in enumerate(rng.random(group.threads)):
            state[world.layout.thread_word(group.first + i, phase)] = int(share * pages)
