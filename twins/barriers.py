"""Barriers that published bugs lacked, and those that nothing is said of: each is taken out by itself.

Under sequential consistency all of these are safe: it takes the kernel's memory model to see them
(docs/weak-memory.md).
"""

from __future__ import annotations

from collections.abc import Generator

from spfvar.variants.bonsai import VM_DELETED, DeletedMark
from spfvar.variants.per_vma import PerVmaReader, PerVmaWriter
from spfvar.variants.per_vma_refcnt import VM_REFCNT, VMA_REF_LIMIT, RefcntReader, RefcntWriter
from spfvar.variants.per_vma_releases import CountedAtEnd, MapPagesOnly
from spfvar.variants.spf_patches import MMAP_SEQ, MmapSeq, SpeculativeEntry, seq

from spfvar.mm.fault import MMAP_LOCK
from spfvar.mm.hookspecs import hookimpl
from spfvar.mm.userfault import UserfaultMonitor
from spfvar.mm.vmf import VmFault
from spfvar.ops import objects as o
from spfvar.ops.op import Op, Steps
from spfvar.ops.places import Register
from spfvar.ops.primitives import (
    add,
    at,
    down_read,
    equals_register,
    inc_not_zero,
    load_odd,
    store,
)
from spfvar.plugins.variant import Twin

V6 = "b1f02b95758d"


class UnlockSeenAlone(MapPagesOnly):
    """v6.4: the number that says whether the VMA is write-locked is read without an acquire."""

    sequence_order = "once"


class SequenceSeenAlone(PerVmaReader):
    """The same of the sequence count."""

    sequence_order = "once"


class EndsUnordered(CountedAtEnd):
    """v6.4: the number is increased by a plain store."""

    end_order = "once"


class SequenceEndsUnordered(PerVmaWriter):
    """The sequence count is made even without a barrier before it."""

    def write_seqcount_end(self) -> Steps:
        yield add(at(o.mm, self.sequence), 1, "write_seqcount_end", atomic=False)


class BeginsUnordered(MmapSeq):
    """Stores of the write section are seen before the count is odd."""

    def write_seqcount_begin(self) -> Steps:
        yield add(at(o.mm, MMAP_SEQ), 1, "write_seqcount_begin", atomic=False)


class MmapSeqEndsUnordered(MmapSeq):
    """The count is even again before stores of the write section are seen."""

    def write_seqcount_end(self) -> Steps:
        yield add(at(o.mm, MMAP_SEQ), 1, "write_seqcount_end", atomic=False)


class CopiesBeforeItLooks(SpeculativeEntry):
    """The VMA is copied, and walks begin, before the count is read."""

    def mmap_seq_read_start(self) -> Steps:
        return (yield load_odd(at(o.mm, MMAP_SEQ), seq, "mmap_seq_read_start"))


class LooksBeforeItCopied(MmapSeq):
    """The count is read again before the VMA is copied."""

    @hookimpl
    def mmap_seq_read_check(self) -> Steps:
        return (yield equals_register(at(o.mm, MMAP_SEQ), seq, "mmap_seq_read_check"))


class TakesUnordered(RefcntReader):
    """The reference is taken without an acquire."""

    def get_reference(self) -> Op:
        return inc_not_zero(at(o.vma, VM_REFCNT), VMA_REF_LIMIT)


class AttachesUnordered(RefcntWriter):
    """The count is set before what the VMA became is seen."""

    @hookimpl
    def vma_mark_attached(self, vma: Register) -> Steps:
        yield store(at(vma, VM_REFCNT), 1)


class FlushAskedUnlocked:
    """A write asks whether a flush is pending before it locks the page table (mm_tlb_flush_pending, v6.1)."""

    @hookimpl(wrapper=True)
    def handle_pte_fault(self, vmf: VmFault, pte: str) -> Generator[None, Steps, Steps]:
        return self._ask_first(vmf, pte, (yield))

    def _ask_first(self, vmf: VmFault, pte: str, fault: Steps) -> Steps:
        if pte == "write-protected" and vmf.mapping.write_protects:
            yield from UserfaultMonitor().flush_if_pending(vmf)
        return (yield from fault)

    @hookimpl
    def flush_if_pending(self, vmf: VmFault) -> Steps:
        return
        yield


class MarkSeenLate(DeletedMark):
    """The mark is set without a full barrier behind it."""

    def begin_write(self, vma: Register) -> Steps:
        yield store(at(vma, VM_DELETED), 1)


class SlowPathUnordered:
    """Whoever gets mmap_lock for reading in the slow path is not told what was done under it before."""

    @hookimpl
    def mmap_read_lock(self) -> Steps:
        yield down_read(MMAP_LOCK, "mmap_read_lock", order="once")


TWINS = [
    Twin(
        bug="V6-acquire",
        title="a fault sees that the VMA is no longer write-locked, but not what was written",
        source=V6,
        fixed="per-vma-6.6",
        race="userfault",
        prop="P4",
        patches=(UnlockSeenAlone,),
        without=(MapPagesOnly,),
        memory="lkmm",
    ),
    Twin(
        bug="V6-acquire",
        title="the same with a sequence count",
        source=V6,
        fixed="per-vma-6.12",
        race="userfault",
        prop="P4",
        patches=(SequenceSeenAlone,),
        without=(PerVmaReader,),
        memory="lkmm",
    ),
    Twin(
        bug="V6-release",
        title="all write locks end before what was written is seen",
        source=V6,
        fixed="per-vma-6.6",
        race="userfault",
        prop="P4",
        patches=(EndsUnordered,),
        without=(CountedAtEnd,),
        memory="lkmm",
    ),
    Twin(
        bug="V6-release",
        title="the same with a sequence count",
        source=V6,
        fixed="per-vma-6.12",
        race="userfault",
        prop="P4",
        patches=(SequenceEndsUnordered,),
        without=(PerVmaWriter,),
        memory="lkmm",
    ),
    Twin(
        bug="S-seq-begin",
        title="the write section begins before the sequence count is seen odd (hypothetical)",
        source="20210407014502.24091-10-michel@lespinasse.org",
        fixed="spf-do-fault",
        race="stack-growth",
        prop="P10",
        patches=(BeginsUnordered,),
        without=(MmapSeq,),
        memory="lkmm",
    ),
    Twin(
        bug="S-seq-end",
        title="the sequence count is seen even before the write section has ended (hypothetical)",
        source="20210407014502.24091-10-michel@lespinasse.org",
        fixed="spf-do-fault",
        race="stack-growth",
        prop="P10",
        patches=(MmapSeqEndsUnordered,),
        without=(MmapSeq,),
        memory="lkmm",
    ),
    Twin(
        bug="S-seq-start",
        title="a speculative fault copies the VMA before it reads the sequence count (hypothetical)",
        source="20210407014502.24091-10-michel@lespinasse.org",
        fixed="spf-do-fault",
        race="mprotect",
        prop="P10",
        patches=(CopiesBeforeItLooks,),
        without=(SpeculativeEntry,),
        memory="lkmm",
    ),
    Twin(
        bug="S-seq-check",
        title="a speculative fault reads the sequence count again before it copied the VMA (hypothetical)",
        source="20210407014502.24091-10-michel@lespinasse.org",
        fixed="spf-do-fault",
        race="stack-growth",
        prop="P10",
        patches=(LooksBeforeItCopied,),
        without=(MmapSeq,),
        memory="lkmm",
    ),
    Twin(
        bug="B4-acquire",
        title="a reference to a recycled VMA is taken, and its former values are read (hypothetical)",
        source="7f8ceea0c580",
        fixed="per-vma-refcnt",
        race="userfault",
        prop="P3",
        patches=(TakesUnordered,),
        without=(RefcntReader,),
        memory="lkmm",
    ),
    Twin(
        bug="B4-acquire",
        title="the same of v6.17",
        source="7f8ceea0c580",
        fixed="per-vma-6.17",
        race="userfault",
        prop="P3",
        patches=(TakesUnordered,),
        without=(RefcntReader,),
        memory="lkmm",
    ),
    Twin(
        bug="B4-release",
        title="a VMA can be locked before what it became is seen (hypothetical)",
        source="7f8ceea0c580",
        fixed="per-vma-refcnt",
        race="userfault",
        prop="P3",
        patches=(AttachesUnordered,),
        without=(RefcntWriter,),
        memory="lkmm",
    ),
    Twin(
        bug="B4-release",
        title="the same of v6.17",
        source="7f8ceea0c580",
        fixed="per-vma-6.17",
        race="userfault",
        prop="P3",
        patches=(AttachesUnordered,),
        without=(RefcntWriter,),
        memory="lkmm",
    ),
    Twin(
        bug="R4",
        title="a reader of mmap_lock that waited does not see what the writer did",
        source="e1b98fa31664",
        fixed="mmap-lock",
        race="mprotect",
        prop="P10",
        patches=(SlowPathUnordered,),
        memory="lkmm",
    ),
    Twin(
        bug="B16",
        title="a write asks whether a flush is pending without the page table's lock (hypothetical)",
        source="include/linux/mm_inline.h mm_tlb_flush_pending, a comment of v6.1",
        fixed="mmap-lock",
        race="uffd-wp-move.toml",
        prop="P8",
        patches=(FlushAskedUnlocked,),
        description="It sees the entry write-protected, and not that its flush is still to come.",
        memory="lkmm",
    ),
    Twin(
        bug="B-mark",
        title="a fault that locks a page table once the VMA is marked misses the mark (hypothetical)",
        source="10.1145/2150976.2150998",
        fixed="bonsai",
        race="merge-out-of-memory",
        prop="P2",
        patches=(MarkSeenLate,),
        without=(DeletedMark,),
        description="Store buffering; x86 has the barriers in its locked instructions, on which it relies.",
        memory="lkmm",
    ),
]
