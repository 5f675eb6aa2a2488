"""mremap: the order of its primitives, and what has moved when it returns."""

from __future__ import annotations

import pytest

from spfvar.ops import codes as c
from spfvar.ops import objects as o
from tests.mm.race_runs import RaceRun

MOVE = """
[[vma]]
name = "old"
start = 0
present = "anon"
%s
[[vma]]
name = "new"
start = 2
mapped = false
%s
[[actor]]
name = "a"
program = [{ move = "old", to = "new"%s }]
"""
SLOW = MOVE % ("", "", "")
FAST = MOVE % ("pages = 2", "pages = 2", ", fast = true")


def test_entries_move_under_both_locks_and_the_flush_comes_before_they_are_dropped() -> None:
    """move_ptes: old lock, new lock, take, set, flush, new unlock, old unlock."""
    names = RaceRun(SLOW).thread()
    first = names.index("spin_lock(pmd_pgtable->ptl)")
    assert names[first : first + 8] == [
        "spin_lock(pmd_pgtable->ptl)", "spin_lock(new_table->ptl)", "ptep_get_and_clear",
        "set_pte_at(orig_pte)", "flush_tlb_range", "wait for IPI acknowledgements",
        "spin_unlock(new_table->ptl)", "spin_unlock(pmd_pgtable->ptl)",
    ]  # fmt: skip


def test_rcu_keeps_the_new_table_until_it_is_unlocked() -> None:
    """Since v6.5 (pte_offset_map_nolock to pte_unmap): nobody looks again whether the table is linked still."""
    names = RaceRun(SLOW, "per-vma-6.12").thread()
    first = names.index("spin_lock(new_table->ptl)")
    assert names[first - 2 : first] == ["rcu_read_lock()", "pmd"]
    last = names.index("spin_unlock(new_table->ptl)")
    assert not any(name.startswith("rcu_read") for name in names[first:last])
    assert names[last + 1 : last + 3] == ["rcu_read_unlock()", "spin_unlock(pmd_pgtable->ptl)"]


def test_the_new_vma_is_found_before_the_old_one_goes_and_the_lock_is_held_throughout() -> None:
    """copy_vma, move_page_tables, do_munmap without a downgrade."""
    names = RaceRun(SLOW).thread()
    order = [
        "mmap_write_lock",
        "vma_link",
        "ptep_get_and_clear",
        "detach_vmas",
        "vm_area_free",
        "mmap_write_unlock",
    ]
    places = [next(i for i, name in enumerate(names) if name.startswith(step)) for step in order]
    assert places == sorted(places)
    assert not any("downgrade" in name for name in names)


def test_page_and_reference_counts_move_along() -> None:
    """The page keeps its one reference, its index fits the new VMA, the anon_vma has one user again."""
    run = RaceRun(SLOW)
    entry = run.entry(0)
    run.thread()
    assert (run.entry(0), run.entry(2)) == (0, entry)
    assert run.word(o.PAGE_REFS) == 1
    assert run.word(o.ANON_VMA_REFS) == 1
    assert run.walker.wrong_at_rest() == c.V_NONE


def test_a_whole_table_moves_under_the_pmd_lock_alone() -> None:
    """move_normal_pmd: no lock of the table; flush before the pmd lock is dropped."""
    run = RaceRun(FAST)
    entries = run.entry(0), run.entry(1)
    names = run.thread()
    first = names.index("spin_lock(mm->pmd_lock)")
    assert names[first - 1 : first + 6] == [  # whether the new entry is free is asked before
        "pmd", "spin_lock(mm->pmd_lock)", "pmdp_get_and_clear", "pmd_populate", "flush_tlb_range",
        "wait for IPI acknowledgements", "spin_unlock(mm->pmd_lock)",
    ]  # fmt: skip
    assert not any("ptl" in name for name in names)
    assert (run.entry(2), run.entry(3)) == entries
    assert run.walker.wrong_at_rest() == c.V_NONE


def test_speculation_and_whole_tables_exclude_each_other() -> None:
    """With other threads about, a speculative design moves entry by entry; alone, whole tables."""
    assert "ptep_get_and_clear" in RaceRun(FAST, "spf-anon").thread()
    assert "pmdp_get_and_clear" in RaceRun("single_threaded = true\n" + FAST, "spf-anon").thread()


def test_a_file_mapping_keeps_reverse_map_walks_out_while_a_table_moves() -> None:
    """The pages are at neither address in between; the entry-by-entry move shows old before new."""
    text = '[[file]]\nname = "f"\npages = 2\n' + FAST.replace('"anon"', '"file"\nfile = "f"')
    names = RaceRun(text).thread()
    held = names.index("pmdp_get_and_clear")
    before = [name for name in names[:held] if "i_mmap" in name]
    # Once to link the new VMA, then held.
    assert [name.split("(")[0] for name in before] == [
        "i_mmap_lock_write", "i_mmap_unlock_write", "i_mmap_lock_write",
    ]  # fmt: skip


@pytest.mark.parametrize("variant", ["per-vma-6.12", "spf-do-fault"])
def test_the_other_designs_move_pages_too(variant: str) -> None:
    """Same result under every design."""
    run = RaceRun(SLOW, variant)
    run.thread()
    assert run.entry(2) & c.PTE_PRESENT
    assert not run.entry(0)


def test_a_write_through_an_old_tlb_entry_counts_where_the_page_went() -> None:
    """The page is the same one; only after the flush does the old address fault."""
    text = "tlb = true\n" + SLOW + '[[actor]]\nname = "w"\nprogram = [{ load = "old" }, { store = "old" }]\n'
    run = RaceRun(text)
    run.thread(1, until="store")
    run.thread(0, until="flush_tlb_range")
    assert run.thread(1) == ["store"]
    assert run.word(o.PAGE_DATA) == 1
    run.thread(0)
    assert run.walker.wrong_at_rest() == c.V_NONE


def test_reverse_map_walks_find_the_new_vma_and_no_longer_the_old_one() -> None:
    """Also in a world without anonymous pages, where few stores matter."""
    text = '[[file]]\nname = "f"\npages = 2\n' + FAST.replace('"anon"', '"file"\nfile = "f"')
    text += '[[actor]]\nname = "k"\nprogram = [{ retract = "f" }]\n'
    run = RaceRun(text)
    run.thread()
    assert (run.word(o.VM_LINKED, 0), run.word(o.VM_LINKED, 1)) == (0, 1)
