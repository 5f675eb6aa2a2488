"""Pages on a synchronous swap device: read past the swap cache by a fault, written and freed by reclaim.

Sources: mm/memory.c do_swap_page (v6.1.y, which has 13ddaf26be32); mm/swapfile.c swapcache_prepare,
swap_free, get_swap_page; mm/vmscan.c shrink_folio_list, mm/rmap.c try_to_unmap_one.  Each page has one slot
that it may be swapped to: the kernel may choose another, whose entry would differ, but that it is the same
again is what a fault cannot see.  The folio in the swap cache and the anonymous page are two objects here,
so the page's content goes from one to the other while the folio is locked.  The page's VMA has to stay: the
lock of its anon_vma is not modelled.
"""

from __future__ import annotations

from spfvar.mm import hookspecs as hooks
from spfvar.mm.fault import load_index, load_protection
from spfvar.mm.hookspecs import hookimpl
from spfvar.mm.unmap_unlock import unmap_then_unlock
from spfvar.mm.vmf import VMA_COPY, Mapping, VMFault, VmFault
from spfvar.ops import objects as o
from spfvar.ops.op import Steps
from spfvar.ops.paging import (
    add_to_swap_cache,
    alloc_page,
    delete_from_swap_cache,
    folio_put,
    free_page,
    page_add_new_anon_rmap,
    pte_put_back,
    pte_same,
    pte_take,
    put_page,
    read_pte,
    remove_mapping,
    set_pte_anon,
    vm_normal_page,
)
from spfvar.ops.primitives import (
    at,
    count,
    equals,
    folio_unlock,
    ipi_send,
    ipi_wait,
    load_ref,
    sleep_for,
    store,
    work,
)
from spfvar.ops.swapping import (
    clear_has_cache,
    page_read,
    page_write,
    set_has_cache,
    set_pte_swap,
    swap_duplicate,
    swap_free,
    swap_read,
    swap_write,
)

SWAP_COUNT = at(o.folio, o.SWAP_COUNT)


class DirectSwap:
    """The hook points of swap on a synchronous device."""

    @hookimpl
    def swapin_direct(self, vmf: VmFault) -> Steps:
        if not (yield equals(SWAP_COUNT, 1, "__swap_count")):
            return VMFault.NONE  # somebody was faster, and the entry is another one
        if not (yield from hooks.swapcache_prepare()):
            yield sleep_for("io", "schedule_timeout_uninterruptible")
            return VMFault.NONE
        yield count("pgmajfault")
        if not vmf.has(VMA_COPY):
            yield load_ref(at(o.vma, o.VM_ANON_VMA), o.anon_vma)
        yield alloc_page()
        yield work("memcg_charge")
        yield swap_read()
        yield page_write(o.page)
        ret = yield from map_read_page(vmf)
        yield from hooks.swapcache_clear()
        return ret

    @hookimpl
    def swapcache_prepare(self) -> Steps:
        if not (yield set_has_cache()):
            return False
        unused = yield equals(SWAP_COUNT, 0, "!swap_count")
        if unused or (yield equals(at(o.folio, o.CACHED), 1, "SWAP_HAS_CACHE")):
            yield clear_has_cache()
            return False
        return True

    @hookimpl
    def swapcache_clear(self) -> Steps:
        yield clear_has_cache()

    @hookimpl
    def swap_out(self, mapping: Mapping) -> Steps:
        if not (yield add_to_swap_cache()):
            yield folio_put()
            return
        unmapped = False
        # get_swap_page() takes a slot that nobody uses, by an entry or for a swap-in.
        if (yield equals(SWAP_COUNT, 0, "!swap_count")) and (
            yield equals(at(o.folio, o.SWAP_HAS_CACHE), 0, "!SWAP_HAS_CACHE")
        ):
            unmapped = yield from hooks.try_to_unmap_anon(mapping)
        if not unmapped:
            yield delete_from_swap_cache()
        else:
            yield swap_write()
            yield store(at(o.folio, o.UPTODATE), 1)
            if (yield remove_mapping()):
                yield folio_unlock()
                return
        # Else a fault has found the folio, and maps it once it is unlocked.
        yield folio_unlock()
        yield folio_put()

    @hookimpl
    def try_to_unmap_anon(self, mapping: Mapping) -> Steps:
        if not (yield from hooks.pte_offset_map_lock(o.cursor)):
            return False
        mapped = (yield read_pte(False, o.cursor)) == "present" and (yield vm_normal_page()) == "anonymous"
        if mapped:
            yield pte_take(o.cursor)
            yield ipi_send("ptep_clear_flush", o.cursor)
            yield ipi_wait()
            if mapping.pinned and not (yield from hooks.page_try_share_anon_rmap()):
                yield pte_put_back(o.cursor)
                yield from unmap_then_unlock()
                return False
            # Nobody can write to the page any more: what it holds is what pageout() will write.
            yield page_read(o.old_page).untimed()
            yield swap_duplicate()
            yield set_pte_swap(o.cursor)
            yield put_page(o.old_page)
        yield from unmap_then_unlock()
        return mapped


def map_read_page(vmf: VmFault) -> Steps:
    """Map the page that was read, unless the entry has changed.  Returns VMFault."""
    yield from load_index(vmf)
    yield from load_protection(vmf)
    if not (yield from hooks.pte_map_lock(vmf)):
        yield free_page()
        return VMFault.RETRY if vmf.has(VMA_COPY) else VMFault.NONE
    same = yield pte_same()
    if same:
        yield swap_free()
        yield page_add_new_anon_rmap()
        yield set_pte_anon(vmf.write)
    yield from hooks.pte_unmap_unlock(vmf)
    if not same:
        yield free_page()
        return VMFault.NONE
    return VMFault.MAJOR
