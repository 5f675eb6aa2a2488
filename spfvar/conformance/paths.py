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

#: A node with what the path to it holds, and by which state and outcome it was reached first.
_State = tuple[int, Ledger]
_Before = dict[_State, tuple[_State, int] | None]
#: A primitive that was executed, its outcome, and the ledger in front of it.
_Step = tuple[Op, int, Ledger]

#: Which primitive is to blame: the one reached, the one in front of it, or the one that took the item.
HERE, BEFORE, TAKER = "here", "before", "taker"


@dataclass(frozen=True, slots=True)
class Objection:
    """What is wrong on a path, the item of the ledger that it is about, whom to blame and what to do."""

    text: str
    item: str
    blames: str
    do: str


class Rules(Protocol):
    """What an op does to the ledger, and what must not be."""

    def after(self, op: Op, outcome: int, ledger: Ledger) -> Ledger | None:
        """The ledger behind an op with this outcome; None if the path so far excludes the outcome."""

    def object_to(self, op: Op, ledger: Ledger) -> Objection | None:
        """What is wrong with the op when it is reached with this ledger."""


@dataclass(frozen=True, slots=True)
class Wrong:
    """A path that goes wrong: ``path`` is all that was executed, ``taken`` what took the item, if it was."""

    objection: Objection
    blamed: Op
    path: tuple[tuple[Op, int], ...]
    taken: Op | None

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
    before: _Before = {start: None}
    queue = [start]
    wrong: dict[tuple[str, str], Wrong] = {}
    for state in queue:
        number, ledger = state
        node = automaton.nodes[number]
        objection = rules.object_to(node.op, ledger)
        if objection is not None:
            found = _wrong(objection, node.op, _path_to(automaton, before, state), ledger, rules)
            wrong.setdefault((objection.text, found.blamed.where), found)
            continue
        if node.op.code == c.END:
            continue
        for outcome, successor in enumerate(node.successors):
            after = rules.after(node.op, outcome, ledger)
            if after is not None and (successor, after) not in before:
                before[successor, after] = (state, outcome)
                queue.append((successor, after))
    return Followed(tuple(wrong.values()), len(before))


def _path_to(automaton: Automaton, before: _Before, state: _State) -> list[_Step]:
    """From the entry to the op in front of ``state``."""
    path = []
    came = before[state]
    while came is not None:
        (number, ledger), outcome = came
        path.append((automaton.nodes[number].op, outcome, ledger))
        came = before[number, ledger]
    return path[::-1]


def _wrong(objection: Objection, op: Op, path: list[_Step], ledger: Ledger, rules: Rules) -> Wrong:
    earlier = objection.blames == BEFORE  # what it took or gave itself is not what was there
    level = dict(ledger).get(objection.item, 0) - earlier
    taken = _taken(path[:-1] if earlier else path, objection.item, level, rules)
    before = path[-1][0] if path else op
    blamed = {HERE: op, BEFORE: before, TAKER: before if taken is None else taken}[objection.blames]
    return Wrong(objection, blamed, tuple((op, outcome) for op, outcome, _ in path), taken)


def _taken(path: list[_Step], item: str, level: int, rules: Rules) -> Op | None:
    """The op that raised an item to ``level``: what is taken last is given back first."""
    for op, outcome, ledger in reversed(path):
        after = rules.after(op, outcome, ledger)
        if after is not None and dict(ledger).get(item, 0) < level <= dict(after).get(item, 0):
            return op
    return None
