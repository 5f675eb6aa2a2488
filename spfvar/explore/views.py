"""What a search with weak words knows of its nodes: words, locks, orders, and the views that still matter."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Final

import numpy as np
import numpy.typing as npt

from spfvar.automata.layout import Layout, is_weak
from spfvar.automata.link import Program
from spfvar.errors import InputError
from spfvar.explore.registers import live_at
from spfvar.ops import codes as c
from spfvar.ops import histories as h
from spfvar.ops.op import Op
from spfvar.ops.orders import PLAIN_ORDERS
from spfvar.ops.places import Field, ObjectClass, Register
from spfvar.transition import weak as t
from spfvar.transition.views import Weak

Ints = npt.NDArray[np.int64]

#: Bits of a mask.
_MOST: Final = 62
_LOCKING: Final = (c.DOWN_READ, c.DOWN_READ_TRYLOCK, c.DOWN_WRITE, c.LOCK, c.TRYLOCK, c.RANGE_LOCK,
                   c.RANGE_TRYLOCK, c.RANGE_WAIT)  # fmt: skip
_UNLOCKING: Final = (c.UP_READ, c.UP_WRITE, c.DOWNGRADE_WRITE, c.UNLOCK, c.RANGE_UNLOCK, c.RANGE_DOWNGRADE)
_ON_LOCKS: Final = (*_LOCKING, *_UNLOCKING, *range(c.LOAD, c.STORE_REF + 1))
#: Ops that pass on what the thread has read and written.
_TELLING: Final = (
    *_UNLOCKING, c.FENCE, c.RCU_READ_UNLOCK, c.IRQ_ENABLE, c.RCU_GP_START, c.RCU_GP_WAIT, c.IPI_SEND,
    c.IPI_WAIT, c.SYNC_START, c.SYNC_WAIT, c.SRCU_READ_LOCK, c.SRCU_READ_UNLOCK, c.TREE_STORE, c.FREE,
)  # fmt: skip


def weak_of(layout: Layout, program: Program) -> Weak | None:
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
    constants = [
        words, layout.rings, layout.views, layout.view_rows, layout.shared_views,
        layout.shared_rows, layout.sync, h.view_words(words),
    ]  # fmt: skip
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
    ahead = _needed(program, layout, plain)
    return Weak(
        np.array(constants, dtype=np.int64),
        np.array(home, dtype=np.int64),
        np.array([_node(op, layout, plain, recycled) for op in program.ops], dtype=np.int64),
        ahead,
        _rows(layout, program),
        np.zeros(2, dtype=np.int64),
        np.zeros(len(program.ops), dtype=np.uint8),
    )


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
    if word >= 0 and op.place is not None and op.place.field not in plain:
        bits |= h.CHAINED
    return [word, lock, bits, *(_row(layout, r) for r in operands), int(is_load(op))]


def _row(layout: Layout, register: Register | None) -> int:
    return layout.viewed.get(register, -1) if register is not None else -1


def _needed(program: Program, layout: Layout, plain: Collection[Field]) -> Ints:
    """By node: the weak words, a bit each, of which the thread still needs to know how much it knows.

    It does for a load, and for a store where the order of stores counts.  Not for a load behind an atomic of
    its own on the same object, which has read the newest message.  ``plain`` as in `_node`.
    """
    fields = {field: number for number, field in enumerate(layout.weak_fields)}
    registers = {register: number + 1 for number, register in enumerate(layout.registers)}
    width = len(registers) + 1  # bits of a field: what is looked at through some register, and through each
    some = sum(1 << width * number for number in fields.values())
    gains, losses, renamed = [], [], []
    for op in program.ops:
        gain = loss = 0
        if op.place is not None and is_weak(op):
            bit = 1 << width * fields[op.place.field] + registers[op.place.register]
            needs = op.code in t.LOADS or op.place.field in plain
            gain, loss = (bit, 0) if needs else (0, bit)
        gains.append(gain)
        losses.append(loss)
        renamed.append(registers[op.dst] if op.dst is not None and op.dst in registers else 0)
    needed = list(gains)
    successors = [
        [there for there in row if there >= 0]
        for row in program.table[:, c.C_SUCC : c.C_SUCC + c.MAX_OUTCOMES].tolist()
    ]
    changed = True
    while changed:
        changed = False
        for node in range(len(needed) - 1, -1, -1):
            ahead = 0
            for there in successors[node]:
                ahead |= needed[there]
            if renamed[node]:  # before, it was whatever another register led to
                through = ahead & some << renamed[node]
                ahead = ahead & ~through | through >> renamed[node]
            found = needed[node] | gains[node] | ahead & ~losses[node]
            changed = changed or found != needed[node]
            needed[node] = found
    masks = []
    for found in needed:
        mask = 0
        for field, number in fields.items():
            if found >> width * number & ((1 << width) - 1):
                first, count = layout.weak_number(field), layout.sizes.count(field.cls)
                mask |= ((1 << count) - 1) << first
        masks.append(mask)
    return np.array(masks, dtype=np.int64)


def _ahead(program: Program, own: Sequence[int]) -> Ints:
    """By node: the union of a set of its own and of those of all nodes behind it."""
    found = np.array(own, dtype=np.int64)
    successors = program.table[:, c.C_SUCC : c.C_SUCC + c.MAX_OUTCOMES]
    while True:
        before = found.copy()
        for column in successors.T:
            there = column >= 0
            found[there] |= found[column[there]]
        if (before == found).all():
            return found


def _rows(layout: Layout, program: Program) -> Ints:
    """By node: the views that make a difference to what its thread may still do, or tell, a bit each."""
    interrupts = any(op.code == c.IPI_SEND for op in program.ops)
    ahead = _ahead(program, [_looked_at(op) for op in program.ops])
    if interrupts:  # an interrupted CPU tells what it has read and written, wherever it is
        ahead |= 1 << h.V_READ | 1 << h.V_WRITTEN | 1 << h.V_SENT | 1 << h.V_PAST
    live = live_at(program.table, int(layout.g[c.G_R_ADDR]))
    for node, registers in enumerate(live):
        for register, row in layout.viewed.items():
            if registers >> layout.registers[register] & 1:
                ahead[node] |= 1 << row
    return ahead


def _looked_at(op: Op) -> int:
    """The views of the thread's that an op looks at, a bit each; registers' apart."""
    found = 0
    if is_weak(op):
        found |= 1 << h.V_FLOOR
        if op.code not in t.LOADS:
            found |= 1 << h.V_SENT | 1 << h.V_BRANCHED | 1 << h.V_PAST
    if op.order:
        found |= 1 << h.V_READ | 1 << h.V_WRITTEN | 1 << h.V_SENT | 1 << h.V_PAST
    if op.code in _TELLING:
        found |= 1 << h.V_READ | 1 << h.V_WRITTEN | 1 << h.V_SENT | 1 << h.V_PAST
    if op.code in _LOCKING:
        found |= 1 << h.V_UNLOCKED | 1 << h.V_UNLOCKED_STORES
    return found
