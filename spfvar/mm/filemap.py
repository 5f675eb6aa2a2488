"""File faults of v5.12: read, copy-on-write and shared faults, fault-around, the page cache.

Sources: mm/memory.c do_read_fault, do_cow_fault, do_shared_fault, finish_fault; mm/filemap.c
filemap_map_pages, filemap_fault; mm/internal.h maybe_unlock_mmap_for_io.
"""

from __future__ import annotations

from spfvar.mm import hookspecs as hooks
from spfvar.mm.fault import (
    add_anon_page,
    check_stable_address_space,
    load_index,
    load_protection,
    pmd_install,
)
from spfvar.mm.hookspecs import hookimpl
from spfvar.mm.page_mkwrite import dirty_and_drop, do_page_mkwrite, fput
from spfvar.mm.vmf import PMD_NONE, TRIED, VMA_COPY, Mapping, VMFault, VmFault
from spfvar.ops import objects as o
from spfvar.ops.op import Steps, again, loop
from spfvar.ops.orders import smp_wmb
from spfvar.ops.paging import (
    alloc_page,
    fault_around_window,
    filemap_create_folio,
    filemap_get_folio,
    folio_get,
    folio_put,
    free_page,
    inside_i_size,
    next_uptodate_folio,
    page_add_file_rmap,
    pte_none,
    set_pte_anon,
    set_pte_file,
)
from spfvar.ops.places import Register
from spfvar.ops.primitives import (
    add,
    add_registers,
    at,
    count,
    equals,
    folio_lock,
    folio_trylock,
    folio_unlock,
    free,
    load,
    load_ref,
    next_address,
    rcu_read_lock,
    rcu_read_unlock,
    registers_equal,
    set_register,
    sleep_for,
    store,
    test_register,
    work,
)

#: ->fault ended without a page for us: an error, a retry, or somebody else's entry.
NO_PAGE = VMFault.ERROR | VMFault.NOPAGE | VMFault.RETRY


def load_file_fields(vmf: VmFault) -> Steps:
    """The VMA's file and bounds into registers, unless the fault works on a copy of the VMA."""
    if not vmf.has(VMA_COPY):
        yield load_ref(at(o.vma, o.VM_FILE), o.vm_file)
        yield load(at(o.vma, o.VM_START), o.vm_start)
        yield load(at(o.vma, o.VM_END), o.vm_end)
    if vmf.mapping.offset:
        if not vmf.has(VMA_COPY):
            yield load(at(o.vma, o.VM_PGOFF), o.vm_pgoff)
        yield add_registers(o.pgoff, o.address, o.vm_pgoff)


def page_of_file(vmf: VmFault) -> Register:
    """What the page cache is asked for: vmf->pgoff, counted from the VMA's start.

    A mapping that begins at its file's first page has the address there.
    """
    return o.pgoff if vmf.mapping.offset else o.address


def do_read_fault(vmf: VmFault) -> Steps:
    """Read fault: fault-around first, ``->fault`` if it did not map the page."""
    yield from load_file_fields(vmf)
    around = vmf.mapping.map_pages and vmf.mapping.fault_around > 1
    if around:
        yield from hooks.preallocate_pte(vmf)
        ret, vmf = yield from hooks.do_fault_around(vmf)
        if ret:
            yield from hooks.free_preallocated_pte(vmf)
            return ret & ~VMFault.NOPAGE
    ret = yield from hooks.vmf_can_call_fault(vmf)
    if ret:
        if around:
            yield from hooks.free_preallocated_pte(vmf)
        return ret
    if not around:
        yield from hooks.preallocate_pte(vmf)
    ret = yield from hooks.do_fault(vmf)
    if ret & NO_PAGE:
        yield from hooks.free_preallocated_pte(vmf)
        return ret & ~VMFault.NOPAGE
    ret = yield from hooks.finish_fault(vmf)
    yield folio_unlock()
    if ret & NO_PAGE:
        yield folio_put()
    return ret & ~VMFault.NOPAGE


def do_cow_fault(vmf: VmFault) -> Steps:
    """Private write fault: a copy of the page-cache page, made while that page is locked."""
    yield from load_file_fields(vmf)
    ret = yield from hooks.vmf_can_call_fault(vmf)
    if ret:
        return ret
    ret = yield from hooks.anon_vma_prepare(vmf)
    if ret:
        return ret
    yield alloc_page()
    yield work("memcg_charge")
    yield from hooks.preallocate_pte(vmf)
    ret = yield from hooks.do_fault(vmf)
    if ret & NO_PAGE:
        yield from hooks.free_preallocated_pte(vmf)
        yield free_page()
        return ret & ~VMFault.NOPAGE
    yield work("copy_page")
    yield from load_index(vmf)
    ret = yield from hooks.finish_fault(vmf)
    yield folio_unlock()
    yield folio_put()
    if ret & NO_PAGE:
        yield free_page()
    return ret & ~VMFault.NOPAGE


def do_shared_fault(vmf: VmFault) -> Steps:
    """Shared write fault: map writable and mark dirty, once a file system that is to be asked agrees."""
    yield from load_file_fields(vmf)
    ret = yield from hooks.vmf_can_call_fault(vmf)
    if ret:
        return ret
    yield from hooks.preallocate_pte(vmf)
    ret = yield from hooks.do_fault(vmf)
    if ret & NO_PAGE:
        yield from hooks.free_preallocated_pte(vmf)
        return ret & ~VMFault.NOPAGE
    if vmf.mapping.write_notify:
        yield folio_unlock()
        ret = yield from do_page_mkwrite()
        if ret & NO_PAGE:
            yield folio_put()
            yield from hooks.free_preallocated_pte(vmf)
            return ret & ~VMFault.NOPAGE
    ret = yield from hooks.finish_fault(vmf)
    if ret & NO_PAGE:
        yield folio_unlock()
        yield folio_put()
        return ret & ~VMFault.NOPAGE
    return (yield from dirty_and_drop(vmf))


class FilemapFault:
    """The hook points of file faults as v5.12 has them."""

    @hookimpl
    def preallocate_pte(self, vmf: VmFault) -> Steps:
        # Before any folio lock: reclaim under a folio lock can deadlock.
        if vmf.has(PMD_NONE):
            yield from hooks.pte_alloc_one(vmf)

    @hookimpl
    def free_preallocated_pte(self, vmf: VmFault) -> Steps:
        if vmf.has(PMD_NONE):
            yield from hooks.pte_free(vmf)

    @hookimpl
    def pte_free(self, vmf: VmFault) -> Steps:
        yield free(o.prealloc_pte, "pte_free", "free_table")

    @hookimpl
    def do_fault_around(self, vmf: VmFault) -> Steps:
        yield fault_around_window(vmf.mapping.fault_around)
        return (yield from hooks.map_pages(vmf))

    @hookimpl
    def map_pages(self, vmf: VmFault) -> Steps:
        yield rcu_read_lock()
        result = yield from map_cached_pages(vmf)
        yield rcu_read_unlock()
        return result

    @hookimpl
    def filemap_map_folio_range(self) -> Steps:
        return (yield inside_i_size(o.cursor))

    @hookimpl
    def vmf_can_call_fault(self, vmf: VmFault) -> Steps:
        return VMFault.NONE
        yield

    @hookimpl
    def do_fault(self, vmf: VmFault) -> Steps:
        return (yield from hooks.filemap_fault(vmf))

    @hookimpl
    def filemap_fault(self, vmf: VmFault) -> Steps:
        if not (yield inside_i_size(page_of_file(vmf))):
            return VMFault.SIGBUS
        yield loop("retry_find")
        if not (yield filemap_get_folio(page_of_file(vmf))):
            ret = yield from read_missing_folio(vmf)
            if ret:
                return ret
            yield again("retry_find")
        if (yield from hooks.lock_folio_maybe_drop_mmap(vmf)):
            return (yield from retry_unless_truncated(vmf))
        if not (yield equals(at(o.folio, o.CACHED), 1, "folio->mapping")):
            yield folio_unlock()
            yield folio_put()
            yield again("retry_find")
        if not (yield inside_i_size(page_of_file(vmf))):
            yield folio_unlock()
            yield folio_put()
            return VMFault.SIGBUS
        return VMFault.LOCKED

    @hookimpl
    def lock_folio_maybe_drop_mmap(self, vmf: VmFault) -> Steps:
        if (yield folio_trylock()):
            return False
        dropped = yield from hooks.maybe_unlock_mmap_for_io(vmf)
        yield folio_lock()
        return dropped

    @hookimpl
    def finish_fault(self, vmf: VmFault) -> Steps:
        if not vmf.mapping.shared:
            ret = yield from check_stable_address_space(vmf)
            if ret:
                yield from hooks.free_preallocated_pte(vmf)  # by do_fault, once the folio is put
                return ret
        if vmf.has(PMD_NONE):
            yield from pmd_install()
        yield from load_protection(vmf)
        if not (yield from hooks.pte_map_lock(vmf)):
            return VMFault.RETRY if vmf.has(VMA_COPY) else VMFault.NOPAGE
        if not (yield pte_none()):
            yield from hooks.pte_unmap_unlock(vmf)
            return VMFault.NOPAGE
        if vmf.write and not vmf.mapping.shared:
            yield from add_anon_page()
            yield set_pte_anon()
        else:
            yield page_add_file_rmap()
            yield set_pte_file(vmf.write, notify=vmf.mapping.write_notify)
        yield from hooks.pte_unmap_unlock(vmf)
        return VMFault.NONE

    @hookimpl
    def maybe_unlock_mmap_for_io(self, vmf: VmFault) -> Steps:
        if vmf.has(TRIED):
            return False
        yield add(at(o.vm_file, o.F_COUNT), 1, "get_file")
        yield from hooks.release_fault_lock(vmf)
        return True


def map_cached_pages(vmf: VmFault) -> Steps:
    """filemap_map_pages, inside its RCU section.  Returns as do_fault_around."""
    if not (yield from next_map_page()):
        return VMFault.NONE, vmf
    if vmf.has(PMD_NONE):
        yield from pmd_install()
        vmf = vmf.clear(PMD_NONE)
    yield from load_protection(vmf)
    if not (yield from hooks.pte_map_lock(vmf)):
        yield folio_unlock()
        yield folio_put()
        return (VMFault.RETRY if vmf.has(VMA_COPY) else VMFault.NONE), vmf
    yield from map_window(vmf.mapping)
    mapped = yield test_register(o.counter, 1, "mapped the faulting page")
    yield from hooks.pte_unmap_unlock(vmf)
    return (VMFault.NOPAGE if mapped else VMFault.NONE), vmf


def next_map_page() -> Steps:
    """The next folio of the window, referenced and locked.  Returns whether there is one inside the file."""
    if not (yield next_uptodate_folio()):
        return False
    if (yield inside_i_size(o.cursor)):
        return True
    yield folio_unlock()
    yield folio_put()
    return False


def map_window(mapping: Mapping) -> Steps:
    """filemap_map_pages' loop: the first folio is locked; leaves every accepted page mapped."""
    yield set_register(o.counter, 0)
    if mapping.folio_pages > 1:
        yield from map_folios(mapping)
        return
    yield loop("next_map_page")
    if (yield pte_none(o.cursor)):
        if (yield registers_equal(o.cursor, o.address)):
            yield set_register(o.counter, 1)
        yield page_add_file_rmap()
        yield set_pte_file(False, o.cursor, mapping.write_notify)
        yield folio_unlock()
    else:
        yield folio_unlock()
        yield folio_put()
    if (yield next_address(o.cursor, o.limit)) and (yield from next_map_page()):
        yield again("next_map_page")


def map_folios(mapping: Mapping) -> Steps:
    """The same for large folios: of each, as many pages as the window has."""
    yield loop("next_map_page")
    yield loop("filemap_map_folio_range")
    if (yield pte_none(o.cursor)):
        if (yield registers_equal(o.cursor, o.address)):
            yield set_register(o.counter, 1)
        yield page_add_file_rmap()
        yield folio_get()
        yield set_pte_file(False, o.cursor, mapping.write_notify)
    more = yield next_address(o.cursor, o.limit)
    if more and (yield test_register(o.cursor, mapping.folio_pages - 1, "the same folio")):
        if (yield from hooks.filemap_map_folio_range()):
            yield again("filemap_map_folio_range")
        more = False
    yield folio_unlock()
    yield folio_put()
    if more and (yield from next_map_page()):
        yield again("next_map_page")


def retry_unless_truncated(vmf: VmFault) -> Steps:
    """The fault's lock was dropped for the folio's, which is had: tried again, once its file has the page.

    A folio that was truncated meanwhile is looked up again, and read if it is not there: for the next try.
    """
    yield loop("retry_find: without mmap_lock")
    if not (yield equals(at(o.folio, o.CACHED), 1, "folio->mapping").untimed()):  # its line was just locked
        yield folio_unlock()
        yield folio_put()
        if (yield filemap_get_folio(page_of_file(vmf))) or not (yield from create_and_read_folio(vmf)):
            yield from hooks.lock_folio_maybe_drop_mmap(vmf.set(TRIED))  # nothing is left to be dropped
            yield again("retry_find: without mmap_lock")
    yield folio_unlock()
    yield folio_put()
    yield from fput()
    return VMFault.RETRY


def create_and_read_folio(vmf: VmFault) -> Steps:
    """Add the page to the page cache, locked, and read it; returns False if another fault was faster."""
    if not (yield filemap_create_folio(page_of_file(vmf))):
        return False
    yield work("alloc_page", "filemap_alloc_folio")
    yield work("memcg_charge", "filemap_add_folio: charge")
    yield work("lru_add", "filemap_add_folio: lru")
    if vmf.mapping.read:
        yield store(at(o.folio, o.FOLIO_DATA), 0).untimed()
    yield sleep_for("io", "filemap_read_folio")
    if vmf.mapping.read:
        yield store(at(o.folio, o.FOLIO_DATA), 1).untimed()
    yield smp_wmb()  # folio_mark_uptodate
    yield store(at(o.folio, o.UPTODATE), 1)
    return True


def read_missing_folio(vmf: VmFault) -> Steps:
    """A page-cache miss: read the page, waiting without the lock if that is still allowed.

    Returns RETRY | MAJOR if the lock was dropped; NONE if the caller is to look again.
    """
    yield count("pgmajfault")
    if vmf.has(TRIED):
        yield count("lost_retry")  # it was read for this very fault
    dropped = yield from hooks.maybe_unlock_mmap_for_io(vmf)
    if dropped:
        yield count("io_retry")
    if not (yield from create_and_read_folio(vmf)):
        yield folio_lock()
    yield folio_unlock()
    yield folio_put()
    if dropped:
        yield from fput()
        return VMFault.RETRY | VMFault.MAJOR
    return VMFault.NONE
