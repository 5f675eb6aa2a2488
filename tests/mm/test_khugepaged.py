"""khugepaged: what it locks and flushes before a page table goes, old and new."""

from __future__ import annotations

import pytest

from spfvar.ops import objects as o
from tests.mm.race_runs import RaceRun
from tests.mm.test_truncate import in_order, short

RETRACT = """
table_pages = 1
[[file]]
name = "data"
[[vma]]
name = "map"
start = 0
file = "data"
present = "file"
anon_vma = %s
[[actor]]
name = "k"
program = [{ retract = "data" }]
"""
COLLAPSE = """
table_pages = 1
[[vma]]
name = "map"
start = 0
present = "anon"
[[actor]]
name = "k"
program = [{ collapse = "map" }]
"""
FAULT = """
[[actor]]
name = "f"
program = [{ load = "map" }]
"""
FREED = ("pte_free", "pte_free_defer")


def test_an_anonymous_range_has_no_table_from_the_flush_to_the_end_of_the_copy() -> None:
    """mmap_lock for writing, pmd lock, take and flush, sync, table lock, then the table comes back."""
    run = RaceRun(COLLAPSE)
    entry = run.entry(0)
    names = short(run.thread())
    assert in_order(
        names,
        [
            "mmap_write_lock", "spin_lock", "pmdp_get_and_clear", "pmdp_collapse_flush", "spin_unlock",
            "tlb_remove_table_sync_one", "spin_lock", "spin_unlock", "spin_lock", "pmd_populate", "spin_unlock",
            "mmap_write_unlock",
        ],
    )  # fmt: skip
    assert run.entry(0) == entry


def test_before_v6_6_the_table_goes_under_mmap_lock_and_is_freed_after_the_sync() -> None:
    """i_mmap for writing, mmap_write_trylock, unlink, IPI, free."""
    run = RaceRun(RETRACT % "false")
    names = short(run.thread())
    assert in_order(
        names,
        [
            "folio_trylock", "zap_pte_range", "i_mmap_lock_write", "mmap_write_trylock", "pmdp_get_and_clear",
            "tlb_remove_table_sync_one", "pte_free", "mmap_write_unlock", "i_mmap_unlock_write", "folio_unlock",
        ],
    )  # fmt: skip
    assert (run.entry(0), run.word(o.REFCOUNT), run.word(o.FOLIO_LOCK)) == (0, 0, 0)


def test_from_v6_6_on_the_table_goes_under_its_own_lock_and_rcu_frees_it() -> None:
    """i_mmap for reading, pmd lock, nested table lock; mmap_lock is not touched."""
    names = RaceRun(RETRACT % "false", "per-vma-6.12").thread()
    assert in_order(
        short(names),
        [
            "zap_pte_range", "i_mmap_lock_read", "pmdp_get_and_clear", "pmdp_collapse_flush",
            "spin_unlock", "spin_unlock", "pte_free_defer", "i_mmap_unlock_read", "folio_unlock",
        ],
    )  # fmt: skip
    assert not any("mmap_write" in name for name in names)
    taken = names.index("pmdp_get_and_clear")
    assert names[taken - 3 : taken] == [
        "pmd", "spin_lock(pmd_pgtable->ptl)", "load(rmap_vma->anon_vma)",
    ]  # fmt: skip


@pytest.mark.parametrize("variant", ["mmap-lock", "per-vma-6.12"])
def test_a_vma_that_was_written_to_privately_keeps_its_table(variant: str) -> None:
    """An anon_vma may mean anonymous pages in the table."""
    names = short(RaceRun(RETRACT % "true", variant).thread())
    assert "folio_unlock" in names
    assert not any(name in names for name in FREED)


def test_a_fault_under_mmap_lock_keeps_its_table() -> None:
    """mmap_write_trylock fails, and khugepaged does without."""
    run = RaceRun((RETRACT % "false").replace('present = "file"\n', "") + FAULT)
    run.thread(1, until="filemap_get_folio")
    names = short(run.thread(0))
    assert "mmap_write_trylock" in names
    assert not any(name in names for name in FREED)


def test_the_series_locks_a_table_that_khugepaged_unlinks() -> None:
    """Its faults hold nothing else; without speculation v5.12 does not lock an empty table."""
    with_lock = RaceRun(RETRACT % "false", "spf-do-fault").thread()
    without = RaceRun(RETRACT % "false").thread()
    after_zap = [names[names.index("zap_pte_range") :] for names in (with_lock, without)]
    assert ["spin_lock(pmd_pgtable->ptl)" in names for names in after_zap] == [True, False]


def test_a_table_of_another_process_goes_under_the_locks_of_that_one() -> None:
    """retract_page_tables: mm = vma->vm_mm. A fault there waits, and finds no table then; one here does not wait."""
    theirs = RETRACT.replace("start = 0", "start = 0\nmm = 1") % "false"
    here = '[[vma]]\nname = "here"\nstart = 1\n[[actor]]\nname = "h"\nprogram = [{ load = "here" }]\n'
    run = RaceRun(theirs + FAULT + here)
    run.thread(0, until="pmdp_get_and_clear")
    assert run.thread(1)[-1] == "blocked"
    assert run.walker.op_of(1).name == "mmap_read_lock(mm->mmap_lock)"
    assert run.thread(2)[-1] != "blocked"
    run.thread(0)
    assert "pte_alloc_one" in run.thread(1)


@pytest.mark.parametrize("variant", ["mmap-lock", "per-vma-6.12", "per-vma-6.17"])
def test_tables_of_an_address_space_that_ends_are_left_to_it(variant: str) -> None:
    """hpage_collapse_test_exit: the last user has gone, and exit_mmap has not begun."""
    leaves = '[[actor]]\nname = "e"\nprogram = [{ exit = "map" }]\n'
    run = RaceRun(RETRACT.replace("start = 0", "start = 0\nmm = 1") % "false" + leaves, variant)
    run.thread(1, until="mmap_write_lock")
    names = short(run.thread(0))
    assert "zap_pte_range" in names  # it came by the VMA
    assert "pmdp_get_and_clear" not in names
