"""Growing races from smaller ones that went wrong without anybody noticing.

A race that can end as it never does in the other design has met what is different: what it left may break
something yet.  One that ends alike, but has more states or less there, has come by the difference, at least.
So statements are put behind both, and larger races are found of which far too few could be drawn.
"""

from __future__ import annotations

import random
from collections import Counter, deque
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import replace
from typing import Final

from spfvar.explore.explore import Search, run
from spfvar.explore.world import RaceWorld
from spfvar.generator.draw import Deck, Drawn, in_order
from spfvar.generator.ends import Ends, Memory, ends_of
from spfvar.generator.focus import Focus
from spfvar.generator.ground import Ground
from spfvar.generator.memories import MEMORIES
from spfvar.generator.programs import LONGEST, Family, Group, Program, group_of, verbs_of
from spfvar.generator.run import BOUNDS, Cause, Hunter, Outcome
from spfvar.plugins.variant import Stack

#: Larger races of a turn; draws for them, at most.
_GROWN, _DRAWS = 4, 40
#: Races that broke at rest in one way, from which larger ones are grown; starts of one that are gone on with.
_ALIKE, _STARTS = 8, 3
#: Rounds that a memory sits out, at most.
_LONGEST_REST: Final = 3
#: A search of more states is cut off: a hundred other races are run meanwhile.
QUICK: Final = replace(BOUNDS, max_states=50_000)


class Growth:
    """Finds out which races of a hunter went wrong, and makes larger ones of them.

    ``wrong`` counts them, by memory.
    """

    def __init__(self, hunter: Hunter, fixed: Stack, families: Iterable[Family], seed: int) -> None:
        hunter.notice = self._notice
        self.wrong: Counter[str] = Counter()
        self._hunter = hunter
        self._fixed = fixed
        every = list(families)
        self._size = max(sum(family.shape) for family in every)
        self._threads = max(len(family.shape) for family in every)
        self._decks = {family.memory: Deck(MEMORIES[family.memory], family) for family in every}
        self._draw = random.Random(f"{seed} grow")
        self._grounds: dict[str, Ground] = {}
        self._noticed: dict[int, tuple[Outcome, Ends | None]] = {}
        self._left: set[Memory] = set()
        self._alike: Counter[Cause] = Counter()
        self._came_by: set[tuple[str, tuple[str, ...]]] = set()
        #: Races that ended in a new way, and those that only came by the difference; by memory, in turns.
        self._bases: tuple[dict[str, deque[Group]], dict[str, deque[Group]]] = ({}, {})
        self._turns = 0
        self._seen: set[tuple[str, tuple[Program, ...], tuple[int, ...]]] = set()

    def run(self, group: Group) -> Iterator[Outcome]:
        """The group's outcomes in the hunter; if any went wrong, there will be larger races of it."""
        self._noticed.clear()
        yield from self._hunter.run([group])
        if group.size == self._size:
            return
        wrong, near = self._looked_at(group)
        for found, bases in zip((wrong, near), self._bases, strict=True):
            if found:
                self.wrong[group.memory.name] += 1
                base = replace(group, only=tuple(sorted(found[:_STARTS])))
                bases.setdefault(group.memory.name, deque()).appendleft(base)

    def turn(self) -> Iterator[Group]:
        """Some larger groups of a race; then it is the turn of those of another memory."""
        some = [bases for bases in self._bases if bases]
        if not some:
            return
        self._turns += 1
        base = _next(some[self._turns % len(some)])
        found = 0
        for _ in range(_DRAWS):
            group = self._larger(base)
            if group is not None:
                yield group
                found += 1
            if found == _GROWN:
                return

    def _larger(self, base: Group) -> Group | None:
        """With another statement behind one of its threads, or in a thread of its own."""
        programs = list(base.programs)
        at = self._draw.randrange(min(len(programs) + 1, self._threads))
        statement = (self._decks[base.memory.name].any(self._draw),)
        if at == len(programs):
            programs.append(statement)
        else:
            programs[at] += statement
        ordered = in_order(programs)
        key = (base.memory.name, ordered, base.only)
        if len(ordered[0]) > LONGEST or key in self._seen:
            return None
        self._seen.add(key)
        group = group_of(base.memory, ordered)
        return None if group is None else replace(group, only=base.only)

    def _notice(self, number: int, outcome: Outcome, world: RaceWorld, search: Search) -> None:
        """Before the search is used again."""
        whole = outcome.cause is None and not outcome.why
        self._noticed[number] = (outcome, ends_of(search, world) if whole else None)

    def _looked_at(self, group: Group) -> tuple[list[int], list[int]]:
        """The starts from which the race ends in a way that is new, or broke at rest; and other ones.

        The others have more states than in the other design, or less; those that differ most come first.
        """
        wrong: list[int] = []
        near: dict[int, float] = {}
        for number, (outcome, ends) in self._noticed.items():
            if outcome.cause is not None and not outcome.cause.op:
                self._alike[outcome.cause] += 1
                if self._alike[outcome.cause] <= _ALIKE:
                    wrong.append(number)
            elif ends is not None:
                states, fixed = self._fixed_ends(group, number)
                if fixed is not None and self._are_new(ends, fixed):
                    wrong.append(number)
                elif states != outcome.states:
                    near[number] = abs(states - outcome.states) / (states + outcome.states)
        kind = group.memory.name, tuple(sorted({verb.name for verb in verbs_of(group)}))
        if wrong or not near or kind in self._came_by:
            return wrong, []
        self._came_by.add(kind)
        return [], sorted(near, key=lambda number: -near[number])

    def _are_new(self, ends: Ends, fixed: Ends) -> bool:
        new = ends.not_in(fixed) - self._left
        self._left |= new
        return bool(new)

    def _fixed_ends(self, group: Group, number: int) -> tuple[int, Ends | None]:
        """States and ends of the same race in the other design; None if those are not known."""
        name = group.memory.name
        if name not in self._grounds:
            self._grounds[name] = Ground(self._fixed, group.memory, self._hunter.options, self._hunter.model)
        ground = self._grounds[name]
        joint = ground.joint(group)
        world = replace(joint.world, start=ground.start(number, joint))
        search = Search(world, self._hunter.options, joint.followed)
        found = run(search)
        whole = found.complete and not found.violations
        return found.states, ends_of(search, world) if whole else None


def _next(bases: dict[str, deque[Group]]) -> Group:
    """A race of the memory whose turn it is; both come last then."""
    memory = next(iter(bases))
    some = bases[memory] = bases.pop(memory)
    some.append(some.popleft())
    return some[-1]


class _Rests:
    """Which memories sit out a round: those of whose races none went wrong, for a while that gets longer."""

    def __init__(self) -> None:
        self._left: Counter[str] = Counter()
        self._last: Counter[str] = Counter()

    def sits_out(self, memory: str) -> bool:
        """Does it have no turn in this round?"""
        return self._left[memory] > 0

    def end_round(self, memories: Iterable[str], wrong: Collection[str]) -> None:
        """``wrong``: the memories of races that went wrong in it."""
        every = set(memories)
        for memory in every:
            if self._left[memory]:
                self._left[memory] -= 1
                continue
            self._last[memory] = 0 if memory in wrong else min(self._last[memory] + 1, _LONGEST_REST)
            self._left[memory] = self._last[memory]
        soonest = min((self._left[memory] for memory in every), default=0)
        self._left.subtract(dict.fromkeys(every, soonest))


def hunted(
    families: Iterable[Family], focus: Focus, hunter: Hunter, seed: int, go_on: Callable[[], bool]
) -> Iterator[Outcome]:
    """Outcomes of races that tell the designs of ``focus`` apart, drawn and grown, as long as ``go_on()``.

    Each family gets its turn, the smallest first, of which smaller ones have more groups; but for those of
    memories that seem to be safe.
    """
    every = [family for family in families if len(family)]
    growth, rests = Growth(hunter, focus.reach.stack, every, seed), _Rests()
    random.Random(seed).shuffle(every)
    every.sort(key=lambda family: sum(family.shape))
    turns = [(family.memory, Drawn(family, focus, seed).turns(most_of(family))) for family in every]
    while turns:
        before = growth.wrong.copy()
        for memory, turn in list(turns):
            if rests.sits_out(memory):
                continue
            some = next(turn, None)
            if some is None:
                turns.remove((memory, turn))
                continue
            for group in some:
                yield from growth.run(group)
            for group in growth.turn() if some else ():
                yield from growth.run(group)
            if not go_on():
                return
        rests.end_round((memory for memory, _ in turns), growth.wrong - before)


def most_of(family: Family) -> int:
    """Groups of a family's turn: as many less as there are more of them."""
    return max(1, 32 >> sum(family.shape))
