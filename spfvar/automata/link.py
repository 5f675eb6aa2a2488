"""Linking: automata and a layout become the program table that the transition function reads."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from spfvar.automata.automaton import Automaton
from spfvar.automata.layout import Layout, Words
from spfvar.ops import codes as c
from spfvar.ops import objects as o
from spfvar.ops.op import Op
from spfvar.ops.places import Field, ObjectClass
from spfvar.structs.lines import CacheLines, LineKey

#: A line of each object of a class.
_Key = tuple[ObjectClass, LineKey]

_LINE_MODES = {"read": c.L_READ, "rmw": c.L_RMW, "rmw+store": c.L_RMW_STORE}


@dataclass(frozen=True, slots=True)
class Program:
    """The linked automata of a run.

    ``table`` has one row per node (columns: spfvar.ops.codes C_*); ``ops`` the primitives by row; ``entry``
    the first row of each automaton; ``events``, ``costs`` and ``probabilities`` the names behind the
    numbers in the table; ``lines`` cache lines in all, of which the first ``read_lines`` are also read.
    """

    table: Words
    ops: tuple[Op, ...]
    entry: dict[str, int]
    events: tuple[str, ...]
    costs: tuple[str, ...]
    probabilities: tuple[str, ...]
    lines: int
    read_lines: int


def link(
    automata: Mapping[str, Automaton],
    layout: Layout,
    own: Collection[ObjectClass] = (),
    settled: Collection[Field] = (),
    lifetimes: bool = False,
    lines: CacheLines | None = None,
) -> Program:
    """Resolve every operand of every node to state words.  Raises nothing: ops are checked already.

    ``own``: classes of which each object serves one thread only, until it is freed.  ``settled``: fields that
    hold a number other than 0 in every object from the start.  ``lifetimes``: an access to an object of a
    class that the run allocates or frees has to be ordered even if the word is constant, for it may be late.
    ``lines``: which fields share a cache line.  Without them nothing has one, as where there is no clock.
    """
    ops = tuple(op for automaton in automata.values() for op in automaton.ops())
    events = tuple(dict.fromkeys(op.event for op in ops if op.code == c.COUNT))
    probabilities = tuple(dict.fromkeys(op.event for op in ops if op.code == c.CHOOSE and op.event))
    costs = tuple(dict.fromkeys(op.cost for op in ops))
    touched = [_touched(op, lines) for op in ops]
    line_base, line_count, read_lines = _place_lines(ops, touched, layout)
    executed = tuple(op for automaton in automata.values() for op in _executed(automaton, settled))
    written = _Written(executed, own, lifetimes, lines)
    rows: list[list[int]] = []
    entry: dict[str, int] = {}
    number_of_cost = {cost: number for number, cost in enumerate(costs)}
    for name, automaton in automata.items():
        entry[name] = len(rows)
        for node in automaton.nodes:
            row = len(rows)
            line = [-1] * c.COLUMNS
            _fill(line, node.op, layout)
            line[c.C_FLAGS] = written.flags(node.op)
            line[c.C_COST] = number_of_cost[node.op.cost]
            if node.op.line is not None and touched[row]:
                line[c.C_L_REG] = layout.registers[node.op.line.register]
                line[c.C_L_MODE] = _LINE_MODES[node.op.line.mode]
                first, *owner = touched[row]
                line[c.C_L_BASE] = line_base[first]
                line[c.C_L_OWNER] = line_base[owner[0]] if owner else -1
            if node.op.code == c.COUNT:
                line[c.C_IMM] = events.index(node.op.event)
            if node.op.code == c.CHOOSE:
                line[c.C_IMM] = len(node.op.outcomes)
                line[c.C_IMM2] = probabilities.index(node.op.event) if node.op.event else -1
            for outcome, successor in enumerate(node.successors):
                line[c.C_SUCC + outcome] = entry[name] + successor
            rows.append(line)
    table = np.array(rows, dtype=np.int32).reshape(-1, c.COLUMNS)
    return Program(table, ops, entry, events, costs, probabilities, line_count, read_lines)


def _executed(automaton: Automaton, settled: Collection[Field]) -> list[Op]:
    """The ops that a run can get to, given what is known of its start."""
    seen: set[int] = set()
    ahead = [0]
    while ahead:
        number = ahead.pop()
        if number in seen:
            continue
        seen.add(number)
        node = automaton.nodes[number]
        tests = node.op.code in (c.LOAD_TEST, c.LOAD_REF) and len(node.successors) == 2
        known = tests and node.op.place is not None and node.op.place.field in settled
        ahead += node.successors[1:] if known else node.successors
    return [automaton.nodes[number].op for number in sorted(seen)]


def _fill(row: list[int], op: Op, layout: Layout) -> None:
    row[c.C_OP] = op.code
    row[c.C_IMM], row[c.C_IMM2] = op.imm, op.imm2
    registers = layout.registers
    if op.dst is not None:
        row[c.C_DST] = registers[op.dst]
    if op.src is not None:
        row[c.C_SRC] = registers[op.src]
    if op.src2 is not None:
        row[c.C_SRC2] = registers[op.src2]
    if op.src3 is not None:
        row[c.C_SRC3] = registers[op.src3]
    if op.place is not None:
        cls = op.place.field.cls
        base = layout.class_base(cls)
        row[c.C_A_REG] = registers[op.place.register]
        row[c.C_A_BASE] = base + layout.field_offset[op.place.field]
        row[c.C_A_STRIDE] = layout.class_stride[cls]
        if op.typesafe:
            row[c.C_A_LIFE] = c.A_TYPESAFE
        elif cls.lifetime and op.code != c.ALLOC:
            row[c.C_A_LIFE] = base
    if op.code in _LIFE_OPS or (op.typesafe and op.code == c.DOWN_READ_TRYLOCK):
        assert op.place is not None
        row[c.C_IMM] = c.G_CLASS0 + layout.class_number(op.place.field.cls) * c.CLASS_WORDS
    row[c.C_L_MODE] = 0


class _Written:
    """What the ops of a run can write: the rest is constant, and reading it needs no ordering."""

    _WORD_READS = (c.LOAD, c.LOAD_TEST, c.LOAD_ODD, c.LOAD_REF, c.EQUALS, c.EQUALS_REG, c.VMA_CONTAINS)
    _PMD_OPS = (c.READ_PMD, c.PMD_SAME, c.PMD_POPULATE, c.PMD_CLEAR, c.PMD_TAKE, c.TOUCH, c.OWN_SET_PTE)
    _WORD_WRITES = (c.STORE, c.STORE_REG, c.STORE_REF, c.ADD, c.INC_NOT_ZERO, c.DEC_AND_TEST)
    _ON_OBJECTS = (
        *range(c.DOWN_READ, c.LAST_LOCK + 1), *_WORD_READS, *_WORD_WRITES,
        c.FOLIO_GET, c.NEXT_CANDIDATE, c.FOLIO_CREATE, c.INSIDE_SIZE,
    )  # fmt: skip
    #: Classes whose lines stay with their thread: a file and its folios are not handed on by the allocator,
    #: and who gets a page table clears it.
    _STAY = (o.PAGE_TABLE, o.FILE, o.FOLIO)

    def __init__(
        self, ops: tuple[Op, ...], own: Collection[ObjectClass], lifetimes: bool, lines: CacheLines | None
    ) -> None:
        self._cache_lines = lines
        self._own = own
        freed = [op.place.field.cls for op in ops if op.code in _LIFE_OPS and op.place is not None]
        self._freed = set(freed if lifetimes else ())
        codes = {op.code for op in ops}
        self._fields = {op.place.field for op in ops if op.place is not None and op.code in self._WORD_WRITES}
        moving = [op for op in ops if op.line is not None and op.line.mode != "read"]
        self._lines = {key for op in moving for key in _touched(op, lines)}
        self._tree = bool(codes & {c.TREE_STORE, c.TREE_ERASE})
        self._rcu = c.CALL_RCU in codes

    def flags(self, op: Op) -> int:
        """FLAG_* of an op in this run."""
        moves = self._moves_line(op)
        return (
            (c.FLAG_SHARED if self._shared(op, moves) else 0)
            | (c.FLAG_SLEEPS if op.sleeps else 0)
            | (c.FLAG_LINE if moves else 0)
        )

    def _moves_line(self, op: Op) -> bool:
        """A line that nobody writes stays shared; one that a single thread uses stays put."""
        if op.line is None or not self._lines:
            return False
        if not self._lines.intersection(_touched(op, self._cache_lines)):
            return False
        cls = op.line.register.cls
        return not (cls in self._STAY and cls in self._own)

    def _shared(self, op: Op, moves_line: bool) -> bool:
        if o.PAGE_TABLE in self._own and (op.code in self._PMD_OPS or on_table(op)):
            return False
        if op.code in self._ON_OBJECTS and op.place is not None and op.place.field.cls in self._own:
            return False
        if op.sleeps or moves_line:
            return True
        if op.code in self._WORD_READS:
            assert op.place is not None
            return op.place.field in self._fields or op.place.field.cls in self._freed
        if op.code == c.FIND_VMA:
            return self._tree
        if op.code in (c.RCU_READ_LOCK, c.RCU_READ_UNLOCK):
            # By the clock, a grace period lasts far longer than a thread may be ahead of the others.
            return self._rcu and self._cache_lines is None
        return op.code > c.LAST_LOCAL


def on_table(op: Op) -> bool:
    """Is it about a page table that is allocated: its lock, its entries, its words?"""
    return op.place is not None and op.place.field.cls == o.PAGE_TABLE and op.code not in _LIFE_OPS


#: Allocation goes through a list that all threads share.
_LIFE_OPS = (c.ALLOC, c.FREE, c.CALL_RCU)


def _touched(op: Op, lines: CacheLines | None) -> list[_Key]:
    """The line that an op touches, and behind it that of the rwsem's owner, if it is another."""
    if op.line is None or lines is None:
        return []
    cls = op.line.field.cls
    found = [lines.key(op.line.field)]
    if op.line.mode == "rmw+store":
        found.append(lines.owner_key(op.line.field))
    return [(cls, key) for key in dict.fromkeys(found)]


def _place_lines(
    ops: Sequence[Op], touched: Sequence[Sequence[_Key]], layout: Layout
) -> tuple[dict[_Key, int], int, int]:
    """Number the cache lines, those that are ever only read-shared first (they need sharer sets)."""
    every = dict.fromkeys(key for keys in touched for key in keys)
    read = {key for op, keys in zip(ops, touched, strict=True) for key in keys
            if op.line is not None and op.line.mode == "read"}  # fmt: skip
    order = sorted(every, key=lambda key: key not in read)  # stable: otherwise as they are mentioned
    base: dict[_Key, int] = {}
    here = 0
    for key in order:
        base[key] = here
        here += layout.sizes.count(key[0])
    return base, here, sum(layout.sizes.count(cls) for cls, _ in read)
