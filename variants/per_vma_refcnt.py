"""Per-VMA locks as in v6.15 and later: one reference count that is lock and lifetime (Baghdasaryan).

Sources: mm/mmap_lock.c and include/linux/mmap_lock.h of v6.15 with the fix of July 2025 (9bbffee67ffd).
``vm_refcnt`` is 0 in a VMA that is detached, 1 in one that is attached, and 1 more for each reader; a writer
adds VMA_LOCK_OFFSET to keep readers out while it waits for those inside.  A VMA is freed at once, and its
memory, which stays of its type, may become a VMA of any address space while somebody still looks at it.

Left out: a waiting writer looks at the count whenever it changes, so a lost wake-up would not be noticed.
"""

from __future__ import annotations

from typing import ClassVar

from spfvar.mm.exit import mmdrop, mmgrab
from spfvar.mm.hookspecs import hookimpl
from spfvar.mm.pt_reclaim import PtReclaim
from spfvar.mm.sequence import WriteSequence
from spfvar.mm.vmf import VmFault
from spfvar.ops import objects as o
from spfvar.ops.op import Op, Steps, again, loop
from spfvar.ops.places import Field, Register, behind
from spfvar.ops.primitives import (
    add,
    add_not_zero,
    at,
    count,
    dec_and_test,
    equals_register,
    find_vma,
    free,
    inc_not_zero,
    load,
    load_ref,
    rcu_read_lock,
    rcu_read_unlock,
    registers_equal,
    store,
    store_register,
    test_register,
    vma_contains,
    wait_equals,
)
from spfvar.plugins.variant import Event, Variant

from .per_vma import KERNEL as KERNEL_OF_V6_12
from .vma_lock import EVENTS, MM_LOCK_SEQ, VM_LOCK_SEQ, VmaLockFault, vm_lock_seq

#: What v6.15 does unlike v5.12 besides its locks.
KERNEL = (*KERNEL_OF_V6_12, PtReclaim)
#: The kernel has bit 30; a bit that fits into the sequence counts of a small model will do.
VMA_LOCK_OFFSET = 1 << 9
VMA_REF_LIMIT = VMA_LOCK_OFFSET - 1
#: Cache-aligned: readers write it, and nothing that they read is behind it.
VM_REFCNT = Field(o.VMA, "vm_refcnt", where=behind("vm_policy", 4, align=64), initial=1, kept=True)
VMA_WRITER_WAIT = Field(o.MM, "vma_writer_wait", where=behind("mmlist"))
vma_mm = Register("vma_mm", o.MM)  # vma->vm_mm
refcnt = Register("refcnt")
waiter = Register("waiter")


class RefcntLock:
    """The read lock: a reference is taken if there is one already, and only then the VMA is looked at."""

    #: Of the look at ``mm_lock_seq`` that counts: ``raw_read_seqcount``.
    sequence_order: ClassVar[str] = "acquire"

    def lock_vma_at(self, key: Register) -> Steps:
        """The VMA at the address in ``key``, locked for reading (lock_vma_under_rcu).

        Returns "locked", or why not: "no_vma", "moved", or what `vma_start_read` says.  There is no RCU
        section then.
        """
        yield loop("retry")
        yield rcu_read_lock()
        if not (yield find_vma(key=key, name="mas_walk")):
            yield rcu_read_unlock()
            return "no_vma"
        got = yield from self.vma_start_read()
        if got == "detached":
            yield count("vma_lock_miss")
            yield again("retry")
        if got != "locked":
            return got
        yield rcu_read_unlock()
        if not (yield vma_contains(key=key)):
            yield from self.vma_refcount_put()
            return "moved"
        return "locked"

    def vma_start_read(self) -> Steps:
        """Lock the VMA that was looked up in an RCU section.

        Returns "locked", and the section goes on; or "write_locked", "detached", "contended" or "recycled",
        and it has ended.
        """
        # One that a writer has marked is not worth the reference.
        yield load(at(o.vma, VM_LOCK_SEQ), vm_lock_seq).on_typesafe_memory()
        if (yield equals_register(at(o.mm, MM_LOCK_SEQ), vm_lock_seq, "write-locked")):
            yield rcu_read_unlock()
            return "write_locked"
        got = yield self.get_reference().on_typesafe_memory()
        if got != "ok":
            yield rcu_read_unlock()
            return "detached" if got == "zero" else "contended"
        if not (yield from self.same_mm()):
            return "recycled"
        yield load(at(o.vma, VM_LOCK_SEQ), vm_lock_seq)
        order = self.sequence_order
        if (yield equals_register(at(o.mm, MM_LOCK_SEQ), vm_lock_seq, "write-locked", order)):
            yield from self.vma_refcount_put()
            yield rcu_read_unlock()
            return "write_locked"
        return "locked"

    def get_reference(self) -> Op:
        """``__refcount_inc_not_zero_limited_acquire``: nothing of a former VMA is seen behind it."""
        return inc_not_zero(at(o.vma, VM_REFCNT), VMA_REF_LIMIT, order="acquire")

    def same_mm(self) -> Steps:
        """Is it still a VMA of ours?  If not, the reference is given back and the RCU section has ended."""
        yield load_ref(at(o.vma, o.VM_MM), vma_mm)
        if (yield registers_equal(vma_mm, o.mm)):
            return True
        yield rcu_read_unlock()
        yield from self.put_foreign()
        return False

    def put_foreign(self) -> Steps:
        """Give the VMA of ``vma_mm`` back: that mm may end as soon as its writer sees the count fall."""
        yield from mmgrab(vma_mm)
        yield from self.vma_refcount_put()
        yield from mmdrop(vma_mm)

    def vma_refcount_put(self) -> Steps:
        """Drop the reference; the last reader tells a writer that waits, of the mm that the VMA had."""
        yield load_ref(at(o.vma, o.VM_MM), vma_mm)
        if (yield dec_and_test(at(o.vma, VM_REFCNT), "vma_refcount_put", refcnt, order="release")):
            return
        if not (yield test_register(refcnt, VMA_LOCK_OFFSET, "is_vma_writer_only")):
            return
        # Readers besides the attachment's 1?
        if not (yield test_register(refcnt, VMA_REF_LIMIT - 1, "more readers")):
            yield load(at(vma_mm, VMA_WRITER_WAIT), waiter)  # rcuwait_wake_up()


class RefcntReader(RefcntLock, VmaLockFault):
    """Faults under that lock."""

    def vma_end_read(self) -> Steps:
        yield from self.vma_refcount_put()

    def vma_start_read_locked(self) -> Steps:
        return (yield inc_not_zero(at(o.vma, VM_REFCNT), VMA_REF_LIMIT)) == "ok"

    def lock_vma_under_rcu(self, vmf: VmFault) -> Steps:
        got = yield from self.lock_vma_at(o.address)
        if got == "locked":
            return True
        yield count(f"vma_lock_abort_{got}")
        return False


class RefcntWriter(WriteSequence):
    """Writers wait for the readers of the VMAs they change, and mark those by number until they are done."""

    sequence = MM_LOCK_SEQ

    @hookimpl
    def vma_start_write(self, vma: Register) -> Steps:
        yield load(at(o.mm, MM_LOCK_SEQ), vm_lock_seq)
        if (yield equals_register(at(vma, VM_LOCK_SEQ), vm_lock_seq, "already write-locked")):
            return
        excluded = yield from self.exclude_readers(vma, attached=1)
        yield store_register(at(vma, VM_LOCK_SEQ), vm_lock_seq)
        if excluded:
            yield from self.admit_readers(vma)

    @hookimpl
    def vma_mark_attached(self, vma: Register) -> Steps:
        yield store(at(vma, VM_REFCNT), 1, order="release")  # refcount_set_release

    @hookimpl
    def vma_mark_detached(self, vma: Register) -> Steps:
        if (yield dec_and_test(at(vma, VM_REFCNT), "vma_mark_detached", order="release")):
            return
        # Readers that have not yet seen that the VMA is write-locked.
        if (yield from self.exclude_readers(vma, attached=0)):
            yield from self.admit_readers(vma)

    @hookimpl
    def vm_area_free(self, vma: Register) -> Steps:
        yield free(vma, "vm_area_free")

    def exclude_readers(self, vma: Register, attached: int) -> Steps:
        """__vma_enter_locked: keep new readers out and wait for the others.

        ``attached`` is what then is left of the count.  Returns whether there was a count at all.

        Neither its atomic nor the look that ends it has an order (refcount_add_not_zero, refcount_read).
        """
        if (yield add_not_zero(at(vma, VM_REFCNT), VMA_LOCK_OFFSET)) == "zero":
            return False  # detached: nobody can be inside
        yield store(at(o.mm, VMA_WRITER_WAIT), 1).untimed()
        yield wait_equals(at(vma, VM_REFCNT), VMA_LOCK_OFFSET + attached)
        yield store(at(o.mm, VMA_WRITER_WAIT), 0).untimed()
        return True

    def admit_readers(self, vma: Register) -> Steps:
        """__vma_exit_locked: refcount_sub_and_test."""
        yield add(at(vma, VM_REFCNT), -VMA_LOCK_OFFSET, "__vma_exit_locked", order="release")


REFCNT_EVENTS = (
    *EVENTS,
    Event("vma_lock_abort_recycled", "reason", "the VMA had become another address space's"),
)

VARIANTS = [
    Variant(
        name="per-vma-refcnt",
        title="per-VMA lock (reference count)",
        kernel="v6.17",
        source="20250213224655.1680278-1-surenb@google.com",
        patches=(*KERNEL, RefcntWriter, RefcntReader),
        events=REFCNT_EVENTS,
        rivals=("per-vma-6.12",),
        compared=False,
    )
]
