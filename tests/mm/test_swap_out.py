"""Pages on a synchronous swap device: out and in again, primitive by primitive."""

from __future__ import annotations

import pytest

from spfvar.errors import InputError
from spfvar.ops import codes as c
from spfvar.ops import objects as o
from tests.mm.race_runs import RaceRun

SWAP_ENTRY = c.PTE_SWAP | 0 << c.PTE_FOLIO_SHIFT


def race(present: str, *programs: str) -> str:
    """A page with a slot, and an actor for each program."""
    actors = "".join(
        f'[[actor]]\nname = "a{number}"\nprogram = [{program}]\n' for number, program in enumerate(programs)
    )
    return f'[[vma]]\nname = "heap"\nstart = 0\nswap = "synchronous"\npresent = "{present}"\n{actors}'


STORE, LOAD, OUT = '{ store = "heap" }', '{ load = "heap" }', '{ swapout = "heap" }'
MADVISE = '{ madvise = "heap" }'


def test_a_page_in_swap_has_an_entry_that_says_so_and_a_slot_that_counts_it() -> None:
    """The start of a race: swap_map of the slot is 1, and the entry is neither none nor present."""
    run = RaceRun(race("no", STORE))
    assert (run.entry(0), run.word(o.SWAP_COUNT)) == (SWAP_ENTRY, 1)


def test_a_direct_swap_in_passes_the_swap_cache_by() -> None:
    """do_swap_page: SWAP_HAS_CACHE, read, table lock, pte_same, swap_free, entry; then the flag."""
    run = RaceRun(race("no", STORE))
    names = run.thread()
    first, last = names.index("swap_cache_get_folio"), len(names)
    assert names[first : last - 2] == [
        "swap_cache_get_folio", "swapcache_prepare", "SWAP_HAS_CACHE(folio->cached)", "load(vma->anon_vma)",
        "alloc_page",
        "load(folio->swap_data)", "store swap_data(page->data)", "load(vma->vm_start)", "load(vma->vm_pgoff)",
        "load(vma->vm_page_prot)", "spin_lock(pmd_pgtable->ptl)", "pte_same", "swap_free(folio->swap_count)",
        "page_add_new_anon_rmap", "set_pte_at(anon)", "spin_unlock(pmd_pgtable->ptl)", "swapcache_clear",
    ]  # fmt: skip
    assert run.entry(0) & (c.PTE_PRESENT | c.PTE_WRITE) == c.PTE_PRESENT | c.PTE_WRITE
    assert (run.word(o.SWAP_COUNT), run.word(o.SWAP_HAS_CACHE)) == (0, 0)


def test_reclaim_flushes_before_it_writes_and_frees_the_page() -> None:
    """shrink_folio_list: slot, entry cleared and flushed, swap entry, page written, folio freed."""
    run = RaceRun(race("anon", OUT))
    names = run.thread()
    order = [
        "add_to_swap_cache", "ptep_get_and_clear", "ptep_clear_flush", "swap_duplicate(folio->swap_count)",
        "set_pte_at(swap entry)", "put_page", "store swap_data(folio->swap_data)", "__remove_mapping",
    ]  # fmt: skip
    assert [name for name in names if name in order] == order
    assert (run.entry(0), run.word(o.SWAP_COUNT), run.word(o.CACHED)) == (SWAP_ENTRY, 1, 0)


def test_what_the_user_wrote_comes_back_from_the_slot() -> None:
    """One write, out, another write: the page that is read back holds the first, so both are in it."""
    run = RaceRun(race("anon", f"{STORE}, {OUT}, {STORE}"))
    run.thread()
    assert run.entry(0) & c.PTE_PRESENT
    assert run.word(o.PAGE_DATA, run.entry(0) >> c.PTE_FOLIO_SHIFT) == 2


def test_a_fault_takes_the_page_back_from_reclaim() -> None:
    """A fault that finds the folio in the swap cache keeps it there and maps it once it is unlocked."""
    run = RaceRun(race("anon", LOAD, OUT))
    run.thread(1, until="store swap_data")
    assert run.thread(0)[-1] == "blocked"  # folio_wait_locked
    assert "__remove_mapping" in run.thread(1)
    names = run.thread(0)
    assert "swap_free(folio->swap_count)" in names
    assert run.entry(0) & c.PTE_PRESENT
    assert (run.word(o.SWAP_COUNT), run.word(o.CACHED)) == (0, 0)


def test_a_second_fault_waits_for_the_one_that_reads_the_slot() -> None:
    """swapcache_prepare fails, and the fault is done again later: 13ddaf26be32."""
    run = RaceRun(race("no", LOAD, LOAD))
    run.thread(0, until="pte_same")
    names = run.thread(1, until="schedule_timeout")
    assert names[-1] == "swapcache_prepare"
    run.thread(0)
    assert "set_pte_at(anon)" not in run.thread(1)


def test_a_slot_that_is_read_is_not_taken_by_reclaim() -> None:
    """get_swap_page: SWAP_HAS_CACHE says that somebody relies on it, though no entry does."""
    run = RaceRun(race("no", LOAD, f"{MADVISE}, {STORE}, {OUT}"))
    run.thread(0, until="pte_same")
    run.thread(1, until="spin_lock")  # madvise zaps under the lock of the table, which the fault holds
    run.thread(0, until="swapcache_clear")
    names = run.thread(1)
    assert "set_pte_at(swap entry)" not in names
    assert "delete_from_swap_cache" in names


def test_a_zap_frees_the_slot() -> None:
    """free_swap_and_cache: the count goes, and the page is nobody's."""
    run = RaceRun(race("no", MADVISE))
    run.thread()
    assert (run.entry(0), run.word(o.SWAP_COUNT) if run.world.layout.has(o.SWAP_COUNT) else 0) == (0, 0)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('[[vma]]\nname = "heap"\nstart = 0\n', "the pages of vma 'heap' have no slots to go to"),
        ('[[vma]]\nname = "heap"\nstart = 0\nswap = "cache"\n', "have no slots to go to"),
    ],
)
def test_only_pages_with_a_slot_are_swapped_out(text: str, message: str) -> None:
    """The verb needs a synchronous device."""
    with pytest.raises(InputError, match=message):
        RaceRun(f'{text}[[actor]]\nname = "reclaim"\nprogram = [{OUT}]\n')


def test_nobody_unmaps_a_vma_beside_reclaim() -> None:
    """The walk to the page comes by the anon_vma, whose lock is not modelled."""
    with pytest.raises(InputError, match="actor 'a1' unmaps vma 'heap'"):
        RaceRun(race("anon", OUT, '{ munmap = "heap" }'))
