"""Is a race a program that processes could run?  What its statements need of each other, by their verbs."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from spfvar.errors import InputError
from spfvar.scenario.verbs import ACCESSES, VERBS, Role

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
    places = _places(race)
    _check_mapped(race, places)
    _check_kinds(race, places)
    _check_unfinished(race, places)
    _check_order(race)
    _check_pins(race, places)
    _check_monitors(race, places)
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
    return frozenset((vma.mm, page) for page in range(vma.covers, vma.end))


def _mapped_at_start(race: Race) -> Pages:
    return frozenset().union(*(_pages(vma) for vma in race.vma if vma.mapped))


def is_contested(race: Race, vma: RaceVma) -> bool:
    """May something else be mapped where an actor maps the VMA, or where it, a stack, would grow?"""
    if vma.growsdown:
        return bool(race.overlapping(vma))
    return any(
        _finds_taken(race, place, mapped) or _takers(race, place)
        for place, mapped in _in_order(race)
        if VERBS[place.statement.verb].tries and place.statement.target == vma.name
    )


def _places(race: Race) -> list[_Place]:
    return [
        _Place(number, actor, statement, f"actor[{number}].program[{s}]")
        for number, actor in enumerate(race.actor)
        for s, statement in enumerate(actor.program)
    ]


def _in_order(race: Race) -> Iterator[tuple[_Place, Pages]]:
    """Each statement, and what is mapped before it if its actor and those before that one run alone."""
    places = _places(race)
    for actor in race.actor:
        mapped = _mapped_at_start(race)
        for one in (*race.before(actor), actor):
            for place in places:
                if place.actor is not one:
                    continue
                if one is actor:
                    yield place, mapped
                verb = VERBS[place.statement.verb]
                mapped -= pages_of(race, place.statement, verb.unmaps)
                mapped |= pages_of(race, place.statement, verb.maps)


def _finds_taken(race: Race, place: _Place, mapped: Pages) -> bool:
    verb = VERBS[place.statement.verb]
    return bool(pages_of(race, place.statement, verb.claims) & mapped) and not verb.over


def _may_get_free(race: Race, place: _Place, mapped: Pages) -> bool:
    """Do other threads unmap whatever is in the way of what a statement would take?"""
    taken = pages_of(race, place.statement, VERBS[place.statement.verb].claims) & mapped
    gone: Pages = frozenset()
    for other in _beside(race, place):
        gone |= pages_of(race, other.statement, VERBS[other.statement.verb].unmaps)
    return taken <= gone


def _takers(race: Race, place: _Place) -> list[_Place]:
    """Statements of other threads that take pages which this one takes, too; a stack that may grow there."""
    claimed = pages_of(race, place.statement, VERBS[place.statement.verb].claims)
    return [
        other
        for other in _beside(race, place)
        if claimed
        & (
            pages_of(race, other.statement, VERBS[other.statement.verb].claims)
            | _grows_to(race, other.statement)
        )
    ]


def _grows_to(race: Race, statement: RaceStatement) -> Pages:
    """The page that a fault may extend a stack to."""
    if not _may_grow(race, statement):
        return frozenset()
    vma = race.vma_named(statement.target)
    return frozenset(((vma.mm, vma.start),))


def _check_mapped(race: Race, places: list[_Place]) -> None:
    """Who works on a VMA finds one there, at least at times; and a child is nobody's before it is born."""
    there = set(_mapped_at_start(race))
    born: dict[int, str] = {}
    forks: dict[int, _Place] = {}
    for number, place in enumerate(places):
        there |= pages_of(race, place.statement, VERBS[place.statement.verb].maps)
        if place.statement.verb == "fork":
            born[race.vma_named(place.statement.to).mm] = place.actor.name
            forks[number] = place
    for number, place in enumerate(places):
        statement = place.statement
        verb = VERBS[statement.verb]
        if verb.of != "vma":
            continue
        earlier = [actor.name for actor in race.before(place.actor)]
        mm = race.vma_named(statement.target).mm
        before = any(
            fork.actor is place.actor and later > number and race.vma_named(fork.statement.to).mm == mm
            for later, fork in forks.items()
        )
        if before or born.get(mm, place.actor.name) not in (place.actor.name, *earlier):
            raise InputError(
                f"vma {statement.target!r} is there only once actor {born[mm]!r} has forked",
                key=f"{place.key}.{statement.verb}", expected="another vma",
            )  # fmt: skip
        if not verb.absent and not pages_of(race, statement, ("target",)) & there:
            raise InputError(
                f"vma {statement.target!r} is not mapped, and no actor maps it",
                key=f"{place.key}.{statement.verb}", expected="a mapped vma",
            )  # fmt: skip


def _check_kinds(race: Race, places: list[_Place]) -> None:
    """Who means a file's VMA does not come by anonymous memory, nor the other way round, unless it looks."""
    for place in places:
        verb = VERBS[place.statement.verb]
        if verb.of != "vma" or verb.looks or verb.over:
            continue
        vma = race.vma_named(place.statement.target)
        unlike = {one.name for one in race.overlapping(vma) if one.backed != vma.backed}
        if not unlike:
            continue
        theirs = {name for other in _beside(race, place) for name in _mapped_by(other)}
        if unlike & theirs or (vma.name in theirs) or unlike & _there_before(race, place):
            raise InputError(
                f"where vma {vma.name!r} is meant, {min(unlike)!r} may be, and only one of them maps a file",
                key=f"{place.key}.{verb.name}", expected="vmas of one kind",
            )  # fmt: skip


def _mapped_by(place: _Place) -> set[str]:
    """The VMAs that a statement maps, by name."""
    statement = place.statement
    return {statement.to if role == "to" else statement.target for role in VERBS[statement.verb].maps}


def _there_before(race: Race, place: _Place) -> set[str]:
    """The VMAs that are mapped before a statement if its actor and those before that one run alone."""
    there = {vma.name for vma in race.vma if vma.mapped}
    for actor in (*race.before(place.actor), place.actor):
        for other in _places(race):
            if other.key == place.key:
                return there
            if other.actor is actor:
                gone = pages_of(race, other.statement, VERBS[other.statement.verb].unmaps)
                there = {name for name in there if not _pages(race.vma_named(name)) & gone}
                there |= _mapped_by(other)
    return there


def _check_unfinished(race: Race, places: list[_Place]) -> None:
    """Nobody has anything to do with an address space that is never finished, but who finds it meanwhile."""
    for place in places:
        if not VERBS[place.statement.verb].unfinished:
            continue
        mm = race.vma_named(place.statement.to).mm
        if place.actor.count > 1:
            raise InputError(
                f"{place.actor.count} threads fork the same child", key=f"actor[{place.number}].count",
                expected="one thread",
            )  # fmt: skip
        for other in places:
            verb = VERBS[other.statement.verb]
            if other is place or verb.finds or verb.of == "file":
                continue
            names = (other.statement.target, other.statement.to, other.statement.on)
            if any(vma.mm == mm for vma in race.vma if vma.name in names):
                raise InputError(
                    f"the child that actor {place.actor.name!r} forks is never finished",
                    key=f"{other.key}.{other.statement.verb}", expected="a vma of another address space",
                )  # fmt: skip


def _check_order(race: Race) -> None:
    """Within one program: what is claimed is free, and nothing runs in an mm that was left."""
    left: set[int] = set()
    gone: defaultdict[int, set[tuple[int, int]]] = defaultdict(set)
    for place, mapped in _in_order(race):
        statement, actor = place.statement, place.actor
        verb = VERBS[statement.verb]
        if place.number in left and verb.of == "vma" and race.vma_named(statement.target).mm == 1:
            raise InputError(
                f"actor {actor.name!r} has left its mm", key=f"{place.key}.{statement.verb}",
                expected="nothing behind exit",
            )  # fmt: skip
        if statement.verb == "exit":
            left.add(place.number)
        if verb.lasting and gone[place.number] & pages_of(race, statement, ("target",)):
            raise InputError(
                f"actor {actor.name!r} has unmapped vma {statement.target!r}",
                key=f"{place.key}.{statement.verb}", expected="a vma that stays",
            )  # fmt: skip
        if _finds_taken(race, place, mapped) and not (verb.tries and _may_get_free(race, place, mapped)):
            raise InputError(
                f"the place of vma {_claimed(statement)!r} is not free",
                key=f"{place.key}.{statement.verb}",
                expected="a place where nothing is mapped, or no longer by what the actor did before",
            )  # fmt: skip
        gone[place.number] |= pages_of(race, statement, verb.unmaps)


def _check_pins(race: Race, places: list[_Place]) -> None:
    """Each program has one page pinned at a time, and uses or drops the one that it has."""
    held: dict[int, str] = {}
    for place in places:
        statement, pin = place.statement, VERBS[place.statement.verb].pin
        vma = held.get(place.number, "")
        if pin == "takes" and vma:
            raise InputError(
                f"actor {place.actor.name!r} has pinned a page of vma {vma!r} already",
                key=f"{place.key}.{statement.verb}", expected="unpin before it",
            )  # fmt: skip
        if pin in ("uses", "drops") and vma != statement.target:
            raise InputError(
                f"actor {place.actor.name!r} has pinned no page of vma {statement.target!r}",
                key=f"{place.key}.{statement.verb}", expected="pin before it",
            )  # fmt: skip
        if pin in ("takes", "drops"):
            held[place.number] = statement.target if pin == "takes" else ""


def _check_monitors(race: Race, places: list[_Place]) -> None:
    """A monitor that misses a page would wait for itself."""
    monitors = {place.number for place in places if VERBS[place.statement.verb].monitors}
    for place in places:
        statement = place.statement
        faults = statement.verb in (*ACCESSES, "mkyoung", "pin", "poke")
        if place.number in monitors and faults and race.vma_named(statement.target).userfault:
            raise InputError(
                f"actor {place.actor.name!r}, a monitor, may miss a page of vma {statement.target!r}",
                key=f"{place.key}.{statement.verb}", expected="another actor",
            )  # fmt: skip


def _check_beside(race: Race, places: list[_Place]) -> None:
    """Between programs: nobody takes another's free place, or moves the end of a VMA taken whole."""
    for place in places:
        verb = VERBS[place.statement.verb]
        mine = pages_of(race, place.statement, ("target",)) if verb.of == "vma" else frozenset()
        if (takers := _takers(race, place)) and not verb.tries:
            raise InputError(
                f"actor {takers[0].actor.name!r} takes the place of vma {_claimed(place.statement)!r} too",
                key=f"{place.key}.{place.statement.verb}", expected="a place of its own",
            )  # fmt: skip
        for other in _beside(race, place):
            theirs = VERBS[other.statement.verb]
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


def _beside(race: Race, place: _Place) -> Iterator[_Place]:
    """The statements of other threads, of the same actor too if it has several; not of who waits for it."""
    for other in _places(race):
        ordered = other.actor in race.before(place.actor) or place.actor in race.before(other.actor)
        if (other.number != place.number or place.actor.count > 1) and not ordered:
            yield other


def _reshapes(race: Race, statement: RaceStatement) -> bool:
    """Does it change where a VMA starts or ends?  A fault in a stack may."""
    verb = VERBS[statement.verb]
    return verb.reshapes or _may_grow(race, statement)


def _may_grow(race: Race, statement: RaceStatement) -> bool:
    fault = statement.verb in (*ACCESSES, "mkyoung")
    return fault and race.vma_named(statement.target).growsdown


def _same_vma(race: Race, place: _Place, other: _Place) -> bool:
    roles: tuple[Role, ...] = ("target", "to") if other.statement.verb == "merge" else ("target",)
    return bool(pages_of(race, place.statement, ("target",)) & pages_of(race, other.statement, roles))


def _claimed(statement: RaceStatement) -> str:
    return statement.to or statement.target
