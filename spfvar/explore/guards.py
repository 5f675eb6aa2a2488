"""Guards: what a protocol does only because of races, found in its automata, and taken out of them.

A guard is known across races by its kind, the kernel function and the line of its text.  Taking a guard out
changes automata, not texts: the rest of the protocol stays exactly as it was.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
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
    automata: Mapping[str, Automaton],
    undisturbed: Mapping[str, set[tuple[int, int]]],
    wanted: Callable[[str], bool],
) -> dict[Guard, dict[str, Automaton]]:
    """The guards of the automata, with the automata that lack it.

    ``undisturbed``: by automaton, the (node, outcome) pairs that occur when its thread runs alone.  A check
    is a guard if alone it always has one outcome; without it, the protocol goes on as if it had that one.
    ``wanted``: is a guard that begins at this "file:line" looked for?
    """
    found: dict[Guard, dict[str, Automaton]] = {}
    for name, automaton in automata.items():
        for guard, changed in _guards_of(automaton, undisturbed[name], wanted):
            found.setdefault(guard, {}).setdefault(name, automaton)
            found[guard][name] = _merged(automaton, found[guard][name], changed)
    return {guard: {**automata, **changed} for guard, changed in found.items()}


def _merged(original: Automaton, sofar: Automaton, changed: dict[int, Node]) -> Automaton:
    nodes = list(sofar.nodes)
    for number, node in changed.items():
        nodes[number] = node
    return Automaton(original.name, tuple(nodes))


def _guards_of(
    automaton: Automaton, alone: set[tuple[int, int]], wanted: Callable[[str], bool]
) -> Iterator[tuple[Guard, dict[int, Node]]]:
    sections = _Sections(automaton)
    for number, node in enumerate(automaton.nodes):
        op = node.op
        if not wanted(op.where):
            continue
        if op.code in _SECTIONS:
            yield from _section(sections, number)
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


def _section(sections: _Sections, begin: int) -> Iterator[tuple[Guard, dict[int, Node]]]:
    """A section as a whole: its beginning, and every end that belongs to it."""
    nodes = sections.nodes
    op = nodes[begin].op
    _, kind = _SECTIONS[op.code]
    begins, ends = sections.partners(begin)
    if begin != min(begins):
        return
    changed = {n: _skipped(nodes[n], len(nodes[n].successors) - 1) for n in begins}
    changed |= {n: _skipped(nodes[n]) for n in ends}
    yield _guard(op, kind), changed


class _Sections:
    """Where the sections of an automaton end; each is followed once, for many begin alike."""

    def __init__(self, automaton: Automaton) -> None:
        self.nodes = automaton.nodes
        self._known: dict[int, frozenset[int]] = {}

    def partners(self, begin: int) -> tuple[set[int], set[int]]:
        """The beginnings and ends that share ends with this one: a merged node may end several sections."""
        op = self.nodes[begin].op
        begins, ends = {begin}, set(self._ends(begin))
        while True:
            more = {
                n for n, node in enumerate(self.nodes)
                if n not in begins and _begins_like(op, node.op) and self._ends(n) & ends
            }  # fmt: skip
            if not more:
                return begins, ends
            begins |= more
            for n in more:
                ends |= self._ends(n)

    def _ends(self, begin: int) -> frozenset[int]:
        if begin not in self._known:
            self._known[begin] = frozenset(self._follow(begin))
        return self._known[begin]

    def _follow(self, begin: int) -> Iterator[int]:
        """Nodes that end the section which begins at a node, counting nested ones."""
        op = self.nodes[begin].op
        end, _ = _SECTIONS[op.code]
        closes = {n for n, node in enumerate(self.nodes) if node.op.code == end and _same(op, node.op)}
        opens = {n for n, node in enumerate(self.nodes) if _begins_like(op, node.op)}
        seen: set[tuple[int, int]] = set()
        ahead = [(self.nodes[begin].successors[-1], 1)]  # a trylock's outcome "taken" is its last
        while ahead:
            place = ahead.pop()
            number, depth = place
            if place in seen or depth > len(self.nodes):
                continue
            seen.add(place)
            successors = self.nodes[number].successors
            if number in closes:
                if depth == 1:
                    yield number
                    continue
                ahead += [(s, depth - 1) for s in successors]
            elif number in opens:
                ahead.append((successors[-1], depth + 1))
                ahead += [(s, depth) for s in successors[:-1]]
            else:
                ahead += [(s, depth) for s in successors]


def _same(op: Op, other: Op) -> bool:
    """Do two primitives act on the same lock or reference?"""
    return op.place == other.place


def _begins_like(op: Op, other: Op) -> bool:
    return other.code in _SECTIONS and _SECTIONS[other.code][0] == _SECTIONS[op.code][0] and _same(op, other)
