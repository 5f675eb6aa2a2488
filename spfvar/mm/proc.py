"""/proc/pid/maps up to v6.16: the VMAs are read under mmap_lock (fs/proc/task_mmu.c)."""

from __future__ import annotations

from spfvar.mm import hookspecs as hooks
from spfvar.mm.hookspecs import hookimpl
from spfvar.mm.writers import over_range
from spfvar.ops import objects as o
from spfvar.ops.op import Steps, again, loop
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
        if (yield find_vma(key=o.cursor, name="m_next")):
            yield from show_map_vma()
        if (yield next_address(o.cursor, o.limit)):
            yield again("m_next")
        yield from hooks.mmap_read_unlock()
