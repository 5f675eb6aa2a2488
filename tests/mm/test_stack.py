"""Stack growth, mbind, and the reader of /proc/pid/maps."""

from __future__ import annotations

import pytest

from spfvar.ops import codes as c
from spfvar.ops import objects as o
from tests.mm.race_runs import RaceRun

STACK = """
[[vma]]
name = "stack"
start = 0
pages = 2
growsdown = true

[[actor]]
name = "a"
program = [{ store = "stack" }, { store = "stack", page = 1 }]
"""


def test_a_fault_below_the_stack_takes_the_lock_again_for_writing() -> None:
    """lock_mm_and_find_vma: read lock dropped, write lock, grow, downgrade; then the fault goes on."""
    run = RaceRun(STACK)
    assert (run.word(o.VM_START), run.word(o.VM_PGOFF)) == (1, 1)
    names = run.thread()
    first = names.index("mmap_read_unlock(mm->mmap_lock)")
    assert names[first : first + 3] == [
        "mmap_read_unlock(mm->mmap_lock)", "mmap_write_lock(mm->mmap_lock)", "find_vma",
    ]  # fmt: skip
    assert names.index("mmap_write_downgrade(mm->mmap_lock)") < names.index("set_pte_at(anon)")
    assert (run.word(o.VM_START), run.word(o.VM_PGOFF)) == (0, 0)
    assert run.walker.wrong_at_rest() == c.V_NONE


@pytest.mark.parametrize("variant", ["per-vma-6.12", "spf-anon"])
def test_a_lockless_fault_leaves_the_growing_to_the_pass_under_mmap_lock(variant: str) -> None:
    """Nothing is mapped at the address yet, so there is nothing to speculate on."""
    run = RaceRun(STACK, variant)
    names = run.thread()
    assert "vm_pgoff -= grow(vma->vm_pgoff)" in names
    assert run.walker.wrong_at_rest() == c.V_NONE


MBIND = """
[[vma]]
name = "map"
start = 0
%s
[[actor]]
name = "a"
program = [%s]
"""


def test_mbind_puts_the_old_policy_at_once() -> None:
    """The new one is published first; the old one had the VMA's reference only."""
    names = RaceRun(MBIND % ("policy = true", '{ mbind = "map" }')).thread()
    stored = names.index("store vm_policy(vma->vm_policy)")
    assert stored < names.index("mpol_put(old_policy->refcnt)") < names.index("mpol_free")


def test_a_fault_asks_the_policy_that_mbind_set_and_munmap_frees_it() -> None:
    """No policy before; after munmap none is left in use."""
    run = RaceRun(
        MBIND
        % (
            "",
            '{ store = "map" }, { mbind = "map" }, { madvise = "map" }, { store = "map" }, { munmap = "map" }',
        )
    )
    names = run.thread()
    assert names.count("load(vm_policy->mode)") == 1
    assert names.count("mpol_free") == 1


def test_speculation_ends_where_a_policy_is() -> None:
    """spf_abort_no_speculate, then the pass under mmap_lock."""
    names = RaceRun(MBIND % ("policy = true", '{ store = "map" }'), "spf-anon").thread()
    assert "mmap_read_trylock(mm->mmap_lock)" in names
    names = RaceRun(MBIND % ("", '{ store = "map" }'), "spf-anon").thread()
    assert "mmap_read_trylock(mm->mmap_lock)" not in names


def test_a_reader_of_maps_makes_a_writer_wait() -> None:
    """It holds mmap_lock for reading while it goes from VMA to VMA."""
    text = MBIND % ("", '{ maps = "map" }') + '[[actor]]\nname = "w"\nprogram = [{ munmap = "map" }]\n'
    run = RaceRun(text)
    run.thread(0, until="m_next")
    assert run.thread(1)[-1] == "blocked"
    assert run.thread(0)[-1] == "mmap_read_unlock(mm->mmap_lock)"
    run.thread(1)
    assert run.walker.wrong_at_rest() == c.V_NONE
