"""The mmap_lock fault path of v5.12: entry, walk, anonymous and write-protect faults.

Sources: arch/x86/mm/fault.c do_user_addr_fault, mm/memory.c.  Checked against v6.1, which has the
same steps; page tables above the lowest level are taken as present.
"""

from __future__ import annotations

from typing import Any

from spfvar.mm import hookspecs as hooks
from spfvar.mm.hookspecs import hookimpl
from spfvar.mm.vmf import PMD_NONE, TRIED, VMA_COPY, VMFault, VmFault
from spfvar.ops import objects as o
from spfvar.ops.codes import PTE_ANON
from spfvar.ops.op import Steps
from spfvar.ops.primitives import (
    add,
    allocate,
    at,
    count,
    down_read,
    down_read_trylock,
    find_vma,
    free,
    ipi_send,
    ipi_wait,
    load,
    load_nonzero,
    pmd_populate,
    pte_mkwrite,
    pte_none,
    pte_same,
    read_pmd,
    set_pte_anon,
    set_pte_zero,
    spin_lock,
    spin_unlock,
    store,
    test_register,
    up_read,
    work,
)

MMAP_LOCK = at(o.mm, o.MMAP_LOCK)
PTL = at(o.table, o.PTL)


def load_protection(vmf: VmFault) -> Steps:
    """``vma->vm_page_prot`` into its register, unless the fault works on a copy of the VMA."""
    if not vmf.has(VMA_COPY):
        yield load(at(o.vma, o.VM_WRITE), o.vm_page_prot)


def pmd_install() -> Steps:
    """Link ``prealloc_pte``, or free it if another fault was faster (mm/memory.c pmd_install)."""
    lock = at(o.mm, o.PMD_LOCK)
    yield spin_lock(lock)
    if (yield read_pmd()):
        yield spin_unlock(lock)
        yield free(o.prealloc_pte, "pte_free", "free_table")
    else:
        yield add(at(o.mm, o.PGTABLES_BYTES), 1, "mm_inc_nr_ptes")
        yield pmd_populate()
        yield spin_unlock(lock)
        yield read_pmd()


def alloc_page(vmf: VmFault, contents: str) -> Steps:
    """A new page for the fault, filled and charged; ``contents`` is the cost class of filling it."""
    yield work("alloc_page")
    yield work(contents)
    yield work("memcg_charge")


class MmapLockFault:
    """The reader's hook points as v5.12 has them."""

    @hookimpl
    def do_user_addr_fault(self, vmf: VmFault) -> Steps:
        return (yield from hooks.fault_with_mmap_lock(vmf))

    @hookimpl
    def fault_with_mmap_lock(self, vmf: VmFault) -> Steps:
        yield count("mmap_lock_fault")
        if not (yield from hooks.lock_mm_and_find_vma(vmf)):
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
        if not (yield down_read_trylock(MMAP_LOCK, "mmap_read_trylock")):
            yield down_read(MMAP_LOCK, "mmap_read_lock")
        return (yield find_vma())

    @hookimpl
    def release_fault_lock(self, vmf: VmFault) -> Steps:
        yield up_read(MMAP_LOCK, "mmap_read_unlock")

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
    def pte_alloc(self, vmf: VmFault) -> Steps:
        if vmf.has(PMD_NONE):
            yield allocate(o.prealloc_pte, "pte_alloc_one", "alloc_table")
            yield from pmd_install()
        return VMFault.NONE

    @hookimpl
    def anon_vma_prepare(self, vmf: VmFault) -> Steps:
        if (yield load_nonzero(at(o.vma, o.VM_ANON_VMA), o.anon_vma)):
            return VMFault.NONE
        lock = at(o.mm, o.PAGE_TABLE_LOCK)
        yield work("anon_vma_alloc")
        yield spin_lock(lock)
        yield store(at(o.vma, o.VM_ANON_VMA), 1)
        yield spin_unlock(lock)
        return VMFault.NONE

    @hookimpl
    def do_anonymous_page(self, vmf: VmFault) -> Steps:
        if (yield from hooks.pte_alloc(vmf)):
            return VMFault.OOM
        if vmf.write:
            ret = yield from hooks.anon_vma_prepare(vmf)
            if ret:
                return ret
            yield from alloc_page(vmf, "zero_page")
        yield from load_protection(vmf)
        if not (yield from hooks.pte_map_lock(vmf)):
            if vmf.write:
                yield work("free_page")
            return VMFault.RETRY if vmf.has(VMA_COPY) else VMFault.NONE
        if not (yield pte_none()):
            yield spin_unlock(PTL)
            if vmf.write:
                yield work("free_page")
            return VMFault.NONE
        if vmf.write:
            yield work("anon_rmap")
            yield work("lru_add")
            yield set_pte_anon()
        else:
            yield set_pte_zero()
        yield spin_unlock(PTL)
        return VMFault.NONE

    @hookimpl
    def do_wp_page(self, vmf: VmFault) -> Steps:
        # An exclusive anonymous page and a shared mapping's page are reused in place.
        if vmf.mapping.shared or (yield test_register(o.orig_pte, PTE_ANON, "PageAnon")):
            yield pte_mkwrite()
            yield spin_unlock(PTL)
            return VMFault.NONE
        yield spin_unlock(PTL)
        return (yield from hooks.wp_page_copy(vmf))

    @hookimpl
    def wp_page_copy(self, vmf: VmFault) -> Steps:
        ret = yield from hooks.anon_vma_prepare(vmf)
        if ret:
            return ret
        yield from alloc_page(vmf, "zero_page" if vmf.mapping.anonymous else "copy_page")
        yield from load_protection(vmf)
        if not (yield from hooks.pte_map_lock(vmf)):
            yield work("free_page")
            return VMFault.RETRY if vmf.has(VMA_COPY) else VMFault.NONE
        if not (yield pte_same()):
            yield spin_unlock(PTL)
            yield work("free_page")
            return VMFault.NONE
        yield ipi_send("ptep_clear_flush")
        yield ipi_wait()
        yield work("anon_rmap")
        yield work("lru_add")
        yield set_pte_anon(replaces=True)
        yield spin_unlock(PTL)
        return VMFault.NONE
