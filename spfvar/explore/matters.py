"""What of the views a thread may still look at, or pass on, node by node: the rest is forgotten.

A position of a view matters only if it can still reach a thread that loads the word, and that does not know
as much already (spfvar.transition.settle).  Here is what is known of a node, whatever the others do.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from spfvar.automata.layout import Layout, is_weak
from spfvar.automata.link import Program
from spfvar.automata.publish import FINDING
from spfvar.explore.ahead import Successors, ends_first, gathered, successors_of
from spfvar.explore.needs import needs_of, pointers_of, words_of
from spfvar.explore.registers import live_at
from spfvar.ops import codes as c
from spfvar.ops import histories as h
from spfvar.ops import objects as o
from spfvar.ops.op import Op
from spfvar.ops.orders import MB, RMB, WMB
from spfvar.ops.places import RWSEM_WORDS, SPIN_WORDS, Field, ObjectClass
from spfvar.transition import weak as t
from spfvar.transition.settle import ROOM
from spfvar.transition.views import (
    I_DIRECTORY,
    I_ENTRIES,
    I_FULL,
    I_GRACE,
    I_LOCKS,
    I_READERS,
    I_SENDS,
    I_SLAB,
    I_TREE,
)

Ints = npt.NDArray[np.int64]

LOCKING: Final = (c.DOWN_READ, c.DOWN_READ_TRYLOCK, c.DOWN_WRITE, c.LOCK, c.TRYLOCK, c.RANGE_LOCK,
                  c.RANGE_TRYLOCK, c.RANGE_WAIT)  # fmt: skip
UNLOCKING: Final = (c.UP_READ, c.UP_WRITE, c.DOWNGRADE_WRITE, c.UNLOCK, c.RANGE_UNLOCK, c.RANGE_DOWNGRADE)
#: Ops that are full barriers besides what they do, or may be.
_FULL: Final = (
    c.RCU_GP_START, c.RCU_GP_WAIT, c.IRQ_ENABLE, c.IPI_SEND, c.IPI_WAIT, c.SYNC_START, c.SYNC_WAIT,
    c.SRCU_READ_LOCK, c.SRCU_READ_UNLOCK,
)  # fmt: skip
#: What a full barrier looks at, of which a part comes back to the thread itself.
_ALL: Final = 1 << h.V_READ | 1 << h.V_WRITTEN | 1 << h.V_SENT | 1 << h.V_PAST
#: Orders that pass nothing on.
_SILENT: Final = ("", "acquire", "value", "cut", "unordered", "quiet", "plain")


_MOST_LOCKS: Final = 62 - I_LOCKS
#: Which word of a lock has the number of the thread that has it alone, + 1, by the lock's width.
_OWNER: Final = {RWSEM_WORDS: 1, SPIN_WORDS: 0}


class Matters(NamedTuple):
    """By node, what its thread may still do with views: a bit for each word, or row, or shared view.

    The second half of the rows is for when no thread will find a VMA in the tree any more.  And, by shared
    view, its number among those (-1: it always matters), and whether it is a past.
    """

    loads: Ints  # weak words of which it matters how much the thread knows: it loads, or stores
    stores: Ints  # weak words that it stores to where the order of stores counts
    found: Ints  # of those that it loads, the ones that it will look up in the VMA tree before
    loads_of: Ints  # by node and pointer: the same of one object, as bits of the words of object 0
    stores_of: Ints
    pointers: Ints  # thread words of those pointers
    touched: Ints  # weak words that it accesses, atomically or not
    stored: Ints  # weak words that it stores to, atomically or not
    own: Ints  # views whose positions may still come to matter to the thread itself
    told: Ints  # views whose positions it may still pass on
    sends: Ints  # 1: what it sends along (V_SENT) may go into a message or a lock before a full barrier
    taken: Ints  # shared views that it may still take something from (I_*); I_SENDS: it may interrupt others
    given: Ints  # shared views that it may still give something to
    shared: Ints
    sure: Ints  # by node and weak field: the locks that it takes before it looks at one of the field's words
    field: Ints  # by weak word, the number of its field
    vma: Ints  # by weak word, 1 + the number of the VMA whose it is; 0: of none that is found by a release
    locks: Ints  # by lock: its number in object 0, objects, state word of who has it alone (0: none), stride
    room: Ints  # by thread: scratch of spfvar.transition.settle


def matters(
    layout: Layout, program: Program, plain: Collection[Field], recycled: Collection[ObjectClass]
) -> Matters:
    """What matters in a run: a row for each node, and behind those one for each if no VMA is found any more.

    ``plain``: fields that some op stores to which is no atomic; ``recycled``: classes whose memory is looked
    at whatever it has become.
    """
    sets = _sets(layout, program.ops, recycled)
    rows = _by_node(layout, program, sets, plain, recycled)
    bare = rows
    if any(op.code == c.TREE_ERASE for op in program.ops):
        bare = _by_node(layout, _finding_nothing(program), sets, plain, recycled)
    both = {name: np.concatenate([rows[name], bare[name]]) for name in rows}
    return Matters(
        **both,
        pointers=np.array([layout.registers[register] for register in pointers_of(layout)], dtype=np.int64),
        shared=_shared(layout),
        field=np.array(
            [n for n, field in enumerate(layout.weak_fields) for _ in range(layout.sizes.count(field.cls))],
            dtype=np.int64,
        ),
        vma=_vmas(layout, program),
        locks=_locks(layout),
        room=np.zeros((layout.sizes.threads, ROOM), dtype=np.int64),
    )


def _vmas(layout: Layout, program: Program) -> Ints:
    """By weak word: see `Matters.vma`.  A plain store to the tree tells less than its thread knows."""
    plain = any(op.code == c.TREE_STORE and op.order == "unordered" for op in program.ops)
    found = [
        number + 1 if field.cls == o.VMA and not plain else 0
        for field in layout.weak_fields
        for number in range(layout.sizes.count(field.cls))
    ]
    return np.array(found, dtype=np.int64)


def _finding_nothing(program: Program) -> Program:
    """The program if the tree has no VMA."""
    table = program.table.copy()
    table[table[:, c.C_OP] == c.FIND_VMA, c.C_SUCC + 1] = -1
    return replace(program, table=table)


def _by_node(
    layout: Layout,
    program: Program,
    sets: dict[str, list[int]],
    plain: Collection[Field],
    recycled: Collection[ObjectClass],
) -> dict[str, Ints]:
    """The arrays of `Matters` that have a row for each node; ``sets``: those of `_sets`."""

    def stores(op: Op) -> bool:
        return op.code not in t.LOADS and op.place is not None and op.place.field in plain

    def looks(op: Op) -> bool:
        return op.code in t.LOADS or stores(op)

    successors = successors_of(program.table)
    order = ends_first(successors)
    loads, stored = (
        needs_of(program.ops, layout, needs, recycled, successors, order) for needs in (looks, stores)
    )
    ahead = _ahead(sets, successors, order)
    ahead["own"] |= _registers(layout, program, successors, order)
    return ahead | {
        "loads": loads.unknown | loads.found,
        "stores": stored.unknown | stored.found,
        "found": loads.found & ~loads.unknown,
        "loads_of": loads.through,
        "stores_of": stored.through,
        "sends": _sends(layout, program.ops, successors, order),
        "sure": _sure(program, layout, looks, order),
    }


def _sets(layout: Layout, ops: Sequence[Op], recycled: Collection[ObjectClass]) -> dict[str, list[int]]:
    """By node: what its op alone adds to those arrays of `Matters` that are of all ops ahead."""
    pages = _has_pages(layout)
    looked = [_looked_at(op, pages, layout) for op in ops]
    touched = [_touched(op, layout, recycled) for op in ops]
    return {
        "touched": touched,
        "stored": [0 if op.code in t.LOADS else words for op, words in zip(ops, touched, strict=True)],
        "own": [own for own, _ in looked],
        "told": [told for _, told in looked],
        "taken": [_taken(op, layout, pages) for op in ops],
        "given": [_given(op, layout, pages) for op in ops],
    }


def _touched(op: Op, layout: Layout, recycled: Collection[ObjectClass]) -> int:
    """The weak words that an op accesses; where memory is looked at whatever it becomes, it is stored to."""
    if op.place is not None and op.code == c.ALLOC and op.place.field.cls in recycled:
        return sum(words_of(layout, one) for one in layout.weak_fields if one.cls == op.place.field.cls)
    if op.code in t.COMPOUND:
        return sum(words_of(layout, one) for one in layout.weak_fields if one.cls == o.PAGE)
    if op.place is None or not is_weak(op):
        return 0
    return words_of(layout, op.place.field)


def _has_pages(layout: Layout) -> bool:
    """Are words of anonymous pages weak?"""
    return any(field.cls == o.PAGE for field in layout.weak_fields)


def _puts(op: Op, pages: bool) -> bool:
    """Is it a full barrier because it drops references to pages, which are weak words?"""
    return pages and op.code in (c.PAGE_PUT, c.PAGES_PUT)


def _looked_at(op: Op, pages: bool, layout: Layout) -> tuple[int, int]:
    """The views that an op looks at, registers' apart: for the thread itself, and to pass them on.

    What a thread has written it knows.  ``pages``: words of anonymous pages are weak.
    """
    own = told = 0
    if is_weak(op):
        own |= 1 << h.V_FLOOR
        if op.code not in t.LOADS:
            own |= 1 << h.V_BRANCHED | 1 << h.V_PAST
            told |= 1 << h.V_SENT | 1 << h.V_PAST
    if op.code in _FULL or op.order in ("full", MB) or _puts(op, pages):
        own |= _ALL
        told |= _ALL
    elif op.order == RMB:
        own |= 1 << h.V_READ
    elif op.order == WMB:
        told |= 1 << h.V_WRITTEN
    elif op.order not in _SILENT:
        own |= 1 << h.V_READ
        told |= _ALL
    if op.code in UNLOCKING:
        own |= 1 << h.V_READ
        told |= _ALL
    if op.code in (c.RCU_READ_UNLOCK, c.TREE_STORE, c.FREE):
        told |= _ALL
    if (layout.linked and op.code == c.PMD_POPULATE) or (layout.entered and op.code in h.SETTING):
        told |= 1 << h.V_SENT
    if op.code == c.ALLOC or (pages and op.code in t.COMPOUND):  # of recycled memory: its zeroes are stores
        told |= 1 << h.V_SENT | 1 << h.V_PAST
    if op.code in LOCKING:
        own |= 1 << h.V_UNLOCKED | 1 << h.V_UNLOCKED_STORES
        told |= 1 << h.V_UNLOCKED_STORES
    return own, told


def _taken(op: Op, layout: Layout, pages: bool) -> int:
    """The shared views that an op takes something from."""
    found = 0
    if op.code in _FULL or op.order in ("full", MB) or _puts(op, pages):
        found |= 1 << I_FULL
    if op.code == c.IPI_SEND:
        found |= 1 << I_SENDS
    if op.code in (c.RCU_READ_LOCK, c.IRQ_DISABLE):
        found |= 1 << I_GRACE
    if op.code in (c.RCU_GP_WAIT, c.SYNC_START, c.SYNC_WAIT):
        found |= 1 << I_READERS
    if op.code == c.FIND_VMA:
        found |= 1 << I_TREE
    if op.code == c.ALLOC:
        found |= 1 << I_SLAB
    if layout.linked and op.code in FINDING:
        found |= 1 << I_DIRECTORY
    if layout.entered and op.code in h.READING:
        found |= 1 << I_ENTRIES
    on_lock = op.code in LOCKING or c.LOAD <= op.code <= c.STORE_REF
    if op.place is not None and on_lock and op.place.field in layout.locks:
        found |= 1 << I_LOCKS + lock_bit(layout, op.place.field)
    return found


def _given(op: Op, layout: Layout, pages: bool) -> int:
    """The shared views that an op gives something to."""
    found = 0
    if op.code in _FULL or op.order in ("full", MB) or _puts(op, pages):
        found |= 1 << I_FULL
    if op.code in (c.RCU_GP_START, c.SYNC_START):
        found |= 1 << I_GRACE
    if op.code in (c.RCU_READ_UNLOCK, c.IRQ_ENABLE):
        found |= 1 << I_READERS
    if op.code == c.TREE_STORE:
        found |= 1 << I_TREE
    if op.code == c.FREE:
        found |= 1 << I_SLAB
    if layout.linked and op.code == c.PMD_POPULATE:
        found |= 1 << I_DIRECTORY
    if layout.entered and op.code in h.SETTING:
        found |= 1 << I_ENTRIES
    on_lock = op.code in UNLOCKING or c.LOAD <= op.code <= c.STORE_REF
    if op.place is not None and on_lock and op.place.field in layout.locks:
        found |= 1 << I_LOCKS + lock_bit(layout, op.place.field)
    return found


def _sends(layout: Layout, ops: Sequence[Op], successors: Successors, order: Sequence[int]) -> Ints:
    """By node: may what the thread sends along go into a message or a lock before its next full barrier?

    An atomic with full order has its barrier first, if it stores at all.
    """
    pages = _has_pages(layout)
    uses, bars = [], []
    for op in ops:
        bar = op.code in _FULL and op.code != c.IRQ_ENABLE
        bars.append(bar or op.order == MB or _puts(op, pages))
        stores = (is_weak(op) and op.code not in t.LOADS and op.order != "full") or op.code in UNLOCKING
        publishes = op.code in (c.ALLOC, c.TREE_STORE, c.PMD_POPULATE, *h.SETTING, *t.COMPOUND)
        uses.append(int(not bars[-1] and (stores or publishes)))
    found = gathered(uses, successors, order, [int(not bar) for bar in bars])
    return np.array(found, dtype=np.int64)


def lock_bit(layout: Layout, field: Field) -> int:
    """The number of a lock's field, or of a strong word's with an order; the last number is shared."""
    return min(list(layout.locks).index(field), _MOST_LOCKS - 1)


def _shared(layout: Layout) -> Ints:
    """By shared view: its number I_*, or -1; is it a past?"""
    found = [
        [I_FULL, 0],
        [I_GRACE, 0],
        [I_READERS, 0],
        [I_FULL, 1],
        [I_GRACE, 1],
        [I_READERS, 1],
        [I_TREE, 0],
    ]
    found += [[I_SLAB, 0]] * (h.S_LOCKS - h.S_SLAB)
    for field in layout.locks:
        bit = I_LOCKS + lock_bit(layout, field)
        found += [[bit, 0], [bit, 0], [bit, 1]] * layout.sizes.count(field.cls)
    sections = [[-1, 0]] * layout.sizes.threads
    linked = layout.shared_rows - len(found) - layout.entry_rows - len(sections)
    found += [[-1, 0]] * linked + [[I_ENTRIES, 0]] * layout.entry_rows + sections
    return np.array(found, dtype=np.int64)


def _locks(layout: Layout) -> Ints:
    """By lock: see `Matters.locks`.  A folio's is taken and released by primitives that tell nobody."""
    found = []
    for field, first in list(layout.locks.items())[:_MOST_LOCKS]:
        owner = 0
        if field.width in _OWNER and field.cls != o.FOLIO:
            owner = layout.word(field) + _OWNER[field.width]
        found.append([first, layout.sizes.count(field.cls), owner, layout.class_stride[field.cls]])
    return np.array(found, dtype=np.int64).reshape(-1, 4)


def _sure(program: Program, layout: Layout, needs: Callable[[Op], bool], order: Sequence[int]) -> Ints:
    """By node and weak field: the locks, a bit each, taken on every way to an op that ``needs`` it."""
    fields = {field: number for number, field in enumerate(layout.weak_fields)}
    width = min(len(layout.locks), _MOST_LOCKS)
    every = (1 << width) - 1
    spread = sum(1 << width * number for number in range(len(fields)))  # a lock's bit in each field's part
    gains = [
        every << width * fields[op.place.field] if op.place is not None and is_weak(op) and needs(op) else 0
        for op in program.ops
    ]
    edges = []
    for op, row in zip(program.ops, program.table.tolist(), strict=True):
        taken = 0
        if op.place is not None and op.place.field in layout.locks and op.order != "unordered":
            number = list(layout.locks).index(op.place.field)
            taken = spread << number if op.code in LOCKING[:5] and number < width else 0
        tries = op.code in (c.TRYLOCK, c.DOWN_READ_TRYLOCK) or (op.code == c.DOWN_WRITE and op.imm != 0)
        successors = row[c.C_SUCC : c.C_SUCC + c.MAX_OUTCOMES]
        edges.append(
            [(there, taken if n == 1 or not tries else 0) for n, there in enumerate(successors) if there >= 0]
        )
    found = [every * spread] * len(gains)
    changed = True
    while changed:
        changed = False
        for node in order:
            ahead = every * spread
            for there, taken in edges[node]:
                ahead &= found[there] | taken
            ahead &= ~gains[node]
            changed = changed or ahead != found[node]
            found[node] = ahead
    return np.array(
        [[one >> width * number & every for number in range(len(fields))] for one in found], dtype=np.int64
    ).reshape(len(found), -1)


def _registers(layout: Layout, program: Program, successors: Successors, order: Sequence[int]) -> Ints:
    """By node: the views of registers that are still read, a bit each."""
    live = live_at(program.table.tolist(), int(layout.g[c.G_R_ADDR]), successors, order)
    rows = [(layout.registers[register], row) for register, row in layout.viewed.items()]
    return np.array(
        [sum(1 << row for slot, row in rows if registers >> slot & 1) for registers in live], dtype=np.int64
    )


def _ahead(own: dict[str, list[int]], successors: Successors, order: Sequence[int]) -> dict[str, Ints]:
    """By node: the union of sets of its own and of those of all nodes behind it; all kinds in one go."""
    together = [sum(one << 64 * n for n, one in enumerate(sets)) for sets in zip(*own.values(), strict=True)]
    found = gathered(together, successors, order)
    mask = (1 << 64) - 1
    return {
        name: np.array([one >> 64 * n & mask for one in found], dtype=np.int64) for n, name in enumerate(own)
    }
