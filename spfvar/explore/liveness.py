"""Dead registers: what no primitive will read any more is set to a fixed value, and two states become one.

A register is dead at a node if every way on from the node writes it before it reads it.  What it held then
cannot make a difference, yet it would tell states apart (dead variable reduction; Bozga, Fernandez, Ghirvu,
State space reduction based on live variables analysis, SAS 1999).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np

from spfvar.automata.layout import Layout
from spfvar.automata.link import Program
from spfvar.ops import codes as c
from spfvar.ops.op import Op
from spfvar.ops.places import Register

#: Primitives that only write their destination; every other one may read it too.
_PURE_WRITES = frozenset({
    c.SET_REG, c.ADD_REG, c.ADD_REGS, c.LOAD, c.LOAD_TEST, c.LOAD_ODD, c.LOAD_REF, c.ALLOC, c.FIND_VMA,
    c.READ_PMD, c.READ_PTE, c.FOLIO_GET, c.FOLIO_CREATE, c.PTE_TAKE, c.PMD_TAKE, c.PAGE_ALLOC,
})  # fmt: skip


class Dead(NamedTuple):
    """Thread words to clear on arrival at a node, ``words[first[node]:first[node + 1]]``, and values."""

    first: Any  # (nodes + 1,) int64
    words: Any  # int64
    values: Any  # int64: -1 for references, 0 for numbers


def reads(op: Op) -> Iterator[Register]:
    """Registers whose value a primitive may use."""
    yield from (register for register in (op.src, op.src2, op.src3) if register is not None)
    if op.place is not None and op.code != c.ALLOC:
        yield op.place.register
    if op.dst is not None and op.code not in _PURE_WRITES:
        yield op.dst


def writes(op: Op) -> Iterator[Register]:
    """Registers that a primitive may change."""
    yield from (register for register in (op.dst, op.src, op.src2, op.src3) if register is not None)
    if op.place is not None:
        yield op.place.register


def _always_writes(op: Op) -> set[Register]:
    return {op.dst} if op.dst is not None and op.code in _PURE_WRITES else set()


def live_registers(program: Program, layout: Layout) -> list[frozenset[Register]]:
    """By node: registers that may be read from there on before they are written."""
    nodes = len(program.ops)
    extra = {r for r in layout.registers if layout.registers[r] == layout.g[c.G_R_ADDR]}  # read by WINDOW
    use = [set(reads(op)) | (extra if op.code == c.WINDOW else set()) for op in program.ops]
    kill = [_always_writes(op) for op in program.ops]
    successors = [
        [int(s) for s in program.table[node, c.C_SUCC : c.C_SUCC + c.MAX_OUTCOMES] if s >= 0]
        for node in range(nodes)
    ]
    before: list[list[int]] = [[] for _ in range(nodes)]
    for node, targets in enumerate(successors):
        for target in targets:
            before[target].append(node)
    live: list[set[Register]] = [set() for _ in range(nodes)]
    work = list(range(nodes))
    while work:
        node = work.pop()
        behind = set().union(*(live[s] for s in successors[node]))
        found = use[node] | (behind - kill[node])
        if found != live[node]:
            live[node] = found
            work += before[node]
    return [frozenset(registers) for registers in live]


def dead_registers(program: Program, layout: Layout) -> Dead:
    """What to clear on arrival at each node: what a predecessor had in use or wrote, and is dead now."""
    live = live_registers(program, layout)
    clear: list[set[Register]] = [set() for _ in live]
    for node, op in enumerate(program.ops):
        held = live[node] | set(writes(op))
        for target in program.table[node, c.C_SUCC : c.C_SUCC + c.MAX_OUTCOMES]:
            if target >= 0:
                clear[int(target)] |= held - live[int(target)]
    first = np.zeros(len(live) + 1, dtype=np.int64)
    words: list[int] = []
    values: list[int] = []
    for node, registers in enumerate(clear):
        for register in sorted(registers, key=lambda r: layout.registers[r]):
            words.append(layout.registers[register])
            values.append(-1 if register.cls is not None else 0)
        first[node + 1] = len(words)
    return Dead(first, np.array(words, dtype=np.int64), np.array(values, dtype=np.int64))
