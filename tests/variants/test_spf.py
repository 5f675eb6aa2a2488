"""Speculative page faults: the details of the 2021 series that decide how often they abort."""

from __future__ import annotations

from typing import Any

import pytest

from spfvar.ops import objects as o
from spfvar.plugins.registry import load_registry
from tests.transition import driver as d

WHOLE_SERIES = ("spf-anon", "spf-do-fault", "spf-map-pages")
#: A second thread, so that mm_users is not 1; it computes once and ends.
OTHER = {"name": "other", "threads": 1, "repeat": 1, "program": [{"compute": "1us"}]}


def faulting(variant: str, region: dict[str, Any], *program: dict[str, Any], others: bool = True) -> d.Run:
    """One thread runs the program over the region "r" to its end; the other one does not disturb."""
    groups = [
        {"name": "t", "threads": 1, "repeat": 1, "program": list(program)},
        *([OTHER] if others else []),
    ]
    run = d.start(d.variant_world(variant, d.small_load([{"name": "r", "mapped": True, **region}], groups)))
    run.trace(0)
    assert run.finish() == d.FINISHED
    assert d.leftovers(run) == []
    return run


@pytest.mark.parametrize("variant", WHOLE_SERIES)
@pytest.mark.parametrize("tables", [1, 3])
def test_fresh_anonymous_memory_aborts_once_per_page_table(variant: str, tables: int) -> None:
    """The speculative walk allocates no table: 2 MiB take one abort; the other 511 faults succeed."""
    run = faulting(variant, {"size": f"{2 * tables}MiB"}, {"touch": "r"})
    counts = run.counts()
    assert run.faults == 512 * tables
    assert counts["spf_attempt"] == 512 * tables
    assert (counts["spf_abort_pmd"], counts["spf_abort"], counts["mmap_lock_fault"]) == (tables,) * 3


@pytest.mark.parametrize("variant", WHOLE_SERIES)
def test_a_single_threaded_process_never_speculates(variant: str) -> None:
    """mm_users == 1: patch 33 goes straight to mmap_lock."""
    run = faulting(variant, {"size": "16KiB"}, {"touch": "r"}, others=False)
    assert (run.counts()["spf_attempt"], run.counts()["mmap_lock_fault"]) == (0, 4)


@pytest.mark.parametrize("variant", WHOLE_SERIES)
def test_without_an_anon_vma_a_write_aborts_and_the_locked_fault_makes_one(variant: str) -> None:
    """First fault: no table.  The locked pass makes table and anon_vma, so it is the only abort."""
    run = faulting(variant, {"size": "16KiB", "anon_vma": False}, {"touch": "r"})
    assert (run.counts()["spf_abort"], run.counts()["spf_abort_pmd"]) == (1, 1)
    # With a table but no anon_vma (reads need none), the first write aborts for the anon_vma alone.
    run = faulting(
        variant, {"size": "16KiB", "anon_vma": False}, {"touch": "r", "access": "read"}, {"touch": "r"}
    )
    counts = run.counts()
    assert (counts["spf_abort_pmd"], counts["spf_abort_anon_vma"], counts["spf_abort"]) == (1, 1, 2)
    assert run.state[run.layout.word(o.VM_ANON_VMA)] == 1


@pytest.mark.parametrize("variant", WHOLE_SERIES)
def test_shared_writes_never_speculate(variant: str) -> None:
    """Patch 30 leaves page_mkwrite to mmap_lock: every attempt is turned away by its kind."""
    run = faulting(variant, {"size": "16KiB", "backing": "file", "sharing": "shared"}, {"touch": "r"})
    counts = run.counts()
    assert counts["spf_attempt"] == 4
    assert counts["spf_abort_no_speculate"] == counts["spf_abort"] == 4


@pytest.mark.parametrize(
    ("variant", "access", "fault_around", "speculates"),
    [
        ("spf-anon", "read", "64KiB", False),
        ("spf-anon", "write", "64KiB", False),
        ("spf-do-fault", "read", "64KiB", True),
        ("spf-do-fault", "read", "4KiB", True),
        ("spf-do-fault", "write", "64KiB", True),
        ("spf-map-pages", "read", "64KiB", True),
        ("spf-map-pages", "read", "4KiB", False),
        ("spf-map-pages", "write", "64KiB", False),
        ("spf-map-pages", "write", "4KiB", False),
    ],
)
def test_which_private_file_faults_speculate(
    variant: str, access: str, fault_around: str, speculates: bool
) -> None:
    """The review's two answers: write faults, and reads with fault-around off, need patches 24 and 25.

    32 pages cached: the first fault finds no page table; whatever comes after it succeeds, or is
    turned away by its kind.
    """
    run = faulting(
        variant,
        {"size": "128KiB", "backing": "file", "fault_around": fault_around},
        {"touch": "r", "access": access},
    )
    counts = run.counts()
    # A window of 16 pages makes 32 pages 2 faults; all else faults page by page.
    assert run.faults == (2 if (access, fault_around) == ("read", "64KiB") else 32)
    if speculates:
        assert (counts["spf_abort"], counts["spf_abort_pmd"]) == (1, 1)
        assert counts.get("spf_abort_no_speculate", 0) == 0
    else:
        assert counts["spf_abort"] == counts["spf_abort_no_speculate"] == counts["spf_attempt"] == run.faults


@pytest.mark.parametrize("variant", ["spf-do-fault", "spf-map-pages"])
def test_a_page_cache_miss_gives_up_without_waiting(variant: str) -> None:
    """A speculative fault never does I/O: it counts no major fault of its own; mmap_lock's pass does.

    8 pages, none cached, no locks in the way: the first fault stops at the missing table, the others at
    the missing page; each is then done under mmap_lock, which is dropped for the I/O (two passes).
    """
    run = faulting(
        variant, {"size": "32KiB", "backing": "file", "cached": 0.0, "fault_around": "8KiB"},
        {"touch": "r", "access": "read"},
    )  # fmt: skip
    counts = run.counts()
    assert (run.faults, counts["pgmajfault"], counts["spf_abort"]) == (8, 8, 8)
    assert counts["mmap_lock_fault"] == 16


def test_a_writer_makes_a_speculative_fault_abort() -> None:
    """The sequence count is odd from mmap_write_lock to its release: an attempt in between is "odd"."""
    load = d.small_load(
        [{"name": "r", "size": "4KiB", "mapped": True}, {"name": "scratch", "size": "4KiB"}],
        [
            {"name": "t", "threads": 1, "repeat": 1, "program": [{"touch": "r"}]},
            {"name": "w", "threads": 1, "repeat": 1, "program": [{"mmap": "scratch"}]},
        ],
    )
    run = d.start(d.variant_world("spf-anon", load))
    seq = next(field for field in run.layout.field_offset if field.name == "mmap_seq")
    while run.state[run.layout.word(seq)] == 0:
        assert run.drive(1, tid=1) == d.MOVED
    run.trace(0)  # aborts, then waits for mmap_lock
    assert run.counts()["spf_abort_odd"] == 1
    assert run.finish() == d.FINISHED
    assert run.state[run.layout.word(seq)] == 2


@pytest.mark.parametrize("variant", WHOLE_SERIES)
def test_every_abort_has_one_reason_or_is_a_miss(variant: str) -> None:
    """The columns of the abort table add up: no reason is counted for an attempt that went on."""
    run = d.start(d.variant_world(variant, d.with_repeat("anon", 40)), 5)
    assert run.finish(0.3) == d.FINISHED
    counts = run.counts()
    reasons = sum(counts.get(name, 0) for name in load_registry()[variant].events_with("reason"))
    assert counts["spf_abort"] == reasons > 0
