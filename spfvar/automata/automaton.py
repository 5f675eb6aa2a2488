"""A finite automaton of primitives: what a strategy does, along every outcome."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from operator import itemgetter

from spfvar.ops.op import Op


@dataclass(frozen=True, slots=True)
class Node:
    """One primitive and the successor for each of its outcomes."""

    op: Op
    successors: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Automaton:
    """Nodes in breadth-first order from node 0, the entry."""

    name: str
    nodes: tuple[Node, ...]

    def __len__(self) -> int:
        return len(self.nodes)

    def ops(self) -> Iterator[Op]:
        """The primitives in node order."""
        return (node.op for node in self.nodes)

    def events(self) -> list[str]:
        """The events that the automaton can count, in node order."""
        return list(dict.fromkeys(op.event for op in self.ops() if op.event))


def minimise(name: str, nodes: list[Node], entry: int) -> Automaton:
    """Merge nodes that no observer can tell apart, and number them breadth first.

    Moore's partition refinement: start from the ops, split while successors' classes differ.
    """
    if not nodes:
        return Automaton(name, ())
    classes = _number([node.op for node in nodes])
    count = 0
    ahead = [itemgetter(*node.successors) if node.successors else None for node in nodes]
    while True:
        refined = _number([(own, get and get(classes)) for own, get in zip(classes, ahead, strict=True)])
        new_count = max(refined) + 1
        classes = refined
        if new_count == count:
            break
        count = new_count
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
