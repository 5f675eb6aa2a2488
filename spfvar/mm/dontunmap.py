"""mremap(MREMAP_DONTUNMAP): the pages move away, the VMA stays behind empty and without an anon_vma.

Source: mm/mremap.c move_vma (v5.7 and later, the anon_vma since v5.13).
"""

from __future__ import annotations

from spfvar.mm import hookspecs as hooks
from spfvar.mm.hookspecs import hookimpl
from spfvar.mm.vmf import Mapping
from spfvar.mm.writers import unlink_anon_vmas
from spfvar.ops import objects as o
from spfvar.ops.op import Steps
from spfvar.ops.primitives import find_vma, work


class MremapDontunmap:
    """The call's hook point."""

    @hookimpl
    def mremap_dontunmap(self, mapping: Mapping) -> Steps:
        yield work("syscall", "mremap")
        yield from hooks.mmap_write_lock(None, None)
        if (yield find_vma(key=o.range_start)):
            yield from hooks.vma_start_write(o.vma)
            yield from hooks.copy_vma(mapping)
            yield from hooks.move_page_tables(mapping, False)
            yield from unlink_anon_vmas(o.vma)
        yield from hooks.mmap_write_unlock()
