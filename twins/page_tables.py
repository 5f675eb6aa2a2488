"""Bugs of those who free page tables outside unmapping, or look at what is in them without a lock."""

from __future__ import annotations

from spfvar.mm.hookspecs import hookimpl
from spfvar.mm.proc import smaps_pte_entry
from spfvar.mm.pt_reclaim import PtReclaim
from spfvar.mm.vmf import Mapping
from spfvar.ops import objects as o
from spfvar.ops.op import Steps
from spfvar.ops.paging import read_pmd
from spfvar.plugins.variant import Twin


class ReclaimAfterBreak(PtReclaim):
    """That no entry was skipped is believed, even if the table's lock was dropped on the way."""

    def lock_is_dropped(self) -> Steps:
        return
        yield


class SmapsWithoutTableLock:
    """smaps reads an entry and what it leads to with mmap_lock only, as it did for hugetlb."""

    @hookimpl
    def smaps_pte_range(self, mapping: Mapping) -> Steps:
        if (yield read_pmd(key=o.cursor)):
            yield from smaps_pte_entry(mapping)


TWINS = [
    Twin(
        bug="X5",
        title="a page table is reclaimed that another thread has refilled",
        source="a fix of 6375e95f381e, February 2025",
        fixed="per-vma-6.17",
        race="madvise-refault",
        prop="P4",
        patches=(ReclaimAfterBreak,),
        without=(PtReclaim,),
        description="The zap dropped the table's lock between two entries; a fault set the first one again.",
    ),
    Twin(
        bug="X8",
        title="smaps looks up the page of a migration entry that it read without the table's lock",
        source="45d19b4b6c2d, CVE-2025-39754",
        fixed="mmap-lock",
        race="migrate-smaps",
        prop="P10",
        patches=(SmapsWithoutTableLock,),
        description="For hugetlb, which has tables of its own; here for a small page. mmap_lock never kept "
        "migration out: by then the page is mapped again, and unlocked.",
    ),
]
