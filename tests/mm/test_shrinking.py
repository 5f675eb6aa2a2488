"""Who clears entries of a range that brk has cut off meanwhile: up to where the VMA ends now, and no further."""

from __future__ import annotations

import pytest

from tests.mm.race_runs import RaceRun

HEAP = """
[[vma]]
name = "heap"
start = 0
pages = 2
mm = 1
present = "anon"
[[actor]]
name = "brk"
program = [{ shrink = "heap" }]
[[actor]]
name = "other"
program = [{ %s = "heap" }]
"""


@pytest.mark.parametrize("variant", ["mmap-lock", "per-vma-6.12", "per-vma-6.17"])
@pytest.mark.parametrize("verb", ["madvise", "mrelease"])
def test_the_tail_is_left_to_brk(verb: str, variant: str) -> None:
    """madvise_walk_vmas, for_each_vma: brk has split the heap and holds mmap_lock for reading, and unmaps."""
    run = RaceRun(HEAP % verb, variant)
    tail = run.entry(1)
    assert tail
    run.thread(0, until="zap_pte_range")
    run.thread(1, until="spin_lock")
    assert run.thread(1)[-1] == "blocked"  # the heap has one page table, and brk its lock
    names = run.thread(0, until="flush_tlb_mm_range")
    assert "zap_pte_range" in names
    assert (run.entry(0) != 0, run.entry(1)) == (True, 0)
    run.thread(1)
    assert run.entry(0) == 0


@pytest.mark.parametrize("verb", ["madvise", "mrelease"])
def test_before_brk_unmaps_the_tail_it_is_there(verb: str) -> None:
    """The other way round: what the range has lost is mapped still when the rest has gone."""
    run = RaceRun(HEAP % verb)
    run.thread(0, until="spin_lock")
    run.thread(1)
    assert run.entry(0) == 0
    assert run.entry(1) != 0
