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

from spfvar.mm.hookspecs import hook_point
from spfvar.ops import objects as o
from spfvar.ops.op import Op, Steps, again, loop
from spfvar.ops.paging import next_table, read_pmd
from spfvar.ops.places import SPIN_WORDS, Field, Register, apart
from spfvar.ops.primitives import (
    at,
    copy_register,
    count,
    is_null,
    rcu_read_lock,
    rcu_read_unlock,
    set_null,
    set_register,
    spin_lock,
    spin_trylock,
    spin_unlock,
    test_register,
)

#: In struct page, which is one cache line.
NODE_LOCK = Field(o.PAGE_TABLE, "node_lock", SPIN_WORDS)
STRAY = Field(o.PAGE_TABLE, "stray")
ROOT_LOCK = Field(o.MM, "root_lock", SPIN_WORDS, apart("struct page of the root table"))
node = Register("node", o.PAGE_TABLE)
#: The mm if its root is locked; NULL: the covering node is a page table.
root = Register("root", o.MM)
#: What is locked; or, set beforehand (the end is not 0), what a call asks for beyond its range.
lock_start = Register("lock_start")
lock_end = Register("lock_end")
#: 1: the covering node has to be the root.
lock_root = Register("lock_root")
lock_cursor = Register("lock_cursor")
#: Every bit that a page number may have.
ANY = (1 << 30) - 1


@hook_point
def is_stray(leaf: Register) -> Steps:
    """Was the page table that is locked unlinked before?

    (ostd/src/mm/page_table/cursor/locking.rs: try_traverse_and_lock_subtree_root).  Returns whether it was.
    """
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


def lock_range(start: Register, end: Register) -> Steps:
    """Begin a transaction on ``start .. end``, if nothing else was asked for."""
    if not (yield test_register(lock_end, ANY, "range set")):
        yield copy_register(lock_start, start)
        yield copy_register(lock_end, end)
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


def trylock_table(key: Register) -> Steps:
    """Begin one that may unlink the table of ``key``, without waiting.  Returns whether it began."""
    yield copy_register(root, o.mm)
    if not (yield spin_trylock(at(root, ROOT_LOCK))):
        return False
    if (yield read_pmd(node, key)) and (yield spin_trylock(at(node, NODE_LOCK))):
        yield copy_register(lock_start, key)
        yield copy_register(lock_end, key, 1)
        return True
    yield spin_unlock(at(root, ROOT_LOCK))
    return False


def unlock_range() -> Steps:
    """End the transaction: all locks were held to here, so their order does not matter."""
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
