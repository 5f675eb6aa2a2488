"""A plugin for the tests of bisect: a series whose second patch breaks a race and whose fourth heals it."""

from __future__ import annotations

from spfvar.mm.fault import MmapLockFault
from spfvar.mm.hookspecs import hookimpl
from spfvar.mm.vmf import VmFault
from spfvar.ops.op import Steps
from spfvar.ops.primitives import find_vma, rcu_read_lock, rcu_read_unlock
from spfvar.plugins.series import Series, SeriesPatch


class RcuFault:
    """2/5: faults find their VMA under RCU, and nobody keeps it from being freed."""

    @hookimpl
    def lock_mm_and_find_vma(self, vmf: VmFault) -> Steps:
        yield rcu_read_lock()
        return (yield find_vma())

    @hookimpl
    def release_fault_lock(self, vmf: VmFault) -> Steps:
        yield rcu_read_unlock()


class LockAgain:
    """4/5: back to the core's mmap_lock."""

    lock_mm_and_find_vma = MmapLockFault.lock_mm_and_find_vma
    release_fault_lock = MmapLockFault.release_fault_lock


SERIES = [
    Series(
        name="detour",
        title="there and back again",
        kernel="v5.12",
        source="a test",
        patches=(
            SeriesPatch(1, "prepare", "m1", note="nothing yet"),
            SeriesPatch(2, "take RCU instead of mmap_lock", "m2", (RcuFault,)),
            SeriesPatch(3, "tidy up", "m3", note="nothing here"),
            SeriesPatch(4, "take mmap_lock again", "m4", (LockAgain,), needs=(2,)),
            SeriesPatch(5, "tidy up again", "m5", note="nothing here"),
        ),
    )
]
