"""Sections of a protocol: a lock, a reference, an RCU or interrupts-off section, a writer's count.

What begins one, what ends it, and an automaton without it: from the beginning to the end that belongs to it,
on every way, and only there.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from spfvar.automata.automaton import Automaton, Node, minimise
from spfvar.ops import codes as c
from spfvar.ops import objects as o
from spfvar.ops.op import Op
from spfvar.ops.paging import folio_get, folio_put
from spfvar.ops.places import Field, Place, Register

RCU = "RCU section"
IRQ_OFF = "IRQ-off section"
LOCK = "lock"
REFERENCE = "reference"
BUMP = "writer's bump"

#: What begins a section: the primitive that ends it, and the section's kind.
_ENDS = {
    c.RCU_READ_LOCK: (c.RCU_READ_UNLOCK, RCU),
    c.IRQ_DISABLE: (c.IRQ_ENABLE, IRQ_OFF),
    c.LOCK: (c.UNLOCK, LOCK),
    c.TRYLOCK: (c.UNLOCK, LOCK),
    c.DOWN_READ: (c.UP_READ, LOCK),
    c.DOWN_READ_TRYLOCK: (c.UP_READ, LOCK),
    c.DOWN_WRITE: (c.UP_WRITE, LOCK),
    c.RANGE_LOCK: (c.RANGE_UNLOCK, LOCK),
    c.RANGE_TRYLOCK: (c.RANGE_UNLOCK, LOCK),
    c.PAGE_GET: (c.PAGE_PUT, REFERENCE),
}
#: Lookups that take a reference to the folio they find.
_FINDS_FOLIO = (c.FOLIO_GET, c.NEXT_CANDIDATE)
#: They use the object that their register has, or find it again.
_KEEPS_OBJECT = (c.PAGE_OF, c.PMD_SAME, c.PMD_TAKE, c.PMD_POPULATE, c.SET_PTE)
#: Deeper nesting is no section but a text that never ends what it begins.
_DEEPEST = 8


@dataclass(frozen=True, slots=True)
class Section:
    """What a primitive begins: the code that ends it, on the same ``place``.

    Of a count (``end`` is ADD), ``amount`` is what the beginning adds and the end takes away; 0 for a
    sequence count, which begin and end both increment.
    """

    kind: str
    end: int
    place: Place | None
    amount: int = 0

    def ends_at(self, op: Op) -> bool:
        """Does the primitive end the section?"""
        if op.place != self.place:
            return False
        if self.kind == BUMP:
            return op.code == c.ADD and op.imm % 2 == 1
        if self.end == c.ADD:
            taken = {c.ADD: op.imm, c.DEC_AND_TEST: -1, c.PAGE_PUT: -op.imm}.get(op.code, 0)
            return taken == -self.amount
        return op.code == self.end and not (op.code == c.PAGE_PUT and op.imm == c.PIN_BIAS)

    def handed_over_at(self, op: Op) -> bool:
        """Does the reference become that of a page-table entry?"""
        is_file = op.code == c.SET_PTE and op.dst is not None and op.dst.cls == o.FOLIO
        return is_file and not op.imm & c.PTE_ZERO and self.place == Place(_register(op), o.REFCOUNT)

    def is_of(self, op: Op) -> bool:
        """Is the section about the object that the primitive acts on?"""
        here, there = self.place, op.place
        return here is not None and there is not None and here.register == there.register

    def lost_at(self, op: Op) -> bool:
        """Does the register get another object, so that the end, on the one that it had, cannot be told?"""
        return self.place is not None and op.dst == self.place.register and op.code not in _KEEPS_OBJECT


def _register(op: Op) -> Register:
    assert op.dst is not None
    return op.dst


def begun_by(op: Op, sequences: Collection[Field] = ()) -> tuple[Section, int] | None:
    """The section that a primitive begins, and with which of its outcomes; None if it begins none.

    ``sequences`` are the fields that readers compare: adding to one begins a writer's section.
    """
    if op.code in _ENDS:
        end, kind = _ENDS[op.code]
        # Of a trylock the last outcome is "taken"; of a range lock, the first is "nothing to wait for".
        return Section(kind, end, op.place), 0 if op.code == c.RANGE_LOCK else len(op.outcomes) - 1
    if op.code == c.INC_NOT_ZERO:
        return Section(REFERENCE, c.ADD, op.place, op.imm2), 0
    if op.code in _FINDS_FOLIO:
        return Section(REFERENCE, c.ADD, Place(_register(op), o.REFCOUNT), 1), 1
    if op.code != c.ADD or op.place is None or op.imm <= 0:
        return None
    if op.place.field in sequences:
        return (Section(BUMP, c.ADD, op.place), 0) if op.imm % 2 else None
    return Section(REFERENCE, c.ADD, op.place, op.imm), 0


class _UnendedError(Exception):
    """The section is handed over, or its end cannot be found."""


class _At(NamedTuple):
    """A node, inside how many sections like the one to be taken out, which began first (0: outside)."""

    number: int
    depth: int = 0
    section: Section | None = None


@dataclass(slots=True)
class _Without:
    """Builds the automaton: a node is copied once outside, and once inside at each depth."""

    automaton: Automaton
    begins: Collection[int]
    sequences: Collection[Field]
    nodes: list[Node | None] = field(default_factory=list)
    numbers: dict[_At, int] = field(default_factory=dict)
    todo: list[_At] = field(default_factory=list)

    def build(self) -> Automaton:
        self.number(_At(0))
        while self.todo:
            at = self.todo.pop()
            self.nodes[self.numbers[at]] = self.copy(at)
        return minimise(self.automaton.name, [node for node in self.nodes if node is not None], 0)

    def number(self, at: _At) -> int:
        if at not in self.numbers:
            self.numbers[at] = self.add(None)
            self.todo.append(at)
        return self.numbers[at]

    def add(self, node: Node | None) -> int:
        self.nodes.append(node)
        return len(self.nodes) - 1

    def copy(self, at: _At) -> Node:
        node = self.automaton.nodes[at.number]
        if at.section is None:
            return self.beginning(node) if at.number in self.begins else self.kept(node, at)
        return self.inside(node, at, at.section)

    def kept(self, node: Node, at: _At) -> Node:
        """The primitive as it is; it does not change how deep inside we are."""
        return Node(node.op, tuple(self.number(at._replace(number=s)) for s in node.successors))

    def beginning(self, node: Node) -> Node:
        begun = begun_by(node.op, self.sequences)
        assert begun is not None
        section, taken = begun
        inside = self.number(_At(node.successors[taken], 1, section))
        if node.op.code in _FINDS_FOLIO:  # found, and the reference dropped at once
            put = replace(folio_put(_register(node.op)), function=node.op.function, where=node.op.where)
            return Node(node.op, (self.number(_At(node.successors[0])), self.add(Node(put, (inside,)))))
        return Node(nothing(node.op), (inside,))

    def inside(self, node: Node, at: _At, section: Section) -> Node:
        op = node.op
        if op.code == c.END or section.lost_at(op) or at.depth > _DEEPEST:
            raise _UnendedError
        if section.handed_over_at(op) and at.depth == 1:
            get = replace(folio_get(_register(op)), function=op.function, where=op.where)
            return Node(get, (self.add(Node(op, (self.number(_At(node.successors[0])),))),))
        if section.ends_at(op) or section.handed_over_at(op):
            return self.end(node, at)
        if op.place == section.place and at.depth == 1:
            if op.code == c.DOWNGRADE_WRITE and section.end == c.UP_WRITE:
                reading = replace(section, end=c.UP_READ)
                return Node(nothing(op), (self.number(_At(node.successors[0], 1, reading)),))
            if op.code in (c.WAIT_EQUALS, c.RANGE_WAIT, c.RANGE_DOWNGRADE):  # for what is not there
                return Node(nothing(op), (self.number(at._replace(number=node.successors[0])),))
        begun = begun_by(op, self.sequences)
        if begun is not None and begun[0] == section:
            deeper = at._replace(depth=at.depth + 1)
            return Node(
                op,
                tuple(
                    self.number((deeper if outcome == begun[1] else at)._replace(number=s))
                    for outcome, s in enumerate(node.successors)
                ),
            )
        if op.code == c.REMOVE_MAPPING and section.kind == REFERENCE and section.is_of(op):
            raise _UnendedError  # whether the folio goes depends on the references
        return self.kept(node, at)

    def end(self, node: Node, at: _At) -> Node:
        """An end: of the section, or of one inside it, which stays."""
        if at.depth > 1:
            return self.kept(node, at._replace(depth=at.depth - 1))
        # Of a dec_and_test, "not yet zero": what is not counted is not the last.
        return Node(nothing(node.op), (self.number(_At(node.successors[0])),))


def first_bumps(automaton: Automaton, sequences: Collection[Field]) -> set[int]:
    """The nodes that make a sequence odd: a writer's first, third, ... on every way."""
    seen: dict[int, set[frozenset[Place]]] = {}  # by node: sequences that are odd there, as ways lead to it
    todo = [(0, frozenset[Place]())]
    while todo:
        number, odd = todo.pop()
        if odd in seen.setdefault(number, set()):
            continue
        seen[number].add(odd)
        op = automaton.nodes[number].op
        begun = begun_by(op, sequences)
        if begun is not None and begun[0].kind == BUMP:
            odd ^= {_place(op)}
        todo += [(successor, odd) for successor in automaton.nodes[number].successors]
    return {
        number
        for number, ways in seen.items()
        if (begun := begun_by(automaton.nodes[number].op, sequences)) is not None
        and begun[0].kind == BUMP
        and not any(begun[0].place in odd for odd in ways)
    }


def _place(op: Op) -> Place:
    assert op.place is not None
    return op.place


def nothing(op: Op) -> Op:
    """The same place in the protocol, where nothing happens."""
    return Op(c.NOP, f"(no {op.name})", function=op.function, where=op.where)


def without_sections(
    automaton: Automaton, begins: Collection[int], sequences: Collection[Field] = ()
) -> Automaton | None:
    """The automaton without the sections that begin at these nodes.

    None if one of them does not end on every way, such as a reference that is handed over to somebody else.
    Sections of the same kind inside one of them stay, and so do ways to its end that come from elsewhere.
    """
    try:
        return _Without(automaton, begins, sequences).build()
    except _UnendedError:
        return None
