"""A finite automaton of primitives: what a strategy does, along every outcome."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from spfvar.ops.op import Op
from spfvar.ops.places import Register


class Node(NamedTuple):
    """One primitive and the successor for each of its outcomes."""

    op: Op
    successors: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Automaton:
    """Nodes in breadth-first order from node 0, the entry.

    ``made`` remembers what was made of it, by what that is: the same text is part of many worlds.
    """

    name: str
    nodes: tuple[Node, ...]
    made: dict[Hashable, Any] = field(default_factory=dict, repr=False, compare=False)

    def __len__(self) -> int:
        return len(self.nodes)

    def ops(self) -> Iterator[Op]:
        """The primitives in node order."""
        return (node.op for node in self.nodes)

    def registers(self) -> dict[Register, None]:
        """The registers that the automaton mentions, in node order."""
        if "registers" not in self.made:
            self.made["registers"] = registers_of(self.ops())
        found: dict[Register, None] = self.made["registers"]
        return found

    def events(self) -> list[str]:
        """The events that the automaton can count, in node order."""
        return list(dict.fromkeys(op.event for op in self.ops() if op.event))


def registers_of(ops: Iterable[Op]) -> dict[Register, None]:
    """The registers that ops mention, each once."""
    used: dict[Register, None] = {}
    for op in ops:
        for register in (op.dst, op.src, op.src2, op.src3):
            if register is not None:
                used[register] = None
        if op.place is not None:
            used[op.place.register] = None
        if op.line is not None:
            used[op.line.register] = None
    return used


def minimise(name: str, nodes: list[Node], entry: int) -> Automaton:
    """Merge nodes that no observer can tell apart, and number them breadth first.

    Partition refinement (Hopcroft 1971): start from the ops, split where successors' classes differ.  Of a
    class that falls apart the largest part keeps its number: only who leads to the others is looked at again.
    """
    if not nodes:
        return Automaton(name, ())
    classes = _number([node.op for node in nodes])
    parts: list[list[int]] = [[] for _ in range(max(classes) + 1)]
    for i, cls in enumerate(classes):
        parts[cls].append(i)
    leading: list[list[int]] = [[] for _ in nodes]
    for i, node in enumerate(nodes):
        for successor in node.successors:
            leading[successor].append(i)
    todo = {cls: None for cls, part in enumerate(parts) if len(part) > 1}
    while todo:
        cls, _ = todo.popitem()
        found: dict[tuple[int, ...], list[int]] = {}
        for i in parts[cls]:
            found.setdefault(tuple([classes[s] for s in nodes[i].successors]), []).append(i)
        parts[cls], *others = sorted(found.values(), key=len, reverse=True)
        for part in others:
            for i in part:
                classes[i] = len(parts)
            parts.append(part)
        for part in others:
            for i in part:
                todo.update((classes[j], None) for j in leading[i] if len(parts[classes[j]]) > 1)
    representative = {cls: i for i, cls in reversed(list(enumerate(classes)))}
    order: dict[int, int] = {classes[entry]: 0}
    queue = [classes[entry]]
    for cls in queue:
        for successor in nodes[representative[cls]].successors:
            target = classes[successor]
            if target not in order:
                order[target] = len(order)
                queue.append(target)
    return Automaton(
        name,
        tuple(
            Node(nodes[representative[cls]].op,
                 tuple(order[classes[s]] for s in nodes[representative[cls]].successors))
            for cls in queue
        ),
    )  # fmt: skip


def _number(keys: list[object]) -> list[int]:
    seen: dict[object, int] = {}
    return [seen.setdefault(key, len(seen)) for key in keys]
