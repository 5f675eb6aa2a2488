"""The proposals of 2026: what is held while a fault waits for storage, and what its retry takes."""

from __future__ import annotations

from typing import Any

import pytest
from spfvar.variants.per_vma_refcnt import VM_REFCNT

from spfvar.ops import objects as o
from tests.transition import driver as d

RETRIES = ("per-vma-io-retry-vma", "per-vma-io-retry-hard")
PROPOSALS = (*RETRIES, "per-vma-io-hold")
UNCACHED = {"backing": "file", "cached": 0.0, "fault_around": "4KiB"}


def alone(variant: str, region: dict[str, Any], access: str = "read") -> tuple[list[str], dict[str, int]]:
    """What one thread executes that touches one page, without the places, and its events."""
    load = d.small_load(
        [{"name": "r", "size": "4KiB", "mapped": True, **region}],
        [{"name": "t", "threads": 1, "repeat": 1, "program": [{"touch": "r", "access": access}]}],
    )
    run = d.start(d.variant_world(variant, load))
    trace = [name.split("(")[0] for name in run.trace(0)]
    assert run.finish() == d.FINISHED
    assert d.leftovers(run) == []
    return trace, run.counts()


@pytest.mark.parametrize("variant", RETRIES)
@pytest.mark.parametrize("access", ["read", "write"])
def test_a_major_fault_comes_back_to_its_vma(variant: str, access: str) -> None:
    """Put the reference, read, take it again: mmap_lock is not touched; today it would be once."""
    trace, counts = alone(variant, UNCACHED, access)
    assert (counts["vma_lock_retry_vma"], counts["mmap_lock_fault"], counts["pgmajfault"]) == (1, 0, 1)
    assert not any("mmap_lock" in name for name in trace)
    read = trace.index("filemap_read_folio")
    assert trace[:read].count("vma_refcount_put") == 1
    assert trace[read:].count("inc_not_zero") == 1
    _, today = alone("per-vma-refcnt", UNCACHED, access)
    assert today["mmap_lock_fault"] == 1


@pytest.mark.parametrize("variant", RETRIES)
def test_a_swap_in_comes_back_to_its_vma(variant: str) -> None:
    """do_swap_page that dropped the lock: the first proposal marks its retry, the second lets it stay.

    Two pages: the first fault finds no page table, and so no swap entry.
    """
    swap = {"backing": "swap", "cached": 0.0, "size": "8KiB"}
    _, counts = alone(variant, swap)
    assert (counts["vma_lock_retry_vma"], counts["mmap_lock_fault"], counts["pgmajfault"]) == (1, 0, 1)
    _, today = alone("per-vma-refcnt", swap)
    assert today["mmap_lock_fault"] == 1


@pytest.mark.parametrize(
    ("variant", "lock"), [("per-vma-io-hold", "vma_refcount_put"), ("mmap-lock-2010", "mmap_read_unlock")]
)
def test_who_holds_the_lock_across_io_needs_one_pass(variant: str, lock: str) -> None:
    """The lock is released once, after the read; nothing is retried, and nobody pins the file."""
    trace, counts = alone(variant, UNCACHED)
    assert trace.count(lock) == 1
    assert trace.index("filemap_read_folio") < trace.index(lock)
    assert (counts["pgmajfault"], counts.get("io_retry", 0)) == (1, 0)
    assert "get_file" not in trace


@pytest.mark.parametrize("variant", PROPOSALS)
def test_what_only_mmap_lock_can_do_still_goes_there(variant: str) -> None:
    """A driver without map_pages: the refusal is no retry under the VMA's lock."""
    _, counts = alone(variant, {"backing": "file", "map_pages": False})
    assert (counts["vma_lock_retry_no_map_pages"], counts["mmap_lock_fault"]) == (1, 1)
    assert counts.get("vma_lock_retry_vma", 0) == 0


def behind_a_reader(variant: str, uptodate: bool) -> d.Run:
    """Thread 0 finds the page that thread 1 reads in locked: before it is read, or just after."""
    load = d.small_load(
        [{"name": "r", "mapped": True, "per": "process", "size": "8KiB", **UNCACHED}],
        [
            {"name": f"t{i}", "threads": 1, "repeat": 1, "program": [{"touch": "r", "access": "read"}]}
            for i in range(2)
        ],
    )
    run = d.start(d.variant_world(variant, load))
    slots = {register.name: slot for register, slot in run.layout.registers.items()}
    for name in ("r_start", "r_end"):  # both touch the first thread's page
        first, second = (run.layout.thread_base(t) + slots[name] for t in (0, 1))
        run.state[second] = run.state[first]
    lock, read = run.layout.word(o.FOLIO_LOCK), run.layout.word(o.UPTODATE)
    while not (run.state[lock] and bool(run.state[read]) == uptodate):
        assert run.drive(1, tid=1) == d.MOVED
    run.trace(0)
    assert run.state[lock] == 2  # thread 1 has it, thread 0 waits
    return run


@pytest.mark.parametrize(
    ("variant", "uptodate", "holds"),
    [
        ("per-vma-io-retry-vma", False, False),
        ("per-vma-io-retry-vma", True, True),
        ("per-vma-io-retry-hard", True, False),
        ("per-vma-io-hold", False, True),
    ],
)
def test_a_locked_page_is_waited_for_with_or_without_the_vma(
    variant: str, uptodate: bool, holds: bool
) -> None:
    """The first proposal keeps the VMA if the page is uptodate, for then only entries are being set.

    Thread 1 gave its reference up before it read (or, holding it, has one of its own): 1 is the VMA's own.
    """
    run = behind_a_reader(variant, uptodate)
    others = int(variant == "per-vma-io-hold")
    assert run.state[run.layout.word(VM_REFCNT)] == 1 + others + int(holds)
    assert run.finish() == d.FINISHED
    assert d.leftovers(run) == []
    assert run.counts()["mmap_lock_fault"] == 0


def test_a_retry_that_read_nothing_may_drop_its_lock_again() -> None:
    """Thread 0 waited for thread 1's page: no VM_FAULT_MAJOR, so its second pass has its drop still before it.

    Thread 1 comes back too (its fault was the major one), so two retries in all, and one page read.
    """
    run = behind_a_reader("per-vma-io-retry-hard", uptodate=False)
    assert run.finish() == d.FINISHED
    assert (run.counts()["vma_lock_retry_vma"], run.counts()["pgmajfault"]) == (2, 1)
