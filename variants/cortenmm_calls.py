"""CortenMM's system calls: the core's, each in one transaction, and the freeing of page tables.

The core's texts take ``mmap_lock``; here that begins a transaction on the call's range, or on more where a
call changes more than that.
"""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import replace

from spfvar.mm import hookspecs as hooks
from spfvar.mm.hookspecs import hookimpl
from spfvar.mm.vmf import Mapping, VmFault
from spfvar.mm.writers import link_in_file, over_range, tlb_finish_mmu, unlink_anon_vmas
from spfvar.ops import objects as o
from spfvar.ops.op import Steps, again, loop
from spfvar.ops.orders import smp_wmb
from spfvar.ops.paging import next_table, pmd_clear, pmd_populate, read_pmd
from spfvar.ops.places import Register
from spfvar.ops.primitives import (
    allocate,
    at,
    call_rcu,
    copy_register,
    down_write,
    equals,
    next_address,
    set_null,
    set_register,
    spin_lock,
    spin_unlock,
    store,
    test_register,
)

from .cortenmm_lock import (
    NODE_LOCK,
    ROOT_LOCK,
    STRAY,
    lock_end,
    lock_leaf,
    lock_range,
    lock_root,
    lock_start,
    node,
    trylock_table,
    unlock_range,
)

#: 1: page tables of the call's range may have lost their last use.
emptied = Register("emptied")


def prune(mm: Register) -> Steps:
    """A transaction on the root: unlink the tables of the call's range that nothing uses any more."""
    yield set_register(emptied, 0)
    yield set_register(o.counter, 0)
    yield set_register(o.gathered_pages, 0)
    yield set_null(o.gathered)
    yield from over_range()
    yield loop("prune")
    yield spin_lock(at(mm, ROOT_LOCK))
    unlinked = (yield read_pmd(node, o.cursor)) and (yield from unlink_unused())
    yield spin_unlock(at(mm, ROOT_LOCK))
    if unlinked:
        yield set_register(o.counter, 1)
        yield from hooks.tlb_remove_table(node)
    if (yield next_table()):
        yield again("prune")
    if (yield test_register(o.counter, 1, "unlinked any")):
        yield from tlb_finish_mmu()


def unlink_unused() -> Steps:
    """Unlink ``node`` from the locked root if none of its pages has metadata.  Returns whether it was."""
    yield spin_lock(at(node, NODE_LOCK))
    unused = yield replace(pmd_clear(), src3=o.range_start)  # no range is excepted
    if unused:
        yield store(at(node, STRAY), 1)
    yield spin_unlock(at(node, NODE_LOCK))
    return unused


class RangeTransaction:
    """A transaction in the place of each mmap_lock section; there are no readers."""

    @hookimpl
    def is_stray(self, leaf: Register) -> Steps:
        return (yield equals(at(leaf, STRAY), 1, "stray"))

    @hookimpl
    def mmap_read_lock(self, start: Register, end: Register | None) -> Steps:
        return lock_range(start, end or o.range_end)

    @hookimpl
    def mmap_write_lock(self, start: Register | None, end: Register | None) -> Steps:
        return lock_range(start or o.range_start, end or o.range_end)

    @hookimpl
    def mmap_write_trylock(self, start: Register, end: Register | None) -> Steps:
        return trylock_table(start)

    @hookimpl(wrapper=True)
    def try_to_unmap_anon(self) -> Generator[None, Steps, Steps]:
        return self._of_page((yield))

    def _of_page(self, unmap: Steps) -> Steps:
        """Reclaim changes the entry of a page, so it has a transaction on it."""
        if not (yield from lock_leaf(node, o.cursor)):
            return False
        unmapped = yield from unmap
        yield spin_unlock(at(node, NODE_LOCK))
        return unmapped

    @hookimpl
    def mmap_read_unlock(self) -> Steps:
        return self._unlock()

    @hookimpl
    def mmap_write_unlock(self) -> Steps:
        return self._unlock()

    @hookimpl
    def mmap_write_downgrade(self) -> Steps:
        return
        yield

    def _unlock(self) -> Steps:
        yield from unlock_range()
        if (yield test_register(emptied, 1, "emptied")):
            yield from prune(o.mm)

    @hookimpl
    def i_mmap_lock_write(self, file: Register) -> Steps:
        # Spun for: a transaction must not sleep.
        yield replace(down_write(at(file, o.I_MMAP_RWSEM), "i_mmap_lock_write"), sleeps=False)


class FreeTables:
    """A table is unlinked when nothing uses it any more; it is freed after a flush and a grace period."""

    @hookimpl
    def free_pgtables(self, vma: Register, mapping: Mapping) -> Steps:
        yield from unlink_anon_vmas(vma)
        yield from link_in_file(vma, mapping, False)
        yield set_register(emptied, 1)

    @hookimpl
    def pte_free_retracted(self, table: Register) -> Steps:
        yield store(at(node, STRAY), 1)
        yield spin_unlock(at(node, NODE_LOCK))
        yield from hooks.tlb_free_table(node)

    @hookimpl
    def child_mmap_write_lock(self) -> Steps:
        return
        yield

    @hookimpl
    def child_mmap_write_unlock(self) -> Steps:
        if (yield test_register(emptied, 1, "emptied")):
            yield from prune(o.child_mm)

    @hookimpl
    def dup_mmap_lock_child(self) -> Steps:
        yield spin_lock(at(o.child_mm, ROOT_LOCK))  # under which its tables are linked

    @hookimpl
    def dup_mmap_unlock_child(self) -> Steps:
        yield spin_unlock(at(o.child_mm, ROOT_LOCK))


class RcuTables:
    """RCU keeps a page table that somebody is on the way to."""

    @hookimpl
    def tlb_free_table(self, table: Register) -> Steps:
        yield call_rcu(table, "__tlb_remove_table: call_rcu")


def ask_for(start: Register, end: Register, before: int = 0, behind: int = 0) -> Steps:
    """The next transaction is on ``start .. end``, and so many pages before and behind."""
    yield copy_register(lock_start, start, -before)
    yield copy_register(lock_end, end, behind)


def ask_for_both() -> Steps:
    """The next transaction is on both ranges of mremap, and on what lies between."""
    yield from ask_for(o.range_start, o.range_end)
    yield copy_register(o.scratch, o.new_start)
    if (yield next_address(o.scratch, o.range_start, 0)):
        yield copy_register(lock_start, o.new_start)
    yield copy_register(o.scratch, o.range_end)
    if (yield next_address(o.scratch, o.new_end, 0)):
        yield copy_register(lock_end, o.new_end)


def link_new_tables() -> Steps:
    """Link, locked, what page tables the new range lacks; if it lacks one, the root is locked."""
    yield copy_register(o.cursor, o.new_start)
    yield copy_register(o.limit, o.new_end)
    yield loop("new tables")
    if not (yield read_pmd(node, o.cursor)):
        yield allocate(o.prealloc_pte, "pte_alloc_one", "alloc_table")
        yield copy_register(node, o.prealloc_pte)
        yield spin_lock(at(node, NODE_LOCK))
        yield smp_wmb()
        yield pmd_populate(key=o.cursor)
    if (yield next_table()):
        yield again("new tables")


class WiderRanges:
    """Calls that change more than their range."""

    def _then(self, first: Steps, call: Steps) -> Steps:
        yield from first
        return (yield from call)

    @hookimpl(wrapper=True)
    def mremap(self, mapping: Mapping, whole_tables: bool) -> Generator[None, Steps, Steps]:
        return self._then(ask_for_both(), (yield))

    @hookimpl(wrapper=True)
    def mremap_dontunmap(self, mapping: Mapping) -> Generator[None, Steps, Steps]:
        return self._then(ask_for_both(), (yield))

    @hookimpl(wrapper=True)
    def copy_vma(self, mapping: Mapping) -> Generator[None, Steps, Steps]:
        return self._then(link_new_tables(), (yield))

    @hookimpl(wrapper=True)
    def uffd_move_lock(self, vmf: VmFault) -> Generator[None, Steps, Steps]:
        return self._with_new_tables((yield))

    def _with_new_tables(self, lock: Steps) -> Steps:
        yield from ask_for_both()
        locked = yield from lock
        if locked:
            yield from link_new_tables()
        return locked

    @hookimpl
    def move_normal_pmd(self, mapping: Mapping) -> Steps:
        # A waiter for a table's lock would find itself at another address.
        return False
        yield

    @hookimpl(wrapper=True)
    def vma_merge(self, mapping: Mapping) -> Generator[None, Steps, Steps]:
        return self._then(ask_for(o.range_start, o.limit), (yield))

    @hookimpl(wrapper=True)
    def brk(self, mapping: Mapping, grow: bool) -> Generator[None, Steps, Steps]:
        return self._then(ask_for(o.range_start, o.range_end, before=1), (yield))

    @hookimpl(wrapper=True)
    def collapse_huge_page(self) -> Generator[None, Steps, Steps]:
        return self._then(self._ask_for_root(), (yield))

    def _ask_for_root(self) -> Steps:
        yield set_register(lock_root, 1)
