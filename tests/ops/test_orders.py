"""Orders of primitives: what each may have, and that they are part of the op."""

from __future__ import annotations

import pytest

from spfvar.ops import codes as c
from spfvar.ops import objects as o
from spfvar.ops import primitives as p
from spfvar.ops.orders import smp_mb, smp_rmb, smp_wmb
from spfvar.ops.places import RWSEM_WORDS, Field

X = p.at(o.mm, Field(o.MM, "x"))


def test_an_order_makes_another_op_and_once_is_the_default() -> None:
    """Two loads of unlike order are unlike nodes of an automaton."""
    assert p.load(X, o.counter) == p.load(X, o.counter, order="once")
    assert p.load(X, o.counter) != p.load(X, o.counter, order="acquire")
    assert p.store(X, 1, order="release").order == "release"
    assert p.dec_and_test(X, order="full").order == "full"


def test_an_order_that_a_primitive_cannot_have_is_refused() -> None:
    """A load does not release; the message has what it may."""
    with pytest.raises(TypeError, match="has the order 'release', expected once, acquire"):
        p.load(X, o.counter, order="release")
    with pytest.raises(TypeError, match="expected once, release"):
        p.store(X, 1, order="acquire")


def test_barriers_are_work_that_touches_nothing() -> None:
    """Under sequential consistency they run as a NOP, which the search merges."""
    assert [(op.code, op.order) for op in (smp_rmb(), smp_wmb(), smp_mb())] == [
        (c.NOP, "rmb"),
        (c.NOP, "wmb"),
        (c.NOP, "mb"),
    ]


def test_a_weak_field_is_one_word() -> None:
    """A lock has views of its own."""
    with pytest.raises(TypeError, match="cannot be weak: it has 4 words, expected 1"):
        Field(o.MM, "sem", RWSEM_WORDS, weak=True)
