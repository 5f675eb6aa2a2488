"""Barriers of which none is needed alone, but one of several is: which of them do for each other."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

from spfvar.automata.automaton import Automaton
from spfvar.explore.barriers import WHOLE
from spfvar.explore.guards import Guard, Guards
from spfvar.explore.verdict import SAFE, VIOLATION, Brief
from spfvar.ops.op import Op


@dataclass(frozen=True, slots=True)
class Either:
    """A race breaks if a guard and ``others`` are all taken out, and holds while one of them is left.

    ``sc``: what the same race says under sequential consistency.
    """

    others: tuple[Guard, ...]
    steps: int
    race: str
    property: str
    what: str
    sc: str


def soonest(either: Either) -> tuple[int, str, list[tuple[str, str, int, str, str, str, int]]]:
    """By how soon the race breaks."""
    return either.steps, either.race, [guard.order for guard in either.others]


def candidates(guards: Collection[Guard]) -> list[Guard]:
    """Those among guards that are not needed alone which may do for each other."""
    found = [guard for guard in guards if guard.kind in WHOLE and guard.caller is None]
    return sorted(found, key=lambda guard: guard.order)


def sets_that_break(
    automata: Mapping[str, Automaton],
    among: Sequence[Guard],
    wanted: Callable[[Op], bool],
    judged: Callable[[Mapping[str, Automaton]], Brief],
    known: Collection[frozenset[Guard]] = (),
) -> Iterator[tuple[frozenset[Guard], Brief]]:
    """The pairs of barriers without which a race breaks; else a smallest set, if there is one.

    Less order allows more: a race that holds without all of them holds without any of them.  ``known``: pairs
    that another race has decided.
    """
    everything = without_all(automata, among, wanted)
    if len(among) < 2 or everything is None:
        return
    last = judged(everything)
    if last.verdict == SAFE:
        return
    found = False
    for pair in combinations(among, 2):
        if frozenset(pair) in known:
            found = True
            continue
        less = without_all(automata, pair, wanted)
        verdict = judged(less) if less is not None else None
        if verdict is not None and verdict.verdict == VIOLATION:
            found = True
            yield frozenset(pair), verdict
    if not found and last.verdict == VIOLATION:
        yield _smallest(automata, list(among), wanted, judged, last)


def _smallest(
    automata: Mapping[str, Automaton],
    among: list[Guard],
    wanted: Callable[[Op], bool],
    judged: Callable[[Mapping[str, Automaton]], Brief],
    last: Brief,
) -> tuple[frozenset[Guard], Brief]:
    """Of barriers without which a race breaks, some of which each is needed if the others are gone."""
    for guard in list(among):
        fewer = [other for other in among if other != guard]
        less = without_all(automata, fewer, wanted)
        verdict = judged(less) if less is not None else None
        if verdict is not None and verdict.verdict == VIOLATION:
            among, last = fewer, verdict
    return frozenset(among), last


def without_all(
    automata: Mapping[str, Automaton], guards: Sequence[Guard], wanted: Callable[[Op], bool]
) -> Mapping[str, Automaton] | None:
    """The automata without some barriers, with equal calls as one; None if these are not all in them."""
    left = still_apart(automata, guards, wanted)
    return left and Guards(left, wanted, "lkmm").plain


def still_apart(
    automata: Mapping[str, Automaton], guards: Sequence[Guard], wanted: Callable[[Op], bool]
) -> Mapping[str, Automaton] | None:
    """The same with the calls apart."""
    left = automata
    for guard in guards:
        found = Guards(left, wanted, "lkmm")
        taken = found.still_marked(guard, ()) if guard in found.found else None
        if taken is None:
            return None
        left = taken
    return left
