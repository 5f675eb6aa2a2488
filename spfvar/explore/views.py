"""What a search with weak words knows of its nodes: words, locks, orders."""

from __future__ import annotations

from collections.abc import Collection
from typing import Final

import numpy as np
import numpy.typing as npt

from spfvar.automata.layout import Layout, is_weak
from spfvar.automata.link import Program
from spfvar.errors import InputError
from spfvar.explore.matters import LOCKING, UNLOCKING, matters
from spfvar.explore.running import Running
from spfvar.ops import codes as c
from spfvar.ops import histories as h
from spfvar.ops import objects as o
from spfvar.ops.op import Op
from spfvar.ops.orders import PLAIN_ORDERS
from spfvar.ops.places import Field, ObjectClass, Register
from spfvar.transition import views as v
from spfvar.transition import weak as t
from spfvar.transition.views import SEEN, Weak

Ints = npt.NDArray[np.int64]

#: Bits of a mask.
_MOST: Final = 62
_ON_LOCKS: Final = (*LOCKING, *UNLOCKING, *range(c.LOAD, c.STORE_REF + 1))


def weak_of(layout: Layout, program: Program, cpus: Running) -> Weak | None:
    """What a run needs to know of its weak words; None if it has none.

    Raises InputError if there are more weak words, or registers filled from them, than a mask has bits.
    """
    words = layout.weak_words
    if words == 0:
        return None
    if max(words, layout.view_rows) > _MOST:
        raise InputError(
            f"{words} weak words and {layout.view_rows} views of a thread",
            expected=f"at most {_MOST} of each",
        )
    home = [
        layout.word(field, index)
        for field in layout.weak_fields
        for index in range(layout.sizes.count(field.cls))
    ]
    plain = {
        op.place.field for op in program.ops
        if op.place is not None
        and (op.code in t.STORES or op.order in PLAIN_ORDERS.values())
    }  # fmt: skip
    recycled = {op.place.field.cls for op in program.ops if op.typesafe and op.place is not None}
    interrupts_all = any(op.code == c.IPI_SEND and op.src is None for op in program.ops)
    return Weak(
        *_places(layout, v.TRIES_NOT),
        np.array(home, dtype=np.int64),
        np.array([_node(op, layout, plain, recycled) for op in program.ops], dtype=np.int64),
        np.array(cpus.spaces, dtype=np.int64),
        np.array((*cpus.space, *(0,) * (layout.sizes.pages - len(cpus.space))), dtype=np.int64),
        np.array([interrupts_all or spaces != 0 for spaces in cpus.spaces], dtype=np.int64),
        *matters(layout, program, plain, recycled),
        np.zeros(words, dtype=np.int64),
        np.zeros((2, words + 1), dtype=np.int64),
        np.zeros(SEEN, dtype=np.int64),
        np.zeros(len(program.ops), dtype=np.uint8),
    )


def narrowed(weak: Weak, layout: Layout, tries: int) -> Weak:
    """The same for a layout with other histories; TRIES_*: what a search does when one of them is full."""
    constants, lane, shift = _places(layout, tries)
    return weak._replace(constants=constants, lane=lane, shift=shift)


def _places(layout: Layout, tries: int) -> tuple[Ints, Ints, Ints]:
    """What depends on how long histories are: the first three arrays of a `Weak`."""
    words, history = layout.weak_words, layout.history
    constants = [
        words, layout.rings, layout.views, layout.view_rows, layout.shared_views,
        layout.shared_rows, layout.sync, h.view_words(words, history), layout.directory,
        layout.registers[o.mm], history, h.history_words(words, history), h.message_words(words, history),
        (1 << h.bits_each(history)) - 1, h.packed(history), layout.long, tries, layout.entries,
    ]  # fmt: skip
    lane, place = np.divmod(np.arange(words), h.packed(history))
    return np.array(constants, dtype=np.int64), lane, place * h.bits_each(history)


def is_load(op: Op) -> bool:
    """Is it a load of a weak word, whose message is an open choice?"""
    return op.code in t.LOADS


def _node(op: Op, layout: Layout, plain: Collection[Field], recycled: Collection[ObjectClass]) -> list[int]:
    """Columns of Weak.nodes.

    ``plain``: fields that some op stores to which is no atomic; ``recycled``: classes whose memory is looked
    at whatever it has become.
    """
    word = lock = -1
    if op.place is not None and is_weak(op):
        word = layout.weak_number(op.place.field)
    elif op.code == c.ALLOC and op.place is not None:
        word = int(op.place.field.cls in recycled)
    elif op.place is not None and op.place.field in layout.locks and op.code in _ON_LOCKS:
        lock = layout.locks[op.place.field]
    place = op.place.register if op.place is not None else None
    operands = (op.dst, op.src, op.src2, op.src3, place) if op.order != "value" else (None,) * 5
    bits = h.BITS[op.order]
    if op.code in (c.PAGE_PUT, c.PAGES_PUT) and any(one.cls == o.PAGE for one in layout.weak_fields):
        bits |= h.FULL  # folio_put_testzero()
    if word >= 0 and op.place is not None and op.place.field not in plain:
        bits |= h.CHAINED
    learns = _learns(op, word, lock, layout.entered)
    return [word, lock, bits, *(_row(layout, r) for r in operands), int(is_load(op)), learns]


def _learns(op: Op, word: int, lock: int, entered: bool) -> int:
    """Column N_LEARNS of Weak.nodes."""
    if op.code == c.ALLOC:
        return v.LEARNS_SLAB
    if lock >= 0 and op.code not in UNLOCKING:
        return v.LEARNS_LOCK
    if entered and op.code in h.READING:
        return v.LEARNS_ENTRY
    if word < 0:
        return v.LEARNS_NOTHING
    return v.LEARNS_ORDER if op.code in t.STORES else v.LEARNS_MESSAGE


def _row(layout: Layout, register: Register | None) -> int:
    return layout.viewed.get(register, -1) if register is not None else -1
