"""Bugs of those who free page tables outside unmapping."""

from __future__ import annotations

from spfvar.mm.pt_reclaim import PtReclaim
from spfvar.ops.op import Steps
from spfvar.plugins.variant import Twin


class ReclaimAfterBreak(PtReclaim):
    """That no entry was skipped is believed, even if the table's lock was dropped on the way."""

    def lock_is_dropped(self) -> Steps:
        return
        yield


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
    )
]
