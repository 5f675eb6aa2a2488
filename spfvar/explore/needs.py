"""Which weak words a thread may still look at, node by node, and through which pointers."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from spfvar.automata.layout import Layout, is_weak
from spfvar.explore.ahead import Successors
from spfvar.ops import codes as c
from spfvar.ops.op import Op
from spfvar.ops.places import Field, ObjectClass, Register
from spfvar.transition import weak as t

Ints = npt.NDArray[np.int64]

#: Through what a field is looked at, as bits of its part of a number: a pointer from wherever it will come,
#: one that will be found in the VMA tree; and from here on, the registers.
_UNKNOWN: Final = 0
_FOUND: Final = 1
_REGISTERS: Final = 2


class Needs(NamedTuple):
    """By node, weak words, a bit each; by node and pointer, weak fields: the bits of object 0's words."""

    unknown: Ints  # of whichever object
    found: Ints  # of whichever object the thread will find in the VMA tree
    through: Ints  # of the object that a register points to now


def words_of(layout: Layout, field: Field) -> int:
    """A bit for each word of a weak field."""
    return ((1 << layout.sizes.count(field.cls)) - 1) << layout.weak_number(field)


def pointers_of(layout: Layout) -> list[Register]:
    """The registers that may point to objects with weak words."""
    classes = {field.cls for field in layout.weak_fields}
    return [register for register in layout.registers if register.cls in classes]


def needs_of(
    ops: Sequence[Op],
    layout: Layout,
    needs: Callable[[Op], bool],
    recycled: Collection[ObjectClass],
    successors: Successors,
    order: Sequence[int],
) -> Needs:
    """What ops ahead need.

    Not what is behind an atomic of the thread's on the same object, which has read the newest message; nor
    words of an object that the thread will allocate, for their histories begin anew with that, unless memory
    is looked at whatever it has become (``recycled``).  ``order``: the nodes as `ends_first` has them.
    """
    fields = {field: number for number, field in enumerate(layout.weak_fields)}
    bits = {register: number + _REGISTERS for number, register in enumerate(layout.registers)}
    width = len(bits) + _REGISTERS  # of a field's part
    every = sum(1 << width * number for number in fields.values())
    gains, losses = [], []
    for op in ops:
        gain = loss = 0
        if op.place is not None and is_weak(op):
            # Without a dependency, what the pointer brought along is no floor.
            register = _UNKNOWN if op.order == "value" else bits[op.place.register]
            part = width * fields[op.place.field]
            atomic = op.code not in t.LOADS and op.code not in t.STORES
            gain = 1 << part + register if needs(op) else 0
            loss = 1 << part + bits[op.place.register] if atomic and not gain else 0
        gains.append(gain)
        losses.append(loss)
    sources = [
        [(made, _source(op, layout, bits, recycled)) for made in _made(op) if made in bits] for op in ops
    ]
    needed = list(gains)
    changed = True
    while changed:
        changed = False
        for node in order:
            ahead = 0
            for there in successors[node]:
                ahead |= needed[there]
            for made, source in sources[node]:  # before, it was what the op makes it
                through = ahead >> bits[made] & every
                ahead &= ~(every << bits[made])
                ahead |= through << source if source is not None else 0
            found = needed[node] | gains[node] | ahead & ~losses[node]
            changed = changed or found != needed[node]
            needed[node] = found
    return _masks(needed, layout, fields, bits, width)


#: Orders of an op whose register is no address dependency for what follows.
_CUT: Final = ("value", "cut")


def _made(op: Op) -> list[Register]:
    """The registers that an op may put a pointer into."""
    both = (op.dst, op.src2) if op.code == c.PAGE_OF else (op.dst,)
    return [register for register in both if register is not None]


def _source(
    op: Op, layout: Layout, bits: dict[Register, int], recycled: Collection[ObjectClass]
) -> int | None:
    """Where the pointer comes from that an op puts into its register; None: it is of a new object."""
    if op.dst is None or op.dst.cls is None:
        return _UNKNOWN
    if op.code == c.ALLOC and op.dst.cls not in recycled:
        return None
    if op.code == c.FIND_VMA and op.order not in _CUT and op.dst in layout.viewed:
        return _FOUND
    copied = op.code == c.ADD_REG and op.imm == 0 and op.order not in _CUT and op.src is not None
    if copied and op.src in bits and {op.src, op.dst} <= set(layout.viewed) and op.src.cls == op.dst.cls:
        return bits[op.src]
    return _UNKNOWN


def _masks(
    needed: list[int], layout: Layout, fields: dict[Field, int], bits: dict[Register, int], width: int
) -> Needs:
    pointers = pointers_of(layout)
    words = {field: words_of(layout, field) for field in fields}
    firsts = {field: 1 << layout.weak_number(field) for field in fields}

    def row(one: int) -> list[int]:
        """What is needed of whichever object, of one that will be found, and through each pointer."""
        masks = [0, 0, *(0 for _ in pointers)]
        for field, number in fields.items():
            part = one >> width * number & ((1 << width) - 1)
            for place in (_UNKNOWN, _FOUND):
                if part >> place & 1:
                    masks[place] |= words[field]
            for column, register in enumerate(pointers, _REGISTERS):
                if register.cls == field.cls and part >> bits[register] & 1:
                    masks[column] |= firsts[field]
        return masks

    rows = {one: row(one) for one in set(needed)}  # few differ from one node to the next
    masks = np.array([rows[one] for one in needed], dtype=np.int64).reshape(len(needed), -1)
    return Needs(masks[:, _UNKNOWN], masks[:, _FOUND], masks[:, _REGISTERS:])
