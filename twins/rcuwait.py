"""The writer of a VMA sleeps until its last reader wakes it (v6.15): the barriers on both sides.

Source: include/linux/rcuwait.h ___rcuwait_wait_event (6.1, 6.12), whose comment names both barriers.  In
the shipped text a waiting writer looks at the count whenever it changes; here it sleeps until it is woken.
"""

from __future__ import annotations

from spfvar.variants.per_vma_refcnt import (
    VM_REFCNT,
    VMA_LOCK_OFFSET,
    VMA_REF_LIMIT,
    RefcntReader,
    RefcntWriter,
    refcnt,
    vma_mm,
    waiter,
)

from spfvar.ops import objects as o
from spfvar.ops.op import Steps, again, loop
from spfvar.ops.orders import smp_mb
from spfvar.ops.places import Field, Register, behind
from spfvar.ops.primitives import (
    add_not_zero,
    at,
    dec_and_test,
    equals,
    load_nonzero,
    load_ref,
    store,
    test_register,
    wait_equals,
)
from spfvar.plugins.variant import Twin

#: mm->vma_writer_wait.task: 1 for the writer, of which there is one, for it has mmap_lock.
TASK = Field(o.MM, "vma_writer_wait", where=behind("mmlist"), weak=True)
#: The state of that task: 1 while it sleeps, or is about to.
STATE = Field(o.MM, "task_state", where=behind("vma_writer_wait"))


class SleepingWriter(RefcntWriter):
    """rcuwait_wait_event()."""

    def exclude_readers(self, vma: Register, attached: int) -> Steps:
        if (yield add_not_zero(at(vma, VM_REFCNT), VMA_LOCK_OFFSET)) == "zero":
            return False
        yield store(at(o.mm, TASK), 1, order="release")  # rcu_assign_pointer
        yield loop("rcuwait_wait_event")
        yield from self.set_current_state()
        if not (yield equals(at(vma, VM_REFCNT), VMA_LOCK_OFFSET + attached, "refcount_read")):
            yield wait_equals(at(o.mm, STATE), 0)  # schedule()
            yield again("rcuwait_wait_event")
        yield store(at(o.mm, TASK), 0)
        return True

    def set_current_state(self) -> Steps:
        """smp_store_mb()."""
        yield store(at(o.mm, STATE), 1)
        yield smp_mb()


class WakingReader(RefcntReader):
    """rcuwait_wake_up()."""

    def vma_refcount_put(self) -> Steps:
        yield load_ref(at(o.vma, o.VM_MM), vma_mm)
        if (yield dec_and_test(at(o.vma, VM_REFCNT), "vma_refcount_put", refcnt, order="release")):
            return
        if not (yield test_register(refcnt, VMA_LOCK_OFFSET, "is_vma_writer_only")):
            return
        if not (yield test_register(refcnt, VMA_REF_LIMIT - 1, "more readers")):
            yield from self.before_task()
            if (yield load_nonzero(at(vma_mm, TASK), waiter)):
                yield store(at(vma_mm, STATE), 0)  # wake_up_process

    def before_task(self) -> Steps:
        """The barrier between the count and the look at who waits."""
        yield smp_mb()


class SleepsUnordered(SleepingWriter):
    """The writer looks at the count before it is seen to wait."""

    def set_current_state(self) -> Steps:
        yield store(at(o.mm, STATE), 1)


class WakesUnordered(WakingReader):
    """The reader looks for who waits before its going is seen."""

    def before_task(self) -> Steps:
        return
        yield


_SOURCE = "include/linux/rcuwait.h ___rcuwait_wait_event, a comment of v6.1"
_WITHOUT = (RefcntWriter, RefcntReader)

TWINS = [
    Twin(
        bug="B7",
        title="the writer of a VMA sleeps until the last reader wakes it",
        source=_SOURCE,
        fixed="per-vma-refcnt",
        race="mprotect",
        prop="",
        patches=(SleepingWriter, WakingReader),
        without=_WITHOUT,
        description="A control: with the barriers of both.",
        memory="lkmm",
    ),
    Twin(
        bug="B7-wait",
        title="the writer of a VMA looks at the count before it can be seen to wait (hypothetical)",
        source=_SOURCE,
        fixed="per-vma-refcnt",
        race="mprotect",
        prop="P11",
        patches=(SleepsUnordered, WakingReader),
        without=_WITHOUT,
        description="Store buffering: the last reader sees nobody to wake, and the writer a reader.",
        memory="lkmm",
    ),
    Twin(
        bug="B7-wake",
        title="the last reader of a VMA looks for who waits before its going is seen (hypothetical)",
        source=_SOURCE,
        fixed="per-vma-refcnt",
        race="mprotect",
        prop="P11",
        patches=(SleepingWriter, WakesUnordered),
        without=_WITHOUT,
        memory="lkmm",
    ),
]
