"""Bugs between faults and those who come from the file, from reclaim or from khugepaged.

Those called H8, H12 and H13 are open questions about the speculative series rather than published bugs; N1
was found by the checker.
"""

from __future__ import annotations

from collections.abc import Generator

from spfvar.variants import spf_patches as spf
from spfvar.variants.spf_posted import PostedPteAlloc
from spfvar.variants.spf_v2 import RcuWalk

from spfvar.mm import hookspecs as hooks
from spfvar.mm.fault import PTL, pmd_install
from spfvar.mm.filemap import page_of_file
from spfvar.mm.hookspecs import hookimpl
from spfvar.mm.khugepaged import RetractUnderRmapLock, retract_under_mmap_lock
from spfvar.mm.map_fixed import over_old_vma
from spfvar.mm.pte_offset_map import PteOffsetMapLock
from spfvar.mm.rcu_tables import RcuTableFree
from spfvar.mm.truncate import find_get_page, first_folio, over_pages, unmap_mapping
from spfvar.mm.vmf import PMD_NONE, PTE_MAPPED, Mapping, VMFault, VmFault
from spfvar.mm.writers import insert_vma, load_vm_file, remove_vma, unmap_region
from spfvar.ops import objects as o
from spfvar.ops.op import Steps, again, loop
from spfvar.ops.paging import (
    filemap_get_folio,
    filemap_remove_folio,
    folio_put,
    pmd_same,
    pmd_take,
    read_pmd,
    read_pte,
)
from spfvar.ops.places import Register
from spfvar.ops.primitives import (
    allocate,
    at,
    choose,
    folio_lock,
    folio_unlock,
    free,
    ipi_send,
    ipi_wait,
    local_irq_disable,
    local_irq_enable,
    next_address,
    rcu_read_lock,
    rcu_read_unlock,
    spin_unlock,
    work,
)
from spfvar.plugins.variant import Twin

PMD_LOCK = at(o.mm, o.PMD_LOCK)
pmd_now = Register("pmd_now", o.PAGE_TABLE)


class FaultWithoutRecheck:
    """``->fault`` returns the page it found, unlocked; __do_fault locks it and looks no further."""

    @hookimpl
    def filemap_fault(self, vmf: VmFault) -> Steps:
        if not (yield filemap_get_folio(page_of_file(vmf))):
            return VMFault.SIGBUS
        yield folio_lock()
        return VMFault.LOCKED


class PunchUnmapsOnce:
    """A hole punch takes the pages away, locked, but does not unmap them again under that lock."""

    @hookimpl
    def truncate_pagecache_range(self) -> Steps:
        yield work("syscall", "fallocate")
        yield from first_folio()
        yield from unmap_mapping(even_cows=False, to_the_end=False)
        yield from over_pages()
        yield loop("remove_inode_hugepages")
        if (yield from find_get_page()):
            yield folio_lock()
            yield filemap_remove_folio()
            yield folio_unlock()
            yield folio_put()
        if (yield next_address(o.index, o.file_end)):
            yield again("remove_inode_hugepages")


class LinkBeforeUnmap:
    """mmap over a mapping links the new VMA, tree and file, before the old page tables go."""

    @hookimpl
    def mmap_fixed(self, mapping: Mapping, old: Mapping) -> Steps:
        return over_old_vma(mapping, old, self._replace(mapping, old))

    def _replace(self, mapping: Mapping, old: Mapping) -> Steps:
        yield from insert_vma(mapping)
        yield from load_vm_file(old)
        yield from unmap_region(o.vma, old)
        yield from remove_vma(o.vma, old)


class AllocateUnderFolioLock:
    """The page table is allocated when it is needed: with the page of ``->fault`` locked."""

    @hookimpl
    def preallocate_pte(self, vmf: VmFault) -> Steps:
        return
        yield

    @hookimpl
    def free_preallocated_pte(self, vmf: VmFault) -> Steps:
        return
        yield

    @hookimpl(wrapper=True)
    def finish_fault(self, vmf: VmFault) -> Generator[None, Steps, Steps]:
        return self._allocate_first(vmf, (yield))

    def _allocate_first(self, vmf: VmFault, finish: Steps) -> Steps:
        if vmf.has(PMD_NONE):
            yield from hooks.pte_alloc_one(vmf)
        return (yield from finish)


class SpeculativeTables:
    """A speculative walk that finds no page table links a new one, without any lock that writers know."""

    @hookimpl(wrapper=True)
    def walk_page_tables(self, vmf: VmFault) -> Generator[None, Steps, Steps]:
        walk = yield
        return self._install_and_walk(vmf) if vmf.has(spf.SPECULATIVE) else walk

    def _install_and_walk(self, vmf: VmFault) -> Steps:
        yield loop("walk")
        yield local_irq_disable()
        if not (yield read_pmd()):
            yield local_irq_enable()
            yield allocate(o.prealloc_pte, "pte_alloc_one", "alloc_table")
            yield from pmd_install()
            yield again("walk")
        pte = yield read_pte(vmf.write)
        yield local_irq_enable()
        return pte


class NoIpiFlush:
    """An architecture whose TLB flush interrupts nobody."""

    @hookimpl
    def pmdp_collapse_flush(self, key: Register) -> Steps:
        return (yield pmd_take(key))


class NoTableSync:
    """khugepaged does not wait for walkers with interrupts off."""

    @hookimpl
    def tlb_remove_table_sync_one(self) -> Steps:
        return
        yield


class OtherRcuFlavour:
    """Tables are freed by a grace period that sections with interrupts off do not hold up."""

    @hookimpl
    def tlb_remove_table(self, table: Register) -> Steps:
        # As far as such a walker can tell, at once.
        yield free(table, "__tlb_remove_table", "free_table")


class CheckAnonVmaOnce:
    """retract_page_tables looks at the anon_vma before it has mmap_lock, and not again."""

    @hookimpl
    def retract_page_tables(self) -> Steps:
        return retract_under_mmap_lock(check_again=False)


class TableBatchFails:
    """tlb_remove_table_one: no memory for a batch, so the table is freed at once, after one IPI."""

    @hookimpl(wrapper=True)
    def tlb_remove_table(self, table: Register) -> Generator[None, Steps, Steps]:
        return self._one(table, (yield))

    def _one(self, table: Register, batch: Steps) -> Steps:
        if (yield choose("table batch allocated", True, False)):
            yield from batch
        else:
            yield ipi_send("tlb_remove_table_sync_one")
            yield ipi_wait()
            yield free(table, "__tlb_remove_table", "free_table")


class LockedFaultsRecheckPmd(PteOffsetMapLock):
    """v6.5's pte_offset_map_lock, which the series' own pte_map_lock does not use."""

    def maps(self, vmf: VmFault) -> bool:
        return not vmf.has(spf.SPECULATIVE)


class EveryFaultRechecksPmd(LockedFaultsRecheckPmd):
    """Speculating or not, look at the pmd again once the page table is locked."""

    @hookimpl(wrapper=True)
    def pte_map_lock(self, vmf: VmFault) -> Generator[None, Steps, Steps]:
        lock = yield
        mapped = self.maps(vmf) and vmf.has(PTE_MAPPED)
        return lock if mapped else self._recheck(lock) if vmf.has(spf.SPECULATIVE) else self._lock(lock)

    def _recheck(self, lock: Steps) -> Steps:
        yield rcu_read_lock()
        if not (yield pmd_same()):
            yield rcu_read_unlock()
            return False
        locked = yield from lock
        same = locked and (yield pmd_same())
        if locked and not same:
            yield spin_unlock(PTL)
        yield rcu_read_unlock()
        return same


COVER = "20210407014502.24091-1-michel@lespinasse.org"

TWINS = [
    Twin(
        bug="F1",
        title="a fault maps a page that truncation has just removed",
        source="d00806b183152",
        fixed="mmap-lock",
        race="truncate-read",
        prop="P6",
        patches=(FaultWithoutRecheck,),
        description="Since 2007 the fault has the page locked and looks again whether it is in the file.",
    ),
    Twin(
        bug="X25",
        title="a fault maps a page between the unmapping and the removal of a hole punch",
        source="4aae8d1c051e",
        fixed="mmap-lock",
        race="punch-read",
        prop="P6",
        patches=(PunchUnmapsOnce,),
        description="In hugetlbfs, which has since had a mutex per page against faults; other file systems "
        "unmap the page again once it is locked.",
    ),
    Twin(
        bug="F3",
        title="mmap over a mapping frees page tables that the new VMA already leads to",
        source="79f3d123caed",
        fixed="per-vma-6.12",
        race="map-over-truncate",
        prop="P4",
        patches=(LinkBeforeUnmap,),
        description="Truncation of the new file walks into the old mapping's page table while it is freed.",
    ),
    Twin(
        bug="R13",
        title="a page table is allocated under a folio lock",
        source="63f3655f9501",
        fixed="mmap-lock",
        race="writeback-fault",
        prop="P11",
        patches=(AllocateUnderFolioLock,),
        description="The allocation waits for a page whose writeback waits for the locked folio.",
    ),
    Twin(
        bug="S5",
        title="a speculative fault takes a collapse in progress for an empty pmd",
        source="20190416134522.17540-1-ldufour@linux.ibm.com",
        fixed="spf-anon",
        race="collapse-anon",
        prop="P4",
        patches=(SpeculativeTables,),
        description="khugepaged finds somebody else's page table where it puts its own back.",
    ),
    Twin(
        bug="S8",
        title="a speculative fault links a page table after munmap freed those of the range",
        source="20210408071343.GJ2531743@casper.infradead.org",
        fixed="spf-anon",
        race="munmap-first-table",
        prop="P4",
        patches=(SpeculativeTables,),
        description="Steps 1 to 3 of the reviewer's scheme; nobody ever frees the table.",
    ),
    Twin(
        bug="PT2",
        title="khugepaged frees a page table under a walker with interrupts off",
        source="2ba99c5e0881",
        fixed="spf-do-fault",
        race="retract-read",
        prop="P4",
        patches=(NoIpiFlush, NoTableSync),
        description="Where a TLB flush needs no IPI, only tlb_remove_table_sync_one() waits for the walker.",
    ),
    Twin(
        bug="S6",
        title="interrupts off do not keep page tables everywhere",
        source="20210428145823.GA856@lespinasse.org",
        fixed="spf-anon",
        race="munmap-anon",
        prop="P4",
        patches=(OtherRcuFlavour,),
        description="Before v5.0 such sections were no readers for the RCU that frees page tables.",
    ),
    Twin(
        bug="PT3",
        title="retract_page_tables looks at the anon_vma before it has mmap_lock",
        source="023f47a8250c",
        fixed="mmap-lock",
        race="retract-rmap",
        prop="P4",
        patches=(CheckAnonVmaOnce,),
        description="Experts disagreed. The race takes for granted that a reverse-map walk comes by "
        "a neighbour's anon_vma to the VMA; without such a walk (race retract-cow) the bug does no harm.",
    ),
    Twin(
        bug="H8",
        title="an RCU section instead of interrupts off, and the table is freed at once",
        source="20210430195232.30491-1-michel@lespinasse.org",
        fixed="spf-anon",
        race="munmap-anon",
        prop="P4",
        patches=(RcuWalk, RcuTableFree, TableBatchFails),
        description="tlb_remove_table_one() waits for an IPI only, which an RCU section does not hold up.",
    ),
    Twin(
        bug="H8-batch",
        title="an RCU section instead of interrupts off, and every table is freed by RCU",
        source="20210430195232.30491-1-michel@lespinasse.org",
        fixed="spf-anon",
        race="munmap-anon",
        prop="",
        patches=(RcuWalk, RcuTableFree),
        description="The same walk where the batch can always be allocated.",
    ),
    Twin(
        bug="H8-bare",
        title="an RCU section instead of interrupts off, on bare x86",
        source="20220128131006.67712-15-michel@lespinasse.org",
        fixed="spf-v2",
        race="munmap-anon",
        prop="P4",
        without=(RcuTableFree,),
        description="MMU_GATHER_RCU_TABLE_FREE is set for paravirtual guests; bare metal frees them at once.",
    ),
    Twin(
        bug="H12",
        title="the series on v6.6, where khugepaged retracts page tables without mmap_lock",
        source=COVER,
        fixed="spf-do-fault",
        race="retract-young",
        prop="",
        patches=(RetractUnderRmapLock, LockedFaultsRecheckPmd),
        without=(spf.LockRetractedTable,),
        description=(
            "khugepaged flushes with the table locked: the IPI waits for the fault, whose trylock fails."
        ),
    ),
    Twin(
        bug="H12-arm64",
        title="the series on v6.6, where a TLB flush interrupts nobody",
        source=COVER,
        fixed="spf-do-fault",
        race="retract-young",
        prop="P4",
        patches=(RetractUnderRmapLock, LockedFaultsRecheckPmd, NoIpiFlush),
        without=(spf.LockRetractedTable,),
        description="The pmd is compared before the table is locked, and the sequence count sees nothing.",
    ),
    Twin(
        bug="H12-rcu",
        title="the series on v6.6, with an RCU section instead of interrupts off",
        source="20210430195232.30491-1-michel@lespinasse.org",
        fixed="spf-do-fault",
        race="retract-young",
        prop="P4",
        patches=(RetractUnderRmapLock, LockedFaultsRecheckPmd, RcuWalk),
        without=(spf.LockRetractedTable,),
        description="The same, on any architecture.",
    ),
    Twin(
        bug="H12-recheck",
        title="the series on v6.6, with the pmd compared again under the table's lock",
        source=COVER,
        fixed="spf-do-fault",
        race="retract-young",
        prop="",
        patches=(RetractUnderRmapLock, EveryFaultRechecksPmd, NoIpiFlush, RcuWalk),
        without=(spf.LockRetractedTable,),
        description="What a port needs.",
    ),
    Twin(
        bug="H13",
        title="as posted, do_anonymous_page allocates a page table speculatively",
        source=COVER,
        fixed="spf-anon",
        race="munmap-anon",
        prop="P4",
        patches=(PostedPteAlloc,),
        description="Patch 15 leaves pte_alloc() in; after a munmap it finds the pmd empty.",
    ),
    Twin(
        bug="N1",
        title="a speculative fault holds the lock of a page table that khugepaged frees",
        source=COVER,
        fixed="spf-do-fault",
        race="retract-young",
        prop="P4",
        without=(spf.LockRetractedTable,),
        description="Found by the checker: before v6.6 an empty table is retracted without its lock, and the "
        "fault, which has passed its last check of the sequence count, has nothing else.",
    ),
]
