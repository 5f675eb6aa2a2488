"""Primitives and places: what is checked when an op is written down."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import pytest

from spfvar.ops import objects as o
from spfvar.ops import primitives as p
from spfvar.ops.op import Call, Op
from spfvar.ops.places import Field, Place, Register


def test_a_field_is_reached_through_a_register_of_its_class_only() -> None:
    """vma->mmap_lock is a slip of the pen and is refused where it is written."""
    with pytest.raises(TypeError, match="mm->mmap_lock cannot be reached through register vma"):
        p.at(o.vma, o.MMAP_LOCK)
    with pytest.raises(TypeError, match="cannot be reached"):
        Place(o.address, o.VM_START)


def test_only_references_can_be_allocated() -> None:
    """A number is no object."""
    with pytest.raises(TypeError, match="address refers to no object"):
        p.allocate(o.address, "alloc", "x")


def test_ops_are_equal_if_they_say_the_same() -> None:
    """Sharing of suffixes relies on it, also across two runs of a text."""
    assert p.down_read(p.at(o.mm, o.MMAP_LOCK)) == p.down_read(p.at(o.mm, o.MMAP_LOCK))
    assert hash(p.count("x")) == hash(p.count("x"))
    assert p.count("x") != p.count("y")
    assert Register("x") != Register("x", o.VMA)
    assert Field(o.MM, "f") != Field(o.VMA, "f")


def test_ops_cannot_be_changed() -> None:
    """A strategy cannot alter an op that another path shares."""
    with pytest.raises(dataclasses.FrozenInstanceError):
        p.count("x").cost = "free"  # type: ignore[misc]


def test_costing_changes_the_cost_alone() -> None:
    """The original stays as it was."""
    op = p.load(p.at(o.vma, o.VM_END), o.scratch)
    costly = op.costing("vma_copy")
    assert (op.cost, costly.cost) == ("local", "vma_copy")
    assert dataclasses.replace(costly, cost=op.cost) == op


@pytest.mark.parametrize(
    "op",
    [
        p.down_read(p.at(o.mm, o.MMAP_LOCK)), p.down_write(p.at(o.mm, o.MMAP_LOCK)), p.folio_lock(),
        p.sleep_for("io"), p.rcu_gp_wait(), p.wait_equals(p.at(o.mm, o.MM_USERS), 1),
    ],
    ids=lambda op: op.name,
)  # fmt: skip
def test_what_sleeps_in_the_kernel_says_so(op: Op) -> None:
    """A wait on it gives up the CPU."""
    assert op.sleeps


@pytest.mark.parametrize(
    "op",
    [
        p.spin_lock(p.at(o.table, o.PTL)), p.spin_trylock(p.at(o.table, o.PTL)), p.ipi_wait(),
        p.down_read_trylock(p.at(o.mm, o.MMAP_LOCK)), p.folio_trylock(), p.rcu_read_lock(),
    ],
    ids=lambda op: op.name,
)  # fmt: skip
def test_what_spins_or_tries_does_not_sleep(op: Op) -> None:
    """These are legal with interrupts off and under RCU."""
    assert not op.sleeps


def test_atomics_own_their_line_and_reads_share_it() -> None:
    """A failed trylock still fetches the line for writing; a load leaves it shared."""
    trylock = p.spin_trylock(p.at(o.table, o.PTL))
    read = p.equals(p.at(o.mm, o.MM_USERS), 1)
    assert trylock.line is not None
    assert read.line is not None
    assert (trylock.line.mode, trylock.cost) == ("rmw", "atomic")
    assert (read.line.mode, read.cost) == ("read", "local")
    assert (trylock.line.name, read.line.name) == ("ptl", "mm_users")


@pytest.mark.parametrize("take", [p.down_read, p.down_read_trylock, p.down_write, p.down_write_trylock])
def test_who_takes_a_rwsem_stores_its_owner_behind_the_atomic(take: Callable[..., Op]) -> None:
    """rwsem_set_owner, rwsem_set_reader_owned; a release leaves the line alone after its atomic."""
    lock = p.at(o.mm, o.MMAP_LOCK)
    modes = [op.line.mode for op in (take(lock), p.up_read(lock), p.up_write(lock)) if op.line is not None]
    assert modes == ["rmw+store", "rmw", "rmw"]


def test_a_call_is_named_after_its_target() -> None:
    """Hooks by name, functions by their own."""
    assert Call("do_fault", ()).name == "do_fault"
    assert Call(p.at, ()).name == "at"


def test_places_are_shown_as_in_c() -> None:
    """register->field, class->field."""
    assert str(p.at(o.new_vma, o.VM_END)) == "new_vma->vm_end"
    assert str(o.VM_END) == "vma->vm_end"
