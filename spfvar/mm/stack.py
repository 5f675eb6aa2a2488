"""Stack growth: a fault on the page below a VM_GROWSDOWN mapping extends it.

Sources: mm/mmap.c expand_downwards; mm/memory.c lock_mm_and_find_vma.  As v6.5 and the v6.1 stable series
have it, with mmap_lock taken again for writing; before, it was held for reading (twin H3 has that form).
A stack grows by one page; the lock of its anon_vma is left out.
"""

from __future__ import annotations

from collections.abc import Callable

from spfvar.mm import hookspecs as hooks
from spfvar.mm.hookspecs import hookimpl
from spfvar.mm.vmf import VmFault
from spfvar.ops import objects as o
from spfvar.ops.op import Steps
from spfvar.ops.primitives import (
    add,
    at,
    copy_register,
    equals_register,
    find_vma,
    spin_lock,
    spin_unlock,
    store_register,
    tree_store,
)

PAGE_TABLE_LOCK = at(o.mm, o.PAGE_TABLE_LOCK)


def expand_downwards(mas_store: Callable[[], Steps] | None = None) -> Steps:
    """Let ``vma`` begin at ``address``, unless another fault was faster; ``mas_store``: with a new node."""
    yield spin_lock(PAGE_TABLE_LOCK)
    yield from extend(mas_store)
    yield spin_unlock(PAGE_TABLE_LOCK)


def extend(mas_store: Callable[[], Steps] | None = None) -> Steps:
    """What it does to the VMA and the tree."""
    if not (yield equals_register(at(o.vma, o.VM_START), o.address, "already expanded")):
        yield store_register(at(o.vma, o.VM_START), o.address)
        yield tree_store(o.vma)  # what the tree finds follows from vm_start
        if mas_store is not None:
            yield from mas_store()
        yield add(at(o.vma, o.VM_PGOFF), -1, "vm_pgoff -= grow")


def in_the_way(vmf: VmFault) -> Steps:
    """Has another fault extended the stack by now, or was something mapped where it would grow?

    Returns whether, with that in ``vma``: the fault is then one there.
    """
    return vmf.mapping.contested and (yield find_vma())


class ExpandStack:
    """v6.5: growing the stack changes a VMA, so it takes mmap_lock for writing."""

    @hookimpl
    def expand_stack(self, vmf: VmFault) -> Steps:
        yield from hooks.mmap_read_unlock()
        yield copy_register(o.limit, o.stack_top, 1)
        yield from hooks.mmap_write_lock(o.address, o.limit)
        if (yield from in_the_way(vmf)):
            yield from hooks.mmap_write_downgrade()
            return True
        found = yield find_vma(key=o.stack_top)
        if found:
            yield from hooks.vma_start_write(o.vma)
            yield from self.expand_downwards()
        yield from hooks.mmap_write_downgrade()
        return found

    def expand_downwards(self) -> Steps:
        """Change the VMA, and the tree."""
        yield from expand_downwards()


class ExpandUnderMmapLock(ExpandStack):
    """v6.17: mmap_lock for writing is enough (mm/vma.c expand_downwards; seen in 6.17.13)."""

    def expand_downwards(self) -> Steps:
        yield from extend()
