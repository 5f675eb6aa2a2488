"""Page tables as v6.5 and later look at them: under RCU, and again once they are locked.

Sources: mm/pgtable-generic.c __pte_offset_map_lock, mm/memory.c handle_pte_fault (v6.12).  Since then a
table may be unlinked without mmap_lock (spfvar.mm.khugepaged.RetractUnderRmapLock).
"""

from __future__ import annotations

from collections.abc import Generator

from spfvar.mm.dispatch import pmd_trans_huge
from spfvar.mm.fault import PTL
from spfvar.mm.hookspecs import hookimpl
from spfvar.mm.mremap import NEW_PTL
from spfvar.mm.vmf import PTE_MAPPED, VMFault, VmFault
from spfvar.ops import objects as o
from spfvar.ops.op import Op, Steps, again, loop
from spfvar.ops.paging import pmd_same, read_pmd, read_pte
from spfvar.ops.places import Register
from spfvar.ops.primitives import rcu_read_lock, rcu_read_unlock, spin_lock, spin_unlock


def pmdp_get_lockless(key: Register = o.address) -> Op:
    """Another look at the entry that a walk has come to: no walk, so it takes no time of its own."""
    return read_pmd(key=key).costing("local")


class PteOffsetMapLock:
    """v6.5 and later: the page table is found under RCU and checked again once locked."""

    def maps(self, vmf: VmFault) -> bool:
        """Does this fault look at page tables so?  Not one that a design handles in its own way."""
        return True

    @hookimpl(wrapper=True)
    def walk_page_tables(self, vmf: VmFault) -> Generator[None, Steps, Steps]:
        walk = yield
        return self._walk(vmf) if self.maps(vmf) else walk

    def _walk(self, vmf: VmFault) -> Steps:
        if (yield from pmd_trans_huge(vmf)):
            return "huge"
        if not (yield read_pmd()):
            return "no table"
        # pte_offset_map_nolock: the section lasts as long as the entry is mapped.
        yield rcu_read_lock()
        if not (yield pmdp_get_lockless()):
            yield rcu_read_unlock()
            return VMFault.NONE
        return (yield read_pte(vmf.breaks_cow))

    @hookimpl(wrapper=True)
    def handle_pte_fault(self, vmf: VmFault, pte: str) -> Generator[None, Steps, Steps]:
        handle = yield
        return self._unmapped_first(handle) if pte == "none" and self.maps(vmf) else handle

    @hookimpl(wrapper=True)
    def do_swap_page(self, vmf: VmFault) -> Generator[None, Steps, Steps]:
        swap = yield
        return self._unmapped_first(swap) if self.maps(vmf) else swap  # pte_unmap_same

    def _unmapped_first(self, handle: Steps) -> Steps:
        yield rcu_read_unlock()  # pte_unmap
        return (yield from handle)

    @hookimpl
    def pte_offset_map_lock(self, key: Register) -> Steps:
        # Whoever walks there passes over an entry without a table (zap_pmd_range, page_vma_mapped_walk, ...).
        if not (yield read_pmd(key=key)):
            return False
        yield loop("again")
        yield rcu_read_lock()
        if not (yield pmdp_get_lockless(key)):
            yield rcu_read_unlock()
            return False
        yield spin_lock(PTL)
        if (yield pmd_same(key=key)):
            return True
        yield spin_unlock(PTL)
        yield rcu_read_unlock()
        yield again("again")

    @hookimpl
    def pte_unmap(self) -> Steps:
        yield rcu_read_unlock()

    @hookimpl
    def lock_new_table(self) -> Steps:
        # No second look under the lock: if the table is retracted, the collapse has unmapped what would move.
        # So its lock does not keep it: RCU does until it is unlocked (pte_offset_map_nolock, pte_unmap).
        yield rcu_read_lock()
        if not (yield read_pmd(o.new_table, o.new_cursor)):
            yield rcu_read_unlock()
            return False
        yield spin_lock(NEW_PTL)
        return True

    @hookimpl(wrapper=True)
    def unlock_new_table(self) -> Generator[None, Steps, Steps]:
        return self._unlock((yield))

    def _unlock(self, spin_unlock_table: Steps) -> Steps:
        yield from spin_unlock_table
        yield rcu_read_unlock()

    # Neither table is looked at again, nor retracted: who is copied has an anon_vma, and so has the copy.

    @hookimpl
    def copy_pte_lock(self) -> Steps:
        yield rcu_read_lock()
        yield spin_lock(NEW_PTL)
        yield rcu_read_lock()
        yield spin_lock(PTL)

    @hookimpl
    def copy_pte_unlock(self) -> Steps:
        yield spin_unlock(PTL)
        yield rcu_read_unlock()
        yield spin_unlock(NEW_PTL)
        yield rcu_read_unlock()

    @hookimpl(wrapper=True)
    def pte_map_lock(self, vmf: VmFault) -> Generator[None, Steps, Steps]:
        spin_lock_table = yield
        return self._lock(spin_lock_table) if self.maps(vmf) and not vmf.has(PTE_MAPPED) else spin_lock_table

    def _lock(self, spin_lock_table: Steps) -> Steps:
        # __pte_offset_map_lock takes whatever table is there now.
        yield loop("again")
        yield rcu_read_lock()
        if not (yield pmdp_get_lockless()):
            yield rcu_read_unlock()
            return False
        yield from spin_lock_table
        if (yield pmd_same()):
            return True
        yield spin_unlock(PTL)
        yield rcu_read_unlock()
        yield again("again")

    @hookimpl(wrapper=True)
    def pte_unmap_unlock(self, vmf: VmFault) -> Generator[None, Steps, Steps]:
        unlock = yield
        return self._unmap(unlock) if self.maps(vmf) else unlock

    def _unmap(self, unlock: Steps) -> Steps:
        yield from unlock
        yield rcu_read_unlock()
