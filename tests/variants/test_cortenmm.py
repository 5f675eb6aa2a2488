"""Transactions on page-table pages: what faults and calls lock, what they wait for, when tables go."""

from __future__ import annotations

from typing import Any

import pytest

from spfvar.faultpaths.system_calls import WRITERS
from spfvar.faultpaths.writers import overlay_of
from spfvar.plugins.registry import load_registry
from spfvar.plugins.variant import Stack
from tests.transition import driver as d
from tests.variants.test_spf import faulting

NAME = "cortenmm-adv"
SHIPPED = load_registry()[NAME]
PAGE = {"name": "r", "size": "4KiB"}
FILE = {"name": "r", "size": "4KiB", "backing": "file", "fault_around": "4KiB", "mapped": True}


def locks(region: dict[str, Any], *program: dict[str, Any]) -> list[str]:
    """The locks of address space and page tables that a thread takes, in order; "-" before one it gives back.

    Another thread has the other half of the region, so that no lock is left out.
    """
    groups = [{"name": f"t{i}", "threads": 1, "repeat": 1, "program": list(program)} for i in range(2)]
    run = d.start(d.variant_world(NAME, d.small_load([{"per": "process", **region}], groups)))
    trace = run.trace(0)
    names = {"mmap_lock": "mmap_lock", "root_lock": "root", "node_lock": "table", "->ptl": "ptl"}
    return [
        ("-" if "unlock" in step else "") + short
        for step in trace
        for name, short in names.items()
        if step.startswith(("spin_", "mmap_")) and name in step
    ]


def test_a_fault_on_anonymous_memory_takes_one_lock() -> None:
    """The first fault links the table under the root's lock, and has it locked; the second locks the table."""
    region = {"name": "r", "size": "16KiB", "mapped": True}  # two pages for each thread
    first, second = ["root", "table", "-root", "-table"], ["table", "-table"]
    assert locks(region, {"touch": "r"}) == first + second


def test_a_fault_on_a_file_takes_ptl_too() -> None:
    """Reverse-map walks come with ptl alone: the entry is set under it."""
    assert locks(FILE, {"touch": "r", "access": "read"}) == [
        "root", "table", "-root", "ptl", "-ptl", "-table",
    ]  # fmt: skip


def test_a_call_locks_the_table_of_its_range_or_the_root_where_there_is_none() -> None:
    """mmap finds no table, munmap the one that the fault linked; then it goes, in a transaction on the root."""
    program = ({"mmap": "r"}, {"touch": "r"}, {"munmap": "r"})
    assert locks({**PAGE, "per": "thread"}, *program) == [
        "root", "-root",
        "root", "table", "-root", "-table",
        "table", "ptl", "-ptl", "-table", "root", "table", "-table", "-root",
    ]  # fmt: skip


def test_a_call_on_two_tables_locks_the_root_then_both() -> None:
    """4 MiB for each thread: all three locks are held while the entries change."""
    region = {"name": "r", "size": "8MiB", "mapped": True}
    found = locks(region, {"touch": "r"}, {"mprotect": "r", "prot": "r"})
    assert found[-10:] == [
        "root", "table", "table", "ptl", "-ptl", "ptl", "-ptl", "-table", "-table", "-root",
    ]  # fmt: skip


@pytest.mark.parametrize("access", ["read", "write"])
def test_what_has_to_wait_ends_the_transaction(access: str) -> None:
    """4 missing pages, each waited for once, with no lock held, and then found."""
    region = {"size": "16KiB", "backing": "file", "cached": 0.0, "fault_around": "4KiB"}
    counts = faulting(NAME, region, {"touch": "r", "access": access}).counts()
    assert (counts["cortenmm_waited"], counts["pgmajfault"]) == (4, 4)


def test_faults_wait_for_a_call_on_their_page_table_and_for_no_other() -> None:
    """munmap and mprotect hold the table's lock throughout; the other VMA lies in another table."""
    for writer in WRITERS:
        if writer.name in ("munmap", "mprotect"):
            found = overlay_of(writer, SHIPPED, Stack(SHIPPED))
            assert (found.mmap_lock, "waits" in (found.near.new if found.near else {})) == ("-", True)
            assert found.far is not None
            assert (found.far.new, found.far.running) == ({}, {})


def test_a_table_that_is_still_used_stays() -> None:
    """Two mappings in one page table: the munmap of one leaves the other's pages, and the table, alone."""
    regions = [{"name": name, "size": "4KiB", "per": "process", "mapped": True} for name in ("a", "b")]
    program = [{"touch": "a"}, {"touch": "b"}, {"munmap": "a"}, {"touch": "b"}]
    groups = [{"name": "t", "threads": 1, "repeat": 1, "program": program}]
    run = d.start(d.variant_world(NAME, d.small_load(regions, groups)))
    trace = run.trace(0)
    assert run.finish() == d.FINISHED
    assert d.leftovers(run) == []
    assert (run.faults, sum(step.startswith("pte_alloc_one") for step in trace)) == (2, 1)
