"""Bonsai (Clements, Kaashoek, Zeldovich, ASPLOS 2012): faults take no lock but those of page tables.

VMAs and page tables are freed by RCU, and a fault is one RCU section.  A writer marks a VMA deleted before it
clears its entries; a fault looks at the mark under the lock of what it fills, and is done again under
mmap_lock if it is set, if it finds no VMA, or if it would have to wait.  The prototype was Linux 2.6.37.

The paper is about mmap, munmap and faults.  Writers that change a VMA and keep it (mprotect, brk, fork,
mremap) set the mark here for as long as they hold mmap_lock, which stands for its immutable VMAs; what a
fault reads of the VMA it reads under the page table's lock, so a later change finds the entry.  Stacks, VMAs
with a memory policy, shared writes and VMAs without an anon_vma are left to mmap_lock.
"""

from __future__ import annotations

from collections.abc import Generator

from spfvar.mm import hookspecs as hooks
from spfvar.mm.dispatch import pmd_trans_huge
from spfvar.mm.fault import PTL, access_error
from spfvar.mm.hookspecs import hookimpl
from spfvar.mm.khugepaged import RetractUnderRmapLock
from spfvar.mm.pte_offset_map import PteOffsetMapLock
from spfvar.mm.rcu_tables import RcuTableFree
from spfvar.mm.vmf import Mapping, VMFault, VmFault
from spfvar.mm.writers import link_in_file, over_range, unlink_anon_vmas
from spfvar.ops import objects as o
from spfvar.ops.op import Steps, again, loop
from spfvar.ops.orders import smp_mb, smp_wmb
from spfvar.ops.paging import next_table, pmd_clear, pmd_populate, pmd_same, read_pmd, read_pte
from spfvar.ops.places import Field, Register, behind
from spfvar.ops.primitives import (
    add,
    at,
    equals,
    find_vma,
    free,
    load,
    load_ref,
    load_ref_nonnull,
    rcu_read_lock,
    rcu_read_unlock,
    spin_lock,
    spin_unlock,
    store,
    test_register,
    vma_contains,
)
from spfvar.plugins.variant import Event, Variant

from .spf_patches import SPECULATIVE, NoTableMove, RcuFilePut, RcuVmaFree, SpeculativeFilemapFault, abort
from .vma_sequence import MarkWrittenVmas, NoPolicyOnVma, SpeculateOnVma, vma_may_speculate

VM_DELETED = Field(o.VMA, "vm_deleted", where=behind("vm_userfaultfd_ctx", 1), weak=True)
PMD_LOCK = at(o.mm, o.PMD_LOCK)


class LockedPteOffsetMap(PteOffsetMapLock):
    """Faults under mmap_lock look at page tables as v6.5's do; the others have a section of their own."""

    def maps(self, vmf: VmFault) -> bool:
        return not vmf.has(SPECULATIVE)


def deleted() -> Steps:
    """Has a writer marked the VMA, or moved its bounds past the address?  A page table was just locked."""
    yield smp_mb().untimed()  # smp_mb__after_spinlock(): on x86 the lock was one
    if (yield equals(at(o.vma, VM_DELETED), 1, "deleted", order="acquire")):
        return True
    return not (yield vma_contains())


class DeletedMark(MarkWrittenVmas):
    """A VMA is marked before its entries are cleared, and stays so once it has left the tree.

    Where no lock is taken by both, a fault that locked the table after the mark was set must see it: full
    barriers on either side, and a release where the mark is taken away.  x86, for which the design was made,
    has them in its locked instructions.
    """

    def begin_write(self, vma: Register) -> Steps:
        yield store(at(vma, VM_DELETED), 1)
        yield smp_mb().untimed()  # on x86 the next lock is one

    def end_write(self, vma: Register) -> Steps:
        yield store(at(vma, VM_DELETED), 0, order="release")

    @hookimpl
    def vma_mark_detached(self, vma: Register) -> Steps:
        yield from self.forget(vma)


class LockedTableFree:
    """munmap takes the page directory's lock to unlink a table: faults link tables without mmap_lock."""

    @hookimpl
    def free_pgtables(self, vma: Register, mapping: Mapping) -> Steps:
        yield from unlink_anon_vmas(vma)
        yield from link_in_file(vma, mapping, False)
        yield from over_range()
        yield loop("free_pgd_range")
        yield spin_lock(PMD_LOCK)
        cleared = yield pmd_clear()
        yield spin_unlock(PMD_LOCK)
        if cleared:
            yield from hooks.tlb_remove_table(o.table)
        if (yield next_table()):
            yield again("free_pgd_range")


class LockFreeFault(SpeculateOnVma):
    """The fault in an RCU section, with the mark looked at under the locks of page tables."""

    def get_vma(self) -> Steps:
        yield rcu_read_lock()
        if (yield find_vma()):
            return True
        yield rcu_read_unlock()
        return False

    def put_vma(self) -> Steps:
        yield rcu_read_unlock()

    @hookimpl
    def vma_may_speculate(self, vmf: VmFault) -> Steps:
        mapping = vmf.mapping
        refused = mapping.growsdown or mapping.userfault or mapping.reclaims
        if refused or (mapping.shared and vmf.write):
            return (yield from abort("no_speculate"))
        return VMFault.NONE
        yield

    def on_vma(self, vmf: VmFault) -> Steps:
        ret = yield from vma_may_speculate(vmf)
        if ret:
            return ret
        if (yield from access_error(vmf)):
            return (yield from abort("access_error"))
        if not vmf.mapping.anonymous:
            yield load_ref(at(o.vma, o.VM_FILE), o.vm_file)
            yield load(at(o.vma, o.VM_START), o.vm_start)
            yield load(at(o.vma, o.VM_END), o.vm_end)
            if vmf.mapping.offset:
                yield load(at(o.vma, o.VM_PGOFF), o.vm_pgoff)
        return (yield from hooks.handle_mm_fault(vmf))

    @hookimpl(wrapper=True)
    def walk_page_tables(self, vmf: VmFault) -> Generator[None, Steps, Steps]:
        walk = yield
        return self._walk(vmf) if vmf.has(SPECULATIVE) else walk

    def _walk(self, vmf: VmFault) -> Steps:
        """Link a new table if there is none, unless the VMA is deleted by then."""
        if (yield from pmd_trans_huge(vmf)):
            return (yield from abort("pmd"))
        if not (yield read_pmd()):
            yield from hooks.pte_alloc_one(vmf)
            yield spin_lock(PMD_LOCK)
            if (yield from deleted()):
                yield spin_unlock(PMD_LOCK)
                yield free(o.prealloc_pte, "pte_free", "free_table")
                return (yield from abort("deleted"))
            if (yield read_pmd()):
                yield spin_unlock(PMD_LOCK)
                yield free(o.prealloc_pte, "pte_free", "free_table")
            else:
                yield add(at(o.mm, o.PGTABLES_BYTES), 1, "mm_inc_nr_ptes")
                yield smp_wmb()
                yield pmd_populate()
                yield read_pmd()
                yield spin_unlock(PMD_LOCK)
        return (yield read_pte(vmf.write))

    @hookimpl(wrapper=True)
    def anon_vma_prepare(self, vmf: VmFault) -> Generator[None, Steps, Steps]:
        prepare = yield
        return self._must_exist() if vmf.has(SPECULATIVE) else prepare

    def _must_exist(self) -> Steps:
        if (yield load_ref_nonnull(at(o.vma, o.VM_ANON_VMA), o.anon_vma)):
            return VMFault.NONE
        return (yield from abort("anon_vma"))

    @hookimpl(wrapper=True)
    def pte_map_lock(self, vmf: VmFault) -> Generator[None, Steps, Steps]:
        lock = yield
        return self._lock(vmf) if vmf.has(SPECULATIVE) else lock

    def _lock(self, vmf: VmFault) -> Steps:
        yield spin_lock(PTL)
        if not (yield pmd_same()):
            reason = "pmd"
        elif (yield from deleted()):
            reason = "deleted"
        elif (yield from self._read_vma(vmf)):
            return True
        else:
            reason = "access_error"
        yield spin_unlock(PTL)
        yield from abort(reason)
        return False

    def _read_vma(self, vmf: VmFault) -> Steps:
        """What the entry is made of.  Returns whether the VMA still allows the access."""
        yield load(at(o.vma, o.VM_WRITE), o.vm_page_prot)
        yield load(at(o.vma, o.VM_START), o.vm_start).untimed()
        yield load(at(o.vma, o.VM_PGOFF), o.vm_pgoff).untimed()
        if not vmf.write:
            return True
        if not (yield load_ref_nonnull(at(o.vma, o.VM_ANON_VMA), o.anon_vma)):
            return False
        return (yield test_register(o.vm_page_prot, 1, "access_error"))


VARIANTS = [
    Variant(
        name="bonsai",
        title="RCU tree of VMAs, faults under page-table locks alone",
        kernel="v2.6.37 + Bonsai",
        source="10.1145/2150976.2150998",
        patches=(
            LockedPteOffsetMap, RetractUnderRmapLock, RcuTableFree, LockedTableFree, RcuVmaFree, RcuFilePut,
            DeletedMark, LockFreeFault, SpeculativeFilemapFault, NoPolicyOnVma, NoTableMove,
        ),
        events=(
            Event("spf_attempt", "attempt", "faults tried without mmap_lock"),
            Event("spf_abort", "abort", "faults done again under mmap_lock"),
            Event("spf_abort_unmapped", "reason", "no VMA at the address"),
            Event("spf_abort_no_speculate", "reason", "this kind of VMA or access takes mmap_lock"),
            Event("spf_abort_entry", "reason", "the entry is of a kind that is left to mmap_lock"),
            Event("spf_abort_access_error", "reason", "the VMA forbids the access, or lost its anon_vma"),
            Event("spf_abort_anon_vma", "reason", "the VMA has no anon_vma yet"),
            Event("spf_abort_deleted", "reason", "a writer had marked the VMA"),
            Event("spf_abort_pmd", "reason", "the page table was replaced"),
        ),
        description="Page tables are allocated without mmap_lock, too. Collapse of files is as in v6.6, for "
        "v2.6.37 has none.",
        compared=False,
    )
]  # fmt: skip
