"""Published bugs of a fork that fails half-way: who finds the child's address space before it has gone."""

from __future__ import annotations

from spfvar.mm import hookspecs as hooks
from spfvar.mm.fork import unmap_in_child
from spfvar.mm.fork_fails import announce_child, unuse_vmas
from spfvar.mm.hookspecs import hookimpl
from spfvar.mm.vmf import Mapping
from spfvar.ops import objects as o
from spfvar.ops.op import Steps
from spfvar.ops.primitives import copy_register
from spfvar.plugins.variant import Twin


class UnuseAnyMm:
    """swapoff does not ask whether the address space is stable."""

    @hookimpl
    def unuse_mm(self, mapping: Mapping) -> Steps:
        yield from hooks.mmap_read_lock(o.range_start, o.range_end)
        yield from unuse_vmas(mapping)
        yield from hooks.mmap_read_unlock()


class TornDownAtOnce:
    """dup_mmap unmaps what it has copied, and leaves an empty tree, before it drops its locks (2026)."""

    @hookimpl
    def dup_mmap_nomem(self, mapping: Mapping) -> Steps:
        yield copy_register(o.range_start, o.new_start)
        yield copy_register(o.range_end, o.new_end)
        yield from unmap_in_child(mapping, "__mt_destroy: empty")


class AnnouncedAnyway:
    """The monitor is told of the child whether or not fork has failed."""

    @hookimpl
    def dup_userfaultfd_end(self, mapping: Mapping, failed: bool) -> Steps:
        if mapping.userfault:
            yield from announce_child()


TWINS = [
    Twin(
        bug="K1",
        title="swapoff walks the tree that a failed fork has left half-built",
        source="64c37e134b12, CVE-2025-21709",
        fixed="per-vma-6.12",
        race="fork-fails-unuse",
        prop="P14",
        patches=(UnuseAnyMm,),
        description="MMF_UNSTABLE is set, and nobody asks for it.",
    ),
    Twin(
        bug="K1-emptied",
        title="a failed fork empties the child's tree before it drops its locks",
        source="43873af772f8",
        fixed="per-vma-6.12",
        race="fork-fails-unuse",
        prop="",
        patches=(UnuseAnyMm, TornDownAtOnce),
        description="The later fix: a control.",
    ),
    Twin(
        bug="X16",
        title="a fork that has failed announces the child to its userfaultfd monitor",
        source="f64e67e5d3a4, CVE-2024-50220",
        fixed="per-vma-6.12",
        race="fork-fails-monitor",
        prop="P14",
        patches=(AnnouncedAnyway,),
    ),
]
