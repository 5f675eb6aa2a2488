"""RadixVM (Clements, Kaashoek, Zeldovich, EuroSys 2013): a radix tree of slots, each with a lock bit.

There is no mmap_lock and no lock of the tree: a fault locks the slot of its page, a call the slots of its
range, and both hold them to the end, through storage and TLB flushes.  Ranges that do not overlap share
nothing.  Slots say what is mapped; the model's VMAs, and its tree, with an entry per page, stand for them.

Of the two schemes that sv6 can be built with this is the one whose page tables the cores share.  With a table
per core a flush goes to those that used the page; here, as in that scheme, to all that run the process.  A
call locks slots of the upper level, each for a page table, as if they were folded; so does a fault that maps
what lies around its page.  All slots are asked for at once, where sv6 takes one by one from the left.

Reverse maps, anon_vmas and ptl are the core's, because truncation and reclaim need them; sv6 has none.  A
neighbour's anon_vma is not looked at.  mremap and fork lock everything.
"""

from __future__ import annotations

from dataclasses import replace

from spfvar.mm import hookspecs as hooks
from spfvar.mm.hookspecs import hookimpl
from spfvar.mm.vmf import VmFault
from spfvar.ops import objects as o
from spfvar.ops.codes import AS_IT_IS, WHOLE_TABLES
from spfvar.ops.op import Op, Steps
from spfvar.ops.primitives import find_vma
from spfvar.plugins.variant import Variant

from .mmap_lock import HoldAcrossIo
from .range_lock import RefinedRange


class SlotLocks(RefinedRange):
    """Lock bits instead of a tree of requests; nobody shares a slot."""

    shared = False

    def change(self, op: Op) -> Steps:
        return (yield op.costing("atomic"))

    @hookimpl
    def lock_mm_and_find_vma(self, vmf: VmFault) -> Steps:
        yield from self.ask(o.address, None, 0)
        around = not vmf.write and vmf.mapping.map_pages and vmf.mapping.fault_around > 1
        extent = AS_IT_IS if vmf.mapping.anonymous or not around else WHOLE_TABLES
        yield from self.lock(True, extent, "lock slot")
        if (yield replace(find_vma(name="query"), line=None, cost="walk")):
            return True
        return vmf.mapping.growsdown and (yield from hooks.expand_stack(vmf))

    @hookimpl
    def find_mergeable_anon_vma(self, vmf: VmFault) -> Steps:
        return False
        yield


VARIANTS = [
    Variant(
        name="radixvm",
        title="a radix tree of slots, each with a lock",
        kernel="v5.12 + RadixVM",
        source="10.1145/2465351.2465373",
        patches=(SlotLocks, HoldAcrossIo),
        description="What sv6 does with slots, under the core's faults and calls. Calls move the line of the "
        "model's tree, which a radix tree does not have.",
        compared=False,
    )
]
