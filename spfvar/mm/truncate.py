"""Writers that come from the file: truncation and hole punch.  They take no lock of any address space.

Sources: mm/truncate.c truncate_pagecache, truncate_inode_pages_range; mm/memory.c unmap_mapping_range,
zap_page_range_single.  The locks of the inode and of the file system (i_rwsem, invalidate_lock) are left out:
one thread at a time works on a file, and page faults that read a page are not kept from it.
"""

from __future__ import annotations

from spfvar.mm import hookspecs as hooks
from spfvar.mm.hookspecs import hookimpl
from spfvar.mm.unmap_unlock import pte_unmap_unlock
from spfvar.ops import objects as o
from spfvar.ops.op import Steps, again, loop
from spfvar.ops.paging import (
    filemap_get_folio,
    filemap_remove_folio,
    folio_put,
    free_gathered_pages,
    next_table,
    rmap_walk_next,
    zap_ptes,
)
from spfvar.ops.primitives import (
    add_registers,
    at,
    copy_register,
    down_read,
    equals,
    folio_lock,
    folio_unlock,
    ipi_send,
    ipi_wait,
    load,
    next_address,
    set_register,
    store_register,
    test_register,
    up_read,
    work,
)

I_MMAP = at(o.mapped_file, o.I_MMAP_RWSEM)


def over_pages() -> Steps:
    """Start a loop over the pages ``file_start .. file_end`` of the page cache, ``index`` is the page."""
    yield copy_register(o.vm_file, o.mapped_file)
    yield set_register(o.vm_start, 0)
    yield copy_register(o.index, o.file_start)


def find_get_page() -> Steps:
    """Look ``index`` up in the page cache.  Returns whether there is a folio, then referenced."""
    return (yield filemap_get_folio(o.index))


def first_folio() -> Steps:
    """The folio of ``file_start`` into ``folio``, without a reference: a place in the interval tree."""
    yield load(at(o.mapped_file, o.FILE_FOLIO0), o.folio).untimed()
    yield add_registers(o.folio, o.folio, o.file_start)


def zap_page_range_single(even_cows: bool) -> Steps:
    """Zap ``cursor .. limit`` of one VMA that the interval tree keeps: no mmap_lock, no VMA lock."""
    yield set_register(o.gathered_pages, 0)
    yield copy_register(o.zap_start, o.cursor)
    yield set_register(o.counter, 0)
    yield loop("zap_pmd_range")
    if (yield from hooks.pte_offset_map_lock(o.cursor)):
        if (yield zap_ptes(even_cows, report=True)):
            yield set_register(o.counter, 1)
        yield from pte_unmap_unlock()
    if (yield next_table()):
        yield again("zap_pmd_range")
    # tlb_finish_mmu() does nothing where nothing was cleared: an entry that moved on is not flushed here.
    if (yield test_register(o.counter, 1, "cleared anything")):
        yield ipi_send("flush_tlb_range", o.zap_start, o.limit)
        yield ipi_wait()
        yield free_gathered_pages()


def unmap_mapping(even_cows: bool, to_the_end: bool) -> Steps:
    """Unmap ``folio`` (and what follows it, ``to_the_end``) from every VMA that maps it."""
    yield down_read(I_MMAP, "i_mmap_lock_read")
    yield set_register(o.rmap_cursor, 0)
    yield loop("vma_interval_tree_foreach")
    if (yield rmap_walk_next(o.mapped_file, onwards=to_the_end)):
        if to_the_end:
            yield load(at(o.rmap_vma, o.VM_END), o.limit)
        else:
            yield copy_register(o.limit, o.cursor, 1)
        yield from hooks.unmap_mapping_range_vma(even_cows)
        yield again("vma_interval_tree_foreach")
    yield up_read(I_MMAP, "i_mmap_unlock_read")


def truncate_inode_pages() -> Steps:
    """Take the pages out of the page cache, each under its lock, unmapped once more."""
    yield from over_pages()
    yield loop("find_lock_entries")
    if (yield from find_get_page()):
        yield folio_lock()
        if (yield equals(at(o.folio, o.CACHED), 1, "folio->mapping")):
            # Who maps it has a reference, as we do.  Others may have one: then nothing is found.
            if not (yield equals(at(o.folio, o.REFCOUNT), 1, "!folio_mapped")):
                yield from unmap_mapping(even_cows=False, to_the_end=False)
            yield filemap_remove_folio()
        yield folio_unlock()
        yield folio_put()
    if (yield next_address(o.index, o.file_end)):
        yield again("find_lock_entries")


def truncate_inode_partial_folio() -> Steps:
    """The folio in which the file now ends: its tail is cleared, but it cannot be split."""
    yield from over_pages()
    if (yield from find_get_page()):
        yield folio_lock()
        yield work("zero_page", "folio_zero_range")
        yield folio_unlock()
        yield folio_put()


class Truncation:
    """Truncation and hole punch, the same in every design."""

    @hookimpl
    def unmap_mapping_range_vma(self, even_cows: bool) -> Steps:
        yield from zap_page_range_single(even_cows)

    @hookimpl
    def truncate_pagecache(self, partial: bool) -> Steps:
        yield work("syscall", "ftruncate")
        yield store_register(at(o.mapped_file, o.I_SIZE), o.file_start)
        yield from first_folio()
        yield from unmap_mapping(even_cows=True, to_the_end=True)
        yield from truncate_inode_partial_folio() if partial else truncate_inode_pages()
        # Private copies that were made since.
        yield from first_folio()
        yield from unmap_mapping(even_cows=True, to_the_end=True)

    @hookimpl
    def truncate_pagecache_range(self) -> Steps:
        yield work("syscall", "fallocate")
        yield from first_folio()
        yield from unmap_mapping(even_cows=False, to_the_end=False)
        yield from truncate_inode_pages()
