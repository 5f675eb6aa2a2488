"""Empty page tables that madvise frees: what it locks, and what it looks at if it dropped the lock."""

from __future__ import annotations

import pytest

from spfvar.ops import codes as c
from spfvar.ops import objects as o
from tests.mm.race_runs import RaceRun
from tests.mm.test_truncate import in_order, short

HEAP = """
[[vma]]
name = "heap"
start = 0
pages = %d
present = "anon"
[[actor]]
name = "madvise"
program = [{ madvise = "heap" }]
[[actor]]
name = "fault"
program = [{ store = "heap" }]
"""
CLEAR = "pmd_clear(empty table)"
PAUSE = "need_resched"


def linked(run: RaceRun, page: int = 0) -> bool:
    """Is there a page table at the page?"""
    g = run.world.layout.g
    return bool(run.walker.state[int(g[c.G_PMD]) + (page >> int(g[c.G_PT_SHIFT]))])


def madvise(run: RaceRun, pauses: int) -> list[str]:
    """Let madvise drop the table's lock behind each of so many entries, to where it has it again."""
    names: list[str] = []
    for _ in range(pauses):
        names += run.thread(0, PAUSE)
        run.walker.go(1)  # thread 0, the second outcome
    return names


def test_the_table_goes_with_the_last_entry_before_its_lock_and_is_freed_by_rcu_after_the_flush() -> None:
    """Table lock, zap, trylock of the pmd's lock, clear, both unlocked; flush; call_rcu."""
    run = RaceRun(HEAP % 2, "per-vma-6.17")
    names = run.thread(0)
    wanted = [
        "zap_pte_range", "spin_trylock", "pmd_clear", "spin_unlock", "spin_unlock", "flush_tlb_mm_range",
        "free_pages_and_swap_cache", "tlb_remove_table_free: call_rcu",
    ]  # fmt: skip
    assert in_order(short(names), wanted)
    assert not linked(run)


@pytest.mark.parametrize(("variant", "pages"), [("per-vma-6.12", 2), ("per-vma-6.17", 1)])
def test_before_v6_14_and_for_part_of_a_table_it_stays(variant: str, pages: int) -> None:
    """6375e95f381e; reclaim_pt_is_enabled() wants a whole PMD's size."""
    run = RaceRun(HEAP % pages, variant)
    assert CLEAR not in run.thread(0)
    assert linked(run)
    assert run.entry(0) == 0


def test_a_zap_that_dropped_the_lock_looks_at_every_entry_under_both_locks() -> None:
    """Nobody came: still empty, so the table goes, on the slow path."""
    run = RaceRun(HEAP % 2, "per-vma-6.17")
    madvise(run, 1)
    names = run.thread(0)
    assert "spin_trylock" not in short(names)
    assert in_order(names, ["spin_lock(mm->pmd_lock)", "spin_lock(pmd_pgtable->ptl)", "pte_none", CLEAR])
    assert not linked(run)


def test_a_table_that_was_refilled_while_the_lock_was_dropped_stays() -> None:
    """A fault sets the first entry again: the second look finds it."""
    run = RaceRun(HEAP % 2, "per-vma-6.17")
    madvise(run, 1)
    run.thread(0, "pmd")  # the lock is dropped: about to look for the table again
    run.thread(1)
    assert CLEAR not in run.thread(0)
    assert linked(run)
    assert run.entry(0) & c.PTE_PRESENT
    assert run.word(o.PAGE_REFS, run.entry(0) >> c.PTE_FOLIO_SHIFT) == 1
