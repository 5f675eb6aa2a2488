"""Barriers that published bugs lacked, and those that nothing is said of: each is taken out by itself.

Under sequential consistency all of these are safe: it takes the kernel's memory model to see them
(docs/weak-memory.md).
"""

from __future__ import annotations

from spfvar.variants.per_vma import PerVmaReader, PerVmaWriter
from spfvar.variants.per_vma_releases import CountedAtEnd, MapPagesOnly

from spfvar.ops import objects as o
from spfvar.ops.op import Steps
from spfvar.ops.primitives import add, at
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
]
