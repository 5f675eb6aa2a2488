"""What the designs with a sequence count per VMA share (Zijlstra 2010 and 2014, Dufour to 2019).

A fault works on a VMA that writers neither wait for nor know of: it reads the VMA's count, copies what it
needs, and looks at the count again once the page table is locked.  Writers make the count odd while they
change a VMA.  In the kernel each change is bracketed by itself; here a count stays odd until mmap_lock is
released or downgraded, which is what fork and mremap need, and longer than the others do.  The lookup's own
sequence lock (``mm_seq``) is left out: the VMA tree is one primitive here, and its cache line is the lock's.
"""

from __future__ import annotations

from collections.abc import Generator

from spfvar.mm import hookspecs as hooks
from spfvar.mm.hookspecs import hook_point, hookimpl
from spfvar.mm.vmf import VMA_COPY, VMFault, VmFault
from spfvar.ops import objects as o
from spfvar.ops.op import Steps, again, loop
from spfvar.ops.orders import smp_rmb, smp_wmb
from spfvar.ops.paging import pmd_same
from spfvar.ops.places import Field, Register, behind, member
from spfvar.ops.primitives import (
    add,
    at,
    copy_register,
    count,
    equals,
    equals_register,
    is_null,
    load,
    load_odd,
    load_ref,
    load_ref_nonnull,
    local_irq_disable,
    local_irq_enable,
    registers_equal,
    set_null,
    spin_trylock,
    spin_unlock,
    store,
    test_register,
    vma_contains,
)
from spfvar.plugins.variant import Event

from .spf_patches import PTL, SPECULATIVE, abort, seq

#: The end of the struct, away from most of what a fault reads of the VMA.
VM_SEQUENCE = Field(o.VMA, "vm_sequence", where=behind("vm_userfaultfd_ctx", 4), sequence=True, weak=True)
#: RB_EMPTY_NODE(&vma->vm_rb): the VMA has left the tree.
RB_EMPTY = Field(o.VMA, "vm_rb_empty", where=member("vm_rb"))
#: What a walk may find; anything else (swap, migration, hints) is left to mmap_lock.
HANDLED = ("no table", "none", "present", "write-protected")
#: The VMAs whose counts the thread has made odd: no call changes more than two.
written = Register("vm_written", o.VMA)
written_too = Register("vm_written_too", o.VMA)


@hook_point
def vma_may_speculate(vmf: VmFault) -> Steps:
    """May a fault on this VMA be handled without mmap_lock (2019: patch 20)?  Returns VMFault; RETRY: no."""
    raise AssertionError


class MarkWrittenVmas:
    """VMAs are marked while they are being changed.  A design says what the mark is."""

    def begin_write(self, vma: Register) -> Steps:
        """Mark the VMA."""
        raise NotImplementedError

    def end_write(self, vma: Register) -> Steps:
        """Take the mark away."""
        raise NotImplementedError

    @hookimpl
    def vma_start_write(self, vma: Register) -> Steps:
        if (yield registers_equal(written, vma)) or (yield registers_equal(written_too, vma)):
            return
        yield copy_register(written if (yield is_null(written)) else written_too, vma)
        yield from self.begin_write(vma)

    def forget(self, vma: Register) -> Steps:
        """The mark stays, for this VMA will not be used again."""
        for mine in (written, written_too):
            if (yield registers_equal(mine, vma)):
                yield set_null(mine)

    @hookimpl(wrapper=True)
    def vm_area_free(self, vma: Register) -> Generator[None, Steps, Steps]:
        return self._forget_and_free(vma, (yield))

    def _forget_and_free(self, vma: Register, free_vma: Steps) -> Steps:
        yield from self.forget(vma)
        yield from free_vma

    @hookimpl(wrapper=True)
    def mmap_write_unlock(self) -> Generator[None, Steps, Steps]:
        return self._end_then((yield))

    @hookimpl(wrapper=True)
    def mmap_write_downgrade(self) -> Generator[None, Steps, Steps]:
        return self._end_then((yield))

    def _end_then(self, unlock: Steps) -> Steps:
        for mine in (written, written_too):
            if not (yield is_null(mine)):
                yield from self.end_write(mine)
                yield set_null(mine)
        yield from unlock


class VmSequenceWriter(MarkWrittenVmas):
    """vm_write_begin and vm_write_end: the count of a VMA is odd while it is being changed.

    They are write_seqcount_begin and write_seqcount_end, with the barriers of these.
    """

    def begin_write(self, vma: Register) -> Steps:
        yield add(at(vma, VM_SEQUENCE), 1, "vm_write_begin", atomic=False)
        yield smp_wmb()

    def end_write(self, vma: Register) -> Steps:
        yield smp_wmb()
        yield add(at(vma, VM_SEQUENCE), 1, "vm_write_end", atomic=False)

    @hookimpl
    def vma_mark_detached(self, vma: Register) -> Steps:
        yield store(at(vma, RB_EMPTY), 1)


def vma_has_changed() -> Steps:
    """Has the VMA left the tree, or has a writer begun, since its count was read?"""
    if (yield equals(at(o.vma, RB_EMPTY), 1, "RB_EMPTY_NODE")):
        return True
    yield smp_rmb()
    return not (yield equals_register(at(o.vma, VM_SEQUENCE), seq, "read_seqcount_retry"))


class SpeculateOnVma:
    """Try the fault on the VMA itself before taking mmap_lock.  A design says how the VMA is had and kept.

    ``on_vma`` is the fault on it.
    """

    def get_vma(self) -> Steps:
        """Returns whether there is a VMA at the address; it is then kept from being freed."""
        raise NotImplementedError

    def put_vma(self) -> Steps:
        """The fault has done with the VMA."""
        raise NotImplementedError

    def on_vma(self, vmf: VmFault) -> Steps:
        """Handle the fault, or return VM_FAULT_RETRY."""
        raise NotImplementedError

    def is_still_good(self) -> Steps:
        """Between the walk and the handling of what it found: returns whether the fault may go on."""
        return True
        yield

    @hookimpl(wrapper=True)
    def handle_pte_fault(self, vmf: VmFault, pte: str) -> Generator[None, Steps, Steps]:
        handle = yield
        return self._handle(pte, handle) if vmf.has(SPECULATIVE) else handle

    def _handle(self, pte: str, handle: Steps) -> Steps:
        if pte not in HANDLED:
            return (yield from abort("entry"))
        if not (yield from self.is_still_good()):
            return (yield from abort("vma_changed"))
        return (yield from handle)

    @hookimpl(wrapper=True)
    def do_user_addr_fault(self, vmf: VmFault) -> Generator[None, Steps, Steps]:
        return self._speculate_first(vmf, (yield))

    def _speculate_first(self, vmf: VmFault, locked: Steps) -> Steps:
        if not vmf.user:
            return (yield from locked)
        yield count("spf_attempt")
        if (yield from self.get_vma()):
            ret = yield from self.on_vma(vmf.set(SPECULATIVE, VMA_COPY))
            yield from self.put_vma()
        else:
            ret = yield from abort("unmapped")
        if not ret & VMFault.RETRY:
            return ret
        yield count("spf_abort")
        return (yield from locked)


class SpeculateOnSequence(SpeculateOnVma):
    """The fault reads the VMA's count first, and looks at it again before it looks at the entry."""

    def on_vma(self, vmf: VmFault) -> Steps:
        odd = yield load_odd(at(o.vma, VM_SEQUENCE), seq)
        yield smp_rmb()
        if odd:
            return (yield from abort("odd"))
        ret = yield from vma_may_speculate(vmf)
        if ret:
            return ret
        if not (yield vma_contains()):
            return (yield from abort("unmapped"))
        yield from self._snapshot(vmf)
        if vmf.write and not (yield test_register(o.vm_page_prot, 1, "access_error")):
            return VMFault.SIGSEGV
        return (yield from hooks.handle_mm_fault(vmf))

    def _snapshot(self, vmf: VmFault) -> Steps:
        """vma_flags, vma_page_prot, and what pgoff follows from; valid if the count has not changed since."""
        yield load(at(o.vma, o.VM_WRITE), o.vm_page_prot)
        yield load_ref(at(o.vma, o.VM_ANON_VMA), o.anon_vma)
        yield load(at(o.vma, o.VM_PGOFF), o.vm_pgoff).untimed()
        yield load(at(o.vma, o.VM_START), o.vm_start).untimed()
        if vmf.mapping.policy:
            yield load_ref(at(o.vma, o.VM_POLICY), o.vm_policy)
        if not vmf.mapping.anonymous:
            yield load_ref(at(o.vma, o.VM_FILE), o.vm_file)
            yield load(at(o.vma, o.VM_END), o.vm_end)

    def is_still_good(self) -> Steps:
        return not (yield from vma_has_changed())


def pte_map_lock_failed(check: str) -> Steps:
    """Interrupts on, and why the table is not locked."""
    yield local_irq_enable()
    yield count(f"spf_abort_pte_map_lock_{check}")
    return False


class SpinningPteMapLock:
    """Lock the page table if the VMA is as it was; tried again, interrupts on, until it is had.

    Patches 21 and 22 of 31 of 2019.
    """

    @hookimpl(wrapper=True)
    def pte_map_lock(self, vmf: VmFault) -> Generator[None, Steps, Steps]:
        lock = yield
        return self._lock() if vmf.has(SPECULATIVE) else lock

    def _lock(self) -> Steps:
        yield loop("again")
        yield local_irq_disable()
        if (yield from vma_has_changed()):
            return (yield from pte_map_lock_failed("vma"))
        if not (yield pmd_same()):
            return (yield from pte_map_lock_failed("pmd"))
        if not (yield spin_trylock(PTL)):
            yield local_irq_enable()
            yield again("again")
        if (yield from vma_has_changed()):
            yield spin_unlock(PTL)
            return (yield from pte_map_lock_failed("vma"))
        yield local_irq_enable()
        return True


class NoPolicyOnVma:
    """A VMA with a memory policy does not speculate: mbind's mpol_put frees the old one at once.

    As posted the policy is read while mbind may replace it (twin H4).
    """

    @hookimpl(wrapper=True)
    def vma_may_speculate(self, vmf: VmFault) -> Generator[None, Steps, Steps]:
        other = yield
        return self._unless_policy(other) if vmf.mapping.policy else other

    def _unless_policy(self, other: Steps) -> Steps:
        if (yield load_ref_nonnull(at(o.vma, o.VM_POLICY), o.vm_policy)):
            return (yield from abort("no_speculate"))
        return (yield from other)


EVENTS = (
    Event("spf_attempt", "attempt", "faults tried speculatively"),
    Event("spf_abort", "abort", "speculative faults done again under mmap_lock"),
    Event("spf_abort_odd", "reason", "a writer was changing the VMA when the fault began"),
    Event("spf_abort_unmapped", "reason", "no VMA at the address"),
    Event("spf_abort_no_speculate", "reason", "this kind of VMA does not speculate"),
    Event("spf_abort_anon_vma", "reason", "the VMA has no anon_vma yet"),
    Event("spf_abort_pmd", "reason", "no page table yet (once per 2 MiB)"),
    Event("spf_abort_entry", "reason", "the entry is of a kind that is left to mmap_lock"),
    Event("spf_abort_vma_changed", "reason", "a writer changed the VMA before the entry was looked at"),
    Event("spf_abort_pte_map_lock_vma", "reason", "a writer changed the VMA before the table was locked"),
    Event("spf_abort_pte_map_lock_pmd", "reason", "the page table was replaced"),
)
