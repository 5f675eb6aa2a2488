"""KSM: an anonymous page is write-protected, so that equal ones may be one.

Sources: mm/ksm.c write_protect_page (v6.1.y).  Which page has the same content, and who maps it, is left out:
whoever finds the page no longer exclusive copies it before he writes, unless nobody else refers to it.
"""

from __future__ import annotations

from spfvar.mm import hookspecs as hooks
from spfvar.mm.hookspecs import hookimpl
from spfvar.mm.unmap_unlock import unmap_then_unlock
from spfvar.ops import objects as o
from spfvar.ops.op import Steps
from spfvar.ops.paging import pte_put_back, pte_take, read_pte, vm_normal_page
from spfvar.ops.primitives import find_vma, ipi_send, ipi_wait


class Ksm:
    """ksmd."""

    @hookimpl
    def write_protect_page(self) -> Steps:
        yield from hooks.mmap_read_lock(o.range_start, o.range_end)
        if (yield find_vma(key=o.cursor)) and (yield from hooks.pte_offset_map_lock(o.cursor)):
            present = (yield read_pte(False, o.cursor)) == "present"
            if present and (yield vm_normal_page()) == "anonymous":
                yield from self.share()
            yield from unmap_then_unlock()
        yield from hooks.mmap_read_unlock()

    def share(self) -> Steps:
        """Take the entry out first: who pins without locks sees that it changed, or is seen himself."""
        yield from clear_and_flush()
        if (yield from hooks.page_try_share_anon_rmap()):
            yield pte_put_back(o.cursor, writable=False)
        else:
            yield pte_put_back(o.cursor)


def clear_and_flush() -> Steps:
    """ptep_clear_flush of the entry at ``cursor``."""
    yield pte_take(o.cursor)
    yield ipi_send("ptep_clear_flush", o.cursor)
    yield ipi_wait()
