"""The hook points of a userfaultfd's monitor; see spfvar.mm.hookspecs."""

from __future__ import annotations

from spfvar.mm.hooking import hook_point
from spfvar.mm.vmf import Mapping, VmFault
from spfvar.ops.op import Steps
from spfvar.ops.places import Register


@hook_point
def mfill_atomic(vmf: VmFault) -> Steps:
    """UFFDIO_COPY of the page at ``address`` (mm/userfaultfd.c; before v6.3 __mcopy_atomic)."""
    raise AssertionError


@hook_point
def uffd_mfill_lock(vmf: VmFault) -> Steps:
    """Find the VMA of ``address``, keep it, and give it an anon_vma (mm/userfaultfd.c of v6.9).

    Returns False if there is none; else the fault's facts, with which release_fault_lock lets it go.
    """
    raise AssertionError


@hook_point
def validate_dst_vma(retry: bool) -> Steps:
    """May the monitor's page be put into ``vma``, which is kept (mm/userfaultfd.c)?

    ``retry``: it was let go in between, to copy the page.
    """
    raise AssertionError


@hook_point
def move_pages(vmf: VmFault, same_table: bool, down: bool) -> Steps:
    """UFFDIO_MOVE of the page at ``range_start`` to ``new_start`` (mm/userfaultfd.c of v6.8).

    ``same_table``: both are entries of one page table; ``down``: the new address is the lower one.
    """
    raise AssertionError


@hook_point
def uffd_move_lock(vmf: VmFault) -> Steps:
    """Find both VMAs, ``vma`` of ``range_start`` and ``new_vma`` of ``new_start``, and keep them.

    The latter has an anon_vma then (mm/userfaultfd.c of v6.9).  They lie in ``both_start .. both_end``.
    Returns whether both are there.
    """
    raise AssertionError


@hook_point
def uffd_move_unlock(vmf: VmFault) -> Steps:
    """Let both VMAs go (mm/userfaultfd.c of v6.9)."""
    raise AssertionError


@hook_point
def move_pages_pte(vmf: VmFault, same_table: bool, down: bool) -> Steps:
    """Move one page's entry, of two VMAs that are kept (mm/userfaultfd.c of v6.8)."""
    raise AssertionError


@hook_point
def is_pte_pages_stable(new_table: Register) -> Steps:
    """Are both entries of a move, ``address`` and ``new_address``, as they were (mm/userfaultfd.c of v6.14)?

    Entered with both page tables locked; ``new_table``: the register of the second one.
    """
    raise AssertionError


@hook_point
def mwriteprotect_range(mapping: Mapping) -> Steps:
    """UFFDIO_WRITEPROTECT of the VMA at ``range_start .. range_end`` (mm/userfaultfd.c)."""
    raise AssertionError


@hook_point
def flush_if_pending(vmf: VmFault) -> Steps:
    """do_wp_page, before it copies: flush what a monitor's write protection has not flushed yet.

    Entered with the page table locked (mm/memory.c since v5.12, 6ce64428d620).
    """
    raise AssertionError
