"""Texts that drafts share: what C reads of a VMA, wherever the fault has it."""

from __future__ import annotations

from spfvar.mm.vmf import VMA_COPY, VmFault
from spfvar.ops import objects as o
from spfvar.ops.op import Steps
from spfvar.ops.primitives import at, is_null, load_ref_nonnull


def vma_anon_vma(vmf: VmFault) -> Steps:
    """``vma->anon_vma``, of the VMA or of the fault's copy of it.  Returns whether there is one."""
    if vmf.has(VMA_COPY):
        return not (yield is_null(o.anon_vma))
    return (yield load_ref_nonnull(at(o.vma, o.VM_ANON_VMA), o.anon_vma))
