"""Speculative page faults with a sequence count per page table: a writer aborts only the faults near it.

The 2021 series has one sequence count per address space, so each mmap() or mprotect() of any thread aborts
every fault that is under way.  Here a writer marks the page tables of the VMA that it is about to change,
each under the table's lock, with the number of its write section.  The section ends for all of them when
mmap_lock is released, for then the number changes (as with per-VMA locks).  A fault reads the number of its
page table before it looks the VMA up, and commits under the table's lock if the number is still the same.

Who pays: a writer locks every page table of the VMA, one per 2 MiB, even if it changes one page; and a fault
in the same 2 MiB as the changed VMA aborts as before.  What may speculate, how files and VMAs are freed, the
copy of the VMA: all that is the series'.  It needs no rule against moving page tables, for mremap marks them.
"""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import replace

from spfvar.variants import spf_patches as p

from spfvar.mm import hookspecs as hooks
from spfvar.mm.dispatch import pmd_trans_huge
from spfvar.mm.hookspecs import hookimpl
from spfvar.mm.sequence import WriteSequence
from spfvar.mm.vmf import VmFault
from spfvar.ops import objects as o
from spfvar.ops.op import Steps, again, loop
from spfvar.ops.paging import next_table, pmd_same, read_pmd, read_pte
from spfvar.ops.places import Field, Register, apart
from spfvar.ops.primitives import (
    at,
    copy_register,
    equals,
    equals_register,
    find_vma,
    load,
    load_nonzero,
    rcu_read_lock,
    rcu_read_unlock,
    spin_lock,
    spin_trylock,
    spin_unlock,
    store_register,
    test_register,
)
from spfvar.plugins.variant import Event, Twin, Variant

#: Odd while mmap_lock is held for writing; never 0, which is what a new page table has.
SECTION = Field(o.MM, "mm_write_seq", where=apart(), initial=2, sequence=True)
#: In the table's struct page, so on the cache line of its lock.
TABLE_SEQ = Field(o.PAGE_TABLE, "table_seq", initial=1)

seq = Register("table_seq")
section = Register("mm_write_seq")
marked = Register("marked_table", o.PAGE_TABLE)
mark_cursor = Register("mark_cursor")
mark_end = Register("mark_end")
PTL = at(o.table, o.PTL)


class MarkTables(WriteSequence):
    """Writers mark the page tables of a VMA before they change it."""

    sequence = SECTION

    @hookimpl
    def vma_start_write(self, vma: Register) -> Steps:
        yield load(at(o.mm, SECTION), section)
        yield load(at(vma, o.VM_START), mark_cursor)
        yield load(at(vma, o.VM_END), mark_end)
        yield loop("mark_tables")
        if (yield read_pmd(marked, mark_cursor)):
            yield from self.mark()
        if (yield replace(next_table(mark_cursor), src=mark_end)):
            yield again("mark_tables")

    def mark(self) -> Steps:
        """Under the table's lock: whoever checked the old number under it has committed before we go on."""
        yield spin_lock(at(marked, o.PTL))
        yield store_register(at(marked, TABLE_SEQ), section)
        yield spin_unlock(at(marked, o.PTL))


class AdoptTables:
    """A new page table gets its first number from a fault under mmap_lock; before, nobody speculates in it.

    The number is that of the last write section, which is over: so no writer is taken to be in the table.
    """

    @hookimpl(wrapper=True)
    def pte_map_lock(self, vmf: VmFault) -> Generator[None, Steps, Steps]:
        return self._then_adopt((yield))

    def _then_adopt(self, lock: Steps) -> Steps:
        if not (yield from lock):
            return False
        if (yield equals(at(o.table, TABLE_SEQ), 0, "new table")):
            yield load(at(o.mm, SECTION), section)
            yield copy_register(section, section, -1)
            yield store_register(at(o.table, TABLE_SEQ), section)
        return True


class TableSeqEntry(p.SpeculativeEntry):
    """The page table's number is read first, then the VMA is looked up and copied."""

    def _speculate(self, vmf: VmFault) -> Steps:
        reason = yield from self._table_seq_read_start()
        if reason:
            return (yield from p.abort(reason))
        yield rcu_read_lock()
        if not (yield find_vma()):
            yield rcu_read_unlock()
            return (yield from p.abort("unmapped"))
        if not (yield from p.vma_can_speculate(vmf)):
            yield rcu_read_unlock()
            return (yield from p.abort("no_speculate"))
        yield from self._copy_vma(vmf)
        yield rcu_read_unlock()
        if not (yield from p.mmap_seq_read_check()):
            return (yield from p.abort("vma_copy"))
        if vmf.write and not (yield test_register(o.vm_page_prot, 1, "access_error")):
            return (yield from p.abort("access_error"))
        return (yield from hooks.handle_mm_fault(vmf))

    def _table_seq_read_start(self) -> Steps:
        """``seq`` is the table's number.  Returns why there is none to go on with, or ""."""
        yield from p.speculative_page_walk_begin()
        reason = ""
        if not (yield read_pmd()):
            reason = "pmd"
        elif not (yield from self.has_number()):
            reason = "new_table"
        elif (yield equals_register(at(o.mm, SECTION), seq, "marked")):
            reason = "odd"
        yield from p.speculative_page_walk_end()
        return reason

    def has_number(self) -> Steps:
        """Read the table's number.  Returns whether there is one."""
        return (yield load_nonzero(at(o.table, TABLE_SEQ), seq))

    @hookimpl
    def mmap_seq_read_check(self) -> Steps:
        # The table is looked at only while it is linked: with interrupts off it then stays.
        yield from p.speculative_page_walk_begin()
        same = (yield pmd_same()) and (yield from table_seq_same())
        yield from p.speculative_page_walk_end()
        return same


class TableSeqWalk(p.SpeculativeWalk):
    """The walk ends in the table whose number was read, or gives up."""

    def _walk(self, vmf: VmFault) -> Steps:
        yield from p.speculative_page_walk_begin()
        if (yield from pmd_trans_huge(vmf)) or not (yield pmd_same()):
            yield from p.speculative_page_walk_end()
            return (yield from p.abort("pmd"))
        pte = yield read_pte(vmf.write)
        yield from p.speculative_page_walk_end()
        return pte


class TableSeqMapLock(p.PteMapLock):
    """One check of the number, under the lock that writers mark the table under."""

    def _lock(self) -> Steps:
        yield from p.speculative_page_walk_begin()
        if not (yield pmd_same()):
            return (yield from self._fail("pmd"))
        if not (yield spin_trylock(PTL)):
            return (yield from self._fail("ptl"))
        if not (yield from table_seq_same()):
            yield spin_unlock(PTL)
            return (yield from self._fail("seq2"))
        yield from p.speculative_page_walk_end()
        return True


def table_seq_same() -> Steps:
    """Has no writer marked the table since its number was read?"""
    return (yield equals_register(at(o.table, TABLE_SEQ), seq, "table_seq_same"))


EVENTS = (
    Event("spf_attempt", "attempt", "faults tried speculatively"),
    Event("spf_abort", "abort", "speculative faults done again under mmap_lock"),
    Event("spf_abort_pmd", "reason", "no page table yet (once per 2 MiB), or another one"),
    Event("spf_abort_new_table", "reason", "no fault under mmap_lock has used the page table yet"),
    Event("spf_abort_odd", "reason", "a writer was changing a VMA in the page table"),
    Event("spf_abort_unmapped", "reason", "no VMA at the address"),
    Event("spf_abort_no_speculate", "reason", "this kind of VMA or access does not speculate"),
    Event("spf_abort_vma_copy", "reason", "a writer marked the page table while the VMA was copied"),
    Event("spf_abort_access_error", "reason", "the VMA forbids the access"),
    Event("spf_abort_swap_nopage", "reason", "the page is not in the swap cache"),
    Event("spf_abort_anon_vma", "reason", "the VMA has no anon_vma yet"),
    Event("spf_abort_userfaultfd", "reason", "a userfaultfd monitor has to fill the page"),
    Event("spf_abort_pte_map_lock_pmd", "reason", "the page table was replaced"),
    Event("spf_abort_pte_map_lock_ptl", "reason", "the page table's lock was taken"),
    Event("spf_abort_pte_map_lock_seq2", "reason", "a writer marked the page table before it was locked"),
    Event("spf_abort_fault", "reason", "a writer marked the page table before ->fault or ->map_pages"),
)

VARIANTS = [
    Variant(
        name="table-seq",
        title="speculative faults, a sequence count per page table",
        kernel="v5.12-rc5 + RFC 1-35",
        source="an example of spfvar's; not posted",
        patches=(
            p.DoHandleMmFault,
            MarkTables,
            p.RcuVmaFree,
            TableSeqEntry,
            TableSeqWalk,
            AdoptTables,
            TableSeqMapLock,
            p.SpeculativeAnonymous,
            p.EnableAnonymous,
            p.EnableNuma,
            p.SpeculativePresent,
            p.SpeculativeSwap,
            p.EnableSwap,
            p.RcuFilePut,
            p.SpeculativeDoFault,
            p.SpeculativeFilemapFault,
            p.SpeculativeFaultAround,
            p.SpeculativeMapPages,
            p.SpeculativeFileTypes,
            p.NoPolicy,
            p.LockRetractedTable,
            p.MultithreadedOnly,
            p.RcuVmaFreeIfShared,
        ),
        events=EVENTS,
        description="Writers abort only faults in the page tables (2 MiB) of the VMA that they change.",
        rivals=("spf-do-fault",),
    )
]


# --- the design with a part of it missing: what the checker has to find ---------------------------


class MarkUnlocked(MarkTables):
    """Marks without the table's lock."""

    def mark(self) -> Steps:
        yield store_register(at(marked, TABLE_SEQ), section)


class SpeculateInNewTables(TableSeqEntry):
    """Takes the 0 of a new table for a number."""

    def has_number(self) -> Steps:
        yield load(at(o.table, TABLE_SEQ), seq)
        return True


TWINS = [
    Twin(
        bug="T1",
        title="a writer marks page tables without their locks",
        source="an example of spfvar's",
        fixed="table-seq",
        race="mremap-table",
        prop="P9",
        patches=(MarkUnlocked,),
        description="A fault past its check commits into the table while mremap moves it.",
    ),
    Twin(
        bug="T2",
        title="a fault speculates in a page table that has no number yet",
        source="an example of spfvar's",
        fixed="table-seq",
        race="mremap-destination",
        prop="P7",
        patches=(SpeculateInNewTables,),
        without=(TableSeqEntry,),
        description="The table is new since mremap marked what there was.",
    ),
    Twin(
        bug="T3",
        title="khugepaged frees a page table with mmap_lock alone",
        source="an example of spfvar's",
        fixed="table-seq",
        race="retract-young",
        prop="P4",
        without=(p.LockRetractedTable,),
        description="It changes no VMA, so it marks nothing.",
    ),
]
