"""Weakening: what texts say of orders comes to count, for a run under ``--memory lkmm``.

Ops on weak words get opcodes of their own, barriers become ops.  A text is the same under every memory model;
under sequential consistency its automaton is the one of a text that says nothing of orders.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Final, Literal

from spfvar.automata.automaton import Automaton, Node, minimise
from spfvar.automata.publish import links_unordered, with_initialised
from spfvar.errors import InputError
from spfvar.ops import codes as c
from spfvar.ops import objects as o
from spfvar.ops.op import Op
from spfvar.ops.orders import is_fence
from spfvar.ops.places import Field, Place

Memory = Literal["sc", "lkmm"]
MEMORIES: Final[tuple[Memory, ...]] = ("sc", "lkmm")


def memory_named(text: str) -> Memory:
    """The memory model of a name.  Raises InputError for what is none."""
    for known in MEMORIES:
        if text == known:
            return known
    raise InputError(
        f'"{text}" is no memory model', key="--memory", expected="sc or lkmm (a bound is --max-memory)"
    )


#: Ops that only a text for weak memory yields: litmus tests.
OWN: Final = (c.DEPEND, c.SYNC_START, c.SYNC_WAIT, *range(c.RMW_ADD, c.RMW_ADD_UNLESS + 1))
_STORES: Final = (
    c.STORE, c.STORE_REG, c.STORE_REF, c.ADD, c.INC_NOT_ZERO, c.DEC_AND_TEST,
    *range(c.RMW_ADD, c.RMW_ADD_UNLESS + 1),
)  # fmt: skip


def strengthen(automata: Mapping[str, Automaton]) -> dict[str, Automaton]:
    """The automata without orders and barriers: what sequential consistency executes.

    Without a barrier that costs something; such a one stays as work.
    """
    return {name: _strong(automaton) for name, automaton in automata.items()}


def _strong(automaton: Automaton) -> Automaton:
    if "strong" not in automaton.made:
        ordered = any(op.order for op in automaton.ops())
        strong = minimise(automaton.name, *stripped(automaton.nodes, 0)) if ordered else automaton
        automaton.made["strong"] = strong
    found: Automaton = automaton.made["strong"]
    return found


def stripped(nodes: Sequence[Node], entry: int) -> tuple[list[Node], int]:
    """Nodes without orders and barriers, which are to be minimised, and the entry."""
    dropped = [is_fence(node.op) and node.op.cost == "free" for node in nodes]

    def behind(number: int) -> int:
        while dropped[number]:
            number = nodes[number].successors[0]
        return number

    kept = [
        Node(
            node.op.but(order="") if node.op.order else node.op,
            tuple(behind(number) for number in node.successors),
        )
        for node in nodes
    ]
    return kept, behind(entry)


def unordered(automaton: Automaton) -> Automaton:
    """The same nodes without any order; barriers are work."""
    if not any(node.op.order for node in automaton.nodes):
        return automaton
    nodes = [Node(node.op.but(order=""), node.successors) for node in automaton.nodes]
    return Automaton(automaton.name, tuple(nodes))


def weaken(automata: Mapping[str, Automaton]) -> dict[str, Automaton]:
    """The automata as a run with weak words executes them; without a weak field, they stay as they are."""
    weak = weak_in(automata)
    if not weak:
        return strengthen(automata)
    return {name: _weakened(automaton, weak) for name, automaton in automata.items()}


def weak_in(automata: Mapping[str, Automaton]) -> frozenset[Field]:
    """The weak fields of a run: those of its ops, and of page tables that are linked without a barrier."""
    weak = weak_fields(op for automaton in automata.values() for op in automaton.ops())
    return weak | {o.TABLE_READY} if links_unordered(automata.values()) else weak


def weaken_each(automaton: Automaton) -> Automaton:
    """One automaton of a run that may have weak words, whichever automata come with it."""
    return _weakened(automaton, frozenset(_declared(_used(automaton.ops()))))


def without_fences(automaton: Automaton) -> Automaton:
    """A weakened automaton for a run in which no word is weak."""
    nodes = [
        Node(node.op.but(code=c.NOP) if node.op.code == c.FENCE else node.op, node.successors)
        for node in automaton.nodes
    ]
    return Automaton(automaton.name, tuple(nodes))


def _weakened(automaton: Automaton, weak: Collection[Field]) -> Automaton:
    plain = with_initialised(automaton.nodes) if o.TABLE_READY in weak else automaton.nodes
    nodes = [Node(weakened(node.op, weak), node.successors) for node in plain]
    return _split(automaton.name, nodes, lambda op: op.code == c.VMA_CONTAINS and _ranged(weak))


def weak_fields(ops: Iterable[Op]) -> frozenset[Field]:
    """The fields that are declared weak and may change: a word that nobody stores to has no older value.

    An allocation stores to all the object's words but those that it leaves as they were.
    """
    ops = list(ops)
    used = _used(ops)
    stored = {op.place.field for op in ops if op.place is not None and op.code in _STORES}
    made = {op.place.field.cls for op in ops if op.place is not None and op.code == c.ALLOC}
    return frozenset(
        field for field in _declared(used) if field in stored or (field.cls in made and not field.kept)
    )


def _declared(used: Collection[Field]) -> list[Field]:
    """The fields among those used that are declared weak, where they are."""
    return [field for field in used if field.weak is True or field.weak in used]


def _used(ops: Iterable[Op]) -> set[Field]:
    ops = list(ops)
    used = {op.place.field for op in ops if op.place is not None}
    if any(op.code == c.VMA_CONTAINS for op in ops):
        used |= {o.VM_START, o.VM_END}
    return used


def weakened(op: Op, weak: Collection[Field]) -> Op:
    """One op, in a run with these weak fields."""
    if is_fence(op):
        return op.but(code=c.FENCE)
    return op.but(code=op.code + c.WEAK) if acts_weakly(op, weak) else op


def acts_weakly(op: Op, weak: Collection[Field]) -> bool:
    """Does an op of a text act on a word of these weak fields?"""
    return op.place is not None and op.place.field in weak and c.LOAD <= op.code <= c.STORE_REF


def _ranged(weak: Collection[Field]) -> bool:
    return o.VM_START in weak or o.VM_END in weak


def _split(name: str, nodes: list[Node], compares: Callable[[Op], bool]) -> Automaton:
    """Comparisons with a VMA's range, as they are in C: first with ``vm_start``, then with ``vm_end``."""
    found = list(nodes)
    for number, node in enumerate(nodes):
        if compares(node.op):
            assert node.op.place is not None
            end = Place(node.op.place.register, o.VM_END)
            outside, inside = node.successors
            found[number] = Node(node.op.but(code=c.AT_MOST), (outside, len(found)))
            found.append(Node(node.op.but(code=c.ABOVE, place=end), (outside, inside)))
    return Automaton(name, tuple(found))
