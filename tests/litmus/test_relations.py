"""Relations do what their names say, on small ones that can be drawn."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from tests.litmus.relations import (
    acyclic,
    between,
    both,
    chain,
    identity,
    inverse,
    irreflexive,
    maybe,
    members,
    minus,
    of_pairs,
    plus,
    star,
    union,
)

SIZE = 5
pairs = st.sets(st.tuples(st.integers(0, SIZE - 1), st.integers(0, SIZE - 1)))


def as_pairs(relation: list[int]) -> set[tuple[int, int]]:
    """The pairs of a relation."""
    return {(left, right) for left, row in enumerate(relation) for right in members(row)}


@given(pairs, pairs)
def test_operators_are_those_of_sets_of_pairs(a: set[tuple[int, int]], b: set[tuple[int, int]]) -> None:
    """Union, intersection, difference, composition, inverse."""
    one, two = of_pairs(SIZE, a), of_pairs(SIZE, b)
    assert as_pairs(union(one, two)) == a | b
    assert as_pairs(both(one, two)) == a & b
    assert as_pairs(minus(one, two)) == a - b
    assert as_pairs(chain(one, two)) == {(x, z) for x, y in a for w, z in b if y == w}
    assert as_pairs(inverse(one)) == {(y, x) for x, y in a}


@given(pairs)
def test_closures_are_repeated_steps(a: set[tuple[int, int]]) -> None:
    """`plus` is the least relation that has the steps and is transitive; `star` and `maybe` add staying."""
    one = of_pairs(SIZE, a)
    steps, longest = one, one
    for _ in range(SIZE):
        longest = chain(longest, one)
        steps = union(steps, longest)
    assert plus(one) == steps
    assert star(one) == union(steps, identity(SIZE))
    assert maybe(one) == union(one, identity(SIZE))
    assert acyclic(one) == all(x != y for x, y in as_pairs(steps))
    assert irreflexive(one) == all(x != y for x, y in a)


def test_between_keeps_what_starts_and_ends_in_the_sets() -> None:
    """0 -> 1 -> 2: from {0}, to {1}."""
    line = of_pairs(3, [(0, 1), (1, 2)])
    assert as_pairs(between(0b001, line, 0b111)) == {(0, 1)}
    assert as_pairs(between(0b111, line, 0b100)) == {(1, 2)}
