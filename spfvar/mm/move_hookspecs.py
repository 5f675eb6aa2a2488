"""The hook points of writers that move and extend; see spfvar.mm.hookspecs."""

from __future__ import annotations

from spfvar.mm.hooking import hook_point
from spfvar.mm.vmf import Mapping, VmFault
from spfvar.ops.op import Steps
from spfvar.ops.places import Register


@hook_point
def mremap(mapping: Mapping, whole_tables: bool) -> Steps:
    """mremap(2) of the VMA at ``range_start .. range_end`` to ``new_start .. new_end`` (mm/mremap.c).

    ``whole_tables``: both ranges consist of whole page tables.
    """
    raise AssertionError


@hook_point
def mremap_dontunmap(mapping: Mapping) -> Steps:
    """mremap(MREMAP_DONTUNMAP): the pages move to ``new_start .. new_end``, the VMA stays (mm/mremap.c)."""
    raise AssertionError


@hook_point
def copy_vma(mapping: Mapping) -> Steps:
    """A copy of ``vma`` at the new address, in ``new_vma`` and in the tree (mm/mmap.c)."""
    raise AssertionError


@hook_point
def move_page_tables(mapping: Mapping, whole_tables: bool) -> Steps:
    """Move the entries of the range, table by table (mm/mremap.c)."""
    raise AssertionError


@hook_point
def move_normal_pmd(mapping: Mapping) -> Steps:
    """Move the table at ``cursor`` as it is to ``new_cursor`` (mm/mremap.c).  Returns whether it could."""
    raise AssertionError


@hook_point
def move_ptes(mapping: Mapping) -> Steps:
    """Move the entries of ``cursor .. extent_end`` from their table to ``new_table`` (mm/mremap.c).

    Returns whether both tables were still there.
    """
    raise AssertionError


@hook_point
def lock_new_table() -> Steps:
    """Lock ``new_table``, that of ``new_cursor``, inside another one's lock (mm/mremap.c: move_ptes).

    Returns whether it is there; if so, it is so until unlock_new_table.
    """
    raise AssertionError


@hook_point
def unlock_new_table() -> Steps:
    """Unlock ``new_table``, and let go what has kept it (mm/mremap.c: move_ptes)."""
    raise AssertionError


@hook_point
def expand_stack(vmf: VmFault) -> Steps:
    """Extend the stack down to ``address``; entered and left with mmap_lock for reading (mm/mmap.c).

    Returns whether ``vma`` now covers the address.
    """
    raise AssertionError


@hook_point
def mbind() -> Steps:
    """mbind(2): give the VMA at ``range_start`` a new memory policy (mm/mempolicy.c)."""
    raise AssertionError


@hook_point
def mpol_free(policy: Register) -> Steps:
    """Free a memory policy that no VMA refers to (mm/mempolicy.c: __mpol_put)."""
    raise AssertionError
