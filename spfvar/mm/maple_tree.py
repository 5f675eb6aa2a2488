"""The nodes of the tree of VMAs, which a change replaces instead of writing to them (v6.1 and later).

Sources: lib/maple_tree.c mas_wr_node_store, mas_replace_node, ma_free_rcu; fs/proc/task_mmu.c m_next.  A tree
has one node.  What it finds is that of the tree as a whole; a node is there to be walked, and to be freed
behind the back of who does.  Only these two have to do with nodes: who reads /proc/pid/maps, and a stack
that grows.
"""

from __future__ import annotations

from spfvar.mm.hookspecs import hookimpl
from spfvar.mm.proc import ProcMaps
from spfvar.mm.stack import ExpandStack, expand_downwards
from spfvar.mm.vmf import VmFault
from spfvar.ops import objects as o
from spfvar.ops.op import Steps
from spfvar.ops.primitives import allocate, at, call_rcu, find_vma, load, load_ref, store_ref

MA_ROOT = at(o.mm, o.MA_ROOT)


def mas_walk() -> Steps:
    """Fetch the node, and look into it."""
    yield load_ref(MA_ROOT, o.ma_node)
    yield load(at(o.ma_node, o.MA_SLOT), o.scratch)


class MapleTree(ProcMaps, ExpandStack):
    """Nodes are read under mmap_lock, changed under mmap_lock for writing, and freed by RCU."""

    @hookimpl
    def show_map(self) -> Steps:
        return super().show_map()

    @hookimpl
    def expand_stack(self, vmf: VmFault) -> Steps:
        return super().expand_stack(vmf)

    def m_next(self) -> Steps:
        """Walk to the VMA at ``cursor``.  Returns whether there is one."""
        yield from mas_walk()
        return (yield find_vma(key=o.cursor, name="m_next"))

    def expand_downwards(self) -> Steps:
        """The gap below the stack shrinks: that takes a new node."""
        yield from expand_downwards(self.mas_store)

    def mas_store(self) -> Steps:
        """Put a new node in the place of the one that there is; the lock of the tree is page_table_lock."""
        yield load_ref(MA_ROOT, o.ma_node)
        yield allocate(o.new_node, "mas_pop_node", "vm_area_alloc")
        yield store_ref(MA_ROOT, o.new_node)
        yield from self.ma_free()

    def ma_free(self) -> Steps:
        """MT_FLAGS_USE_RCU: walkers without the lock may still be in the node."""
        yield call_rcu(o.ma_node, "ma_free_rcu")
