"""The writers of v5.12: mmap, munmap with the downgrade, mprotect, madvise(DONTNEED), brk.

Sources: mm/mmap.c mmap_region, __do_munmap, do_brk_flags; mm/mprotect.c; mm/madvise.c; mm/memory.c
unmap_vmas, free_pgtables; mm/mmu_gather.c.  A range is one VMA, or the tail of one for brk.
"""

from __future__ import annotations

from spfvar.mm import hookspecs as hooks
from spfvar.mm.fault import MMAP_LOCK, PTL
from spfvar.mm.hookspecs import hookimpl
from spfvar.mm.unmap_unlock import pte_unmap_unlock
from spfvar.mm.vmf import Mapping
from spfvar.ops import objects as o
from spfvar.ops.op import Steps, again, loop
from spfvar.ops.paging import change_ptes, free_gathered_pages, next_table, pmd_clear, read_pmd, zap_ptes
from spfvar.ops.places import Register
from spfvar.ops.primitives import (
    add,
    allocate,
    at,
    copy_register,
    dec_and_test,
    down_read,
    down_read_trylock,
    down_write,
    down_write_trylock,
    downgrade_write,
    find_vma,
    find_vma_intersection,
    free,
    ipi_send,
    ipi_wait,
    is_null,
    linked,
    load,
    load_ref,
    load_ref_nonnull,
    next_address,
    set_null,
    set_register,
    spin_lock,
    store,
    store_ref,
    store_register,
    tree_erase,
    tree_store,
    up_read,
    up_write,
    work,
)


def over_range() -> Steps:
    """Start a loop over the page tables of the call's range."""
    yield copy_register(o.cursor, o.range_start)
    yield copy_register(o.limit, o.range_end)


def flush_tlb(freed_tables: bool = False) -> Steps:
    """Flush the range on every CPU that runs the mm, and wait; ``freed_tables``: some may be freed then."""
    yield ipi_send("flush_tlb_mm_range", o.range_start, o.range_end, freed_tables=freed_tables)
    yield ipi_wait()


def tlb_finish_mmu() -> Steps:
    """Flush, then free the pages and page tables that were gathered (mm/mmu_gather.c)."""
    yield from flush_tlb(freed_tables=True)
    yield free_gathered_pages()
    yield loop("tlb_flush_mmu_free")
    if not (yield is_null(o.gathered)):
        yield copy_register(o.table, o.gathered)
        yield load_ref(at(o.table, o.GATHER_NEXT), o.gathered)
        yield from hooks.tlb_free_table(o.table)
        yield again("tlb_flush_mmu_free")


def zap_range() -> Steps:
    """unmap_vmas: clear the entries, table by table under the table's lock."""
    yield set_register(o.gathered_pages, 0)
    yield from over_range()
    yield loop("zap_pmd_range")
    if (yield from hooks.pte_offset_map_lock(o.cursor)):
        yield zap_ptes()
        yield from pte_unmap_unlock()
    if (yield next_table()):
        yield again("zap_pmd_range")


def link_in_file(vma: Register, mapping: Mapping, in_tree: bool) -> Steps:
    """Link or unlink a file VMA in its file's interval tree."""
    if mapping.anonymous:
        return
    yield from hooks.i_mmap_lock_write(o.vm_file)
    name = "vma_interval_tree_insert" if in_tree else "vma_interval_tree_remove"
    yield linked(at(vma, o.VM_LINKED), int(in_tree), name)
    yield up_write(at(o.vm_file, o.I_MMAP_RWSEM), "i_mmap_unlock_write")


def unlink_anon_vmas(vma: Register) -> Steps:
    """Leave the anon_vma; the last VMA frees it (mm/rmap.c)."""
    yield work("unlink_anon_vmas")
    if (yield load_ref_nonnull(at(vma, o.VM_ANON_VMA), o.anon_vma).untimed()):
        if (yield dec_and_test(at(o.anon_vma, o.ANON_VMA_REFS), "put_anon_vma").untimed()):
            yield free(o.anon_vma, "anon_vma_free", "free")
        yield set_null(o.anon_vma)
        yield store_ref(at(vma, o.VM_ANON_VMA), o.anon_vma).untimed()


def unmap_region(vma: Register, mapping: Mapping) -> Steps:
    """Zap, free the page tables, flush (unmap_region, mm/mmap.c)."""
    yield work("lru_add_drain")
    yield from zap_range()
    yield set_null(o.gathered)
    yield from hooks.free_pgtables(vma, mapping)
    yield from tlb_finish_mmu()


def put_policy() -> Steps:
    """mpol_put of ``old_policy``, if there is one: the last reference frees it at once."""
    if (yield is_null(o.old_policy)):
        return
    if (yield dec_and_test(at(o.old_policy, o.POLICY_REFS), "mpol_put")):
        yield from hooks.mpol_free(o.old_policy)


def load_vm_file(mapping: Mapping) -> Steps:
    """The file of the VMA that is being unmapped, for its interval tree."""
    if not mapping.anonymous:
        yield load_ref(at(o.vma, o.VM_FILE), o.vm_file)


def insert_vma(mapping: Mapping) -> Steps:
    """A new VMA for ``range_start .. range_end``, found by the tree, then by its file (mmap_region)."""
    yield from vm_area_alloc(o.new_vma)
    yield store(at(o.new_vma, o.VM_WRITE), 1).untimed()
    if not mapping.anonymous:
        yield copy_register(o.vm_file, o.mapped_file)
        yield store_ref(at(o.new_vma, o.VM_FILE), o.vm_file)
        yield add(at(o.vm_file, o.F_COUNT), 1, "get_file")
    yield from hooks.vma_start_write(o.new_vma)
    yield from hooks.vma_mark_attached(o.new_vma)
    yield tree_store(o.new_vma, "vma_link")
    yield from link_in_file(o.new_vma, mapping, True)
    yield from hooks.vma_set_page_prot(o.new_vma, mapping)


def remove_vma(vma: Register, mapping: Mapping, unreachable: bool = False) -> Steps:
    """Give up what the VMA holds, then the VMA (remove_vma, mm/mmap.c); ``unreachable``: at once."""
    if not mapping.anonymous:
        yield from hooks.vma_fput(vma)
    if mapping.policy:
        yield load_ref(at(vma, o.VM_POLICY), o.old_policy)
        yield from put_policy()
    if unreachable:
        yield free(vma, "__vm_area_free")
    else:
        yield from hooks.vm_area_free(vma)


def vm_area_alloc(vma: Register) -> Steps:
    """A new VMA of ``range_start .. range_end`` (vm_area_alloc, vma_set_range)."""
    yield allocate(vma, "vm_area_alloc", "vm_area_alloc")
    yield store_ref(at(vma, o.VM_MM), o.mm).untimed()
    yield store_register(at(vma, o.VM_START), o.range_start)
    yield store_register(at(vma, o.VM_END), o.range_end)


def end_with_vma() -> Steps:
    """The range ends where the VMA does (madvise_walk_vmas, walk_page_vma): brk may have cut that off."""
    yield load(at(o.vma, o.VM_END), o.vm_end).untimed()
    yield copy_register(o.scratch, o.vm_end)
    if (yield next_address(o.scratch, o.range_end, 0)):
        yield copy_register(o.range_end, o.vm_end)


class MmapLockWriters:
    """mmap_lock and the writers' hook points as v5.12 has them."""

    @hookimpl
    def mmap_read_lock(self, start: Register, end: Register | None) -> Steps:
        yield down_read(MMAP_LOCK, "mmap_read_lock")

    @hookimpl
    def mmap_read_trylock(self, start: Register, end: Register | None) -> Steps:
        return (yield down_read_trylock(MMAP_LOCK, "mmap_read_trylock"))

    @hookimpl
    def mmap_read_unlock(self) -> Steps:
        yield up_read(MMAP_LOCK, "mmap_read_unlock")

    @hookimpl
    def mmap_write_lock(self, start: Register | None, end: Register | None) -> Steps:
        yield down_write(MMAP_LOCK, "mmap_write_lock")

    @hookimpl
    def mmap_write_trylock(self, start: Register, end: Register | None) -> Steps:
        return (yield down_write_trylock(MMAP_LOCK, "mmap_write_trylock"))

    @hookimpl
    def mmap_write_unlock(self) -> Steps:
        yield up_write(MMAP_LOCK, "mmap_write_unlock")

    @hookimpl
    def mmap_write_downgrade(self) -> Steps:
        yield downgrade_write(MMAP_LOCK, "mmap_write_downgrade")

    @hookimpl
    def i_mmap_lock_write(self, file: Register) -> Steps:
        yield down_write(at(file, o.I_MMAP_RWSEM), "i_mmap_lock_write")

    @hookimpl
    def vma_start_write(self, vma: Register) -> Steps:
        return
        yield

    @hookimpl
    def vma_mark_detached(self, vma: Register) -> Steps:
        return
        yield

    @hookimpl
    def vma_mark_attached(self, vma: Register) -> Steps:
        return
        yield

    @hookimpl
    def vm_area_dup(self, vma: Register, new: Register) -> Steps:
        yield allocate(new, "vm_area_dup", "vm_area_alloc")
        yield store_ref(at(new, o.VM_MM), o.mm).untimed()
        for field in (o.VM_START, o.VM_END, o.VM_WRITE, o.VM_PGOFF):
            yield load(at(vma, field), o.scratch).untimed()
            yield store_register(at(new, field), o.scratch).untimed()

    @hookimpl
    def vma_set_page_prot(self, vma: Register, mapping: Mapping) -> Steps:
        yield store(at(vma, o.VM_WRITE), int(not mapping.write_notify))

    @hookimpl
    def vma_fput(self, vma: Register) -> Steps:
        yield load_ref(at(vma, o.VM_FILE), o.vm_file)
        if (yield dec_and_test(at(o.vm_file, o.F_COUNT), "fput")):
            yield free(o.vm_file, "__fput")

    @hookimpl
    def vm_area_free(self, vma: Register) -> Steps:
        yield free(vma, "vm_area_free")

    @hookimpl
    def free_pgtables(self, vma: Register, mapping: Mapping) -> Steps:
        yield from unlink_anon_vmas(vma)
        yield from link_in_file(vma, mapping, False)
        yield from over_range()
        yield loop("free_pgd_range")
        if (yield pmd_clear()):
            yield from hooks.tlb_remove_table(o.table)
        if (yield next_table()):
            yield again("free_pgd_range")

    @hookimpl
    def pte_offset_map_lock(self, key: Register) -> Steps:
        if not (yield read_pmd(key=key)):
            return False
        yield spin_lock(PTL)
        return True

    @hookimpl
    def pte_unmap(self) -> Steps:
        return
        yield

    @hookimpl
    def tlb_remove_table(self, table: Register) -> Steps:
        # Bare x86: tables ride in the gather's batch and are freed right after the flush's IPIs; only
        # paravirtual guests (KVM with PV TLB flush, Hyper-V, Xen) free them by RCU.
        yield store_ref(at(table, o.GATHER_NEXT), o.gathered)
        yield copy_register(o.gathered, table)

    @hookimpl
    def tlb_free_table(self, table: Register) -> Steps:
        yield free(table, "__tlb_remove_table", "free_table")

    @hookimpl
    def mmap(self, mapping: Mapping) -> Steps:
        yield work("syscall", "mmap")
        yield from hooks.mmap_write_lock(o.range_start, o.range_end)
        yield work("get_unmapped_area")
        if mapping.contested and (yield find_vma_intersection()):
            yield from hooks.mmap_write_unlock()
            return False
        yield from insert_vma(mapping)
        yield from hooks.mmap_write_unlock()
        return True

    @hookimpl
    def munmap(self, mapping: Mapping) -> Steps:
        yield work("syscall", "munmap")
        yield from hooks.mmap_write_lock(o.range_start, o.range_end)
        if not (yield find_vma(key=o.range_start)):
            yield from hooks.mmap_write_unlock()
            return
        yield from load_vm_file(mapping)
        yield from hooks.vma_start_write(o.vma)
        yield from hooks.vma_mark_detached(o.vma)
        yield tree_erase("detach_vmas_to_be_unmapped")
        yield from hooks.mmap_write_downgrade()
        yield from unmap_region(o.vma, mapping)
        yield from remove_vma(o.vma, mapping)
        yield from hooks.mmap_read_unlock()

    @hookimpl
    def mprotect(self, mapping: Mapping, writable: bool) -> Steps:
        yield work("syscall", "mprotect")
        yield from hooks.mmap_write_lock(o.range_start, o.range_end)
        if not (yield find_vma(key=o.range_start)):
            yield from hooks.mmap_write_unlock()
            return
        yield from hooks.vma_start_write(o.vma)
        yield store(at(o.vma, o.VM_WRITE), int(writable))
        yield set_register(o.vm_page_prot, int(writable))
        yield from over_range()
        yield loop("change_pmd_range")
        if (yield from hooks.pte_offset_map_lock(o.cursor)):
            yield change_ptes()
            yield from pte_unmap_unlock()
        if (yield next_table()):
            yield again("change_pmd_range")
        yield from flush_tlb()
        yield from hooks.mmap_write_unlock()

    @hookimpl
    def madvise_dontneed(self, mapping: Mapping) -> Steps:
        yield work("syscall", "madvise")
        yield from hooks.mmap_read_lock(o.range_start, o.range_end)
        if (yield find_vma(key=o.range_start)):
            yield from end_with_vma()
            yield from hooks.madvise_dontneed_single_vma(mapping)
        yield from hooks.mmap_read_unlock()

    @hookimpl
    def madvise_dontneed_single_vma(self, mapping: Mapping) -> Steps:
        yield from zap_range()
        yield from flush_tlb()
        yield free_gathered_pages()

    @hookimpl
    def brk(self, mapping: Mapping, grow: bool) -> Steps:
        yield work("syscall", "brk")
        yield from hooks.mmap_write_lock(o.range_start, o.range_end)
        yield from (grow_heap() if grow else shrink_heap(mapping))


def grow_heap() -> Steps:
    """do_brk_flags: extend the heap's VMA over ``range_start .. range_end``."""
    yield copy_register(o.scratch, o.range_start, -1)
    if (yield find_vma(key=o.scratch)):
        yield from hooks.vma_start_write(o.vma)
        yield store_register(at(o.vma, o.VM_END), o.range_end)
        yield tree_store(o.vma)
    yield from hooks.mmap_write_unlock()


def shrink_heap(mapping: Mapping) -> Steps:
    """Split the tail off the heap's VMA and unmap it, as munmap does."""
    if not (yield find_vma(key=o.range_start)):
        yield from hooks.mmap_write_unlock()
        return
    yield from hooks.vm_area_dup(o.vma, o.new_vma)
    yield store_register(at(o.new_vma, o.VM_START), o.range_start)
    yield from hooks.vma_start_write(o.vma)
    yield from hooks.vma_start_write(o.new_vma)
    yield store_register(at(o.vma, o.VM_END), o.range_start)
    yield from hooks.vma_mark_attached(o.new_vma)
    yield tree_store(o.new_vma, "__split_vma")
    yield from hooks.vma_start_write(o.new_vma)
    yield from hooks.vma_mark_detached(o.new_vma)
    yield tree_erase("detach_vmas_to_be_unmapped")
    yield from hooks.mmap_write_downgrade()
    yield from unmap_region(o.new_vma, mapping)
    yield from remove_vma(o.new_vma, mapping)
    yield from hooks.mmap_read_unlock()
