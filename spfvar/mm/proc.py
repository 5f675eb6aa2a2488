"""/proc/pid/maps up to v6.16, and smaps: the VMAs are read under mmap_lock (fs/proc/task_mmu.c)."""

from __future__ import annotations

from spfvar.mm import hookspecs as hooks
from spfvar.mm.hookspecs import hookimpl
from spfvar.mm.migrate import is_migration_entry
from spfvar.mm.unmap_unlock import pte_unmap_unlock
from spfvar.mm.vmf import Mapping
from spfvar.mm.writers import end_with_vma, over_range
from spfvar.ops import objects as o
from spfvar.ops.op import Steps, again, loop
from spfvar.ops.paging import pfn_swap_entry_to_page, read_pte, vm_normal_page
from spfvar.ops.primitives import at, copy_register, find_vma, load, next_address, work


def show_map_vma() -> Steps:
    """Print ``vma``, which some lock keeps as it is; ``cursor`` is on its last page then."""
    yield load(at(o.vma, o.VM_START), o.vm_start)
    yield load(at(o.vma, o.VM_END), o.vm_end)
    yield load(at(o.vma, o.VM_WRITE), o.vm_page_prot)
    yield copy_register(o.cursor, o.vm_end, -1)


class ProcMaps:
    """The reader as it is in designs without VMA locks."""

    @hookimpl
    def show_map(self) -> Steps:
        yield work("syscall", "read")
        yield from hooks.mmap_read_lock(o.range_start, o.range_end)
        yield from over_range()
        yield loop("m_next")
        if (yield from self.m_next()):
            yield from show_map_vma()
        if (yield next_address(o.cursor, o.limit)):
            yield again("m_next")
        yield from hooks.mmap_read_unlock()

    def m_next(self) -> Steps:
        """Find the VMA at ``cursor``.  Returns whether there is one."""
        return (yield find_vma(key=o.cursor, name="m_next"))

    @hookimpl
    def show_smap(self, mapping: Mapping) -> Steps:
        yield work("syscall", "read")
        yield from hooks.mmap_read_lock(o.range_start, o.range_end)
        if (yield find_vma(key=o.range_start, name="m_next")):
            yield from end_with_vma()
            yield from over_range()
            yield loop("walk_page_vma")
            yield from hooks.smaps_pte_range(mapping)
            if (yield next_address(o.cursor, o.limit)):
                yield again("walk_page_vma")
        yield from hooks.mmap_read_unlock()

    @hookimpl
    def smaps_pte_range(self, mapping: Mapping) -> Steps:
        if (yield from hooks.pte_offset_map_lock(o.cursor)):
            yield from smaps_pte_entry(mapping)
            yield from pte_unmap_unlock()


def smaps_pte_entry(mapping: Mapping) -> Steps:
    """The page that the entry at ``cursor`` maps, or will map again when it has been migrated."""
    if (yield read_pte(False, o.cursor)) != "none":
        yield vm_normal_page()
    elif mapping.migrates and (yield is_migration_entry()):
        yield pfn_swap_entry_to_page()
