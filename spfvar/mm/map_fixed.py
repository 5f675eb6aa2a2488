"""mmap with MAP_FIXED over an existing mapping: when the old one goes, and when the new one can be found.

Sources: mm/mmap.c mmap_region (v5.12; v6.12), mm/vma.c vms_gather_munmap_vmas, vms_clean_up_area,
vms_complete_munmap_vmas.
"""

from __future__ import annotations

from spfvar.mm import hookspecs as hooks
from spfvar.mm.hookspecs import hookimpl
from spfvar.mm.vmf import Mapping
from spfvar.mm.writers import insert_vma, load_vm_file, remove_vma, unmap_region
from spfvar.ops import objects as o
from spfvar.ops.op import Steps
from spfvar.ops.primitives import find_vma, tree_erase, work


class UnmapFirst:
    """v5.12 to v6.11: the old mapping is unmapped completely, then the range is like any free one."""

    @hookimpl
    def mmap_fixed(self, mapping: Mapping, old: Mapping) -> Steps:
        yield work("syscall", "mmap")
        yield from hooks.mmap_write_lock(o.range_start, o.range_end)
        if (yield find_vma(key=o.range_start)):
            yield from load_vm_file(old)
            yield from hooks.vma_start_write(o.vma)
            yield from hooks.vma_mark_detached(o.vma)
            yield tree_erase("detach_vmas_to_be_unmapped")
            yield from unmap_region(o.vma, old)
            yield from remove_vma(o.vma, old)
        yield from insert_vma(mapping)
        yield from hooks.mmap_write_unlock()


class OverwriteInTree:
    """v6.12: the old VMA stays in the tree, locked and detached, until the new one overwrites it.

    So the tree never has a gap; but entries, page tables and reverse map of the old one go before.
    """

    @hookimpl
    def mmap_fixed(self, mapping: Mapping, old: Mapping) -> Steps:
        return over_old_vma(mapping, old, self._replace(mapping, old))

    def _replace(self, mapping: Mapping, old: Mapping) -> Steps:
        yield from unmap_region(o.vma, old)
        yield from insert_vma(mapping)
        yield from remove_vma(o.vma, old)


def over_old_vma(mapping: Mapping, old: Mapping, replace: Steps) -> Steps:
    """``replace`` the VMA at the range, locked and detached but still in the tree, by a new one."""
    yield work("syscall", "mmap")
    yield from hooks.mmap_write_lock(o.range_start, o.range_end)
    if (yield find_vma(key=o.range_start)):
        yield from load_vm_file(old)
        yield from hooks.vma_start_write(o.vma)
        yield from hooks.vma_mark_detached(o.vma)
        yield from replace
    else:
        yield from insert_vma(mapping)
    yield from hooks.mmap_write_unlock()
