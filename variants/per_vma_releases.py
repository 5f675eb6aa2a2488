"""Per-VMA locks release by release, v6.4 to v6.7: what the lock did not cover yet.

Sources: mm/memory.c and arch/x86/mm/fault.c of these releases; the series of v6.4
(20230227173632.3292573-1-surenb@google.com), v6.6 (20230711202047.3818697-1-willy@infradead.org and "Per-VMA
lock support for swap and userfaults") and v6.7 (20231006195318.4087158-1-willy@infradead.org).

Each is taken with later fixes: fork write-locks the parent's VMAs (fb49c455323f), the anon_vma is looked at
once the VMA is locked (657b5146955e), a VMA's range once it is known not to be detached, a major fault sets
FAULT_FLAG_TRIED when it is sent to mmap_lock, and fork stores a VMA before it links it in its file
(35e351780fa9).  Twins put the bugs back.
"""

from __future__ import annotations

from collections.abc import Generator
from typing import ClassVar

from spfvar.mm import hookspecs as hooks
from spfvar.mm.exit import ExitInTwoSteps
from spfvar.mm.fork import StoredFirst
from spfvar.mm.hookspecs import hookimpl
from spfvar.mm.khugepaged import RetractUnderRmapLock
from spfvar.mm.pte_offset_map import PteOffsetMapLock
from spfvar.mm.vmf import VMFault, VmFault
from spfvar.ops import objects as o
from spfvar.ops.op import Steps
from spfvar.ops.places import Field, behind
from spfvar.ops.primitives import add, at, count, load_ref_nonnull, up_read
from spfvar.plugins.variant import Event, Variant

from .per_vma import VM_LOCK, FaultCompleted, MapPagesUnderRcu, PerVmaReader, PerVmaWriter
from .vma_lock import EVENTS, VMA_LOCK

#: ``mm_lock_seq`` as a mere count; v6.13 made it a sequence count.
MM_LOCK_COUNT = Field(o.MM, "mm_lock_seq", where=behind("mmlist", 4), initial=2, weak=True)


class CountedAtEnd(PerVmaWriter):
    """Until v6.13 ``mm_lock_seq`` is counted only where a write section ends."""

    sequence = MM_LOCK_COUNT
    #: Of ending all write locks: ``smp_store_release(&mm->mm_lock_seq, ...)`` in vma_end_write_all of v6.4.
    end_order: ClassVar[str] = "release"

    def _then_begin(self, lock: Steps) -> Steps:
        return lock

    def _begin_if(self, trylock: Steps) -> Steps:
        return trylock

    def write_seqcount_end(self) -> Steps:
        yield add(at(o.mm, self.sequence), 1, "write_seqcount_end", order=self.end_order, atomic=False)


class AnonVmaAtLookup(PerVmaReader):
    """Until v6.9: no anon_vma is made under the VMA lock, and no signal sent."""

    sequence = MM_LOCK_COUNT

    def vma_start_read(self, vmf: VmFault) -> Steps:
        if not (yield from super().vma_start_read(vmf)):
            return False
        if vmf.mapping.anonymous and not (yield load_ref_nonnull(at(o.vma, o.VM_ANON_VMA), o.anon_vma)):
            return (yield from self.unsuitable("no_anon_vma"))
        return True

    def unsuitable(self, reason: str) -> Steps:
        """The VMA was locked for nothing."""
        yield up_read(at(o.vma, VM_LOCK), "vma_end_read")
        return (yield from self.abort(reason))

    # Until v6.9 a userfaultfd's monitor takes mmap_lock.

    def _uffd_lock_vma(self, vmf: VmFault, under_mmap_lock: Steps) -> Steps:
        return under_mmap_lock

    def _uffd_lock_vmas(self, vmf: VmFault, under_mmap_lock: Steps) -> Steps:
        return under_mmap_lock

    @hookimpl
    def uffd_move_unlock(self, vmf: VmFault) -> Steps:
        yield from hooks.mmap_read_unlock()

    def bad_access(self, vmf: VmFault) -> Steps:
        yield count("vma_lock_abort")
        yield count("vma_lock_abort_access")
        return (yield from hooks.fault_with_mmap_lock(vmf))

    def _prepare(self, vmf: VmFault) -> Steps:
        if (yield load_ref_nonnull(at(o.vma, o.VM_ANON_VMA), o.anon_vma)):
            return VMFault.NONE
        yield count("vma_lock_retry_anon_vma")
        yield from self.vma_end_read()
        return VMFault.RETRY


class AnonymousOnly(AnonVmaAtLookup):
    """v6.4: VMAs of files and of userfaultfd are left to mmap_lock when they are found; swap entries, too."""

    def vma_start_read(self, vmf: VmFault) -> Steps:
        if not vmf.mapping.anonymous:
            return (yield from self.abort("file"))
        if not (yield from super().vma_start_read(vmf)):
            return False
        if vmf.mapping.userfault:
            return (yield from self.unsuitable("userfault"))
        return True

    @hookimpl(wrapper=True)
    def do_swap_page(self, vmf: VmFault) -> Generator[None, Steps, Steps]:
        swap = yield
        return self._refuse_swap() if vmf.has(VMA_LOCK) else swap

    def _refuse_swap(self) -> Steps:
        yield count("vma_lock_retry_swap")
        yield from self.vma_end_read()
        return VMFault.RETRY


class MapPagesOnly(AnonVmaAtLookup):
    """v6.6: of the file faults only fault-around, and what finds its page mapped; never ``->fault``."""

    @hookimpl(wrapper=True)
    def vmf_can_call_fault(self, vmf: VmFault) -> Generator[None, Steps, Steps]:
        yes = yield
        return self._refuse_file() if vmf.has(VMA_LOCK) else yes

    def _refuse_file(self) -> Steps:
        yield count("vma_lock_retry_file")
        yield from self.vma_end_read()
        return VMFault.RETRY


RELEASE_EVENTS = (
    *EVENTS,
    Event("vma_lock_abort_file", "reason", "the VMA maps a file"),
    Event("vma_lock_abort_userfault", "reason", "the VMA is registered with a userfaultfd"),
    Event("vma_lock_abort_no_anon_vma", "reason", "an anonymous VMA without anon_vma"),
    Event("vma_lock_abort_access", "reason", "the VMA forbids the access; mmap_lock's pass says so"),
    Event("vma_lock_retry_swap", "reason", "the entry is a swap entry"),
    Event("vma_lock_retry_file", "reason", "->fault is called under mmap_lock only"),
)

#: What v6.6 to v6.11 do unlike v5.12 besides their locks.
KERNEL_6_6 = (
    ExitInTwoSteps,
    FaultCompleted,
    MapPagesUnderRcu,
    PteOffsetMapLock,
    RetractUnderRmapLock,
    StoredFirst,
)

VARIANTS = [
    Variant(
        name="per-vma-6.4",
        title="per-VMA lock, anonymous memory only",
        kernel="v6.4 + later fixes",
        source="20230227173632.3292573-1-surenb@google.com",
        patches=(ExitInTwoSteps, FaultCompleted, StoredFirst, CountedAtEnd, AnonymousOnly),
        events=RELEASE_EVENTS,
        rivals=("per-vma-6.6",),
        compared=False,
    ),
    Variant(
        name="per-vma-6.6",
        title="per-VMA lock, also for fault-around",
        kernel="v6.6 + later fixes",
        source="20230711202047.3818697-1-willy@infradead.org",
        patches=(*KERNEL_6_6, CountedAtEnd, MapPagesOnly),
        events=RELEASE_EVENTS,
        rivals=("per-vma-6.7",),
        compared=False,
    ),
    Variant(
        name="per-vma-6.7",
        title="per-VMA lock, also for ->fault",
        kernel="v6.7 + later fixes",
        source="20231006195318.4087158-1-willy@infradead.org",
        patches=(*KERNEL_6_6, CountedAtEnd, AnonVmaAtLookup),
        events=RELEASE_EVENTS,
        rivals=("per-vma-6.12",),
        compared=False,
    ),
]
