"""Lowering: ops on objects that a run does not model become plain work.

The paths allocate anonymous pages and anon_vmas as objects, for the checker; a simulated run of millions of
faults has none of them, and pays their cost classes only.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping

from spfvar.automata.automaton import Automaton, Node
from spfvar.automata.layout import Sizes
from spfvar.ops import codes as c
from spfvar.ops import objects as o
from spfvar.ops.op import Op
from spfvar.ops.places import Field, ObjectClass, Register


def lower(
    automata: Mapping[str, Automaton], sizes: Sizes, resized: bool | None = None
) -> dict[str, Automaton]:
    """The automata as a world of these sizes runs them.

    Ops on classes without objects become work; so do, in a world without anonymous pages, the stores and
    loads that then nobody needs.  What an op costs stays as it is.  ``resized``: does anybody change the
    size of a file? (None: if one of these automata does.)
    """
    absent = frozenset(cls for cls in o.CLASSES if sizes.count(cls) == 0)
    if resized is None:
        resized = any(resizes(automaton) for automaton in automata.values())
    lowered = {name: _without(automaton, absent, resized) for name, automaton in automata.items()}
    if o.PAGE not in absent:
        return lowered
    ops = [op for automaton in lowered.values() for op in automaton.ops()]
    fields = {op.place.field for op in ops if op.place is not None and op.code not in _STORES}
    if any(op.code == c.RMAP_NEXT for op in ops):
        fields |= {o.VM_LINKED, o.VM_FILE, o.VM_START, o.VM_END}
    lowered = {name: _map(automaton, lambda op: _if_read(op, fields)) for name, automaton in lowered.items()}
    registers = {
        register for automaton in lowered.values() for op in automaton.ops() for register in _read(op)
    }
    return {name: _map(automaton, lambda op: _if_used(op, registers)) for name, automaton in lowered.items()}


def _without(automaton: Automaton, absent: frozenset[ObjectClass], resized: bool) -> Automaton:
    """An automaton where classes have no objects, and perhaps nobody changes the size of a file."""
    key = "lower", absent, resized
    if key not in automaton.made:
        fixed = automaton if resized else _map(automaton, _without_size)
        automaton.made[key] = _map(fixed, lambda op: _lowered(op, absent))
    found: Automaton = automaton.made[key]
    return found


def _map(automaton: Automaton, change: Callable[[Op], Op]) -> Automaton:
    return Automaton(
        automaton.name, tuple(Node(change(node.op), node.successors) for node in automaton.nodes)
    )


def resizes(automaton: Automaton) -> bool:
    """Does it change the size of a file?"""
    if "resizes" not in automaton.made:
        automaton.made["resizes"] = any(
            op.code in _STORES and op.place is not None and op.place.field == o.I_SIZE
            for op in automaton.ops()
        )
    return bool(automaton.made["resizes"])


def _without_size(op: Op) -> Op:
    return _as_expected(op) if op.code == c.INSIDE_SIZE else op


def _as_expected(op: Op) -> Op:
    """A test that always succeeds."""
    return Op(
        c.REG_EQUAL, op.name, op.outcomes, src=o.address, src2=o.address, cost=op.cost, function=op.function,
        where=op.where, caller=op.caller,
    )  # fmt: skip


def _lowered(op: Op, absent: Collection[ObjectClass]) -> Op:
    if o.PAGE in absent and op.code in _PAGE_OPS:
        return _work(op)
    if op.code == c.ZAP_PTES and o.PAGE in absent:
        return op.but(dst=o.scratch)
    if op.place is None or op.place.field.cls not in absent:
        return op
    if op.code == c.ALLOC:
        return Op(
            c.SET_REG, op.name, dst=op.dst, cost=op.cost, function=op.function, where=op.where,
            caller=op.caller,
        )  # fmt: skip
    if op.code == c.EQUALS:  # what is not modelled is as expected
        return _as_expected(op)
    return _work(op).but(line=None)  # nor has it cache lines


def _if_read(op: Op, fields: set[Field]) -> Op:
    """Bookkeeping for a field that nobody loads."""
    unread = op.code in _STORES and op.line is None and op.place is not None and op.place.field not in fields
    return _work(op) if unread else op


def _if_used(op: Op, registers: set[Register]) -> Op:
    """A load, untimed, into a register that nobody reads."""
    unused = op.code in _LOADS and len(op.outcomes) == 1 and op.line is None and op.dst not in registers
    return _work(op) if unused else op


def _read(op: Op) -> Iterator[Register]:
    if op.code not in _LOADS and op.dst is not None:
        yield op.dst
    yield from (register for register in (op.src, op.src2, op.src3) if register is not None)
    if op.place is not None:
        yield op.place.register
    if op.line is not None:
        yield op.line.register


def _work(op: Op) -> Op:
    return Op(
        c.NOP, op.name, op.outcomes, line=op.line, cost=op.cost, sleeps=op.sleeps,
        function=op.function, where=op.where, caller=op.caller,
    )  # fmt: skip


_PAGE_OPS = (c.PAGE_ALLOC, c.PAGE_GET, c.PAGE_PUT, c.PAGES_PUT, c.PAGE_COPY, c.PAGE_RMAP)
_STORES = (c.STORE, c.STORE_REG, c.STORE_REF)
_LOADS = (c.LOAD, c.LOAD_REF, c.SET_REG)
