"""The hook points: where the designs differ, named after the kernel functions.

Each function below is both the specification that a patch implements (same name, same arguments)
and the call that a strategy makes: ``ret = yield from do_fault(vmf)``.  What runs is decided by the
variant's stack of patches when its automata are built.  A hook implementation is a generator; a
wrapper (``@hookimpl(wrapper=True)``) is handed, by its ``yield``, the generator of what it is stacked on, and
runs it with ``yield from`` or not at all.
"""

from __future__ import annotations

from typing import Any

from spfvar.mm.exit_hookspecs import exit_free_pgtables as exit_free_pgtables
from spfvar.mm.exit_hookspecs import exit_mmap as exit_mmap
from spfvar.mm.exit_hookspecs import process_mrelease as process_mrelease
from spfvar.mm.exit_hookspecs import resolve_userfault_fork as resolve_userfault_fork
from spfvar.mm.exit_hookspecs import scan_get_next_rmap_item as scan_get_next_rmap_item
from spfvar.mm.exit_hookspecs import try_to_unuse as try_to_unuse
from spfvar.mm.exit_hookspecs import unuse_mm as unuse_mm
from spfvar.mm.file_hookspecs import collapse_file as collapse_file
from spfvar.mm.file_hookspecs import collapse_huge_page as collapse_huge_page
from spfvar.mm.file_hookspecs import filemap_map_folio_range as filemap_map_folio_range
from spfvar.mm.file_hookspecs import filemap_read as filemap_read
from spfvar.mm.file_hookspecs import i_mmap_lock_write as i_mmap_lock_write
from spfvar.mm.file_hookspecs import mmap_fixed as mmap_fixed
from spfvar.mm.file_hookspecs import pmdp_collapse_flush as pmdp_collapse_flush
from spfvar.mm.file_hookspecs import pte_free_retracted as pte_free_retracted
from spfvar.mm.file_hookspecs import pte_offset_map_lock as pte_offset_map_lock
from spfvar.mm.file_hookspecs import pte_unmap as pte_unmap
from spfvar.mm.file_hookspecs import retract_page_tables as retract_page_tables
from spfvar.mm.file_hookspecs import shrink_folio_list as shrink_folio_list
from spfvar.mm.file_hookspecs import swap_out as swap_out
from spfvar.mm.file_hookspecs import tlb_remove_table_sync_one as tlb_remove_table_sync_one
from spfvar.mm.file_hookspecs import truncate_pagecache as truncate_pagecache
from spfvar.mm.file_hookspecs import truncate_pagecache_range as truncate_pagecache_range
from spfvar.mm.file_hookspecs import try_to_unmap_anon as try_to_unmap_anon
from spfvar.mm.file_hookspecs import unmap_and_move as unmap_and_move
from spfvar.mm.file_hookspecs import unmap_mapping_range_vma as unmap_mapping_range_vma
from spfvar.mm.file_hookspecs import writepages as writepages
from spfvar.mm.fork_hookspecs import child_mmap_write_lock as child_mmap_write_lock
from spfvar.mm.fork_hookspecs import child_mmap_write_unlock as child_mmap_write_unlock
from spfvar.mm.fork_hookspecs import copy_page_range as copy_page_range
from spfvar.mm.fork_hookspecs import copy_pte_lock as copy_pte_lock
from spfvar.mm.fork_hookspecs import copy_pte_unlock as copy_pte_unlock
from spfvar.mm.fork_hookspecs import dup_mmap_lock_child as dup_mmap_lock_child
from spfvar.mm.fork_hookspecs import dup_mmap_nomem as dup_mmap_nomem
from spfvar.mm.fork_hookspecs import dup_mmap_start_write as dup_mmap_start_write
from spfvar.mm.fork_hookspecs import dup_mmap_unlock_child as dup_mmap_unlock_child
from spfvar.mm.fork_hookspecs import dup_mmap_vma as dup_mmap_vma
from spfvar.mm.fork_hookspecs import dup_userfaultfd_end as dup_userfaultfd_end
from spfvar.mm.fork_hookspecs import fork as fork
from spfvar.mm.fork_hookspecs import fork_all as fork_all
from spfvar.mm.fork_hookspecs import fork_fails as fork_fails
from spfvar.mm.gup_hookspecs import access_remote_vm as access_remote_vm
from spfvar.mm.gup_hookspecs import faultin_page as faultin_page
from spfvar.mm.gup_hookspecs import follow_page_pte as follow_page_pte
from spfvar.mm.gup_hookspecs import get_user_pages as get_user_pages
from spfvar.mm.gup_hookspecs import get_user_pages_locked as get_user_pages_locked
from spfvar.mm.gup_hookspecs import gup_fast as gup_fast
from spfvar.mm.gup_hookspecs import gup_fast_retry as gup_fast_retry
from spfvar.mm.gup_hookspecs import page_try_share_anon_rmap as page_try_share_anon_rmap
from spfvar.mm.gup_hookspecs import pin_user_pages as pin_user_pages
from spfvar.mm.gup_hookspecs import pin_user_pages_fast as pin_user_pages_fast
from spfvar.mm.gup_hookspecs import write_protect_page as write_protect_page
from spfvar.mm.hooking import HOOKS as HOOKS
from spfvar.mm.hooking import PROJECT as PROJECT
from spfvar.mm.hooking import hook_point as hook_point
from spfvar.mm.hooking import hookimpl as hookimpl
from spfvar.mm.hooking import hookspec as hookspec
from spfvar.mm.move_hookspecs import copy_vma as copy_vma
from spfvar.mm.move_hookspecs import expand_stack as expand_stack
from spfvar.mm.move_hookspecs import lock_new_table as lock_new_table
from spfvar.mm.move_hookspecs import mbind as mbind
from spfvar.mm.move_hookspecs import move_normal_pmd as move_normal_pmd
from spfvar.mm.move_hookspecs import move_page_tables as move_page_tables
from spfvar.mm.move_hookspecs import move_ptes as move_ptes
from spfvar.mm.move_hookspecs import mpol_free as mpol_free
from spfvar.mm.move_hookspecs import mremap as mremap
from spfvar.mm.move_hookspecs import mremap_dontunmap as mremap_dontunmap
from spfvar.mm.move_hookspecs import unlock_new_table as unlock_new_table
from spfvar.mm.proc_hookspecs import show_map as show_map
from spfvar.mm.proc_hookspecs import show_smap as show_smap
from spfvar.mm.proc_hookspecs import smaps_pte_range as smaps_pte_range
from spfvar.mm.switch_hookspecs import context_switch as context_switch
from spfvar.mm.switch_hookspecs import switch_mm_irqs_off as switch_mm_irqs_off
from spfvar.mm.userfault_hookspecs import flush_if_pending as flush_if_pending
from spfvar.mm.userfault_hookspecs import is_pte_pages_stable as is_pte_pages_stable
from spfvar.mm.userfault_hookspecs import mfill_atomic as mfill_atomic
from spfvar.mm.userfault_hookspecs import move_pages as move_pages
from spfvar.mm.userfault_hookspecs import move_pages_pte as move_pages_pte
from spfvar.mm.userfault_hookspecs import mwriteprotect_range as mwriteprotect_range
from spfvar.mm.userfault_hookspecs import uffd_mfill_lock as uffd_mfill_lock
from spfvar.mm.userfault_hookspecs import uffd_move_lock as uffd_move_lock
from spfvar.mm.userfault_hookspecs import uffd_move_unlock as uffd_move_unlock
from spfvar.mm.userfault_hookspecs import validate_dst_vma as validate_dst_vma
from spfvar.mm.vmf import Mapping, VmFault
from spfvar.ops.op import Steps
from spfvar.ops.places import Register

# --- the reader ----------------------------------------------------------------------------------


@hook_point
def do_user_addr_fault(vmf: VmFault) -> Steps:
    """A whole fault on a user address, from exception to return (arch/x86/mm/fault.c).  Returns VMFault."""
    raise AssertionError


@hook_point
def fault_with_mmap_lock(vmf: VmFault) -> Steps:
    """The pass under mmap_lock, from label ``retry`` on (arch/x86/mm/fault.c: do_user_addr_fault).

    Returns VMFault.
    """
    raise AssertionError


@hook_point
def lock_mm_and_find_vma(vmf: VmFault) -> Steps:
    """Take mmap_lock for reading and look the VMA up (mm/memory.c of v6.5).

    Returns whether there is one; or a VMFault if the lock was not had.
    """
    raise AssertionError


@hook_point
def release_fault_lock(vmf: VmFault) -> Steps:
    """Release whichever lock keeps the fault's VMA stable (include/linux/mm.h of v6.6)."""
    raise AssertionError


@hook_point
def handle_mm_fault(vmf: VmFault) -> Steps:
    """The fault with a stable VMA, or a copy of one (mm/memory.c).  Returns VMFault."""
    raise AssertionError


@hook_point
def walk_page_tables(vmf: VmFault) -> Steps:
    """The walk down to the entry (mm/memory.c: __handle_mm_fault, handle_pte_fault).

    Returns "huge", "no table", "none", "present" or "write-protected"; or a VMFault to give up.
    """
    raise AssertionError


@hook_point
def handle_pte_fault(vmf: VmFault, pte: str) -> Steps:
    """Dispatch on what the walk found, or "swap" or "protnone" (mm/memory.c).  Returns VMFault."""
    raise AssertionError


@hook_point
def pte_map_lock(vmf: VmFault) -> Steps:
    """The commit primitive: lock the page table before an entry is set (mm/memory.c, patch 14).

    Returns whether the table is locked and still the right one; if not, nothing is held.
    """
    raise AssertionError


@hook_point
def pte_unmap_unlock(vmf: VmFault) -> Steps:
    """Unlock what pte_map_lock locked (include/linux/mm.h)."""
    raise AssertionError


@hook_point
def pte_alloc(vmf: VmFault) -> Steps:
    """Allocate and link the page table if there is none (mm/memory.c: __pte_alloc).  Returns VMFault."""
    raise AssertionError


@hook_point
def preallocate_pte(vmf: VmFault) -> Steps:
    """Before ``->fault``, which locks a folio: have the entry's page table (mm/memory.c: __do_fault)."""
    raise AssertionError


@hook_point
def free_preallocated_pte(vmf: VmFault) -> Steps:
    """Free the preallocated page table if nothing consumed it (mm/memory.c: do_fault)."""
    raise AssertionError


@hook_point
def pte_alloc_one(vmf: VmFault) -> Steps:
    """Allocate a page table, charged to the memcg: this may enter reclaim (arch/x86/mm/pgtable.c)."""
    raise AssertionError


@hook_point
def pte_free(vmf: VmFault) -> Steps:
    """do_fault frees the preallocated page table that nothing consumed (mm/memory.c)."""
    raise AssertionError


@hook_point
def handle_userfault(vmf: VmFault) -> Steps:
    """Hand a missing page to the monitor and wait, without the lock (fs/userfaultfd.c).  Returns VMFault."""
    raise AssertionError


@hook_point
def anon_vma_prepare(vmf: VmFault) -> Steps:
    """Make sure that the VMA has an anon_vma (mm/rmap.c).  Returns VMFault; RETRY: lock was dropped."""
    raise AssertionError


@hook_point
def find_mergeable_anon_vma(vmf: VmFault) -> Steps:
    """Look for the next VMA's anon_vma, to share it (mm/mmap.c).  Returns whether there is one."""
    raise AssertionError


@hook_point
def do_anonymous_page(vmf: VmFault) -> Steps:
    """First touch of an anonymous page (mm/memory.c).  Returns VMFault."""
    raise AssertionError


@hook_point
def do_swap_page(vmf: VmFault) -> Steps:
    """Bring a page back from swap (mm/memory.c).  Returns VMFault; RETRY: lock was dropped."""
    raise AssertionError


@hook_point
def migration_entry_wait(vmf: VmFault) -> Steps:
    """Fault on a page that is being migrated: wait until it is not (mm/migrate.c).  Returns VMFault."""
    raise AssertionError


@hook_point
def swapin_readahead(vmf: VmFault) -> Steps:
    """Read a page that the swap cache lacks (mm/swap_state.c).

    Returns VMFault: NONE or MAJOR, and a folio of the swap cache that is referenced; else give up, with none.
    MAJOR: we read it and hold its lock.
    """
    raise AssertionError


@hook_point
def swapin_direct(vmf: VmFault) -> Steps:
    """Read a page from a synchronous device, past the swap cache, and map it (mm/memory.c: do_swap_page).

    Returns VMFault.
    """
    raise AssertionError


@hook_point
def swapcache_prepare() -> Steps:
    """Keep the slot of a page that is read past the swap cache (mm/swapfile.c).

    Returns whether it is ours.
    """
    raise AssertionError


@hook_point
def swapcache_clear() -> Steps:
    """Let such a slot go (mm/swapfile.c)."""
    raise AssertionError


@hook_point
def folio_lock_or_retry(vmf: VmFault) -> Steps:
    """Lock a folio, waiting for it without the fault's lock if that is still allowed (mm/filemap.c).

    Returns VMFault: NONE with the folio locked, or RETRY: the lock was dropped, or the fault gives up.
    """
    raise AssertionError


@hook_point
def do_numa_page(vmf: VmFault) -> Steps:
    """A present entry was made inaccessible, to see who uses the page: restore it (mm/memory.c).

    Returns VMFault.
    """
    raise AssertionError


@hook_point
def huge_pmd_set_accessed(vmf: VmFault) -> Steps:
    """Fault on a huge page that is present (mm/huge_memory.c).  Returns VMFault."""
    raise AssertionError


@hook_point
def do_fault_around(vmf: VmFault) -> Steps:
    """Map what the page cache holds around the fault (mm/memory.c).

    Returns (VMFault, vmf): NOPAGE if the faulting entry was set, NONE to go on to ``->fault``; the
    vmf has lost PMD_NONE if a table was linked on the way.
    """
    raise AssertionError


@hook_point
def map_pages(vmf: VmFault) -> Steps:
    """``vm_ops->map_pages`` = filemap_map_pages (mm/filemap.c).  Returns as do_fault_around."""
    raise AssertionError


@hook_point
def vmf_can_call_fault(vmf: VmFault) -> Steps:
    """May ``->fault`` be called under the lock that is held (mm/memory.c of v6.7)?

    Returns VMFault; RETRY: lock was dropped.
    """
    raise AssertionError


@hook_point
def do_fault(vmf: VmFault) -> Steps:
    """``__do_fault``: call ``vm_ops->fault`` (mm/memory.c).  Returns VMFault; LOCKED: folio locked."""
    raise AssertionError


@hook_point
def filemap_fault(vmf: VmFault) -> Steps:
    """``vm_ops->fault`` of page-cache mappings (mm/filemap.c).  Returns VMFault."""
    raise AssertionError


@hook_point
def finish_fault(vmf: VmFault) -> Steps:
    """Set the entry for the page that ``->fault`` returned, or its copy (mm/memory.c).  Returns VMFault."""
    raise AssertionError


@hook_point
def do_wp_page(vmf: VmFault) -> Steps:
    """Write to a write-protected page; entered with the table locked (mm/memory.c).  Returns VMFault."""
    raise AssertionError


@hook_point
def wp_page_copy(vmf: VmFault) -> Steps:
    """Copy on write; entered without the table's lock (mm/memory.c).  Returns VMFault."""
    raise AssertionError


@hook_point
def maybe_unlock_mmap_for_io(vmf: VmFault) -> Steps:
    """Drop the fault's lock before waiting for storage (mm/internal.h).  Returns whether it was dropped."""
    raise AssertionError


@hook_point
def lock_folio_maybe_drop_mmap(vmf: VmFault) -> Steps:
    """Lock the folio that was found, waiting if need be (mm/filemap.c).

    Returns whether the fault's lock was dropped for it.
    """
    raise AssertionError


@hook_point
def fault_dirty_shared_page(vmf: VmFault) -> Steps:
    """What a shared write fault returns after it dropped its lock (mm/memory.c).  Returns VMFault."""
    raise AssertionError


@hook_point
def retry_fault(vmf: VmFault, ret: Any) -> Steps:
    """What follows VM_FAULT_RETRY once the lock was dropped (arch/x86/mm/fault.c).  Returns VMFault."""
    raise AssertionError


# --- the lock of the address space ---------------------------------------------------------------


@hook_point
def mmap_read_lock(start: Register, end: Register | None) -> Steps:
    """Begin a read section about ``start .. end``, or the page ``start`` (include/linux/mmap_lock.h)."""
    raise AssertionError


@hook_point
def mmap_read_trylock(start: Register, end: Register | None) -> Steps:
    """The same without waiting (include/linux/mmap_lock.h).  Returns whether the lock was had."""
    raise AssertionError


@hook_point
def mmap_read_unlock() -> Steps:
    """End a read section, or what a write section was downgraded to (include/linux/mmap_lock.h)."""
    raise AssertionError


@hook_point
def mmap_write_lock(start: Register | None, end: Register | None) -> Steps:
    """Begin a write section (include/linux/mmap_lock.h).

    It is about ``start .. end`` and what this may merge with; without a start, about everything.
    """
    raise AssertionError


@hook_point
def mmap_write_trylock(start: Register, end: Register | None) -> Steps:
    """The same without waiting (include/linux/mmap_lock.h).  Returns whether the lock was had."""
    raise AssertionError


@hook_point
def mmap_write_unlock() -> Steps:
    """End the write section (include/linux/mmap_lock.h)."""
    raise AssertionError


@hook_point
def mmap_write_downgrade() -> Steps:
    """Go on as a reader: the address space will not be changed any more (include/linux/mmap_lock.h)."""
    raise AssertionError


# --- the writers ---------------------------------------------------------------------------------


@hook_point
def vma_start_write(vma: Register) -> Steps:
    """Before a VMA is modified under the write lock (include/linux/mm.h; nothing before v6.4)."""
    raise AssertionError


@hook_point
def vma_mark_detached(vma: Register) -> Steps:
    """Before a VMA leaves the tree (include/linux/mm.h; nothing before v6.4)."""
    raise AssertionError


@hook_point
def vma_mark_attached(vma: Register) -> Steps:
    """A VMA is ready to be found in the tree (include/linux/mm.h; nothing before v6.13)."""
    raise AssertionError


@hook_point
def vm_area_dup(vma: Register, new: Register) -> Steps:
    """Allocate ``new`` as a copy of ``vma``, without its anon_vma (kernel/fork.c)."""
    raise AssertionError


@hook_point
def vma_merge(mapping: Mapping) -> Steps:
    """The VMA at ``range_start`` takes over its neighbour at ``range_end .. limit`` (mm/vma.c).

    Returns whether there was memory for it.
    """
    raise AssertionError


@hook_point
def vma_merge_existing_range(mapping: Mapping) -> Steps:
    """``vma`` takes over the range of ``near`` behind it, which goes (mm/vma.c; v6.1: __vma_adjust).

    Returns whether their anon_vmas let it, and there was memory.
    """
    raise AssertionError


@hook_point
def is_mergeable_anon_vma() -> Steps:
    """Have ``vma`` and ``near`` anon_vmas that let them be one (mm/vma.c: can_vma_merge_left)?"""
    raise AssertionError


@hook_point
def vma_prepare(mapping: Mapping) -> Steps:
    """Before a VMA's range changes: no walk of its file's VMAs meets it (mm/vma.c)."""
    raise AssertionError


@hook_point
def vma_complete(mapping: Mapping) -> Steps:
    """It is met again; ``near``, whose range it has, is given up (mm/vma.c)."""
    raise AssertionError


@hook_point
def dup_anon_vma(vma: Register, other: Register) -> Steps:
    """A VMA that takes over another gets that one's anon_vma (mm/vma.c).  Returns whether it could."""
    raise AssertionError


@hook_point
def vma_set_page_prot(vma: Register, mapping: Mapping) -> Steps:
    """The protection as it has to be with dirty tracking (mm/mmap.c)."""
    raise AssertionError


@hook_point
def vma_fput(vma: Register) -> Steps:
    """Give up the VMA's reference to its file (mm/mmap.c: remove_vma)."""
    raise AssertionError


@hook_point
def vm_area_free(vma: Register) -> Steps:
    """Free a VMA that nobody can find any more (kernel/fork.c)."""
    raise AssertionError


@hook_point
def free_pgtables(vma: Register, mapping: Mapping) -> Steps:
    """Unlink the VMA from its reverse maps, then free the page tables of its range (mm/memory.c)."""
    raise AssertionError


@hook_point
def tlb_remove_table(table: Register) -> Steps:
    """Have one unlinked page table freed (mm/mmu_gather.c)."""
    raise AssertionError


@hook_point
def tlb_free_table(table: Register) -> Steps:
    """Free one page table of the gather, whose range has been flushed (mm/mmu_gather.c)."""
    raise AssertionError


@hook_point
def mmap(mapping: Mapping) -> Steps:
    """mmap(2) of ``range_start .. range_end``, if nothing is mapped there (mm/mmap.c: do_mmap, mmap_region).

    Returns False if something was: MAP_FIXED_NOREPLACE, so -EEXIST.
    """
    raise AssertionError


@hook_point
def munmap(mapping: Mapping) -> Steps:
    """munmap(2) of the VMA at ``range_start .. range_end`` (mm/mmap.c: __do_munmap)."""
    raise AssertionError


@hook_point
def mprotect(mapping: Mapping, writable: bool) -> Steps:
    """mprotect(2) of the VMA at ``range_start .. range_end`` (mm/mprotect.c)."""
    raise AssertionError


@hook_point
def madvise_dontneed(mapping: Mapping) -> Steps:
    """madvise(MADV_DONTNEED) of ``range_start .. range_end`` (mm/madvise.c)."""
    raise AssertionError


@hook_point
def madvise_dontneed_single_vma(mapping: Mapping) -> Steps:
    """Clear the entries of ``range_start .. range_end``, flush, free the pages (mm/madvise.c)."""
    raise AssertionError


@hook_point
def brk(mapping: Mapping, grow: bool) -> Steps:
    """brk(2): grow or shrink the VMA that ends or contains ``range_start .. range_end`` (mm/mmap.c)."""
    raise AssertionError
