"""A fork that fails at its second VMA: what the child has then, who may look, and that nothing is left."""

from __future__ import annotations

import pytest

from spfvar.mm.fault import MMF_UNSTABLE
from spfvar.mm.fork_fails import UFFD_EVENT_FORK
from spfvar.ops import codes as c
from spfvar.ops import objects as o
from tests.mm.race_runs import RaceRun
from tests.mm.test_outsiders import life, slot
from tests.mm.test_truncate import in_order, short

FORKED = """
[[vma]]
name = "map"
start = 0
present = "anon"
userfault = true
[[vma]]
name = "next"
start = 1
[[vma]]
name = "child"
start = 2
mm = 1
mapped = false
userfault = true
[[vma]]
name = "later"
start = 3
mm = 1
mapped = false
[[actor]]
name = "fork"
program = [{ fork_fails = "map", to = "child", at = "later" }]
"""
UNUSE = '[[actor]]\nname = "swapoff"\nprogram = [{ unuse = "child" }]\n'
MONITOR = '[[actor]]\nname = "monitor"\nprogram = [{ monitor = "child" }]\n'
MUNMAP = '[[actor]]\nname = "munmap"\nprogram = [{ munmap = "next" }]\n'
#: dup_mmap has dropped the child's lock.
DROPPED = "flush_tlb_mm"
BY_VMA, WHOLE = (
    ("mmap-lock", "spf-do-fault", "per-vma-6.7"),
    ("per-vma-6.12", "per-vma-6.17", "per-vma-refcnt"),
)


def stopped(variant: str, others: str = "") -> RaceRun:
    """A run in which dup_mmap has failed, and the child is not torn down yet."""
    run = RaceRun(FORKED + others, variant)
    run.thread(0, until="mmput")
    return run


@pytest.mark.parametrize("variant", BY_VMA)
def test_up_to_v6_7_the_tree_has_what_was_copied_and_no_more(variant: str) -> None:
    """One VMA of two; the place of the other one is empty."""
    run = stopped(variant, UNUSE)
    assert slot(run, 2) > 0
    assert slot(run, 3) == 0


@pytest.mark.parametrize("variant", WHOLE)
def test_since_v6_8_the_tree_has_an_entry_that_is_no_vma_and_the_mm_is_unstable(variant: str) -> None:
    """Marked before the child's lock is dropped."""
    run = stopped(variant, UNUSE)
    assert slot(run, 2) > 0
    assert (slot(run, 3), run.word(MMF_UNSTABLE, 1)) == (c.TREE_ZERO_ENTRY, 1)
    names = short(RaceRun(FORKED + UNUSE, variant).thread(0))
    assert in_order(names, ["vm_area_dup: no memory", "mas_store", "mmap_write_unlock", DROPPED])


@pytest.mark.parametrize("variant", [*BY_VMA, *WHOLE])
def test_what_was_copied_goes_again_and_the_parent_keeps_its_own(variant: str) -> None:
    """The child's VMA, its entry and its mm_struct; the shared page has one reference less."""
    run = stopped(variant)
    assert (run.word(o.PAGE_REFS), run.entry(2) & c.PTE_PRESENT) == (2, c.PTE_PRESENT)
    run.thread(0)
    assert (run.word(o.PAGE_REFS), run.entry(2)) == (1, 0)
    assert run.entry(0) & c.PTE_PRESENT
    assert (slot(run, 0), slot(run, 1), life(run, 0)) == (1, 2, c.LIVE)
    assert life(run, 1) < 0


def test_without_a_second_vma_nothing_fails() -> None:
    """The child ends at once all the same."""
    run = RaceRun(FORKED + MUNMAP)
    run.thread(1)
    assert "vm_area_dup: no memory" not in short(run.thread(0))
    assert life(run, 1) < 0


@pytest.mark.parametrize("variant", BY_VMA)
def test_swapoff_looks_at_what_there_is(variant: str) -> None:
    """As a user, so the child is torn down by who is last."""
    run = stopped(variant, UNUSE)
    run.thread(1, until="mmput")
    assert run.word(o.MM_USERS, 1) == 2
    run.thread(0)
    assert life(run, 1) == c.LIVE
    assert "__mt_destroy" in run.thread(1)
    assert life(run, 1) < 0


@pytest.mark.parametrize("variant", WHOLE)
def test_swapoff_leaves_an_unstable_mm_alone(variant: str) -> None:
    """It asks under the child's mmap_lock."""
    names = short(stopped(variant, UNUSE).thread(1))
    assert in_order(names, ["mmap_read_lock", "check_stable_address_space", "mmap_read_unlock"])
    assert "for_each_vma" not in names


def test_swapoff_comes_too_late_when_the_last_user_has_gone() -> None:
    """mmget_not_zero: the mm_struct that it has kept is its own to free."""
    run = RaceRun(FORKED + UNUSE)
    run.thread(0)
    names = short(run.thread(1))
    assert "mmap_read_lock" not in names
    assert life(run, 1) < 0


@pytest.mark.parametrize(("variant", "told"), [("mmap-lock", 1), ("per-vma-6.12", 0), ("per-vma-6.17", 0)])
def test_a_monitor_is_told_of_a_child_that_can_be_looked_at(variant: str, told: int) -> None:
    """v5.12 tells it in any case, which does no harm there."""
    run = stopped(variant, MONITOR)
    assert run.word(UFFD_EVENT_FORK, 1) == told
    assert ("for_each_vma" in short(run.thread(1))) == bool(told)
