"""Whom an inter-processor interrupt reaches, and what it does to views: a full barrier on each of those CPUs.

A flush of a range interrupts the CPUs that run its address space, but for those that it passes by
(spfvar.transition.lazy_tlb, spfvar.transition.own_tables); an interrupt without a range, every other CPU.
"""

from __future__ import annotations

from typing import Final

from spfvar.ops import codes as c
from spfvar.transition.jit import inlined
from spfvar.transition.views import K_MM, K_VIEWS, SEEN_ORDERS, full_fence

#: Of more CPUs, an interrupt is tried in one order only.
MOST_ORDERED: Final = 3


@inlined
def runs(s, g, w, thread, space):
    """Does a thread's CPU run this address space?  If it runs in several: is that the one it is about?"""
    tb = g[c.G_T_BASE] + thread * g[c.G_T_STRIDE]
    spaces = w.spaces[thread]
    return spaces == 1 << space or (spaces >> space & 1 != 0 and s[tb + w.constants[K_MM]] == space)


@inlined
def sent_to(s, p, g, w, pc, tid):
    """Which CPUs an interrupt is sent to, a bit each; some of these it may still pass by."""
    tb = g[c.G_T_BASE] + tid * g[c.G_T_STRIDE]
    ranged = p[pc, c.C_SRC] >= 0
    space = w.space[s[tb + p[pc, c.C_SRC]]] if ranged else 0
    found = 0
    for other in range(g[c.G_THREADS]):
        if other != tid and (not ranged or runs(s, g, w, other, space)):
            found |= 1 << other
    return found


@inlined
def has_irqs_off(s, g, thread):
    """Does an interrupt wait until the thread turns interrupts on again?"""
    return s[g[c.G_T_BASE] + thread * g[c.G_T_STRIDE] + c.T_IRQ_OFF] != 0


@inlined
def at_once(s, p, g, w, pc, tid):
    """How many CPUs an interrupt reaches at once, at most."""
    cpus = sent_to(s, p, g, w, pc, tid)
    number = 0
    for other in range(g[c.G_THREADS]):
        if cpus >> other & 1 and not has_irqs_off(s, g, other):
            number += 1
    return number


@inlined
def orders_of(s, p, g, w, pc, tid):
    """In how many orders an interrupt reaches CPUs: all of up to 3; of more, that of their numbers."""
    number = at_once(s, p, g, w, pc, tid)
    if number > MOST_ORDERED:
        w.seen[SEEN_ORDERS] = pc + 1
    return 6 if number == 3 else 2 if number == 2 else 1


@inlined
def interrupt(s, p, g, w, pc, tid, order, out):
    """What was sent arrives: a full barrier on each CPU, one by one; no two of them miss each other's stores.

    ``out``: whom a flush of CPUs' own tables, or of lazy ones, is sent to.
    """
    threads = g[c.G_THREADS]
    cpus = sent_to(s, p, g, w, pc, tid)
    answer_for_others(s, g, tid, cpus)
    targeted = p[pc, c.C_SRC] >= 0 and (g[c.G_OWN] != 0 or g[c.G_LOADED] != 0)
    left = 0
    for other in range(threads):
        if has_irqs_off(s, g, other) or (targeted and out[c.OUT_TARGET0 + other] == 0):
            cpus &= ~(1 << other)  # it is interrupted later, or not at all
        left += cpus >> other & 1
    while left > 0:
        skip = order % left
        order //= left
        left -= 1
        following = -1
        for other in range(threads):
            if cpus >> other & 1:
                if skip == 0 and following < 0:
                    following = other
                skip -= 1
        cpus &= ~(1 << following)
        tb = g[c.G_T_BASE] + following * g[c.G_T_STRIDE]
        full_fence(s, w, tb + w.constants[K_VIEWS])


@inlined
def answer_for_others(s, g, tid, cpus):
    """The sender waits for no CPU that has interrupts off, and that it has not interrupted."""
    pending = g[c.G_T_BASE] + tid * g[c.G_T_STRIDE] + c.T_IPI_PENDING
    for other in range(g[c.G_THREADS]):
        word = g[c.G_IPI_MASK] + tid * g[c.G_IPI_WORDS] + other // 31
        if s[word] >> (other % 31) & 1 and cpus >> other & 1 == 0:
            s[word] &= ~(1 << (other % 31))
            s[pending] -= 1
            if s[pending] == 0:
                s[g[c.G_IPI]] -= 1
