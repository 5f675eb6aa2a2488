"""fork: write protection, references, and the flush that comes last."""

from __future__ import annotations

import pytest

from spfvar.matrix import catalogue
from spfvar.ops import codes as c
from spfvar.ops import objects as o
from spfvar.scenario.load import make_load
from spfvar.simulate.world import build_world
from tests.mm.race_runs import RaceRun
from tests.stacks import stack

FORK = """
[[vma]]
name = "parent"
start = 0
present = "anon"
%s
[[vma]]
name = "child"
start = 2
mm = 1
mapped = false

[[actor]]
name = "a"
program = [{ fork = "parent", to = "child" }%s]
"""
FILE_FORK = (FORK % ("", "")).replace('present = "anon"', 'file = "data"').replace(
    "mapped = false", 'mapped = false\nfile = "data"'
) + '[[file]]\nname = "data"\n'


def test_both_sides_lose_the_write_permission_and_share_the_page() -> None:
    """copy_present_pte: the page has a reference more; neither entry is writable."""
    run = RaceRun(FORK % ("", ""))
    assert run.entry(0) & c.PTE_WRITE
    run.thread()
    assert run.entry(0) == run.entry(2)
    assert not run.entry(0) & c.PTE_WRITE
    assert run.word(o.PAGE_REFS) == 2
    assert run.word(o.ANON_VMA_REFS) == 2
    assert run.walker.wrong_at_rest() == c.V_NONE


def test_the_child_is_filled_under_its_own_locks_and_the_flush_is_the_last_step() -> None:
    """dup_mmap: both mmap_locks; the destination's table lock outside the source's; one flush at the end."""
    names = RaceRun(FORK % ("", "")).thread()
    kept = ("mmap_write", "spin_lock(new", "spin_lock(pmd_", "ptep_set", "set_pte", "flush", "get_page")
    assert [name for name in names if name.startswith(kept)] == [
        "mmap_write_lock(mm->mmap_lock)", "mmap_write_lock_nested(child_mm->mmap_lock)",
        "spin_lock(new_table->ptl)", "spin_lock(pmd_pgtable->ptl)", "get_page", "ptep_set_wrprotect",
        "set_pte_at(orig_pte)", "mmap_write_unlock(child_mm->mmap_lock)", "flush_tlb_mm",
        "mmap_write_unlock(mm->mmap_lock)",
    ]  # fmt: skip


def test_a_parent_without_anon_vma_gives_the_child_none_and_no_entries() -> None:
    """Nothing private yet: the child faults its pages in."""
    run = RaceRun((FORK % ("", "")).replace('present = "anon"', "anon_vma = false"))
    names = run.thread()
    assert "set_pte_at(orig_pte)" not in names
    assert run.word(o.VM_ANON_VMA, 1) == 0


def test_the_childs_tree_is_not_in_the_parents_cache_line() -> None:
    """What fork and the child's exit write disturbs no lookup in the parent: the lines are child_mm's."""
    load = make_load(
        "fork-storm",
        catalogue.scenarios()["fork-storm"],
        {"threads": 1, "vmas": 1, "pause": 1e3, "every": 200.0},
    )
    lines = {
        (op.name, op.line.register.name)
        for op in build_world(load, stack("mmap-lock")).program.ops
        if op.line is not None and op.line.name == "mm_mt"
    }
    assert lines == {
        ("find_vma", "mm"), ("find_vma", "child_mm"),
        ("__vma_link_rb", "child_mm"), ("__mt_destroy", "child_mm"),
    }  # fmt: skip


def test_per_vma_locks_lock_the_parents_vma_first() -> None:
    """vma_start_write before the copy (fb49c455323f)."""
    names = RaceRun(FORK % ("", ""), "per-vma-6.12").thread()
    assert names.index("vma_start_write(vma->vm_lock)") < names.index("vm_area_dup")


@pytest.mark.parametrize(
    ("variant", "order"),
    [("mmap-lock", ["vma_interval_tree_insert", "__vma_link_rb"])]
    + [(name, ["__vma_link_rb", "vma_interval_tree_insert"]) for name in ("mmap-lock-6.1", "per-vma-6.12")],
)
def test_since_v6_9_and_in_6_1_y_a_vma_is_stored_before_its_file_leads_to_it(
    variant: str, order: list[str]
) -> None:
    """35e351780fa9; before, the file came first."""
    run = RaceRun(FILE_FORK, variant)
    assert [name for name in run.thread() if name in order] == order


def test_a_write_after_the_fork_copies_and_the_last_owner_writes_in_place() -> None:
    """Parent writes: copy. Then the child is alone with the old page."""
    run = RaceRun(FORK % ("", ', { store = "parent" }, { store = "child" }'))
    names = run.thread()
    assert names.count("copy_page") == 1
    assert names.count("pte_mkwrite") == 1
    assert run.entry(0) != run.entry(2)
    assert run.walker.wrong_at_rest() == c.V_NONE


def test_exit_of_a_child_drops_its_references() -> None:
    """The parent's page is its own again."""
    text = FORK % ("", ', { exit = "child" }')
    run = RaceRun(text)
    run.thread()
    assert run.word(o.PAGE_REFS) == 1
    assert run.word(o.ANON_VMA_REFS) == 1
    assert run.walker.wrong_at_rest() == c.V_NONE
