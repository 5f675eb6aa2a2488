"""A plugin for the tests of check: designs that are broken on purpose, and twins of them."""

from __future__ import annotations

from dataclasses import replace

from spfvar.variants import spf, spf_patches

from spfvar.mm.hookspecs import hookimpl
from spfvar.mm.vmf import VMFault, VmFault
from spfvar.ops import objects as o
from spfvar.ops.op import Steps, again, loop
from spfvar.ops.places import SPIN_WORDS, Field
from spfvar.ops.primitives import allocate, at, equals, load, spin_lock, spin_unlock, store
from spfvar.plugins.variant import Twin, Variant

FLAG = Field(o.MM, "flag")
LEFT = at(o.mm, Field(o.MM, "left_lock", SPIN_WORDS))
RIGHT = at(o.mm, Field(o.MM, "right_lock", SPIN_WORDS))


class Spins:
    """A fault that waits for a flag that munmap only clears."""

    @hookimpl
    def do_user_addr_fault(self, vmf: VmFault) -> Steps:
        yield loop("wait")
        yield load(at(o.mm, FLAG), o.scratch)
        if not (yield equals(at(o.mm, FLAG), 1)):
            yield again("wait")
        return VMFault.ERROR

    @hookimpl
    def munmap(self, mapping: object) -> Steps:
        yield store(at(o.mm, FLAG), 0)


class Crosses:
    """A fault and a munmap that take two locks in opposite orders."""

    @hookimpl
    def do_user_addr_fault(self, vmf: VmFault) -> Steps:
        yield spin_lock(LEFT)
        yield spin_lock(RIGHT)
        yield spin_unlock(RIGHT)
        yield spin_unlock(LEFT)
        return VMFault.ERROR

    @hookimpl
    def munmap(self, mapping: object) -> Steps:
        yield spin_lock(RIGHT)
        yield spin_lock(LEFT)
        yield spin_unlock(LEFT)
        yield spin_unlock(RIGHT)


class Hoards:
    """A fault that allocates page tables for ever."""

    @hookimpl
    def do_user_addr_fault(self, vmf: VmFault) -> Steps:
        yield loop("more")
        yield allocate(o.prealloc_pte, "pte_alloc_one", "alloc_table")
        yield again("more")


FULL = next(variant for variant in spf.VARIANTS if variant.name == "spf-do-fault")
KEPT = tuple(patch for patch in FULL.patches if patch is not spf_patches.RcuVmaFree)

VARIANTS = [
    replace(FULL, name="no-rcu-free", patches=KEPT, repairs=()),
    Variant("spins", "waits for ever", "v0", "a test", (Spins,)),
    Variant("hoards", "never has enough page tables", "v0", "a test", (Hoards,)),
    Variant("crosses", "locks in opposite orders", "v0", "a test", (Crosses,)),
]
TWINS = [
    Twin(
        "T1",
        "VMAs freed at once",
        "a test",
        "spf-do-fault",
        "munmap-file",
        "P1",
        (),
        (spf_patches.RcuVmaFree,),
    ),
    Twin(
        "T2", "expected wrongly", "a test", "spf-do-fault", "munmap-file", "P2", (), (spf_patches.RcuVmaFree,)
    ),
]
