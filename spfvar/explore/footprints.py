"""What a primitive reads and writes, and what its thread may still do: the ground of the reductions.

A *resource* is a part of the state that primitives of different threads may meet at: a field of a class,
the life of a class's objects, the VMA tree, the page tables, the RCU readers, ... A *footprint* says which
of them an op reads, writes, or adds to; additions commute with each other and with nothing else. Objects of
a class are not told apart. Two ops of different threads whose footprints do not conflict have the same
outcome, the same violations and the same effect in either order. A test compares footprints with the words
that the transition function touches.

Freeing an object marks the registers of other threads that refer to it, and every access through a register
looks at that mark: so each op with a register of a class reads the life of that class.
"""

from __future__ import annotations

from collections.abc import Collection, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Final

import numpy as np
import numpy.typing as npt

from spfvar.explore.ahead import Successors, gathered
from spfvar.ops import codes as c
from spfvar.ops import objects as o
from spfvar.ops.op import Op
from spfvar.ops.orders import MB
from spfvar.ops.places import Field, ObjectClass
from spfvar.transition.published import DIRECTORY
from spfvar.transition.weak import COMPOUND

#: Resources that are no field.
TREE: Final = "VMA tree"
PMD: Final = "page-table directory"
PTE: Final = "page-table entries"
TLB: Final = "TLBs"  # and what each CPU has loaded
WRITES: Final = "the user's writes"
PHASE: Final = "RCU phase"
READERS: Final = "RCU readers"
SRCU_PHASE: Final = "SRCU phase"
SRCU_READERS: Final = "SRCU readers"
CALLBACKS: Final = "RCU callbacks"
GRACE_PERIOD: Final = "RCU grace period"
IPI: Final = "interrupts"
EPOCH: Final = "epochs"
PINNED: Final = "what is pinned where"
FULL: Final = "full barriers"
VIEWS: Final = "what threads know of weak words"

#: The last bit of a mask, which stands for every resource that has none of its own.
REST: Final = 61
EVERYTHING: Final = (1 << REST + 1) - 1


def life_of(cls: ObjectClass) -> Hashable:
    """The resource "which objects of the class are in use"."""
    return ("life", cls)


def callback_of(cls: ObjectClass) -> Hashable:
    """The resource "which objects of the class wait for a grace period"."""
    return ("callback", cls)


@dataclass(slots=True)
class Footprint:
    """The resources that an op reads, writes, and adds to; ``unknown``: conflicts with everything."""

    reads: set[Hashable] = field(default_factory=set)
    writes: set[Hashable] = field(default_factory=set)
    adds: set[Hashable] = field(default_factory=set)
    unknown: bool = False

    def every(self) -> set[Hashable]:
        """All of them."""
        return self.reads | self.writes | self.adds


_LOCAL = {
    c.NOP, c.COUNT, c.SET_REG, c.ADD_REG, c.NEXT_ADDR, c.CHOOSE, c.MARK, c.TEST_REG, c.NEXT_TABLE, c.WINDOW,
    c.REG_EQUAL, c.ADD_REGS, c.END, c.PAGE_OF, c.BUG, c.DEPEND,
}  # fmt: skip
_FIELD_READS = {c.LOAD, c.LOAD_TEST, c.LOAD_ODD, c.LOAD_REF, c.EQUALS, c.EQUALS_REG, c.WAIT_EQUALS}
_WEAK_READS = {*(c.WEAK + code for code in _FIELD_READS), c.AT_MOST, c.ABOVE}
_FIELD_WRITES = {
    c.STORE, c.STORE_REG, c.STORE_REF, c.INC_NOT_ZERO, c.DEC_AND_TEST, c.DOWN_READ, c.DOWN_READ_TRYLOCK,
    c.UP_READ, c.DOWN_WRITE, c.UP_WRITE, c.DOWNGRADE_WRITE, c.LOCK, c.TRYLOCK, c.UNLOCK,
    c.RANGE_LOCK, c.RANGE_TRYLOCK, c.RANGE_WAIT, c.RANGE_UNLOCK, c.RANGE_DOWNGRADE,
}  # fmt: skip
#: What the ops on fixed resources do: reads, writes, adds.
_FIXED: Final[Mapping[int, tuple[tuple[Hashable, ...], tuple[Hashable, ...], tuple[Hashable, ...]]]] = {
    c.RCU_READ_LOCK: ((PHASE,), (), (READERS,)),
    c.RCU_READ_UNLOCK: ((), (), (READERS,)),
    c.IRQ_DISABLE: ((PHASE,), (), (READERS, IPI)),
    c.IRQ_ENABLE: ((), (), (READERS, IPI)),
    c.IPI_SEND: ((), (IPI, TLB), ()),
    c.IPI_WAIT: ((IPI,), (), ()),
    c.SRCU_READ_LOCK: ((SRCU_PHASE,), (), (SRCU_READERS,)),
    c.SRCU_READ_UNLOCK: ((), (), (SRCU_READERS,)),
    c.FIND_VMA: ((TREE,), (), ()),
    c.TREE_STORE: ((o.VM_START, o.VM_END), (TREE, EPOCH), ()),
    c.TREE_ERASE: ((), (TREE,), ()),
    c.VMA_CONTAINS: ((o.VM_START, o.VM_END), (), ()),
    c.TOUCH: ((PMD, PTE), (), (TLB, WRITES, o.PAGE_DATA)),
    c.OWN_SET_PTE: ((), (), (TLB,)),
    c.SYNC_START: ((), (PHASE, READERS, FULL), ()),
    c.SYNC_WAIT: ((), (READERS, FULL), ()),
    c.PMD_KEEP: ((), (), ()),
    c.SET_LOADED_MM: ((), (TLB,), ()),
    c.IS_LOADED_MM: ((TLB,), (), ()),
    c.TLB_GEN: ((TLB,), (), ()),
    c.SPECULATE: ((TLB, life_of(o.PAGE_TABLE)), (), ()),
    c.WRITE_CR3: ((), (TLB,), ()),
    c.READ_PMD: ((PMD,), (), ()),
    c.PMD_SAME: ((PMD,), (), ()),
    c.PMD_POPULATE: ((), (PMD, WRITES, PINNED), ()),  # a table that was moved brings what its pages hold
    c.PMD_CLEAR: ((TREE,), (PMD,), ()),
    c.PMD_TAKE: ((), (PMD,), ()),
    c.READ_PTE: ((PTE,), (), ()),
    c.PTE_SAME: ((PTE,), (), ()),
    c.PTE_NONE: ((PTE,), (), ()),
    c.SET_PTE: ((o.PAGE_DATA, o.PAGE_EPOCH, EPOCH, TLB), (PTE, WRITES), ()),
    c.PTE_MKWRITE: ((), (PTE,), ()),
    c.ZAP_PTES: ((), (PTE, WRITES, PINNED), (o.REFCOUNT, o.SWAP_COUNT)),
    c.CHANGE_PTES: ((), (PTE,), ()),
    c.PTE_TAKE: ((), (PTE,), ()),
    c.PTE_RESTORE: ((), (PTE, WRITES, PINNED), ()),
    c.PTE_WRPROTECT: ((), (PTE,), ()),
    c.FOLIO_GET: ((o.FILE_FOLIO0, o.CACHED), (), (o.REFCOUNT,)),
    c.FOLIO_CREATE: ((o.FILE_FOLIO0,), (o.CACHED, o.UPTODATE, o.FOLIO_LOCK, o.REFCOUNT), ()),
    c.NEXT_CANDIDATE: ((o.FILE_FOLIO0, o.CACHED, o.UPTODATE), (o.FOLIO_LOCK,), (o.REFCOUNT,)),
    c.INSIDE_SIZE: ((o.I_SIZE,), (), ()),
    c.REMOVE_MAPPING: ((), (o.REFCOUNT, o.CACHED), ()),
    c.FOLIO_DELETE: ((), (o.CACHED, o.UPTODATE), ()),
    c.PAGE_ALLOC: ((), (life_of(o.PAGE),), ()),
    c.PAGE_GET: ((), (), (o.PAGE_REFS,)),
    c.PAGE_PUT: ((TLB,), (o.PAGE_REFS, life_of(o.PAGE)), ()),
    c.PAGES_PUT: ((TLB,), (o.PAGE_REFS, life_of(o.PAGE)), ()),
    c.PAGE_COPY: ((life_of(o.PAGE), EPOCH), (o.PAGE_DATA, o.PAGE_EPOCH), ()),
    c.PAGE_RMAP: ((), (o.PAGE_ANON_VMA, o.PAGE_INDEX, o.PAGE_EXCLUSIVE), ()),
    c.PAGE_DMA: ((PINNED,), (o.PAGE_DATA, WRITES), ()),
    c.ENTRY_FOLIO: ((o.FOLIO_LOCK,), (), ()),
    c.RMAP_NEXT: (
        (o.FILE_FOLIO0, o.VM_LINKED, o.VM_FILE, o.VM_START, o.VM_PGOFF, o.VM_END, life_of(o.VMA)), (), (),
    ),
}  # fmt: skip
_WEAK_WRITES = {
    c.WEAK + c.STORE, c.WEAK + c.STORE_REG, c.WEAK + c.STORE_REF, c.WEAK + c.ADD, c.WEAK + c.INC_NOT_ZERO,
    c.WEAK + c.DEC_AND_TEST, *range(c.RMW_ADD, c.RMW_ADD_UNLESS + 1),
}  # fmt: skip
#: Ops that are full barriers in a run with weak words, besides what they do.
_BARRIERS = {
    c.RCU_GP_START, c.RCU_GP_WAIT, c.IRQ_ENABLE, c.IPI_SEND, c.IPI_WAIT, c.SRCU_READ_LOCK, c.SRCU_READ_UNLOCK,
}  # fmt: skip
#: Ops that change what their thread knows, in a run with weak words.
_KNOWING = {
    *_WEAK_READS, *_WEAK_WRITES, *_BARRIERS, *range(c.DOWN_READ, c.UNLOCK + 1),
    *range(c.RANGE_LOCK, c.RANGE_DOWNGRADE + 1), c.FENCE, c.SYNC_START, c.SYNC_WAIT, c.TREE_STORE, c.FIND_VMA,
    c.ALLOC, c.FREE, c.RCU_READ_LOCK, c.RCU_READ_UNLOCK, c.IRQ_DISABLE,
}  # fmt: skip
#: Ops that may find that they have to wait.
WAITING: Final = frozenset(
    (
        c.DOWN_READ,
        c.DOWN_WRITE,
        c.LOCK,
        c.WAIT_EQUALS,
        c.RCU_GP_START,
        c.RCU_GP_WAIT,
        c.IPI_WAIT,
        c.END,
        c.RANGE_LOCK,  # for itself, if it is taken twice
        c.RANGE_TRYLOCK,
        c.RANGE_WAIT,
        c.WEAK + c.WAIT_EQUALS,
        c.SYNC_WAIT,
        c.FOLIO_CREATE,  # while somebody holds the page's former folio, or its lock
    )
)
#: Ops that look at no thread but their own (memory is another matter).
ALONE: Final = frozenset(
    {*_LOCAL, *_FIELD_READS, *_FIXED, *_WEAK_READS, *_WEAK_WRITES, c.FENCE, c.DEPEND,
     c.STORE, c.STORE_REG, c.STORE_REF, c.ADD, c.INC_NOT_ZERO,
     c.DEC_AND_TEST, c.DOWN_READ_TRYLOCK, c.TRYLOCK, c.ALLOC, c.CALL_RCU, c.RCU_GP_START,
     c.RCU_GP_WAIT}
    - {c.SYNC_START, c.IPI_SEND, c.IRQ_ENABLE, c.PAGE_PUT, c.PAGES_PUT}
)  # fmt: skip
#: Ops that, besides, hand a lock over or queue for it: then another thread's words change with it.
QUEUEING: Final = frozenset(
    (c.DOWN_READ, c.UP_READ, c.DOWN_WRITE, c.UP_WRITE, c.LOCK, c.UNLOCK, c.IRQ_ENABLE)
)


def footprint(op: Op, deferred: Iterable[ObjectClass], weak: Collection[Field] = ()) -> Footprint:
    """What an op touches in a run that defers the freeing of some classes to a grace period.

    ``weak``: the run's weak fields; if it has any, some ops are full barriers besides.
    """
    found = Footprint()
    if op.code == c.ALLOC and op.place is not None:  # which stores to weak words of the object
        found.writes |= {field for field in weak if field.cls == op.place.field.cls}
    if op.code == c.FOLIO_CREATE:
        found.writes |= {field for field in weak if field.cls == o.FOLIO}
    pages = {field for field in weak if field.cls == o.PAGE} if op.code in COMPOUND else set()
    found.writes |= pages
    if (weak and (op.code in _BARRIERS or "full" in op.order)) or (
        pages and op.code in (c.PAGE_PUT, c.PAGES_PUT)
    ):
        found.writes.add(FULL)
    if weak and op.code == c.IPI_SEND:  # a full barrier on every other CPU
        found.writes.add(VIEWS)
    elif (weak and (op.order or op.code in _KNOWING or pages)) or (
        o.TABLE_READY in weak and op.code in DIRECTORY
    ):
        found.adds.add(VIEWS)
    operands = [r for r in (op.dst, op.src, op.src2, op.src3) if r is not None]
    if op.place is not None:
        operands.append(op.place.register)
    found.reads |= {life_of(r.cls) for r in operands if r.cls is not None and r.cls.lifetime}
    place = op.place.field if op.place is not None else None
    if op.code in _FIELD_READS:
        found.reads.add(place)
    elif op.code in _FIELD_WRITES:
        found.writes.add(place)
    elif op.code == c.ADD:
        found.adds.add(place)
    elif op.code in (c.ALLOC, c.FREE, c.CALL_RCU):
        assert place is not None
        _allocation(op.code, place.cls, found)
    elif op.code == c.RCU_GP_START:
        found.writes |= {CALLBACKS, GRACE_PERIOD, *map(callback_of, deferred)}
        found.writes.add(SRCU_PHASE if op.imm else PHASE)
    elif op.code == c.RCU_GP_WAIT:
        found.reads |= {SRCU_PHASE, SRCU_READERS} if op.imm else {PHASE, READERS}
    elif op.code == c.RCU_INVOKE:
        found.writes.add(GRACE_PERIOD)
        for cls in deferred:
            _freed(cls, found)
    elif op.code in _WEAK_READS:
        found.reads.add(place)
    elif op.code in _WEAK_WRITES:
        found.writes.add(place)
    elif op.code == c.FENCE:
        found.writes |= {FULL} if op.order == MB else set()
    elif op.code in _FIXED:
        for have, more in zip((found.reads, found.writes, found.adds), _FIXED[op.code], strict=True):
            have.update(more)
        if (op.code, op.imm) in ((c.PAGE_PUT, c.PIN_BIAS), (c.PTE_SAME, 1)):
            found.writes.add(PINNED)
        if op.code == c.IRQ_ENABLE and op.imm:  # flushes what it is behind with
            found.writes.add(TLB)
    elif op.code not in _LOCAL:
        found.unknown = True
    return found


def _allocation(code: int, cls: ObjectClass, found: Footprint) -> None:
    if code == c.ALLOC:
        found.writes.add(life_of(cls))
    elif code == c.FREE:
        _freed(cls, found)
    else:
        found.writes.add(callback_of(cls))
        found.adds.add(CALLBACKS)


def _freed(cls: ObjectClass, found: Footprint) -> None:
    found.writes |= {life_of(cls), callback_of(cls)}
    if cls == o.PAGE_TABLE:  # which has to be empty
        found.reads.add(PTE)
    if cls == o.VMA:  # drops the file's reference
        found.reads.add(o.VM_FPUT)
        found.writes |= {o.F_COUNT, life_of(o.FILE), callback_of(o.FILE)}


Masks = npt.NDArray[np.int64]
READ, WRITE, ADD = range(3)


def deferred_by(ops: Iterable[Op]) -> set[ObjectClass]:
    """The classes whose objects some op frees after a grace period."""
    return {op.place.field.cls for op in ops if op.code == c.CALL_RCU and op.place is not None}


def masks_of(
    ops: Sequence[Op], deferred: Iterable[ObjectClass], weak: Collection[Field] = ()
) -> tuple[Masks, tuple[Hashable, ...]]:
    """Bit masks of resources by node (columns READ, WRITE, ADD), and the resource of each bit.

    Resources behind the last one that is returned have no bit of their own: they share bit `REST`.
    """
    classes = tuple(sorted(deferred, key=o.CLASSES.index))
    footprints = [_known_footprint(op, classes, tuple(weak)) for op in ops]
    bits: dict[Hashable, int] = {}
    for _, every in footprints:
        for resource in every:
            bits.setdefault(resource, min(len(bits), REST))

    def mask(resources: Iterable[Hashable]) -> int:
        found = 0
        for resource in resources:
            found |= 1 << bits[resource]
        return found

    rows = [
        (mask(found.reads), EVERYTHING if found.unknown else mask(found.writes), mask(found.adds))
        for found, _ in footprints
    ]
    return np.array(rows, dtype=np.int64).reshape(-1, 3), tuple(bits)[:REST]


@lru_cache(maxsize=1 << 14)
def _known_footprint(
    op: Op, deferred: tuple[ObjectClass, ...], weak: tuple[Field, ...]
) -> tuple[Footprint, list[Hashable]]:
    """A footprint, which nobody changes, and its resources in an order of their own: races share most ops."""
    found = footprint(op, deferred, weak)
    return found, sorted(found.every(), key=str)


def running_on(ops: Sequence[Op], masks: Masks, resources: Sequence[Hashable]) -> Masks:
    """The masks of ops for a thread that would run on through them now, where others' interrupts matter less.

    An interrupt is a full barrier in the midst of this thread.  Of what most ops do to views it makes no
    difference whether that barrier comes before or behind them: spfvar.transition.sole asks where it may.
    """
    if VIEWS not in resources:
        return masks
    bit = 1 << resources.index(VIEWS)
    found = masks.copy()
    for row, op in zip(found, ops, strict=True):
        if op.code not in COMPOUND:  # which change several words
            row[ADD] &= ~bit
    return found


def futures_of(masks: Masks, successors: Successors, order: Sequence[int]) -> Masks:
    """By node: the masks of everything that its thread may do from there on.

    ``order``: the nodes as `ends_first` has them.
    """
    own = [row[READ] | row[WRITE] << 64 | row[ADD] << 128 for row in masks.tolist()]
    futures = gathered(own, successors, order)
    low = (1 << 64) - 1
    rows = [(found & low, found >> 64 & low, found >> 128) for found in futures]
    return np.array(rows, dtype=np.int64).reshape(-1, 3)


def conflicts(mine: Masks, theirs: Masks) -> npt.NDArray[np.bool_]:
    """By row of footprints: does it touch a resource that another one does, so that their order matters?"""
    others = theirs[READ] | theirs[WRITE] | theirs[ADD]
    found: npt.NDArray[np.bool_] = (
        (mine[:, WRITE] & others)
        | (mine[:, READ] & (theirs[WRITE] | theirs[ADD]))
        | (mine[:, ADD] & (theirs[READ] | theirs[WRITE]))
    ) != 0
    return found
