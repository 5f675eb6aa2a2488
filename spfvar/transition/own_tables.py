"""Page tables per CPU: what is in one of them, a fault of that CPU has entered there.

A CPU's access finds its own table only, and a TLB flush needs to interrupt only those that have something of
the range in theirs (RadixVM: tracker_cores).  With TLBs in the state, a CPU's TLB is its table; without,
there is a set of CPUs per page.
"""

from __future__ import annotations

from spfvar.ops.codes import (
    G_IPI_WORDS,
    G_OWN,
    G_PAGES,
    G_THREADS,
    G_TLB,
    OUT_TARGET0,
)
from spfvar.transition.jit import inlined


@inlined
def set_word(g, cpu, page):
    """State word of the set of CPUs, of a page, that this CPU belongs to."""
    return g[G_OWN] + page * g[G_IPI_WORDS] + cpu // 31


@inlined
def has(s, g, cpu, page):
    """Has the CPU the page in its own table?"""
    if g[G_TLB] != 0:
        return s[g[G_TLB] + cpu * g[G_PAGES] + page] != 0
    return s[set_word(g, cpu, page)] >> (cpu % 31) & 1 != 0


@inlined
def set_own(s, g, cpu, page, entry):
    """Enter a page into the CPU's table."""
    if g[G_TLB] != 0:
        s[g[G_TLB] + cpu * g[G_PAGES] + page] = entry
    else:
        s[set_word(g, cpu, page)] |= 1 << (cpu % 31)
    return 0


@inlined
def find_targets(s, g, start, end, out):
    """Which CPUs have something of the range."""
    for cpu in range(g[G_THREADS]):
        out[OUT_TARGET0 + cpu] = 0
        if g[G_TLB] != 0:
            for page in range(start, end):
                if has(s, g, cpu, page):
                    out[OUT_TARGET0 + cpu] = 1
    if g[G_TLB] == 0:
        for cpu in range(0, g[G_THREADS], 31):
            union = 0
            for page in range(start, end):
                union |= s[set_word(g, cpu, page)]
            for i in range(min(31, g[G_THREADS] - cpu)):
                out[OUT_TARGET0 + cpu + i] = union >> i & 1


@inlined
def forget_range(s, g, start, end):
    """Take the range out of every CPU's table."""
    if g[G_TLB] == 0:
        for word in range(g[G_OWN] + start * g[G_IPI_WORDS], g[G_OWN] + end * g[G_IPI_WORDS]):
            s[word] = 0
