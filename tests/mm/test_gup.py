"""get_user_pages: what is pinned, by which steps, and what fork, copy on write, reclaim and KSM do about it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from spfvar.errors import InputError
from spfvar.explore.explore import explore
from spfvar.explore.options import Options
from spfvar.explore.world import build_race
from spfvar.matrix import catalogue
from spfvar.mm.hookspecs import hookimpl
from spfvar.ops import codes as c
from spfvar.ops import objects as o
from spfvar.ops.op import Steps
from spfvar.ops.pinning import set_page_anon_exclusive
from spfvar.plugins.registry import load_registry
from spfvar.plugins.variant import Stack
from tests.mm.race_runs import RaceRun

WRITABLE = c.PTE_PRESENT | c.PTE_WRITE
FAST, SLOW = '{ pin = "map", write = true, fast = true }', '{ pin = "map", write = true }'
READ = '{ pin = "map", fast = true }'
DMA, UNPIN, STORE = '{ dma = "map" }', '{ unpin = "map" }', '{ store = "map" }'
FORK = '{ fork = "map", to = "child" }'
CHILD = '[[vma]]\nname = "child"\nstart = 2\nmm = 1\nmapped = false\n'


def race(vma: str, *programs: str, more: str = "") -> str:
    """A VMA of one page, and an actor for each program."""
    actors = "".join(
        f'[[actor]]\nname = "a{number}"\nprogram = [{program}]\n' for number, program in enumerate(programs)
    )
    return f'[[vma]]\nname = "map"\nstart = 0\n{vma}\n{more}{actors}'


ANON = 'present = "anon"'


def test_a_fast_pin_takes_no_lock_and_looks_at_the_entry_twice() -> None:
    """gup_pte_range: interrupts off, walk, pin, then pmd and pte are what they were, and no fork came by."""
    names = RaceRun(race(ANON, FAST)).thread(until="unpin_user_page")
    assert names == [
        "local_irq_disable()", "pmd_present", "vm_normal_page", "try_grab_folio", "pmd_same", "pte_same",
        "local_irq_enable()", "read_seqcount_retry(mm->write_protect_seq)",
    ]  # fmt: skip


def test_a_page_that_is_not_there_is_faulted_in_under_mmap_lock() -> None:
    """Fast finds no entry; slow follows, faults, follows again and pins under the table's lock."""
    run = RaceRun(race("", FAST))
    names = run.thread(until="unpin_user_page")
    wanted = [
        "local_irq_disable()", "local_irq_enable()", "mmap_read_lock(mm->mmap_lock)", "alloc_page",
        "set_pte_at(anon)", "try_grab_folio", "mmap_read_unlock(mm->mmap_lock)",
    ]  # fmt: skip
    assert [name for name in names if name in wanted] == wanted
    assert run.word(o.PAGE_REFS) == 1 + c.PIN_BIAS
    run.thread()
    assert run.word(o.PAGE_REFS) == 1


@pytest.mark.parametrize("vma", ['present = "zero"', 'file = "data"', "table = false"])
def test_a_pin_for_reading_is_of_a_page_of_the_process_s_own(vma: str) -> None:
    """FAULT_FLAG_UNSHARE: neither the zero page nor one of the file, but a copy that is not writable."""
    file = '[[file]]\nname = "data"\n' if "file" in vma else ""
    run = RaceRun(race(vma, READ, more=file))
    run.thread(until="unpin_user_page")
    entry = run.entry(0)
    assert entry & (WRITABLE | c.PTE_ANON) == c.PTE_PRESENT | c.PTE_ANON
    assert run.word(o.PAGE_EXCLUSIVE, entry >> c.PTE_FOLIO_SHIFT) == 1


def test_a_vma_that_forbids_writes_is_pinned_for_reading_only() -> None:
    """check_vma_flags: -EFAULT for FOLL_WRITE, and nothing is pinned."""
    readonly = 'present = "anon"\nprot = "r"'
    assert "try_grab_folio" not in RaceRun(race(readonly, SLOW)).thread()
    assert "try_grab_folio" in RaceRun(race(readonly, READ)).thread()


def test_a_debugger_writes_where_the_process_may_not() -> None:
    """FOLL_FORCE: a copy that is dirty, and not writable; the file's page is left alone."""
    run = RaceRun(race('file = "data"\nprot = "r"\npresent = "file"', '{ poke = "map" }',
                       more='[[file]]\nname = "data"\n'))  # fmt: skip
    names = run.thread()
    assert names.index("copy_page") < names.index("copy_to_user_page")
    entry = run.entry(0)
    assert entry & (WRITABLE | c.PTE_ANON) == c.PTE_PRESENT | c.PTE_ANON
    page = entry >> c.PTE_FOLIO_SHIFT
    assert (run.word(o.PAGE_DATA, page), run.word(o.PAGE_REFS, page)) == (1, 1)


# --- fork and copy on write ----------------------------------------------------------------------


def test_fork_copies_a_page_that_is_pinned() -> None:
    """copy_present_page: the parent's entry stays writable; the child has a page with the same content."""
    run = RaceRun(race(ANON, f"{FAST}, {STORE}, {FORK}", more=CHILD))
    names = run.thread(until="unpin_user_page")
    assert "set_pte_at(copy)" in names
    assert "ptep_set_wrprotect" not in names
    parent, child = (run.entry(page) >> c.PTE_FOLIO_SHIFT for page in (0, 2))
    assert parent != child
    assert run.entry(0) & run.entry(2) & WRITABLE == WRITABLE
    assert run.word(o.PAGE_DATA, parent) == run.word(o.PAGE_DATA, child) == 1
    assert run.word(o.PAGE_EXCLUSIVE, parent) == run.word(o.PAGE_EXCLUSIVE, child) == 1


def test_fork_gets_the_page_for_a_copy_without_the_tables_locks() -> None:
    """-EAGAIN, page_copy_prealloc, and the entry is looked at again."""
    names = RaceRun(race(ANON, f"{FAST}, {FORK}", more=CHILD)).thread()
    at = names.index("alloc_page")
    locks = [f"spin_{verb}({table}->ptl)" for verb, table in (
        ("unlock", "pmd_pgtable"), ("unlock", "new_table"), ("lock", "new_table"), ("lock", "pmd_pgtable"),
    )]  # fmt: skip
    assert names[at - 2 : at] + names[at + 1 : at + 3] == locks
    assert names[at + 3 : at + 6] == ["vm_normal_page", "load(old_page->refcount)", "folio_maybe_dma_pinned"]


def test_fork_shares_a_page_that_is_not_pinned_and_no_longer_exclusive() -> None:
    """After unpin it is a page like any other, which the next write copies."""
    run = RaceRun(race(ANON, f"{FAST}, {UNPIN}, {FORK}, {STORE}", more=CHILD))
    names = run.thread()
    assert "ptep_set_wrprotect" in names
    assert "copy_page" in names
    assert run.word(o.PAGE_EXCLUSIVE, run.entry(2) >> c.PTE_FOLIO_SHIFT) == 0
    assert run.entry(0) >> c.PTE_FOLIO_SHIFT != run.entry(2) >> c.PTE_FOLIO_SHIFT


def test_a_fast_pin_leaves_a_process_that_forks_to_mmap_lock() -> None:
    """The count is odd while entries are write-protected: gup_fast does not even begin, and slow waits."""
    run = RaceRun(race(ANON, FORK, FAST, more=CHILD))
    run.thread(0, until="ptep_set_wrprotect")
    names = run.thread(1)
    assert names[-1] == "blocked"
    assert "local_irq_disable()" not in names


def test_a_pinned_page_that_was_write_protected_is_not_copied() -> None:
    """PG_anon_exclusive, and not the count: mprotect and back, then a write, and the page is the same."""
    program = (
        f'{FAST}, {{ mprotect = "map", prot = "r" }}, {{ mprotect = "map", prot = "rw" }}, {STORE}, {DMA}'
    )
    run = RaceRun(race(ANON, program))
    names = run.thread()
    assert "copy_page" not in names
    assert "pte_mkwrite" in names
    assert (run.entry(0) >> c.PTE_FOLIO_SHIFT, run.word(o.PAGE_DATA)) == (0, 2)


# --- who takes pages away --------------------------------------------------------------------------


def test_munmap_leaves_the_page_to_who_has_pinned_it() -> None:
    """The mapping's reference goes, the pin keeps the page; the last one frees it."""
    run = RaceRun(race(ANON, FAST + f", {DMA}", '{ munmap = "map" }'))
    run.thread(0, until="DMA to the page")
    run.thread(1)
    assert (run.entry(0), run.word(o.PAGE_REFS)) == (0, c.PIN_BIAS)
    run.thread(0)
    assert run.word(o.PAGE_REFS) == 0


def test_reclaim_puts_the_entry_of_a_pinned_page_back() -> None:
    """try_to_unmap_one: cleared, flushed, found pinned, set as it was."""
    run = RaceRun(race('swap = "synchronous"\npresent = "anon"', FAST, '{ swapout = "map" }'))
    before = run.entry(0)
    run.thread(0, until="unpin_user_page")
    names = run.thread(1)
    order = ["ptep_get_and_clear", "ptep_clear_flush", "folio_maybe_dma_pinned", "set_pte_at(as before)"]
    assert [name for name in names if name in order] == order
    assert run.entry(0) == before


@pytest.mark.parametrize("pinned", [True, False])
def test_ksm_write_protects_what_is_not_pinned(pinned: bool) -> None:
    """And then the page may be shared: a write copies it, or takes it over where nobody else has it."""
    run = RaceRun(race(ANON, READ, '{ ksm_merge = "map" }'))
    if pinned:
        run.thread(0, until="unpin_user_page")
    run.thread(1)
    assert bool(run.entry(0) & c.PTE_WRITE) is pinned
    assert run.word(o.PAGE_EXCLUSIVE) == pinned


# --- the races -------------------------------------------------------------------------------------


class PinnedOrNot:
    """Whether a page is pinned is not looked at before it may be shared."""

    @hookimpl
    def page_try_share_anon_rmap(self) -> Steps:
        yield set_page_anon_exclusive(False)
        return True


@pytest.mark.parametrize("race", ["pin-ksm", "pin-swapout"])
def test_a_device_s_write_is_looked_for(race: str) -> None:
    """Without the look for pins, the process loses what a device wrote, or the device what the process did."""
    fixed = load_registry().any_variant("mmap-lock")
    broken = replace(fixed, patches=(*fixed.patches, PinnedOrNot))
    found = explore(build_race(catalogue.races()[race], Stack(broken)), Options())
    assert [c.VIOLATIONS[one.code] for one in found.violations] == [c.VIOLATIONS[c.V_LOST_WRITE]]


def test_shared_pages_are_not_pinned() -> None:
    """What is in them is not modelled."""
    text = race('file = "data"\nsharing = "shared"', FAST, more='[[file]]\nname = "data"\n')
    with pytest.raises(InputError, match="what is in the shared pages of vma 'map' is not modelled"):
        RaceRun(text)
