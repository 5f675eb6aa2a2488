"""Graphs whose edges are letters, and the words that one of two such graphs has and the other lacks."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Hashable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import TypeVar

from spfvar.kernel.texts import Edge

N = TypeVar("N", bound=Hashable)

#: A letter that says that the function is done.
END = "end"


@dataclass
class Nfa:
    """States with steps that show, steps that do not, and ends."""

    starts: list[int] = field(default_factory=list)
    edges: list[list[Edge]] = field(default_factory=list)
    silent: list[list[int]] = field(default_factory=list)
    ends: set[int] = field(default_factory=set)

    def add(self) -> int:
        """A new state."""
        self.edges.append([])
        self.silent.append([])
        return len(self.edges) - 1

    def letters(self) -> frozenset[str]:
        """Every letter there is."""
        return frozenset(edge.letter for edges in self.edges for edge in edges)

    def trimmed(self) -> Nfa:
        """Without the steps that lead to no end."""
        before: list[list[int]] = [[] for _ in self.edges]
        for state, edges in enumerate(self.edges):
            for to in (*self.silent[state], *(edge.to for edge in edges)):
                before[to].append(state)
        alive, ahead = set(self.ends), list(self.ends)
        while ahead:
            for state in before[ahead.pop()]:
                if state not in alive:
                    alive.add(state)
                    ahead.append(state)
        return Nfa(
            [state for state in self.starts if state in alive],
            [[edge for edge in edges if edge.to in alive] for edges in self.edges],
            [[to for to in silent if to in alive] for silent in self.silent],
            set(self.ends),
        )


def build(
    start: Iterable[N], expand: Callable[[N], Iterator[tuple[Edge | None, N]]], limit: int
) -> Nfa | None:
    """The graph of what ``expand`` gives of each state: (a step that shows or None, the next state).

    A state that gives nothing is an end.  The edges' own ``to`` is filled in.  None if it has more than
    ``limit`` states.
    """
    made = Nfa()
    numbers: dict[N, int] = {}
    ahead: deque[N] = deque()

    def number(state: N) -> int:
        if state not in numbers:
            numbers[state] = made.add()
            ahead.append(state)
        return numbers[state]

    made.starts = [number(state) for state in start]
    while ahead:
        state = ahead.popleft()
        here, any_way = numbers[state], False
        for edge, to in expand(state):
            any_way = True
            if edge is None:
                made.silent[here].append(number(to))
            else:
                made.edges[here].append(Edge(edge.letter, number(to), edge.function, edge.where))
        if not any_way:
            made.ends.add(here)
        if len(numbers) > limit:
            return None
    return made


class Subsets:
    """A graph read letter by letter: the set of states in which it may be."""

    def __init__(self, nfa: Nfa) -> None:
        self.nfa = nfa
        self._closures: dict[int, frozenset[int]] = {}
        self._steps: dict[frozenset[int], dict[str, tuple[frozenset[int], Edge]]] = {}
        self.start = self.closure(nfa.starts)

    def closure(self, states: Iterable[int]) -> frozenset[int]:
        """These states, and all that steps that do not show lead to."""
        return frozenset().union(*map(self._reach, states))

    def _reach(self, state: int) -> frozenset[int]:
        if state not in self._closures:
            seen, ahead = {state}, [state]
            while ahead:
                for to in self.nfa.silent[ahead.pop()]:
                    if to not in seen:
                        seen.add(to)
                        ahead.append(to)
            self._closures[state] = frozenset(s for s in seen if self.nfa.edges[s] or s in self.nfa.ends)
        return self._closures[state]

    def steps(self, here: frozenset[int]) -> dict[str, tuple[frozenset[int], Edge]]:
        """What may come next: each letter, where it leads, and a step that shows it."""
        if here not in self._steps:
            found: dict[str, list[Edge]] = {}
            for state in sorted(here):
                for edge in self.nfa.edges[state]:
                    found.setdefault(edge.letter, []).append(edge)
            self._steps[here] = {
                letter: (self.closure(edge.to for edge in edges), min(edges, key=lambda edge: edge.where))
                for letter, edges in found.items()
            }
        return self._steps[here]

    def may_end(self, here: frozenset[int]) -> bool:
        """May it be done here?"""
        return not here.isdisjoint(self.nfa.ends)


@dataclass(frozen=True, slots=True)
class Gap:
    """What one graph has and the other lacks.

    ``left``: the first graph has it; ``word`` is a shortest way there, each letter with a step of the graph
    that has it, and its last letter is the one that the other graph lacks ("end": it goes on instead);
    ``instead`` are the steps that the other graph has there; ``behind``: another gap is on the way.
    """

    left: bool
    word: tuple[Edge, ...]
    instead: tuple[Edge, ...]
    behind: bool = False

    @property
    def letter(self) -> str:
        """The letter that the other graph lacks."""
        return self.word[-1].letter


#: The states that the two graphs may be in.
_Pair = tuple[frozenset[int], frozenset[int]]


@dataclass(frozen=True, slots=True)
class _Place:
    """Where the two graphs are, by which steps of each, and whether a gap is on the way."""

    pair: _Pair
    ways: tuple[tuple[Edge, ...], tuple[Edge, ...]]
    behind: bool = False


class Comparison:
    """Two graphs side by side."""

    def __init__(self, left: Nfa, right: Nfa) -> None:
        self._sides = (Subsets(left.trimmed()), Subsets(right.trimmed()))

    def gaps(self) -> list[Gap]:
        """Every letter that a graph has where the other lacks it, each once, by a shortest way to it.

        Behind a gap both go on, as if the letter were none there, so that one gap does not hide the next.
        """
        one, other = self._sides
        found: dict[tuple[bool, str, str], Gap] = {}
        start = (one.start, other.start)
        seen = {start}
        ahead = deque([_Place(start, ((), ()))])
        later: deque[_Place] = deque()  # what is reached through a gap comes behind all that is not
        while ahead or later:
            place = (ahead or later).popleft()
            to_later = later if place.behind else ahead
            for pair, edges in self._common(place.pair):
                if pair not in seen:
                    seen.add(pair)
                    ways = (*place.ways[0], edges[0]), (*place.ways[1], edges[1])
                    to_later.append(_Place(pair, ways, place.behind))
            told = [list(self._lacking(place, side)) for side in (0, 1)]
            if not any(told):  # where each is explained by another, none would be told: the first side's are
                told[0] = list(self._lacking(place, 0, whole=True))
            for side in (0, 1):
                for gap, behind in told[side]:
                    last = gap.word[-1]
                    key = (gap.left, gap.letter, last.where if gap.letter == END else last.function)
                    found.setdefault(key, gap)
                    if behind is not None and behind not in seen and self._meet(behind):
                        seen.add(behind)
                        ways = (gap.word, place.ways[1]) if side == 0 else (place.ways[0], gap.word)
                        later.append(_Place(behind, ways, True))
        return list(found.values())

    def _common(self, pair: _Pair) -> Iterator[tuple[_Pair, tuple[Edge, Edge]]]:
        one, other = self._sides
        there = other.steps(pair[1])
        for letter, (to, edge) in one.steps(pair[0]).items():
            if letter in there:
                to_other, edge_other = there[letter]
                yield (to, to_other), (edge, edge_other)

    def _lacking(self, place: _Place, side: int, whole: bool = False) -> Iterator[tuple[Gap, _Pair | None]]:
        """What one side has here and the other lacks, and where both are behind it.

        ``whole``: letters that another gap explains, too.
        """
        mine, yours = self._sides[side], self._sides[1 - side]
        here, there = place.pair[side], place.pair[1 - side]
        steps, others = mine.steps(here), yours.steps(there)
        instead = tuple(step for _, step in others.values())
        if yours.may_end(there):
            instead = (*instead, Edge(END, -1, "", ""))
        lacks = [letter for letter in steps if letter not in others]
        for letter in lacks:
            to, edge = steps[letter]
            if whole or not self._explained(side, letter, place.pair):
                pair = (to, there) if side == 0 else (there, to)
                yield Gap(side == 0, (*place.ways[side], edge), instead, place.behind), pair
        ends = mine.may_end(here) and not yours.may_end(there) and not lacks
        if ends and not self._explained_end(1 - side, place.pair):
            last = place.ways[side][-1] if place.ways[side] else Edge("begin", -1, "", "")
            word = (*place.ways[side], Edge(END, -1, last.function, last.where))
            yield Gap(side == 0, word, instead, place.behind), None

    def _meet(self, pair: tuple[frozenset[int], frozenset[int]]) -> bool:
        """Have both sides something in common here?  If not, there is nothing to go on with."""
        one, other = self._sides
        common = not one.steps(pair[0]).keys().isdisjoint(other.steps(pair[1]))
        return common or (one.may_end(pair[0]) and other.may_end(pair[1]))

    def _explained(self, side: int, letter: str, pair: tuple[frozenset[int], frozenset[int]]) -> bool:
        """Has the other side the letter right behind one that this side lacks?  Then that one is the gap."""
        mine, yours = self._sides[side], self._sides[1 - side]
        here, there = pair[side], pair[1 - side]
        steps = mine.steps(here)
        for extra, (to, _) in yours.steps(there).items():
            if extra not in steps and letter in yours.steps(to):
                # Of two letters in another order, only one is told: the first side's.
                swapped = extra in mine.steps(steps[letter][0])
                if not swapped or side == 1:
                    return True
        return False

    def _explained_end(self, side: int, pair: tuple[frozenset[int], frozenset[int]]) -> bool:
        """May the side that goes on end behind a letter that the other lacks?  Then that is the gap."""
        mine = self._sides[side]
        steps = self._sides[1 - side].steps(pair[1 - side])
        return any(
            letter not in steps and mine.may_end(to) for letter, (to, _) in mine.steps(pair[side]).items()
        )
