"""exit_mmap: the last user of an address space has gone, and so goes what it maps (mm/mmap.c).

No thread of the address space can fault any more; those who come by the page or by the file still can.
"""

from __future__ import annotations

from spfvar.mm import hookspecs as hooks
from spfvar.mm.fault import MMAP_LOCK
from spfvar.mm.hookspecs import hookimpl
from spfvar.mm.vmf import Mapping
from spfvar.mm.writers import over_range, remove_vma, tlb_finish_mmu, zap_range
from spfvar.ops import objects as o
from spfvar.ops.op import Steps, again, loop
from spfvar.ops.primitives import (
    at,
    down_read,
    find_vma,
    load,
    load_ref,
    next_address,
    set_null,
    tree_erase,
    up_read,
    work,
)


class Exit:
    """The same in every design."""

    @hookimpl
    def exit_mmap(self, mapping: Mapping) -> Steps:
        yield work("syscall", "exit")
        yield down_read(MMAP_LOCK, "mmap_read_lock")
        found = yield find_vma(key=o.range_start)
        if found:
            yield from zap_range()
        yield up_read(MMAP_LOCK, "mmap_read_unlock")
        if not found:
            return
        yield from hooks.mmap_write_lock()
        if not mapping.anonymous:
            yield load_ref(at(o.vma, o.VM_FILE), o.vm_file)
        yield set_null(o.gathered)
        # The whole tree goes, not this range: the page tables below need not ask who else uses them.
        yield tree_erase("__mt_destroy")
        yield from hooks.free_pgtables(o.vma, mapping)
        yield from tlb_finish_mmu()
        yield from remove_vma(o.vma, mapping)
        yield from hooks.mmap_write_unlock()


class ProcMaps:
    """/proc/pid/maps up to v6.16: the VMAs of a range are read under mmap_lock (fs/proc/task_mmu.c)."""

    @hookimpl
    def show_map(self) -> Steps:
        yield work("syscall", "read")
        yield down_read(MMAP_LOCK, "mmap_read_lock")
        yield from over_range()
        yield loop("m_next")
        if (yield find_vma(key=o.cursor, name="m_next")):
            yield load(at(o.vma, o.VM_START), o.vm_start)
            yield load(at(o.vma, o.VM_END), o.vm_end)
            yield load(at(o.vma, o.VM_WRITE), o.vm_page_prot)
        if (yield next_address(o.cursor, o.limit)):
            yield again("m_next")
        yield up_read(MMAP_LOCK, "mmap_read_unlock")
