"""From the VMA to the handler: the page-table walk and the dispatch on what it finds (mm/memory.c).

Page-table levels above the last are taken as present.  Huge pages and NUMA hints have no entry in the state:
whether there is one is an open outcome of faults on mappings that may have some.
"""

from __future__ import annotations

from spfvar.mm import hookspecs as hooks
from spfvar.mm.fault import PMD_LOCK, load_protection
from spfvar.mm.filemap import do_cow_fault, do_read_fault, do_shared_fault
from spfvar.mm.hookspecs import hookimpl
from spfvar.mm.migrate import is_migration_entry
from spfvar.mm.vmf import PMD_NONE, PTE_MAPPED, VMA_COPY, VMFault, VmFault
from spfvar.ops.op import Steps
from spfvar.ops.paging import pte_same, read_pmd, read_pte
from spfvar.ops.primitives import choose, spin_lock, spin_unlock, work
from spfvar.ops.swapping import is_swap_pte


def do_file_fault(vmf: VmFault) -> Steps:
    """The kernel's do_fault: read, copy-on-write or shared fault."""
    if not vmf.write:
        return (yield from do_read_fault(vmf))
    if not vmf.mapping.shared:
        return (yield from do_cow_fault(vmf))
    return (yield from do_shared_fault(vmf))


def pmd_trans_huge(vmf: VmFault) -> Steps:
    """Does the entry of the page table map a huge page instead?"""
    return vmf.mapping.huge and (yield choose("pmd_trans_huge", False, True))


def kind_of_entry(vmf: VmFault, pte: str) -> Steps:
    """What the walk found, with swap entries (those of migration, too) and NUMA hints told apart."""
    if pte == "none" and vmf.mapping.migrates and (yield is_migration_entry()):
        return "swap"
    if pte == "none" and vmf.mapping.swapped:
        # Without slots of their own, all pages that are not mapped are in swap.
        return "swap" if not vmf.mapping.synchronous or (yield is_swap_pte()) else pte
    present = pte in ("present", "write-protected")
    if present and vmf.mapping.numa and (yield choose("pte_protnone", False, True)):
        return "protnone"
    return pte


class HandleFault:
    """__handle_mm_fault and handle_pte_fault."""

    @hookimpl
    def handle_mm_fault(self, vmf: VmFault) -> Steps:
        yield work("handle_mm_fault")
        pte = yield from hooks.walk_page_tables(vmf)
        if isinstance(pte, VMFault):
            return pte
        if pte == "huge":
            return (yield from hooks.huge_pmd_set_accessed(vmf))
        if pte == "no table":
            vmf = vmf.set(PMD_NONE)
        return (yield from hooks.handle_pte_fault(vmf, (yield from kind_of_entry(vmf, pte))))

    @hookimpl
    def walk_page_tables(self, vmf: VmFault) -> Steps:
        if (yield from pmd_trans_huge(vmf)):
            return "huge"
        if not (yield read_pmd()):
            return "no table"
        return (yield read_pte(vmf.breaks_cow))

    @hookimpl
    def handle_pte_fault(self, vmf: VmFault, pte: str) -> Steps:
        if pte in ("no table", "none"):
            if vmf.mapping.anonymous:
                return (yield from hooks.do_anonymous_page(vmf))
            return (yield from do_file_fault(vmf))
        if pte == "swap":
            return (yield from hooks.do_swap_page(vmf))
        if pte == "protnone":
            return (yield from hooks.do_numa_page(vmf.set(PTE_MAPPED)))
        if not (yield from hooks.pte_map_lock(vmf.set(PTE_MAPPED))):
            return VMFault.RETRY if vmf.has(VMA_COPY) else VMFault.NONE
        if not (yield pte_same()):
            yield from hooks.pte_unmap_unlock(vmf)
            return VMFault.NONE
        if pte == "write-protected":
            return (yield from hooks.do_wp_page(vmf))
        yield work("ptep_set_access_flags")
        yield from hooks.pte_unmap_unlock(vmf)
        return VMFault.NONE

    @hookimpl
    def huge_pmd_set_accessed(self, vmf: VmFault) -> Steps:
        yield spin_lock(PMD_LOCK)
        yield work("ptep_set_access_flags", "pmdp_set_access_flags")
        yield spin_unlock(PMD_LOCK)
        return VMFault.NONE

    @hookimpl
    def do_numa_page(self, vmf: VmFault) -> Steps:
        # The page stays where it is: migration is another story.
        if not (yield from hooks.pte_map_lock(vmf)):
            return VMFault.RETRY if vmf.has(VMA_COPY) else VMFault.NONE
        if (yield pte_same()):
            yield from load_protection(vmf)
            yield work("set_pte", "ptep_modify_prot_commit")
        yield from hooks.pte_unmap_unlock(vmf)
        return VMFault.NONE
