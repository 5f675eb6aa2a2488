"""What locks on ranges have to cover: each twin locks less than its design does."""

from __future__ import annotations

from collections.abc import Generator

from spfvar.variants.radixvm import OwnTables
from spfvar.variants.range_lock import RefinedRange

from spfvar.mm.hookspecs import hookimpl
from spfvar.mm.vmf import VmFault
from spfvar.ops import objects as o
from spfvar.ops.codes import AS_IT_IS, EVERYTHING
from spfvar.ops.op import Steps
from spfvar.ops.paging import own_set_pte, read_pmd, read_pte
from spfvar.ops.places import Register
from spfvar.plugins.variant import Twin


class PagesOnly(RefinedRange):
    """Ask for the pages that a fault or a call is about, without floor and ceiling."""

    def ask(self, start: Register | None, end: Register | None, beside: int) -> Steps:
        extent = yield from super().ask(start, end, 0)
        return EVERYTHING if extent == EVERYTHING else AS_IT_IS


class SourceOnly(RefinedRange):
    """mremap and fork ask for the range that they read, as other calls do."""

    def ask(self, start: Register | None, end: Register | None, beside: int) -> Steps:
        if start is None:
            return (yield from super().ask(o.range_start, o.range_end, 1))
        return (yield from super().ask(start, end, beside))


class AfterTheSlot:
    """What was in the slot is entered into the core's table once the slot is unlocked."""

    @hookimpl(wrapper=True)
    def release_fault_lock(self, vmf: VmFault) -> Generator[None, Steps, Steps]:
        return self._enter((yield))

    def _enter(self, unlock: Steps) -> Steps:
        seen = (yield read_pmd()) and (yield read_pte(False)) != "none"
        yield from unlock
        if seen:
            yield own_set_pte()


class WithoutTableLock:
    """It is entered with the slot locked, but without the lock that reverse-map walks take."""

    @hookimpl(wrapper=True)
    def release_fault_lock(self, vmf: VmFault) -> Generator[None, Steps, Steps]:
        return self._enter((yield))

    def _enter(self, unlock: Steps) -> Steps:
        if (yield read_pmd()) and (yield read_pte(False)) != "none":
            yield own_set_pte()
        yield from unlock


TWINS = [
    Twin(
        bug="RL1",
        title="ranges that end where VMAs do, not where page tables do",
        source="20180205012754.23615-1-dbueso@wotan.suse.de",
        fixed="range-lock-refined",
        race="munmap-neighbours",
        prop="P4",
        patches=(PagesOnly,),
        without=(RefinedRange,),
        description="munmap frees a page table in which the munmap of the next VMA still works: floor and "
        "ceiling are why the full range was not refined.",
    ),
    Twin(
        bug="RL2",
        title="mremap asks for its source only",
        source="20180205012754.23615-1-dbueso@wotan.suse.de",
        fixed="range-lock-refined",
        race="mremap-destination",
        prop="P7",
        patches=(SourceOnly,),
        without=(RefinedRange,),
        description="A fault maps a new page into the destination before the entries arrive there.",
    ),
    Twin(
        bug="RX1",
        title="a core's own page table is filled after the slot is unlocked",
        source="10.1145/2465351.2465373",
        fixed="radixvm",
        race="munmap-anon",
        prop="P9",
        patches=(AfterTheSlot,),
        without=(OwnTables,),
        description="munmap finds nothing to flush on that core, which then takes over what is being freed.",
    ),
    Twin(
        bug="RX2",
        title="a core's own page table is filled without the lock of the shared entry",
        source="10.1145/2465351.2465373",
        fixed="radixvm",
        race="truncate-cow",
        prop="P9",
        patches=(WithoutTableLock,),
        without=(OwnTables,),
        description="Enough in sv6, which has no reverse maps; truncation comes by them and locks no slot.",
    ),
]
