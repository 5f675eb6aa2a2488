"""Locks: rwsems and spinlocks hand over in FIFO order, with the kernel's rules for readers."""

from __future__ import annotations

import pytest

from spfvar.ops import objects as o
from spfvar.ops.op import Op
from spfvar.ops.primitives import (
    at,
    down_read,
    down_read_trylock,
    down_write,
    downgrade_write,
    folio_lock,
    folio_trylock,
    folio_unlock,
    spin_lock,
    spin_trylock,
    spin_unlock,
    up_read,
    up_write,
)
from tests.transition.bench import Bench, text_of

SEM = at(o.mm, o.MMAP_LOCK)
SPIN = at(o.mm, o.PMD_LOCK)
READ = (down_read(SEM), up_read(SEM))
WRITE = (down_write(SEM), up_write(SEM))
SPINNING = (spin_lock(SPIN), spin_unlock(SPIN))
UNBALANCED = "a lock or section is released that is not held"


def test_readers_share_a_rwsem() -> None:
    """Two readers hold it at the same time."""
    bench = Bench(text_of(*READ), text_of(*READ))
    assert bench.steps(0, 1) == ["ok", "ok"]
    assert bench.get(o.MMAP_LOCK) == 2


def test_a_writer_excludes_readers_and_writers() -> None:
    """While a writer holds the lock, reader and writer both wait, however often they ask."""
    bench = Bench(text_of(*WRITE), text_of(*READ), text_of(*WRITE))
    assert bench.steps(0, 1, 2, 1, 2) == ["ok", "waits", "waits", "waits", "waits"]


def test_a_writer_waits_for_every_reader() -> None:
    """The last of two readers, not the first, lets the writer in."""
    bench = Bench(text_of(*READ), text_of(*READ), text_of(*WRITE))
    assert bench.steps(0, 1, 2) == ["ok", "ok", "waits"]
    assert bench.steps(0, 2) == ["ok", "waits"]
    assert bench.steps(1, 2) == ["ok", "ok"]


def test_a_queued_writer_holds_up_new_readers() -> None:
    """A reader that comes after a queued writer waits although only readers hold the lock."""
    bench = Bench(text_of(*READ), text_of(*WRITE), text_of(*READ))
    assert bench.steps(0, 1, 2) == ["ok", "waits", "waits"]
    # The first reader leaves: the writer is next, and the second reader only after it.
    assert bench.steps(0, 2, 1) == ["ok", "waits", "ok"]
    assert bench.steps(1, 2) == ["ok", "ok"]


def test_a_release_lets_every_queued_reader_in_wherever_it_stands() -> None:
    """With reader, writer, reader queued, the first release admits both readers, then the writer."""
    bench = Bench(text_of(*WRITE), text_of(*READ), text_of(*WRITE), text_of(*READ))
    assert bench.steps(0, 1, 2, 3) == ["ok", "waits", "waits", "waits"]
    assert bench.steps(0, 1, 3, 2) == ["ok", "ok", "ok", "waits"]
    assert bench.steps(1, 2, 3, 2) == ["ok", "waits", "ok", "ok"]


def test_a_writer_at_the_head_is_let_in_alone() -> None:
    """With writer, reader queued behind a writer, the release admits the writer only."""
    bench = Bench(text_of(*WRITE), text_of(*WRITE), text_of(*READ))
    assert bench.steps(0, 1, 2) == ["ok", "waits", "waits"]
    assert bench.steps(0, 2, 1) == ["ok", "waits", "ok"]


def test_writers_are_served_in_the_order_in_which_they_came() -> None:
    """Three queued writers get the lock first come, first served, whoever asks again first."""
    bench = Bench(*[text_of(*WRITE)] * 4)
    assert bench.steps(0, 2, 3, 1) == ["ok", "waits", "waits", "waits"]
    assert bench.steps(0, 1, 3, 2) == ["ok", "waits", "waits", "ok"]
    assert bench.steps(2, 1, 3) == ["ok", "waits", "ok"]
    assert bench.steps(3, 1) == ["ok", "ok"]


def test_a_granted_lock_is_taken_at_once_so_nobody_can_steal_it() -> None:
    """Between the release and the waiter's next run, a trylock fails."""
    bench = Bench(text_of(*WRITE), text_of(*WRITE), text_of(down_read_trylock(SEM)))
    bench.steps(0, 1, 0)
    assert bench.ask(2) == 0
    assert bench.step(1) == "ok"


def test_downgrade_lets_queued_readers_in_but_no_writer() -> None:
    """The writer goes on as a reader: a reader at the head of the queue joins it, a writer waits."""
    bench = Bench(
        text_of(down_write(SEM), downgrade_write(SEM), up_read(SEM)), text_of(*READ), text_of(*WRITE)
    )
    assert bench.steps(0, 1, 2) == ["ok", "waits", "waits"]
    assert bench.steps(0, 1, 2) == ["ok", "ok", "waits"]
    assert bench.get(o.MMAP_LOCK) == 2
    assert bench.steps(0, 2, 1, 2) == ["ok", "waits", "ok", "ok"]


def test_downgrade_with_a_writer_at_the_head_lets_nobody_in() -> None:
    """FIFO holds after a downgrade too: the reader stays behind the queued writer."""
    bench = Bench(
        text_of(down_write(SEM), downgrade_write(SEM), up_read(SEM)), text_of(*WRITE), text_of(*READ)
    )
    assert bench.steps(0, 1, 2) == ["ok", "waits", "waits"]
    assert bench.steps(0, 2, 1) == ["ok", "waits", "waits"]
    assert bench.steps(0, 2, 1) == ["ok", "waits", "ok"]


@pytest.mark.parametrize(
    ("before", "taken"),
    [((), 1), ((READ,), 1), ((WRITE,), 0), ((READ, WRITE), 0)],
    ids=["free", "readers", "a writer", "a writer queued behind readers"],
)
def test_a_read_trylock_fails_exactly_if_a_reader_would_wait(
    before: tuple[tuple[Op, ...], ...], taken: int
) -> None:
    """down_read_trylock takes a free or read-held lock without a queue, and never waits."""
    bench = Bench(*[text_of(*ops) for ops in before], text_of(down_read_trylock(SEM), up_read(SEM)))
    for thread in range(len(before)):
        bench.step(thread)
    held = bench.get(o.MMAP_LOCK)
    assert bench.ask(len(before)) == taken
    assert bench.get(o.MMAP_LOCK) == held + taken


def test_a_spinlock_hands_over_in_fifo_order() -> None:
    """Queued lockers get the lock in the order of their first try."""
    bench = Bench(*[text_of(*SPINNING)] * 3)
    assert bench.steps(1, 2, 0) == ["ok", "waits", "waits"]
    assert bench.steps(1, 0, 2) == ["ok", "waits", "ok"]
    assert bench.steps(2, 0) == ["ok", "ok"]


def test_a_spin_trylock_never_queues() -> None:
    """It fails on a held lock, leaves no trace, and succeeds on a free one."""
    bench = Bench(
        text_of(*SPINNING, *SPINNING), text_of(spin_trylock(SPIN), spin_trylock(SPIN), spin_unlock(SPIN))
    )
    bench.step(0)
    assert bench.ask(1) == 0
    bench.step(0)
    assert bench.ask(1) == 1
    assert bench.steps(0, 1, 0) == ["waits", "ok", "ok"]


def test_a_folio_lock_is_a_lock_of_the_folio_that_the_register_names() -> None:
    """Two folios do not disturb each other; the same one excludes."""
    bench = Bench(text_of(folio_lock(), folio_unlock()), text_of(folio_lock()), text_of(folio_trylock()))
    for thread, folio in enumerate((2, 3, 2)):
        bench.put(thread, o.folio, folio)
    assert bench.steps(0, 1) == ["ok", "ok"]
    assert bench.ask(2) == 0


@pytest.mark.parametrize(
    "op",
    [up_read(SEM), up_write(SEM), downgrade_write(SEM), spin_unlock(SPIN)],
    ids=lambda op: op.name,
)
def test_a_release_of_what_is_not_held_is_a_violation(op: Op) -> None:
    """Releasing a lock that nobody holds is noticed."""
    assert Bench(text_of(op)).step(0) == UNBALANCED


@pytest.mark.parametrize(
    ("take", "release"),
    [
        (down_write(SEM), up_write(SEM)),
        (down_write(SEM), downgrade_write(SEM)),
        (spin_lock(SPIN), spin_unlock(SPIN)),
    ],
    ids=["up_write", "downgrade_write", "spin_unlock"],
)
def test_only_the_owner_may_release(take: Op, release: Op) -> None:
    """Another thread's exclusive lock cannot be released."""
    bench = Bench(text_of(take), text_of(release))
    assert bench.steps(0, 1) == ["ok", UNBALANCED]
