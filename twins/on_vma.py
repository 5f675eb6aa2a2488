"""Bugs of designs whose faults work on the VMA itself: found in review, in the field, or by the checker."""

from __future__ import annotations

from spfvar.twins.movers import ForkWithoutVmaLock
from spfvar.variants.bonsai import LockedTableFree
from spfvar.variants.spf_patches import NoTableMove
from spfvar.variants.vma_sequence import NoPolicyOnVma

from spfvar.plugins.variant import Twin

TWINS = [
    Twin(
        bug="S2",
        title="fork's write protection is not bracketed: copy on write before the TLB flush",
        source="20190416134522.17540-19-ldufour@linux.ibm.com",
        fixed="spf-dufour-v12",
        race="fork-cow",
        prop="P8",
        patches=(ForkWithoutVmaLock,),
        description="What patch 18/31 is for.",
    ),
    Twin(
        bug="S10",
        title="mremap moves a page table under a fault that has looked at the VMA's count for the last time",
        source="20190416134522.17540-12-ldufour@linux.ibm.com",
        fixed="spf-dufour-v12",
        race="mremap-table",
        prop="P9",
        without=(NoTableMove,),
        description="As posted: the move takes the locks of the pmds, the fault has that of the table.",
    ),
    Twin(
        bug="H4",
        title="the memory policy is read under a reference to the VMA, which does not keep it",
        source="20190416134522.17540-21-ldufour@linux.ibm.com",
        fixed="spf-dufour-v12",
        race="mbind",
        prop="P2",
        without=(NoPolicyOnVma,),
        description="As posted: the policy is put with the VMA, but mbind puts the one it replaces at once.",
    ),
    Twin(
        bug="B1",
        title="munmap unlinks page tables without the lock that faults link them under",
        source="10.1145/2150976.2150998",
        fixed="bonsai",
        race="munmap-first-table",
        prop="P4",
        without=(LockedTableFree,),
        description="A fault that has seen no mark links its table behind munmap's back.",
    ),
]
