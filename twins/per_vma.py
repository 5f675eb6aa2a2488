"""Published bugs of per-VMA locks, put back into designs that do not have them.

Each patch restores what the kernel did before the fix that its twin names as source.
"""

from __future__ import annotations

from collections.abc import Generator

from spfvar.variants.per_vma import DETACHED, VM_LOCK, PerVmaReader
from spfvar.variants.per_vma_617 import MapsByVma
from spfvar.variants.per_vma_refcnt import VM_REFCNT, RefcntReader, refcnt, vma_mm
from spfvar.variants.vma_lock import MM_LOCK_SEQ, VM_LOCK_SEQ, vm_lock_seq

from spfvar.mm.fault import MMAP_LOCK, new_anon_vma
from spfvar.mm.hookspecs import hookimpl
from spfvar.mm.merge import MergeLockedFirst, dup_anon_vma
from spfvar.mm.vmf import VMFault, VmFault
from spfvar.ops import objects as o
from spfvar.ops.op import Steps, again, loop
from spfvar.ops.places import Register
from spfvar.ops.primitives import (
    add,
    at,
    choose,
    count,
    dec_and_test,
    down_read,
    down_read_trylock,
    down_write,
    equals,
    equals_register,
    find_vma,
    free,
    load,
    load_ref,
    load_ref_nonnull,
    rcu_read_lock,
    rcu_read_unlock,
    registers_equal,
    store,
    store_register,
    up_read,
    up_write,
    vma_contains,
)
from spfvar.plugins.variant import Twin
from spfvar.scenario.race import MAX_PAGES

LOCK = at(o.vma, VM_LOCK)


class PublishedUnlocked:
    """mmap puts the VMA into the tree without having write-locked it."""

    @hookimpl(wrapper=True)
    def vma_start_write(self, vma: Register) -> Generator[None, Steps, Steps]:
        start_write = yield
        return _nothing() if vma == o.new_vma else start_write


def _nothing() -> Steps:
    return
    yield


class LockUnderRmapLock:
    """mmap write-locks the VMA inside the file's i_mmap_rwsem, which everybody else takes behind it."""

    @hookimpl(wrapper=True)
    def vma_start_write(self, vma: Register) -> Generator[None, Steps, Steps]:
        start_write = yield
        return self._inside(start_write) if vma == o.new_vma else start_write

    def _inside(self, start_write: Steps) -> Steps:
        lock = at(o.vm_file, o.I_MMAP_RWSEM)
        yield down_write(lock, "i_mmap_lock_write")
        yield from start_write
        yield up_write(lock, "i_mmap_unlock_write")


class WalkUnlocked:
    """A walk over the entries relies on mmap_lock alone, and so lets faults under the VMA's lock go on."""

    @hookimpl(wrapper=True)
    def vma_start_write(self, vma: Register) -> Generator[None, Steps, Steps]:
        start_write = yield
        return _nothing() if vma == o.vma else start_write


class WaitsForMmapLock(PerVmaReader):
    """A fault that holds its VMA's lock waits for mmap_lock instead of trying once."""

    def _prepare(self, vmf: VmFault) -> Steps:
        if (yield load_ref_nonnull(at(o.vma, o.VM_ANON_VMA), o.anon_vma)):
            return VMFault.NONE
        yield down_read(MMAP_LOCK, "mmap_read_lock")
        ret = yield from new_anon_vma(vmf)
        yield up_read(MMAP_LOCK, "mmap_read_unlock")
        return ret


class AnonVmaCheckedFirst(PerVmaReader):
    """The VMA has an anon_vma before it is locked, so nobody expects to have to look for one."""

    def vma_start_read(self, vmf: VmFault) -> Steps:
        if not (yield load_ref_nonnull(at(o.vma, o.VM_ANON_VMA), o.anon_vma)):
            return (yield from self.abort("no_anon_vma"))
        return (yield from super().vma_start_read(vmf))

    @hookimpl(wrapper=True)
    def anon_vma_prepare(self, vmf: VmFault) -> Generator[None, Steps, Steps]:
        return (yield)  # without mmap_lock, which keeps the neighbours that it looks at


class DupAnonVmaUnlocked:
    """The VMA that gets its neighbour's anon_vma is write-locked only when there was memory for it."""

    @hookimpl
    def dup_anon_vma(self, vma: Register, other: Register) -> Steps:
        return dup_anon_vma(vma, other, lock=False)


class MarkDetachedOnly:
    """Detaching gives up the attachment's reference, and does not wait for the readers'."""

    @hookimpl
    def vma_mark_detached(self, vma: Register) -> Steps:
        yield dec_and_test(at(vma, VM_REFCNT), "vma_mark_detached")


class DupCopiesRefcnt:
    """The copy of a VMA is made by copying all of it, the count included, which is then set to 0."""

    @hookimpl(wrapper=True)
    def vm_area_dup(self, vma: Register, new: Register) -> Generator[None, Steps, Steps]:
        return self._and_the_count((yield), vma, new)

    def _and_the_count(self, copy: Steps, vma: Register, new: Register) -> Steps:
        yield from copy
        yield load(at(vma, VM_REFCNT), refcnt)
        yield store_register(at(new, VM_REFCNT), refcnt)
        yield store(at(new, VM_REFCNT), 0)


class WakeWithoutMm(RefcntReader):
    """A VMA that turns out to be another mm's is put back, and then that mm's writer woken."""

    def put_foreign(self) -> Steps:
        yield from self.vma_refcount_put()


class FallsBackLocked(MapsByVma):
    """The reader of /proc/pid/maps keeps the VMA that is not the next one while it waits for mmap_lock."""

    def unlock_and_fall_back(self) -> Steps:
        yield rcu_read_unlock()
        yield down_read(MMAP_LOCK, "mmap_read_lock")
        yield from self.vma_refcount_put()
        yield up_read(MMAP_LOCK, "mmap_read_unlock")
        return (yield from self.lock_next_vma_under_mmap_lock())


class RangeBeforeDetached(PerVmaReader):
    """The fault compares its address with the VMA's range before it asks whether the VMA is detached."""

    def lock_vma_under_rcu(self, vmf: VmFault) -> Steps:
        yield rcu_read_lock()
        yield loop("retry")
        if not (yield find_vma(name="mas_walk")):
            return (yield from self.abort("no_vma"))
        if not (yield from self.vma_start_read(vmf)):
            return False
        if not (yield vma_contains()):
            yield up_read(LOCK, "vma_end_read")
            return (yield from self.abort("moved"))
        if (yield equals(at(o.vma, DETACHED), 1, "detached")):
            yield up_read(LOCK, "vma_end_read")
            yield count("vma_lock_miss")
            yield again("retry")
        yield rcu_read_unlock()
        return True


class RcuHeadOverRange:
    """call_rcu's list head lies where the VMA's range was, and may look like any range."""

    @hookimpl(wrapper=True)
    def vm_area_free(self, vma: Register) -> Generator[None, Steps, Steps]:
        return self._write_head((yield), vma)

    def _write_head(self, call_rcu: Steps, vma: Register) -> Steps:
        yield store(at(vma, o.VM_START), 0)
        if (yield choose("vm_rcu.func: a high address?", True, False)):
            yield store(at(vma, o.VM_END), MAX_PAGES)
        else:
            yield store(at(vma, o.VM_END), 0)
        yield from call_rcu


class EndWriteAllEarly:
    """Something that munmap calls (mm_drop_all_locks) ends the write locks of all VMAs."""

    @hookimpl(wrapper=True)
    def vma_mark_detached(self, vma: Register) -> Generator[None, Steps, Steps]:
        return self._then_end_write_all((yield))

    def _then_end_write_all(self, mark: Steps) -> Steps:
        yield from mark
        yield add(at(o.mm, MM_LOCK_SEQ), 2, "vma_end_write_all")  # it stays odd: the section goes on


class RecycledLockReader(PerVmaReader):
    """The lock lies in memory that may be another VMA by now; whose it is, is asked when it is held."""

    def lock_vma_under_rcu(self, vmf: VmFault) -> Steps:
        yield rcu_read_lock()
        yield loop("retry")
        if not (yield find_vma(name="mas_walk")):
            return (yield from self.abort("no_vma"))
        if (yield from self.write_locked()):
            return (yield from self.abort("write_locked"))
        if not (yield down_read_trylock(LOCK, "vma_start_read").on_typesafe_memory()):
            return (yield from self.abort("contended"))
        if (yield from self.write_locked()):
            yield up_read(LOCK, "vma_end_read").on_typesafe_memory()
            return (yield from self.abort("write_locked"))
        if (yield equals(at(o.vma, DETACHED), 1, "detached").on_typesafe_memory()):
            yield up_read(LOCK, "vma_end_read").on_typesafe_memory()
            yield count("vma_lock_miss")
            yield again("retry")
        yield load_ref(at(o.vma, o.VM_MM), vma_mm).on_typesafe_memory()
        same_mm = yield registers_equal(vma_mm, o.mm)
        if not (same_mm and (yield vma_contains().on_typesafe_memory())):
            yield up_read(LOCK, "vma_end_read").on_typesafe_memory()
            return (yield from self.abort("moved"))
        yield rcu_read_unlock()
        return True

    def write_locked(self) -> Steps:
        """Does the VMA's number say so?"""
        yield load(at(o.vma, VM_LOCK_SEQ), vm_lock_seq).on_typesafe_memory()
        return (yield equals_register(at(o.mm, MM_LOCK_SEQ), vm_lock_seq, "write-locked"))


class FreedAtOnce:
    """A VMA is freed without a grace period; its next life begins with a new lock."""

    @hookimpl
    def vm_area_free(self, vma: Register) -> Steps:
        yield free(vma, "vm_area_free")


TWINS = [
    Twin(
        bug="V2",
        title="mmap changes a VMA after publishing it, not write-locked",
        source="33313a747e81",
        fixed="per-vma-6.12",
        race="published-mapping",
        prop="P10",
        patches=(PublishedUnlocked,),
    ),
    Twin(
        bug="V3",
        title="the fix of V2 takes two locks in the wrong order (harmless)",
        source="1c7873e33645",
        fixed="per-vma-6.12",
        race="map-over-fault",
        prop="",
        patches=(LockUnderRmapLock,),
        description="lockdep complains of the classes; but nobody can hold the lock of a VMA that is not in "
        "the tree yet, so nobody waits.",
    ),
    Twin(
        bug="V5",
        title="a merge sets the anon_vma of a VMA that is not write-locked",
        source="d8ab9f7b644a",
        fixed="per-vma-6.12",
        race="merge-out-of-memory",
        prop="P2",
        patches=(DupAnonVmaUnlocked,),
        without=(MergeLockedFirst,),
    ),
    Twin(
        bug="V7",
        title="anon_vma is checked before the VMA is locked",
        source="657b5146955e",
        fixed="per-vma-6.12",
        race="dontunmap-neighbour",
        prop="P2",
        patches=(AnonVmaCheckedFirst,),
        without=(PerVmaReader,),
    ),
    Twin(
        bug="V9",
        title="every VMA's write lock ends while munmap still relies on one (hypothetical)",
        source="20230720193436.454247-1-jannh@google.com",
        fixed="per-vma-6.12",
        race="munmap-file",
        prop="",
        patches=(EndWriteAllEarly,),
        description="The VMA is marked as detached before, which alone keeps the faults out.",
    ),
    Twin(
        bug="V10",
        title="a walk over the page tables of a VMA that is not write-locked",
        source="49b0638502da",
        fixed="per-vma-6.12",
        race="mprotect",
        prop="P10",
        patches=(WalkUnlocked,),
        description="mprotect stands for the walks of mlock and KSM: it changes flags and entries.",
    ),
    Twin(
        bug="V12",
        title="a freed VMA's range is read, which call_rcu has overwritten (harmless)",
        source="20240805-fix-vma-lock-type-confusion-v1-1-9f25443a9a71@google.com",
        fixed="per-vma-6.12",
        race="munmap-file",
        prop="",
        patches=(RcuHeadOverRange, RangeBeforeDetached),
        without=(PerVmaReader,),
        description="Whatever is read, the fault gives up or looks the VMA up again.",
    ),
    Twin(
        bug="V13",
        title="the lock of a recycled VMA is made anew while a fault takes it",
        source="20250213224655.1680278-1-surenb@google.com",
        fixed="per-vma-6.12",
        race="recycled-vma",
        prop="P14",
        patches=(FreedAtOnce, RecycledLockReader),
        without=(PerVmaReader,),
    ),
    Twin(
        bug="V14",
        title="a VMA is detached and freed with a reader's reference in its count",
        source="20250213224655.1680278-1-surenb@google.com",
        fixed="per-vma-refcnt",
        race="recycled-vma",
        prop="P1",
        patches=(MarkDetachedOnly,),
    ),
    Twin(
        bug="V15",
        title="a copied VMA starts with the original's reference count",
        source="ef626c1698c1",
        fixed="per-vma-refcnt",
        race="resplit-heap",
        prop="P14",
        patches=(DupCopiesRefcnt,),
        description="The count becomes 0 under the reader that had raised it; later the VMA is freed.",
    ),
    Twin(
        bug="V16",
        title="the mm of a recycled VMA is gone when its writer is woken",
        source="9bbffee67ffd",
        fixed="per-vma-refcnt",
        race="recycled-vma",
        prop="P3",
        patches=(WakeWithoutMm,),
        without=(RefcntReader,),
    ),
    Twin(
        bug="V20",
        title="a fault waits for mmap_lock with its VMA's lock held",
        source="Documentation/mm/process_addrs.rst",
        fixed="per-vma-6.12",
        race="fork-fault",
        prop="P11",
        patches=(WaitsForMmapLock,),
        without=(PerVmaReader,),
        description="fork holds mmap_lock and waits for the VMA's readers.",
    ),
    Twin(
        bug="V20-maps",
        title="/proc/pid/maps waits for mmap_lock with a VMA's lock held (hypothetical)",
        source="Documentation/mm/process_addrs.rst",
        fixed="per-vma-6.17",
        race="maps-gap",
        prop="P11",
        patches=(FallsBackLocked,),
        without=(MapsByVma,),
        description="The gap was filled, so the VMA is not the next one; munmap waits for its reader.",
    ),
]
