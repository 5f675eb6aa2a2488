"""Merging two VMAs: the first one takes over the second one's range and its anon_vma.

Sources: mm/mmap.c, later mm/vma.c: vma_merge, is_mergeable_anon_vma, dup_anon_vma, commit_merge, vma_prepare,
vma_complete (v6.6).
"""

from __future__ import annotations

from spfvar.mm import hookspecs as hooks
from spfvar.mm.hookspecs import hookimpl
from spfvar.mm.vmf import Mapping
from spfvar.mm.writers import load_vm_file, unlink_anon_vmas
from spfvar.ops import objects as o
from spfvar.ops.op import Steps
from spfvar.ops.places import Register
from spfvar.ops.primitives import (
    add,
    at,
    choose,
    find_vma,
    linked,
    load_ref_nonnull,
    registers_equal,
    store_ref,
    store_register,
    tree_store,
    up_write,
    work,
)


def adopt_anon_vma(vma: Register) -> Steps:
    """``vma``, which has none, refers to ``anon_vma``, then joins it, which needs memory.

    Returns whether there was some.
    """
    yield store_ref(at(vma, o.VM_ANON_VMA), o.anon_vma)
    if (yield choose("anon_vma_clone: memory?", True, False)):
        yield add(at(o.anon_vma, o.ANON_VMA_REFS), 1, "get_anon_vma")
        return True
    yield store_ref(at(vma, o.VM_ANON_VMA), o.old_anon_vma)
    return False


def dup_anon_vma(vma: Register, other: Register, lock: bool) -> Steps:
    """The text of that hook point; ``lock``: nobody has write-locked ``vma`` yet."""
    if not (yield load_ref_nonnull(at(other, o.VM_ANON_VMA), o.anon_vma)):
        return True
    if (yield load_ref_nonnull(at(vma, o.VM_ANON_VMA), o.old_anon_vma)):
        return True
    if lock:
        yield from hooks.vma_start_write(vma)
    return (yield from adopt_anon_vma(vma))


def start_write() -> Steps:
    """Write-lock the VMA that goes, then the one that takes it over."""
    yield from hooks.vma_start_write(o.near)
    yield from hooks.vma_start_write(o.vma)


class Merge:
    """The hook points of a merge."""

    @hookimpl
    def vma_merge(self, mapping: Mapping) -> Steps:
        yield work("syscall", "mprotect")
        yield from hooks.mmap_write_lock(o.range_start, o.limit)
        found = (yield find_vma(key=o.range_start)) and (yield find_vma(o.near, o.range_end, "vma_next"))
        merged = found and (yield from hooks.vma_merge_existing_range(mapping))
        yield from hooks.mmap_write_unlock()
        return merged

    @hookimpl
    def vma_merge_existing_range(self, mapping: Mapping) -> Steps:
        if not (yield from hooks.is_mergeable_anon_vma()) or not (
            yield from hooks.dup_anon_vma(o.vma, o.near)
        ):
            return False
        yield from start_write()
        yield from commit_merge(mapping)
        return True

    @hookimpl
    def is_mergeable_anon_vma(self) -> Steps:
        if not (yield load_ref_nonnull(at(o.vma, o.VM_ANON_VMA), o.old_anon_vma)):
            return True
        if not (yield load_ref_nonnull(at(o.near, o.VM_ANON_VMA), o.anon_vma)):
            return True
        return (yield registers_equal(o.anon_vma, o.old_anon_vma))

    @hookimpl
    def dup_anon_vma(self, vma: Register, other: Register) -> Steps:
        return dup_anon_vma(vma, other, lock=True)

    @hookimpl
    def vma_prepare(self, mapping: Mapping) -> Steps:
        if mapping.anonymous:
            return
        yield from load_vm_file(mapping)
        yield from hooks.i_mmap_lock_write(o.vm_file)
        yield linked(at(o.vma, o.VM_LINKED), 0, "vma_interval_tree_remove")

    @hookimpl
    def vma_complete(self, mapping: Mapping) -> Steps:
        if not mapping.anonymous:
            yield linked(at(o.vma, o.VM_LINKED), 1, "vma_interval_tree_insert")
            yield linked(at(o.near, o.VM_LINKED), 0, "vma_interval_tree_remove")
            yield up_write(at(o.vm_file, o.I_MMAP_RWSEM), "i_mmap_unlock_write")
        yield from hooks.vma_mark_detached(o.near)
        if not mapping.anonymous:
            yield from hooks.vma_fput(o.near)
        yield from unlink_anon_vmas(o.near)
        yield from hooks.vm_area_free(o.near)


def commit_merge(mapping: Mapping) -> Steps:
    """The first VMA gets the range of both, in place of the second one."""
    yield from hooks.vma_prepare(mapping)
    yield store_register(at(o.vma, o.VM_END), o.limit)
    yield tree_store(o.vma)
    yield from hooks.vma_complete(mapping)


class MergeLockedFirst:
    """v6.12: both VMAs are write-locked before anything of theirs is changed."""

    @hookimpl
    def vma_merge_existing_range(self, mapping: Mapping) -> Steps:
        if not (yield from hooks.is_mergeable_anon_vma()):
            return False
        yield from start_write()
        if not (yield from hooks.dup_anon_vma(o.vma, o.near)):
            return False
        yield from commit_merge(mapping)
        return True

    @hookimpl
    def dup_anon_vma(self, vma: Register, other: Register) -> Steps:
        return dup_anon_vma(vma, other, lock=False)
