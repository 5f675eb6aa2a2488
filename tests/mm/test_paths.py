"""The core's paths, v5.12 under mmap_lock: one thread alone, primitive by primitive."""

from __future__ import annotations

from typing import Any

from spfvar.mm.vmf import Mapping
from spfvar.ops import codes as c
from spfvar.ops import objects as o
from tests.transition import driver as d


def alone(
    region: dict[str, Any], *program: dict[str, Any], variant: str = "mmap-lock"
) -> tuple[list[str], d.Run]:
    """What one thread executes of a program over the region "r", and the run afterwards."""
    region = {"name": "r", "size": "4KiB", **region}
    load = d.small_load([region], [{"name": "t", "threads": 1, "repeat": 1, "program": list(program)}])
    run = d.start(d.variant_world(variant, load))
    trace = run.trace(0)
    assert run.finish() == d.FINISHED
    assert d.leftovers(run) == []
    return trace, run


def kernel(trace: list[str]) -> list[str]:
    """A trace without counting, marks and register moves: what a reader of mm/memory.c would list."""
    noise = (
        "count(",
        " = ",
        "exception",
        "return",
        "iret",
        "iteration",
        "syscall",
        "memcg",
        "handle_mm_fault",
    )
    return [name for name in trace if not any(part in name for part in noise) and "+=" not in name]


def entries(run: d.Run) -> list[int]:
    """The present entries of all page tables."""
    g, sizes = run.layout.g, run.layout.sizes
    ptes = run.state[g[c.G_PTE] :][: sizes.tables << sizes.pt_shift]
    return [int(entry) for entry in ptes[ptes & c.PTE_PRESENT != 0]]


def test_a_first_write_to_anonymous_memory() -> None:
    """Lock, VMA, table, anon_vma, page, entry, unlock: in the order of do_anonymous_page."""
    trace, run = alone({"mapped": True, "anon_vma": False}, {"touch": "r"})
    assert kernel(trace) == [
        "store", "mmap_read_trylock(mm->mmap_lock)", "find_vma", "pmd",
        "pte_alloc_one", "spin_lock(mm->pmd_lock)", "pmd", "mm_inc_nr_ptes(mm->pgtables_bytes)",
        "pmd_populate", "spin_unlock(mm->pmd_lock)", "pmd",
        "load(vma->anon_vma)", "anon_vma_alloc", "spin_lock(mm->page_table_lock)", "load(vma->anon_vma)",
        "get_anon_vma(anon_vma->refcount)", "store anon_vma(vma->anon_vma)", "spin_unlock(mm->page_table_lock)",
        "alloc_page", "zero_page", "load(vma->vm_start)", "load(vma->vm_pgoff)", "load(vma->vm_page_prot)",
        "spin_lock(pmd_pgtable->ptl)", "pte_none", "page_add_new_anon_rmap", "lru_add", "set_pte_at(anon)",
        "spin_unlock(pmd_pgtable->ptl)", "mmap_read_unlock(mm->mmap_lock)", "store",
    ]  # fmt: skip
    assert entries(run) == [c.PTE_PRESENT | c.PTE_ANON | c.PTE_DIRTY | c.PTE_WRITE]
    assert run.faults == 1


def test_a_read_maps_the_zero_page_and_a_write_copies_it() -> None:
    """Two faults: a read-only zero page, then a page of one's own after a TLB flush."""
    trace, run = alone({"mapped": True}, {"touch": "r", "access": "read"}, {"touch": "r"})
    assert run.faults == 2
    assert trace.count("set_pte_at(zero page)") == 1
    flush, entry = trace.index("ptep_clear_flush"), trace.index("set_pte_at(anon)")
    assert trace.index("set_pte_at(zero page)") < flush < entry
    assert entries(run) == [c.PTE_PRESENT | c.PTE_ANON | c.PTE_DIRTY | c.PTE_WRITE]


def test_a_read_of_a_cached_file_is_mapped_around() -> None:
    """Four pages, window of four, all cached: one fault maps them all and never calls ->fault."""
    trace, run = alone(
        {"size": "16KiB", "backing": "file", "fault_around": "16KiB", "mapped": True},
        {"touch": "r", "access": "read"},
    )  # fmt: skip
    assert (run.faults, len(entries(run))) == (1, 4)
    assert trace.count("set_pte_at(file)") == 4
    assert "filemap_get_folio" not in trace


def test_without_fault_around_every_page_faults() -> None:
    """A window of one page: ->fault for each of the four pages."""
    trace, run = alone(
        {"size": "16KiB", "backing": "file", "fault_around": "4KiB", "mapped": True},
        {"touch": "r", "access": "read"},
    )  # fmt: skip
    assert (run.faults, trace.count("filemap_get_folio"), trace.count("next_uptodate_folio")) == (4, 4, 0)


def test_a_missing_page_is_read_without_the_lock_and_the_fault_is_done_again() -> None:
    """The lock is dropped before the I/O; the retry finds the page: two passes, one major fault."""
    trace, run = alone(
        {"backing": "file", "cached": 0.0, "mapped": True, "fault_around": "4KiB"},
        {"touch": "r", "access": "read"},
    )
    assert (run.faults, run.counts()["mmap_lock_fault"], run.counts()["pgmajfault"]) == (1, 2, 1)
    held = 0
    for name in trace:
        held += name.startswith("mmap_read_trylock")
        held -= name.startswith("mmap_read_unlock")
        assert not (name == "filemap_read_folio" and held)
    assert "filemap_read_folio" in trace


def test_a_private_write_copies_the_page_while_it_is_locked() -> None:
    """do_cow_fault: the page cache keeps its page, the entry is anonymous."""
    trace, run = alone({"backing": "file", "mapped": True}, {"touch": "r"})
    order = [name.split("(")[0] for name in trace]
    assert order.index("folio_trylock") < order.index("copy_page") < order.index("folio_unlock")
    assert entries(run) == [c.PTE_PRESENT | c.PTE_ANON | c.PTE_DIRTY | c.PTE_WRITE]
    assert "next_uptodate_folio" not in order  # write faults never use ->map_pages


def test_a_write_to_a_page_that_was_read_copies_it_and_puts_the_folio() -> None:
    """wp_page_copy of a file page: leftovers() in alone() finds a reference that stays behind."""
    trace, run = alone({"backing": "file", "mapped": True}, {"touch": "r", "access": "read"}, {"touch": "r"})
    assert "ptep_clear_flush" in trace
    assert run.state[run.layout.word(o.REFCOUNT)] == 0
    assert entries(run)[0] & c.PTE_ANON


def test_a_shared_write_dirties_the_folio_and_drops_the_lock_once() -> None:
    """Before v6.0: balance_dirty_pages without the lock, then the whole fault again."""
    trace, run = alone({"backing": "file", "sharing": "shared", "mapped": True}, {"touch": "r"})
    assert (trace.count("set_page_dirty"), run.counts()["mmap_lock_fault"], run.faults) == (1, 2, 1)
    assert entries(run)[0] & (c.PTE_WRITE | c.PTE_ANON) == c.PTE_WRITE


def test_an_access_outside_every_vma_is_a_sigsegv_and_goes_on() -> None:
    """The program skips the page: one fault, one sigsegv per page, nothing mapped."""
    _, run = alone({"size": "8KiB"}, {"touch": "r"})
    assert (run.faults, run.counts()["sigsegv"], entries(run)) == (2, 2, [])


def test_munmap_frees_page_tables_after_the_flush_and_the_vma_last() -> None:
    """Downgrade, zap, unlink, flush, free the tables, free the VMA, unlock."""
    trace, run = alone({}, {"mmap": "r"}, {"touch": "r"}, {"munmap": "r"})
    order = [name.split("(")[0] for name in trace]
    order = order[len(order) - 1 - order[::-1].index("mmap_write_lock") :]
    wanted = [
        "mmap_write_lock", "detach_vmas_to_be_unmapped", "mmap_write_downgrade", "zap_pte_range", "pmd_clear",
        "flush_tlb_mm_range", "__tlb_remove_table", "vm_area_free", "mmap_read_unlock",
    ]  # fmt: skip
    positions = [order.index(name) for name in wanted]
    assert positions == sorted(positions)
    assert (entries(run), d.live(run, o.VMA), d.live(run, o.PAGE_TABLE)) == ([], set(), set())


def test_mprotect_takes_write_permission_away_and_gives_it_back_lazily() -> None:
    """Read-only: the entry loses W.  Writable again: the next write reuses the page (one more fault)."""
    _, run = alone(
        {"mapped": True}, {"touch": "r"}, {"mprotect": "r", "prot": "r"}, {"mprotect": "r", "prot": "rw"},
    )  # fmt: skip
    assert entries(run) == [c.PTE_PRESENT | c.PTE_ANON | c.PTE_DIRTY]
    trace, run = alone(
        {"mapped": True}, {"touch": "r"}, {"mprotect": "r", "prot": "r"}, {"mprotect": "r", "prot": "rw"},
        {"touch": "r"},
    )  # fmt: skip
    assert (run.faults, trace.count("zero_page")) == (2, 1)
    assert any(name.startswith("pte_mkwrite") for name in trace)


def test_madvise_dontneed_keeps_vma_and_table() -> None:
    """Entries go under mmap_lock held for reading; the next touch faults on the same table."""
    trace, run = alone({"mapped": True}, {"touch": "r"}, {"madvise": "r"}, {"touch": "r"})
    assert run.faults == 2
    assert trace.count("pte_alloc_one") == 1
    assert not any(name.startswith("mmap_write_lock") for name in trace)


def test_brk_keeps_the_heaps_first_page() -> None:
    """Shrinking unmaps all but the first page, growing brings the rest back: 4 + 3 faults."""
    _, run = alone(
        {"size": "16KiB", "mapped": True},
        {"touch": "r"}, {"brk": "r", "change": "shrink"}, {"brk": "r", "change": "grow"}, {"touch": "r"},
    )  # fmt: skip
    assert run.faults == 7
    assert len(entries(run)) == 4


def test_a_mapping_is_anonymous_and_private_unless_it_says_otherwise() -> None:
    """The defaults of a region's VMA; fault-around is 16 pages, 64 KiB, as in the kernel."""
    mapping = Mapping()
    assert (mapping.anonymous, mapping.shared, mapping.fault_around, mapping.map_pages) == (
        True,
        False,
        16,
        True,
    )
