"""What every design of per-VMA locks shares: the fault around the lock, what falls back, the writers' count.

Sources: arch/x86/mm/fault.c; mm/memory.c __vmf_anon_prepare, vmf_can_call_fault;
include/linux/mmap_lock.h (6.12.117, where mm_lock_seq is a sequence count, odd while mmap_lock is held for
writing).
"""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

from spfvar.mm import hookspecs as hooks
from spfvar.mm.fault import access_error, new_anon_vma
from spfvar.mm.hookspecs import hook_point, hookimpl
from spfvar.mm.userfault import maps_file
from spfvar.mm.vmf import TRIED, VMFault, VmFault
from spfvar.ops import objects as o
from spfvar.ops.op import Steps
from spfvar.ops.places import Field, Register, behind
from spfvar.ops.primitives import at, copy_register, count, load_ref_nonnull, rcu_read_unlock
from spfvar.plugins.variant import Event

VMA_LOCK = "VMA_LOCK"
VM_LOCK_SEQ = Field(o.VMA, "vm_lock_seq", where=behind("vm_flags", 4), weak=True)
# Starts at 2: a VMA's own count starts at 0 and must differ.
MM_LOCK_SEQ = Field(o.MM, "mm_lock_seq", where=behind("mmlist", 4), initial=2, sequence=True, weak=True)
vm_lock_seq = Register("vm_lock_seq")


@hook_point
def fault_with_vma_lock(vmf: VmFault) -> Steps:
    """The pass under the VMA's lock, which goes on to mmap_lock where it has to (arch/x86/mm/fault.c).

    Returns VMFault.
    """
    raise AssertionError


class VmaLockFault:
    """Faults under the read lock of their VMA alone; what that lock cannot do falls back.

    A design says how the lock is had and how it is given back.
    """

    def lock_vma_under_rcu(self, vmf: VmFault) -> Steps:
        """Returns whether the VMA of ``address`` is found and locked; there is no RCU section then."""
        raise NotImplementedError

    def vma_end_read(self) -> Steps:
        """Release the VMA read lock; the VMA may be freed right after."""
        raise NotImplementedError

    def abort(self, reason: str) -> Steps:
        """No lock: leave the RCU section."""
        yield rcu_read_unlock()
        yield count(f"vma_lock_abort_{reason}")
        return False

    @hookimpl(wrapper=True)
    def do_user_addr_fault(self, vmf: VmFault) -> Generator[None, Steps, Steps]:
        return self._vma_lock_first(vmf, (yield))

    def _vma_lock_first(self, vmf: VmFault, with_mmap_lock: Steps) -> Steps:
        if not vmf.user:
            return (yield from with_mmap_lock)
        yield count("vma_lock_attempt")
        return (yield from fault_with_vma_lock(vmf))

    @hookimpl
    def fault_with_vma_lock(self, vmf: VmFault) -> Steps:
        if not (yield from self.lock_vma_under_rcu(vmf)):
            yield count("vma_lock_abort")
            return (yield from hooks.fault_with_mmap_lock(vmf))
        fault = vmf.set(VMA_LOCK)
        if (yield from access_error(fault)):
            yield from self.vma_end_read()
            return (yield from self.bad_access(vmf))
        ret = yield from hooks.handle_mm_fault(fault)
        if ret & VMFault.RETRY:
            return (yield from hooks.retry_fault(fault, ret))
        if not ret & VMFault.COMPLETED:
            yield from self.vma_end_read()
        return ret

    def bad_access(self, vmf: VmFault) -> Steps:
        """The VMA forbids the access; its lock is no longer held.  v6.10 and later: that is final."""
        return VMFault.SIGSEGV
        yield

    @hookimpl(wrapper=True)
    def release_fault_lock(self, vmf: VmFault) -> Generator[None, Steps, Steps]:
        release_mmap_lock = yield
        return self.vma_end_read() if vmf.has(VMA_LOCK) else release_mmap_lock

    @hookimpl(wrapper=True)
    def retry_fault(self, vmf: VmFault, ret: Any) -> Generator[None, Steps, Steps]:
        retry = yield
        return self._retry_with_mmap_lock(vmf, ret) if vmf.has(VMA_LOCK) else retry

    def _retry_with_mmap_lock(self, vmf: VmFault, ret: VMFault) -> Steps:
        yield count("vma_lock_retry")
        vmf = vmf.clear(VMA_LOCK)
        # Only a major fault spends its one allowed drop of the lock.
        if ret & VMFault.MAJOR:
            vmf = vmf.set(TRIED)
        return (yield from hooks.fault_with_mmap_lock(vmf))

    @hookimpl(wrapper=True)
    def anon_vma_prepare(self, vmf: VmFault) -> Generator[None, Steps, Steps]:
        prepare = yield
        return self._prepare(vmf) if vmf.has(VMA_LOCK) else prepare

    def _prepare(self, vmf: VmFault) -> Steps:
        if (yield load_ref_nonnull(at(o.vma, o.VM_ANON_VMA), o.anon_vma)):
            return VMFault.NONE
        # Neighbours are looked at, so mmap_lock; but waiting for it would deadlock with a writer.
        if not (yield from hooks.mmap_read_trylock(o.address, None)):
            yield count("vma_lock_retry_anon_vma")
            yield from self.vma_end_read()
            return VMFault.RETRY
        ret = yield from new_anon_vma(vmf)
        yield from hooks.mmap_read_unlock()
        return ret

    def vma_start_read_locked(self) -> Steps:
        """Lock ``vma`` for reading under mmap_lock.  Returns whether the lock was had."""
        raise NotImplementedError

    @hookimpl(wrapper=True)
    def uffd_mfill_lock(self, vmf: VmFault) -> Generator[None, Steps, Steps]:
        return self._uffd_lock_vma(vmf, (yield))

    def _uffd_lock_vma(self, vmf: VmFault, under_mmap_lock: Steps) -> Steps:
        """v6.9 and later: the VMA's lock, which mmap_lock is taken for only if it is not had at once."""
        if (yield from self.lock_vma_under_rcu(vmf)):
            if (yield load_ref_nonnull(at(o.vma, o.VM_ANON_VMA), o.anon_vma)) or (yield from maps_file()):
                return vmf.set(VMA_LOCK)
            yield from self.vma_end_read()
        if (yield from under_mmap_lock) is False:
            return False
        locked = yield from self.vma_start_read_locked()
        yield from hooks.mmap_read_unlock()
        return vmf.set(VMA_LOCK) if locked else False

    @hookimpl(wrapper=True)
    def uffd_move_lock(self, vmf: VmFault) -> Generator[None, Steps, Steps]:
        return self._uffd_lock_vmas(vmf, (yield))

    def _uffd_lock_vmas(self, vmf: VmFault, under_mmap_lock: Steps) -> Steps:
        """The source is not waited for with the destination locked, for who writes to it may want that."""
        yield copy_register(o.address, o.new_start)
        if (yield from hooks.uffd_mfill_lock(vmf)) is False:
            return False
        yield copy_register(o.new_vma, o.vma)
        yield copy_register(o.address, o.range_start)
        if (yield from self.lock_vma_under_rcu(vmf)):
            return True
        yield copy_register(o.vma, o.new_vma)
        yield from self.vma_end_read()
        if not (yield from under_mmap_lock):
            return False
        locked = yield from self._lock_both()
        yield from hooks.mmap_read_unlock()
        return locked

    def _lock_both(self) -> Steps:
        if not (yield from self.vma_start_read_locked()):
            return False
        yield copy_register(o.near, o.vma)
        yield copy_register(o.vma, o.new_vma)
        locked = yield from self.vma_start_read_locked()
        yield copy_register(o.vma, o.near)
        if not locked:
            yield from self.vma_end_read()
        return locked

    @hookimpl
    def uffd_move_unlock(self, vmf: VmFault) -> Steps:
        yield from self.vma_end_read()
        yield copy_register(o.vma, o.new_vma)
        yield from self.vma_end_read()

    @hookimpl(wrapper=True)
    def vmf_can_call_fault(self, vmf: VmFault) -> Generator[None, Steps, Steps]:
        yes = yield
        refused = vmf.has(VMA_LOCK) and not vmf.mapping.map_pages
        return self._refuse() if refused else yes

    def _refuse(self) -> Steps:
        yield count("vma_lock_retry_no_map_pages")
        yield from self.vma_end_read()
        return VMFault.RETRY


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
