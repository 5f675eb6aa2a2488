"""CPUs that run no thread of the mm, or are just switching to it: flushes pass them by (lazy TLB).

What a CPU has loaded (MM_*) is a state word.  Whom a flush passes by is behind the mm's tlb_gen, and finds
that out when it switches to the mm: here the entries that it should have flushed have TLB_BEHIND.  Sources:
arch/x86/mm/tlb.c should_flush_tlb, flush_tlb_func (v6.1.y, v6.12.y).
"""

from __future__ import annotations

from spfvar.ops.codes import (
    C_IMM,
    C_OP,
    G_LOADED,
    G_OWN,
    G_PAGES,
    G_THREADS,
    G_TLB,
    IS_LOADED_MM,
    MM_LAZY,
    MM_LOADED,
    MM_SWITCHING,
    OUT_TARGET0,
    SET_LOADED_MM,
    TLB_BEHIND,
    TLB_GEN,
)
from spfvar.transition.jit import inlined


@inlined
def is_loaded(s, g, cpu):
    """Does the CPU run a thread of the mm?  Page tables of its own are nobody else's to be lazy about."""
    return g[G_LOADED] == 0 or g[G_OWN] != 0 or s[g[G_LOADED] + cpu] == MM_LOADED


@inlined
def find_targets(s, g, out):
    """Which CPUs a flush interrupts (should_flush_tlb): while one is switching, it may be to this mm."""
    for cpu in range(g[G_THREADS]):
        loaded = s[g[G_LOADED] + cpu]
        out[OUT_TARGET0 + cpu] = 1 if loaded in (MM_LOADED, MM_SWITCHING) else 0


@inlined
def flush_tlb_func(s, g, cpu):
    """The CPU takes the interrupt of a flush that came when it had interrupts off."""
    if s[g[G_LOADED] + cpu] == MM_LOADED:
        first = g[G_TLB] + cpu * g[G_PAGES]
        for word in range(first, first + g[G_PAGES]):
            if s[word] & TLB_BEHIND:
                s[word] = 0


@inlined
def is_behind(s, g, cpu):
    """Has the mm's tlb_gen gone on since the CPU last flushed what it asks for?"""
    first = g[G_TLB] + cpu * g[G_PAGES]
    behind = False
    for word in range(first, first + g[G_PAGES]):
        behind |= s[word] & TLB_BEHIND != 0
    return behind


@inlined
def switch_op(s, p, g, pc, cpu):
    """What a CPU does to its own state (opcodes SET_LOADED_MM to WRITE_CR3)."""
    op = p[pc, C_OP]
    if op == SET_LOADED_MM:
        s[g[G_LOADED] + cpu] = p[pc, C_IMM]
        return 0
    if op == IS_LOADED_MM:
        return 1 if s[g[G_LOADED] + cpu] <= MM_LAZY else 0
    if op == TLB_GEN:
        return 0 if is_behind(s, g, cpu) else 1
    first = g[G_TLB] + cpu * g[G_PAGES]
    for word in range(first, first + g[G_PAGES]):  # WRITE_CR3
        s[word] = 0
    return 0
