"""Migration: what it leaves in a page's entries meanwhile, and what who meets such an entry does."""

from __future__ import annotations

import pytest

from spfvar.ops import codes as c
from spfvar.ops import objects as o
from tests.mm.race_runs import RaceRun
from tests.mm.test_truncate import in_order, short

MAPPED = """
[[file]]
name = "data"
[[vma]]
name = "map"
start = 0
file = "data"
present = "file"
[[actor]]
name = "migrate"
program = [{ migrate = "data" }]
"""
FAULT = '[[actor]]\nname = "fault"\nprogram = [{ load = "map" }]\n'
SMAPS = '[[actor]]\nname = "smaps"\nprogram = [{ smaps = "map" }]\n'
MUNMAP = '[[actor]]\nname = "munmap"\nprogram = [{ munmap = "map" }]\n'
#: Migration has set its entry, and copies the page.
AWAY = "migrate_folio"


def test_the_entry_is_flushed_under_its_lock_and_mapped_again_before_the_folio_is_unlocked() -> None:
    """Folio lock; table lock, clear, flush, migration entry, unlock; copy; table lock, set; folio unlock."""
    run = RaceRun(MAPPED)
    before = run.entry(0)
    wanted = [
        "folio_lock", "spin_lock", "zap_pte_range", "ptep_clear_flush", "set_pte_at", "spin_unlock", AWAY,
        "spin_lock", "remove_migration_pte: set_pte_at", "spin_unlock", "folio_unlock",
    ]  # fmt: skip
    assert in_order(short(run.thread()), wanted)
    assert (run.entry(0), run.word(o.REFCOUNT)) == (before, 1)


def test_a_page_on_its_way_has_no_reference_of_its_entry() -> None:
    """Only that of who migrates it."""
    run = RaceRun(MAPPED)
    run.thread(0, AWAY)
    assert (run.entry(0), run.word(o.REFCOUNT)) == (c.PTE_MIGRATION, 1)


@pytest.mark.parametrize("variant", ["mmap-lock", "per-vma-6.12", "per-vma-6.17", "spf-do-fault"])
def test_a_fault_waits_for_the_folio_without_the_tables_lock(variant: str) -> None:
    """migration_entry_wait: it blocks on the folio, and finds the page mapped when it looks again."""
    run = RaceRun(MAPPED + FAULT, variant)
    run.thread(0, AWAY)
    assert run.thread(1)[-1] == "blocked"
    assert run.walker.op_of(1).name == "folio_lock(folio->lock)"
    run.thread(0)
    assert not any(name.startswith("set_pte_at") for name in run.thread(1))
    assert run.entry(0) & c.PTE_PRESENT


def test_munmap_clears_the_entry_and_there_is_nothing_to_map_again() -> None:
    """The page keeps the reference of who migrates it until the end."""
    run = RaceRun(MAPPED + MUNMAP)
    run.thread(0, AWAY)
    run.thread(1)
    assert "remove_migration_pte: set_pte_at" not in run.thread(0)
    assert run.word(o.REFCOUNT) == 0


def test_smaps_looks_up_a_page_on_its_way_with_the_table_locked() -> None:
    """The lock keeps the entry, and the entry the lock of its page."""
    run = RaceRun(MAPPED + SMAPS)
    run.thread(0, AWAY)
    wanted = ["mmap_read_lock", "spin_lock", "pfn_swap_entry_to_page", "spin_unlock", "mmap_read_unlock"]
    assert in_order(short(run.thread(1)), wanted)


def test_reclaim_unlocks_what_it_frees_for_those_who_wait() -> None:
    """shrink_folio_list: a fault holds no reference to the page that it waits for, which goes meanwhile."""
    reclaims = MAPPED.replace('{ migrate = "data" }', '{ migrate = "data" }, { reclaim = "data" }')
    run = RaceRun(reclaims + FAULT)
    run.thread(0, AWAY)
    run.thread(1, "folio_lock")
    run.thread(0, "__remove_mapping")
    assert run.thread(1) == ["blocked"]
    assert short(run.thread(0)) == ["__remove_mapping", "folio_unlock"]
    names = run.thread(1)
    assert short(names)[:2] == ["folio_lock", "folio_unlock"]
    assert any(name.startswith("set_pte_at") for name in names)  # of a folio that is read from storage anew


def test_a_page_is_not_read_anew_before_its_former_folio_is_unlocked() -> None:
    """The model has one object for both, so filemap_add_folio waits; for nobody who waits for it."""
    run = RaceRun(MAPPED.replace("migrate", "reclaim") + FAULT)
    run.thread(0, "folio_unlock")
    names = run.thread(1)
    assert names[-1] == "blocked"
    assert run.walker.op_of(1).name == "filemap_add_folio"
    run.thread(0)
    run.thread(1)
    assert run.entry(0) & c.PTE_PRESENT
