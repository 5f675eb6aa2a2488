"""Speculative page faults of April 2019 (Dufour, v12): a sequence count and a reference count per VMA.

Message ids are 20190416134522.17540-(k+1)-ldufour@linux.ibm.com for patch k of 31.  As posted but for two
repairs.
Left out: NUMA hinting and swap, and what the model has no place for (spf_patches).
"""

from __future__ import annotations

from collections.abc import Generator

from spfvar.mm.hookspecs import hookimpl
from spfvar.mm.vmf import VMFault, VmFault
from spfvar.ops import objects as o
from spfvar.ops.op import Steps
from spfvar.ops.places import Field, Register, behind
from spfvar.ops.primitives import (
    add_not_zero,
    at,
    call_rcu,
    dec_and_test,
    find_vma,
    load_ref_nonnull,
    rcu_read_lock,
    rcu_read_unlock,
    store,
)
from spfvar.plugins.repairs import Repair
from spfvar.plugins.variant import Variant

from .spf_patches import SPECULATIVE, MultithreadedOnly, NoTableMove, SpeculativeWalk, abort
from .spf_series import TABLE_MOVED
from .vma_sequence import (
    EVENTS,
    NoPolicyOnVma,
    SpeculateOnSequence,
    SpinningPteMapLock,
    VmSequenceWriter,
)

VM_REF_COUNT = Field(o.VMA, "vm_ref_count", where=behind("vm_userfaultfd_ctx", 4), initial=1)


def put_vma(vma: Register) -> Steps:
    """Drop a reference; the last one frees the VMA."""
    if (yield dec_and_test(at(vma, VM_REF_COUNT), "put_vma")):
        yield call_rcu(vma, "call_rcu(__free_vma)")


class VmaReference:
    """11, 20/31: a fault holds a reference to the VMA; the last one frees it, after a grace period.

    In the posted code the tree's reference is dropped after a grace period, here the last one frees after it:
    either way a lookup under RCU looks at a VMA, and takes a reference only where there is one.
    """

    @hookimpl
    def vma_mark_attached(self, vma: Register) -> Steps:
        yield store(at(vma, VM_REF_COUNT), 1)

    @hookimpl
    def vm_area_free(self, vma: Register) -> Steps:
        yield from put_vma(vma)


class SpeculativeFault(SpeculateOnSequence):
    """20, 22/31: handle_speculative_fault, for anonymous memory that has an anon_vma: no stack, no uffd."""

    def get_vma(self) -> Steps:
        yield rcu_read_lock()
        got = (yield find_vma(name="find_vma_rcu")) and (
            (yield add_not_zero(at(o.vma, VM_REF_COUNT), 1)) == "ok"
        )
        yield rcu_read_unlock()
        return got

    def put_vma(self) -> Steps:
        yield from put_vma(o.vma)

    @hookimpl
    def vma_may_speculate(self, vmf: VmFault) -> Steps:
        mapping = vmf.mapping
        if not mapping.anonymous or mapping.userfault or mapping.growsdown:
            return (yield from abort("no_speculate"))
        if not (yield load_ref_nonnull(at(o.vma, o.VM_ANON_VMA), o.anon_vma)):
            return (yield from abort("anon_vma"))
        return VMFault.NONE

    @hookimpl(wrapper=True)
    def anon_vma_prepare(self, vmf: VmFault) -> Generator[None, Steps, Steps]:
        prepare = yield
        return _is_there() if vmf.has(SPECULATIVE) else prepare


def _is_there() -> Steps:
    """The snapshot has the anon_vma."""
    return VMFault.NONE
    yield


VARIANTS = [
    Variant(
        name="spf-dufour-v12",
        title="speculative faults with a count and a reference per VMA",
        kernel="v5.1-rc4 + SPF v12 1-31",
        layout="v5.12",  # of the mmap_lock that it is compared with
        source="20190416134522.17540-1-ldufour@linux.ibm.com",
        patches=(
            VmaReference, VmSequenceWriter, SpeculativeWalk, SpeculativeFault, SpinningPteMapLock,
            NoPolicyOnVma, NoTableMove, MultithreadedOnly,
        ),
        events=EVENTS,
        repairs=(
            Repair(("H4",), "mbind frees a memory policy while a fault reads it", (NoPolicyOnVma,)),
            TABLE_MOVED,
        ),
        description="Anonymous memory only.  A reference costs what the shared lock did: an atomic on a line "
        "that all who fault in the VMA write.",
        rivals=("spf-anon",),
        compared=False,
    )
]  # fmt: skip
