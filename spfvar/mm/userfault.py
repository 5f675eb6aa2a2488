"""What a userfaultfd's monitor does: copy a page to where one is missing, move one there, write-protect.

Sources: mm/userfaultfd.c mfill_atomic, mfill_atomic_install_pte, move_pages, move_pages_pte,
mwriteprotect_range; fs/userfaultfd.c handle_userfault, userfaultfd_release (6.1, 6.12.117).  Up to v6.8 all
of it is done under mmap_lock; v6.9 takes the VMA's lock where it can (a design with such locks says so).
UFFDIO_MOVE is v6.8: in designs of older kernels it is what it would be there.

A fault that finds its page missing lets go of its lock and waits until a call of the monitor's has ended;
then it is done again, as often as it takes.  The file of the userfaultfd is closed when the last monitor's
program ends, and whoever finds a page missing then gets one without asking.  Left out:

* The list of waiting faults, and with it lost wake-ups: each call wakes all who wait, and no fault looks once
  more whether it has to wait (userfaultfd_must_wait).
* The registration is a fact of the VMA, which stays; it goes all at once when the file is closed.
* The bit of an entry that says that the monitor has write-protected it: a write to such a page does not wait,
  as if the monitor had let it go at once, which flushes nothing.
* Folio locks and the lock of the anon_vma in UFFDIO_MOVE: no anonymous page here has them.  What is EAGAIN
  there ends the call.
"""

from __future__ import annotations

from dataclasses import replace

from spfvar.mm import hookspecs as hooks
from spfvar.mm.fault import PTL, add_anon_page, load_index, load_protection
from spfvar.mm.gup import folio_maybe_dma_pinned
from spfvar.mm.hookspecs import hookimpl
from spfvar.mm.unmap_unlock import pte_unmap_unlock
from spfvar.mm.vmf import PMD_NONE, Mapping, VmFault
from spfvar.mm.writers import flush_tlb, over_range
from spfvar.ops import objects as o
from spfvar.ops.op import Op, Steps, again, loop
from spfvar.ops.paging import (
    alloc_page,
    free_page,
    get_page,
    page_add_new_anon_rmap,
    pte_none,
    pte_put_back,
    pte_restore,
    pte_same,
    pte_take,
    pte_wrprotect,
    put_page,
    read_pmd,
    read_pte,
    set_pte_anon,
    vm_normal_page,
)
from spfvar.ops.pinning import page_anon_exclusive
from spfvar.ops.places import Field, Register
from spfvar.ops.primitives import (
    add,
    at,
    choose,
    copy_register,
    equals,
    find_vma,
    ipi_send,
    ipi_wait,
    load,
    load_ref,
    load_ref_nonnull,
    next_address,
    rcu_read_lock,
    rcu_read_unlock,
    spin_lock,
    spin_unlock,
    test_register,
    work,
)

#: Calls that have changed entries without mmap_lock for writing, and have not flushed yet.  Its atomics and
#: its look have no order (include/linux/mm_inline.h, 6.1, 6.12): the lock of the entries' table orders them.
TLB_FLUSH_PENDING = Field(o.MM, "tlb_flush_pending", weak=True)

#: The range that UFFDIO_MOVE is about: both pages and what lies between.
both_start = Register("both_start")
both_end = Register("both_end")

NEW_PTL = at(o.new_table, o.PTL)


class UserfaultMonitor:
    """The monitor's calls, under mmap_lock."""

    @hookimpl
    def mfill_atomic(self, vmf: VmFault) -> Steps:
        yield from self._mfill(vmf, retry=False)

    def _mfill(self, vmf: VmFault, retry: bool) -> Steps:
        """From label ``retry`` on; then the page has been allocated and copied."""
        kept = yield from hooks.uffd_mfill_lock(vmf)
        if kept is False:
            if retry:
                yield free_page()
            return
        if not (yield from hooks.validate_dst_vma(retry)):
            yield from hooks.release_fault_lock(kept)
            if retry:
                yield free_page()
            return
        if not retry:
            yield alloc_page()
            if (yield choose("copy_from_user faults", False, True)):
                yield from hooks.release_fault_lock(kept)
                yield work("copy_page", "copy_from_user")
                yield from self._mfill(vmf, retry=True)
                return
            yield work("copy_page", "copy_from_user")
        yield work("memcg_charge")
        yield from self._install_pte(kept)
        yield from hooks.release_fault_lock(kept)

    def _install_pte(self, vmf: VmFault) -> Steps:
        if not (yield read_pmd()):
            vmf = vmf.set(PMD_NONE)
        yield from hooks.pte_alloc(vmf)
        yield from load_index(vmf)
        yield from load_protection(vmf)
        if not (yield from hooks.pte_map_lock(vmf)):
            yield free_page()
            return
        none = yield pte_none()
        if none:
            yield from add_anon_page()
            yield set_pte_anon()
        yield from hooks.pte_unmap_unlock(vmf)
        if not none:
            yield free_page()

    @hookimpl
    def uffd_mfill_lock(self, vmf: VmFault) -> Steps:
        yield from hooks.mmap_read_lock(o.range_start, o.range_end)
        if (yield find_vma()) and ((yield from maps_file()) or not (yield from hooks.anon_vma_prepare(vmf))):
            return vmf
        yield from hooks.mmap_read_unlock()
        return False

    @hookimpl
    def validate_dst_vma(self, retry: bool) -> Steps:
        # Whether the VMA is registered is a fact.
        return not (yield from maps_file())

    @hookimpl
    def move_pages(self, vmf: VmFault, same_table: bool, down: bool) -> Steps:
        if not (yield from hooks.uffd_move_lock(vmf)):
            return
        yield copy_register(o.address, o.range_start)
        yield copy_register(o.new_address, o.new_start)
        if (yield read_pmd()):
            yield from self._alloc_new_table(vmf)
            yield from hooks.move_pages_pte(vmf, same_table, down)
        yield from hooks.uffd_move_unlock(vmf)

    def _alloc_new_table(self, vmf: VmFault) -> Steps:
        yield copy_register(o.address, o.new_address)
        if not (yield read_pmd()):
            yield from hooks.pte_alloc(vmf.set(PMD_NONE))
        yield copy_register(o.address, o.range_start)

    @hookimpl
    def uffd_move_lock(self, vmf: VmFault) -> Steps:
        yield from hooks.mmap_read_lock(both_start, both_end)
        yield copy_register(o.address, o.new_start)
        if (yield find_vma()) and not (yield from hooks.anon_vma_prepare(vmf)):
            yield copy_register(o.new_vma, o.vma)
            if (yield find_vma(key=o.range_start)):
                return True
        yield from hooks.mmap_read_unlock()
        return False

    @hookimpl
    def uffd_move_unlock(self, vmf: VmFault) -> Steps:
        yield from hooks.mmap_read_unlock()

    @hookimpl
    def move_pages_pte(self, vmf: VmFault, same_table: bool, down: bool) -> Steps:
        new_table = o.table if same_table else o.new_table
        # pte_offset_map_nolock of either entry: the sections last until both are unmapped.
        yield rcu_read_lock()
        if (yield read_pmd(new_table, o.new_address)):
            yield rcu_read_lock()
            if (yield read_pmd()):
                yield from self._move_entry(vmf, same_table, down)
            yield rcu_read_unlock()
        yield rcu_read_unlock()

    def _move_entry(self, vmf: VmFault, same_table: bool, down: bool) -> Steps:
        """What is to be moved, and whether there is room, is looked at first; and again when it is kept."""
        new_table = o.table if same_table else o.new_table
        yield spin_lock(at(new_table, o.PTL))
        room = yield pte_none(o.new_address, new_table)
        yield spin_unlock(at(new_table, o.PTL))
        if not room:
            return
        yield spin_lock(PTL)
        present = (yield read_pte(False)) != "none"
        yield spin_unlock(PTL)
        page = (yield from self._get_source(vmf)) if present else "none"
        anonymous = page == "anonymous"
        if page in ("none", "file"):
            return
        yield from double_pt_lock(same_table, down)
        same = yield from hooks.is_pte_pages_stable(new_table)
        if same and (not anonymous or (yield from self._own(vmf, 2))):
            yield from self._move(vmf, anonymous, new_table)
        yield from double_pt_unlock(same_table)
        if anonymous:
            yield put_page(o.old_page)

    def _get_source(self, vmf: VmFault) -> Steps:
        """What ``orig_pte`` maps, if it still does: "zero page", or "anonymous" with a reference to it.

        "none" if it no longer does, or the page is somebody else's, too.  The page is looked up under the
        lock that keeps it (a zero page needs none, and is looked at again before it is moved).
        """
        yield spin_lock(PTL)
        page = (yield vm_normal_page()) if (yield pte_same()) else "none"
        if page == "anonymous":
            if (yield from self._own(vmf, 1)):
                yield get_page(o.old_page)
            else:
                page = "none"
        yield spin_unlock(PTL)
        return page

    @hookimpl
    def is_pte_pages_stable(self, new_table: Register) -> Steps:
        # No look at the tables: who takes those of anonymous VMAs away writes to the VMAs, which are kept.
        return (yield pte_same()) and (yield pte_none(o.new_address, new_table))

    def _own(self, vmf: VmFault, references: int) -> Steps:
        """Does ``old_page`` belong to this entry alone, with so many references, and is it not pinned?"""
        if not vmf.mapping.pinned:
            return (yield equals(at(o.old_page, o.PAGE_REFS), references, "PageAnonExclusive"))
        if (yield from folio_maybe_dma_pinned()):
            return False
        return (yield page_anon_exclusive())

    def _move(self, vmf: VmFault, anonymous: bool, new_table: Register) -> Steps:
        yield load(at(o.new_vma, o.VM_WRITE), o.vm_page_prot)
        writable = yield test_register(o.vm_page_prot, 1, "VM_WRITE")
        if not writable:
            yield pte_wrprotect()
        yield pte_take()
        yield ipi_send("ptep_clear_flush", o.address)
        yield ipi_wait()
        if anonymous and vmf.mapping.pinned and (yield from folio_maybe_dma_pinned()):
            yield pte_put_back(o.address)
            return
        if anonymous:
            yield load_ref(at(o.new_vma, o.VM_ANON_VMA), o.anon_vma)
            yield load(at(o.new_vma, o.VM_START), o.vm_start).untimed()
            yield load(at(o.new_vma, o.VM_PGOFF), o.vm_pgoff).untimed()
            yield folio_move_anon_rmap()
        yield pte_restore(o.new_address, o.address, new_table)

    @hookimpl
    def mwriteprotect_range(self, mapping: Mapping) -> Steps:
        yield from hooks.mmap_read_lock(o.range_start, o.range_end)
        if (yield find_vma(key=o.range_start)):
            yield add(at(o.mm, TLB_FLUSH_PENDING), 1, "inc_tlb_flush_pending").untimed()
            yield from over_range()
            yield loop("change_pte_range")
            if (yield from hooks.pte_offset_map_lock(o.cursor)):
                if (yield read_pte(False, o.cursor)) != "none":
                    yield pte_wrprotect(o.cursor)
                yield from pte_unmap_unlock()
            if (yield next_address(o.cursor, o.limit)):
                yield again("change_pte_range")
            yield from flush_tlb()
            yield add(at(o.mm, TLB_FLUSH_PENDING), -1, "dec_tlb_flush_pending").untimed()
        yield from hooks.mmap_read_unlock()

    @hookimpl
    def flush_if_pending(self, vmf: VmFault) -> Steps:
        if (yield equals(at(o.mm, TLB_FLUSH_PENDING), 0, "!mm_tlb_flush_pending").untimed()):
            return
        yield ipi_send("flush_tlb_page", o.address)
        yield ipi_wait()


def maps_file() -> Steps:
    """Does ``vma`` map a file?  Then its page cache is to be filled, otherwise, and it needs no anon_vma."""
    return (yield load_ref_nonnull(at(o.vma, o.VM_FILE), o.vm_file))


def folio_move_anon_rmap() -> Op:
    """The page that is moved learns its new place, from the VMA's fields in registers."""
    place = at(o.old_page, o.PAGE_ANON_VMA)
    return replace(page_add_new_anon_rmap(), name="folio_move_anon_rmap", place=place, dst=o.new_address)


def double_pt_lock(same_table: bool, down: bool) -> Steps:
    """Lock the tables of ``address`` and ``new_address``, that of the lower one first.

    The kernel goes by where their locks lie, which is an order, too.
    """
    if same_table:
        yield spin_lock(PTL)
    else:
        for lock in (NEW_PTL, PTL) if down else (PTL, NEW_PTL):
            yield spin_lock(lock)


def double_pt_unlock(same_table: bool) -> Steps:
    """Unlock both tables."""
    yield spin_unlock(PTL)
    if not same_table:
        yield spin_unlock(NEW_PTL)
