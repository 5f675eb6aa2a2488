"""Drawing races that can tell a design from another one, rather than looking for them among all.

Of the races of four statements a few in ten thousand have a statement whose automaton differs, in a
program that makes sense.  Here a statement that differs is put down first, and others around it.  Verbs are
drawn, and then statements: one with many ways to be said (a pin of each page, for writing or not) is no more
likely.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Final

from spfvar.generator.focus import Focus
from spfvar.generator.memories import MEMORIES, Memory
from spfvar.generator.programs import Family, Group, Program, group_of, verb_of
from spfvar.scenario.verbs import ACCESSES

#: Draws for a turn, at most.
_DRAWS: Final = 64
#: Turns in a row that brought nothing: then the family's groups are taken in order.
_DRY: Final = 4
#: Of so many statements beside the one that differs one is an access: what a design does is met by faults.
_ONE_ACCESS: Final = 3
#: One draw of so many looks for a statement that only differs in company.
_ONE_IN_COMPANY: Final = 4
#: Starts of a group for a turn.
STARTS: Final = 9


class Deck:
    """A memory's statements, by verb."""

    def __init__(self, memory: Memory, family: Family) -> None:
        self.memory = memory
        self._by_verb: dict[str, list[int]] = {}
        for number in family.statements:
            self._by_verb.setdefault(verb_of(memory, number).name, []).append(number)
        self._verbs = list(self._by_verb)
        self._accesses = [verb for verb in ACCESSES if verb in self._by_verb]

    def any(self, draw: random.Random) -> int:
        """Some statement."""
        few = self._accesses and not draw.randrange(_ONE_ACCESS)
        return draw.choice(self._by_verb[draw.choice(self._accesses if few else self._verbs)])

    def of(self, draw: random.Random, wanted: list[int]) -> int:
        """One of these statements, each verb as likely as another."""
        verb = draw.choice(list(dict.fromkeys(verb_of(self.memory, number).name for number in wanted)))
        return draw.choice([number for number in wanted if verb_of(self.memory, number).name == verb])

    def pinned(self, draw: random.Random, program: list[int]) -> list[int]:
        """The program with a use of the page that it pins, if it pins one and has room."""
        takes = [n for n, one in enumerate(program) if verb_of(self.memory, one).pin == "takes"]
        uses = [one for verb in self._verbs for one in self._by_verb[verb] if self._uses(one)]
        if takes and uses and len(program) > 1 and not any(map(self._uses, program)):
            first = min(takes[0], len(program) - 2)
            program[first] = program[takes[0]]
            program[draw.randrange(first + 1, len(program))] = draw.choice(uses)
        return program

    def _uses(self, number: int) -> bool:
        return verb_of(self.memory, number).pin == "uses"


class Drawn:
    """The groups of a family that differ, each once, in an order that a seed decides."""

    def __init__(self, family: Family, focus: Focus, seed: int) -> None:
        self.family = family
        self._focus = focus
        self._seed = seed
        self._draw = random.Random(f"{seed} {family.memory} {family.shape} draw")
        self._deck = Deck(MEMORIES[family.memory], family)
        self._seen: set[tuple[Program, ...]] = set()

    def turns(self, most: int) -> Iterator[list[Group]]:
        """A list of at most so many groups for each turn."""
        dry = 0
        while dry < _DRY:
            some = list(self._some(most))
            dry = 0 if some else dry + 1
            yield some
        yield from self._rest(most)

    def _some(self, most: int) -> Iterator[Group]:
        found = 0
        for _ in range(_DRAWS):
            programs = self._programs()
            if programs in self._seen:
                continue
            self._seen.add(programs)
            group = group_of(self._deck.memory, programs)
            if group is not None and self._focus.differs(group):
                yield self._with_few_starts(group)
                found += 1
                if found == most:
                    return

    def _with_few_starts(self, group: Group) -> Group:
        """All starts, or some of very many."""
        count = len(self._deck.memory.starts)
        if count <= STARTS:
            return group
        only = tuple(sorted(self._draw.sample(range(count), STARTS)))
        return Group(group.memory, group.actors, group.size, only)

    def _rest(self, most: int) -> Iterator[list[Group]]:
        """Those that were not drawn, or not with every start."""
        some: list[Group] = []
        whole = len(self._deck.memory.starts) <= STARTS
        for looked, number in enumerate(self.family.shuffled(self._seed)):
            group = self.family.group(number)
            new = group is not None and not (whole and group.programs in self._seen)
            if group is not None and new and self._focus.differs(group):
                some.append(group)
            if len(some) == most or looked % _DRAWS == _DRAWS - 1:
                yield some
                some = []
        yield some

    def _programs(self) -> tuple[Program, ...]:
        draw, shape = self._draw, self.family.shape
        flat = [self._deck.any(draw) for _ in range(sum(shape))]
        alone = [n for n in self.family.statements if n in self._focus.statements(self._deck.memory)]
        if alone and draw.randrange(_ONE_IN_COMPANY):
            flat[draw.randrange(len(flat))] = self._deck.of(draw, alone)
        programs, first = [], 0
        for length in shape:
            programs.append(tuple(self._deck.pinned(draw, flat[first : first + length])))
            first += length
        return in_order(programs)


def in_order(programs: list[Program]) -> tuple[Program, ...]:
    """Programs as a group has them: the longest first, those of one length by number."""
    return tuple(sorted(programs, key=lambda program: (-len(program), program)))
