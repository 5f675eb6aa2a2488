"""Where everything lies in the flat integer state of a run."""

from __future__ import annotations

import copy
from collections import Counter
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from itertools import accumulate
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from spfvar.automata.automaton import Automaton
from spfvar.automata.publish import FINDING
from spfvar.ops import codes as c
from spfvar.ops import histories as weak
from spfvar.ops import objects as o
from spfvar.ops.op import Op
from spfvar.ops.places import Field, ObjectClass, Register

Words = npt.NDArray[np.int32]

#: Registers that runs need even if no automaton mentions them.
CORE_REGISTERS = (o.mm, o.address, o.range_start, o.range_end, o.touch_end, o.mapped_file, o.cursor, o.limit)


@dataclass(frozen=True, slots=True)
class Sizes:
    """How big a run's world is.

    ``pages`` is the size of the address space, ``pt_shift`` the log2 of a page table's entries,
    ``tree_shift`` of the pages of one slot of the VMA tree (every VMA boundary is a multiple of
    them), ``seq_bits`` the width of sequence counters, small in an exhaustive search.  Classes with
    a count of 0 are not modelled (spfvar.automata.lower); ``folio_pages``: pages of a folio, whose number
    is that of its first page; ``tlbs``: does each CPU have a TLB?  Threads begin at multiples of ``align``
    words, behind everything else.
    """

    threads: int
    vmas: int
    tables: int
    files: int
    folios: int
    pages: int
    pt_shift: int = 9
    tree_shift: int = 0
    seq_bits: int = 30
    mms: int = 1
    anon_vmas: int = 0
    anon_pages: int = 0
    policies: int = 0
    nodes: int = 0
    folio_pages: int = 1
    tlbs: bool = False
    stale: int = c.STALE
    align: int = 1

    def count(self, cls: ObjectClass) -> int:
        """The number of objects of a class."""
        return int(getattr(self, _COUNTED[cls]))


#: What says how many objects of a class there are.
_COUNTED: Final = {
    o.MM: "mms", o.VMA: "vmas", o.PAGE_TABLE: "tables", o.FILE: "files", o.FOLIO: "folios",
    o.ANON_VMA_CLASS: "anon_vmas", o.PAGE: "anon_pages", o.MEMPOLICY: "policies", o.MAPLE_NODE: "nodes",
}  # fmt: skip


class Layout:
    """State words of fields, registers and tables; built from the automata that will run.

    ``history``: messages that the history of a weak word has room for.
    """

    def __init__(self, sizes: Sizes, automata: Iterable[Automaton], history: int = weak.HISTORY) -> None:
        self.history = history
        self.sizes = sizes
        automata = list(automata)
        ops = [op for automaton in automata for op in automaton.ops()]
        self.registers = _place_registers([register for one in automata for register in one.registers()])
        self.weak_fields = tuple(
            dict.fromkeys(op.place.field for op in ops if is_weak(op) and op.place is not None)
        )
        #: Strong words whose accesses have orders: whoever acquires one knows what came before its releases.
        self._ordered_fields = {
            op.place.field for op in ops
            if op.order and op.place is not None and not is_weak(op) and op.place.field.width == 1
            and op.place.field not in self.weak_fields
        }  # fmt: skip
        *numbers, self.weak_words = accumulate(
            (sizes.count(field.cls) for field in self.weak_fields), initial=0
        )
        self._weak_numbers = dict(zip(self.weak_fields, numbers, strict=True))
        #: What is known of a page table comes with the entry that it was found by (automata.publish).
        self.linked = o.TABLE_READY in self.weak_fields
        #: Whoever reads an entry of a page table learns what was sent along with it.
        self.entered = self.weak_words > 0 and any(op.code in weak.READING for op in ops)
        #: What the entry leads to depends on it.
        leads = self.entered and any(field.cls in (o.PAGE, o.FOLIO) for field in self.weak_fields)
        finding = (c.FIND_VMA, *(FINDING if self.linked else ()), *(weak.READING if leads else ()))
        self.viewed = _viewed(ops, finding) if self.weak_words else {}
        self.fixed = c.T_FIXED + len(self.registers)  # words of a thread that are no views
        self.views = _rounded(self.fixed, sizes.align)
        self.view_rows = weak.V_REGISTERS + len(self.viewed)
        self.field_offset: dict[Field, int] = {}
        self.class_stride: dict[ObjectClass, int] = {}
        self.class_kept: dict[ObjectClass, int] = {}
        self._place_fields(ops)
        self.g = np.zeros(c.G_CLASS0 + c.CLASS_WORDS * len(o.CLASSES), dtype=np.int32)
        self.words = self._place_all({op.code for op in ops})
        self._bases = {
            cls: int(self.g[c.G_CLASS0 + number * c.CLASS_WORDS + c.K_BASE])
            for cls, number in _NUMBER_OF_CLASS.items()
        }

    def _place_fields(self, ops: list[Op]) -> None:
        used = dict.fromkeys(op.place.field for op in ops if op.place is not None)
        fields_of = {cls: dict.fromkeys(o.FIXED_FIELDS.get(cls, ())) for cls in o.CLASSES}
        for field in used:
            fields_of[field.cls][field] = None
        for cls, fields in fields_of.items():
            offset = 1 if cls.lifetime else 0
            kept = [field for field in fields if field.kept]
            for field in [*(field for field in fields if not field.kept), *kept]:
                if kept and field == kept[0]:
                    self.class_kept[cls] = offset
                if field.width == 0:  # the life word itself
                    self.field_offset[field] = 0
                    continue
                self.field_offset[field] = offset
                offset += field.width
            self.class_stride[cls] = offset
            self.class_kept.setdefault(cls, offset)

    def _place_all(self, codes: Collection[int]) -> int:
        sizes, g = self.sizes, self.g
        ipi_words = (sizes.threads + 30) // 31
        here = 1  # word 0 stays unused, so that no address is 0
        g[c.G_THREADS] = sizes.threads
        g[c.G_VIOLATION], here = here, here + 3
        g[c.G_RCU], here = here, here + 5
        if c.SRCU_READ_LOCK in codes:
            g[c.G_SRCU], here = here, here + 3
        g[c.G_IPI], here = here, here + 1
        g[c.G_IPI_MASK], g[c.G_IPI_WORDS] = here, ipi_words
        here += sizes.threads * ipi_words
        g[c.G_CLASSES] = len(o.CLASSES)
        for number, cls in enumerate(o.CLASSES):
            k = c.G_CLASS0 + number * c.CLASS_WORDS
            refs = [slot for register, slot in self.registers.items() if register.cls == cls]
            g[k + c.K_FREE], here = here, here + 1
            g[k + c.K_BASE] = here
            g[k + c.K_STRIDE], g[k + c.K_COUNT] = self.class_stride[cls], sizes.count(cls)
            g[k + c.K_REF0] = min(refs, default=0)
            g[k + c.K_REF1] = max(refs, default=-1) + 1
            g[k + c.K_KEPT] = self.class_kept[cls]
            here += self.class_stride[cls] * sizes.count(cls)
        g[c.G_TREE], g[c.G_TREE_SHIFT] = here, sizes.tree_shift
        here += ((sizes.pages - 1) >> sizes.tree_shift) + 1
        g[c.G_PMD], g[c.G_PT_SHIFT] = here, sizes.pt_shift
        here += ((sizes.pages - 1) >> sizes.pt_shift) + 1
        g[c.G_PTE] = here
        here += sizes.tables << sizes.pt_shift
        if sizes.tlbs:
            g[c.G_TLB], here = here, here + sizes.threads * sizes.pages
        if c.SET_LOADED_MM in codes:
            g[c.G_LOADED], here = here, here + sizes.threads
            g[c.G_WALK], here = here, here + sizes.threads * (((sizes.pages - 1) >> sizes.pt_shift) + 1)
        g[c.G_KEEP] = c.PMD_KEEP in codes
        if c.OWN_SET_PTE in codes and sizes.tlbs:
            g[c.G_OWN] = 1
        elif c.OWN_SET_PTE in codes:
            g[c.G_OWN], here = here, here + sizes.pages * ipi_words
        if sizes.anon_pages:
            g[c.G_WRITES], here = here, here + sizes.pages
            g[c.G_EPOCH], here = here, here + sizes.pages
        g[c.G_SWAP_COUNT] = self.field_offset.get(o.SWAP_COUNT, 0)
        g[c.G_SWAP_DATA] = self.field_offset.get(o.SWAP_DATA, 0)
        g[c.G_EXCLUSIVE] = self.field_offset.get(o.PAGE_EXCLUSIVE, 0)
        if c.PAGE_DMA in codes and sizes.anon_pages:
            g[c.G_PINNED], here = here, here + sizes.pages
        here = self._place_threads(self._place_histories(here) if self.weak_words else here)
        g[c.G_STALE], g[c.G_PAGES] = sizes.stale, sizes.pages
        g[c.G_FOLIO_MASK] = sizes.folio_pages - 1
        g[c.G_SEQ_MASK] = (1 << sizes.seq_bits) - 1
        g[c.G_R_ADDR] = self.registers[o.address]
        return here

    def _place_threads(self, here: int) -> int:
        """Threads, each with its registers and its views; returns the end of the state."""
        rows = self.view_rows if self.weak_words else 0
        width = weak.view_words(self.weak_words, self.history)
        self.thread_stride = _rounded(self.views + rows * width, self.sizes.align)
        here = _rounded(here, self.sizes.align)
        self.g[c.G_T_BASE], self.g[c.G_T_STRIDE] = here, self.thread_stride
        return here + self.sizes.threads * self.thread_stride

    def _place_histories(self, here: int) -> int:
        """Histories and shared views of a run with weak words (spfvar.transition.weak)."""
        words, threads = self.weak_words, self.sizes.threads
        width = weak.view_words(words, self.history)
        self.strong = here  # words that are strong
        self.rings = _rounded(here, self.sizes.align)
        here = self.rings + words * weak.history_words(words, self.history)
        self.locks: dict[Field, int] = {}
        locks = 0
        for field in self.field_offset:
            if field.width > 1 or field in self._ordered_fields:
                self.locks[field], locks = locks, locks + self.sizes.count(field.cls)
        first = weak.S_LOCKS + weak.LOCK_ROWS * locks
        linked = ((self.sizes.pages - 1) >> self.sizes.pt_shift) + 1 if self.linked else 0
        self.directory = here + first * width if self.linked else 0
        self.entry_rows = self.sizes.tables << self.sizes.pt_shift if self.entered else 0
        self.entries = here + (first + linked) * width if self.entered else 0
        self.shared_rows = first + linked + self.entry_rows + threads
        self.shared_views, here = here, here + self.shared_rows * width
        self.sync, here = here, here + threads
        self.long, here = here, here + 1  # how many histories have several messages
        return here

    def with_histories(self, history: int) -> Layout:
        """The same with room for so many messages in each history: what lies before them lies there still."""
        other = copy.copy(self)
        other.history, other.g = history, self.g.copy()
        other.words = other._place_threads(other._place_histories(self.strong))
        return other

    # --- addresses -------------------------------------------------------------------------------

    def class_number(self, cls: ObjectClass) -> int:
        """The class's index in the table of constants."""
        return _NUMBER_OF_CLASS[cls]

    def class_base(self, cls: ObjectClass) -> int:
        """First state word of object 0."""
        return self._bases[cls]

    def word(self, field: Field, index: int = 0) -> int:
        """State word of a field of an object."""
        return self.class_base(field.cls) + index * self.class_stride[field.cls] + self.field_offset[field]

    def has(self, field: Field) -> bool:
        """Does the run lay this field out?"""
        return field in self.field_offset

    def thread_word(self, thread: int, register: Register) -> int:
        """State word of a thread's register."""
        return int(self.g[c.G_T_BASE]) + thread * self.thread_stride + self.registers[register]

    def thread_base(self, thread: int) -> int:
        """First state word of a thread."""
        return int(self.g[c.G_T_BASE]) + thread * self.thread_stride

    def empty_state(self) -> Words:
        """A world without VMAs, tables or files: everything free, references null."""
        state = np.zeros(self.words, dtype=np.int32)
        for cls in o.CLASSES:
            k = c.G_CLASS0 + self.class_number(cls) * c.CLASS_WORDS
            if cls.lifetime:
                self._free_list(state, k)
        for thread in range(self.sizes.threads):
            for register, slot in self.registers.items():
                if register.cls is not None:
                    state[self.thread_base(thread) + slot] = -1
            state[self.thread_word(thread, o.mm)] = 0
        mms = self.class_base(o.MM)
        state[int(self.g[c.G_CLASS0 + c.K_FREE])] = state[mms]  # the first one is taken
        state[mms] = c.LIVE
        self.initialise(state, o.MM, 0)
        return state

    def initialise(self, state: Words, cls: ObjectClass, index: int) -> None:
        """Give the fields of an object that exists from the start their initial values."""
        for field in self.field_offset:
            if field.cls == cls and field.width == 1:
                state[self.word(field, index)] = field.initial

    def weak_number(self, field: Field) -> int:
        """The number of a weak field's word in object 0; those of the other objects follow."""
        return self._weak_numbers[field]

    def begin_histories(self, state: npt.NDArray[Any]) -> None:
        """Give each weak word a history of one message: what the word holds."""
        step = weak.history_words(self.weak_words, self.history)
        for field in self.weak_fields:
            for index in range(self.sizes.count(field.cls)):
                ring = self.rings + (self.weak_number(field) + index) * step
                state[ring], state[ring + 1] = 1, state[self.word(field, index)]

    def _free_list(self, state: Words, k: int) -> None:
        base, stride, count = (int(self.g[k + i]) for i in (c.K_BASE, c.K_STRIDE, c.K_COUNT))
        if count == 0:
            state[int(self.g[k + c.K_FREE])] = c.FREE_END
            return
        last = base + stride * (count - 1)
        state[base:last:stride] = np.arange(-3, -2 - count, -1)  # each the next one
        state[last] = c.FREE_END
        state[int(self.g[k + c.K_FREE])] = -2  # the first object


_NUMBER_OF_CLASS = {cls: number for number, cls in enumerate(o.CLASSES)}


def _rounded(number: int, multiple: int) -> int:
    return -(-number // multiple) * multiple


def is_weak(op: Op) -> bool:
    """Does an op act on a weak word?  (`spfvar.automata.weaken` has said so.)"""
    return c.FIRST_WEAK <= op.code <= c.LAST_WEAK or c.RMW_ADD <= op.code <= c.RMW_ADD_UNLESS


def _viewed(ops: list[Op], finding: Collection[int]) -> dict[Register, int]:
    """The registers that hold what came from a weak load, with the rows of their views."""
    found = {op.dst: 0 for op in ops if (is_weak(op) or op.code in finding) and op.dst is not None}
    size = -1
    while size < len(found):
        size = len(found)
        for op in ops:
            made: tuple[Register | None, ...] = ()
            if op.code in (c.ADD_REG, c.ADD_REGS) and (op.src in found or op.src2 in found):
                made = (op.dst,)
            elif op.code in (c.PAGE_OF, c.ENTRY_FOLIO) and op.src in found:
                made = (op.dst, op.src2)
            found |= {register: 0 for register in made if register is not None}
    return {register: weak.V_REGISTERS + i for i, register in enumerate(found)}


def _place_registers(mentioned: list[Register]) -> dict[Register, int]:
    """Thread words: plain registers first, then references, class by class."""
    used = dict.fromkeys([*CORE_REGISTERS, *mentioned])
    doubled = [name for name, count in Counter(register.name for register in used).items() if count > 1]
    if doubled:
        raise ValueError(f"two registers are called {min(doubled)!r}")
    ordered = sorted(used, key=lambda one: -1 if one.cls is None else _NUMBER_OF_CLASS[one.cls])
    return {register: c.T_FIXED + i for i, register in enumerate(ordered)}
