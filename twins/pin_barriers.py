"""The barriers between who pins a page without locks and who looks for pins, each taken out by itself.

Where the TLB is flushed by interrupts before anybody looks, that is barrier enough.  So reclaim here leaves
its flush for later, as it may (TTU_BATCH_FLUSH); in the core's text it does not.
"""

from __future__ import annotations

from spfvar.mm import hookspecs as hooks
from spfvar.mm.fork import WRITE_PROTECT_SEQ, Fork
from spfvar.mm.gup import GetUserPages, folio_maybe_dma_pinned
from spfvar.mm.hookspecs import hookimpl
from spfvar.mm.unmap_unlock import unmap_then_unlock
from spfvar.mm.vmf import Mapping
from spfvar.ops import objects as o
from spfvar.ops.op import Steps
from spfvar.ops.orders import smp_mb, smp_mb__after_atomic
from spfvar.ops.paging import pte_put_back, pte_take, put_page, read_pte, vm_normal_page
from spfvar.ops.pinning import page_anon_exclusive, set_page_anon_exclusive, try_grab_folio
from spfvar.ops.primitives import add, ipi_send, ipi_wait
from spfvar.ops.swapping import page_read, set_pte_swap, swap_duplicate
from spfvar.plugins.variant import Twin


class FlushesLater:
    """try_to_unmap_one() of v6.1 where should_defer_flush(): reclaim flushes before it writes the page."""

    @hookimpl
    def try_to_unmap_anon(self, mapping: Mapping) -> Steps:
        if not (yield from hooks.pte_offset_map_lock(o.cursor)):
            return False
        mapped = (yield read_pte(False, o.cursor)) == "present" and (yield vm_normal_page()) == "anonymous"
        if mapped:
            yield pte_take(o.cursor)
            if mapping.pinned and not (yield from hooks.page_try_share_anon_rmap()):
                yield pte_put_back(o.cursor)
                yield from unmap_then_unlock()
                return False
            yield swap_duplicate()
            yield set_pte_swap(o.cursor)
        yield from unmap_then_unlock()
        if mapped:
            yield ipi_send("try_to_unmap_flush_dirty", o.cursor)
            yield ipi_wait()
            yield page_read(o.old_page).untimed()
            yield put_page(o.old_page)
        return mapped


class SharesUnordered:
    """Whoever shares a page looks for pins before its clearing of the entry is seen (A1, A2)."""

    @hookimpl
    def page_try_share_anon_rmap(self) -> Steps:
        if not (yield page_anon_exclusive()):
            return True
        if (yield from folio_maybe_dma_pinned()):
            return False
        yield set_page_anon_exclusive(False)
        yield smp_mb__after_atomic()
        return True


class ExclusiveSeenLate:
    """Whoever shares a page sets its entry again before PG_anon_exclusive is seen cleared (A3, A4)."""

    @hookimpl
    def page_try_share_anon_rmap(self) -> Steps:
        if not (yield page_anon_exclusive()):
            return True
        yield smp_mb().untimed()
        if (yield from folio_maybe_dma_pinned()):
            return False
        yield set_page_anon_exclusive(False)
        return True


class PinsUnordered(GetUserPages):
    """Whoever pins looks at the entry again before the pin is seen (B3, B4)."""

    def try_grab_folio(self) -> Steps:
        return (yield try_grab_folio())


class ForkUnordered(Fork):
    """Fork looks for pins before its count is seen odd."""

    def write_protect_begin(self) -> Steps:
        yield add(WRITE_PROTECT_SEQ, 1, "raw_write_seqcount_begin")


_X22 = "088b8aa537c2"

TWINS = [
    Twin(
        bug="X22-batch",
        title="reclaim flushes late, and a page is pinned without locks",
        source=_X22,
        fixed="mmap-lock",
        race="pin-swapout",
        prop="",
        patches=(FlushesLater,),
        description="A control: with the barriers of that commit.",
        memory="lkmm",
    ),
    Twin(
        bug="X22-mb",
        title="reclaim flushes late, and looks for pins before its entry is seen cleared (hypothetical)",
        source=_X22,
        fixed="mmap-lock",
        race="pin-swapout",
        prop="P8",
        patches=(FlushesLater, SharesUnordered),
        memory="lkmm",
    ),
    Twin(
        bug="X22-pin",
        title="a page is pinned, and its entry looked at again before that is seen (hypothetical)",
        source=_X22,
        fixed="mmap-lock",
        race="pin-swapout",
        prop="P8",
        patches=(FlushesLater, PinsUnordered),
        memory="lkmm",
    ),
    Twin(
        bug="X22-exclusive",
        title="KSM's entry is seen again before PG_anon_exclusive is seen cleared (hypothetical)",
        source=_X22,
        fixed="mmap-lock",
        race="pin-ksm",
        prop="P8",
        patches=(ExclusiveSeenLate,),
        memory="lkmm",
    ),
    Twin(
        bug="C2-fork",
        title="fork looks for pins before the count that keeps pins away is seen odd",
        source="57efa1fe5957",
        fixed="mmap-lock",
        race="pin-fork",
        prop="P8",
        patches=(ForkUnordered,),
        description="The kernel has no barrier there but the one in x86's locked instructions.",
        memory="lkmm",
    ),
]
