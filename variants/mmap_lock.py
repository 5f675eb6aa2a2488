"""The baseline: every fault takes mmap_lock for reading (v5.12, the core's own paths), and a floor."""

from __future__ import annotations

from spfvar.mm.exit import ExitInTwoSteps
from spfvar.mm.fork import StoredFirst
from spfvar.mm.hookspecs import hookimpl
from spfvar.mm.khugepaged import RetractUnlocked
from spfvar.mm.vmf import VmFault
from spfvar.ops.op import Steps
from spfvar.plugins.variant import Variant

from .per_vma import FaultCompleted


class HoldAcrossIo:
    """A fault waits for storage, and for the lock of a page, with its own lock held."""

    @hookimpl
    def maybe_unlock_mmap_for_io(self, vmf: VmFault) -> Steps:
        return False
        yield


VARIANTS = [
    Variant(
        name="mmap-lock",
        title="mmap_lock for every fault",
        kernel="v5.12",
        source="arch/x86/mm/fault.c and mm/ as of v5.12",
    ),
    Variant(
        name="mmap-lock-6.1",
        title="mmap_lock for every fault, as in v6.1",
        kernel="v6.1",
        source="arch/x86/mm/fault.c and mm/ as of v6.1; d92725256b4f (v6.0), 35e351780fa9 (v6.1.y)",
        description="The paths of v5.12, but for shared writes that dropped the lock, which are done and not "
        "tried again, for exit, which clears entries under the read lock, for fork, which stores a VMA "
        "before it links it in its file, and for khugepaged, which unlinks a file's page table without its "
        "entry's lock.  Its faults are paths that Debian's 6.1.176 was seen to take.",
        patches=(ExitInTwoSteps, FaultCompleted, RetractUnlocked, StoredFirst),
        rivals=("mmap-lock",),
        compared=False,
    ),
    Variant(
        name="mmap-lock-2010",
        title="mmap_lock for every fault, held across I/O",
        kernel="v2.6.36",
        source="d065bd810b6d (v2.6.37), which lets the first try drop the lock",
        description="The paths of v5.12 without that retry: what the 2026 debate began from.",
        patches=(HoldAcrossIo,),
        rivals=("mmap-lock",),
        compared=False,
    ),
]
