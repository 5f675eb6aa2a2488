"""Weakening: what texts say of orders comes to count, for a run under ``--memory lkmm``.

Ops on weak words get opcodes of their own, barriers become ops.  A text is the same under every memory model;
under sequential consistency its automaton runs as it is.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Final, Literal

from spfvar.automata.automaton import Automaton, Node
from spfvar.ops import codes as c
from spfvar.ops.op import Op
from spfvar.ops.orders import FENCES

Memory = Literal["sc", "lkmm"]
MEMORIES: Final[tuple[Memory, ...]] = ("sc", "lkmm")

#: Ops that only a text for weak memory yields: litmus tests.
OWN: Final = (c.DEPEND, c.SYNC_START, c.SYNC_WAIT, *range(c.RMW_ADD, c.RMW_ADD_UNLESS + 1))


def weaken(automata: Mapping[str, Automaton]) -> dict[str, Automaton]:
    """The automata as a run with weak words executes them; without a weak field, they stay as they are."""
    if not has_weak(automata):
        return dict(automata)
    return {name: weaken_each(automaton) for name, automaton in automata.items()}


def has_weak(automata: Mapping[str, Automaton]) -> bool:
    """Does any of them mention a weak field?"""
    ops = (op for automaton in automata.values() for op in automaton.ops())
    return any(op.place is not None and op.place.field.weak for op in ops)


def acts_weakly(op: Op) -> bool:
    """Does an op of a text act on a weak word?"""
    return op.place is not None and op.place.field.weak and c.LOAD <= op.code <= c.STORE_REF


def without_fences(automaton: Automaton) -> Automaton:
    """A weakened automaton for a run in which no word is weak."""
    return Automaton(
        automaton.name,
        tuple(
            Node(replace(node.op, code=c.NOP) if node.op.code == c.FENCE else node.op, node.successors)
            for node in automaton.nodes
        ),
    )


def weaken_each(automaton: Automaton) -> Automaton:
    """One automaton of a run that may have weak words, whichever automata come with it."""
    return Automaton(
        automaton.name, tuple(Node(weakened(node.op), node.successors) for node in automaton.nodes)
    )


def weakened(op: Op) -> Op:
    """One op."""
    if op.code == c.NOP and op.order in FENCES:
        return replace(op, code=c.FENCE)
    return replace(op, code=op.code + c.WEAK) if acts_weakly(op) else op
