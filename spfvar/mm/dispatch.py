"""From the VMA to the handler: the page-table walk and the dispatch on what it finds (mm/memory.c).

Page-table levels above the last are taken as present.
"""

from __future__ import annotations

from spfvar.mm import hookspecs as hooks
from spfvar.mm.fault import PTL
from spfvar.mm.filemap import do_cow_fault, do_read_fault, do_shared_fault
from spfvar.mm.hookspecs import hookimpl
from spfvar.mm.vmf import PMD_NONE, VMA_COPY, VMFault, VmFault
from spfvar.ops.op import Steps
from spfvar.ops.paging import pte_same, read_pmd, read_pte
from spfvar.ops.primitives import spin_unlock, work


def do_file_fault(vmf: VmFault) -> Steps:
    """The kernel's do_fault: read, copy-on-write or shared fault."""
    if not vmf.write:
        return (yield from do_read_fault(vmf))
    if not vmf.mapping.shared:
        return (yield from do_cow_fault(vmf))
    return (yield from do_shared_fault(vmf))


class HandleFault:
    """__handle_mm_fault and handle_pte_fault."""

    @hookimpl
    def handle_mm_fault(self, vmf: VmFault) -> Steps:
        yield work("handle_mm_fault")
        pte = yield from hooks.walk_page_tables(vmf)
        if isinstance(pte, VMFault):
            return pte
        if pte == "no table":
            vmf = vmf.set(PMD_NONE)
        return (yield from hooks.handle_pte_fault(vmf, pte))

    @hookimpl
    def walk_page_tables(self, vmf: VmFault) -> Steps:
        if not (yield read_pmd()):
            return "no table"
        return (yield read_pte(vmf.write))

    @hookimpl
    def handle_pte_fault(self, vmf: VmFault, pte: str) -> Steps:
        if pte in ("no table", "none"):
            if vmf.mapping.anonymous:
                return (yield from hooks.do_anonymous_page(vmf))
            return (yield from do_file_fault(vmf))
        if not (yield from hooks.pte_map_lock(vmf)):
            return VMFault.RETRY if vmf.has(VMA_COPY) else VMFault.NONE
        if not (yield pte_same()):
            yield spin_unlock(PTL)
            return VMFault.NONE
        if pte == "write-protected":
            return (yield from hooks.do_wp_page(vmf))
        yield work("ptep_set_access_flags")
        yield spin_unlock(PTL)
        return VMFault.NONE
