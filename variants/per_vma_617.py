"""Per-VMA locks as in v6.17: /proc/pid/maps and madvise(MADV_DONTNEED) do without mmap_lock, too.

Sources: mm/mmap_lock.c lock_next_vma, fs/proc/task_mmu.c proc_get_vma (Baghdasaryan); mm/madvise.c
try_vma_read_lock (Song).  The locks are those of `per_vma_refcnt`.

Left out: if a VMA has too many readers even for one with mmap_lock, v6.17 keeps that lock for the rest of the
read; here the read ends.
"""

from __future__ import annotations

from spfvar.mm import hookspecs as hooks
from spfvar.mm.hookspecs import hookimpl
from spfvar.mm.proc import show_map_vma
from spfvar.mm.stack import ExpandUnderMmapLock
from spfvar.mm.vmf import Mapping
from spfvar.mm.writers import end_with_vma, over_range
from spfvar.ops import objects as o
from spfvar.ops.op import Steps, again, loop
from spfvar.ops.places import Register
from spfvar.ops.primitives import (
    at,
    copy_register,
    count,
    equals_register,
    find_vma,
    inc_not_zero,
    load,
    next_address,
    rcu_read_lock,
    rcu_read_unlock,
    registers_equal,
    test_register,
    vma_contains,
    work,
)
from spfvar.plugins.variant import Event, Variant

from .per_vma_refcnt import (
    KERNEL,
    REFCNT_EVENTS,
    VM_REFCNT,
    VMA_REF_LIMIT,
    RefcntLock,
    RefcntReader,
    RefcntWriter,
)
from .vma_lock import MM_LOCK_SEQ

from_addr = Register("from_addr")  # behind the last VMA that was shown
mm_wr_seq = Register("mm_wr_seq")


class MapsByVma(RefcntLock):
    """/proc/pid/maps locks one VMA at a time; a gap before it is shown only if it was there."""

    @hookimpl
    def show_map(self) -> Steps:
        yield work("syscall", "read")
        yield from over_range()
        yield rcu_read_lock()
        yield loop("m_next")
        got = yield from self.lock_next_vma()
        if got == "locked":
            yield from show_map_vma()
            yield from self.vma_refcount_put()
        if got != "busy" and (yield next_address(o.cursor, o.limit)):
            yield again("m_next")
        yield rcu_read_unlock()

    def lock_next_vma(self) -> Steps:
        """The first VMA at ``cursor`` or behind, locked; begins and ends in an RCU section.

        Returns "locked"; "none", with ``cursor`` at the end; or "busy" if it has too many readers.
        """
        yield copy_register(from_addr, o.cursor)
        yield loop("retry")
        yield load(at(o.mm, MM_LOCK_SEQ), mm_wr_seq)  # mmap_lock_speculate_try_begin()
        if not (yield from vma_next(o.vma)):
            return "none"
        got = yield from self.vma_start_read()
        if got == "detached":
            yield rcu_read_lock()
            yield again("retry")
        if got != "locked":
            return (yield from self.lock_next_vma_under_mmap_lock())
        if (yield vma_contains(key=from_addr)) or (yield from self.is_next()):
            return "locked"
        return (yield from self.unlock_and_fall_back())

    def is_next(self) -> Steps:
        """Is there nothing between ``from_addr`` and the VMA, which does not contain it?"""
        yield load(at(o.vma, o.VM_END), o.vm_end)
        if not (yield next_address(from_addr, o.vm_end, 0)):
            return False  # it ends before
        # If nobody writes, the gap was there when the VMA was found.
        if not (yield from self.written_since()):
            return True
        return (yield from vma_next(o.near)) and (yield registers_equal(o.vma, o.near))

    def written_since(self) -> Steps:
        """Did anybody write when ``mm_wr_seq`` was read, or since then (mmap_lock_speculate_retry)?"""
        if (yield test_register(mm_wr_seq, 1, "mmap_lock is held for writing")):
            return True
        return not (yield equals_register(at(o.mm, MM_LOCK_SEQ), mm_wr_seq, "same mm_lock_seq"))

    def unlock_and_fall_back(self) -> Steps:
        """Whoever writes may hold mmap_lock and wait for this VMA: it is given back first."""
        yield rcu_read_unlock()
        yield from self.vma_refcount_put()
        return (yield from self.lock_next_vma_under_mmap_lock())

    def lock_next_vma_under_mmap_lock(self) -> Steps:
        """The same with mmap_lock, which is not kept; begins outside an RCU section."""
        yield count("maps_mmap_lock")
        yield from hooks.mmap_read_lock(o.range_start, o.range_end)
        got = "none"
        if (yield from vma_next(o.vma)):
            got = yield inc_not_zero(at(o.vma, VM_REFCNT), VMA_REF_LIMIT)  # vma_start_read_locked()
            got = "locked" if got == "ok" else "busy"
        yield from hooks.mmap_read_unlock()
        yield rcu_read_lock()
        return got


def vma_next(into: Register) -> Steps:
    """The first VMA at ``from_addr`` or behind, with ``cursor`` on it.  Returns whether there is one."""
    yield copy_register(o.cursor, from_addr)
    yield loop("mas_find")
    if (yield find_vma(into, o.cursor, "m_next: vma_next")):
        return True
    if (yield next_address(o.cursor, o.limit)):
        yield again("mas_find")
    return False


class DontneedByVma(RefcntLock):
    """madvise(MADV_DONTNEED) of a range in one VMA needs only that VMA's lock."""

    @hookimpl
    def madvise_dontneed(self, mapping: Mapping) -> Steps:
        yield work("syscall", "madvise")
        locked = there = yield from self.try_vma_read_lock(mapping)
        if not locked:
            yield count("madvise_mmap_lock")
            yield from hooks.mmap_read_lock(o.range_start, o.range_end)
            there = yield find_vma(key=o.range_start)
            if there:
                yield from end_with_vma()
        if there:
            yield from hooks.madvise_dontneed_single_vma(mapping)
        if locked:
            yield from self.vma_refcount_put()
        else:
            yield from hooks.mmap_read_unlock()

    def try_vma_read_lock(self, mapping: Mapping) -> Steps:
        """Returns whether the VMA that covers the range is locked."""
        if (yield from self.lock_vma_at(o.range_start)) != "locked":
            return False
        yield copy_register(o.scratch, o.range_end, -1)
        if not mapping.userfault and (yield vma_contains(key=o.scratch)):
            return True
        yield from self.vma_refcount_put()
        return False


VARIANTS = [
    Variant(
        name="per-vma-6.17",
        title="per-VMA lock, also for /proc/pid/maps",
        kernel="v6.17",
        source="20250716030557.1547501-1-surenb@google.com",
        patches=(*KERNEL, ExpandUnderMmapLock, RefcntWriter, RefcntReader, MapsByVma, DontneedByVma),
        events=(
            *REFCNT_EVENTS,
            Event("maps_mmap_lock", "reason", "/proc/pid/maps took mmap_lock to find and lock a VMA"),
            Event("madvise_mmap_lock", "reason", "madvise took mmap_lock: no VMA lock was had for its range"),
        ),
        rivals=("per-vma-refcnt",),
        compared=False,
    )
]
