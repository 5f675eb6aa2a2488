"""The address space's lock as a lock of ranges (Kara 2013, Bueso and Dufour 2017 and 2018), full and refined.

Requests are kept in one tree under one spinlock, and served in the order of arrival where they overlap.  As
posted, every user of mmap_lock asks for the full range: what changes is the price.  The refined variant is
what the series was for and never did: a fault asks for the page table of its address, a call for the page
tables of its range and of the pages beside it, whose VMAs it may merge with.

The tree of VMAs is taken to bear lookups and changes of other ranges at the same time; its cache line is
paid for.
"""

from __future__ import annotations

from collections.abc import Generator

from spfvar.mm.fault import lock_and_find_vma
from spfvar.mm.hookspecs import hookimpl
from spfvar.mm.vmf import VmFault
from spfvar.ops import objects as o
from spfvar.ops.codes import EVERYTHING, WHOLE_TABLES
from spfvar.ops.op import Op, Steps
from spfvar.ops.places import RANGE_WORDS, SPIN_WORDS, Field, Register, member
from spfvar.ops.primitives import (
    at,
    copy_register,
    load,
    next_address,
    range_downgrade,
    range_lock,
    range_trylock,
    range_unlock,
    range_wait,
    spin_lock,
    spin_unlock,
)
from spfvar.plugins.variant import Variant

#: Tree and spinlock are one struct of 32 bytes, in mmap_sem's place (02/64).
IN_PLACE = member("mmap_lock")
TREE_LOCK = at(o.mm, Field(o.MM, "mmap_lock.lock", SPIN_WORDS, IN_PLACE))


class MmapRangeLock:
    """mmap_lock's hook points.  A design says what to ask for, and how."""

    ranges = at(o.mm, Field(o.MM, "mmap_lock.tree", RANGE_WORDS, IN_PLACE))
    #: Do readers of a range share it?
    shared = True

    def ask(self, start: Register | None, end: Register | None, beside: int) -> Steps:
        """Set the range, with so many pages on either side.  Returns the extent."""
        return EVERYTHING
        yield

    def change(self, op: Op) -> Steps:
        """Change the tree of requests under its lock.  Returns the outcome."""
        yield spin_lock(TREE_LOCK)
        outcome = yield op
        yield spin_unlock(TREE_LOCK)
        return outcome

    def lock(self, write: bool, extent: int, name: str) -> Steps:
        """Enter the request, then wait for those before it."""
        if (yield from self.change(range_lock(self.ranges, write, extent, name))):
            yield range_wait(self.ranges)

    @hookimpl
    def mmap_read_lock(self, start: Register, end: Register | None) -> Steps:
        extent = yield from self.ask(start, end, 0)
        yield from self.lock(not self.shared, extent, "mmap_read_lock")

    @hookimpl
    def mmap_read_trylock(self, start: Register, end: Register | None) -> Steps:
        extent = yield from self.ask(start, end, 0)
        return (
            yield from self.change(range_trylock(self.ranges, not self.shared, extent, "mmap_read_trylock"))
        )

    @hookimpl
    def mmap_read_unlock(self) -> Steps:
        return self.change(range_unlock(self.ranges, not self.shared, "mmap_read_unlock"))

    @hookimpl
    def mmap_write_lock(self, start: Register | None, end: Register | None) -> Steps:
        extent = yield from self.ask(start, end, 1)
        yield from self.lock(True, extent, "mmap_write_lock")

    @hookimpl
    def mmap_write_trylock(self, start: Register, end: Register | None) -> Steps:
        extent = yield from self.ask(start, end, 0)
        return (yield from self.change(range_trylock(self.ranges, True, extent, "mmap_write_trylock")))

    @hookimpl
    def mmap_write_unlock(self) -> Steps:
        return self.change(range_unlock(self.ranges, True, "mmap_write_unlock"))

    @hookimpl
    def mmap_write_downgrade(self) -> Steps:
        if self.shared:
            yield from self.change(range_downgrade(self.ranges, "mmap_write_downgrade"))


class RefinedRange(MmapRangeLock):
    """Ask for the page tables of what the fault or call is about, and for no more than that."""

    def ask(self, start: Register | None, end: Register | None, beside: int) -> Steps:
        if start is None:
            return EVERYTHING
        yield copy_register(o.range_lock_start, start, -beside)
        if end is None:
            yield copy_register(o.range_lock_end, start, beside + 1)
        else:
            yield copy_register(o.range_lock_end, end, beside)
        return WHOLE_TABLES

    @hookimpl
    def lock_mm_and_find_vma(self, vmf: VmFault) -> Steps:
        return lock_and_find_vma(vmf)

    @hookimpl(wrapper=True)
    def find_mergeable_anon_vma(self, vmf: VmFault) -> Generator[None, Steps, Steps]:
        return self._if_in_range((yield))

    def _if_in_range(self, find: Steps) -> Steps:
        yield load(at(o.vma, o.VM_END), o.vm_end)
        if (yield next_address(o.vm_end, o.range_lock_end, 0)):
            return (yield from find)
        return False


VARIANTS = [
    Variant(
        name="range-lock",
        title="mmap_lock as a lock of the full range",
        kernel="v4.15 + 64 patches",
        layout="v5.12",  # of the mmap_lock that it is compared with
        source="20180205012754.23615-1-dbueso@wotan.suse.de",
        patches=(MmapRangeLock,),
        description="What a tree of requests costs where a rwsem did: the step that was posted.",
        compared=False,
    ),
    Variant(
        name="range-lock-refined",
        title="mmap_lock as a lock of the range that is used",
        kernel="v4.15 + 64 patches, refined",
        layout="v5.12",
        source="10.1145/3342195.3387533",
        patches=(RefinedRange,),
        description="Faults and calls on different page tables do not wait for each other; the tree of "
        "requests is still one.",
        compared=False,
    ),
]
