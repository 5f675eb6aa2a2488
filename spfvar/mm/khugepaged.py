"""khugepaged: collapse of anonymous memory, and of a file, after which page tables are retracted.

Sources: mm/khugepaged.c collapse_huge_page, collapse_file, retract_page_tables.  Huge pages are not modelled:
an anonymous range gets its table back, as after a collapse that failed; a file's pages stay the folios they
are, locked and unmapped while their page tables are freed.  A VMA whose table is retracted has to cover it.
"""

from __future__ import annotations

from spfvar.mm import hookspecs as hooks
from spfvar.mm.fault import PTL
from spfvar.mm.hookspecs import hookimpl
from spfvar.mm.reclaim import try_to_unmap
from spfvar.mm.truncate import I_MMAP, find_get_page, first_folio, over_pages
from spfvar.mm.unmap_unlock import pte_unmap_unlock
from spfvar.ops import objects as o
from spfvar.ops.op import Op, Steps, again, loop
from spfvar.ops.paging import folio_put, pmd_populate, pmd_take, pte_none, read_pmd, rmap_walk_next
from spfvar.ops.places import Register
from spfvar.ops.primitives import (
    add,
    at,
    call_rcu,
    copy_register,
    down_read,
    equals,
    find_vma,
    folio_trylock,
    folio_unlock,
    free,
    ipi_send,
    ipi_wait,
    load_ref,
    load_ref_nonnull,
    next_address,
    registers_equal,
    set_register,
    spin_lock,
    spin_unlock,
    up_read,
    up_write,
    work,
)

PMD_LOCK = at(o.mm, o.PMD_LOCK)
own_mm = Register("khugepaged_mm", o.MM)  # while it is in those of others


def in_each_vma(retract: Steps) -> Steps:
    """``retract`` in each VMA that maps ``folio``, of whichever address space."""
    yield copy_register(own_mm, o.mm)
    yield set_register(o.rmap_cursor, 0)
    yield loop("vma_interval_tree_foreach")
    if (yield rmap_walk_next(o.mapped_file)):
        yield from retract
        yield again("vma_interval_tree_foreach")
    yield copy_register(o.mm, own_mm)


def enter_mm() -> Steps:
    """``mm`` is that of the walk's VMA, which keeps it for as long as it is in the file's tree."""
    yield load_ref(at(o.rmap_vma, o.VM_MM), o.mm)


def hpage_collapse_test_exit() -> Op:
    """Has the last user of ``mm`` gone?"""
    return equals(at(o.mm, o.MM_USERS), 0, "hpage_collapse_test_exit")


def has_anon_vma() -> Steps:
    """Was the VMA of the walk written to privately?  Then its table may hold anonymous pages."""
    return (yield load_ref_nonnull(at(o.rmap_vma, o.VM_ANON_VMA), o.old_anon_vma))


def unlock_pages() -> Steps:
    """Unlock ``file_start .. file_end`` and drop the references; there is at least one page."""
    yield from over_pages()
    yield loop("putback")
    yield from find_get_page()
    yield folio_unlock()
    yield folio_put()
    yield folio_put()
    if (yield next_address(o.index, o.file_end)):
        yield again("putback")


def isolate_page() -> Steps:
    """Lock a page and unmap it; nobody else may refer to it.  Returns whether that worked."""
    if not (yield from find_get_page()):
        return False
    if not (yield folio_trylock()):
        yield folio_put()
        return False
    cached = yield equals(at(o.folio, o.CACHED), 1, "folio->mapping")
    if cached:
        yield from try_to_unmap()
        if (yield equals(at(o.folio, o.REFCOUNT), 1, "page_ref_freeze")):
            return True
    yield folio_unlock()
    yield folio_put()
    return False


class Khugepaged:
    """khugepaged as in v5.12 to v6.5, with the later fixes of v6.1.y."""

    @hookimpl
    def collapse_huge_page(self) -> Steps:
        yield from hooks.mmap_write_lock(o.range_start, o.range_end)
        if (yield find_vma(key=o.range_start)):
            yield from hooks.vma_start_write(o.vma)
            yield spin_lock(PMD_LOCK)
            there = yield from hooks.pmdp_collapse_flush(o.range_start)
            yield spin_unlock(PMD_LOCK)
            if there:
                yield from hooks.tlb_remove_table_sync_one()
                yield spin_lock(PTL)
                yield work("zap_pte", "__collapse_huge_page_isolate")
                yield spin_unlock(PTL)
                yield spin_lock(PTL)
                yield work("zap_pte", "__collapse_huge_page_copy")
                yield spin_unlock(PTL)
                yield spin_lock(PMD_LOCK)
                yield pmd_populate(o.table, o.range_start)
                yield spin_unlock(PMD_LOCK)
        yield from hooks.mmap_write_unlock()

    @hookimpl
    def pmdp_collapse_flush(self, key: Register) -> Steps:
        if not (yield pmd_take(key)):
            return False
        yield ipi_send("pmdp_collapse_flush", key, freed_tables=True)
        yield ipi_wait()
        return True

    @hookimpl
    def tlb_remove_table_sync_one(self) -> Steps:
        yield ipi_send("tlb_remove_table_sync_one")
        yield ipi_wait()

    @hookimpl
    def collapse_file(self) -> Steps:
        yield from over_pages()
        yield loop("collapse_file")
        if not (yield from isolate_page()):
            if (yield registers_equal(o.index, o.file_start)):
                return
            yield copy_register(o.file_end, o.index)
            yield from unlock_pages()
            return
        if (yield next_address(o.index, o.file_end)):
            yield again("collapse_file")
        # The new huge page is locked until here, so nobody maps it page by page.
        yield from hooks.retract_page_tables()
        yield from unlock_pages()

    @hookimpl
    def retract_page_tables(self) -> Steps:
        return retract_under_mmap_lock(check_again=True)

    @hookimpl
    def pte_free_retracted(self, table: Register) -> Steps:
        yield free(table, "pte_free", "free_table")


def retract_under_mmap_lock(
    check_again: bool, lock_table: bool = False, lock_entry: bool = True
) -> Steps:  # fmt: skip
    """Free the tables of the VMAs whose mmap_lock is to be had at once.

    Not ``check_again``: without a second look at the anon_vma once the lock is held.  ``lock_table``: with
    the table locked while it is unlinked; ``lock_entry``: with the entry locked that refers to it.
    """
    yield from first_folio()
    yield from hooks.i_mmap_lock_write(o.mapped_file)
    yield from in_each_vma(retract_one(check_again, collapse_and_free_pmd(lock_table, lock_entry)))
    yield up_write(I_MMAP, "i_mmap_unlock_write")


def retract_one(check_again: bool, unlink: Steps) -> Steps:
    """Free the table of one VMA with mmap_lock held for writing."""
    if (yield from has_anon_vma()):
        return
    yield from enter_mm()
    if not (yield read_pmd(key=o.cursor)) or not (yield from hooks.mmap_write_trylock(o.cursor, None)):
        return
    if not (check_again and (yield from has_anon_vma())) and not (yield hpage_collapse_test_exit()):
        yield from unlink
    yield from hooks.mmap_write_unlock()


def collapse_and_free_pmd(lock_table: bool, lock_entry: bool) -> Steps:
    """Unlink the table, which is empty, wait for walkers with interrupts off, free it."""
    if lock_entry:
        yield spin_lock(PMD_LOCK)
    if lock_table:
        yield spin_lock(PTL)
    yield from hooks.pmdp_collapse_flush(o.cursor)
    if lock_table:
        yield spin_unlock(PTL)
    if lock_entry:
        yield spin_unlock(PMD_LOCK)
    yield from hooks.tlb_remove_table_sync_one()
    yield add(at(o.mm, o.PGTABLES_BYTES), -1, "mm_dec_nr_ptes")
    yield from hooks.pte_free_retracted(o.table)


def rmap_walk_anon() -> Steps:
    """A reverse-map walk that has found ``rmap_vma`` by its anon_vma: the address is ``cursor``.

    That a page's index leads it there is taken as given; it looks whether an entry maps the page.
    """
    if not (yield from has_anon_vma()):
        return
    if (yield from hooks.pte_offset_map_lock(o.cursor)):
        yield pte_none(o.cursor)
        yield from pte_unmap_unlock()


class RetractUnlocked:
    """v6.1: a page table is unlinked under mmap_lock and the reverse map's locks, and no other."""

    @hookimpl
    def retract_page_tables(self) -> Steps:
        return retract_under_mmap_lock(check_again=True, lock_entry=False)


class RetractUnderRmapLock:
    """v6.6 and later: page tables are retracted without mmap_lock and freed by RCU."""

    @hookimpl
    def retract_page_tables(self) -> Steps:
        return retract_under_rmap_lock(check_pmd=False)


def retract_under_rmap_lock(check_pmd: bool) -> Steps:
    """The tables of all VMAs that map the file's first page; ``check_pmd``: they may go by themselves."""
    yield from first_folio()
    yield down_read(I_MMAP, "i_mmap_lock_read")
    yield from in_each_vma(retract_under_table_locks(check_pmd))
    yield up_read(I_MMAP, "i_mmap_unlock_read")


def retract_under_table_locks(check_pmd: bool) -> Steps:
    """Unlink the table of one VMA under the locks of its entry and of itself; RCU frees it."""
    if (yield from has_anon_vma()):
        return
    yield from enter_mm()
    if not (yield read_pmd(key=o.cursor)) or (yield hpage_collapse_test_exit()):
        return
    yield spin_lock(PMD_LOCK)
    there = yield read_pmd(key=o.cursor)
    if check_pmd and not there:
        yield spin_unlock(PMD_LOCK)
        return
    yield spin_lock(PTL)
    written = yield from has_anon_vma()
    if not written:
        yield from hooks.pmdp_collapse_flush(o.cursor)
    yield spin_unlock(PTL)
    yield spin_unlock(PMD_LOCK)
    if not written:
        yield add(at(o.mm, o.PGTABLES_BYTES), -1, "mm_dec_nr_ptes")
        yield call_rcu(o.table, "pte_free_defer")
