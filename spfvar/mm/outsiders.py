"""Those who look at an address space without being its users: mm_count keeps the mm_struct, and no more.

Sources: mm/ksm.c scan_get_next_rmap_item, ksm_test_exit; mm/oom_kill.c process_mrelease, __oom_reap_task_mm.
They may come late: whoever takes mmap_lock after exit_mmap has dropped it finds a tree that is gone, and has
to ask first whether it is there.  KSM asks for users, the reaper for MMF_OOM_SKIP, which exit_mmap sets.

Each has had its reference since before the race begins, as KSM has by its slot for the mm and the caller of
process_mrelease by mmgrab, and gives it up in the end.  What KSM does with a page is not modelled.
"""

from __future__ import annotations

from spfvar.mm import hookspecs as hooks
from spfvar.mm.exit import MMF_OOM_SKIP, mmdrop
from spfvar.mm.fault import MMF_UNSTABLE
from spfvar.mm.hookspecs import hookimpl
from spfvar.mm.vmf import Mapping
from spfvar.mm.writers import end_with_vma, flush_tlb, over_range, zap_range
from spfvar.ops import objects as o
from spfvar.ops.op import Steps, again, loop
from spfvar.ops.paging import free_gathered_pages
from spfvar.ops.primitives import at, equals, find_vma, load, load_ref_nonnull, next_address, store, work


def ksm_test_exit() -> Steps:
    """Has the last user gone?  Said under mmap_lock, it holds until that is dropped."""
    return (yield equals(at(o.mm, o.MM_USERS), 0, "ksm_test_exit"))


class Outsiders:
    """KSM, and the reaper."""

    @hookimpl
    def scan_get_next_rmap_item(self, mapping: Mapping) -> Steps:
        yield from hooks.mmap_read_lock(o.range_start, o.range_end)
        if not (yield from self.no_vmas()):
            yield from over_range()
            yield loop("for_each_vma")
            there = yield find_vma(key=o.cursor, name="for_each_vma")
            if there and (yield load_ref_nonnull(at(o.vma, o.VM_ANON_VMA), o.anon_vma)):
                yield from hooks.smaps_pte_range(mapping)  # any look at the entry under its lock will do
            if (yield next_address(o.cursor, o.limit)):
                yield again("for_each_vma")
        yield from hooks.mmap_read_unlock()
        yield from mmdrop(o.mm)

    def no_vmas(self) -> Steps:
        """Asked before the tree is looked into."""
        return (yield from ksm_test_exit())

    @hookimpl
    def process_mrelease(self, mapping: Mapping) -> Steps:
        yield work("syscall", "process_mrelease")
        yield from hooks.mmap_read_lock(o.range_start, o.range_end)
        if (yield equals(at(o.mm, MMF_OOM_SKIP), 0, "!MMF_OOM_SKIP")):
            yield from oom_reap_task_mm(mapping)
        yield from hooks.mmap_read_unlock()
        yield from mmdrop(o.mm)


def oom_reap_task_mm(mapping: Mapping) -> Steps:
    """Clear the entries of private mappings, as madvise does; the VMA stays.

    A fault that finds one cleared is told that its page is gone (check_stable_address_space).
    """
    yield store(at(o.mm, MMF_UNSTABLE), 1)
    if (yield find_vma(key=o.range_start, name="for_each_vma")) and not mapping.shared:
        yield load(at(o.vma, o.VM_START), o.vm_start)
        yield from end_with_vma()
        yield from zap_range()
        yield from flush_tlb()
        yield free_gathered_pages()
