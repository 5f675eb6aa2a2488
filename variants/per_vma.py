"""Per-VMA locks as in v6.12: a rwsem per VMA, write-locked by number (Baghdasaryan, v6.4 and later).

Sources: include/linux/mm.h vma_start_read, vma_start_write; mm/memory.c lock_vma_under_rcu (6.12.117).
"""

from __future__ import annotations

from collections.abc import Generator
from typing import ClassVar

from spfvar.mm.exit import ExitInTwoSteps
from spfvar.mm.fork import StoredFirst
from spfvar.mm.fork_fails import TreeDuplicated
from spfvar.mm.hookspecs import hookimpl
from spfvar.mm.khugepaged import RetractUnderRmapLock
from spfvar.mm.map_fixed import OverwriteInTree
from spfvar.mm.merge import MergeLockedFirst
from spfvar.mm.pte_offset_map import PteOffsetMapLock
from spfvar.mm.sequence import WriteSequence
from spfvar.mm.vmf import VMFault, VmFault
from spfvar.ops import objects as o
from spfvar.ops.op import Steps, again, loop
from spfvar.ops.places import RWSEM_WORDS, Field, Register, apart, behind
from spfvar.ops.primitives import (
    at,
    call_rcu,
    count,
    down_read,
    down_read_trylock,
    down_write,
    equals,
    equals_register,
    find_vma,
    load,
    rcu_read_lock,
    rcu_read_unlock,
    store,
    store_register,
    up_read,
    up_write,
    vma_contains,
)
from spfvar.plugins.variant import Variant

from .vma_lock import EVENTS, MM_LOCK_SEQ, VM_LOCK_SEQ, VmaLockFault, vm_lock_seq

VM_LOCK = Field(o.VMA, "vm_lock", RWSEM_WORDS, apart("vma_lock"))  # a pointer to it is in the VMA
DETACHED = Field(o.VMA, "detached", where=behind("vm_flags", 1), weak=True)


class PerVmaReader(VmaLockFault):
    """The VMA's rwsem is tried, and its number compared."""

    sequence: ClassVar[Field] = MM_LOCK_SEQ
    #: Of the look at ``mm_lock_seq`` that counts: whoever sees a write section ended sees what it wrote.
    sequence_order: ClassVar[str] = "acquire"

    def vma_end_read(self) -> Steps:
        yield rcu_read_lock()
        yield up_read(at(o.vma, VM_LOCK), "vma_end_read")
        yield rcu_read_unlock()

    def lock_vma_under_rcu(self, vmf: VmFault) -> Steps:
        yield rcu_read_lock()
        yield loop("retry")
        if not (yield find_vma(name="mas_walk")):
            return (yield from self.abort("no_vma"))
        locked = yield from self.vma_start_read(vmf)
        if not locked:
            return False
        if (yield equals(at(o.vma, DETACHED), 1, "detached")):
            yield from self.vma_end_read()
            yield count("vma_lock_miss")
            yield again("retry")
        if not (yield vma_contains()):
            yield from self.vma_end_read()
            return (yield from self.abort("moved"))
        yield rcu_read_unlock()
        return True

    def vma_start_read_locked(self) -> Steps:
        yield down_read(at(o.vma, VM_LOCK), "vma_start_read_locked")
        return True

    def vma_start_read(self, vmf: VmFault) -> Steps:
        """Returns whether the lock was had; if not, the RCU section has ended.

        The first look at ``mm_lock_seq`` need not be right; the second acquires since v6.5 (b1f02b95758d).
        """
        yield load(at(o.vma, VM_LOCK_SEQ), vm_lock_seq)
        if (yield equals_register(at(o.mm, self.sequence), vm_lock_seq, "write-locked")):
            return (yield from self.abort("write_locked"))
        if not (yield down_read_trylock(at(o.vma, VM_LOCK), "vma_start_read")):
            return (yield from self.abort("contended"))
        yield load(at(o.vma, VM_LOCK_SEQ), vm_lock_seq)
        if (
            yield equals_register(
                at(o.mm, self.sequence), vm_lock_seq, "write-locked", order=self.sequence_order
            )
        ):
            yield up_read(at(o.vma, VM_LOCK), "vma_end_read")
            return (yield from self.abort("write_locked"))
        return True


class PerVmaWriter(WriteSequence):
    """Writers exclude the faults of the VMAs they change, until mmap_lock is released."""

    sequence = MM_LOCK_SEQ

    @hookimpl
    def vma_start_write(self, vma: Register) -> Steps:
        yield load(at(o.mm, self.sequence), vm_lock_seq)
        if (yield equals_register(at(vma, VM_LOCK_SEQ), vm_lock_seq, "already write-locked")):
            return
        yield down_write(at(vma, VM_LOCK), "vma_start_write")
        yield store_register(at(vma, VM_LOCK_SEQ), vm_lock_seq)
        yield up_write(at(vma, VM_LOCK), "vma_start_write: up_write")

    @hookimpl
    def vma_mark_detached(self, vma: Register) -> Steps:
        yield store(at(vma, DETACHED), 1)

    @hookimpl
    def vm_area_free(self, vma: Register) -> Steps:
        yield call_rcu(vma, "call_rcu(vm_area_free)")


class MapPagesUnderRcu:
    """v6.6 and later: fault-around runs in an RCU section."""

    @hookimpl(wrapper=True)
    def do_fault_around(self, vmf: VmFault) -> Generator[None, Steps, Steps]:
        return self._in_section((yield))

    def _in_section(self, fault_around: Steps) -> Steps:
        yield rcu_read_lock()
        result = yield from fault_around
        yield rcu_read_unlock()
        return result


class FaultCompleted:
    """v6.0 and later: a shared write fault that dropped its lock is done, not retried."""

    @hookimpl
    def fault_dirty_shared_page(self, vmf: VmFault) -> Steps:
        return VMFault.COMPLETED
        yield


#: What v6.12 does unlike v5.12 besides its locks.
KERNEL = (
    ExitInTwoSteps,
    FaultCompleted,
    MapPagesUnderRcu,
    MergeLockedFirst,
    PteOffsetMapLock,
    RetractUnderRmapLock,
    OverwriteInTree,
    StoredFirst,
    TreeDuplicated,
)

VARIANTS = [
    Variant(
        name="per-vma-6.12",
        title="per-VMA lock (rwsem and sequence)",
        kernel="v6.12",
        source="20230227173632.3292573-1-surenb@google.com",
        patches=(*KERNEL, PerVmaWriter, PerVmaReader),
        events=EVENTS,
    )
]
