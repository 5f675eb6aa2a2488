"""mbind(2): replace a VMA's memory policy (mm/mempolicy.c do_mbind, vma_replace_policy).

Who allocates a page for the VMA reads the policy without a reference: it lives as long as the VMA refers to
it.
"""

from __future__ import annotations

from spfvar.mm import hookspecs as hooks
from spfvar.mm.hookspecs import hookimpl
from spfvar.mm.writers import put_policy
from spfvar.ops import objects as o
from spfvar.ops.op import Steps
from spfvar.ops.places import Register
from spfvar.ops.primitives import allocate, at, find_vma, free, load_ref, store, store_ref, work


class Mempolicy:
    """The same in every design."""

    @hookimpl
    def mbind(self) -> Steps:
        yield work("syscall", "mbind")
        yield from hooks.mmap_write_lock(o.range_start, o.range_end)
        if (yield find_vma(key=o.range_start)):
            yield from hooks.vma_start_write(o.vma)
            yield allocate(o.vm_policy, "mpol_dup", "vm_area_alloc")
            yield store(at(o.vm_policy, o.POLICY_REFS), 1)
            yield load_ref(at(o.vma, o.VM_POLICY), o.old_policy)
            yield store_ref(at(o.vma, o.VM_POLICY), o.vm_policy)
            yield from put_policy()
        yield from hooks.mmap_write_unlock()

    @hookimpl
    def mpol_free(self, policy: Register) -> Steps:
        yield free(policy, "mpol_free", "free")
