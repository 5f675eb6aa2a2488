"""Shared mappings of file systems that want to be asked before a page becomes writable.

Sources: mm/memory.c do_page_mkwrite, wp_page_shared, finish_mkwrite_fault; mm/filemap.c filemap_page_mkwrite
(v6.1, v6.12).
"""

from __future__ import annotations

from spfvar.mm import hookspecs as hooks
from spfvar.mm.vmf import VMFault, VmFault
from spfvar.ops import objects as o
from spfvar.ops.op import Steps
from spfvar.ops.paging import folio_get, folio_put, pte_mkwrite, pte_same
from spfvar.ops.primitives import at, dec_and_test, equals, folio_lock, folio_unlock, free, work

_FAILED = VMFault.ERROR | VMFault.NOPAGE | VMFault.RETRY


def fput() -> Steps:
    """A fault that has waited without its lock gives its reference to the file back, maybe the last one."""
    if (yield dec_and_test(at(o.vm_file, o.F_COUNT), "fput")):
        yield free(o.vm_file, "__fput")


def do_page_mkwrite() -> Steps:
    """``vm_ops->page_mkwrite`` for ``folio``.  Returns LOCKED with the folio locked, else NOPAGE."""
    yield folio_lock()
    if not (yield equals(at(o.folio, o.CACHED), 1, "folio->mapping")):
        yield folio_unlock()
        return VMFault.NOPAGE
    yield work("set_page_dirty", "folio_mark_dirty")
    return VMFault.LOCKED


def dirty_and_drop(vmf: VmFault) -> Steps:
    """fault_dirty_shared_page for the locked folio: the lock is dropped around balance_dirty_pages."""
    yield work("set_page_dirty")
    yield folio_unlock()
    # On tmpfs there is nothing to balance, but the lock is dropped all the same.
    if (yield from hooks.maybe_unlock_mmap_for_io(vmf)):
        yield from fput()
        return (yield from hooks.fault_dirty_shared_page(vmf))
    return VMFault.NONE


def wp_page_shared(vmf: VmFault) -> Steps:
    """Write to a write-protected page of a shared mapping; entered with the table locked."""
    yield folio_get()
    yield from hooks.pte_unmap_unlock(vmf)
    ret = yield from hooks.vmf_can_call_fault(vmf)
    if not ret:
        ret = yield from do_page_mkwrite()
    if ret & _FAILED:
        yield folio_put()
        return ret & ~VMFault.NOPAGE
    if not (yield from finish_mkwrite_fault(vmf)):
        yield folio_unlock()
        yield folio_put()
        return VMFault.NONE
    ret = yield from dirty_and_drop(vmf)
    yield folio_put()
    return ret


def finish_mkwrite_fault(vmf: VmFault) -> Steps:
    """Make the entry writable if it is still what it was.  Returns whether it is."""
    if not (yield from hooks.pte_map_lock(vmf)):
        return False
    if not (yield pte_same()):
        yield from hooks.pte_unmap_unlock(vmf)
        return False
    yield pte_mkwrite()
    yield from hooks.pte_unmap_unlock(vmf)
    return True
