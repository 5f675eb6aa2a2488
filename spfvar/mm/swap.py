"""Swap-in: anonymous pages that come back from the swap cache or from the device.

Sources: mm/memory.c do_swap_page; mm/swap_state.c __read_swap_cache_async; mm/filemap.c
__lock_page_or_retry (v5.12).  The swap cache is a file of its own (``swapper_space``); its folio becomes the
fault's anonymous page, and leaves the cache, when it is mapped.  Pages come one at a time, without errors and
without special entries.  On a synchronous device each has a slot and an entry of its own, and may be swapped
out again (spfvar.mm.swap_out); elsewhere pages are in swap from the start of a run, and none goes there.
"""

from __future__ import annotations

from spfvar.mm import hookspecs as hooks
from spfvar.mm.fault import load_index, load_protection
from spfvar.mm.hookspecs import hookimpl
from spfvar.mm.vmf import TRIED, VMA_COPY, VMFault, VmFault
from spfvar.ops import objects as o
from spfvar.ops.op import Steps
from spfvar.ops.orders import smp_wmb
from spfvar.ops.paging import (
    add_to_swap_cache,
    alloc_page,
    delete_from_swap_cache,
    folio_put,
    free_page,
    page_add_new_anon_rmap,
    pte_same,
    set_pte_anon,
    swap_cache_get_folio,
)
from spfvar.ops.primitives import (
    at,
    count,
    equals,
    folio_lock,
    folio_trylock,
    folio_unlock,
    load_ref,
    sleep_for,
    store,
    work,
)
from spfvar.ops.swapping import page_write, swap_free, swap_read


class Swap:
    """The hook points of a fault on a swap entry."""

    @hookimpl
    def do_swap_page(self, vmf: VmFault) -> Steps:
        if vmf.mapping.migrates:
            return (yield from hooks.migration_entry_wait(vmf))
        ret = VMFault.NONE
        if not (yield swap_cache_get_folio()):
            if vmf.mapping.synchronous:
                return (yield from hooks.swapin_direct(vmf))
            ret = yield from hooks.swapin_readahead(vmf)
            if ret & VMFault.RETRY:
                return ret
        if not ret & VMFault.MAJOR and (yield from hooks.folio_lock_or_retry(vmf)):
            yield folio_put()
            return VMFault.RETRY
        done = VMFault.NONE
        # Whoever had the folio locked may have mapped it, or may have freed it.
        if (yield equals(at(o.folio, o.CACHED), 1, "folio_test_swapcache")):
            done = yield from map_swapped_page(vmf)
        yield folio_unlock()
        yield folio_put()
        return done or ret

    @hookimpl
    def swapin_readahead(self, vmf: VmFault) -> Steps:
        yield count("pgmajfault")
        if not (yield add_to_swap_cache()):
            return VMFault.NONE
        yield work("alloc_page", "vma_alloc_folio")
        yield work("memcg_charge")
        yield work("lru_add")
        dropped = not vmf.has(TRIED)
        if dropped:
            yield from hooks.release_fault_lock(vmf)
        yield sleep_for("io", "swap_readpage")
        yield smp_wmb()  # folio_mark_uptodate
        yield store(at(o.folio, o.UPTODATE), 1)
        if not dropped:
            return VMFault.MAJOR
        yield folio_unlock()
        yield folio_put()
        return VMFault.RETRY | VMFault.MAJOR

    @hookimpl
    def folio_lock_or_retry(self, vmf: VmFault) -> Steps:
        if (yield folio_trylock()):
            return VMFault.NONE
        if vmf.has(TRIED):
            yield folio_lock()
            return VMFault.NONE
        yield from hooks.release_fault_lock(vmf)
        yield folio_lock()  # folio_wait_locked
        yield folio_unlock()
        return VMFault.RETRY


def map_swapped_page(vmf: VmFault) -> Steps:
    """Map the locked folio as the fault's anonymous page, unless somebody did.  Returns VMFault."""
    if not vmf.has(VMA_COPY):
        yield load_ref(at(o.vma, o.VM_ANON_VMA), o.anon_vma)
    yield alloc_page().untimed()
    if vmf.mapping.synchronous:
        yield swap_read().untimed()
        yield page_write(o.page).untimed()
    yield from load_index(vmf)
    yield from load_protection(vmf)
    if not (yield from hooks.pte_map_lock(vmf)):
        yield free_page().untimed()
        return VMFault.RETRY if vmf.has(VMA_COPY) else VMFault.NONE
    if not (yield pte_same()):
        yield from hooks.pte_unmap_unlock(vmf)
        yield free_page().untimed()
        return VMFault.NONE
    if vmf.mapping.synchronous:
        yield swap_free()
    yield delete_from_swap_cache()
    yield page_add_new_anon_rmap()
    yield set_pte_anon(vmf.write)
    yield from hooks.pte_unmap_unlock(vmf)
    return VMFault.NONE
