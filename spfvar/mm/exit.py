"""The end of an address space: the last user gives it up, and the last reference frees it.

Sources: kernel/fork.c mmput, mmdrop; mm/mmap.c exit_mmap.  The address space has at most one VMA left,
which is unmapped with mmap_lock held for writing throughout (the kernel clears the entries under the read
lock: nobody is left who could fault).  Its tree is destroyed, and what is left of it leads to freed memory:
up to v5.17 a list of freed VMAs, with the maple tree one that no iterator may start in.  Who still holds the
mm_struct has to ask before looking (spfvar.mm.outsiders).
"""

from __future__ import annotations

from spfvar.mm import hookspecs as hooks
from spfvar.mm.hookspecs import hookimpl
from spfvar.mm.vmf import Mapping
from spfvar.mm.writers import remove_vma, unmap_region
from spfvar.ops import objects as o
from spfvar.ops.op import Steps
from spfvar.ops.places import Field, Register
from spfvar.ops.primitives import (
    add,
    at,
    dec_and_test,
    find_vma,
    free,
    load_ref,
    mt_destroy,
    store,
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
    def exit_mmap(self, mapping: Mapping) -> Steps:
        if mapping.reaped:
            yield from self.skip_oom()
        yield from hooks.mmap_write_lock(None, None)
        if (yield find_vma(key=o.range_start)):
            if not mapping.anonymous:
                yield load_ref(at(o.vma, o.VM_FILE), o.vm_file)
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
