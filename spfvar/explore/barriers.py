"""Guards of weak memory: barriers, the orders of single accesses, and address dependencies, made less."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import replace
from typing import Final

from spfvar.automata.automaton import Automaton, Node
from spfvar.automata.weaken import acts_weakly
from spfvar.explore.sections import nothing
from spfvar.ops import codes as c
from spfvar.ops.op import Op
from spfvar.ops.orders import FENCES
from spfvar.ops.places import Field, Register

FENCE: Final = "fence"
ACQUIRE: Final = "acquire"
RELEASE: Final = "release"
FULL: Final = "full"
NOT_ACQUIRE: Final = "full, not acquire"
NOT_RELEASE: Final = "full, not release"
DEPENDENCY: Final = "dependency"
#: All of them; they matter under ``--memory lkmm`` only.
BARRIERS: Final = (FENCE, ACQUIRE, RELEASE, FULL, NOT_ACQUIRE, NOT_RELEASE, DEPENDENCY)
#: Those that take an order out entirely, of which several may do for each other.
WHOLE: Final = (FENCE, ACQUIRE, RELEASE, FULL, DEPENDENCY)

_KINDS: Final[Mapping[str, tuple[str, ...]]] = {
    "acquire": (ACQUIRE,),
    "release": (RELEASE,),
    "full": (FULL, NOT_ACQUIRE, NOT_RELEASE),
    "plain release": (RELEASE,),
}


def kinds_of(op: Op, dependents: Collection[Register], weak: Collection[Field]) -> Iterator[str]:
    """The kinds of barriers that a primitive is, in a run with these weak fields.

    Orders count on strong words, too.  ``dependents``: the registers that its text finds weak words through.
    """
    if is_fence(op):
        yield FENCE
    elif op.place is not None and c.LOAD <= op.code <= c.STORE_REF:
        yield from _KINDS.get(op.order, ())
        if acts_weakly(op, weak) and op.code == c.LOAD_REF and not op.order and op.dst in dependents:
            yield DEPENDENCY


def is_fence(op: Op) -> bool:
    """Is it a barrier?"""
    return op.code == c.NOP and op.order in FENCES


def dependents_of(automaton: Automaton, weak: Collection[Field]) -> set[Register]:
    """The registers that an automaton reaches weak words through."""
    return {op.place.register for op in automaton.ops() if op.place is not None and acts_weakly(op, weak)}


def _without(node: Node, _: int) -> Node:
    return Node(nothing(node.op), node.successors)


def _once(node: Node, _: int) -> Node:
    order = "plain" if node.op.order.startswith("plain") else ""
    return Node(replace(node.op, order=order), node.successors)


def _made(order: str) -> Callable[[Node, int], Node]:
    def change(node: Node, _: int) -> Node:
        return Node(replace(node.op, order=order), node.successors)

    return change


#: What stands in the place of each kind.
REPLACED: Final[Mapping[str, Callable[[Node, int], Node]]] = {
    FENCE: _without,
    ACQUIRE: _once,
    RELEASE: _once,
    FULL: _once,
    NOT_ACQUIRE: _made("acquire"),
    NOT_RELEASE: _made("release"),
    DEPENDENCY: _made("cut"),
}
