"""Growing races from smaller ones that went wrong without anybody noticing.

A race whose statements differ between two designs, and that can end as it never does in the other one, has
met the difference: what it left may break something yet.  So statements are put behind it.  Larger races are
found this way of which far too few could be drawn.
"""

from __future__ import annotations

import random
from collections import Counter, deque
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import replace
from typing import Final

from spfvar.explore.explore import Search, run
from spfvar.explore.world import RaceWorld
from spfvar.hunt.draw import Deck, Drawn, in_order
from spfvar.hunt.ends import Ends, Memory, ends_of
from spfvar.hunt.focus import Focus
from spfvar.hunt.ground import Ground
from spfvar.hunt.memories import MEMORIES
from spfvar.hunt.programs import LONGEST, Family, Group, Program, group_of
from spfvar.hunt.run import Cause, Hunter, Outcome
from spfvar.plugins.variant import Stack

#: Larger races of a turn; draws for them, at most.
_GROWN, _DRAWS = 4, 40
#: Races that broke at rest in one way, from which larger ones are grown; starts of one that are gone on with.
_ALIKE, _STARTS = 8, 3
#: Rounds that a memory sits out, at most.
_LONGEST_REST: Final = 3
#: A search of more states takes too long to be made twice.
_STATES: Final = 60_000


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
        #: By memory, each of which gets its turn.
        self._bases: dict[str, deque[Group]] = {}
        self._seen: set[tuple[str, tuple[Program, ...], tuple[int, ...]]] = set()

    def run(self, group: Group) -> Iterator[Outcome]:
        """The group's outcomes in the hunter; if any went wrong, there will be larger races of it."""
        self._noticed.clear()
        yield from self._hunter.run([group])
        if group.size < self._size and (wrong := list(self._went_wrong(group))):
            self.wrong[group.memory.name] += 1
            bases = self._bases.setdefault(group.memory.name, deque())
            bases.appendleft(replace(group, only=tuple(wrong[:_STARTS])))

    def turn(self) -> Iterator[Group]:
        """Some larger groups of a race that went wrong; then it is the turn of those of another memory."""
        if not self._bases:
            return
        memory = next(iter(self._bases))
        bases = self._bases[memory] = self._bases.pop(memory)
        base = bases.popleft()
        bases.append(base)
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
        whole = outcome.cause is None and not outcome.why and outcome.states <= _STATES
        self._noticed[number] = (outcome, ends_of(search, world) if whole else None)

    def _went_wrong(self, group: Group) -> Iterator[int]:
        """The starts from which the race ends in a way that is new, or broke at rest."""
        for number, (outcome, ends) in self._noticed.items():
            if outcome.cause is not None and not outcome.cause.op:
                self._alike[outcome.cause] += 1
                if self._alike[outcome.cause] <= _ALIKE:
                    yield number
            elif ends is not None and self._are_new(ends, self._ends(group, number)):
                yield number

    def _are_new(self, ends: Ends, fixed: Ends | None) -> bool:
        if fixed is None:
            return False
        new = ends.not_in(fixed) - self._left
        self._left |= new
        return bool(new)

    def _ends(self, group: Group, number: int) -> Ends | None:
        """The same race's in the other design; None if they are not known."""
        name = group.memory.name
        if name not in self._grounds:
            self._grounds[name] = Ground(self._fixed, group.memory, self._hunter.options, self._hunter.model)
        ground = self._grounds[name]
        joint = ground.joint(group)
        world = replace(joint.world, start=ground.start(number, joint))
        search = Search(world, self._hunter.options, joint.followed)
        found = run(search)
        return ends_of(search, world) if found.complete and not found.violations else None


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
