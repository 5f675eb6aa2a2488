"""Swap-in: one thread alone and two after the other, primitive by primitive."""

from __future__ import annotations

import pytest

from spfvar.errors import InputError
from spfvar.mm import hookspecs as hooks
from spfvar.mm.vmf import Mapping, VmFault
from spfvar.ops import codes as c
from spfvar.ops import objects as o
from spfvar.plugins.registry import load_registry
from spfvar.plugins.variant import Stack
from tests.mm.race_runs import RaceRun


def race(swap: str, actors: str) -> str:
    """A page of anonymous memory in swap, and actors."""
    return f'[[vma]]\nname = "heap"\nstart = 0\nswap = "{swap}"\n{actors}'


LOAD = '[[actor]]\nname = "fault"\nprogram = [{ load = "heap" }]\n'
STORE = LOAD.replace("load", "store")


def test_a_page_of_the_swap_cache_is_mapped_under_its_folios_lock() -> None:
    """do_swap_page: lookup, folio lock, still in the cache?, table lock, pte_same, out of the cache, entry."""
    run = RaceRun(race("cache", STORE))
    assert run.thread() == [
        "store", "mmap_read_trylock(mm->mmap_lock)", "find_vma", "pmd", "swap_cache_get_folio",
        "folio_trylock(folio->lock)", "folio_test_swapcache(folio->cached)",
        "load(vma->anon_vma)", "alloc_page", "load(vma->vm_start)", "load(vma->vm_pgoff)",
        "load(vma->vm_page_prot)", "spin_lock(pmd_pgtable->ptl)", "pte_same", "delete_from_swap_cache",
        "page_add_new_anon_rmap", "set_pte_at(anon)", "spin_unlock(pmd_pgtable->ptl)",
        "folio_unlock(folio->lock)", "folio_put(folio->refcount)", "mmap_read_unlock(mm->mmap_lock)", "store",
    ]  # fmt: skip
    assert run.entry(0) & c.PTE_WRITE
    assert (run.word(o.CACHED), run.word(o.REFCOUNT)) == (0, 0)


def test_a_page_that_is_read_is_mapped_read_only() -> None:
    """A read fault leaves the entry clean: the first write to the page is a fault of its own."""
    run = RaceRun(race("cache", LOAD))
    run.thread()
    assert run.entry(0) & (c.PTE_PRESENT | c.PTE_ANON | c.PTE_WRITE | c.PTE_DIRTY) == (
        c.PTE_PRESENT | c.PTE_ANON
    )


def test_a_page_on_the_device_is_read_without_the_lock_and_the_fault_done_again() -> None:
    """The lock is dropped before the wait; the second pass, with TRIED, finds the page in the swap cache."""
    run = RaceRun(race("device", LOAD))
    names = run.thread()
    first = names.index("add_to_swap_cache")
    dropped = names.index("mmap_read_unlock(mm->mmap_lock)")
    read = names.index("swap_readpage")
    again = names.index("mmap_read_trylock(mm->mmap_lock)", read)
    assert first < dropped < read < again
    assert names.count("swap_cache_get_folio") == 2
    assert names.count("set_pte_at(anon)") == 1


def test_who_finds_the_page_being_read_waits_for_its_lock_without_mmap_lock() -> None:
    """__lock_page_or_retry: mmap_lock is dropped, the folio waited for, the fault done again."""
    run = RaceRun(race("device", LOAD + LOAD.replace("fault", "other")))
    run.thread(0, until="swap_readpage")
    assert run.thread(1)[-4:] == [
        "swap_cache_get_folio", "folio_trylock(folio->lock)", "mmap_read_unlock(mm->mmap_lock)", "blocked",
    ]  # fmt: skip
    assert run.walker.op_of(1).name == "folio_lock(folio->lock)"
    # The reader hands the folio's lock over, and in their second passes both wait for each other's.
    reader = run.thread(0)
    other = run.thread(1)
    reader += run.thread(0)
    other += run.thread(1)
    assert "add_to_swap_cache" not in other
    assert (reader + other).count("set_pte_at(anon)") == 1
    assert run.entry(0) & c.PTE_PRESENT


def test_a_page_that_left_the_swap_cache_meanwhile_is_not_mapped_again() -> None:
    """folio_test_swapcache under the lock: the other fault has mapped it."""
    run = RaceRun(race("cache", LOAD + LOAD.replace("fault", "other")))
    run.thread(0, until="folio_trylock")
    run.thread(1)
    names = run.thread(0)
    assert names[:2] == ["folio_trylock(folio->lock)", "folio_test_swapcache(folio->cached)"]
    assert "set_pte_at(anon)" not in names


@pytest.mark.parametrize(
    ("vma", "message"),
    [
        (
            'swap = "cache"\npresent = "anon"',
            "only pages of anonymous memory that was there before are in swap",
        ),
        ('swap = "cache"\nanon_vma = false', "a vma with anonymous pages has an anon_vma"),
    ],
)
def test_a_race_cannot_start_with_swap_that_makes_no_sense(vma: str, message: str) -> None:
    """The message says what is wrong with the VMA."""
    with pytest.raises(InputError, match=message):
        RaceRun(f'[[vma]]\nname = "heap"\nstart = 0\n{vma}\n{LOAD}')


def test_the_kernel_waits_for_mmap_lock_only_where_it_has_a_fixup() -> None:
    """get_mmap_lock_carefully: a fault from kernel mode looks into the exception tables first."""
    stack = Stack(load_registry()["mmap-lock"])

    def names(user: bool) -> list[str]:
        vmf = VmFault(True, Mapping(), user=user)
        automaton = stack.automaton("fault", lambda: hooks.do_user_addr_fault(vmf))
        return [op.name for op in automaton.ops()]

    assert "search_exception_tables" in names(False)
    assert "search_exception_tables" not in names(True)
