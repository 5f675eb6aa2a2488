"""The hook points of who comes from the file, or from reclaim; see spfvar.mm.hookspecs."""

from __future__ import annotations

from spfvar.mm.hooking import hook_point
from spfvar.mm.vmf import Mapping
from spfvar.ops.op import Steps
from spfvar.ops.places import Register


@hook_point
def i_mmap_lock_write(file: Register) -> Steps:
    """Keep everybody else out of a file's interval tree (include/linux/fs.h)."""
    raise AssertionError


@hook_point
def mmap_fixed(mapping: Mapping, old: Mapping) -> Steps:
    """mmap(2) with MAP_FIXED over the VMA at ``range_start .. range_end`` (mm/mmap.c: mmap_region)."""
    raise AssertionError


@hook_point
def pte_offset_map_lock(key: Register) -> Steps:
    """Find the page table of the address in ``key`` and lock it (mm/pgtable-generic.c).

    Returns whether there is one; then ``pte_unmap`` follows, once it is unlocked.
    """
    raise AssertionError


@hook_point
def pte_unmap() -> Steps:
    """Let go what has kept the page table that is no longer looked at (include/linux/pgtable.h of v6.5)."""
    raise AssertionError


@hook_point
def unmap_mapping_range_vma(even_cows: bool) -> Steps:
    """Unmap ``cursor .. limit`` of ``rmap_vma``, which a file's interval tree keeps (mm/memory.c).

    ``even_cows``: private copies, too.  Neither mmap_lock nor a VMA's lock is held.
    """
    raise AssertionError


@hook_point
def truncate_pagecache(partial: bool) -> Steps:
    """ftruncate(2) of ``mapped_file`` to ``file_start`` pages of ``file_end`` (mm/truncate.c).

    ``partial``: that is within the last folio.
    """
    raise AssertionError


@hook_point
def filemap_read() -> Steps:
    """read(2) of the page ``file_start`` of ``mapped_file``, without the folio's lock (mm/filemap.c)."""
    raise AssertionError


@hook_point
def filemap_map_folio_range() -> Steps:
    """Returns whether fault-around maps ``cursor``, a further page of the locked folio (mm/filemap.c)."""
    raise AssertionError


@hook_point
def truncate_pagecache_range() -> Steps:
    """fallocate(FALLOC_FL_PUNCH_HOLE) of the page ``file_start`` (mm/truncate.c)."""
    raise AssertionError


@hook_point
def shrink_folio_list() -> Steps:
    """Reclaim the clean page ``file_start`` of ``mapped_file`` (mm/vmscan.c)."""
    raise AssertionError


@hook_point
def unmap_and_move() -> Steps:
    """Migrate the page ``file_start`` of ``mapped_file`` (mm/migrate.c)."""
    raise AssertionError


@hook_point
def swap_out(mapping: Mapping) -> Steps:
    """Reclaim the anonymous page that is mapped at ``cursor``, into its slot (mm/vmscan.c: add_to_swap)."""
    raise AssertionError


@hook_point
def try_to_unmap_anon(mapping: Mapping) -> Steps:
    """Swap out what is mapped at ``cursor``, if it is an anonymous page (mm/rmap.c: try_to_unmap_one).

    Returns whether it was.
    """
    raise AssertionError


@hook_point
def writepages() -> Steps:
    """Write the pages ``file_start .. file_end`` of ``mapped_file`` in one batch (fs/ext4/inode.c)."""
    raise AssertionError


@hook_point
def collapse_huge_page() -> Steps:
    """khugepaged: collapse the page table of ``range_start .. range_end`` (mm/khugepaged.c)."""
    raise AssertionError


@hook_point
def collapse_file() -> Steps:
    """khugepaged: collapse the pages ``file_start .. file_end``, then free their tables (mm/khugepaged.c)."""
    raise AssertionError


@hook_point
def pmdp_collapse_flush(key: Register) -> Steps:
    """Unlink the table of the address in ``key``, flush what it mapped (mm/pgtable-generic.c).

    Returns whether there was one.
    """
    raise AssertionError


@hook_point
def tlb_remove_table_sync_one() -> Steps:
    """Wait until no CPU walks page tables with interrupts off (mm/mmu_gather.c)."""
    raise AssertionError


@hook_point
def retract_page_tables() -> Steps:
    """Free the tables that map ``mapped_file`` from ``file_start`` on (mm/khugepaged.c).

    The folios are locked and unmapped.
    """
    raise AssertionError


@hook_point
def pte_free_retracted(table: Register) -> Steps:
    """Free a table that retract_page_tables has unlinked (mm/khugepaged.c: collapse_and_free_pmd)."""
    raise AssertionError
