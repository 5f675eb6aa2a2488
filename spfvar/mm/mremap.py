"""mremap(2) to another address: entry by entry under page-table locks, or whole tables at a time.

Sources: mm/mremap.c move_vma, move_page_tables, move_ptes, move_normal_pmd; mm/mmap.c copy_vma (v5.12).
Taking the reverse-map locks around a table's move is v5.14 (97113eb39fa7), the second look at the entry
v6.12 (6fa1066fc5d0).  Source and destination lie alike in their page tables, so one table's entries
go to one table.  The lock of the anon_vma is left out: no actor walks anonymous reverse maps.
"""

from __future__ import annotations

from spfvar.mm import hookspecs as hooks
from spfvar.mm.hookspecs import hookimpl
from spfvar.mm.unmap_unlock import pte_unmap_unlock
from spfvar.mm.vmf import Mapping
from spfvar.mm.writers import link_in_file, over_range, remove_vma, unmap_region
from spfvar.ops import objects as o
from spfvar.ops.op import Steps, again, loop, passage
from spfvar.ops.orders import smp_wmb
from spfvar.ops.paging import next_table, pmd_populate, pmd_take, pte_restore, pte_take, read_pmd
from spfvar.ops.places import Register
from spfvar.ops.primitives import (
    add,
    add_registers,
    allocate,
    at,
    copy_register,
    find_vma,
    free,
    ipi_send,
    ipi_wait,
    load,
    load_ref,
    load_ref_nonnull,
    next_address,
    spin_lock,
    spin_unlock,
    store_ref,
    store_register,
    tree_erase,
    tree_store,
    up_write,
    work,
)

NEW_PTL = at(o.new_table, o.PTL)
PMD_LOCK = at(o.mm, o.PMD_LOCK)


@passage
def find_extent() -> Steps:
    """``cursor .. extent_end`` is what one page table maps of the range; ``new_cursor`` where it goes to."""
    yield add_registers(o.new_cursor, o.cursor, o.delta)
    yield copy_register(o.extent_end, o.cursor)
    if not (yield next_table(o.extent_end)):
        yield copy_register(o.extent_end, o.limit)


@passage
def pte_alloc_at(mm: Register, key: Register) -> Steps:
    """``new_table`` is the table of ``key``, allocated and linked if there was none."""
    if (yield read_pmd(o.new_table, key)):
        return
    yield allocate(o.prealloc_pte, "pte_alloc_one", "alloc_table")
    lock = at(mm, o.PMD_LOCK)
    yield spin_lock(lock)
    if (yield read_pmd(o.new_table, key)):
        yield spin_unlock(lock)
        yield free(o.prealloc_pte, "pte_free", "free_table")
        return
    yield add(at(mm, o.PGTABLES_BYTES), 1, "mm_inc_nr_ptes")
    yield smp_wmb()
    yield pmd_populate(key=key)
    yield spin_unlock(lock)
    yield read_pmd(o.new_table, key)


def copy_vma_fields(mapping: Mapping, mm: Register = o.mm) -> Steps:
    """``new_vma`` becomes like ``vma``, at ``new_start`` of ``mm``, and holds what that holds.

    Returns whether that is an anon_vma.
    """
    yield allocate(o.new_vma, "vm_area_dup", "vm_area_alloc")
    yield store_ref(at(o.new_vma, o.VM_MM), mm).untimed()
    yield store_register(at(o.new_vma, o.VM_START), o.new_start)
    yield store_register(at(o.new_vma, o.VM_END), o.new_end)
    yield load(at(o.vma, o.VM_WRITE), o.vm_page_prot)
    yield store_register(at(o.new_vma, o.VM_WRITE), o.vm_page_prot)
    yield load(at(o.vma, o.VM_PGOFF), o.vm_pgoff).untimed()
    yield store_register(at(o.new_vma, o.VM_PGOFF), o.vm_pgoff).untimed()
    cloned = yield from anon_vma_clone()
    if not mapping.anonymous:
        yield load_ref(at(o.vma, o.VM_FILE), o.vm_file)
        yield store_ref(at(o.new_vma, o.VM_FILE), o.vm_file)
        yield add(at(o.vm_file, o.F_COUNT), 1, "get_file")
    return cloned


def anon_vma_clone() -> Steps:
    """``new_vma`` shares the anon_vma of ``vma`` (mm/rmap.c).  Returns whether that has one."""
    if not (yield load_ref_nonnull(at(o.vma, o.VM_ANON_VMA), o.anon_vma)):
        return False
    yield add(at(o.anon_vma, o.ANON_VMA_REFS), 1, "get_anon_vma")
    yield store_ref(at(o.new_vma, o.VM_ANON_VMA), o.anon_vma)
    return True


def take_rmap_locks(mapping: Mapping, take: bool) -> Steps:
    """Keep reverse-map walks out while a page may be at neither address, or let them in again."""
    if not mapping.anonymous:
        yield load_ref(at(o.vma, o.VM_FILE), o.vm_file)
        if take:
            yield from hooks.i_mmap_lock_write(o.vm_file)
        else:
            yield up_write(at(o.vm_file, o.I_MMAP_RWSEM), "i_mmap_unlock_write")


def flush_extent() -> Steps:
    """Flush the old addresses of one table's entries on every CPU that runs the mm."""
    yield ipi_send("flush_tlb_range", o.cursor, o.extent_end)
    yield ipi_wait()


def lock_both_tables() -> Steps:
    """Lock the old table and, inside, the new one.  Returns whether both are still there."""
    if not (yield from hooks.pte_offset_map_lock(o.cursor)):
        return False
    if not (yield from hooks.lock_new_table()):
        yield from pte_unmap_unlock()
        return False
    return True


def move_table() -> Steps:
    """The rest of move_normal_pmd: from one entry to the other, under the lock of both."""
    if (yield read_pmd(o.new_table, o.new_cursor)):  # mmap_lock keeps everybody from filling it later
        return False
    yield spin_lock(PMD_LOCK)
    moved = yield pmd_take(o.cursor)  # if no collapse has since we looked
    if moved:
        yield pmd_populate(o.table, o.new_cursor, o.cursor)
        yield from flush_extent()
    yield spin_unlock(PMD_LOCK)
    return moved


def take_and_set_ptes() -> Steps:
    """The loop of move_ptes: every present entry leaves ``table`` and appears in ``new_table``."""
    yield copy_register(o.address, o.cursor)
    yield loop("move_ptes")
    if (yield pte_take()):
        yield add_registers(o.new_address, o.address, o.delta)
        yield pte_restore(o.new_address, o.address, o.new_table)
    if (yield next_address(o.address, o.extent_end)):
        yield again("move_ptes")


class Mremap:
    """mremap's hook points."""

    @hookimpl
    def mremap(self, mapping: Mapping, whole_tables: bool) -> Steps:
        yield work("syscall", "mremap")
        yield from hooks.mmap_write_lock(None, None)
        if not (yield find_vma(key=o.range_start)):
            yield from hooks.mmap_write_unlock()
            return
        yield from hooks.vma_start_write(o.vma)
        yield from hooks.copy_vma(mapping)
        yield from hooks.move_page_tables(mapping, whole_tables)
        # do_munmap of the source: no downgrade.
        if not mapping.anonymous:
            yield load_ref(at(o.vma, o.VM_FILE), o.vm_file)
        yield from hooks.vma_start_write(o.vma)
        yield from hooks.vma_mark_detached(o.vma)
        yield tree_erase("detach_vmas_to_be_unmapped")
        yield from unmap_region(o.vma, mapping)
        yield from remove_vma(o.vma, mapping)
        yield from hooks.mmap_write_unlock()

    @hookimpl
    def copy_vma(self, mapping: Mapping) -> Steps:
        yield from copy_vma_fields(mapping)
        yield from hooks.vma_start_write(o.new_vma)
        yield from hooks.vma_mark_attached(o.new_vma)
        yield tree_store(o.new_vma, "vma_link")
        yield from link_in_file(o.new_vma, mapping, True)

    @hookimpl
    def move_page_tables(self, mapping: Mapping, whole_tables: bool) -> Steps:
        yield from over_range()
        yield loop("move_page_tables")
        if (yield read_pmd(key=o.cursor)):
            yield from find_extent()
            moved = whole_tables and (yield from hooks.move_normal_pmd(mapping))
            if not moved:
                yield from pte_alloc_at(o.mm, o.new_cursor)
                if not (yield from hooks.move_ptes(mapping)):
                    yield again("move_page_tables")
        if (yield next_table()):
            yield again("move_page_tables")

    @hookimpl
    def move_ptes(self, mapping: Mapping) -> Steps:
        if not (yield from lock_both_tables()):
            return False
        yield from take_and_set_ptes()
        # Before the new entries can be zapped: a CPU may still write to the page at its old address.
        yield from flush_extent()
        yield from hooks.unlock_new_table()
        yield from pte_unmap_unlock()
        return True

    @hookimpl
    def lock_new_table(self) -> Steps:
        yield spin_lock(NEW_PTL)
        return True

    @hookimpl
    def unlock_new_table(self) -> Steps:
        yield spin_unlock(NEW_PTL)

    @hookimpl
    def move_normal_pmd(self, mapping: Mapping) -> Steps:
        yield from take_rmap_locks(mapping, True)
        moved = yield from move_table()
        yield from take_rmap_locks(mapping, False)
        return moved
