"""Published bugs of the VMA tree's nodes: who walks one that is replaced and freed."""

from __future__ import annotations

from spfvar.mm.hookspecs import hookimpl
from spfvar.mm.maple_tree import MA_ROOT, MapleTree
from spfvar.mm.stack import in_the_way
from spfvar.mm.vmf import VmFault
from spfvar.ops import objects as o
from spfvar.ops.op import Steps, again, loop
from spfvar.ops.orders import smp_rmb, smp_wmb
from spfvar.ops.primitives import (
    at,
    bug_on,
    equals,
    find_vma,
    free,
    load,
    load_ref,
    rcu_read_lock,
    rcu_read_unlock,
    store,
    test_register,
)
from spfvar.ops.properties import PROPERTIES
from spfvar.plugins.variant import Twin


class ExpandsUnderReadLock(MapleTree):
    """Up to v6.4 a fault extends the stack with mmap_lock held for reading."""

    @hookimpl
    def expand_stack(self, vmf: VmFault) -> Steps:
        if (yield from in_the_way(vmf)):
            return True
        found = yield find_vma(key=o.stack_top)
        if found:
            yield from self.expand_downwards()
        return found


class WalksUnderRcu(ExpandsUnderReadLock):
    """Who walks the tree is in an RCU section, too."""

    def m_next(self) -> Steps:
        yield rcu_read_lock()
        found = yield from super().m_next()
        yield rcu_read_unlock()
        return found


class FreesNodesAtOnce(WalksUnderRcu):
    """The tree is not in RCU mode: whoever has the lock for writing would be alone."""

    def ma_free(self) -> Steps:
        yield free(o.ma_node, "mt_free_one")


#: What a slot holds once call_rcu() has the node: its rcu_head lies over the slots (struct maple_node).
RCU_HEAD = 2


class MarksNodesDead(WalksUnderRcu):
    """A node that was replaced is marked before it is written over, and who has read from it looks.

    lib/maple_tree.c mte_set_node_dead, mte_dead_node, mas_start, mtree_range_walk (v6.1, v6.12).
    """

    def ma_free(self) -> Steps:
        yield from self.mte_set_node_dead()
        yield store(at(o.ma_node, o.MA_SLOT), RCU_HEAD)
        yield from super().ma_free()

    def mte_set_node_dead(self) -> Steps:
        yield store(at(o.ma_node, o.MA_PARENT), 1)
        yield smp_wmb()

    def m_next(self) -> Steps:
        yield rcu_read_lock()
        yield loop("mas_start")
        yield load_ref(MA_ROOT, o.ma_node)
        yield load(at(o.ma_node, o.MA_SLOT), o.scratch)
        if (yield from self.mte_dead_node()):
            yield again("mas_start")
        if (yield test_register(o.scratch, RCU_HEAD, "the slot holds an rcu_head")):
            yield bug_on("what was written over a dead node is taken for its slots", PROPERTIES["P5"])
        found = yield find_vma(key=o.cursor, name="m_next")
        yield rcu_read_unlock()
        return found

    def mte_dead_node(self) -> Steps:
        yield smp_rmb()
        return (yield equals(at(o.ma_node, o.MA_PARENT), 1, "mte_dead_node"))


class DeadSeenLate(MarksNodesDead):
    """The node is written over before its mark is seen."""

    def mte_set_node_dead(self) -> Steps:
        yield store(at(o.ma_node, o.MA_PARENT), 1)


class LooksTooEarly(MarksNodesDead):
    """The mark is read before the slots are."""

    def mte_dead_node(self) -> Steps:
        return (yield equals(at(o.ma_node, o.MA_PARENT), 1, "mte_dead_node"))


DEAD_NODES = "0a2b18d94883, c13af03de46b, 2e5b4921f8ef (v6.4)"
_STACKROT = "CVE-2023-3269, merge 9471f1f2f502"

TWINS = [
    Twin(
        bug="R11",
        title="a stack grows under mmap_lock for reading, and frees the tree node that another reader is in",
        source=_STACKROT,
        fixed=fixed,
        race="maps-stack",
        prop="P5",
        patches=(ExpandsUnderReadLock,),
        description="StackRot: a reader under mmap_lock does not hold up the grace period.",
    )
    for fixed in ("mmap-lock", "per-vma-6.4")
]
TWINS += [
    Twin(
        bug="R11-mode",
        title="a stack grows under mmap_lock for reading, and the tree is not in RCU mode",
        source="mm: enable maple tree RCU mode by default (v6.3)",
        fixed="mmap-lock",
        race="maps-stack",
        prop="P5",
        patches=(FreesNodesAtOnce,),
        description="Then it is no use to be in an RCU section.",
    ),
    Twin(
        bug="R11-rcu",
        title="a stack grows under mmap_lock for reading, and who walks the tree is in an RCU section",
        source=_STACKROT,
        fixed="mmap-lock",
        race="maps-stack",
        prop="",
        patches=(WalksUnderRcu,),
        description="What the tree's RCU mode is for: a control.",
    ),
    Twin(
        bug="R11-write",
        title="a stack grows under mmap_lock for writing, and the tree's nodes are replaced",
        source=_STACKROT,
        fixed="mmap-lock",
        race="maps-stack",
        prop="",
        patches=(MapleTree,),
        description="The fix: a control.",
    ),
]
TWINS += [
    Twin(
        bug="B21",
        title="who walks the tree without its lock asks whether the node is dead by now",
        source=DEAD_NODES,
        fixed="mmap-lock",
        race="maps-stack",
        prop="",
        patches=(MarksNodesDead,),
        description="A control: with the barriers of those commits.",
        memory="lkmm",
    ),
    Twin(
        bug="B21-wmb",
        title="a dead node of the tree is written over before it is seen to be dead",
        source=DEAD_NODES,
        fixed="mmap-lock",
        race="maps-stack",
        prop="P5",
        patches=(DeadSeenLate,),
        memory="lkmm",
    ),
    Twin(
        bug="B21-rmb",
        title="who walks the tree asks whether the node is dead before it has read from it",
        source=DEAD_NODES,
        fixed="mmap-lock",
        race="maps-stack",
        prop="P5",
        patches=(LooksTooEarly,),
        memory="lkmm",
    ),
]
