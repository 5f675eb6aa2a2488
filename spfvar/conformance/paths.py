"""Follow every path of an automaton with a ledger of what it holds, and say where one goes wrong, and how.

No state, no other thread: what holds here holds whatever the others do.  The price is that a path may be
followed that no run can take; rules say which outcomes exclude each other.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

from spfvar.automata.automaton import Automaton
from spfvar.explore.trace import outcome_text
from spfvar.ops import codes as c
from spfvar.ops.op import Op

#: What a path holds: how often, by name.
Ledger = frozenset[tuple[str, int]]
EMPTY: Ledger = frozenset()


@dataclass(frozen=True, slots=True)
class Objection:
    """What is wrong with an op on a path, the item of the ledger that it is about, and what to do."""

    text: str
    item: str
    do: str


class Rules(Protocol):
    """What an op does to the ledger, and what must not be."""

    def after(self, op: Op, outcome: int, ledger: Ledger) -> Ledger | None:
        """The ledger behind an op with this outcome; None if the path so far excludes the outcome."""

    def object_to(self, op: Op, ledger: Ledger) -> Objection | None:
        """What is wrong with the op when it is reached with this ledger."""


@dataclass(frozen=True, slots=True)
class Wrong:
    """A path that goes wrong: ``path`` leads from the entry to ``op``; ``taken`` took what it is about."""

    objection: Objection
    op: Op
    path: tuple[tuple[Op, int], ...]
    taken: Op | None

    @property
    def last(self) -> Op:
        """The last primitive of the text: ``op`` itself, or the one before the end."""
        return self.path[-1][0] if self.op.code == c.END and self.path else self.op

    def decisions(self) -> Iterator[str]:
        """What the path depends on: primitives with several outcomes, and the outcome on this path."""
        for op, outcome in self.path:
            if len(op.outcomes) > 1:
                yield f"{op.name}: {outcome_text(op, outcome)}"


@dataclass(frozen=True, slots=True)
class Followed:
    """Every kind of wrong once, by its shortest path; ``states``: how many (node, ledger) pairs there are."""

    wrong: tuple[Wrong, ...]
    states: int


def follow(automaton: Automaton, rules: Rules) -> Followed:
    """Follow every path, breadth first, up to where it goes wrong."""
    start = (0, EMPTY)
    before: dict[tuple[int, Ledger], tuple[tuple[int, Ledger], int] | None] = {start: None}
    queue = [start]
    wrong: dict[tuple[Objection, str], Wrong] = {}
    for state in queue:
        number, ledger = state
        node = automaton.nodes[number]
        objection = rules.object_to(node.op, ledger)
        if objection is not None:
            path = _path_to(automaton, before, state)
            taken = _taken(path, objection.item, rules)
            found = Wrong(objection, node.op, tuple((op, outcome) for op, outcome, _ in path), taken)
            wrong.setdefault((objection, found.last.where), found)
            continue
        if node.op.code == c.END:
            continue
        for outcome, successor in enumerate(node.successors):
            after = rules.after(node.op, outcome, ledger)
            if after is not None and (successor, after) not in before:
                before[successor, after] = (state, outcome)
                queue.append((successor, after))
    return Followed(tuple(wrong.values()), len(before))


def _path_to(
    automaton: Automaton,
    before: dict[tuple[int, Ledger], tuple[tuple[int, Ledger], int] | None],
    state: tuple[int, Ledger],
) -> list[tuple[Op, int, Ledger]]:
    """(op, outcome, ledger in front of it) from the entry to the op in front of ``state``."""
    path = []
    came = before[state]
    while came is not None:
        (number, ledger), outcome = came
        path.append((automaton.nodes[number].op, outcome, ledger))
        came = before[number, ledger]
    return path[::-1]


def _taken(path: list[tuple[Op, int, Ledger]], item: str, rules: Rules) -> Op | None:
    """The last op of a path that added to an item."""
    for op, outcome, ledger in reversed(path):
        after = rules.after(op, outcome, ledger)
        if after is not None and dict(after).get(item, 0) > dict(ledger).get(item, 0):
            return op
    return None
