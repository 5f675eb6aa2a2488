"""Who keeps an mm_struct and not its address space: what is asked before the tree is looked into, and when."""

from __future__ import annotations

import pytest

from spfvar.mm.exit import MMF_OOM_SKIP
from spfvar.ops import codes as c
from spfvar.ops import objects as o
from tests.mm.race_runs import RaceRun
from tests.mm.test_truncate import in_order, short

MAPPED = """
[[vma]]
name = "map"
start = 0
mm = 1
present = "anon"
[[actor]]
name = "exit"
program = [{ exit = "map" }]
"""
KSM = '[[actor]]\nname = "ksm"\nprogram = [{ ksm = "map" }]\n'
MRELEASE = '[[actor]]\nname = "mrelease"\nprogram = [{ mrelease = "map" }]\n'
VARIANTS = ["mmap-lock", "per-vma-6.12", "per-vma-6.17", "spf-do-fault"]


def slot(run: RaceRun, page: int) -> int:
    """What the VMA tree has for a page."""
    return int(run.walker.state[int(run.world.layout.g[c.G_TREE]) + page])


def life(run: RaceRun, mm: int) -> int:
    """Whether an mm_struct is in use."""
    return int(run.walker.state[run.world.layout.class_base(o.MM) + mm * run.world.layout.class_stride[o.MM]])


@pytest.mark.parametrize(("others", "kept"), [("", 1), (KSM, 2), (KSM + MRELEASE, 3)])
def test_who_looks_from_outside_keeps_the_mm_struct_and_is_no_user(others: str, kept: int) -> None:
    """mm_count: the users' one, and one for each of the others; mm_users: who exits."""
    run = RaceRun(MAPPED + others)
    assert (run.word(o.MM_COUNT, 1), run.word(o.MM_USERS, 1)) == (kept, 1)
    assert run.word(o.MM_COUNT, 0) == 1


def test_an_mm_in_which_nobody_of_the_race_runs_has_a_user_elsewhere() -> None:
    """Or ksmd would take it for one that has ended."""
    run = RaceRun(MAPPED.partition("[[actor]]")[0] + KSM)
    assert run.word(o.MM_USERS, 1) == 1


@pytest.mark.parametrize("variant", VARIANTS)
def test_ksmd_asks_under_mmap_lock_before_it_looks(variant: str) -> None:
    """Lock, ksm_test_exit, the VMAs, each entry under its table's lock, unlock, mmdrop."""
    run = RaceRun(MAPPED + KSM, variant)
    assert short(run.thread(1, until="ksm_test_exit"))[-1] == "mmap_read_lock"
    wanted = ["for_each_vma", "spin_lock", "spin_unlock", "mmap_read_unlock", "mmdrop"]
    assert in_order(short(run.thread(1)), wanted)


@pytest.mark.parametrize("variant", VARIANTS)
def test_who_comes_late_finds_no_tree_looks_at_nothing_and_frees_the_mm_struct(variant: str) -> None:
    """The exit leaves a destroyed tree in an mm_struct that ksmd keeps."""
    run = RaceRun(MAPPED + KSM, variant)
    run.thread(0)
    assert (slot(run, 0), run.word(o.MM_COUNT, 1), life(run, 1)) == (c.TREE_DESTROYED, 1, c.LIVE)
    names = short(run.thread(1))
    assert "for_each_vma" not in names
    assert names[-2:] == ["mmdrop", "free_mm"]
    assert life(run, 1) < 0


def test_the_exit_waits_for_who_looks_and_frees_the_mm_struct_if_it_is_the_last() -> None:
    """exit_mmap wants mmap_lock for writing."""
    run = RaceRun(MAPPED + KSM)
    run.thread(1, until="ksm_test_exit")
    assert run.thread(0)[-1] == "blocked"
    run.thread(1)
    assert short(run.thread(0))[-1] == "free_mm"


def test_the_reaper_clears_entries_and_leaves_vma_and_table() -> None:
    """As madvise does: the exit has them to free."""
    run = RaceRun(MAPPED + MRELEASE)
    assert run.entry(0) & c.PTE_PRESENT
    assert "zap_pte_range" in short(run.thread(1))
    assert (run.entry(0), slot(run, 0)) == (0, 1)
    assert "__tlb_remove_table" in short(run.thread(0))


def test_the_flag_is_set_before_the_lock_is_wanted_and_keeps_the_reaper_out() -> None:
    """So who has the lock and sees no flag has the tree, too."""
    run = RaceRun(MAPPED + MRELEASE)
    run.thread(0, until="mmap_write_lock")
    assert run.word(MMF_OOM_SKIP, 1) == 1
    names = short(run.thread(1))
    assert "zap_pte_range" not in names
    assert "for_each_vma" not in names


def test_a_shared_mapping_is_not_reaped() -> None:
    """Its pages are the file's."""
    shared = MAPPED.replace('present = "anon"', 'file = "data"\nsharing = "shared"\npresent = "file"')
    run = RaceRun('[[file]]\nname = "data"\n' + shared + MRELEASE)
    run.thread(1)
    assert run.entry(0) & c.PTE_PRESENT


def test_what_a_program_does_not_get_to_needs_no_reference() -> None:
    """An mmap that finds its place taken ends the program, and what was kept for the rest is given up."""
    text = MAPPED.replace('program = [{ exit = "map" }]', 'program = [{ mmap = "map" }, { ksm = "map" }]')
    run = RaceRun(text + '[[actor]]\nname = "munmap"\nprogram = [{ munmap = "map" }]\n')
    assert run.word(o.MM_COUNT, 1) == 2
    assert short(run.thread(0))[-1] == "mmdrop"
    assert run.word(o.MM_COUNT, 1) == 1


def test_without_anybody_who_reaps_there_is_no_flag() -> None:
    """Exits of other races take no step more."""
    run = RaceRun(MAPPED + KSM)
    assert not run.world.layout.has(MMF_OOM_SKIP)


@pytest.mark.parametrize("variant", VARIANTS)
def test_a_fault_on_memory_that_was_reaped_ends_with_a_signal(variant: str) -> None:
    """check_stable_address_space, under the table's lock; the page that is not needed goes before the unlock."""
    text = MAPPED.replace('present = "anon"\n', "").replace("[{ exit", '[{ store = "map" }, { exit')
    run = RaceRun(text + MRELEASE, variant)
    names = short(run.thread(0, until="mmput"))
    assert in_order(names, ["pte_none", "check_stable_address_space", "set_pte_at", "spin_unlock"])
    run = RaceRun(text + MRELEASE, variant)
    run.thread(1)
    names = short(run.thread(0, until="mmput"))
    assert in_order(names, ["pte_none", "check_stable_address_space", "free_page", "spin_unlock"])
    assert run.entry(0) == 0
