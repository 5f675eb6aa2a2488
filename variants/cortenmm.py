"""CortenMM (Zhang et al., SOSP 2025), protocol "adv": no VMA layer; who locks page tables locks it all.

Pages have their metadata beside their page-table entries, and every operation is a transaction on a range:
lock its page-table pages, query, map, unmap or mark, unlock.  There is no mmap_lock and no tree of VMAs.  The
model's VMAs and the slots of its tree stand for the metadata: they are read and written only while the nodes
that cover their addresses are locked, so find_vma is a query of the node that is locked, and no shared line.

A fault locks the page table of its address, and nothing else on an anonymous mapping.  What has to wait
(for storage, a folio's lock, a userfault) ends the transaction first, and the fault begins anew.  The rest is
ours, the simplest that is safe:

* Reverse maps come from the file, with its tree locked, and take ptl alone; so faults on files take ptl, too.
* mremap locks what lies between both ranges, too, moves entries one by one, and links new tables before.
* brk, merges and stack growth lock more of the VMA that they change; a collapse locks the root.
* A table that has lost its last use is freed in a transaction of its own, which flushes once more; the paper
  keeps the table of a range that is smaller.
* A VMA shares a neighbour's anon_vma only if that one begins in the same table, under the same lock.
"""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import replace

from spfvar.mm import hookspecs as hooks
from spfvar.mm.dispatch import pmd_trans_huge
from spfvar.mm.fault import access_error
from spfvar.mm.hookspecs import hookimpl
from spfvar.mm.stack import expand_downwards, in_the_way
from spfvar.mm.vmf import TRIED, VMFault, VmFault
from spfvar.ops import objects as o
from spfvar.ops.op import Op, Steps, again, loop
from spfvar.ops.orders import smp_wmb
from spfvar.ops.paging import next_table, pmd_populate, read_pmd, read_pte
from spfvar.ops.places import Field, Line, Register, apart
from spfvar.ops.primitives import (
    at,
    copy_register,
    count,
    find_vma,
    free,
    load,
    next_address,
    spin_lock,
    spin_unlock,
)
from spfvar.plugins.variant import Event, Variant

from .cortenmm_calls import FreeTables, RangeTransaction, RcuTables, WiderRanges, ask_for
from .cortenmm_lock import NODE_LOCK, ROOT_LOCK, lock_leaf
from .per_vma import FaultCompleted

TABLE_LOCK = at(o.table, NODE_LOCK)
#: What says of each page of a table, mapped or not, what is to be there.
METADATA = Field(o.PAGE_TABLE, "metadata", 0, apart("metadata of a page table"))
table_end = Register("table_end")


def query(node: Line) -> Op:
    """The metadata of ``address``, in the node that is locked; outcome: is it mapped?"""
    return replace(find_vma(name="query"), line=node, cost="local")


class FaultTransaction:
    """A fault is a transaction on one page."""

    @hookimpl
    def do_user_addr_fault(self, vmf: VmFault) -> Steps:
        yield loop("transaction")
        if not (yield from hooks.lock_mm_and_find_vma(vmf)):
            if vmf.mapping.growsdown and (yield from hooks.expand_stack(vmf)):
                yield again("transaction")
            return VMFault.SIGSEGV
        if (yield from access_error(vmf)):
            yield from hooks.release_fault_lock(vmf)
            return VMFault.SIGSEGV
        ret = yield from hooks.handle_mm_fault(vmf)
        if ret & VMFault.RETRY:
            yield count("cortenmm_waited")
            if vmf.mapping.userfault:
                return (yield from hooks.do_user_addr_fault(vmf.set(TRIED)))
            yield again("transaction")
        if not ret & VMFault.COMPLETED:
            yield from hooks.release_fault_lock(vmf)
        return ret

    @hookimpl
    def lock_mm_and_find_vma(self, vmf: VmFault) -> Steps:
        yield loop("absent")
        if not (yield from lock_leaf(o.table, o.address)):
            linked = yield from link_leaf(vmf)
            if linked == "lost":
                yield again("absent")
            return linked == "linked"
        if (yield query(Line(o.table, METADATA, "read"))):
            return True
        yield from hooks.release_fault_lock(vmf)
        return False

    @hookimpl
    def release_fault_lock(self, vmf: VmFault) -> Steps:
        yield spin_unlock(TABLE_LOCK)

    @hookimpl
    def uffd_mfill_lock(self, vmf: VmFault) -> Steps:
        # A transaction on one page, as a fault is, which links the page table if there is none.
        if not (yield from hooks.lock_mm_and_find_vma(vmf)):
            return False
        if (yield from hooks.anon_vma_prepare(vmf)):
            yield from hooks.release_fault_lock(vmf)
            return False
        return vmf

    @hookimpl
    def faultin_page(self, vmf: VmFault) -> Steps:
        # A fault is a transaction of its own: get_user_pages ends its one first, and begins it anew.
        yield from hooks.mmap_read_unlock()
        ret = yield from hooks.do_user_addr_fault(replace(vmf, user=False))
        if ret & VMFault.ERROR:
            yield from hooks.mmap_read_lock(o.range_start, o.range_end)
            return ret & VMFault.ERROR
        return VMFault.RETRY

    @hookimpl
    def walk_page_tables(self, vmf: VmFault) -> Steps:
        if (yield from pmd_trans_huge(vmf)):
            return "huge"
        return (yield read_pte(vmf.breaks_cow))  # of the table that is locked

    @hookimpl(wrapper=True)
    def pte_map_lock(self, vmf: VmFault) -> Generator[None, Steps, Steps]:
        lock = yield
        return self._is_locked() if vmf.mapping.anonymous else lock

    def _is_locked(self) -> Steps:
        return True
        yield

    @hookimpl(wrapper=True)
    def pte_unmap_unlock(self, vmf: VmFault) -> Generator[None, Steps, Steps]:
        unlock = yield
        return self._stays_locked() if vmf.mapping.anonymous else unlock

    def _stays_locked(self) -> Steps:
        return
        yield

    @hookimpl(wrapper=True)
    def find_mergeable_anon_vma(self, vmf: VmFault) -> Generator[None, Steps, Steps]:
        return self._if_in_table((yield))

    def _if_in_table(self, find: Steps) -> Steps:
        """The neighbour's metadata has to be in the page table that is locked."""
        yield load(at(o.vma, o.VM_END), o.vm_end)
        yield copy_register(table_end, o.address)
        yield replace(next_table(table_end), src=o.vm_end)
        if (yield next_address(o.vm_end, table_end, 0)):
            return (yield from find)
        return False

    @hookimpl
    def expand_stack(self, vmf: VmFault) -> Steps:
        yield from ask_for(o.address, o.stack_top, behind=1)
        yield from hooks.mmap_write_lock(o.address, o.stack_top)
        if (yield from in_the_way(vmf)):
            yield from hooks.mmap_write_unlock()
            return True
        found = yield find_vma(key=o.stack_top)
        if found:
            yield from expand_downwards()
        yield from hooks.mmap_write_unlock()
        return found


def link_leaf(vmf: VmFault) -> Steps:
    """Link a page table for ``address`` under the root's lock, unless nothing is mapped there.

    Returns "linked" with the table locked, "unmapped", or "lost": somebody else was faster.
    """
    yield from hooks.pte_alloc_one(vmf)  # before the lock, for it may have to reclaim
    yield spin_lock(at(o.mm, ROOT_LOCK))
    if not (yield read_pmd()) and (yield query(Line(o.mm, ROOT_LOCK, "read"))):
        yield copy_register(o.table, o.prealloc_pte)
        yield spin_lock(TABLE_LOCK)  # before anybody finds it
        yield smp_wmb()
        yield pmd_populate()
        yield spin_unlock(at(o.mm, ROOT_LOCK))
        return "linked"
    lost = yield read_pmd()
    yield spin_unlock(at(o.mm, ROOT_LOCK))
    yield free(o.prealloc_pte, "pte_free", "free_table")
    return "lost" if lost else "unmapped"


VARIANTS = [
    Variant(
        name="cortenmm-adv",
        title="page-table pages with metadata, no VMA layer",
        kernel="v5.12 + CortenMM",
        source="10.1145/3731569.3764836",
        patches=(FaultCompleted, RangeTransaction, FreeTables, RcuTables, WiderRanges, FaultTransaction),
        events=(
            Event("cortenmm_stray", "reason", "the page table was unlinked before it was locked"),
            Event("cortenmm_waited", "reason", "the fault let go of the page table to wait, and began anew"),
        ),
        description="What the paper does for the page-table layer, under the core's faults and calls. "
        "Writers' stores to the tree move one line, which the paper does not have.",
        compared=False,
    )
]
