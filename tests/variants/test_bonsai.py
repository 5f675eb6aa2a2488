"""Faults under page-table locks alone (Bonsai): what needs no mmap_lock, and what is left to it."""

from __future__ import annotations

import pytest

from tests.variants.test_spf import faulting

NAME = "bonsai"


def test_a_fault_needs_mmap_lock_not_even_for_a_page_table() -> None:
    """4 MiB, so 1024 pages and 2 tables, by a single thread: no fault under mmap_lock, none aborts."""
    run = faulting(NAME, {"size": "4MiB"}, {"touch": "r"}, others=False)
    counts = run.counts()
    assert run.faults == counts["spf_attempt"] == 1024
    assert (counts["spf_abort"], counts["mmap_lock_fault"]) == (0, 0)


@pytest.mark.parametrize("access", ["read", "write"])
def test_cached_private_files_are_read_and_copied_without_mmap_lock(access: str) -> None:
    """8 cached pages without fault-around: 8 faults, none under mmap_lock."""
    region = {"size": "32KiB", "backing": "file", "fault_around": "4KiB"}
    counts = faulting(NAME, region, {"touch": "r", "access": access}).counts()
    assert (counts["spf_attempt"], counts["spf_abort"], counts["mmap_lock_fault"]) == (8, 0, 0)


def test_what_would_have_to_wait_is_done_under_mmap_lock() -> None:
    """Only soft faults: each of 4 missing pages takes two passes under mmap_lock, around its read."""
    region = {"size": "16KiB", "backing": "file", "cached": 0.0, "fault_around": "4KiB"}
    counts = faulting(NAME, region, {"touch": "r", "access": "read"}).counts()
    assert (counts["spf_attempt"], counts["spf_abort"], counts["pgmajfault"]) == (4, 4, 4)
    assert counts["mmap_lock_fault"] == 8


@pytest.mark.parametrize(
    ("region", "reason"),
    [({"backing": "file", "sharing": "shared"}, "no_speculate"), ({"anon_vma": False}, "anon_vma")],
)
def test_shared_writes_and_a_first_anon_vma_take_mmap_lock(region: dict[str, object], reason: str) -> None:
    """A shared write each time; the anon_vma once, for the locked pass makes it."""
    counts = faulting(NAME, {"size": "16KiB", **region}, {"touch": "r"}).counts()
    assert counts[f"spf_abort_{reason}"] == counts["spf_abort"] == (4 if reason == "no_speculate" else 1)
