"""CPUs that run no thread of the mm, or are just switching to it: flushes pass them by (lazy TLB).

What a CPU has loaded (MM_*) is a state word.  Whom a flush passes by is behind the mm's tlb_gen, and finds
that out when it switches to the mm: here the entries that it should have flushed have TLB_BEHIND.  A TLB has
entries for page tables, too (paging-structure caches): where the CPU's last walks came by.  Sources:
arch/x86/mm/tlb.c should_flush_tlb, flush_tlb_func (v6.1.y, v6.12.y).
"""

from __future__ import annotations

from spfvar.ops.codes import (
    C_IMM,
    C_OP,
    CLASS_TABLE,
    CLASS_WORDS,
    G_CLASS0,
    G_LOADED,
    G_OWN,
    G_PAGES,
    G_PT_SHIFT,
    G_T_BASE,
    G_T_STRIDE,
    G_THREADS,
    G_TLB,
    G_WALK,
    IS_LOADED_MM,
    K_BASE,
    K_STRIDE,
    LIVE,
    MM_LAZY,
    MM_LOADED,
    MM_OTHER,
    MM_SWITCHING,
    OUT_TARGET0,
    SET_LOADED_MM,
    SPECULATE,
    T_IRQ_OFF,
    TLB_BEHIND,
    TLB_GEN,
    V_TABLE_CACHED,
    WALK_BEHIND,
)
from spfvar.transition.jit import inlined


@inlined
def is_loaded(s, g, cpu):
    """Does the CPU run a thread of the mm?  Page tables of its own are nobody else's to be lazy about."""
    return g[G_LOADED] == 0 or g[G_OWN] != 0 or s[g[G_LOADED] + cpu] == MM_LOADED


@inlined
def slots_of(g):
    """Page tables that map the address space."""
    return (g[G_PAGES] - 1 >> g[G_PT_SHIFT]) + 1


@inlined
def walk_word(g, cpu, address):
    """The state word of the page table that the CPU remembers for an address; 0: CPUs remember none."""
    return 0 if g[G_WALK] == 0 else g[G_WALK] + cpu * slots_of(g) + (address >> g[G_PT_SHIFT])


@inlined
def find_targets(s, g, freed_tables, out):
    """Which CPUs a flush interrupts (should_flush_tlb): while one is switching, it may be to this mm.

    Where tables are freed, lazy CPUs as well, which may walk them, be it only by speculation.
    """
    for cpu in range(g[G_THREADS]):
        loaded = s[g[G_LOADED] + cpu]
        lazily = loaded == MM_LAZY and freed_tables != 0
        out[OUT_TARGET0 + cpu] = 1 if loaded in (MM_LOADED, MM_SWITCHING) or lazily else 0


@inlined
def flush_walks(s, g, start, end):
    """Forget the page tables of a range, as pages.flush_tlb does with the pages."""
    for cpu in range(g[G_THREADS]):
        for slot in range(start >> g[G_PT_SHIFT], (end - 1 >> g[G_PT_SHIFT]) + 1):
            word = g[G_WALK] + cpu * slots_of(g) + slot
            if is_loaded(s, g, cpu):
                s[word] = 0
            elif s[word] != 0:
                s[word] |= WALK_BEHIND


@inlined
def leave_mm(s, g):
    """Lazy CPUs take the interrupt of a flush: they go on to init_mm's page tables, and stay behind."""
    for cpu in range(g[G_THREADS]):
        irqs_on = s[g[G_T_BASE] + cpu * g[G_T_STRIDE] + T_IRQ_OFF] == 0
        if s[g[G_LOADED] + cpu] == MM_LAZY and irqs_on:
            s[g[G_LOADED] + cpu] = MM_OTHER


@inlined
def speculate(s, g, cpu):
    """A walk that nobody asked for: by a borrowed mm's page tables, as the TLB still leads to them."""
    outcome = 0
    if s[g[G_LOADED] + cpu] == MM_LAZY:
        k = G_CLASS0 + CLASS_TABLE * CLASS_WORDS
        for word in range(g[G_WALK] + cpu * slots_of(g), g[G_WALK] + (cpu + 1) * slots_of(g)):
            table = (s[word] & ~WALK_BEHIND) - 1
            if table >= 0 and s[g[k + K_BASE] + table * g[k + K_STRIDE]] < LIVE:
                outcome = -2 - V_TABLE_CACHED
    return outcome


@inlined
def flush_tlb_func(s, g, cpu):
    """The CPU takes the interrupt of a flush that came when it had interrupts off."""
    if s[g[G_LOADED] + cpu] == MM_LOADED:
        first = g[G_TLB] + cpu * g[G_PAGES]
        for word in range(first, first + g[G_PAGES]):
            if s[word] & TLB_BEHIND:
                s[word] = 0
        first = g[G_WALK] + cpu * slots_of(g)
        for word in range(first, first + slots_of(g)):
            if s[word] & WALK_BEHIND:
                s[word] = 0


@inlined
def is_behind(s, g, cpu):
    """Has the mm's tlb_gen gone on since the CPU last flushed what it asks for?"""
    behind = False
    first = g[G_TLB] + cpu * g[G_PAGES]
    for word in range(first, first + g[G_PAGES]):
        behind |= s[word] & TLB_BEHIND != 0
    first = g[G_WALK] + cpu * slots_of(g)
    for word in range(first, first + slots_of(g)):
        behind |= s[word] & WALK_BEHIND != 0
    return behind


@inlined
def forget_all(s, g, cpu):
    """Load the page tables: the TLB is empty."""
    first = g[G_TLB] + cpu * g[G_PAGES]
    for word in range(first, first + g[G_PAGES]):
        s[word] = 0
    first = g[G_WALK] + cpu * slots_of(g)
    for word in range(first, first + slots_of(g)):
        s[word] = 0
    return 0


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
    if op == SPECULATE:
        return speculate(s, g, cpu)
    return forget_all(s, g, cpu)  # WRITE_CR3
