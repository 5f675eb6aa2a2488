"""Guards: what a protocol does only because of races, found in its automata, and taken out of them.

A guard is known across races by its kind, the kernel function and the line of its text.  Taking a guard out
changes automata, not texts: the rest of the protocol stays exactly as it was.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from spfvar.automata.automaton import Automaton, Node
from spfvar.ops import codes as c
from spfvar.ops.op import Op


@dataclass(frozen=True, order=True)
class Guard:
    """One guard: ``where`` is the file and line of the text that begins it."""

    function: str
    kind: str
    name: str
    where: str


#: Sections: how they begin and end, and what they are called.
_SECTIONS = {
    c.RCU_READ_LOCK: (c.RCU_READ_UNLOCK, "RCU section"),
    c.SRCU_READ_LOCK: (c.SRCU_READ_UNLOCK, "SRCU section"),
    c.IRQ_DISABLE: (c.IRQ_ENABLE, "IRQ-off section"),
    c.PAGE_GET: (c.PAGE_PUT, "reference"),
    c.LOCK: (c.UNLOCK, "lock"),
    c.TRYLOCK: (c.UNLOCK, "lock"),
    c.DOWN_READ: (c.UP_READ, "lock"),
    c.DOWN_READ_TRYLOCK: (c.UP_READ, "lock"),
    c.DOWN_WRITE: (c.UP_WRITE, "lock"),
}
#: Tests of what another thread may have changed.
_CHECKS = (
    c.EQUALS,
    c.EQUALS_REG,
    c.PTE_SAME,
    c.PTE_NONE,
    c.PMD_SAME,
    c.VMA_CONTAINS,
    c.LOAD_ODD,
    c.REG_EQUAL,
)
_TRYLOCKS = {c.TRYLOCK: c.LOCK, c.DOWN_READ_TRYLOCK: c.DOWN_READ}


def find_guards(
    automata: Mapping[str, Automaton], undisturbed: Mapping[str, set[tuple[int, int]]]
) -> dict[Guard, dict[str, Automaton]]:
    """Every guard of the automata, with the automata that lack it.

    ``undisturbed``: by automaton, the (node, outcome) pairs that occur when its thread runs alone.  A check
    is a guard if alone it always has one outcome; without it, the protocol goes on as if it had that one.
    """
    found: dict[Guard, dict[str, Automaton]] = {}
    for name, automaton in automata.items():
        for guard, changed in _guards_of(automaton, undisturbed[name]):
            found.setdefault(guard, {}).setdefault(name, automaton)
            found[guard][name] = _merged(automaton, found[guard][name], changed)
    return {guard: {**automata, **changed} for guard, changed in found.items()}


def _merged(original: Automaton, sofar: Automaton, changed: dict[int, Node]) -> Automaton:
    nodes = list(sofar.nodes)
    for number, node in changed.items():
        nodes[number] = node
    return Automaton(original.name, tuple(nodes))


def _guards_of(automaton: Automaton, alone: set[tuple[int, int]]) -> Iterator[tuple[Guard, dict[int, Node]]]:
    for number, node in enumerate(automaton.nodes):
        op = node.op
        if op.code in _SECTIONS:
            yield from _section(automaton, number)
        if op.code in _TRYLOCKS:
            waiting = replace(
                op, code=_TRYLOCKS[op.code], outcomes=(None,), sleeps=op.code == c.DOWN_READ_TRYLOCK
            )
            yield _guard(op, "trylock, not lock"), {number: Node(waiting, node.successors[1:2])}
        if op.code in _CHECKS and len(node.successors) == 2:
            outcomes = {outcome for n, outcome in alone if n == number}
            if len(outcomes) == 1:
                passed = node.successors[outcomes.pop()]
                yield _guard(op, "check"), {number: Node(op, (passed, passed))}
        if op.code == c.CALL_RCU:
            yield _guard(op, "grace period"), {number: Node(replace(op, code=c.FREE), node.successors)}
        if op.code == c.IPI_SEND:
            yield _guard(op, "IPI"), {number: _skipped(node)}
        if op.code == c.ADD and op.place is not None and op.place.field.cls.name == "mm" and "seq" in op.name:
            yield _guard(op, "writer's bump"), {number: _skipped(node)}
        if op.code == c.STORE and op.line is not None:
            yield _guard(op, "store"), {number: _skipped(node)}


def _guard(op: Op, kind: str) -> Guard:
    return Guard(op.function, kind, op.name, op.where)


def _skipped(node: Node, outcome: int = 0) -> Node:
    """The same place in the protocol, where nothing happens."""
    op = node.op
    return Node(
        Op(c.NOP, f"(no {op.name})", function=op.function, where=op.where), (node.successors[outcome],)
    )


def _section(automaton: Automaton, begin: int) -> Iterator[tuple[Guard, dict[int, Node]]]:
    """A section as a whole: its beginning, and every end that belongs to it."""
    op = automaton.nodes[begin].op
    _, kind = _SECTIONS[op.code]
    begins, ends = _partners(automaton, begin)
    if begin != min(begins):
        return
    changed = {n: _skipped(automaton.nodes[n], len(automaton.nodes[n].successors) - 1) for n in begins}
    changed |= {n: _skipped(automaton.nodes[n]) for n in ends}
    yield _guard(op, kind), changed


def _same(op: Op, other: Op) -> bool:
    """Do two primitives act on the same lock or reference?"""
    return op.place == other.place


def _partners(automaton: Automaton, begin: int) -> tuple[set[int], set[int]]:
    """The beginnings and ends that share ends with this one: a merged node may end several sections."""
    op = automaton.nodes[begin].op
    begins, ends = {begin}, _ends(automaton, begin)
    while True:
        more = {
            n for n, node in enumerate(automaton.nodes)
            if n not in begins and _begins_like(op, node.op) and _ends(automaton, n) & ends
        }  # fmt: skip
        if not more:
            return begins, ends
        begins |= more
        for n in more:
            ends |= _ends(automaton, n)


def _begins_like(op: Op, other: Op) -> bool:
    return other.code in _SECTIONS and _SECTIONS[other.code][0] == _SECTIONS[op.code][0] and _same(op, other)


def _ends(automaton: Automaton, begin: int) -> set[int]:
    """Nodes that end the section which begins at a node, counting nested ones."""
    op = automaton.nodes[begin].op
    end, _ = _SECTIONS[op.code]
    taken = automaton.nodes[begin].successors[-1]  # a trylock's outcome "taken" is its last
    seen: set[tuple[int, int]] = set()
    ahead = [(taken, 1)]
    found: set[int] = set()
    while ahead:
        number, depth = ahead.pop()
        if (number, depth) in seen or depth > len(automaton.nodes):
            continue
        seen.add((number, depth))
        node = automaton.nodes[number]
        if node.op.code == end and _same(op, node.op):
            if depth == 1:
                found.add(number)
                continue
            ahead += [(s, depth - 1) for s in node.successors]
        elif _begins_like(op, node.op):
            ahead.append((node.successors[-1], depth + 1))
            ahead += [(s, depth) for s in node.successors[:-1]]
        else:
            ahead += [(s, depth) for s in node.successors]
    return found
