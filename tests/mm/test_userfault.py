"""A userfaultfd's monitor: what it fills, moves and protects, and who waits for it with which locks."""

from __future__ import annotations

import pytest

from spfvar.explore.options import Options
from spfvar.explore.verdict import SAFE, judge
from spfvar.mm.userfault_wait import UFFD_CLOSED, UFFD_WOKEN
from spfvar.ops import codes as c
from spfvar.ops import objects as o
from tests.mm.race_runs import RaceRun
from tests.mm.test_truncate import in_order, short

COPY = """
[[vma]]
name = "map"
start = 0
userfault = true
{more}
[[actor]]
name = "store"
program = [{{ store = "map" }}]
[[actor]]
name = "monitor"
program = [{{ uffd_copy = "map" }}]
"""
MISSING, PRESENT = COPY.format(more=""), COPY.format(more='present = "anon"')
MOVE = """
[[vma]]
name = "from"
start = 0
{more}
[[vma]]
name = "map"
start = {start}
userfault = true
anon_vma = false
[[actor]]
name = "monitor"
program = [{{ uffd_move = "from", to = "map" }}]
[[actor]]
name = "mprotect"
program = [{{ mprotect = "map", prot = "r" }}]
"""
WAIT = "handle_userfault: schedule"
DESIGNS = ("mmap-lock", "per-vma-6.7", "per-vma-6.12", "per-vma-6.17", "cortenmm-adv", "radixvm")


@pytest.mark.parametrize("variant", DESIGNS)
def test_a_fault_waits_without_its_lock_until_the_monitor_has_filled_the_page(variant: str) -> None:
    """The monitor can have every lock meanwhile; then the fault finds the page, and adds none."""
    run = RaceRun(MISSING, variant)
    assert run.thread(0)[-1] == "blocked"
    run.thread(1)
    page = run.entry(0)
    assert page & (c.PTE_PRESENT | c.PTE_WRITE) == c.PTE_PRESENT | c.PTE_WRITE
    names = run.thread(0)
    assert names[-1] != "blocked"
    assert "set_pte_at(anon)" not in names
    assert run.entry(0) == page
    assert run.word(UFFD_CLOSED) == run.word(UFFD_WOKEN) == 1


def test_once_the_file_is_closed_nobody_is_asked() -> None:
    """The fault takes a page as in any memory: with the page that the monitor filled gone again."""
    text = MISSING + '[[actor]]\nname = "madvise"\nprogram = [{ madvise = "map" }]\n'
    run = RaceRun(text)
    run.thread(1)
    run.thread(2)
    assert run.entry(0) == 0
    names = run.thread(0)
    assert WAIT not in names
    assert "set_pte_at(anon)" in names


@pytest.mark.parametrize("variant", DESIGNS)
def test_a_page_that_is_there_is_not_filled(variant: str) -> None:
    """EEXIST: the monitor's page goes again."""
    run = RaceRun(PRESENT, variant)
    before = run.entry(0)
    names = short(run.thread(1))
    assert in_order(names, ["alloc_page", "pte_none", "free_page"])
    assert run.entry(0) == before


@pytest.mark.parametrize(
    ("variant", "lock"),
    [
        ("mmap-lock", "mmap_read_lock"),
        ("per-vma-6.7", "mmap_read_lock"),
        ("per-vma-6.12", "vma_start_read"),
    ],
)
def test_since_v6_9_the_monitor_takes_the_lock_of_the_vma(variant: str, lock: str) -> None:
    """If it has an anon_vma already; and gives it back."""
    names = short(RaceRun(MISSING, variant).thread(1))
    assert lock in names
    assert ("mmap_read_lock" in names) == (lock == "mmap_read_lock")
    assert ("mmap_read_unlock" if lock == "mmap_read_lock" else "vma_end_read") in names


@pytest.mark.parametrize("start", [1, 2])
@pytest.mark.parametrize("variant", DESIGNS)
def test_a_page_moves_with_its_rmap_and_the_references_that_it_had(variant: str, start: int) -> None:
    """Within a page table, and from one to another."""
    run = RaceRun(MOVE.format(more='present = "anon"', start=start), variant)
    entry = run.entry(0)
    names = short(run.thread(0))
    assert in_order(names, ["ptep_get_and_clear", "ptep_clear_flush", "folio_move_anon_rmap", "set_pte_at"])
    assert (run.entry(0), run.entry(start)) == (0, entry)
    # The destination's anon_vma was made for it: the second one.
    assert (run.word(o.PAGE_REFS), run.word(o.PAGE_ANON_VMA)) == (1, 1 + 1)


@pytest.mark.parametrize("variant", DESIGNS)
def test_a_moved_page_is_as_writable_as_its_new_vma(variant: str) -> None:
    """Taken away where it was, before any CPU can use the new entry."""
    run = RaceRun(MOVE.format(more='present = "anon"', start=2), variant)
    run.thread(1)
    names = short(run.thread(0))
    assert in_order(names, ["ptep_set_wrprotect", "ptep_get_and_clear", "set_pte_at"])
    assert run.entry(2) & (c.PTE_PRESENT | c.PTE_WRITE) == c.PTE_PRESENT


def test_a_page_that_others_have_is_not_moved() -> None:
    """EBUSY: a child's page is not the VMA's alone."""
    child = '[[vma]]\nname = "child"\nstart = 4\nmm = 1\nshares = "from"\n'
    run = RaceRun(child + MOVE.format(more='present = "anon"', start=2))
    before = run.entry(0)
    assert "ptep_get_and_clear" not in short(run.thread(0))
    assert run.entry(0) == before != 0


def test_write_protection_is_flushed_before_the_call_ends() -> None:
    """With the count of what is pending up from before the first entry to behind the flush."""
    text = PRESENT.replace("uffd_copy", "uffd_wp")
    run = RaceRun(text)
    names = short(run.thread(1))
    wanted = ["inc_tlb_flush_pending", "ptep_set_wrprotect", "flush_tlb_mm_range", "dec_tlb_flush_pending"]
    assert in_order(names, wanted)
    assert run.entry(0) & c.PTE_WRITE == 0
    assert "pte_mkwrite" in run.thread(0)  # who writes is not made to wait


@pytest.mark.parametrize("variant", ["mmap-lock", "per-vma-6.12", "per-vma-6.17"])
def test_a_page_that_is_to_be_moved_is_looked_up_under_the_lock_that_keeps_it(variant: str) -> None:
    """Behind pte_same, as by move_pages_pte: whoever frees the page before takes its entry away first.

    An entry that was read before the lock may be of a page that madvise has freed and a store got again.
    """
    run = RaceRun(
        """
[[vma]]
name = "from"
start = 0
present = "anon"
[[vma]]
name = "map"
start = 2
userfault = true
[[actor]]
name = "monitor"
program = [{ uffd_move = "from", to = "map" }]
[[actor]]
name = "madvise"
program = [{ madvise = "from" }, { store = "from" }]
""",
        variant,
    )
    assert judge(run.world, variant, "moved", Options()).verdict == SAFE
    names = RaceRun(MOVE.format(more='present = "anon"', start=2), variant).thread(0)
    looked_up = names.index("vm_normal_page")
    assert names.index("pte_same") < looked_up < names.index("get_page")
    assert "spin_unlock(page_table->ptl)" not in names[names.index("pte_same") : looked_up]
