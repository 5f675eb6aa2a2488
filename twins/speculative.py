"""Bugs of the speculative designs, and of the lock drop under mmap_lock that they inherit."""

from __future__ import annotations

from collections.abc import Generator

from spfvar.variants import spf_patches as p

from spfvar.mm.fault import MmapLockFault
from spfvar.mm.hookspecs import hookimpl
from spfvar.mm.vmf import VmFault
from spfvar.ops import objects as o
from spfvar.ops.op import Steps
from spfvar.ops.paging import pmd_same
from spfvar.ops.places import RWSEM_WORDS, Field
from spfvar.ops.primitives import (
    at,
    down_read,
    equals_register,
    find_vma,
    load,
    load_ref,
    local_irq_disable,
    local_irq_enable,
    rcu_read_lock,
    rcu_read_unlock,
    registers_equal,
    spin_lock,
    spin_unlock,
    up_read,
)
from spfvar.plugins.variant import Twin

HUGETLB_VMA_LOCK = Field(o.VMA, "hugetlb_vma_lock", RWSEM_WORDS)


class FreeThroughTheVma:
    """``pte_free(vma->vm_mm, prealloc_pte)``: finds the mm through a VMA that may be gone."""

    @hookimpl(wrapper=True)
    def pte_free(self, vmf: VmFault) -> Generator[None, Steps, Steps]:
        return self._free((yield))

    def _free(self, free_table: Steps) -> Steps:
        yield load(at(o.vma, o.VM_START), o.scratch)  # stands for vm_mm, which has the same life
        yield from free_table


class LockTheVmaAgain:
    """hugetlb_no_page: take the VMA's own lock again after handle_userfault() dropped mmap_lock."""

    @hookimpl(wrapper=True)
    def handle_userfault(self, vmf: VmFault) -> Generator[None, Steps, Steps]:
        return self._then_lock((yield))

    def _then_lock(self, wait: Steps) -> Steps:
        ret = yield from wait
        yield down_read(at(o.vma, HUGETLB_VMA_LOCK), "hugetlb_vma_lock_read")
        yield up_read(at(o.vma, HUGETLB_VMA_LOCK), "hugetlb_vma_unlock_read")
        return ret


class SpinForThePageTable:
    """Wait for the page table's lock with interrupts off instead of trying once."""

    @hookimpl(wrapper=True)
    def pte_map_lock(self, vmf: VmFault) -> Generator[None, Steps, Steps]:
        lock = yield
        return self._lock() if vmf.has(p.SPECULATIVE) else lock

    def _lock(self) -> Steps:
        yield local_irq_disable()
        if not (yield from p.mmap_seq_read_check()):
            return (yield from self._fail())
        if not (yield pmd_same()):
            return (yield from self._fail())
        yield spin_lock(p.PTL)
        if not (yield from p.mmap_seq_read_check()):
            yield spin_unlock(p.PTL)
            return (yield from self._fail())
        yield local_irq_enable()
        return True

    def _fail(self) -> Steps:
        yield local_irq_enable()
        return False


class PreparesAnonVma:
    """A speculative fault without an anon_vma looks for its neighbour's, or makes one, as under mmap_lock."""

    @hookimpl(wrapper=True)
    def anon_vma_prepare(self, vmf: VmFault) -> Generator[None, Steps, Steps]:
        prepare = yield
        return MmapLockFault().anon_vma_prepare(vmf) if vmf.has(p.SPECULATIVE) else prepare


class NoLockToDrop:
    """A speculative fault that waits has no lock to drop before it does."""

    @hookimpl(wrapper=True)
    def maybe_unlock_mmap_for_io(self, vmf: VmFault) -> Generator[None, Steps, Steps]:
        drop = yield
        return _no() if vmf.has(p.SPECULATIVE) else drop


def _no() -> Steps:
    return False
    yield


class CompareTheCopy:
    """Instead of the sequence count: look the VMA up again and compare it with the copy."""

    @hookimpl
    def mmap_seq_read_check(self) -> Steps:
        yield rcu_read_lock()
        same = yield from self._compare()
        yield rcu_read_unlock()
        return same

    def _compare(self) -> Steps:
        if not (yield find_vma(o.near, name="find_vma again")):
            return False
        for field, register in ((o.VM_START, o.vm_start), (o.VM_WRITE, o.vm_page_prot)):
            if not (yield equals_register(at(o.near, field), register, "memcmp")):
                return False
        yield load_ref(at(o.near, o.VM_ANON_VMA), o.old_anon_vma)
        return (yield registers_equal(o.old_anon_vma, o.anon_vma))


TWINS = [
    Twin(
        bug="R1",
        title="a stale VMA is used after VM_FAULT_RETRY to free the preallocated table",
        source="fc8efd2ddfed",
        fixed="mmap-lock",
        race="munmap-major",
        prop="P1",
        patches=(FreeThroughTheVma,),
    ),
    Twin(
        bug="R2",
        title="the hugetlb VMA lock is taken again after mmap_lock was dropped",
        source="958f32ce832b",
        fixed="mmap-lock",
        race="userfault",
        prop="P1",
        patches=(LockTheVmaAgain,),
    ),
    Twin(
        bug="S3",
        title="spinning for the page table's lock with interrupts off",
        source="20190416134522.17540-1-ldufour@linux.ibm.com",
        fixed="spf-anon",
        race="two-copies",
        prop="P11",
        patches=(SpinForThePageTable,),
    ),
    Twin(
        bug="S4",
        title="a speculative fault prepares an anon_vma",
        source="20190416134522.17540-1-ldufour@linux.ibm.com",
        fixed="spf-anon",
        race="dontunmap-neighbour",
        prop="P2",
        patches=(PreparesAnonVma,),
        description="The neighbour whose anon_vma it takes is unmapped meanwhile.",
    ),
    Twin(
        bug="S7",
        title="->fault under RCU on a file whose last reference is dropped at once",
        source="20210407014502.24091-24-michel@lespinasse.org",
        fixed="spf-do-fault",
        race="munmap-file",
        prop="P2",
        without=(p.RcuFilePut,),
    ),
    Twin(
        bug="S7-sleep",
        title="->fault under RCU that waits for storage",
        source="20210407014502.24091-26-michel@lespinasse.org",
        fixed="spf-do-fault",
        race="munmap-uncached",
        prop="P13",
        patches=(NoLockToDrop,),
        without=(p.SpeculativeFilemapFault,),
    ),
    Twin(
        bug="S9",
        title="a comparison of VMA copies instead of the sequence count",
        source="YG3GBhvVt2cQkZVz@hirez.programming.kicks-ass.net",
        fixed="spf-do-fault",
        race="remap-cow",
        prop="P10",
        patches=(CompareTheCopy,),
    ),
]
