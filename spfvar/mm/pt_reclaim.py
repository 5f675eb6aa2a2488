"""Page tables that madvise(MADV_DONTNEED) has emptied go at once (CONFIG_PT_RECLAIM, v6.14 and later).

Sources: mm/memory.c zap_pte_range; mm/pt_reclaim.c (6375e95f381e).  A zap may drop the table's lock behind
any entry, to reschedule; what it knew of the entries before is then void, and every entry is looked at again.
Elsewhere a zap keeps the lock over a whole table: whoever remembers nothing over the gap cannot tell.

Reclaimed tables are freed by RCU, as on x86-64 every table is since v6.15; what unmaps frees its tables as
before (spfvar.mm.writers).  Only calls whose range is made of whole page tables reclaim any; in the kernel,
the whole tables in the middle of other ranges go, too.
"""

from __future__ import annotations

from collections.abc import Generator

from spfvar.mm import hookspecs as hooks
from spfvar.mm.fault import PMD_LOCK, PTL
from spfvar.mm.hookspecs import hookimpl
from spfvar.mm.khugepaged import retract_under_rmap_lock
from spfvar.mm.unmap_unlock import pte_unmap_unlock
from spfvar.mm.vmf import Mapping
from spfvar.mm.writers import flush_tlb, over_range
from spfvar.ops import objects as o
from spfvar.ops.op import Steps, again, loop
from spfvar.ops.paging import (
    free_gathered_pages,
    next_table,
    pmd_same,
    pmd_take,
    pte_none,
    read_pmd,
    zap_ptes,
)
from spfvar.ops.places import Register
from spfvar.ops.primitives import (
    add,
    at,
    call_rcu,
    choose,
    copy_register,
    is_null,
    load_ref,
    next_address,
    rcu_read_lock,
    rcu_read_unlock,
    set_null,
    set_register,
    spin_lock,
    spin_trylock,
    spin_unlock,
    test_register,
)

table_start = Register("table_start")  # the first address that the table maps
direct_reclaim = Register("direct_reclaim")  # 1: the table was locked from its first entry on
entry = Register("entry_address")  # of a look at every entry


class PtReclaim:
    """MADV_DONTNEED of whole page tables frees those that it finds empty.

    khugepaged, which retracts tables without mmap_lock, looks again whether there is one, once it has the
    lock of the entry (check_pmd_state in retract_page_tables, in the kernel since the same release).
    """

    @hookimpl
    def retract_page_tables(self) -> Steps:
        return retract_under_rmap_lock(check_pmd=True)

    @hookimpl(wrapper=True)
    def is_pte_pages_stable(self, new_table: Register) -> Generator[None, Steps, Steps]:
        return self._look_for_new_table(new_table, (yield))

    def _look_for_new_table(self, new_table: Register, stable: Steps) -> Steps:
        """An empty entry is no sign that its table is still there; one that maps something is."""
        return (yield from stable) and (yield pmd_same(new_table, o.new_address))

    @hookimpl(wrapper=True)
    def madvise_dontneed_single_vma(self, mapping: Mapping) -> Generator[None, Steps, Steps]:
        zap = yield
        return self._zap_and_reclaim() if mapping.whole_tables else zap

    def _zap_and_reclaim(self) -> Steps:
        yield set_register(o.gathered_pages, 0)
        yield set_null(o.gathered)
        yield from over_range()
        yield loop("zap_pmd_range")
        yield copy_register(table_start, o.cursor)
        yield copy_register(o.extent_end, o.cursor)
        yield next_table(o.extent_end)
        yield copy_register(o.scratch, o.range_end)
        if (yield next_address(o.scratch, o.extent_end, 0)):  # brk has cut the VMA off: no whole table
            if (yield from hooks.pte_offset_map_lock(o.cursor)):
                yield zap_ptes()
                yield from pte_unmap_unlock()
        else:
            yield from self.zap_pte_range()
        yield copy_register(o.cursor, table_start)
        if (yield next_table()):
            yield again("zap_pmd_range")
        yield from flush_tlb(freed_tables=True)
        yield free_gathered_pages()
        yield from tlb_table_flush()

    def zap_pte_range(self) -> Steps:
        """Clear the entries of one table, then free the table if that can be had."""
        yield set_register(direct_reclaim, 1)
        yield loop("retry")
        if not (yield from hooks.pte_offset_map_lock(o.cursor)):
            return
        if (yield choose("need_resched", False, True)):
            yield copy_register(o.limit, o.cursor, 1)
            yield zap_ptes()
            yield copy_register(o.limit, o.range_end)
            if (yield next_address(o.cursor, o.extent_end)):
                yield from self.lock_is_dropped()
                yield from pte_unmap_unlock()
                yield again("retry")
        else:
            yield zap_ptes()
        if (yield test_register(direct_reclaim, 1, "direct_reclaim")) and (yield spin_trylock(PMD_LOCK)):
            yield pmd_take(table_start, name="pmd_clear(empty table)")
            yield spin_unlock(PMD_LOCK)
            yield from pte_unmap_unlock()
            yield from free_pte()
        else:
            yield from pte_unmap_unlock()
            yield from try_to_free_pte()

    def lock_is_dropped(self) -> Steps:
        """What was cleared before may be set again: that nothing was skipped says nothing any more."""
        yield set_register(direct_reclaim, 0)


def free_pte() -> Steps:
    """Gather the unlinked table."""
    yield from hooks.tlb_remove_table(o.table)
    yield add(at(o.mm, o.PGTABLES_BYTES), -1, "mm_dec_nr_ptes")


def try_to_free_pte() -> Steps:
    """Unlink the table of ``table_start`` if, under both locks, each of its entries is none."""
    yield spin_lock(PMD_LOCK)
    yield rcu_read_lock()
    if not (yield read_pmd(key=table_start)):
        yield rcu_read_unlock()
        yield spin_unlock(PMD_LOCK)
    else:
        yield spin_lock(PTL)
        empty = yield from is_empty()
        if empty:
            yield pmd_take(table_start, name="pmd_clear(empty table)")
        yield spin_unlock(PTL)
        yield rcu_read_unlock()
        yield spin_unlock(PMD_LOCK)
        if empty:
            yield from free_pte()


def is_empty() -> Steps:
    """Is every entry of the locked table none?"""
    yield copy_register(entry, table_start)
    yield loop("is it empty?")
    if not (yield pte_none(entry)):
        return False
    if (yield next_address(entry, o.extent_end)):
        yield again("is it empty?")
    return True


def tlb_table_flush() -> Steps:
    """The TLB is flushed: free the gathered tables by RCU, for a walker may be in one of them."""
    yield loop("tlb_table_flush")
    if not (yield is_null(o.gathered)):
        yield copy_register(o.table, o.gathered)
        yield load_ref(at(o.table, o.GATHER_NEXT), o.gathered)
        yield call_rcu(o.table, "tlb_remove_table_free: call_rcu")
        yield again("tlb_table_flush")
