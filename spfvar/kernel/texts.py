"""A design's text as an acceptor of letters: which words of a recording are paths of its automaton.

The steps of the text that a kernel does not show are silent.  The rest is subset construction: the set of
places in which the text may be, one letter further each time.
"""

from __future__ import annotations

from collections.abc import Container, Hashable, Iterable, Mapping, Sequence
from copy import copy
from dataclasses import dataclass, replace
from typing import Any, Final

from spfvar.automata.automaton import Automaton
from spfvar.kernel.letters import Letters
from spfvar.kernel.places import place
from spfvar.mm.vmf import Mapping as VmaFacts
from spfvar.ops import codes as c
from spfvar.ops.op import Op, Steps, again, loop
from spfvar.ops.primitives import choose, work
from spfvar.plugins.variant import Stack, Variant

#: A step that marks where a hook point begins.
BEGINS: Final = "begins: "
#: What an opcode is called as a letter, in front of its lock's class.
_LOCKS: Final = {
    c.DOWN_READ: "down_read",
    c.UP_READ: "up_read",
    c.DOWN_WRITE: "down_write",
    c.UP_WRITE: "up_write",
    c.DOWNGRADE_WRITE: "downgrade_write",
    c.LOCK: "spin_lock",
    c.UNLOCK: "spin_unlock",
}
_RCU: Final = {c.RCU_READ_LOCK: "rcu_read_lock", c.RCU_READ_UNLOCK: "rcu_read_unlock"}


class Marked(Stack):
    """A variant's hook points, each with a step of its own at its begin.

    ``either``: hook points whose argument, what a VMA is, may be any of these at each of its calls;
    ``repeated``: those that may follow upon themselves, where the kernel does for each VMA what the model
    does for one.
    """

    def __init__(
        self, variant: Variant, either: Mapping[str, Sequence[VmaFacts]] | None = None,
        repeated: Container[str] = (),
    ) -> None:  # fmt: skip
        super().__init__(variant)
        self._either = either or {}
        self._repeated = repeated

    def _resolve(self, name: str, args: tuple[Any, ...]) -> Steps:
        steps = self._once(name, args)
        return self._again(name, args, steps) if name in self._repeated else steps

    def _made_of(self, hook: str) -> tuple[Hashable, ...]:
        return (BEGINS, tuple(self._either.get(hook, ())), hook in self._repeated)

    def _once(self, name: str, args: tuple[Any, ...]) -> Steps:
        either = name in self._either
        return _marked(name, self._any_of(name, args) if either else super()._resolve(name, args))

    def _any_of(self, name: str, args: tuple[Any, ...]) -> Steps:
        kinds = self._either[name]
        kind = yield choose("what the VMA is", *range(len(kinds)))
        chosen = tuple(kinds[kind] if isinstance(arg, VmaFacts) else arg for arg in args)
        return (yield from super()._resolve(name, chosen))

    def _again(self, name: str, args: tuple[Any, ...], first: Steps) -> Steps:
        yield from first
        yield loop("each VMA")
        if (yield choose("another VMA", False, True)):
            yield from self._once(name, args)
            yield again("each VMA")


def _marked(name: str, steps: Steps) -> Steps:
    yield work("free", f"{BEGINS}{name}")
    return (yield from steps)


def letter_of(op: Op, outcome: Hashable, table: Letters) -> str | None:
    """What a kernel shows of a primitive that came out so; None if it shows nothing."""
    if op.name.startswith(BEGINS):
        hook = op.name.removeprefix(BEGINS)
        return f"{hook}()" if hook in table.visible_hooks else None
    if op.code in _RCU:
        return _RCU[op.code]
    lock = op.place.field.name if op.place is not None else ""
    if lock in table.lock_classes:
        if op.code in _LOCKS:
            return f"{_LOCKS[op.code]} {lock}"
        if op.code == c.DOWN_READ_TRYLOCK:
            return f"down_read_trylock {lock} = {int(bool(outcome))}"
    if op.cost == "free":  # bookkeeping of the model
        return None
    name = op.name.partition("(")[0]
    name = table.texts.get(name, name)
    return name if name in table.calls.values() else None


@dataclass(frozen=True, slots=True)
class Edge:
    """A visible step: the letter, where it leads, and the text's line ("": a hook point begins)."""

    letter: str
    to: int
    function: str
    where: str

    @property
    def step(self) -> tuple[str, str]:
        """Which step of the text it is: line and letter, wherever it leads."""
        return self.where, self.letter

    @property
    def kind(self) -> tuple[str, str]:
        """What a reader takes for one step: a letter in a function, at however many lines."""
        return self.function, self.letter

    @property
    def told(self) -> str:
        """The letter, with the text's function and line."""
        return f"{self.letter} ({self.function}, {place(self.where)})" if self.where else self.letter


@dataclass(frozen=True, slots=True)
class Misfit:
    """The first letter of a word that no path of the text has.

    ``at``: its number, the word's length if the word ends too early; ``expected``: the steps that the text
    would have had, each letter once.
    """

    at: int
    expected: tuple[Edge, ...]


@dataclass(frozen=True, slots=True)
class Way:
    """A word that is a path: the steps that it may have taken, and the numbers of letters stepped over.

    ``without``: a letter of the text that it lacks, and ``why`` it may.
    """

    steps: frozenset[Edge]
    skipped: tuple[int, ...]
    without: str = ""
    why: str = ""


class Acceptor:
    """The automata of a text, any one of which a word may be a path of."""

    def __init__(self, automata: Iterable[Automaton], table: Letters) -> None:
        self._edges: list[list[Edge]] = []
        self._silent: list[list[int]] = []
        self._ends: list[bool] = []
        self._starts: list[int] = []
        self._closures: dict[int, frozenset[int]] = {}
        for automaton in automata:
            self._add(automaton, table)
        self.letters = frozenset(edge.letter for edges in self._edges for edge in edges)

    def _add(self, automaton: Automaton, table: Letters) -> None:
        base = len(self._edges)
        self._starts.append(base)
        for node in automaton.nodes:
            edges, silent = [], []
            for outcome, successor in zip(node.op.outcomes, node.successors, strict=False):
                letter = letter_of(node.op, outcome, table)
                if letter is None:
                    silent.append(base + successor)
                else:
                    where = "" if node.op.name.startswith(BEGINS) else node.op.where
                    edges.append(Edge(letter, base + successor, node.op.function, where))
            self._edges.append(edges)
            self._silent.append(silent)
            self._ends.append(node.op.code == c.END)

    def _closure(self, nodes: Iterable[int]) -> frozenset[int]:
        """These places and all that silent steps lead to."""
        return frozenset().union(*map(self._reach, nodes))

    def _reach(self, node: int) -> frozenset[int]:
        if node not in self._closures:
            seen, ahead = {node}, [node]
            while ahead:
                for successor in self._silent[ahead.pop()]:
                    if successor not in seen:
                        seen.add(successor)
                        ahead.append(successor)
            self._closures[node] = frozenset(n for n in seen if self._edges[n] or self._ends[n])
        return self._closures[node]

    def read(self, word: Sequence[str], skippable: Container[int] = ()) -> Misfit | Way:
        """How the word is a path, or why it is none.

        Letters at the numbers in ``skippable`` are stepped over where the text has no such step.
        """
        layers = [self._closure(self._starts)]
        for number, letter in enumerate(word):
            here = layers[-1]
            there = self._closure(
                edge.to for node in here for edge in self._edges[node] if edge.letter == letter
            )
            if number in skippable:
                there |= here
            if not there:
                return Misfit(number, self._expected(here))
            layers.append(there)
        ends = frozenset(node for node in layers[-1] if self._ends[node])
        if not ends:
            return Misfit(len(word), self._expected(layers[-1]))
        return self._way(word, skippable, layers, ends)

    def _way(
        self,
        word: Sequence[str],
        skippable: Container[int],
        layers: Sequence[frozenset[int]],
        ends: frozenset[int],
    ) -> Way:
        """From the end back to the begin: only what leads to an end was a way."""
        alive = ends
        steps: set[Edge] = set()
        skipped: list[int] = []
        for number in range(len(word) - 1, -1, -1):
            taken = [
                (node, edge)
                for node in layers[number]
                for edge in self._edges[node]
                if edge.letter == word[number] and not alive.isdisjoint(self._reach(edge.to))
            ]
            steps.update(edge for _, edge in taken)
            before = frozenset(node for node, _ in taken)
            if number in skippable:
                before |= alive & layers[number]
                if not taken:
                    skipped.append(number)
            alive = before
        return Way(frozenset(steps), tuple(reversed(skipped)))

    def _expected(self, here: Iterable[int]) -> tuple[Edge, ...]:
        found: dict[str, Edge] = {}
        for node in sorted(here):
            for edge in self._edges[node]:
                found.setdefault(edge.letter, edge)
        return tuple(found.values())

    def visible(self) -> list[Edge]:
        """Every visible step, each line of the text once."""
        found = {edge.step: edge for edges in self._edges for edge in edges}
        return [found[key] for key in sorted(found)]

    def tolerant(self, letters: Container[str]) -> Acceptor:
        """The text in which steps of these letters may be left out."""
        changed = copy(self)
        changed._closures = {}
        changed._silent = [
            silent + [edge.to for edge in edges if edge.letter in letters]
            for silent, edges in zip(self._silent, self._edges, strict=True)
        ]
        return changed

    def without(self, kind: tuple[str, str]) -> Acceptor:
        """The text with a kind of step left out."""
        changed = copy(self)
        changed._closures = {}
        changed._edges = [[edge for edge in edges if edge.kind != kind] for edges in self._edges]
        changed._silent = [
            silent + [edge.to for edge in edges if edge.kind == kind]
            for silent, edges in zip(self._silent, self._edges, strict=True)
        ]
        return changed

    def swapped(self, kind: tuple[str, str]) -> Acceptor | None:
        """The text with a kind of step behind what is visible next; None if nothing of another letter is."""
        changed = copy(self)
        changed._closures = {}
        changed._edges = [list(edges) for edges in self._edges]
        changed._silent = list(self._silent)
        changed._ends = list(self._ends)
        found = False
        for node, edges in enumerate(self._edges):
            for edge in edges:
                if edge.kind != kind:
                    continue
                changed._edges[node].remove(edge)
                for following in self._following(edge):
                    found = found or following.letter != edge.letter
                    between = len(changed._edges)
                    changed._edges.append([replace(edge, to=following.to)])
                    changed._silent.append([])
                    changed._ends.append(False)
                    changed._edges[node].append(replace(following, to=between))
        return changed if found else None

    def _following(self, edge: Edge) -> list[Edge]:
        return [after for node in sorted(self._reach(edge.to)) for after in self._edges[node]]
