"""Bugs between faults and those who come from the file, from reclaim or from khugepaged."""

from __future__ import annotations

from spfvar.mm.hookspecs import hookimpl
from spfvar.mm.vmf import VMFault, VmFault
from spfvar.ops.op import Steps
from spfvar.ops.paging import filemap_get_folio
from spfvar.ops.primitives import folio_lock
from spfvar.plugins.variant import Twin


class FaultWithoutRecheck:
    """``->fault`` returns the page it found, unlocked; __do_fault locks it and looks no further."""

    @hookimpl
    def filemap_fault(self, vmf: VmFault) -> Steps:
        if not (yield filemap_get_folio()):
            return VMFault.SIGBUS
        yield folio_lock()
        return VMFault.LOCKED


TWINS = [
    Twin(
        bug="F1",
        title="a fault maps a page that truncation has just removed",
        source="d00806b183152",
        fixed="mmap-lock",
        race="truncate-read",
        prop="P6",
        patches=(FaultWithoutRecheck,),
        description="Since 2007 the fault has the page locked and looks again whether it is in the file.",
    ),
]
