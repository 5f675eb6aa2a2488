"""The tree of one function's text: what it does along every outcome, equal parts shared, no call spliced."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass, field

from spfvar.ops.op import Call, Op
from spfvar.ops.orders import is_fence


@dataclass(frozen=True, slots=True)
class Leaf:
    """The function returns ``value``."""

    value: Hashable


@dataclass(frozen=True, slots=True)
class Back:
    """Continue at the loop ``name``."""

    name: str


@dataclass(frozen=True, slots=True)
class Branch:
    """An op or a call, and the node for each outcome (for a call: each return value)."""

    item: Op | Call
    children: tuple[tuple[Hashable, int], ...]


@dataclass(frozen=True, slots=True)
class Head:
    """The head of a loop."""

    name: str
    body: int


Tree = Leaf | Back | Branch | Head


@dataclass(slots=True, eq=False)
class Function:
    """A function's shared tree; it equals itself alone.

    ``callees``: what it calls, in the order in which its extraction came to them, and what each returned.
    """

    name: str
    nodes: list[Tree] = field(default_factory=list)
    index: dict[Tree, int] = field(default_factory=dict)
    root: int = -1
    callees: dict[Call, tuple[Hashable, ...]] = field(default_factory=dict)
    _returns: tuple[Hashable, ...] | None = None
    _is_one_op: bool | None = None

    def add(self, node: Tree) -> int:
        """The number of a node, the old one if there is an equal one."""
        number = self.index.setdefault(node, len(self.nodes))
        if number == len(self.nodes):
            self.nodes.append(node)
        return number

    def finish(self, root: int) -> None:
        """All of the text is known, and begins at node ``root``."""
        self.root = root
        self.index.clear()
        self._returns = tuple(node.value for node in self.nodes if isinstance(node, Leaf))
        items = [
            node.item for node in self.nodes
            if isinstance(node, Branch) and not (isinstance(node.item, Op) and is_fence(node.item))
        ]  # fmt: skip
        self._is_one_op = len(items) == 1 and isinstance(items[0], Op)

    def is_one_op(self) -> bool:
        """Does the function consist of a single primitive, barriers apart?"""
        assert self._is_one_op is not None
        return self._is_one_op

    def returns(self) -> tuple[Hashable, ...]:
        """What it may return, in order of appearance."""
        assert self._returns is not None
        return self._returns

    def ops(self) -> list[Op]:
        """The primitives of its own text, each once."""
        items = (node.item for node in self.nodes if isinstance(node, Branch))
        return list(dict.fromkeys(item for item in items if isinstance(item, Op)))
