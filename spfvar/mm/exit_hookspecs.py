"""The hook points of an address space's end, and of those who come late; see spfvar.mm.hookspecs."""

from __future__ import annotations

from spfvar.mm.hooking import hook_point
from spfvar.mm.vmf import Mapping
from spfvar.ops.op import Steps
from spfvar.ops.places import Register


@hook_point
def exit_mmap(mapping: Mapping) -> Steps:
    """The last user of the address space has gone: unmap what is left, and the tree with it (mm/mmap.c).

    ``range_start .. range_end`` is where its VMA is, if it has one.
    """
    raise AssertionError


@hook_point
def exit_free_pgtables(vma: Register, mapping: Mapping) -> Steps:
    """What exit_mmap does with each VMA once its entries are gone (mm/memory.c: free_pgtables)."""
    raise AssertionError


@hook_point
def scan_get_next_rmap_item(mapping: Mapping) -> Steps:
    """ksmd looks through the VMAs of an mm that it keeps by mm_count alone (mm/ksm.c)."""
    raise AssertionError


@hook_point
def process_mrelease(mapping: Mapping) -> Steps:
    """Reap the memory of a process that is dying, by mm_count alone (mm/oom_kill.c, v5.15 and later)."""
    raise AssertionError


@hook_point
def try_to_unuse(mapping: Mapping) -> Steps:
    """swapoff comes to an mm that may have pages in swap, and uses it if others still do (mm/swapfile.c)."""
    raise AssertionError


@hook_point
def unuse_mm(mapping: Mapping) -> Steps:
    """Look for entries of pages in swap, in every VMA of ``range_start .. range_end`` (mm/swapfile.c)."""
    raise AssertionError


@hook_point
def resolve_userfault_fork(mapping: Mapping) -> Steps:
    """A monitor that reads UFFD_EVENT_FORK gets the child's mm, and looks at its VMAs (fs/userfaultfd.c)."""
    raise AssertionError
