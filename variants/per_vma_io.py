"""The three proposals of 2026: what to do with the VMA's lock while a fault waits for storage.

Today the fault drops it, and does its second pass under mmap_lock.  Two proposals let it take the VMA's lock
again: after the retries that say so (20260430040427.4672-1-baohua@kernel.org), or after all but those that
say no (20260522023305.98223-1-baohua@kernel.org).  The third keeps the lock and waits
(afNM-gIqxpyJ6ro7@casper.infradead.org).  All stand on the reference count of v6.15 and later.
"""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

from spfvar.mm.hookspecs import hookimpl
from spfvar.mm.vmf import TRIED, VMFault, VmFault
from spfvar.ops import objects as o
from spfvar.ops.op import Steps, again, loop
from spfvar.ops.primitives import at, count, equals, folio_lock, folio_trylock
from spfvar.plugins.variant import Event, Variant

from .mmap_lock import HoldAcrossIo
from .per_vma import KERNEL
from .per_vma_refcnt import REFCNT_EVENTS, RefcntReader, RefcntWriter
from .vma_lock import VMA_LOCK, fault_with_vma_lock


class RetryUnderVmaLock:
    """A fault that is told to retry begins again with its VMA, not with mmap_lock.  Which ones: `stays`."""

    def stays(self, ret: VMFault) -> bool:
        """Will the VMA's lock do for another pass?"""
        raise NotImplementedError

    @hookimpl(wrapper=True)
    def fault_with_vma_lock(self, vmf: VmFault) -> Generator[None, Steps, Steps]:
        return self._until_done((yield))

    def _until_done(self, one_pass: Steps) -> Steps:
        yield loop("retry_vma")
        ret = yield from one_pass
        if ret & VMFault.RETRY:
            yield again("retry_vma")
        return ret

    @hookimpl(wrapper=True)
    def retry_fault(self, vmf: VmFault, ret: Any) -> Generator[None, Steps, Steps]:
        retry = yield
        return self._retry_vma(vmf, ret) if vmf.has(VMA_LOCK) and self.stays(ret) else retry

    def _retry_vma(self, vmf: VmFault, ret: VMFault) -> Steps:
        yield count("vma_lock_retry_vma")
        # As before, only a major fault has spent its one drop of the lock; nothing bounds the others.  (No
        # monitor fills pages here: after the wait for one, TRIED stands for the page that it has filled.)
        if not ret & VMFault.MAJOR and not vmf.mapping.userfault:
            return VMFault.RETRY
        return (yield from fault_with_vma_lock(vmf.clear(VMA_LOCK).set(TRIED)))


class RetryIfMarked(RetryUnderVmaLock):
    """VM_FAULT_RETRY_VMA: the page is there now."""

    def stays(self, ret: VMFault) -> bool:
        return bool(ret & VMFault.RETRY_VMA)

    @hookimpl(wrapper=True)
    def filemap_fault(self, vmf: VmFault) -> Generator[None, Steps, Steps]:
        fault = yield
        return self._mark(fault) if vmf.has(VMA_LOCK) else fault

    @hookimpl(wrapper=True)
    def do_swap_page(self, vmf: VmFault) -> Generator[None, Steps, Steps]:
        swap = yield
        return self._mark(swap) if vmf.has(VMA_LOCK) else swap

    def _mark(self, fault: Steps) -> Steps:
        ret = yield from fault
        return ret | VMFault.RETRY_VMA if ret & VMFault.RETRY else ret

    @hookimpl(wrapper=True)
    def lock_folio_maybe_drop_mmap(self, vmf: VmFault) -> Generator[None, Steps, Steps]:
        lock_folio = yield
        return self._wait_if_uptodate(lock_folio) if vmf.has(VMA_LOCK) else lock_folio

    def _wait_if_uptodate(self, lock_folio: Steps) -> Steps:
        if (yield folio_trylock()):
            return False
        # Whoever has the lock only maps the page: that does not take long.
        if (yield equals(at(o.folio, o.UPTODATE), 1, "folio_test_uptodate")):
            yield folio_lock()
            return False
        return (yield from lock_folio)


class RetryUnlessHard(RetryUnderVmaLock):
    """VM_FAULT_RETRY_HARD: what the VMA's lock could not do, it cannot do the second time either."""

    def stays(self, ret: VMFault) -> bool:
        return not ret & VMFault.RETRY_HARD

    @hookimpl(wrapper=True)
    def anon_vma_prepare(self, vmf: VmFault) -> Generator[None, Steps, Steps]:
        return self._mark((yield))

    @hookimpl(wrapper=True)
    def vmf_can_call_fault(self, vmf: VmFault) -> Generator[None, Steps, Steps]:
        return self._mark((yield))

    def _mark(self, refusal: Steps) -> Steps:
        ret = yield from refusal
        return ret | VMFault.RETRY_HARD if ret & VMFault.RETRY else ret


IO_EVENTS = (
    *REFCNT_EVENTS,
    Event("vma_lock_retry_vma", "reason", "the VMA lock was dropped and taken again"),
)


#: What the proposals are made against.
BASE = (*KERNEL, RefcntWriter, RefcntReader)

VARIANTS = [
    Variant(
        name="per-vma-io-retry-vma",
        title="per-VMA lock, retried under it if the page was read",
        kernel="v7.0",
        source="20260430040427.4672-1-baohua@kernel.org",
        patches=(*BASE, RetryIfMarked),
        events=IO_EVENTS,
        rivals=("per-vma-refcnt",),
        compared=False,
    ),
    Variant(
        name="per-vma-io-retry-hard",
        title="per-VMA lock, retried under it unless that cannot help",
        kernel="v7.0",
        source="20260522023305.98223-1-baohua@kernel.org",
        patches=(*BASE, RetryUnlessHard),
        events=IO_EVENTS,
        rivals=("per-vma-refcnt",),
        compared=False,
    ),
    Variant(
        name="per-vma-io-hold",
        title="per-VMA lock, held across I/O",
        kernel="v7.0",
        source="afNM-gIqxpyJ6ro7@casper.infradead.org",
        patches=(*BASE, HoldAcrossIo),
        events=IO_EVENTS,
        rivals=("per-vma-refcnt",),
        compared=False,
    ),
]
