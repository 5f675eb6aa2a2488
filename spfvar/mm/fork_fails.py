"""fork(2) for which there is no memory: the child's VMAs are copied up to one, and then all goes again.

Sources: kernel/fork.c dup_mmap, dup_mm, mmput; fs/userfaultfd.c dup_userfaultfd_complete; mm/swapfile.c
try_to_unuse, unuse_mm (6.12.117).  Between dup_mmap, which drops both mmap_locks, and exit_mmap, which takes
the child's again, somebody may look into the child's tree who got there by what was copied: swapoff by the
list of mms with pages in swap, a userfaultfd monitor by fork's event.

Up to v6.7 the child's tree is filled VMA by VMA, so that it has what was copied, and no more.  Since then it
begins as a copy of the parent's, and where fork stopped it is marked by an entry that is no VMA (the parent's
VMAs behind that are not modelled).
"""

from __future__ import annotations

from spfvar.mm import hookspecs as hooks
from spfvar.mm.exit import mmdrop, mmput
from spfvar.mm.fault import MMF_UNSTABLE
from spfvar.mm.fork import first, in_child, last
from spfvar.mm.hookspecs import hookimpl
from spfvar.mm.vmf import Mapping
from spfvar.mm.writers import over_range
from spfvar.ops import objects as o
from spfvar.ops.op import Call, Steps, again, loop
from spfvar.ops.places import Field
from spfvar.ops.primitives import (
    add_registers,
    at,
    copy_register,
    equals,
    find_vma,
    inc_not_zero,
    ipi_send,
    ipi_wait,
    load,
    load_ref_nonnull,
    next_address,
    store,
    store_zero_entry,
    work,
)

#: The monitor can read UFFD_EVENT_FORK, which hands it the child's address space.
UFFD_EVENT_FORK = Field(o.MM, "uffd_event_fork")


def mmget_not_zero() -> Steps:
    """Become a user of the address space, if it still has any."""
    return (yield inc_not_zero(at(o.mm, o.MM_USERS))) == "ok"


class FailedFork:
    """A fork that fails at its second VMA, and who finds the child before it has gone."""

    @hookimpl
    def fork_fails(self, mapping: Mapping) -> Steps:
        yield work("syscall", "fork")
        yield from hooks.mmap_write_lock(None, None)
        yield from hooks.dup_mmap_lock_child()
        yield copy_register(first, o.range_start)
        yield copy_register(last, o.range_end)
        if (yield find_vma(key=o.range_start)):
            yield from hooks.dup_mmap_vma(mapping)
        failed = yield find_vma(key=last)
        if failed:
            yield from hooks.dup_mmap_start_write(o.vma)
            yield work("vm_area_alloc", "vm_area_dup: no memory")
            yield from hooks.dup_mmap_nomem(mapping)
        yield copy_register(o.range_start, o.new_start)
        yield copy_register(o.range_end, o.new_end)
        yield from hooks.dup_mmap_unlock_child()
        yield ipi_send("flush_tlb_mm", first, last)
        yield ipi_wait()
        yield from hooks.mmap_write_unlock()
        yield from hooks.dup_userfaultfd_end(mapping, failed)
        # The child of a fork that did not fail after all ends at once.
        yield copy_register(o.mm, o.child_mm)
        yield Call(mmput, (mapping,))

    @hookimpl
    def dup_mmap_lock_child(self) -> Steps:
        return (yield from hooks.child_mmap_write_lock())

    @hookimpl
    def dup_mmap_unlock_child(self) -> Steps:
        return (yield from hooks.child_mmap_write_unlock())

    @hookimpl
    def dup_mmap_nomem(self, mapping: Mapping) -> Steps:
        return
        yield

    @hookimpl
    def dup_userfaultfd_end(self, mapping: Mapping, failed: bool) -> Steps:
        if mapping.userfault:
            yield from announce_child()

    @hookimpl
    def try_to_unuse(self, mapping: Mapping) -> Steps:
        if (yield from mmget_not_zero()):
            yield from hooks.unuse_mm(mapping)
            yield Call(mmput, (mapping,))
        yield from mmdrop(o.mm)

    @hookimpl
    def unuse_mm(self, mapping: Mapping) -> Steps:
        yield from hooks.mmap_read_lock(o.range_start, o.range_end)
        yield from unuse_vmas(mapping)
        yield from hooks.mmap_read_unlock()

    @hookimpl
    def resolve_userfault_fork(self, mapping: Mapping) -> Steps:
        announced = yield equals(at(o.mm, UFFD_EVENT_FORK), 1, "UFFD_EVENT_FORK")
        if announced and (yield from mmget_not_zero()):
            yield from hooks.mmap_read_lock(o.range_start, o.range_end)
            yield from over_range()
            yield loop("for_each_vma")
            if (yield find_vma(key=o.cursor, name="for_each_vma")):
                yield load(at(o.vma, o.VM_START), o.vm_start)
                yield load(at(o.vma, o.VM_END), o.vm_end)
            if (yield next_address(o.cursor, o.limit)):
                yield again("for_each_vma")
            yield from hooks.mmap_read_unlock()
            yield Call(mmput, (mapping,))
        yield from mmdrop(o.mm)


def announce_child() -> Steps:
    """dup_userfaultfd_complete: the monitor gets its event."""
    yield store(at(o.child_mm, UFFD_EVENT_FORK), 1)


def unuse_vmas(mapping: Mapping) -> Steps:
    """Look at the entries of every VMA that may have pages in swap."""
    yield from over_range()
    yield loop("for_each_vma")
    there = yield find_vma(key=o.cursor, name="for_each_vma")
    if there and (yield load_ref_nonnull(at(o.vma, o.VM_ANON_VMA), o.anon_vma)):
        yield from hooks.smaps_pte_range(mapping)
    if (yield next_address(o.cursor, o.limit)):
        yield again("for_each_vma")


class TreeDuplicated:
    """v6.8 and later, with the repairs of 6.12.y: the half-built tree is marked, and its mm unstable."""

    @hookimpl
    def dup_mmap_nomem(self, mapping: Mapping) -> Steps:
        yield copy_register(o.range_start, o.new_end)
        yield load(at(o.vma, o.VM_END), o.vm_end)
        yield add_registers(o.range_end, o.vm_end, o.delta)
        yield in_child(store_zero_entry())
        yield store(at(o.child_mm, MMF_UNSTABLE), 1)

    @hookimpl
    def dup_userfaultfd_end(self, mapping: Mapping, failed: bool) -> Steps:
        if mapping.userfault and not failed:
            yield from announce_child()

    @hookimpl
    def unuse_mm(self, mapping: Mapping) -> Steps:
        yield from hooks.mmap_read_lock(o.range_start, o.range_end)
        if (yield equals(at(o.mm, MMF_UNSTABLE), 0, "check_stable_address_space")):
            yield from unuse_vmas(mapping)
        yield from hooks.mmap_read_unlock()
