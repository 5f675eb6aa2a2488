"""The end of an address space: the last user gives it up, and the last reference frees it.

Sources: kernel/fork.c mmput, mmdrop; mm/mmap.c exit_mmap.  The address space has at most one VMA left,
which is unmapped with mmap_lock held for writing throughout, or, as later kernels do, cleared under the read
lock first (`ExitInTwoSteps`).  Its tree is destroyed, and what is left of it leads to freed memory:
up to v5.17 a list of freed VMAs, with the maple tree one that no iterator may start in.  Who still holds the
mm_struct has to ask before looking (spfvar.mm.outsiders).
"""

from __future__ import annotations

from spfvar.mm import hookspecs as hooks
from spfvar.mm.hookspecs import hookimpl
from spfvar.mm.vmf import Mapping
from spfvar.mm.writers import load_vm_file, remove_vma, tlb_finish_mmu, unmap_region, zap_range
from spfvar.ops import objects as o
from spfvar.ops.op import Steps
from spfvar.ops.places import Field, Register
from spfvar.ops.primitives import (
    add,
    at,
    dec_and_test,
    find_vma,
    free,
    mt_destroy,
    set_null,
    store,
    work,
)

#: The entries have gone, or are about to: whoever reaps has nothing to do.
MMF_OOM_SKIP = Field(o.MM, "mmf_oom_skip")


def mmgrab(mm: Register) -> Steps:
    """Keep the mm_struct, not the address space."""
    yield add(at(mm, o.MM_COUNT), 1, "mmgrab")


def mmdrop(mm: Register) -> Steps:
    """Let the mm_struct go."""
    if (yield dec_and_test(at(mm, o.MM_COUNT), "mmdrop")):
        yield free(mm, "free_mm")


def mmput(mapping: Mapping) -> Steps:
    """A user of the address space ends; ``range_start .. range_end`` is where its VMA is, if it has one."""
    if (yield dec_and_test(at(o.mm, o.MM_USERS), "mmput")):
        yield from hooks.exit_mmap(mapping)
        yield from mmdrop(o.mm)


class Exit:
    """exit_mmap."""

    @hookimpl
    def exit_free_pgtables(self, vma: Register, mapping: Mapping) -> Steps:
        yield from hooks.free_pgtables(vma, mapping)

    @hookimpl
    def exit_mmap(self, mapping: Mapping) -> Steps:
        if mapping.reaped:
            yield from self.skip_oom()
        yield from hooks.mmap_write_lock(None, None)
        if (yield find_vma(key=o.range_start)):
            yield from load_vm_file(mapping)
            yield from hooks.vma_start_write(o.vma)
            yield from self.destroy_tree()
            yield from unmap_region(o.vma, mapping)
            yield from hooks.vma_mark_detached(o.vma)
            yield from remove_vma(o.vma, mapping)
        yield from hooks.mmap_write_unlock()

    def skip_oom(self) -> Steps:
        """Set before the lock is had: who reaps holds it meanwhile, or sees the flag."""
        yield store(at(o.mm, MMF_OOM_SKIP), 1)

    def destroy_tree(self) -> Steps:
        """Nobody who holds the lock can tell that the tree goes before the VMAs."""
        yield mt_destroy()


class ExitInTwoSteps(Exit):
    """v6.1 and later: entries go under the read lock, page tables and VMAs under the write lock.

    Source: mm/mmap.c exit_mmap (6.1.176, 6.12.117).  Between the two MMF_OOM_SKIP is set: who comes then has
    nothing to do.  An mm without VMAs (dup_mmap failed) is left without the flag; v6.1 takes no write lock
    for it.
    """

    @hookimpl
    def exit_mmap(self, mapping: Mapping) -> Steps:
        yield from hooks.mmap_read_lock(o.range_start, o.range_end)
        there = yield find_vma(key=o.range_start)
        if there:
            yield work("lru_add_drain")
            yield from zap_range()
        yield from hooks.mmap_read_unlock()
        if there and mapping.reaped:
            yield from self.skip_oom()
        yield from hooks.mmap_write_lock(None, None)
        if there:
            yield set_null(o.gathered)
            yield from hooks.exit_free_pgtables(o.vma, mapping)
            yield from tlb_finish_mmu()
            yield from hooks.vma_mark_detached(o.vma)
            yield from remove_vma(o.vma, mapping, unreachable=True)
        yield from self.destroy_tree()
        yield from hooks.mmap_write_unlock()

    @hookimpl
    def exit_free_pgtables(self, vma: Register, mapping: Mapping) -> Steps:
        yield from hooks.vma_start_write(vma)
        yield from load_vm_file(mapping)
        yield from hooks.free_pgtables(vma, mapping)
