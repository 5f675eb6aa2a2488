"""The hook points of fork; see spfvar.mm.hookspecs."""

from __future__ import annotations

from spfvar.mm.hooking import hook_point
from spfvar.mm.vmf import Mapping
from spfvar.ops.op import Steps
from spfvar.ops.places import Register


@hook_point
def fork(mapping: Mapping) -> Steps:
    """fork(2): copy the VMA at ``range_start .. range_end`` to ``child_mm`` (kernel/fork.c: dup_mmap)."""
    raise AssertionError


@hook_point
def fork_all(mapping: Mapping, pages: int) -> Steps:
    """fork(2) of every VMA of ``range_start .. range_end``, each of so many pages (kernel/fork.c: dup_mmap).

    The copies lie in ``child_mm``, ``delta`` pages further on.
    """
    raise AssertionError


@hook_point
def dup_mmap_vma(mapping: Mapping) -> Steps:
    """What fork does with each VMA (kernel/fork.c: the body of dup_mmap's loop).

    Copies ``vma`` and its entries to ``new_start .. new_end`` of ``child_mm``.
    """
    raise AssertionError


@hook_point
def dup_mmap_start_write(vma: Register) -> Steps:
    """Before fork copies a VMA of the parent (kernel/fork.c: dup_mmap; nothing before v6.4)."""
    raise AssertionError


@hook_point
def child_mmap_write_lock() -> Steps:
    """Lock ``child_mm``, where nobody runs but us (kernel/fork.c: dup_mmap; mm/mmap.c: exit_mmap)."""
    raise AssertionError


@hook_point
def child_mmap_write_unlock() -> Steps:
    """Unlock ``child_mm``, of which exit_mmap has emptied ``range_start .. range_end`` (mm/mmap.c)."""
    raise AssertionError


@hook_point
def copy_page_range(mapping: Mapping) -> Steps:
    """Copy the entries of ``vma`` to ``new_vma``, write-protecting private ones (mm/memory.c)."""
    raise AssertionError


@hook_point
def copy_pte_lock() -> Steps:
    """Lock ``new_table`` of the child and, inside, the table of ``cursor`` (mm/memory.c: copy_pte_range)."""
    raise AssertionError


@hook_point
def copy_pte_unlock() -> Steps:
    """Unlock both (mm/memory.c: copy_pte_range)."""
    raise AssertionError


@hook_point
def fork_fails(mapping: Mapping) -> Steps:
    """fork(2) of the VMA at ``range_start .. range_end`` and the one behind it, for which there is no memory.

    ``child_mm`` is torn down again (kernel/fork.c: dup_mm).  If nothing is behind it, nothing fails, and the
    child ends at once.
    """
    raise AssertionError


@hook_point
def dup_mmap_nomem(mapping: Mapping) -> Steps:
    """There is no memory for a copy of ``vma``: what becomes of the child's tree (kernel/fork.c: dup_mmap).

    The copy before it, of ``mapping``, is at ``new_start .. new_end``; the child is locked.
    """
    raise AssertionError


@hook_point
def dup_userfaultfd_end(mapping: Mapping, failed: bool) -> Steps:
    """dup_mmap is done: does a monitor get to know of the child (kernel/fork.c, fs/userfaultfd.c)?"""
    raise AssertionError


@hook_point
def dup_mmap_lock_child() -> Steps:
    """Lock ``child_mm``, which others may find before it is finished (kernel/fork.c: dup_mmap)."""
    raise AssertionError


@hook_point
def dup_mmap_unlock_child() -> Steps:
    """Unlock ``child_mm``, finished or not (kernel/fork.c: dup_mmap)."""
    raise AssertionError
