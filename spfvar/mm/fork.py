"""fork(2): VMAs of the parent and their entries are copied into the child's address space.

Sources: kernel/fork.c dup_mmap; mm/memory.c copy_page_range, copy_present_pte (v5.12); mm/mmap.c exit_mmap.
Where pages are pinned, also copy_present_page, page_copy_prealloc, write_protect_seq (mm/memory.c, v6.1.y).
Of the child's own anon_vma only the time is there: the child shares the parent's, which is what keeps the
inherited pages reachable.
"""

from __future__ import annotations

from dataclasses import replace

from spfvar.mm import hookspecs as hooks
from spfvar.mm.fault import PTL
from spfvar.mm.gup import folio_maybe_dma_pinned
from spfvar.mm.hookspecs import hookimpl
from spfvar.mm.mremap import NEW_PTL, copy_vma_fields, find_extent, pte_alloc_at
from spfvar.mm.vmf import Mapping
from spfvar.mm.writers import link_in_file, load_vm_file, over_range, unmap_region
from spfvar.ops import objects as o
from spfvar.ops.op import Op, Steps, again, loop, passage
from spfvar.ops.orders import smp_mb
from spfvar.ops.paging import (
    alloc_page,
    fill_page,
    folio_get,
    free_page,
    get_page,
    next_table,
    page_add_file_rmap,
    page_add_new_anon_rmap,
    pte_restore,
    pte_wrprotect,
    read_pmd,
    read_pte,
    set_pte_of_child,
    vm_normal_page,
)
from spfvar.ops.pinning import set_page_anon_exclusive
from spfvar.ops.places import Register
from spfvar.ops.primitives import (
    add,
    add_registers,
    at,
    copy_register,
    down_write,
    find_vma,
    free,
    ipi_send,
    ipi_wait,
    is_null,
    load,
    load_ref_nonnull,
    next_address,
    set_null,
    spin_lock,
    spin_unlock,
    tree_erase,
    tree_store,
    up_write,
    work,
)

first = Register("fork_first")  # of the parent's range, while the loop moves range_start
last = Register("fork_last")
CHILD_MMAP_LOCK = at(o.child_mm, o.MMAP_LOCK)
WRITE_PROTECT_SEQ = at(o.mm, o.WRITE_PROTECT_SEQ)


def in_child(op: Op) -> Op:
    """An op on the tree of VMAs whose memory is the child's: faults of the parent do not read it."""
    assert op.line is not None
    return replace(op, line=replace(op.line, register=o.child_mm))


@passage
def copy_present_pte(mapping: Mapping) -> Steps:
    """One entry at ``address``: reference and map the page twice; both sides lose the write permission.

    A page that is pinned is copied, so that the parent keeps it.  Returns whether a page is needed for that.
    """
    kind = yield vm_normal_page()
    if kind == "anonymous" and mapping.pinned:
        if (yield from folio_maybe_dma_pinned()):
            if (yield is_null(o.page)):
                return True
            yield from copy_present_page()
            return False
        yield set_page_anon_exclusive(False)
    if kind == "anonymous":
        yield get_page(o.old_page)
    elif kind == "file":
        yield folio_get()
        yield page_add_file_rmap()
    if not mapping.shared:
        yield pte_wrprotect()
        yield read_pte(False).untimed()  # the child gets the entry as it now is
    yield add_registers(o.new_address, o.address, o.delta)
    yield pte_restore(o.new_address, o.address, o.new_table, moved=False)
    return False


def copy_present_page() -> Steps:
    """Copy ``old_page`` for the child, into the page that copy_page_range holds ready."""
    yield add_registers(o.new_address, o.address, o.delta)
    yield fill_page("copy_page", o.new_address)
    yield load(at(o.vma, o.VM_START), o.vm_start).untimed()
    yield load(at(o.vma, o.VM_PGOFF), o.vm_pgoff).untimed()
    yield load(at(o.new_vma, o.VM_WRITE), o.vm_page_prot)
    yield page_add_new_anon_rmap()  # the page lies in the child's VMA as the old one does in the parent's
    yield set_pte_of_child(o.new_address, o.new_table)
    yield set_null(o.page)


def exit_child(mapping: Mapping, pages: int) -> Steps:
    """A forked child ends: unmap the VMAs of ``range_start .. range_end``, each of so many pages.

    Nobody else runs in it or finds its VMAs, so they are freed at once in every design.
    """
    yield from hooks.child_mmap_write_lock()
    yield copy_register(first, o.range_start)
    yield copy_register(last, o.range_end)
    yield loop("exit_mmap")
    yield copy_register(o.range_end, o.range_start, pages)
    yield from unmap_in_child(mapping, "__mt_destroy")
    if (yield next_address(o.range_start, last, pages)):
        yield again("exit_mmap")
    yield copy_register(o.range_start, first)
    yield from hooks.child_mmap_write_unlock()


def dup_vma(mapping: Mapping) -> Steps:
    """A VMA of the child's like ``vma``, which nobody finds yet."""
    yield from hooks.dup_mmap_start_write(o.vma)
    if (yield from copy_vma_fields(mapping, o.child_mm)):
        # anon_vma_fork(): a place in the parent's tree, and an anon_vma of the child's own.
        yield work("interval_tree", "anon_vma_clone")
        yield work("anon_vma_alloc")


def unmap_in_child(mapping: Mapping, erase: str) -> Steps:
    """Unmap the child's VMA at ``range_start .. range_end``, if there is one."""
    if (yield in_child(find_vma(key=o.range_start))):
        yield from load_vm_file(mapping)
        yield in_child(tree_erase(erase))
        yield from unmap_region(o.vma, mapping)
        yield from hooks.vma_mark_detached(o.vma)
        if not mapping.anonymous:
            yield from hooks.vma_fput(o.vma)
        yield free(o.vma, "__vm_area_free")


class Fork:
    """fork's hook points."""

    @hookimpl
    def fork(self, mapping: Mapping) -> Steps:
        yield work("syscall", "fork")
        yield from hooks.mmap_write_lock(None, None)
        if not (yield find_vma(key=o.range_start)):
            yield from hooks.mmap_write_unlock()
            return
        yield from hooks.child_mmap_write_lock()
        yield from hooks.dup_mmap_vma(mapping)
        yield from hooks.child_mmap_write_unlock()
        # Until here CPUs may write to pages that the child has, through entries of before the fork.
        yield ipi_send("flush_tlb_mm", o.range_start, o.range_end)
        yield ipi_wait()
        yield from hooks.mmap_write_unlock()

    @hookimpl
    def fork_all(self, mapping: Mapping, pages: int) -> Steps:
        yield work("syscall", "fork")
        yield from hooks.mmap_write_lock(None, None)
        yield from hooks.child_mmap_write_lock()
        yield copy_register(first, o.range_start)
        yield copy_register(last, o.range_end)
        yield loop("for_each_vma")
        yield copy_register(o.range_end, o.range_start, pages)
        if (yield find_vma(key=o.range_start)):
            yield add_registers(o.new_start, o.range_start, o.delta)
            yield copy_register(o.new_end, o.new_start, pages)
            yield from hooks.dup_mmap_vma(mapping)
        if (yield next_address(o.range_start, last, pages)):
            yield again("for_each_vma")
        yield from hooks.child_mmap_write_unlock()
        yield ipi_send("flush_tlb_mm", first, last)
        yield ipi_wait()
        yield from hooks.mmap_write_unlock()

    @hookimpl
    def child_mmap_write_lock(self) -> Steps:
        yield down_write(CHILD_MMAP_LOCK, "mmap_write_lock_nested")

    @hookimpl
    def child_mmap_write_unlock(self) -> Steps:
        yield up_write(CHILD_MMAP_LOCK, "mmap_write_unlock")

    @hookimpl
    def dup_mmap_vma(self, mapping: Mapping) -> Steps:
        yield from dup_vma(mapping)
        yield from link_in_file(o.new_vma, mapping, True)
        yield from hooks.vma_mark_attached(o.new_vma)
        yield in_child(tree_store(o.new_vma, "__vma_link_rb"))
        yield from hooks.copy_page_range(mapping)

    @hookimpl
    def dup_mmap_start_write(self, vma: Register) -> Steps:
        yield from hooks.vma_start_write(vma)

    @hookimpl
    def copy_page_range(self, mapping: Mapping) -> Steps:
        # Without private pages there is nothing that the child could not fault in by itself.
        if not (yield load_ref_nonnull(at(o.vma, o.VM_ANON_VMA), o.anon_vma)):
            return
        if mapping.pinned:
            yield from self.write_protect_begin()
            yield set_null(o.page)
        yield from over_range()
        yield loop("copy_pmd_range")
        if (yield read_pmd(key=o.cursor)):
            yield from find_extent()
            yield from pte_alloc_at(o.child_mm, o.new_cursor)
            yield from hooks.copy_pte_lock()
            yield copy_register(o.address, o.cursor)
            yield from self._copy_ptes(mapping)
            yield from hooks.copy_pte_unlock()
        if (yield next_table()):
            yield again("copy_pmd_range")
        if mapping.pinned:
            yield add(WRITE_PROTECT_SEQ, 1, "raw_write_seqcount_end")
            if not (yield is_null(o.page)):
                yield free_page()

    def write_protect_begin(self) -> Steps:
        """The count has to be odd for who pins before its pages are looked at for pins.

        The kernel has no barrier for that: on x86 it is in the instruction by which the table is locked next,
        but spin_lock() alone is none (6.1, 6.12; docs/weak-memory.md).
        """
        yield add(WRITE_PROTECT_SEQ, 1, "raw_write_seqcount_begin")
        yield smp_mb().untimed()

    @passage
    def _copy_ptes(self, mapping: Mapping) -> Steps:
        yield loop("copy_pte_range")
        if (yield read_pte(False)) != "none" and (yield from copy_present_pte(mapping)):
            yield from hooks.copy_pte_unlock()
            yield alloc_page()  # page_copy_prealloc
            yield from hooks.copy_pte_lock()
            yield again("copy_pte_range")  # with the same entry
        if (yield next_address(o.address, o.extent_end)):
            yield again("copy_pte_range")

    @hookimpl
    def copy_pte_lock(self) -> Steps:
        yield spin_lock(NEW_PTL)
        yield spin_lock(PTL)

    @hookimpl
    def copy_pte_unlock(self) -> Steps:
        yield spin_unlock(PTL)
        yield spin_unlock(NEW_PTL)


class StoredFirst:
    """v6.9 and later, and 6.1.y: the child's VMA is stored before it is linked in its file (35e351780fa9)."""

    @hookimpl
    def dup_mmap_vma(self, mapping: Mapping) -> Steps:
        yield from dup_vma(mapping)
        yield in_child(tree_store(o.new_vma, "__vma_link_rb"))
        yield from hooks.vma_mark_attached(o.new_vma)
        yield from link_in_file(o.new_vma, mapping, True)
        yield from hooks.copy_page_range(mapping)
