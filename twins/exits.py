"""Published bugs of ways out: a lock that was not had, one given up twice, one given up too late."""

from __future__ import annotations

from collections.abc import Generator

from spfvar.variants.per_vma import PerVmaReader
from spfvar.variants.vma_lock import VMA_LOCK

from spfvar.mm import hookspecs as hooks
from spfvar.mm.fault import new_anon_vma
from spfvar.mm.hookspecs import hookimpl
from spfvar.mm.proc import show_map_vma
from spfvar.mm.vmf import Mapping, VMFault, VmFault
from spfvar.mm.writers import flush_tlb, zap_range
from spfvar.ops import objects as o
from spfvar.ops.op import Steps
from spfvar.ops.paging import free_gathered_pages
from spfvar.ops.places import Field
from spfvar.ops.primitives import (
    add,
    at,
    choose,
    count,
    dec_and_test,
    find_vma,
    load_nonzero,
    load_ref_nonnull,
)
from spfvar.plugins.variant import Twin

#: What a hugetlb VMA's lock is found by (mm/hugetlb.c); a private mapping without reservations has none.
VM_PRIVATE_DATA = Field(o.VMA, "vm_private_data")


def mmap_write_lock_killable() -> Steps:
    """mmap_write_lock, unless a fatal signal ends the wait for it.  Returns whether it is held."""
    if (yield from hooks.mmap_write_trylock(o.range_start, o.range_end)):
        return True
    if (yield choose("fatal_signal_pending", False, True)):
        return False
    yield from hooks.mmap_write_lock(o.range_start, o.range_end)
    return True


class VectorMadvise:
    """process_madvise on a range, for which the lock is dropped and taken again half-way (vector_madvise)."""

    @hookimpl
    def madvise_dontneed(self, mapping: Mapping) -> Steps:
        yield from hooks.mmap_write_lock(o.range_start, o.range_end)
        yield from self.walk_vmas()
        yield from hooks.mmap_write_unlock()
        if not (yield from self.lock_again()):
            return
        yield from self.walk_vmas()
        yield from hooks.mmap_write_unlock()

    def walk_vmas(self) -> Steps:
        """madvise_do_behavior."""
        if (yield find_vma(key=o.range_start)):
            yield from hooks.vma_start_write(o.vma)
            yield from zap_range()
            yield from flush_tlb()
            yield free_gathered_pages()

    def lock_again(self) -> Steps:
        """Returns whether to go on."""
        return (yield from mmap_write_lock_killable())


class LockNotChecked(VectorMadvise):
    """Whether the lock was had the second time, nobody asks."""

    def lock_again(self) -> Steps:
        yield from mmap_write_lock_killable()
        return True


class ProcmapQuery:
    """PROCMAP_QUERY: the VMA is looked at under mmap_lock, its file's build id read when that is dropped."""

    @hookimpl
    def show_map(self) -> Steps:
        yield add(at(o.mm, o.MM_USERS), 1, "mmget_not_zero")
        yield from hooks.mmap_read_lock(o.range_start, o.range_end)
        if (yield find_vma(key=o.range_start, name="query_matching_vma")):
            yield from show_map_vma()
        yield from self.out()
        if (yield choose("copy_to_user: the buffer is too small", False, True)):
            yield from self.too_small()

    def out(self) -> Steps:
        """query_vma_teardown, mmput."""
        yield from hooks.mmap_read_unlock()
        yield dec_and_test(at(o.mm, o.MM_USERS), "mmput")

    def too_small(self) -> Steps:
        """Nothing is held any more."""
        return
        yield


class UnlocksTwice(ProcmapQuery):
    """The error goes to the label before the unlock."""

    def too_small(self) -> Steps:
        yield from self.out()


class HugetlbFault(PerVmaReader):
    """A fault that asks its VMA which lock of hugetlb's it holds, to give it up before the VMA's own."""

    @hookimpl(wrapper=True)
    def do_anonymous_page(self, vmf: VmFault) -> Generator[None, Steps, Steps]:
        return self._hugetlb_fault(vmf, (yield))

    def _hugetlb_fault(self, vmf: VmFault, fault: Steps) -> Steps:
        yield load_nonzero(at(o.vma, VM_PRIVATE_DATA), o.scratch)  # hugetlb_vma_lock_read()
        ret = yield from fault
        yield load_nonzero(at(o.vma, VM_PRIVATE_DATA), o.scratch)  # hugetlb_vma_unlock_read()
        if vmf.has(VMA_LOCK) and ret & VMFault.RETRY:
            yield from self.drop_last()
        return ret

    def _prepare(self, vmf: VmFault) -> Steps:
        if (yield load_ref_nonnull(at(o.vma, o.VM_ANON_VMA), o.anon_vma)):
            return VMFault.NONE
        if not (yield from hooks.mmap_read_trylock(o.address, None)):
            yield count("vma_lock_retry_anon_vma")
            yield from self.drop_at_once()
            return VMFault.RETRY
        ret = yield from new_anon_vma(vmf)
        yield from hooks.mmap_read_unlock()
        return ret

    def drop_at_once(self) -> Steps:
        """__vmf_anon_prepare leaves the VMA's lock to its caller."""
        return
        yield

    def drop_last(self) -> Steps:
        """So the caller drops it, behind hugetlb's."""
        yield from self.vma_end_read()


class HelperDropsLock(HugetlbFault):
    """vmf_anon_prepare drops the VMA's lock itself."""

    def drop_at_once(self) -> Steps:
        yield from self.vma_end_read()

    def drop_last(self) -> Steps:
        return
        yield


TWINS = [
    Twin(
        bug="X29",
        title="process_madvise goes on without the lock that a signal kept it from taking",
        source="fix of 4000e3d0a367",
        fixed="mmap-lock",
        race="madvise-munmap",
        prop="P14",
        patches=(LockNotChecked,),
    ),
    Twin(
        bug="X29-checked",
        title="process_madvise asks whether it has the lock again",
        source="fix of 4000e3d0a367",
        fixed="mmap-lock",
        race="madvise-munmap",
        prop="",
        patches=(VectorMadvise,),
        description="The fix: a control.",
    ),
    Twin(
        bug="X15",
        title="an error path of PROCMAP_QUERY unlocks and puts the mm again",
        source="61dc9f776705",
        fixed="mmap-lock",
        race="maps-munmap",
        prop="P14",
        patches=(UnlocksTwice,),
    ),
    Twin(
        bug="X15-once",
        title="an error path of PROCMAP_QUERY that comes behind the unlock",
        source="61dc9f776705",
        fixed="mmap-lock",
        race="maps-munmap",
        prop="",
        patches=(ProcmapQuery,),
        description="The fix: a control.",
    ),
    Twin(
        bug="X7",
        title="hugetlb's fault asks its VMA for a lock, when a helper has dropped the VMA's",
        source="98b74bb4d7e9, CVE-2024-47676",
        fixed="per-vma-6.12",
        race="munmap-first-write",
        prop="P1",
        patches=(HelperDropsLock,),
        without=(PerVmaReader,),
        description="The page is an ordinary one here; that the VMA is asked for a lock is the bug.",
    ),
    Twin(
        bug="X7-last",
        title="hugetlb's fault drops the VMA's lock behind its own",
        source="98b74bb4d7e9",
        fixed="per-vma-6.12",
        race="munmap-first-write",
        prop="",
        patches=(HugetlbFault,),
        without=(PerVmaReader,),
        description="The fix: a control.",
    ),
]
