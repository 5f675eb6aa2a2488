"""Programs of generated races: every statement that a memory allows, put together smallest first."""

from __future__ import annotations

import random
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from itertools import combinations_with_replacement, product
from math import gcd, prod
from typing import Any

from spfvar.errors import InputError
from spfvar.generator.memories import MEMORIES, Memory
from spfvar.scenario.race import Actor, Race, RaceStatement
from spfvar.scenario.sense import check_sense
from spfvar.scenario.verbs import VERBS, Verb

#: A statement as a table of a race's file.
Statement = dict[str, Any]
#: An actor's program: numbers of its memory's statements.
Program = tuple[int, ...]
#: Statements of one actor at most.
LONGEST = 3


@dataclass(frozen=True, slots=True)
class Group:
    """Races with the same actors on the same memory, which differ only in how its VMAs are found.

    ``actors``: how many threads run each program.  ``size``: statements in all, each thread's counted.
    ``only``: the memory's starts that it is about, by number; none: every one.
    """

    memory: Memory
    actors: tuple[tuple[int, Program], ...]
    size: int
    only: tuple[int, ...] = ()

    @property
    def starts(self) -> Sequence[int]:
        """The numbers of its races' starts."""
        return self.only or range(len(self.memory.starts))

    @property
    def programs(self) -> tuple[Program, ...]:
        """Each thread's."""
        return tuple(program for count, program in self.actors for _ in range(count))

    def race(self) -> Race:
        """The race with the emptiest start; what its memory and its statements say has been looked at."""
        known = _known(self.memory.name)
        names: list[str] = []
        actors = []
        for count, program in self.actors:
            words = VERBS[known[program[0]].statement.verb].name.replace("_", "-")
            name, number = words, 2
            while name in names:
                name, number = f"{words}{number}", number + 1
            names.append(name)
            statements = [known[one].statement for one in program]
            actors.append(Actor.model_construct(name=name, count=count, program=statements))
        return self.memory.base.model_copy(update={"actor": actors, "vma": list(self.memory.starts[0])})

    def races(self) -> Iterator[Race]:
        """The races, the emptiest start first."""
        race = self.race()
        for number in self.starts:
            yield race.model_copy(update={"vma": list(self.memory.starts[number])})

    def __str__(self) -> str:
        known = _known(self.memory.name)
        texts = []
        for count, program in self.actors:
            text = "; ".join(known[one].text for one in program)
            texts.append(f"{count} x ({text})" if count > 1 else text)
        return f"{self.memory.name}: {' | '.join(texts)}"


def statement_text(statement: Statement) -> str:
    """ "move map to away (fast)"."""
    verb = next(key for key in statement if key in VERBS)
    text = f"{verb} {statement[verb]}"
    if "to" in statement:
        text += f" to {statement['to']}"
    more = [f"{key} {statement[key]}" for key in ("at", "page", "prot") if key in statement]
    more += [key for key in ("write", "fast") if statement.get(key)]
    return f"{text} ({', '.join(more)})" if more else text


# --- statements ----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Known:
    """A statement that a memory allows: ``names`` are the VMAs and files that it names."""

    statement: RaceStatement
    table: Statement
    text: str
    names: frozenset[str]


@cache
def _known(memory: str) -> tuple[_Known, ...]:
    """Every statement that the memory allows, in the order of the table of verbs."""
    base = MEMORIES[memory].base
    found = []
    for verb in VERBS.values():
        if not verb.generated:
            continue
        for target in base.file if verb.of == "file" else base.vma:
            for extras in product(*(_values(base, verb, key, target.pages) for key in verb.extras)):
                table = {verb.name: target.name} | {
                    key: value
                    for key, value in zip(verb.extras, extras, strict=True)
                    if value not in (0, False)
                }
                statement = RaceStatement.model_validate(table)
                if not _why_not(base, statement):
                    names = frozenset({statement.target, statement.to, statement.at} - {""})
                    found.append(_Known(statement, table, statement_text(table), names))
    return tuple(found)


def statements(memory: Memory, verbs: Collection[str] = VERBS) -> list[Statement]:
    """Every statement of these verbs that the memory allows, in the order of the table of verbs."""
    return [one.table for one in _known(memory.name) if one.statement.verb in verbs]


def _values(race: Race, verb: Verb, key: str, pages: int) -> Sequence[Any]:
    if key == "page":  # a heap's first page always stays
        return range(1 if "tail" in (*verb.maps, *verb.unmaps) else 0, pages)
    if key in ("to", "at"):
        return [vma.name for vma in race.vma]
    return ("rw", "r") if key == "prot" else (False, True)


def _why_not(race: Race, statement: RaceStatement) -> str:
    """What the verb needs and the memory does not have; "" for nothing."""
    try:
        race.check_statement(statement, "")
    except InputError as error:
        return str(error)
    return ""


def statement_numbers(memory: Memory, role: str = "") -> list[int]:
    """The statements that the memory allows, by number; with a ``role``, those that so treat a pin."""
    known = _known(memory.name)
    return [n for n, one in enumerate(known) if not role or VERBS[one.statement.verb].pin == role]


def _uses_pin(program: Sequence[RaceStatement]) -> bool:
    """Does it use a page that it pins, if it pins one?"""
    roles = {VERBS[statement.verb].pin for statement in program}
    return "takes" not in roles or "uses" in roles


def group_of(memory: Memory, programs: Sequence[Program]) -> Group | None:
    """The group of threads that run these programs, those of one length in order; None if it makes no sense.

    Nor is there one of what a smaller memory or a smaller race is enough for.
    """
    known = _known(memory.name)
    if not all(_uses_pin([known[one].statement for one in program]) for program in programs):
        return None  # what is pinned for nothing is pinned in a larger race for something
    if not memory.used <= frozenset().union(*(known[one].names for one in sum(programs, ()))):
        return None  # a smaller memory would do
    actors = tuple((programs.count(program), program) for program in dict.fromkeys(programs))
    group = Group(memory, actors, sum(map(len, programs)))
    try:
        check_sense(group.race())
    except InputError:
        return None
    return group


def verb_of(memory: Memory, number: int) -> Verb:
    """The verb of a memory's statement."""
    return VERBS[_known(memory.name)[number].statement.verb]


def verbs_of(group: Group) -> list[Verb]:
    """The verbs of all its statements."""
    return [verb_of(group.memory, number) for program in group.programs for number in program]


# --- families of groups --------------------------------------------------------------------------


def shapes(size: int, actors: Collection[int]) -> Iterator[tuple[int, ...]]:
    """How many statements each actor has, the longest first: (2, 1), (1, 1, 1), ... for size 3."""
    for count in sorted(actors):
        for shape in combinations_with_replacement(range(LONGEST, 0, -1), count):
            if sum(shape) == size:
                yield shape


@dataclass(frozen=True)
class Family:
    """The groups of one shape on one memory, by number: any of them can be had without the others.

    Not every number is one: some make no sense, some are others with their actors exchanged.
    """

    memory: str
    shape: tuple[int, ...]
    verbs: tuple[str, ...] = tuple(VERBS)

    @cached_property
    def statements(self) -> list[int]:
        """The statements of its verbs, by number."""
        return [n for n, one in enumerate(_known(self.memory)) if one.statement.verb in self.verbs]

    def __len__(self) -> int:
        return prod(len(self.statements) ** length for length in self.shape)

    def group(self, number: int) -> Group | None:
        """The group of that number, if there is one."""
        programs = self._programs(number)
        pairs = zip(self.shape, programs, self.shape[1:], programs[1:], strict=False)
        if any(one == other and first > second for one, first, other, second in pairs):
            return None  # actors of one length are in order, for their order does not matter
        return group_of(MEMORIES[self.memory], programs)

    def _programs(self, number: int) -> list[Program]:
        """The first actor's first statement is the most significant digit."""
        digits = []
        for _ in range(sum(self.shape)):
            number, digit = divmod(number, len(self.statements))
            digits.append(self.statements[digit])
        return [tuple(digits.pop() for _ in range(length)) for length in self.shape]

    def in_order(self) -> Iterator[int]:
        """All its numbers."""
        return iter(range(len(self)))

    def shuffled(self, seed: int) -> Iterator[int]:
        """All its numbers, each once, in an order that jumps about evenly."""
        total = len(self)
        if not total:
            return iter(())
        draw = random.Random(f"{seed} {self.memory} {self.shape}")
        step, first = draw.randrange(total // 3, total + 1), draw.randrange(total)
        while gcd(step, total) != 1:
            step += 1
        return ((first + n * step) % total for n in range(total))


def groups(
    memory: Memory, size: int, actors: Collection[int], verbs: Collection[str] = VERBS
) -> Iterator[Group]:
    """Every group of races of a size on a memory that makes sense, each once."""
    for shape in shapes(size, actors):
        family = Family(memory.name, shape, tuple(verbs))
        yield from filter(None, map(family.group, family.in_order()))
