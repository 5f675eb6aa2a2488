"""mmap over a mapping: the old one's page tables are gone before the new one can be found."""

from __future__ import annotations

import pytest

from spfvar.ops import objects as o
from tests.mm.race_runs import RaceRun
from tests.mm.test_truncate import in_order, short

OVER = """
[[file]]
name = "old"
[[file]]
name = "new"
[[vma]]
name = "map"
start = 0
file = "old"
present = "file"
[[vma]]
name = "over"
start = 0
mapped = false
file = "new"
[[actor]]
name = "m"
program = [{ map_over = "over" }]
"""


@pytest.mark.parametrize("variant", ["mmap-lock", "spf-do-fault", "per-vma-6.12"])
def test_the_old_mapping_is_taken_apart_before_the_new_vma_is_linked(variant: str) -> None:
    """Entries, reverse map, page tables, flush; then tree and file of the new one."""
    run = RaceRun(OVER, variant)
    names = short(run.thread())
    assert in_order(
        names,
        [
            "mmap_write_lock", "zap_pte_range", "vma_interval_tree_remove", "pmd_clear", "flush_tlb_mm_range",
            "__tlb_remove_table", "vma_link", "vma_interval_tree_insert", "mmap_write_unlock",
        ],
    )  # fmt: skip
    assert (run.entry(0), run.word(o.REFCOUNT), run.word(o.F_COUNT, 1)) == (0, 0, 2)


def test_only_the_old_way_leaves_a_gap_in_the_tree() -> None:
    """v6.12 overwrites the old VMA's slots, which is detached and locked until then."""
    old, new = (short(RaceRun(OVER, variant).thread()) for variant in ("mmap-lock", "per-vma-6.12"))
    assert "detach_vmas_to_be_unmapped" in old
    assert "detach_vmas_to_be_unmapped" not in new
    assert in_order(new, ["vma_start_write", "store 1", "zap_pte_range", "vma_link", "fput"])
