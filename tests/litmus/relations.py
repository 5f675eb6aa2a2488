"""Relations between at most a few dozen events, as one bit mask of successors per event."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

Relation = list[int]


def members(mask: int) -> Iterator[int]:
    """The positions of the bits that are set, from the lowest."""
    while mask:
        low = mask & -mask
        yield low.bit_length() - 1
        mask ^= low


def empty(size: int) -> Relation:
    """Nothing is related."""
    return [0] * size


def identity(size: int) -> Relation:
    """Every event is related to itself."""
    return [1 << event for event in range(size)]


def of_pairs(size: int, pairs: Iterable[tuple[int, int]]) -> Relation:
    """The relation of these pairs."""
    rows = empty(size)
    for left, right in pairs:
        rows[left] |= 1 << right
    return rows


def union(*relations: Relation) -> Relation:
    """What is in any of them."""
    rows = list(relations[0])
    for relation in relations[1:]:
        rows = [row | other for row, other in zip(rows, relation, strict=True)]
    return rows


def both(left: Relation, right: Relation) -> Relation:
    """What is in both of them."""
    return [row & other for row, other in zip(left, right, strict=True)]


def minus(left: Relation, right: Relation) -> Relation:
    """What is in the first only."""
    return [row & ~other for row, other in zip(left, right, strict=True)]


def chain(*relations: Relation) -> Relation:
    """One step of each, in this order."""
    rows = relations[0]
    for relation in relations[1:]:
        rows = [_image(row, relation) for row in rows]
    return rows


def _image(mask: int, relation: Relation) -> int:
    found = 0
    for event in members(mask):
        found |= relation[event]
    return found


def between(left: int, relation: Relation, right: int) -> Relation:
    """The part of a relation that goes from the set `left` to the set `right`."""
    return [row & right if left >> event & 1 else 0 for event, row in enumerate(relation)]


def maybe(relation: Relation) -> Relation:
    """At most one step."""
    return [row | 1 << event for event, row in enumerate(relation)]


def plus(relation: Relation) -> Relation:
    """One or more steps."""
    rows = list(relation)
    for middle in range(len(rows)):
        bit, reached = 1 << middle, rows[middle]
        if reached:
            rows = [row | reached if row & bit else row for row in rows]
    return rows


def star(relation: Relation) -> Relation:
    """Any number of steps, none included."""
    return maybe(plus(relation))


def inverse(relation: Relation) -> Relation:
    """The same pairs, backwards."""
    return of_pairs(
        len(relation), ((right, left) for left, row in enumerate(relation) for right in members(row))
    )


def irreflexive(relation: Relation) -> bool:
    """Whether nothing is related to itself."""
    return not any(row >> event & 1 for event, row in enumerate(relation))


def acyclic(relation: Relation) -> bool:
    """Whether no number of steps leads back."""
    return irreflexive(plus(relation))
