"""Which registers a thread has done with, node by node.

A register is dead at a node if every way on writes it before it reads it.  What it holds then makes no
difference, so a search may forget it: states that differ in dead registers only become one.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from spfvar.explore.ahead import Successors, gathered
from spfvar.ops import codes as c

Ints = npt.NDArray[np.int32]
#: A row of the program table.
Row = Sequence[int]

#: Ops that write C_DST whatever happens, and do not read it.
_OVERWRITE = frozenset(
    (c.SET_REG, c.ADD_REG, c.ADD_REGS, c.LOAD, c.LOAD_TEST, c.LOAD_ODD, c.LOAD_REF, c.ALLOC, c.FIND_VMA,
     c.READ_PMD, c.READ_PTE, c.PMD_TAKE, c.PTE_TAKE, c.FOLIO_GET, c.FOLIO_CREATE,
     c.NEXT_CANDIDATE, c.PAGE_ALLOC, c.WINDOW, c.WEAK + c.LOAD, c.WEAK + c.LOAD_TEST, c.WEAK + c.LOAD_ODD,
     c.WEAK + c.LOAD_REF, *range(c.RMW_ADD, c.RMW_ADD_UNLESS + 1))
)  # fmt: skip
_OPERANDS = (c.C_DST, c.C_SRC, c.C_SRC2, c.C_SRC3, c.C_A_REG)
#: Columns that hold no register although they could: an allocation's place is what it allocates.
_NO_OPERAND = {c.ALLOC: (c.C_A_REG,)}


def written(row: Row) -> int:
    """Set of the registers that a node certainly overwrites unread, a bit each."""
    return 1 << row[c.C_DST] if row[c.C_OP] in _OVERWRITE and row[c.C_DST] >= 0 else 0


def read(row: Row, address: int) -> int:
    """Set of the registers that a node may read.  ``address`` is always one: some ops use it unsaid."""
    found = 1 << address
    ignored = _NO_OPERAND.get(row[c.C_OP], ())
    for column in _OPERANDS:
        if row[column] >= 0 and column not in ignored:
            found |= 1 << row[column]
    if row[c.C_OP] in _OVERWRITE:
        sources = [row[column] for column in _OPERANDS[1:] if column not in ignored]
        if row[c.C_DST] not in sources:
            found &= ~written(row) | 1 << address
    return found


def live_at(rows: Sequence[Row], address: int, successors: Successors, order: Sequence[int]) -> list[int]:
    """By node: the set of the registers that some way on reads before it writes them.

    ``rows``: the program table's, as plain integers; ``order``: the nodes as `ends_first` has them.
    """
    own = [read(row, address) for row in rows]
    return gathered(own, successors, order, [~written(row) for row in rows])


def dying_at(rows: Sequence[Row], live: Sequence[int], successors: Successors) -> tuple[Ints, Ints]:
    """The registers to forget on entry to each node: offsets by node into a list of thread words.

    Only those that may hold something there: they were ``live``, or written, at a node just before.
    """
    held = [0] * len(rows)
    for node, row in enumerate(rows):
        before = live[node] | written(row)
        for successor in successors[node]:
            held[successor] |= before
    offsets = [0]
    words: list[int] = []
    for before, kept in zip(held, live, strict=True):
        if before & ~kept:
            words += _members(before & ~kept)
        offsets.append(len(words))
    return np.array(offsets, dtype=np.int32), np.array(words, dtype=np.int32)


def dead_at(live: int, registers: int) -> list[int]:
    """The thread words of the registers (in all so many thread words) that are not in a set."""
    return [word for word in range(c.T_FIXED, registers) if not live >> word & 1]


def _members(numbers: int) -> list[int]:
    return [bit for bit in range(numbers.bit_length()) if numbers >> bit & 1]
