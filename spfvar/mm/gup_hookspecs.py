"""The hook points of get_user_pages, and of who would share what is pinned; see spfvar.mm.hookspecs."""

from __future__ import annotations

from spfvar.mm.hooking import hook_point
from spfvar.mm.vmf import VmFault
from spfvar.ops.op import Steps


@hook_point
def pin_user_pages_fast(vmf: VmFault) -> Steps:
    """Pin the page of ``address``, without locks if that can be (mm/gup.c).

    ``vmf`` is the fault that it may take.  Returns whether the page is pinned; it is ``old_page`` then.
    """
    raise AssertionError


@hook_point
def gup_fast(vmf: VmFault) -> Steps:
    """Pin the page of ``address`` with interrupts off and no lock (mm/gup.c: lockless_pages_from_mm).

    Returns whether that could be; the page is ``old_page`` then.
    """
    raise AssertionError


@hook_point
def gup_fast_retry() -> Steps:
    """Has a fork write-protected entries since gup_fast began (mm/gup.c: lockless_pages_from_mm)?"""
    raise AssertionError


@hook_point
def pin_user_pages(vmf: VmFault) -> Steps:
    """Pin the page of ``address`` under mmap_lock (mm/gup.c).  Returns as pin_user_pages_fast does."""
    raise AssertionError


@hook_point
def get_user_pages_locked(vmf: VmFault) -> Steps:
    """Take mmap_lock, and the page of ``address``, faulting if need be (mm/gup.c: __get_user_pages_locked).

    Returns what get_user_pages does, but no retry: mmap_lock is held.
    """
    raise AssertionError


@hook_point
def get_user_pages(vmf: VmFault) -> Steps:
    """Follow the page tables and fault until there is a page (mm/gup.c: __get_user_pages).

    Returns "pinned" (it is ``old_page``), "shared" if it is none of the process's own, or why not as a
    VMFault: with RETRY, mmap_lock was dropped.
    """
    raise AssertionError


@hook_point
def follow_page_pte(vmf: VmFault) -> Steps:
    """Take the page that is mapped at ``address`` (mm/gup.c).

    Returns "pinned", "shared", "unshare" if others may have it too, or "none".
    """
    raise AssertionError


@hook_point
def faultin_page(vmf: VmFault) -> Steps:
    """The fault for a page that follow_page_pte could not take (mm/gup.c).

    Returns the VmFault to go on with, or a VMFault as get_user_pages does.
    """
    raise AssertionError


@hook_point
def access_remote_vm(vmf: VmFault) -> Steps:
    """A debugger's write to the page of ``address``, whatever the VMA's protection (mm/memory.c)."""
    raise AssertionError


@hook_point
def page_try_share_anon_rmap() -> Steps:
    """May ``old_page``, whose entry is cleared and flushed, be shared from now on (include/linux/rmap.h)?

    Not if it is pinned.
    """
    raise AssertionError


@hook_point
def write_protect_page() -> Steps:
    """KSM: write-protect the anonymous page that is mapped at ``cursor``, to share it (mm/ksm.c)."""
    raise AssertionError
