"""Published bugs of the VMA tree's nodes: who walks one that is replaced and freed."""

from __future__ import annotations

from spfvar.mm.hookspecs import hookimpl
from spfvar.mm.maple_tree import MapleTree
from spfvar.mm.stack import in_the_way
from spfvar.mm.vmf import VmFault
from spfvar.ops import objects as o
from spfvar.ops.op import Steps
from spfvar.ops.primitives import find_vma, free, rcu_read_lock, rcu_read_unlock
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
