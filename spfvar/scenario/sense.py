"""Is a race a program that processes could run?  What its statements need of each other, by their verbs."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from spfvar.errors import InputError
from spfvar.scenario.verbs import VERBS, Role

if TYPE_CHECKING:
    from spfvar.scenario.race import Actor, Race, RaceStatement, RaceVma

#: A page of an address space: (mm, page number).
Pages = frozenset[tuple[int, int]]


@dataclass(frozen=True, slots=True)
class _Place:
    """A statement of a race, and where it stands."""

    number: int
    actor: Actor
    statement: RaceStatement
    key: str


def check_sense(race: Race) -> None:
    """Raises InputError, with the key, for the first statement that makes no sense where it stands.

    That VMAs, files and places exist, and what a verb needs of the memory at the start, has been looked at
    before.
    """
    places = [
        _Place(number, actor, statement, f"actor[{number}].program[{s}]")
        for number, actor in enumerate(race.actor)
        for s, statement in enumerate(actor.program)
    ]
    _check_mapped(race, places)
    for number, actor in enumerate(race.actor):
        _check_order(race, actor, [place for place in places if place.number == number])
    _check_beside(race, places)


def pages_of(race: Race, statement: RaceStatement, roles: tuple[Role, ...]) -> Pages:
    """The pages that a statement means by these roles."""
    found: set[tuple[int, int]] = set()
    for role in roles:
        vma = race.vma_named(statement.to if role == "to" else statement.target)
        first = vma.start + (max(1, statement.page) if role == "tail" else 0)
        found |= {(vma.mm, page) for page in range(first, vma.end)}
    return frozenset(found)


def _pages(vma: RaceVma) -> Pages:
    return frozenset((vma.mm, page) for page in range(vma.start, vma.end))


def _mapped_at_start(race: Race) -> Pages:
    return frozenset().union(*(_pages(vma) for vma in race.vma if vma.mapped))


def _check_mapped(race: Race, places: list[_Place]) -> None:
    """Who works on a VMA finds one there, at least at times; and a child is nobody's before it is born."""
    there = set(_mapped_at_start(race))
    born: dict[str, str] = {}
    for place in places:
        there |= pages_of(race, place.statement, VERBS[place.statement.verb].maps)
        if place.statement.verb == "fork":
            born[place.statement.to] = place.actor.name
    for place in places:
        statement = place.statement
        verb = VERBS[statement.verb]
        if verb.of == "file":
            continue
        if born.get(statement.target, place.actor.name) != place.actor.name:
            raise InputError(
                f"vma {statement.target!r} is there only once actor {born[statement.target]!r} has forked",
                key=f"{place.key}.{statement.verb}", expected="another vma",
            )  # fmt: skip
        if not verb.absent and not pages_of(race, statement, ("target",)) & there:
            raise InputError(
                f"vma {statement.target!r} is not mapped, and no actor maps it",
                key=f"{place.key}.{statement.verb}", expected="a mapped vma",
            )  # fmt: skip


def _check_order(race: Race, actor: Actor, places: list[_Place]) -> None:
    """Within one program: what is claimed is free, and nothing runs in an mm that was left."""
    mapped = set(_mapped_at_start(race))
    gone: set[tuple[int, int]] = set()
    left = False
    for place in places:
        statement = place.statement
        verb = VERBS[statement.verb]
        if left and verb.of == "vma" and race.vma_named(statement.target).mm == 1:
            raise InputError(
                f"actor {actor.name!r} has left its mm", key=f"{place.key}.{statement.verb}",
                expected="nothing behind exit",
            )  # fmt: skip
        left = left or statement.verb == "exit"
        if verb.lasting and gone & pages_of(race, statement, ("target",)):
            raise InputError(
                f"actor {actor.name!r} has unmapped vma {statement.target!r}",
                key=f"{place.key}.{statement.verb}", expected="a vma that stays",
            )  # fmt: skip
        claimed = pages_of(race, statement, verb.claims)
        if claimed & mapped and not verb.over:
            raise InputError(
                f"the place of vma {_claimed(statement)!r} is not free",
                key=f"{place.key}.{statement.verb}",
                expected="a place where nothing is mapped, or no longer by what the actor did before",
            )  # fmt: skip
        mapped -= pages_of(race, statement, verb.unmaps)
        gone |= pages_of(race, statement, verb.unmaps)
        mapped |= pages_of(race, statement, verb.maps)


def _check_beside(race: Race, places: list[_Place]) -> None:
    """Between programs: nobody takes another's free place, or moves the end of a VMA taken whole."""
    for place in places:
        verb = VERBS[place.statement.verb]
        claimed = pages_of(race, place.statement, verb.claims)
        mine = pages_of(race, place.statement, ("target",)) if verb.of == "vma" else frozenset()
        for other in _beside(place, places):
            theirs = VERBS[other.statement.verb]
            if claimed & pages_of(race, other.statement, theirs.claims):
                raise InputError(
                    f"actor {other.actor.name!r} takes the place of vma {_claimed(place.statement)!r} too",
                    key=f"{place.key}.{place.statement.verb}", expected="a place of its own",
                )  # fmt: skip
            goes = pages_of(race, other.statement, theirs.unmaps) & mine
            if verb.lasting and (
                goes or (_reshapes(race, other.statement) and _same_vma(race, place, other))
            ):
                raise InputError(
                    f"actor {other.actor.name!r} unmaps vma {place.statement.target!r}",
                    key=f"{place.key}.{place.statement.verb}", expected="a vma that stays",
                )  # fmt: skip
            if verb.whole and _reshapes(race, other.statement) and _same_vma(race, place, other):
                raise InputError(
                    f"actor {other.actor.name!r} changes where vma {place.statement.target!r} ends",
                    key=f"{place.key}.{place.statement.verb}", expected="a vma that keeps its range",
                )  # fmt: skip


def _beside(place: _Place, places: list[_Place]) -> Iterator[_Place]:
    """The statements of other threads, of the same actor too if it has several."""
    for other in places:
        if other.number != place.number or place.actor.count > 1:
            yield other


def _reshapes(race: Race, statement: RaceStatement) -> bool:
    """Does it change where a VMA starts or ends?  A fault in a stack may."""
    verb = VERBS[statement.verb]
    fault = statement.verb in ("load", "store", "mkyoung")
    return verb.reshapes or (fault and race.vma_named(statement.target).growsdown)


def _same_vma(race: Race, place: _Place, other: _Place) -> bool:
    roles: tuple[Role, ...] = ("target", "to") if other.statement.verb == "merge" else ("target",)
    return bool(pages_of(race, place.statement, ("target",)) & pages_of(race, other.statement, roles))


def _claimed(statement: RaceStatement) -> str:
    return statement.to or statement.target
