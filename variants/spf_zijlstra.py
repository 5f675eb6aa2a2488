"""Speculative page faults of Peter Zijlstra: 2010 ("-v3") and 2014 ("Another go").

A fault is one SRCU section, in which it may wait for storage, and VMAs and their files are freed by SRCU; so
a file fault has no lock to drop, and nothing is done again but what meets a writer.  Sources:
20100104182429.833180340@chello.nl (8 patches); 20141020215633.717315139@infradead.org (6 patches).

As posted the count of a VMA was bumped only where it was unmapped or adjusted; what the review of 2014 asked
for, writers that make it odd around each change of a field or an entry, is in.  The lock of a page table is
tried, as in 2019; the patches of 2014 wait for it.  Holes that were found later are closed.  All of these are
declared as repairs.
"""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import replace

from spfvar.mm.fault import PTL
from spfvar.mm.hookspecs import hook_point, hookimpl
from spfvar.mm.vmf import Mapping, VMFault, VmFault
from spfvar.ops import objects as o
from spfvar.ops.op import Call, Steps, again, loop
from spfvar.ops.paging import pmd_same, read_pmd
from spfvar.ops.places import Register
from spfvar.ops.primitives import (
    call_srcu,
    find_vma,
    is_null,
    local_irq_disable,
    local_irq_enable,
    spin_lock,
    spin_trylock,
    spin_unlock,
    srcu_read_lock,
    srcu_read_unlock,
)
from spfvar.plugins.repairs import Repair
from spfvar.plugins.variant import Variant

from .spf_patches import SPECULATIVE, LockRetractedTable, NoTableMove, RcuFilePut, SpeculativeWalk, abort
from .spf_series import TABLE_MOVED, TABLE_RETRACTED
from .vma_sequence import (
    EVENTS,
    NoPolicyOnVma,
    SpeculateOnSequence,
    SpinningPteMapLock,
    VmSequenceWriter,
    pte_map_lock_failed,
    vma_has_changed,
)

#: What srcu_read_lock() returned.
srcu_index = Register("srcu_index")


class SrcuVmaFree:
    """VMAs, and with them the references to their files, are freed by SRCU."""

    @hookimpl
    def vm_area_free(self, vma: Register) -> Steps:
        yield call_srcu(vma, "call_srcu(__vma_free)")


class FaultUnderSrcu(SpeculateOnSequence):
    """handle_speculative_fault: one SRCU section, which may sleep; needs no lock to drop before it does."""

    def get_vma(self) -> Steps:
        yield srcu_read_lock(srcu_index)
        if (yield find_vma(name="find_vma_srcu")):
            return True
        yield srcu_read_unlock(srcu_index)
        return False

    def put_vma(self) -> Steps:
        yield srcu_read_unlock(srcu_index)

    @hookimpl
    def vma_may_speculate(self, vmf: VmFault) -> Steps:
        if vmf.mapping.growsdown or vmf.mapping.userfault:
            return (yield from abort("no_speculate"))
        return VMFault.NONE

    @hookimpl(wrapper=True)
    def anon_vma_prepare(self, vmf: VmFault) -> Generator[None, Steps, Steps]:
        prepare = yield
        return self._must_exist() if vmf.has(SPECULATIVE) else prepare

    def _must_exist(self) -> Steps:
        if (yield is_null(o.anon_vma)):
            return (yield from abort("anon_vma"))
        return VMFault.NONE

    @hookimpl(wrapper=True)
    def maybe_unlock_mmap_for_io(self, vmf: VmFault) -> Generator[None, Steps, Steps]:
        drop = yield
        return _nothing_held() if vmf.has(SPECULATIVE) else drop


def _nothing_held() -> Steps:
    """Wait in the section."""
    return False
    yield


class RewalkAndTrylock:
    """2010: walk to the table once more, try its lock until it is had, and only then look at the VMA."""

    @hookimpl(wrapper=True)
    def pte_map_lock(self, vmf: VmFault) -> Generator[None, Steps, Steps]:
        lock = yield
        return self._lock() if vmf.has(SPECULATIVE) else lock

    def _lock(self) -> Steps:
        yield loop("again")
        yield local_irq_disable()
        if not (yield read_pmd()):
            return (yield from pte_map_lock_failed("pmd"))
        if not (yield spin_trylock(PTL)):
            yield local_irq_enable()
            yield again("again")
        if (yield from vma_has_changed()):
            yield spin_unlock(PTL)
            return (yield from pte_map_lock_failed("vma"))
        yield local_irq_enable()
        return True


class SpinBetweenChecks:
    """2014, as posted: spin for the page table's lock, interrupts off, between two looks at the VMA."""

    @hookimpl(wrapper=True)
    def pte_map_lock(self, vmf: VmFault) -> Generator[None, Steps, Steps]:
        lock = yield
        return self._lock() if vmf.has(SPECULATIVE) else lock

    def _lock(self) -> Steps:
        yield local_irq_disable()
        if (yield from vma_has_changed()):
            return (yield from pte_map_lock_failed("vma"))
        if not (yield pmd_same()):
            return (yield from pte_map_lock_failed("pmd"))
        yield spin_lock(PTL)
        if (yield from vma_has_changed()):
            yield spin_unlock(PTL)
            return (yield from pte_map_lock_failed("vma"))
        yield local_irq_enable()
        return True


@hook_point
def vma_adjust_begin(vma: Register) -> Steps:
    """Before a VMA is split, extended or merged (mm/mmap.c: vma_adjust)."""
    raise AssertionError


class CountedWhereAdjusted(VmSequenceWriter):
    """As posted: vma_adjust() (of brk, of a merge) and munmap change a VMA's count, no other writer does."""

    @hookimpl
    def vma_adjust_begin(self, vma: Register) -> Steps:
        yield from super().vma_start_write(vma)

    @hookimpl
    def vma_start_write(self, vma: Register) -> Steps:
        return
        yield

    @hookimpl(wrapper=True)
    def brk(self, mapping: Mapping, grow: bool) -> Generator[None, Steps, Steps]:
        return self._adjusting((yield))

    @hookimpl(wrapper=True)
    def vma_merge_existing_range(self, mapping: Mapping) -> Generator[None, Steps, Steps]:
        return self._adjusting((yield))

    @hookimpl(wrapper=True)
    def dup_anon_vma(self, vma: Register, other: Register) -> Generator[None, Steps, Steps]:
        return self._adjusting((yield))

    def _adjusting(self, writer: Steps) -> Steps:
        """The writer, whose changes are vma_adjust()'s."""
        outcome = None
        while True:
            try:
                step = writer.send(outcome)
            except StopIteration as end:
                return end.value
            if isinstance(step, Call) and step.target == "vma_start_write":
                step = replace(step, target="vma_adjust_begin")
            outcome = yield step


BASE = (SrcuVmaFree, RcuFilePut, VmSequenceWriter, SpeculativeWalk, FaultUnderSrcu)
MENDS = (NoPolicyOnVma, NoTableMove, LockRetractedTable)
REPAIRS = (
    Repair(
        ("Z1", "S1", "S2"),
        "mprotect, mremap and fork do not change a VMA's count",
        (VmSequenceWriter,),
        (CountedWhereAdjusted,),
    ),
    Repair(("H4",), "mbind frees a memory policy while a fault reads it", (NoPolicyOnVma,)),
    TABLE_MOVED,
    TABLE_RETRACTED,
)

VARIANTS = [
    Variant(
        name="spf-zijlstra-2010",
        title="speculative faults under SRCU that walk again (2010)",
        kernel="v2.6.33-rc2 + speculative pagefault -v3",
        source="20100104182429.833180340@chello.nl",
        patches=(*BASE, RewalkAndTrylock, *MENDS),
        events=EVENTS,
        repairs=REPAIRS,
        compared=False,
    ),
    Variant(
        name="spf-zijlstra-2014",
        title="speculative faults under SRCU (2014)",
        kernel="v3.18-rc1 + another go at speculative page faults",
        source="20141020215633.717315139@infradead.org",
        patches=(*BASE, SpinningPteMapLock, *MENDS),
        events=EVENTS,
        repairs=(
            *REPAIRS,
            Repair(
                ("S3",),
                "a fault spins, interrupts off, for a lock whose holder flushes the TLB",
                (SpinningPteMapLock,),
                (SpinBetweenChecks,),
            ),
        ),
        rivals=("spf-dufour-v12",),
        compared=False,
    ),
]
