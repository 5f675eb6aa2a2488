"""RadixVM (Clements, Kaashoek, Zeldovich, EuroSys 2013): a radix tree of slots, each with a lock bit.

There is no mmap_lock and no lock of the tree: a fault locks the slot of its page, a call the slots of its
range, and both hold them to the end, through reads of files and TLB flushes.  Ranges that do not overlap
share nothing.  Slots say what is mapped and which page is there; the model's VMAs, its tree, with an entry
per page, and its page tables stand for them.  Each core has page tables of its own, filled by its faults, so
that a flush interrupts only those that used the range.

A fault that maps what lies around its page locks the slots of a whole page table.  All slots are asked for
at once, where sv6 takes one by one from the left.  Page tables stay until the address space ends.  Reverse
maps, anon_vmas and ptl are the core's, because truncation and reclaim need them; sv6 has none.  It has no
swap and no userfaults either: who waits for those lets go of the slot.  A neighbour's anon_vma is not looked
at.  mremap and fork lock everything.
"""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import replace

from spfvar.mm import hookspecs as hooks
from spfvar.mm.hookspecs import hookimpl
from spfvar.mm.vmf import Mapping, VmFault
from spfvar.mm.writers import link_in_file, unlink_anon_vmas
from spfvar.ops import objects as o
from spfvar.ops.codes import AS_IT_IS, WHOLE_TABLES
from spfvar.ops.op import Op, Steps
from spfvar.ops.paging import own_set_pte, pmd_keep, read_pte
from spfvar.ops.places import RANGE_WORDS, Field, Register, apart
from spfvar.ops.primitives import at, find_vma
from spfvar.plugins.variant import Variant

from .mmap_lock import HoldAcrossIo
from .range_lock import RefinedRange

slot_page = Register("slot_page")


class SlotLocks(RefinedRange):
    """Lock bits instead of a tree of requests; nobody shares a slot, and who reads a file keeps it."""

    ranges = at(o.mm, Field(o.MM, "slots", RANGE_WORDS, apart("nodes of the radix tree")))
    shared = False
    maybe_unlock_mmap_for_io = HoldAcrossIo.maybe_unlock_mmap_for_io

    def ask(self, start: Register | None, end: Register | None, beside: int) -> Steps:
        extent = yield from super().ask(start, end, 0)  # slots do not merge
        # Only khugepaged asks for a page, to retract its table.
        return AS_IT_IS if extent == WHOLE_TABLES and end is not None else extent

    def change(self, op: Op) -> Steps:
        return (yield op.costing("atomic"))

    @hookimpl
    def lock_mm_and_find_vma(self, vmf: VmFault) -> Steps:
        yield from super().ask(o.address, None, 0)
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


class KeepTables:
    """munmap leaves page tables where they are: whoever maps something there next will use them."""

    @hookimpl
    def free_pgtables(self, vma: Register, mapping: Mapping) -> Steps:
        yield from unlink_anon_vmas(vma)
        yield from link_in_file(vma, mapping, False)
        yield pmd_keep()


class OwnTables:
    """A fault enters the page that it has put into the slot, or found there, into the table of its core.

    It does so with ptl held, as truncation and reclaim do not lock slots.
    """

    @hookimpl(wrapper=True)
    def pte_unmap_unlock(self, vmf: VmFault) -> Generator[None, Steps, Steps]:
        return self._enter((yield))

    def _enter(self, unlock: Steps) -> Steps:
        if (yield read_pte(False, into=slot_page).untimed()) != "none":
            yield own_set_pte(slot_page)
        yield from unlock


VARIANTS = [
    Variant(
        name="radixvm",
        title="a radix tree of slots, each with a lock",
        kernel="v5.12 + RadixVM",
        source="10.1145/2465351.2465373",
        patches=(SlotLocks, KeepTables, OwnTables),
        description="What sv6 does with slots, under the core's faults and calls. Calls move the line of the "
        "model's tree, which a radix tree does not have.",
        compared=False,
    )
]
