"""The mmap_lock fault path of v5.12: entry, walk, anonymous and write-protect faults.

Sources: arch/x86/mm/fault.c do_user_addr_fault, mm/memory.c.  Checked against v6.1, which has the
same steps; page tables above the lowest level are taken as present.
"""

from __future__ import annotations

from typing import Any

from spfvar.mm import hookspecs as hooks
from spfvar.mm.hookspecs import hookimpl
from spfvar.mm.page_mkwrite import wp_page_shared
from spfvar.mm.userfault_wait import must_ask, wait_for_monitor
from spfvar.mm.vmf import FORCE, PMD_NONE, TRIED, UNSHARE, VMA_COPY, Mapping, VMFault, VmFault
from spfvar.ops import objects as o
from spfvar.ops.op import Steps, passage
from spfvar.ops.orders import smp_wmb
from spfvar.ops.paging import (
    alloc_page,
    fill_page,
    folio_get,
    folio_put,
    free_page,
    get_page,
    page_add_new_anon_rmap,
    page_exclusive,
    page_remove_rmap,
    pmd_populate,
    pte_mkwrite,
    pte_none,
    pte_same,
    ptep_clear,
    put_page,
    read_pmd,
    set_pte_anon,
    set_pte_zero,
    vm_normal_page,
)
from spfvar.ops.pinning import page_anon_exclusive, set_page_anon_exclusive
from spfvar.ops.places import Field
from spfvar.ops.primitives import (
    add,
    allocate,
    at,
    choose,
    copy_register,
    count,
    equals,
    find_vma,
    free,
    ipi_send,
    ipi_wait,
    is_null,
    load,
    load_ref,
    load_ref_nonnull,
    set_register,
    sleep_for,
    spin_lock,
    spin_unlock,
    store_ref,
    test_register,
    wait_equals,
    work,
)

#: The address space is not whole, or what it had is being reaped.
MMF_UNSTABLE = Field(o.MM, "mmf_unstable")
MMAP_LOCK = at(o.mm, o.MMAP_LOCK)
PMD_LOCK = at(o.mm, o.PMD_LOCK)
PTL = at(o.table, o.PTL)


def load_protection(vmf: VmFault) -> Steps:
    """``vma->vm_page_prot`` into its register, unless the fault works on a copy of the VMA."""
    if not vmf.has(VMA_COPY):
        yield load(at(o.vma, o.VM_WRITE), o.vm_page_prot)


@passage
def pmd_install() -> Steps:
    """Link ``prealloc_pte``, or free it if another fault was faster (mm/memory.c pmd_install)."""
    yield spin_lock(PMD_LOCK)
    if (yield read_pmd()):
        yield spin_unlock(PMD_LOCK)
        yield free(o.prealloc_pte, "pte_free", "free_table")
    else:
        yield add(at(o.mm, o.PGTABLES_BYTES), 1, "mm_inc_nr_ptes")
        yield smp_wmb()  # who finds the table sees it initialised
        yield pmd_populate()
        yield spin_unlock(PMD_LOCK)
        yield read_pmd()


def new_page(contents: str) -> Steps:
    """A new page for the fault, filled and charged; ``contents`` is the cost class of filling it."""
    yield alloc_page()
    yield fill_page(contents)
    yield work("memcg_charge")


@passage
def get_vma_policy(vmf: VmFault) -> Steps:
    """Where may the new page lie?  Reads the VMA's policy, or the one in the copy of the VMA."""
    if vmf.mapping.policy:
        if not vmf.has(VMA_COPY):
            yield load_ref(at(o.vma, o.VM_POLICY), o.vm_policy)
        if not (yield is_null(o.vm_policy)):
            yield load(at(o.vm_policy, o.POLICY_MODE), o.scratch)


def access_error(vmf: VmFault) -> Steps:
    """Does the VMA forbid the access (arch/x86/mm/fault.c)?"""
    if not (vmf.write and vmf.mapping.protected) or vmf.has(FORCE):
        return False
    yield load(at(o.vma, o.VM_WRITE), o.vm_page_prot)
    return not (yield test_register(o.vm_page_prot, 1, "access_error"))


def load_index(vmf: VmFault) -> Steps:
    """What linear_page_index() needs of the VMA, unless the fault works on a copy of it."""
    if not vmf.has(VMA_COPY):
        yield load(at(o.vma, o.VM_START), o.vm_start).untimed()
        yield load(at(o.vma, o.VM_PGOFF), o.vm_pgoff).untimed()


def check_stable_address_space(vmf: VmFault) -> Steps:
    """Is a page that is missing one that there never was, and not one that was reaped (include/linux/oom.h)?

    Returns VMFault.  Only where somebody may reap the process (process_mrelease).
    """
    if vmf.mapping.reaped and not (yield equals(at(o.mm, MMF_UNSTABLE), 0, "check_stable_address_space")):
        return VMFault.SIGBUS
    return VMFault.NONE


def new_anon_vma(vmf: VmFault) -> Steps:
    """An anon_vma for a VMA that had none, unless another fault is faster (mm/rmap.c __anon_vma_prepare).

    The neighbours that it looks at are kept by mmap_lock.  Returns VMFault.
    """
    reused = vmf.mapping.neighbours and (yield from hooks.find_mergeable_anon_vma(vmf))
    if not reused:
        yield allocate(o.anon_vma, "anon_vma_alloc", "anon_vma_alloc")
    lock = at(o.mm, o.PAGE_TABLE_LOCK)
    yield spin_lock(lock)
    if (yield load_ref_nonnull(at(o.vma, o.VM_ANON_VMA), o.old_anon_vma).untimed()):
        yield spin_unlock(lock)
        if not reused:
            yield free(o.anon_vma, "anon_vma_free", "free")
        yield copy_register(o.anon_vma, o.old_anon_vma)
        return VMFault.NONE
    yield add(at(o.anon_vma, o.ANON_VMA_REFS), 1, "get_anon_vma").untimed()
    yield store_ref(at(o.vma, o.VM_ANON_VMA), o.anon_vma)
    yield spin_unlock(lock)
    return VMFault.NONE


def add_anon_page() -> Steps:
    """Reverse map and LRU of the new page."""
    yield page_add_new_anon_rmap()
    yield work("lru_add")


@passage
def get_old_page() -> Steps:
    """Keep the page that ``orig_pte`` maps for as long as it is copied."""
    kind = yield vm_normal_page()
    if kind == "anonymous":
        yield get_page(o.old_page)
    elif kind == "file":
        yield folio_get()


@passage
def unmap_old_page() -> Steps:
    """The page that was copied is not mapped here any more, whatever it was."""
    kind = yield vm_normal_page()
    if kind != "zero page":
        yield page_remove_rmap(o.old_page if kind == "anonymous" else o.folio)


@passage
def put_old_page(unmapped: bool) -> Steps:
    """Let the copied page go, and if it was ``unmapped``, the mapping's reference too."""
    kind = yield vm_normal_page()
    if kind == "anonymous":
        if unmapped:
            yield put_page(o.old_page)  # which forgets the reference
            yield vm_normal_page()
        yield put_page(o.old_page)
    elif kind == "file":
        if unmapped:
            yield folio_put()
        yield folio_put()


def get_mmap_lock_carefully(vmf: VmFault) -> Steps:
    """mmap_lock for reading; the kernel may wait for it only where its own access has a fixup.

    Returns whether it was had: without a fixup the kernel may have faulted with the lock held, by a bug.
    """
    if (yield from hooks.mmap_read_trylock(o.address, None)):
        return True
    if not vmf.user and not (yield choose("search_exception_tables", False, True)):
        return False
    yield from hooks.mmap_read_lock(o.address, None)
    return True


def lock_and_find_vma(vmf: VmFault) -> Steps:
    """Take the address space's lock and look the VMA up.  Returns as lock_mm_and_find_vma does."""
    if not (yield from get_mmap_lock_carefully(vmf)):
        return VMFault.SIGSEGV
    if (yield find_vma()):
        return True
    return vmf.mapping.growsdown and (yield from hooks.expand_stack(vmf))


class MmapLockFault:
    """The reader's hook points as v5.12 has them."""

    @hookimpl
    def do_user_addr_fault(self, vmf: VmFault) -> Steps:
        return (yield from hooks.fault_with_mmap_lock(vmf))

    @hookimpl
    def fault_with_mmap_lock(self, vmf: VmFault) -> Steps:
        found = yield from hooks.lock_mm_and_find_vma(vmf)
        if isinstance(found, VMFault):
            return found
        if not found:
            yield from hooks.release_fault_lock(vmf)
            return VMFault.SIGSEGV
        if (yield from access_error(vmf)):
            yield from hooks.release_fault_lock(vmf)
            return VMFault.SIGSEGV
        ret = yield from hooks.handle_mm_fault(vmf)
        if ret & VMFault.RETRY:
            return (yield from hooks.retry_fault(vmf, ret))
        if not ret & VMFault.COMPLETED:
            yield from hooks.release_fault_lock(vmf)
        return ret

    @hookimpl
    def lock_mm_and_find_vma(self, vmf: VmFault) -> Steps:
        yield count("mmap_lock_fault")
        return (yield from lock_and_find_vma(vmf))

    @hookimpl
    def release_fault_lock(self, vmf: VmFault) -> Steps:
        yield from hooks.mmap_read_unlock()

    @hookimpl
    def fault_dirty_shared_page(self, vmf: VmFault) -> Steps:
        # Before v6.0 the whole fault is done again (d92725256b4f introduced VM_FAULT_COMPLETED).
        return VMFault.RETRY
        yield

    @hookimpl
    def retry_fault(self, vmf: VmFault, ret: Any) -> Steps:
        # One drop only: with TRIED the second pass waits for storage under the lock.
        return (yield from hooks.fault_with_mmap_lock(vmf.set(TRIED)))

    @hookimpl
    def pte_map_lock(self, vmf: VmFault) -> Steps:
        yield spin_lock(PTL)
        return True

    @hookimpl
    def pte_unmap_unlock(self, vmf: VmFault) -> Steps:
        yield spin_unlock(PTL)

    @hookimpl
    def pte_alloc_one(self, vmf: VmFault) -> Steps:
        if vmf.mapping.reclaims and (yield choose("memcg reclaim", False, True)):
            # The folio at the end of the LRU list is the first one there is.
            yield set_register(o.reclaimed, 0)
            yield wait_equals(at(o.reclaimed, o.WRITEBACK), 0)
        yield allocate(o.prealloc_pte, "pte_alloc_one", "alloc_table")

    @hookimpl
    def pte_alloc(self, vmf: VmFault) -> Steps:
        if vmf.has(PMD_NONE):
            yield from hooks.pte_alloc_one(vmf)
            yield from pmd_install()
        return VMFault.NONE

    @hookimpl
    def handle_userfault(self, vmf: VmFault) -> Steps:
        if vmf.mapping.monitors:
            return (yield from wait_for_monitor(vmf))
        # The monitor fills the page; the second pass, with TRIED, finds it or takes what it may.
        yield from hooks.release_fault_lock(vmf)
        yield sleep_for("io", "handle_userfault: schedule")
        return VMFault.RETRY

    @hookimpl
    def anon_vma_prepare(self, vmf: VmFault) -> Steps:
        if (yield load_ref_nonnull(at(o.vma, o.VM_ANON_VMA), o.anon_vma)):
            return VMFault.NONE
        return (yield from new_anon_vma(vmf))

    @hookimpl
    def find_mergeable_anon_vma(self, vmf: VmFault) -> Steps:
        # Reads a VMA that only mmap_lock keeps.
        yield load(at(o.vma, o.VM_END), o.vm_end)
        if not (yield find_vma(o.near, o.vm_end, "vma_next")):
            return False
        return (yield load_ref_nonnull(at(o.near, o.VM_ANON_VMA), o.anon_vma))

    @hookimpl
    def do_anonymous_page(self, vmf: VmFault) -> Steps:
        if (yield from hooks.pte_alloc(vmf)):
            return VMFault.OOM
        if vmf.write:
            ret = yield from hooks.anon_vma_prepare(vmf)
            if ret:
                return ret
            yield from get_vma_policy(vmf)
            yield from new_page("zero_page")
            yield from load_index(vmf)
        yield from load_protection(vmf)
        if not (yield from hooks.pte_map_lock(vmf)):
            if vmf.write:
                yield free_page()
            return VMFault.RETRY if vmf.has(VMA_COPY) else VMFault.NONE
        ret = VMFault.NONE
        none = yield pte_none()
        if none:
            ret = yield from check_stable_address_space(vmf)
        if ret or not none:
            if vmf.write:
                yield free_page()
            yield from hooks.pte_unmap_unlock(vmf)
            return ret
        if (yield from must_ask(vmf)):
            yield from hooks.pte_unmap_unlock(vmf)
            if vmf.write:
                yield free_page()
            return (yield from hooks.handle_userfault(vmf))
        if vmf.write:
            yield from add_anon_page()
            yield set_pte_anon()
        else:
            yield set_pte_zero()
        yield from hooks.pte_unmap_unlock(vmf)
        return VMFault.NONE

    @hookimpl
    def do_wp_page(self, vmf: VmFault) -> Steps:
        if vmf.mapping.uffd_wp and not vmf.has(TRIED) and (yield choose("userfaultfd_pte_wp", False, True)):
            yield from hooks.pte_unmap_unlock(vmf)
            return (yield from hooks.handle_userfault(vmf))
        if vmf.mapping.write_protects:
            yield from hooks.flush_if_pending(vmf)
        if vmf.write and vmf.mapping.shared and vmf.mapping.write_notify:
            return (yield from wp_page_shared(vmf))
        if vmf.mapping.shared or (yield from reuses_page(vmf.mapping)):
            if (yield from maybe_mkwrite(vmf)):
                yield pte_mkwrite()
            yield from hooks.pte_unmap_unlock(vmf)
            return VMFault.NONE
        yield from get_old_page()
        yield from hooks.pte_unmap_unlock(vmf)
        return (yield from hooks.wp_page_copy(vmf))

    @hookimpl
    def wp_page_copy(self, vmf: VmFault) -> Steps:
        ret = yield from hooks.anon_vma_prepare(vmf)
        if ret:
            yield from put_old_page(unmapped=False)
            return ret
        zero = (yield vm_normal_page()) == "zero page"
        yield from get_vma_policy(vmf)
        yield from new_page("zero_page" if zero else "copy_page")
        yield from load_index(vmf)
        yield from load_protection(vmf)
        if not (yield from hooks.pte_map_lock(vmf)):
            yield free_page()
            yield from put_old_page(unmapped=False)
            return VMFault.RETRY if vmf.has(VMA_COPY) else VMFault.NONE
        if not (yield pte_same()):
            yield from hooks.pte_unmap_unlock(vmf)
            yield free_page()
            yield from put_old_page(unmapped=False)
            return VMFault.NONE
        yield ptep_clear()
        yield ipi_send("flush_tlb_page", o.address)
        yield ipi_wait()
        yield from add_anon_page()
        yield set_pte_anon(vmf.write)
        yield from unmap_old_page()
        yield from hooks.pte_unmap_unlock(vmf)
        yield from put_old_page(unmapped=True)
        return VMFault.NONE


@passage
def reuses_page(mapping: Mapping) -> Steps:
    """Is ``orig_pte`` an anonymous page that only this entry maps?

    Where pages are pinned, as in v5.19 and later: is it the process's own, or is there no other reference?
    """
    if (yield vm_normal_page()) != "anonymous":
        return False
    if not mapping.pinned:
        return (yield page_exclusive())
    if (yield page_anon_exclusive()):
        return True
    if not (yield equals(at(o.old_page, o.PAGE_REFS), 1, "folio_ref_count")):
        return False
    yield set_page_anon_exclusive(True)
    return True


def maybe_mkwrite(vmf: VmFault) -> Steps:
    """May the reused page's entry be writable?  Only if a user writes, where the VMA lets him."""
    if vmf.has(UNSHARE):
        return False
    if not vmf.has(FORCE):
        return True
    yield from load_protection(vmf)
    return (yield test_register(o.vm_page_prot, 1, "VM_WRITE"))
