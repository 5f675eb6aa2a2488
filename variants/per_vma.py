"""Per-VMA locks as in v6.12: a rwsem per VMA, write-locked by number (Baghdasaryan, v6.4 and later).

Sources: include/linux/mm.h vma_start_read, vma_start_write; mm/memory.c lock_vma_under_rcu,
__vmf_anon_prepare, vmf_can_call_fault; include/linux/mmap_lock.h; arch/x86/mm/fault.c (6.12.117, where
mm_lock_seq is a sequence count, odd while mmap_lock is held for writing).
"""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

from spfvar.mm import hookspecs as hooks
from spfvar.mm.fault import MMAP_LOCK, access_error
from spfvar.mm.hookspecs import hookimpl
from spfvar.mm.khugepaged import RetractUnderRmapLock
from spfvar.mm.map_fixed import OverwriteInTree
from spfvar.mm.pte_offset_map import PteOffsetMapLock
from spfvar.mm.sequence import WriteSequence
from spfvar.mm.vmf import TRIED, VMFault, VmFault
from spfvar.ops import objects as o
from spfvar.ops.op import Steps, again, loop
from spfvar.ops.places import RWSEM_WORDS, Field, Register
from spfvar.ops.primitives import (
    at,
    call_rcu,
    count,
    down_read_trylock,
    down_write,
    equals,
    equals_register,
    find_vma,
    load,
    load_ref_nonnull,
    rcu_read_lock,
    rcu_read_unlock,
    store,
    store_register,
    up_read,
    up_write,
    vma_contains,
)
from spfvar.plugins.variant import Event, Variant

VMA_LOCK = "VMA_LOCK"
VM_LOCK = Field(o.VMA, "vm_lock", RWSEM_WORDS, line="vm_lock")
VM_LOCK_SEQ = Field(o.VMA, "vm_lock_seq")
DETACHED = Field(o.VMA, "detached")
# Starts at 2: a VMA's own count starts at 0 and must differ.
MM_LOCK_SEQ = Field(o.MM, "mm_lock_seq", line="mm_lock_seq", initial=2)
vm_lock_seq = Register("vm_lock_seq")


def vma_end_read() -> Steps:
    """Release the VMA read lock; the VMA may be freed right after."""
    yield rcu_read_lock()
    yield up_read(at(o.vma, VM_LOCK), "vma_end_read")
    yield rcu_read_unlock()


class PerVmaReader:
    """Faults under the read lock of their VMA alone; what that lock cannot do falls back."""

    @hookimpl(wrapper=True)
    def do_user_addr_fault(self, vmf: VmFault) -> Generator[None, Steps, Steps]:
        return self._vma_lock_first(vmf, (yield))

    def _vma_lock_first(self, vmf: VmFault, with_mmap_lock: Steps) -> Steps:
        yield count("vma_lock_attempt")
        if not (yield from self._lock_vma_under_rcu()):
            yield count("vma_lock_abort")
            return (yield from with_mmap_lock)
        fault = vmf.set(VMA_LOCK)
        if (yield from access_error(fault)):
            yield from vma_end_read()
            return VMFault.SIGSEGV
        ret = yield from hooks.handle_mm_fault(fault)
        if ret & VMFault.RETRY:
            yield count("vma_lock_retry")
            return (yield from hooks.retry_fault(fault, ret))
        if not ret & VMFault.COMPLETED:
            yield from vma_end_read()
        return ret

    def _lock_vma_under_rcu(self) -> Steps:
        yield rcu_read_lock()
        yield loop("retry")
        if not (yield find_vma(name="mas_walk")):
            return (yield from self._abort("no_vma"))
        locked = yield from self._vma_start_read()
        if not locked:
            return False
        if (yield equals(at(o.vma, DETACHED), 1, "detached")):
            yield up_read(at(o.vma, VM_LOCK), "vma_end_read")
            yield count("vma_lock_miss")
            yield again("retry")
        if not (yield vma_contains()):
            yield up_read(at(o.vma, VM_LOCK), "vma_end_read")
            return (yield from self._abort("moved"))
        yield rcu_read_unlock()
        return True

    def _vma_start_read(self) -> Steps:
        yield load(at(o.vma, VM_LOCK_SEQ), vm_lock_seq)
        if (yield equals_register(at(o.mm, MM_LOCK_SEQ), vm_lock_seq, "write-locked")):
            return (yield from self._abort("write_locked"))
        if not (yield down_read_trylock(at(o.vma, VM_LOCK), "vma_start_read")):
            return (yield from self._abort("contended"))
        yield load(at(o.vma, VM_LOCK_SEQ), vm_lock_seq)
        if (yield equals_register(at(o.mm, MM_LOCK_SEQ), vm_lock_seq, "write-locked")):
            yield up_read(at(o.vma, VM_LOCK), "vma_end_read")
            return (yield from self._abort("write_locked"))
        return True

    def _abort(self, reason: str) -> Steps:
        yield rcu_read_unlock()
        yield count(f"vma_lock_abort_{reason}")
        return False

    @hookimpl(wrapper=True)
    def release_fault_lock(self, vmf: VmFault) -> Generator[None, Steps, Steps]:
        release_mmap_lock = yield
        return vma_end_read() if vmf.has(VMA_LOCK) else release_mmap_lock

    @hookimpl(wrapper=True)
    def retry_fault(self, vmf: VmFault, ret: Any) -> Generator[None, Steps, Steps]:
        retry = yield
        return self._retry_with_mmap_lock(vmf, ret) if vmf.has(VMA_LOCK) else retry

    def _retry_with_mmap_lock(self, vmf: VmFault, ret: VMFault) -> Steps:
        vmf = vmf.clear(VMA_LOCK)
        # Only a major fault spends its one allowed drop of the lock.
        if ret & VMFault.MAJOR:
            vmf = vmf.set(TRIED)
        return (yield from hooks.fault_with_mmap_lock(vmf))

    @hookimpl(wrapper=True)
    def anon_vma_prepare(self, vmf: VmFault) -> Generator[None, Steps, Steps]:
        prepare = yield
        return self._prepare(vmf, prepare) if vmf.has(VMA_LOCK) else prepare

    def _prepare(self, vmf: VmFault, prepare: Steps) -> Steps:
        if (yield load_ref_nonnull(at(o.vma, o.VM_ANON_VMA), o.anon_vma)):
            return VMFault.NONE
        # Neighbours are looked at, so mmap_lock; but waiting for it would deadlock with a writer.
        if not (yield down_read_trylock(MMAP_LOCK, "mmap_read_trylock")):
            yield count("vma_lock_retry_anon_vma")
            yield from vma_end_read()
            return VMFault.RETRY
        ret = yield from prepare
        yield up_read(MMAP_LOCK, "mmap_read_unlock")
        return ret

    @hookimpl(wrapper=True)
    def vmf_can_call_fault(self, vmf: VmFault) -> Generator[None, Steps, Steps]:
        yes = yield
        refused = vmf.has(VMA_LOCK) and not vmf.mapping.map_pages
        return self._refuse() if refused else yes

    def _refuse(self) -> Steps:
        yield count("vma_lock_retry_no_map_pages")
        yield from vma_end_read()
        return VMFault.RETRY


class PerVmaWriter(WriteSequence):
    """Writers exclude the faults of the VMAs they change, until mmap_lock is released."""

    sequence = MM_LOCK_SEQ

    @hookimpl
    def vma_start_write(self, vma: Register) -> Steps:
        yield load(at(o.mm, MM_LOCK_SEQ), vm_lock_seq)
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
    def map_pages(self, vmf: VmFault) -> Generator[None, Steps, Steps]:
        return self._in_section((yield))

    def _in_section(self, map_pages: Steps) -> Steps:
        yield rcu_read_lock()
        result = yield from map_pages
        yield rcu_read_unlock()
        return result


class FaultCompleted:
    """v6.0 and later: a shared write fault that dropped its lock is done, not retried."""

    @hookimpl
    def fault_dirty_shared_page(self, vmf: VmFault) -> Steps:
        return VMFault.COMPLETED
        yield


EVENTS = (
    Event("vma_lock_attempt", "attempt", "faults tried under the VMA lock"),
    Event("vma_lock_abort", "abort", "no VMA lock was had"),
    Event("vma_lock_retry", "abort", "the VMA lock was dropped and mmap_lock taken"),
    Event("vma_lock_abort_no_vma", "reason", "no VMA at the address"),
    Event("vma_lock_abort_write_locked", "reason", "a writer had marked the VMA"),
    Event("vma_lock_abort_contended", "reason", "a writer was taking the VMA's lock"),
    Event("vma_lock_abort_moved", "reason", "the VMA no longer covers the address"),
    Event("vma_lock_miss", "reason", "the VMA was detached; looked up again"),
    Event("vma_lock_retry_anon_vma", "reason", "no anon_vma yet and mmap_lock was not free"),
    Event("vma_lock_retry_no_map_pages", "reason", "the file's driver has no map_pages"),
)

VARIANTS = [
    Variant(
        name="per-vma-6.12",
        title="per-VMA lock (rwsem and sequence)",
        kernel="v6.12",
        source="20230227173632.3292573-1-surenb@google.com",
        patches=(
            FaultCompleted,
            MapPagesUnderRcu,
            PteOffsetMapLock,
            RetractUnderRmapLock,
            OverwriteInTree,
            PerVmaWriter,
            PerVmaReader,
        ),
        events=EVENTS,
    )
]
