"""The other halves of ``hooks.pte_offset_map_lock``, for whoever is no fault."""

from __future__ import annotations

from spfvar.mm import hookspecs as hooks
from spfvar.mm.fault import PTL
from spfvar.ops.op import Steps
from spfvar.ops.primitives import spin_unlock


def pte_unmap_unlock() -> Steps:
    """Unlock the page table and let it go (include/linux/mm.h)."""
    yield spin_unlock(PTL)
    yield from hooks.pte_unmap()


def unmap_then_unlock() -> Steps:
    """The other way round (page_vma_mapped_walk_done in include/linux/rmap.h; mm/migrate.c)."""
    yield from hooks.pte_unmap()
    yield spin_unlock(PTL)
