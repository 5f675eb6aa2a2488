"""The reverse map of a file: whoever looks for the entries of a folio comes by the VMAs that map it.

Sources: mm/rmap.c rmap_walk_file, mm/page_vma_mapped.c page_vma_mapped_walk.
"""

from __future__ import annotations

from collections.abc import Callable

from spfvar.mm import hookspecs as hooks
from spfvar.mm.truncate import I_MMAP
from spfvar.mm.unmap_unlock import unmap_then_unlock
from spfvar.ops import objects as o
from spfvar.ops.op import Steps, again, loop
from spfvar.ops.paging import rmap_walk_next, zap_ptes
from spfvar.ops.primitives import (
    copy_register,
    down_read,
    ipi_send,
    ipi_wait,
    set_register,
    up_read,
)


def rmap_walk_file(rmap_one: Callable[[], Steps]) -> Steps:
    """``rmap_one`` at ``cursor``, with its table locked, for each VMA that maps ``folio`` and has a table."""
    yield down_read(I_MMAP, "i_mmap_lock_read")
    yield set_register(o.rmap_cursor, 0)
    yield loop("rmap_walk_file")
    if (yield rmap_walk_next(o.mapped_file)):
        yield copy_register(o.limit, o.cursor, 1)
        if (yield from hooks.pte_offset_map_lock(o.cursor)):
            yield from rmap_one()
            yield from unmap_then_unlock()
        yield again("rmap_walk_file")
    yield up_read(I_MMAP, "i_mmap_unlock_read")


def clear_and_flush() -> Steps:
    """ptep_clear_flush, if the folio is mapped at ``cursor``.  Returns whether it was.

    page_vma_mapped_walk() passes over what is not mapped: nothing is cleared, nobody interrupted.
    """
    if not (yield zap_ptes(even_cows=False, report=True)):
        return False
    yield ipi_send("ptep_clear_flush", o.cursor)
    yield ipi_wait()
    return True
