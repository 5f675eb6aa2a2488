"""Bugs of the writers that move and copy: mremap and fork against faults without mmap_lock, and the TLB."""

from __future__ import annotations

from collections.abc import Generator

from spfvar.variants import spf_patches as spf

from spfvar.mm import hookspecs as hooks
from spfvar.mm.fault import PTL
from spfvar.mm.hookspecs import hookimpl
from spfvar.mm.mremap import (
    PMD_LOCK,
    flush_extent,
    lock_both_tables,
    move_table,
    take_and_set_ptes,
    take_rmap_locks,
)
from spfvar.mm.stack import expand_downwards, in_the_way
from spfvar.mm.vmf import Mapping, VmFault
from spfvar.ops import objects as o
from spfvar.ops.op import Steps
from spfvar.ops.paging import pmd_populate, pmd_take
from spfvar.ops.places import Register
from spfvar.ops.primitives import add, at, call_rcu, find_vma, spin_lock, spin_unlock
from spfvar.plugins.variant import Twin


class StableDestination:
    """The sequence count is even while the entries move: the destination looks as if it were complete.

    In the 2019 series it was the destination's own count, that merging with a neighbour made even again.
    """

    @hookimpl(wrapper=True)
    def move_page_tables(self, mapping: Mapping, whole_tables: bool) -> Generator[None, Steps, Steps]:
        return _outside_section((yield))


class FlushAfterUnlock:
    """The TLB is flushed only after the page-table locks have been dropped."""

    @hookimpl
    def move_ptes(self, mapping: Mapping) -> Steps:
        if not (yield from lock_both_tables()):
            return False
        yield from take_and_set_ptes()
        yield from hooks.unlock_new_table()
        yield spin_unlock(PTL)
        yield from flush_extent()
        return True


class MoveTableBehindRmapWalks:
    """Up to v5.13 a table moves without reverse-map locks if walks see the new VMA after the old one."""

    @hookimpl
    def move_normal_pmd(self, mapping: Mapping) -> Steps:
        return (yield from move_table())


class DecideBeforeTheLocks:
    """The entry that was seen before the locks were taken is believed to be there still."""

    @hookimpl
    def move_normal_pmd(self, mapping: Mapping) -> Steps:
        yield from take_rmap_locks(mapping, True)
        yield spin_lock(PMD_LOCK)
        yield pmd_take(o.cursor)
        yield pmd_populate(o.table, o.new_cursor, o.cursor)
        yield from flush_extent()
        yield spin_unlock(PMD_LOCK)
        yield from take_rmap_locks(mapping, False)
        return True


class ForkWithoutVmaLock:
    """fork relies on mmap_lock alone, and so lets faults under a VMA's lock go on."""

    @hookimpl
    def dup_mmap_start_write(self, vma: Register) -> Steps:
        return
        yield


class ExpandUnderReadLock:
    """Up to v6.4 a fault extends the stack with mmap_lock held for reading, unseen by sequence counts."""

    @hookimpl
    def expand_stack(self, vmf: VmFault) -> Steps:
        if (yield from in_the_way(vmf)):
            return True
        if not (yield find_vma(key=o.stack_top)):
            return False
        yield from expand_downwards()
        return True


class FreePolicyByRcu:
    """A memory policy is freed after a grace period, as the VMAs of the series are."""

    @hookimpl
    def mpol_free(self, policy: Register) -> Steps:
        yield call_rcu(policy, "call_rcu(mpol_free)")


class UncountedCopy:
    """fork's copying of the entries is no write section, as in the 2019 series."""

    @hookimpl(wrapper=True)
    def copy_page_range(self, mapping: Mapping) -> Generator[None, Steps, Steps]:
        return _outside_section((yield))


def _outside_section(text: Steps) -> Steps:
    yield add(at(o.mm, spf.MMAP_SEQ), 1, "write_seqcount_end")
    yield from text
    yield add(at(o.mm, spf.MMAP_SEQ), 1, "write_seqcount_begin")


TWINS = [
    Twin(
        bug="S1",
        title="mremap's destination looks complete while it is being filled",
        source="20190416134522.17540-12-ldufour@linux.ibm.com",
        fixed="spf-anon",
        race="mremap-destination",
        prop="P7",
        patches=(StableDestination,),
        description="A fault maps a new page there; move_ptes overwrites its entry, and the page is lost.",
    ),
    Twin(
        bug="S2",
        title="copy on write during fork, before the TLB flush",
        source="20190416134522.17540-19-ldufour@linux.ibm.com",
        fixed="spf-anon",
        race="fork-cow",
        prop="P8",
        patches=(UncountedCopy,),
        description="A third CPU still writes to the old page through its TLB; the copy lacks that write.",
    ),
    Twin(
        bug="S10",
        title="mremap moves a page table under a speculative fault",
        source="AOSP 529351c4c820, b/263177905",
        fixed="spf-anon",
        race="mremap-table",
        prop="P9",
        without=(spf.NoTableMove,),
        description="The fault holds the table's lock, the mover the pmd lock. What breaks is not the table "
        "(who frees it takes its lock first) but the flush: the entry that is replaced is elsewhere by now.",
    ),
    Twin(
        bug="C3",
        title="mremap flushes the TLB after it dropped the page-table locks",
        source="eb66ae030829, CVE-2018-18281",
        fixed="mmap-lock",
        race="mremap-truncate",
        prop="P9",
        patches=(FlushAfterUnlock,),
        description="Truncation finds the page at its new address and frees it; a CPU has it at the old one.",
    ),
    Twin(
        bug="C3-table",
        title="mremap moves a page table and flushes the TLB without the reverse-map locks",
        source="97113eb39fa7",
        fixed="mmap-lock",
        race="mremap-table-truncate",
        prop="P9",
        patches=(MoveTableBehindRmapWalks,),
        description="The same for whole tables, where no page-table lock keeps truncation waiting.",
    ),
    Twin(
        bug="PT1",
        title="mremap moves a page table that khugepaged has taken away",
        source="6fa1066fc5d0, CVE-2024-50066",
        fixed="per-vma-6.12",
        race="mremap-retract",
        prop="P4",
        patches=(DecideBeforeTheLocks,),
    ),
    Twin(
        bug="V1",
        title="fork does not write-lock the parent's VMAs",
        source="fb49c455323f, bugzilla 217624",
        fixed="per-vma-6.12",
        race="fork-cow",
        prop="P8",
        patches=(ForkWithoutVmaLock,),
        description="A page is copied on write after fork write-protected it and before it flushed the TLBs.",
    ),
    Twin(
        bug="V1-anon-vma",
        title="fork without the VMA lock: a fault gives the parent an anon_vma",
        source="fb49c455323f, bugzilla 217624",
        fixed="per-vma-6.12",
        race="fork-fault",
        prop="",
        patches=(ForkWithoutVmaLock,),
        description="The commit's example, a control here: since v6.10 a fault under its VMA's lock needs "
        "mmap_lock, too, for a new anon_vma, and fork holds that.",
    ),
    Twin(
        bug="H1-table",
        title="the same move under a first fault, and the table is freed at its new place",
        source="AOSP 529351c4c820, b/263177905",
        fixed="spf-anon",
        race="mremap-table-fault",
        prop="",
        without=(spf.NoTableMove,),
        description="A control: an empty entry has nothing to flush, and the new page fits the new place.",
    ),
    Twin(
        bug="H3",
        title="a speculative fault while the stack grows under mmap_lock for reading",
        source="mm/mmap.c expand_downwards, up to v6.4",
        fixed="spf-anon",
        race="stack-growth",
        prop="P10",
        patches=(ExpandUnderReadLock,),
        description="The copy of the VMA has the new vm_start and the old vm_pgoff.",
    ),
    Twin(
        bug="H3",
        title="a fault under mmap_lock while another one grows the stack under mmap_lock for reading",
        source="mm/mmap.c expand_downwards, up to v6.4",
        fixed="mmap-lock",
        race="stack-growth",
        prop="P10",
        patches=(ExpandUnderReadLock,),
        description="Speculation is not needed for it: linear_page_index() loads the two fields one by one.",
    ),
    Twin(
        bug="H4",
        title="the memory policy of a VMA's copy is read after mpol_put",
        source="20210407014502.24091-12-michel@lespinasse.org",
        fixed="spf-anon",
        race="mbind",
        prop="P2",
        without=(spf.NoPolicy,),
    ),
    Twin(
        bug="H4-rcu",
        title="the same with policies that are freed by RCU",
        source="20210407014502.24091-12-michel@lespinasse.org",
        fixed="spf-anon",
        race="mbind",
        prop="P2",
        patches=(FreePolicyByRcu,),
        without=(spf.NoPolicy,),
        description="Not enough: the fault reads the policy after the RCU section that copied the VMA.",
    ),
    Twin(
        bug="H9",
        title="munmap makes the sequence count even before it clears the entries",
        source="20210407014502.24091-10-michel@lespinasse.org",
        fixed="spf-anon",
        race="munmap-anon",
        prop="",
        description="A control: the VMAs have left the tree by then, and older counts do not match.",
    ),
]
