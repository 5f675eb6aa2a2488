"""Constructors of primitives on what a CPU has loaded: which mm, and how much of its TLB is out of date.

A thread of a race is a CPU.  Only runs with these ops have CPUs that flushes pass by (arch/x86/mm/tlb.c).
"""

from __future__ import annotations

from spfvar.ops import codes
from spfvar.ops.op import Op, primitive
from spfvar.ops.primitives import BOOL


@primitive
def set_loaded_mm(loaded: int, name: str) -> Op:
    """``this_cpu_write`` of loaded_mm or is_lazy; ``loaded``: an MM_* of `spfvar.ops.codes`."""
    return Op(codes.SET_LOADED_MM, name, imm=loaded)


@primitive
def is_loaded_mm() -> Op:
    """Outcome: has this CPU the mm loaded, lazily or not (``prev == next``)?"""
    return Op(codes.IS_LOADED_MM, "prev == next", BOOL)


@primitive
def tlb_gen_same() -> Op:
    """Outcome: is this CPU's TLB as the mm's tlb_gen wants it, no flush having passed it by?"""
    return Op(codes.TLB_GEN, "tlb_gen", BOOL)


@primitive
def speculate() -> Op:
    """While a kernel thread has borrowed the mm, the CPU walks by speculation, as far as its TLB leads it.

    That goes wrong only if it comes to a page table that has been freed.
    """
    return Op(codes.SPECULATE, "speculative walk", cost="free")


@primitive
def load_new_mm_cr3() -> Op:
    """Load the page tables, and forget what the TLB has of them."""
    return Op(codes.WRITE_CR3, "load_new_mm_cr3(need_flush)", cost="tlb_flush_ipi")
