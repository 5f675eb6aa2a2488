"""Per-VMA locks by release: which faults each of them leaves to mmap_lock, and when its writers count."""

from __future__ import annotations

from typing import Any

import pytest

from spfvar.ops import objects as o
from tests.transition import driver as d

RELEASES = ("per-vma-6.4", "per-vma-6.6", "per-vma-6.7", "per-vma-6.12")
FILE = {"backing": "file", "sharing": "private"}
ONE_BY_ONE = {**FILE, "fault_around": "4KiB"}


def counts_of(variant: str, region: dict[str, Any], access: str) -> tuple[int, dict[str, int]]:
    """Faults and events of one thread that touches every page of a region that is mapped from the start."""
    load = d.small_load(
        [{"name": "r", "size": "16KiB", "mapped": True, **region}],
        [{"name": "t", "threads": 1, "repeat": 1, "program": [{"touch": "r", "access": access}]}],
    )
    run = d.start(d.variant_world(variant, load))
    run.trace(0)
    assert run.finish() == d.FINISHED
    assert d.leftovers(run) == []
    return run.faults, run.counts()


@pytest.mark.parametrize(
    ("region", "access", "first"),
    [
        ({}, "write", "per-vma-6.4"),
        (FILE, "read", "per-vma-6.6"),
        (ONE_BY_ONE, "read", "per-vma-6.7"),
        (ONE_BY_ONE, "write", "per-vma-6.7"),
        ({**ONE_BY_ONE, "sharing": "shared"}, "write", "per-vma-6.7"),
        ({"anon_vma": False}, "read", "per-vma-6.12"),
        ({"anon_vma": False}, "write", "per-vma-6.12"),
    ],
    ids=["anonymous", "fault-around", "file read", "file copy", "shared write", "zero page", "no anon_vma"],
)
@pytest.mark.parametrize("variant", RELEASES)
def test_each_release_takes_more_faults_from_mmap_lock(
    variant: str, region: dict[str, Any], access: str, first: str
) -> None:
    """The release table: a kind of fault is served by the VMA lock from one release on.

    4 pages, or one window of fault-around.  Without an anon_vma, writes fall back until the first of them has
    made one; reads map the zero page and never make one, so all 4 fall back.
    """
    faults, counts = counts_of(variant, region, access)
    served = RELEASES.index(variant) >= RELEASES.index(first)
    fall_back = 1 if region == {"anon_vma": False} and access == "write" else faults
    assert counts["vma_lock_attempt"] == faults
    assert counts["mmap_lock_fault"] == (0 if served else fall_back)


@pytest.mark.parametrize(
    ("variant", "region", "reason"),
    [
        ("per-vma-6.4", FILE, "vma_lock_abort_file"),
        ("per-vma-6.4", {"anon_vma": False}, "vma_lock_abort_no_anon_vma"),
        ("per-vma-6.6", ONE_BY_ONE, "vma_lock_retry_file"),
        ("per-vma-6.7", {"anon_vma": False}, "vma_lock_abort_no_anon_vma"),
        ("per-vma-6.7", {**FILE, "map_pages": False}, "vma_lock_retry_no_map_pages"),
    ],
)
def test_every_fall_back_has_its_reason(variant: str, region: dict[str, Any], reason: str) -> None:
    """One reason per read fault that was left to mmap_lock."""
    faults, counts = counts_of(variant, region, "read")
    assert counts[reason] == counts["mmap_lock_fault"] == faults


@pytest.mark.parametrize("variant", RELEASES)
def test_swap_entries_fall_back_until_v6_6(variant: str) -> None:
    """4 pages in the swap cache; the first fault finds no page table, and so no swap entry: 3 fall back."""
    faults, counts = counts_of(variant, {"backing": "swap", "cached": 1.0}, "read")
    assert faults == 4
    assert counts["mmap_lock_fault"] == (3 if variant == "per-vma-6.4" else 0)
    assert counts.get("vma_lock_retry_swap", 0) == counts["mmap_lock_fault"]


def test_a_private_copy_without_anon_vma_falls_back_before_v6_10() -> None:
    """v6.7 looks for the anon_vma of a file's VMA when a page is copied, and does not try mmap_lock."""
    region = {**ONE_BY_ONE, "anon_vma": False}
    _, old = counts_of("per-vma-6.7", region, "write")
    _, new = counts_of("per-vma-6.12", region, "write")
    assert (old["vma_lock_retry_anon_vma"], old["mmap_lock_fault"]) == (1, 1)
    assert (new["vma_lock_retry_anon_vma"], new["mmap_lock_fault"]) == (0, 0)


@pytest.mark.parametrize(("variant", "counted"), [("per-vma-6.7", 1), ("per-vma-6.12", 2)])
def test_the_count_moves_once_per_write_section_before_it_became_a_seqcount(
    variant: str, counted: int
) -> None:
    """One mmap: v6.7 counts when mmap_lock is released, v6.12 (as patched in 6.12.y) also when it is taken."""
    load = d.small_load(
        [{"name": "scratch", "size": "4KiB"}],
        [{"name": "t", "threads": 1, "repeat": 1, "program": [{"mmap": "scratch"}]}],
    )
    run = d.start(d.variant_world(variant, load))
    [seq] = [field for field in run.layout.field_offset if field.name == "mm_lock_seq"]
    before = run.state[run.layout.word(seq)]
    assert run.finish() == d.FINISHED
    assert run.state[run.layout.word(seq)] - before == counted


def test_a_write_locked_vma_is_left_alone_although_the_count_is_even() -> None:
    """The VMA's number equals the mm's until the count moves at the end of the section."""
    load = d.small_load(
        [{"name": "r", "size": "4KiB", "mapped": True, "per": "process"}],
        [
            {"name": "t", "threads": 1, "repeat": 1, "program": [{"touch": "r"}]},
            {"name": "w", "threads": 1, "repeat": 1, "program": [{"mprotect": "r", "whole": True}]},
        ],
    )
    run = d.start(d.variant_world("per-vma-6.7", load))
    seq = next(field for field in run.layout.field_offset if field.name == "vm_lock_seq")
    while run.state[run.layout.word(seq)] == 0:
        assert run.drive(1, tid=1) == d.MOVED
    run.trace(0)
    assert run.counts()["vma_lock_abort_write_locked"] == 1
    assert run.state[run.layout.word(o.MMAP_LOCK) + 1] == 2  # thread 1 still writes
    assert run.finish() == d.FINISHED
