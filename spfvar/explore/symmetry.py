"""Interchangeable threads: threads of one actor run the same program, so their numbers are mere names.

A state is replaced by one with the threads of an actor in the order of their parts.  Numbers of threads occur
in lock words (owner, writer, head and tail of the queue), in a waiter's link to the next, in the masks of
awaited interrupts, and as positions of TLB rows and of masks: all are renamed along.  Any order gives a state
that behaves alike; a test compares a step of renamed threads with the renamed step.
"""

from __future__ import annotations

from spfvar.ops import codes as c
from spfvar.transition.jit import inlined


@inlined
def sort_threads(groups, parts, order):
    """Order the parts of each group of threads; ``order[new]`` is then the old number.  Anything moved?"""
    moved = False
    for thread in range(order.shape[0]):
        order[thread] = thread
    for group in range(groups.shape[0]):
        first = groups[group, 0]
        for i in range(first + 1, first + groups[group, 1]):
            j = i
            while j > first and parts[order[j - 1]] > parts[order[j]]:
                swap = order[j]
                order[j] = order[j - 1]
                order[j - 1] = swap
                moved = True
                j -= 1
    return moved


@inlined
def rename(s, t, g, owners, order, name):
    """Write state ``s`` with its threads in another order to ``t``; ``name`` is room for the new numbers."""
    threads = g[c.G_THREADS]
    first = g[c.G_T_BASE]
    stride = g[c.G_T_STRIDE]
    for thread in range(threads):
        name[order[thread]] = thread
    for i in range(first):
        t[i] = s[i]
    for i in range(owners.shape[0]):
        if s[owners[i]] != 0:
            t[owners[i]] = name[s[owners[i]] - 1] + 1
    words = g[c.G_IPI_WORDS]
    for thread in range(threads):
        old = first + order[thread] * stride
        new = first + thread * stride
        for i in range(stride):
            t[new + i] = s[old + i]
        if s[old + c.T_WNEXT] != 0:
            t[new + c.T_WNEXT] = name[s[old + c.T_WNEXT] - 1] + 1
        mask = s[g[c.G_IPI_MASK] + order[thread] * words]
        renamed = 0
        for other in range(threads):
            if mask >> other & 1:
                renamed |= 1 << name[other]
        t[g[c.G_IPI_MASK] + thread * words] = renamed
        if g[c.G_LOADED] != 0:
            t[g[c.G_LOADED] + thread] = s[g[c.G_LOADED] + order[thread]]
            slots = (g[c.G_PAGES] - 1 >> g[c.G_PT_SHIFT]) + 1
            for slot in range(slots):
                t[g[c.G_WALK] + thread * slots + slot] = s[g[c.G_WALK] + order[thread] * slots + slot]
        if g[c.G_TLB] != 0:
            for page in range(g[c.G_PAGES]):
                t[g[c.G_TLB] + thread * g[c.G_PAGES] + page] = s[
                    g[c.G_TLB] + order[thread] * g[c.G_PAGES] + page
                ]
