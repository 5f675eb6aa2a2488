"""CortenMM's transaction: lock the page-table pages of a range, and unlock them (the "adv" protocol).

Sources: the paper (SOSP 2025) and ostd/src/mm/page_table/cursor/locking.rs of Asterinas, where it is so.  The
way down takes no lock, in an RCU section.  The node that covers the range is locked, then each node of the
range below it.  A node that was unlinked meanwhile is stray: the way down begins anew.

The model has two levels.  The covering node is the page table if the range lies in one, else the root, which
stands for all levels above.  Their locks are apart from pmd_lock and ptl, which stay the innermost locks of
the core's texts.  A fault links a missing table under the root's lock; a call keeps the root locked then.
"""

from __future__ import annotations

from dataclasses import replace

from spfvar.mm import hookspecs as hooks
from spfvar.mm.hookspecs import hook_point, hookimpl
from spfvar.mm.vmf import Mapping
from spfvar.mm.writers import link_in_file, over_range, tlb_finish_mmu, unlink_anon_vmas
from spfvar.ops import objects as o
from spfvar.ops.op import Op, Steps, again, loop
from spfvar.ops.paging import next_table, pmd_clear, read_pmd
from spfvar.ops.places import SPIN_WORDS, Field, Register
from spfvar.ops.primitives import (
    at,
    copy_register,
    count,
    down_write,
    equals,
    is_null,
    rcu_read_lock,
    rcu_read_unlock,
    set_null,
    set_register,
    spin_lock,
    spin_trylock,
    spin_unlock,
    store,
    test_register,
)

#: In struct page, beside ptl.
NODE_LOCK = Field(o.PAGE_TABLE, "node_lock", SPIN_WORDS, "ptl")
STRAY = Field(o.PAGE_TABLE, "stray", line="ptl")
ROOT_LOCK = Field(o.MM, "root_lock", SPIN_WORDS, "root_lock")
node = Register("node", o.PAGE_TABLE)
#: The mm if its root is locked; NULL: the covering node is a page table.
root = Register("root", o.MM)
#: What is locked, or (end not 0) what a call asks for beyond its range.
lock_start = Register("lock_start")
lock_end = Register("lock_end")
lock_root = Register("lock_root")  # 1: the covering node has to be the root
lock_cursor = Register("lock_cursor")
emptied = Register("emptied")  # 1: tables of the call's range may have lost their last use
ANY = (1 << 30) - 1


@hook_point
def is_stray(leaf: Register) -> Steps:
    """Was the locked node unlinked before it was locked?"""
    raise AssertionError


def lock_leaf(leaf: Register, key: Register) -> Steps:
    """Lock the page table of ``key``.  Returns whether there is one."""
    yield loop("restart")
    yield rcu_read_lock()
    if not (yield read_pmd(leaf, key)):
        yield rcu_read_unlock()
        return False
    yield spin_lock(at(leaf, NODE_LOCK))
    stray = yield from is_stray(leaf)
    if stray:
        yield spin_unlock(at(leaf, NODE_LOCK))
    yield rcu_read_unlock()  # a node that is linked and locked stays
    if stray:
        yield count("cortenmm_stray")
        yield again("restart")
    return True


def next_node() -> Op:
    """On to the next table of what is locked; outcome: is there one?"""
    return replace(next_table(lock_cursor), src=lock_end)


def lock_range(start: Register | None, end: Register | None) -> Steps:
    """Begin the transaction, on the call's range if nothing else was asked for."""
    if not (yield test_register(lock_end, ANY, "range set")):
        yield copy_register(lock_start, start or o.range_start)
        yield copy_register(lock_end, end or o.range_end)
    yield set_null(root)
    if not (yield test_register(lock_root, 1, "root asked for")):
        yield copy_register(lock_cursor, lock_start)
        if not (yield next_node()) and (yield from lock_leaf(node, lock_start)):
            return
    yield copy_register(root, o.mm)
    yield spin_lock(at(root, ROOT_LOCK))
    yield copy_register(lock_cursor, lock_start)
    yield loop("dfs_acquire_lock")
    if (yield read_pmd(node, lock_cursor)):
        yield spin_lock(at(node, NODE_LOCK))
    if (yield next_node()):
        yield again("dfs_acquire_lock")


def unlock_range() -> Steps:
    """End the transaction, then free what tables it has left without a use."""
    yield copy_register(lock_cursor, lock_start)
    yield loop("dfs_release_lock")
    if (yield read_pmd(node, lock_cursor)):
        yield spin_unlock(at(node, NODE_LOCK))
    if (yield next_node()):
        yield again("dfs_release_lock")
    if not (yield is_null(root)):
        yield spin_unlock(at(root, ROOT_LOCK))
    yield set_register(lock_end, 0)
    yield set_register(lock_root, 0)
    if (yield test_register(emptied, 1, "emptied")):
        yield from prune(o.mm)


def prune(owner: Register) -> Steps:
    """A transaction on the root: unlink the call's tables that map nothing; flush, then free them by RCU."""
    yield set_register(emptied, 0)
    yield set_register(o.counter, 0)
    yield set_register(o.gathered_pages, 0)
    yield set_null(o.gathered)
    yield from over_range()
    yield loop("prune")
    yield spin_lock(at(owner, ROOT_LOCK))
    unlinked = (yield read_pmd(node, o.cursor)) and (yield from unlink_unused())
    yield spin_unlock(at(owner, ROOT_LOCK))
    if unlinked:
        yield set_register(o.counter, 1)
        yield from hooks.tlb_remove_table(node)
    if (yield next_table()):
        yield again("prune")
    if (yield test_register(o.counter, 1, "unlinked any")):
        yield from tlb_finish_mmu()


def unlink_unused() -> Steps:
    """Unlink ``node`` from the locked root if no page of it has any metadata.  Returns whether it was."""
    yield spin_lock(at(node, NODE_LOCK))
    unused = yield replace(pmd_clear(), src3=o.range_start)  # nothing is excepted
    if unused:
        yield store(at(node, STRAY), 1)
    yield spin_unlock(at(node, NODE_LOCK))
    return unused


class RangeTransaction:
    """Transactions in the place of mmap_lock; reading and writing are the same."""

    @hookimpl
    def is_stray(self, leaf: Register) -> Steps:
        return (yield equals(at(leaf, STRAY), 1, "stray"))

    @hookimpl
    def mmap_read_lock(self, start: Register, end: Register | None) -> Steps:
        return lock_range(start, end)

    @hookimpl
    def mmap_write_lock(self, start: Register | None, end: Register | None) -> Steps:
        return lock_range(start, end)

    @hookimpl
    def mmap_write_trylock(self, start: Register, end: Register | None) -> Steps:
        # For one table, which is to be unlinked; the caller holds what a transaction may wait for.
        yield copy_register(root, o.mm)
        if not (yield spin_trylock(at(root, ROOT_LOCK))):
            return False
        yield copy_register(lock_start, start)
        yield copy_register(lock_end, start, 1)
        if (yield read_pmd(node, start)) and (yield spin_trylock(at(node, NODE_LOCK))):
            return True
        yield spin_unlock(at(root, ROOT_LOCK))
        yield set_register(lock_end, 0)
        return False

    @hookimpl
    def mmap_read_unlock(self) -> Steps:
        return unlock_range()

    @hookimpl
    def mmap_write_unlock(self) -> Steps:
        return unlock_range()

    @hookimpl
    def mmap_write_downgrade(self) -> Steps:
        return
        yield

    @hookimpl
    def i_mmap_lock_write(self, file: Register) -> Steps:
        # Spun for: a transaction must not sleep.
        yield replace(down_write(at(file, o.I_MMAP_RWSEM), "i_mmap_lock_write"), sleeps=False)

    @hookimpl
    def free_pgtables(self, vma: Register, mapping: Mapping) -> Steps:
        yield from unlink_anon_vmas(vma)
        yield from link_in_file(vma, mapping, False)
        yield set_register(emptied, 1)
