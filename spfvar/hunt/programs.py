"""Programs of generated races: every statement that a memory allows, put together smallest first."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations_with_replacement, product
from typing import Any

from spfvar.errors import InputError
from spfvar.hunt.memories import Memory
from spfvar.scenario.race import Race, RaceStatement
from spfvar.scenario.verbs import VERBS

#: A statement as a table of a race's file, and an actor's program.
Statement = dict[str, Any]
Program = tuple[int, ...]
#: Statements of one actor at most.
LONGEST = 3


@dataclass(frozen=True, slots=True)
class Group:
    """Races with the same actors on the same memory, which differ only in how its VMAs are found.

    ``size``: statements in all, each thread's counted.
    """

    memory: Memory
    actors: tuple[tuple[int, tuple[tuple[tuple[str, Any], ...], ...]], ...]
    size: int

    def tables(self) -> list[dict[str, Any]]:
        """The actors as a race's file has them, named by what they do first."""
        names: list[str] = []
        tables = []
        for count, program in self.actors:
            verb = next(key for key, _ in program[0] if key in VERBS).replace("_", "-")
            name, number = verb, 2
            while name in names:
                name, number = f"{verb}{number}", number + 1
            names.append(name)
            tables.append({"name": name, "count": count, "program": [dict(one) for one in program]})
        return tables

    def races(self) -> Iterator[Race]:
        """The races, the emptiest start first."""
        race = self.memory.race(self.tables())
        for vmas in self.memory.starts():
            yield race.model_copy(update={"vma": list(vmas)})  # each was looked at when the starts were made

    def __str__(self) -> str:
        texts = []
        for count, program in self.actors:
            text = "; ".join(statement_text(dict(one)) for one in program)
            texts.append(f"{count} x ({text})" if count > 1 else text)
        return f"{self.memory.name}: {' | '.join(texts)}"


def statement_text(statement: Statement) -> str:
    """ "move map to away (fast)"."""
    verb = next(key for key in statement if key in VERBS)
    text = f"{verb} {statement[verb]}"
    if "to" in statement:
        text += f" to {statement['to']}"
    more = [f"{key} {statement[key]}" for key in ("page", "prot") if key in statement]
    more += ["fast"] if statement.get("fast") else []
    return f"{text} ({', '.join(more)})" if more else text


def statements(memory: Memory, verbs: Collection[str] = VERBS) -> list[Statement]:
    """Every statement of these verbs that the memory allows, in the order of the table of verbs."""
    base = memory.race([{"name": "reader", "program": [{"maps": memory.vmas[0]["name"]}]}])
    found = []
    for verb in VERBS.values():
        if verb.name not in verbs or not verb.generated:
            continue
        for target in base.file if verb.of == "file" else base.vma:
            for extras in product(*(_values(base, key, target.pages) for key in verb.extras)):
                statement = {verb.name: target.name} | {
                    key: value
                    for key, value in zip(verb.extras, extras, strict=True)
                    if value not in (0, False)
                }
                if not _why_not(base, statement):
                    found.append(statement)
    return found


def _values(race: Race, key: str, pages: int) -> Sequence[Any]:
    if key == "page":
        return range(pages)
    if key == "to":
        return [vma.name for vma in race.vma]
    return ("rw", "r") if key == "prot" else (False, True)


def _why_not(race: Race, statement: Statement) -> str:
    """What the verb needs and the memory does not have; "" for nothing."""
    try:
        race.check_statement(RaceStatement.model_validate(statement), "")
    except InputError as error:
        return str(error)
    return ""


def shapes(size: int, actors: Collection[int]) -> Iterator[tuple[int, ...]]:
    """How many statements each actor has, the longest first: (2, 1), (1, 1, 1), ... for size 3."""
    for count in sorted(actors):
        for shape in combinations_with_replacement(range(LONGEST, 0, -1), count):
            if sum(shape) == size:
                yield shape


def groups(
    memory: Memory, size: int, actors: Collection[int], verbs: Collection[str] = VERBS
) -> Iterator[Group]:
    """Every group of races of a size on a memory that makes sense, each once."""
    every = statements(memory, verbs)
    for shape in shapes(size, actors):
        for chosen in _programs(every, shape):
            group = _group(memory, every, chosen, size)
            if _names(group) >= memory.used and _makes_sense(group):
                yield group


def _programs(every: Sequence[Statement], shape: tuple[int, ...]) -> Iterator[tuple[Program, ...]]:
    """Programs for actors of this shape; actors of one length in order, for their order does not matter."""
    lengths = {length: shape.count(length) for length in dict.fromkeys(shape)}
    choices = [
        combinations_with_replacement(list(product(range(len(every)), repeat=length)), count)
        for length, count in lengths.items()
    ]
    for parts in product(*(list(choice) for choice in choices)):
        yield tuple(program for part in parts for program in part)


def _group(memory: Memory, every: Sequence[Statement], chosen: tuple[Program, ...], size: int) -> Group:
    actors = tuple(
        (chosen.count(program), tuple(tuple(every[number].items()) for number in program))
        for program in dict.fromkeys(chosen)
    )
    return Group(memory, actors, size)


def _names(group: Group) -> set[str]:
    return {
        value
        for _, program in group.actors
        for statement in program
        for key, value in statement
        if key in VERBS or key == "to"
    }


def _makes_sense(group: Group) -> bool:
    try:
        group.memory.race(group.tables())
    except ValueError:
        return False
    return True
