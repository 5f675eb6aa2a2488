"""get_user_pages: pages that a device, or a debugger, has beside the process.

Sources: mm/gup.c pin_user_pages_fast, lockless_pages_from_mm, gup_pte_range, follow_page_pte, faultin_page;
mm/memory.c __access_remote_vm (v6.1.y).  Pins are long-term ones as in v6.2 and later, which take no zero
page and no page of a file out of a private mapping (84209e87c696), one page at a time.  PG_anon_exclusive
(v5.19) is in every design; before, a pinned page that had been write-protected was lost to a copy.

A page that is only got (FOLL_GET, as by access_remote_vm) is pinned here: fork and reclaim alone tell the
difference, and a page that is got under mmap_lock is let go before fork can have the lock.  Pages of shared
mappings are left alone: what is in a file's pages is not modelled.
"""

from __future__ import annotations

from dataclasses import replace

from spfvar.mm import hookspecs as hooks
from spfvar.mm.fault import access_error
from spfvar.mm.hookspecs import hookimpl
from spfvar.mm.unmap_unlock import pte_unmap_unlock
from spfvar.mm.vmf import FORCE, TRIED, UNSHARE, VMFault, VmFault
from spfvar.ops import objects as o
from spfvar.ops.op import Steps, again, loop
from spfvar.ops.orders import smp_mb, smp_mb__after_atomic, smp_rmb
from spfvar.ops.paging import pmd_same, read_pmd, read_pte, vm_normal_page
from spfvar.ops.pinning import (
    dma,
    is_pinned,
    load_pins,
    page_anon_exclusive,
    pte_same_pinned,
    set_page_anon_exclusive,
    try_grab_folio,
    unpin_user_page,
)
from spfvar.ops.places import Register
from spfvar.ops.primitives import (
    at,
    bug_on,
    copy_register,
    equals_register,
    find_vma,
    load,
    load_odd,
    local_irq_disable,
    local_irq_enable,
    test_register,
)
from spfvar.ops.properties import PROPERTIES

SEQUENCE = at(o.mm, o.WRITE_PROTECT_SEQ)
seq = Register("write_protect_seq")  # as gup_fast found it


def gup_must_unshare(kind: str) -> Steps:
    """May others have the page that is not mapped writable?  Then it is not pinned."""
    return kind != "anonymous" or not (yield page_anon_exclusive())


def can_follow_write_pte(vmf: VmFault, kind: str) -> Steps:
    """May a page that is not mapped writable be written to?

    Only with FOLL_FORCE, where the VMA forbids writes and the page is the process's own.
    """
    if not vmf.has(FORCE):
        return False
    yield load(at(o.vma, o.VM_WRITE), o.vm_page_prot)
    if (yield test_register(o.vm_page_prot, 1, "VM_WRITE")):
        return False
    return kind == "anonymous" and (yield page_anon_exclusive())


def followed(vmf: VmFault) -> Steps:
    """What the entry of ``address`` gives, with its table locked; as follow_page_pte."""
    pte = yield read_pte(True)
    if pte == "none":
        return "none"
    kind = yield vm_normal_page()
    if pte == "write-protected":
        if vmf.write and not (yield from can_follow_write_pte(vmf, kind)):
            return "none"
        if not vmf.write and not vmf.has(FORCE) and (yield from gup_must_unshare(kind)):
            return "unshare"
    if kind != "anonymous":
        return "shared"
    yield try_grab_folio()  # which is mapped, and so not free
    yield pte_same_pinned("pinned")  # nobody looks: its table is locked
    return "pinned"


class GetUserPages:
    """get_user_pages, fast and slow."""

    @hookimpl
    def pin_user_pages_fast(self, vmf: VmFault) -> Steps:
        if (yield from hooks.gup_fast(vmf)):
            return True
        return (yield from hooks.pin_user_pages(vmf))

    @hookimpl
    def gup_fast(self, vmf: VmFault) -> Steps:
        if (yield load_odd(SEQUENCE, seq)):
            return False
        # Page tables are freed behind an IPI or a grace period, and both wait for this.
        yield local_irq_disable()
        pinned = yield from self.gup_pte_range(vmf)
        yield local_irq_enable()
        if (yield from hooks.gup_fast_retry()):
            if pinned:
                yield unpin_user_page(o.old_page, "gup_fast_unpin_user_pages")
            return False
        return pinned

    @hookimpl
    def gup_fast_retry(self) -> Steps:
        return not (yield equals_register(SEQUENCE, seq, "read_seqcount_retry"))

    def gup_pte_range(self, vmf: VmFault) -> Steps:
        """Pin first, then look whether the page is still what the entry said."""
        if not (yield read_pmd(name="pmd_present")):
            return False
        pte = yield read_pte(True)
        if pte == "none" or (vmf.write and pte == "write-protected"):
            return False
        if (yield vm_normal_page()) != "anonymous" or (yield from self.try_grab_folio()) == "zero":
            return False
        same = (yield pmd_same()) and (yield pte_same_pinned())
        if not same or (pte == "write-protected" and (yield from self.gup_must_unshare())):
            yield unpin_user_page(o.old_page)
            return False
        return True

    def try_grab_folio(self) -> Steps:
        """Pin the page before the entry is looked at again (v6.1; try_grab_folio_fast in 6.12)."""
        got = yield try_grab_folio()
        if got == "ok":
            yield smp_mb__after_atomic()  # with that of page_try_share_anon_rmap
        return got

    def gup_must_unshare(self) -> Steps:
        """The same of a page that is only read, without the lock of its table (mm/internal.h in 6.12)."""
        yield smp_rmb()
        return not (yield page_anon_exclusive())

    @hookimpl
    def pin_user_pages(self, vmf: VmFault) -> Steps:
        found = yield from hooks.get_user_pages_locked(vmf)
        if found == "shared":
            yield bug_on("a page that others have, too, is pinned", PROPERTIES["P8"])
        yield from hooks.mmap_read_unlock()
        return found == "pinned"

    @hookimpl
    def get_user_pages_locked(self, vmf: VmFault) -> Steps:
        yield copy_register(o.range_start, o.address)
        yield copy_register(o.range_end, o.address, 1)
        yield loop("lock again")
        yield from hooks.mmap_read_lock(o.range_start, o.range_end)
        found = yield from hooks.get_user_pages(vmf)
        if isinstance(found, VMFault) and found & VMFault.RETRY:
            if vmf.has(TRIED):
                yield again("lock again")
            return (yield from hooks.get_user_pages_locked(vmf.set(TRIED)))
        return found

    @hookimpl
    def get_user_pages(self, vmf: VmFault) -> Steps:
        if not (yield find_vma()) or (yield from access_error(vmf)):
            return VMFault.SIGSEGV
        yield loop("retry")
        page = yield from hooks.follow_page_pte(vmf)
        if page in ("pinned", "shared"):
            return page
        ret = yield from hooks.faultin_page(vmf.set(UNSHARE) if page == "unshare" else vmf)
        if isinstance(ret, VMFault):
            return ret
        if ret.clear(UNSHARE) == vmf:
            yield again("retry")
        return (yield from hooks.get_user_pages(ret))

    @hookimpl
    def follow_page_pte(self, vmf: VmFault) -> Steps:
        if not (yield from hooks.pte_offset_map_lock(o.address)):
            return "none"
        page = yield from followed(vmf)
        yield from pte_unmap_unlock()
        return page

    @hookimpl
    def faultin_page(self, vmf: VmFault) -> Steps:
        ret = yield from hooks.handle_mm_fault(replace(vmf, user=False))
        if ret & (VMFault.RETRY | VMFault.COMPLETED):
            return VMFault.RETRY
        return ret & VMFault.ERROR or vmf

    @hookimpl
    def access_remote_vm(self, vmf: VmFault) -> Steps:
        found = yield from hooks.get_user_pages_locked(vmf)
        if found == "shared":
            yield bug_on("a page that others have, too, is written to", PROPERTIES["P8"])
        if found == "pinned":
            yield dma(True, o.old_page, "copy_to_user_page")
            yield unpin_user_page(o.old_page)
        yield from hooks.mmap_read_unlock()

    @hookimpl
    def page_try_share_anon_rmap(self) -> Steps:
        if not (yield page_anon_exclusive()):
            return True
        yield smp_mb().untimed()  # the entry was cleared: with that of try_grab_folio
        if (yield from folio_maybe_dma_pinned()):
            return False
        yield set_page_anon_exclusive(False)
        yield smp_mb__after_atomic()  # before the entry is set again: with that of gup_must_unshare
        return True


def folio_maybe_dma_pinned() -> Steps:
    """Is ``old_page`` pinned?"""
    yield load_pins()
    return (yield is_pinned())
