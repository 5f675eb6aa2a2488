"""A sequence count that is odd while mmap_lock is held for writing: a base for patches.

The 2021 series' ``mmap_seq`` and v6.12's ``mm_lock_seq`` are both this: incremented after the lock is taken
and before it is released or downgraded (include/linux/mmap_lock.h).
"""

from __future__ import annotations

from collections.abc import Generator
from typing import ClassVar

from spfvar.mm.hookspecs import hookimpl
from spfvar.ops import objects as o
from spfvar.ops.op import Steps
from spfvar.ops.orders import smp_wmb
from spfvar.ops.places import Field
from spfvar.ops.primitives import add, at


class WriteSequence:
    """Count write sections in ``sequence``, a field of mm_struct that the patch declares."""

    sequence: ClassVar[Field]

    @hookimpl(wrapper=True)
    def mmap_write_lock(self) -> Generator[None, Steps, Steps]:
        return self._then_begin((yield))

    @hookimpl(wrapper=True)
    def mmap_write_trylock(self) -> Generator[None, Steps, Steps]:
        return self._begin_if((yield))

    @hookimpl(wrapper=True)
    def mmap_write_unlock(self) -> Generator[None, Steps, Steps]:
        return self._end_then((yield))

    @hookimpl(wrapper=True)
    def mmap_write_downgrade(self) -> Generator[None, Steps, Steps]:
        return self._end_then((yield))

    def _then_begin(self, lock: Steps) -> Steps:
        yield from lock
        yield from self.write_seqcount_begin()

    def _begin_if(self, trylock: Steps) -> Steps:
        if not (yield from trylock):
            return False
        yield from self.write_seqcount_begin()
        return True

    def _end_then(self, unlock: Steps) -> Steps:
        yield from self.write_seqcount_end()
        yield from unlock

    def write_seqcount_begin(self) -> Steps:
        """The count is odd, and stores of the section are behind it (do_raw_write_seqcount_begin)."""
        yield add(at(o.mm, self.sequence), 1, "write_seqcount_begin", atomic=False)
        yield smp_wmb()

    def write_seqcount_end(self) -> Steps:
        """Even again: stores of the section are before it (do_raw_write_seqcount_end)."""
        yield smp_wmb()
        yield add(at(o.mm, self.sequence), 1, "write_seqcount_end", atomic=False)
