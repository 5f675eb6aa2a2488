"""Published bugs of userfaultfd monitors, under the locks of VMAs."""

from __future__ import annotations

from collections.abc import Generator

from spfvar.variants.vma_lock import VMA_LOCK

from spfvar.mm import hookspecs as hooks
from spfvar.mm.hookspecs import hookimpl
from spfvar.mm.vmf import VmFault
from spfvar.ops import objects as o
from spfvar.ops.op import Steps
from spfvar.ops.primitives import copy_register
from spfvar.plugins.variant import Twin


class TrustsWhatItKnew:
    """Once the page is copied, the VMA at the address is taken for the one that was there."""

    @hookimpl(wrapper=True)
    def validate_dst_vma(self, retry: bool) -> Generator[None, Steps, Steps]:
        look = yield
        return self._trust() if retry else look

    def _trust(self) -> Steps:
        return True
        yield


class KeepsOneForTheOther:
    """The source is locked as the destination was: with mmap_lock, if its own lock is not had at once."""

    @hookimpl(wrapper=True)
    def uffd_move_lock(self, vmf: VmFault) -> Generator[None, Steps, Steps]:
        yield
        return self._lock(vmf)

    def _lock(self, vmf: VmFault) -> Steps:
        yield copy_register(o.address, o.new_start)
        if (yield from hooks.uffd_mfill_lock(vmf)) is False:
            return False
        yield copy_register(o.new_vma, o.vma)
        yield copy_register(o.address, o.range_start)
        if (yield from hooks.uffd_mfill_lock(vmf)) is not False:
            return True
        yield copy_register(o.vma, o.new_vma)
        yield from hooks.release_fault_lock(vmf.set(VMA_LOCK))
        return False


TWINS = [
    Twin(
        bug="X20",
        title="UFFDIO_COPY fills whatever VMA is there once it has copied the page",
        source="85668fda932a, 20260527184751.4147364-2-",
        fixed="per-vma-6.17",
        race="uffd-copy-over",
        prop="P16",
        patches=(TrustsWhatItKnew,),
        description="The retry of 7.1 looked up the VMA again, and installed what it had chosen for another: "
        "an anonymous page in a mapping of a file, which has no anon_vma.",
    ),
    Twin(
        bug="U3",
        title="UFFDIO_MOVE waits for mmap_lock with its destination's VMA locked (never merged)",
        source="mm/userfaultfd.c uffd_move_lock, a comment of v6.9",
        fixed="per-vma-6.12",
        race="uffd-move-mprotect",
        prop="P11",
        patches=(KeepsOneForTheOther,),
    ),
]
