"""Object lifetime, RCU and interrupts.

RCU is two phases with a reader count each: a grace period flips the phase, waits until the old
phase has no reader, then frees what was queued before the flip.  Interrupts-off sections count as
readers (consolidated flavours, v5.0 and later).  SRCU has phases and counts of its own, and its sections may
sleep; callbacks wait for the one or for the other, never for both in one run.  A freed object turns every
other reference to it stale, so an access through one is noticed even after the memory was recycled.
"""

from __future__ import annotations

from spfvar.ops.codes import (
    BLOCKED,
    CLASS_FILE,
    CLASS_NODE,
    CLASS_PAGE,
    CLASS_POLICY,
    CLASS_TABLE,
    CLASS_VMA,
    CLASS_WORDS,
    FILE_REFS,
    FREE_END,
    G_CLASS0,
    G_CLASSES,
    G_IPI,
    G_IPI_MASK,
    G_IPI_WORDS,
    G_PT_SHIFT,
    G_PTE,
    G_RCU,
    G_SRCU,
    G_STALE,
    G_T_BASE,
    G_T_STRIDE,
    G_THREADS,
    K_BASE,
    K_COUNT,
    K_FREE,
    K_KEPT,
    K_REF0,
    K_REF1,
    K_STRIDE,
    LIVE,
    OUT_TARGET0,
    PENDING_NEXT,
    PENDING_WAIT,
    PTE_PRESENT,
    PTE_ZERO,
    T_IPI_PENDING,
    T_IRQ_OFF,
    T_RCU_NEST,
    T_RCU_PHASE,
    V_NO_MEMORY,
    V_TABLE_IN_USE,
    V_UNBALANCED,
    V_USE_AFTER_FREE,
    VMA_FPUT,
)
from spfvar.transition.jit import inlined


@inlined
def allocate(s, g, k, register):
    """Pop the free list of the class at ``k`` into a thread word; the object's words become 0."""
    head = s[g[k + K_FREE]]
    if head == FREE_END:
        return -2 - V_NO_MEMORY
    index = -head - 2
    base = g[k + K_BASE] + index * g[k + K_STRIDE]
    s[g[k + K_FREE]] = s[base]
    for word in range(1, g[k + K_KEPT]):
        s[base + word] = 0
    s[base] = LIVE
    s[register] = index
    return 0


@inlined
def free_object(s, g, k, index):
    """Give the memory back; drops the file reference that a VMA's freeing was charged with."""
    base = g[k + K_BASE] + index * g[k + K_STRIDE]
    if k == G_CLASS0 + CLASS_VMA * CLASS_WORDS and s[base + VMA_FPUT] != 0:
        put_file(s, g, s[base + VMA_FPUT] - 1)
    s[base] = s[g[k + K_FREE]]
    s[g[k + K_FREE]] = -index - 2
    forget(s, g, k, base)
    make_stale(s, g, k, index)


@inlined
def forget(s, g, k, base):
    """Clear a freed object, so that equal states look equal; type-safe memory may still be looked at."""
    if g[k + K_KEPT] == g[k + K_STRIDE]:
        for word in range(1, g[k + K_STRIDE]):
            s[base + word] = 0


@inlined
def put_file(s, g, index):
    """fput: drop a reference; the last one frees the file."""
    k = G_CLASS0 + CLASS_FILE * CLASS_WORDS
    base = g[k + K_BASE] + index * g[k + K_STRIDE]
    s[base + FILE_REFS] -= 1
    if s[base + FILE_REFS] == 0:
        s[base] = s[g[k + K_FREE]]
        s[g[k + K_FREE]] = -index - 2
        forget(s, g, k, base)
        make_stale(s, g, k, index)


@inlined
def make_stale(s, g, k, index):
    """Mark every thread's reference to a freed object."""
    for thread in range(g[G_THREADS]):
        tb = g[G_T_BASE] + thread * g[G_T_STRIDE]
        for slot in range(g[k + K_REF0], g[k + K_REF1]):
            if s[tb + slot] == index:
                s[tb + slot] = index + g[G_STALE]


@inlined
def keep_if_live(s, g, k, register):
    """A lock was taken in recycled memory: whatever object lives there now is kept by it, if one does."""
    index = s[register] - g[G_STALE]
    if s[g[k + K_BASE] + index * g[k + K_STRIDE]] == LIVE:
        s[register] = index


@inlined
def maps_pages(s, g, table):
    """Maps a page table a page that has a reference for it?  Asked only where pages are objects."""
    if g[G_CLASS0 + CLASS_PAGE * CLASS_WORDS + K_COUNT] == 0:
        return False
    first = g[G_PTE] + (table << g[G_PT_SHIFT])
    present = False
    for word in range(first, first + (1 << g[G_PT_SHIFT])):
        present |= s[word] & (PTE_PRESENT | PTE_ZERO) == PTE_PRESENT
    return present


@inlined
def free(s, g, k, register):
    """Free the object that a thread word refers to; the reference becomes null."""
    index = s[register]
    if s[g[k + K_BASE] + index * g[k + K_STRIDE]] != LIVE:
        return -2 - V_USE_AFTER_FREE
    if k == G_CLASS0 + CLASS_TABLE * CLASS_WORDS and maps_pages(s, g, index):
        return -2 - V_TABLE_IN_USE
    s[register] = -1
    free_object(s, g, k, index)
    return 0


@inlined
def call_rcu(s, g, k, register):
    """Queue the object for the next grace period; the reference becomes null."""
    base = g[k + K_BASE] + s[register] * g[k + K_STRIDE]
    if s[base] != LIVE:
        return -2 - V_USE_AFTER_FREE
    s[base] = PENDING_NEXT
    s[register] = -1
    s[g[G_RCU] + 4] += 1
    return 0


@inlined
def reader_enters(s, g, tb):
    """Enter an RCU section, or an interrupts-off section, which counts as one."""
    if s[tb + T_RCU_NEST] == 0:
        phase = s[g[G_RCU]]
        s[tb + T_RCU_PHASE] = phase
        s[g[G_RCU] + 1 + phase] += 1
    s[tb + T_RCU_NEST] += 1
    return 0


@inlined
def reader_leaves(s, g, tb):
    """Leave a section; the outermost one may let a grace period end."""
    if s[tb + T_RCU_NEST] <= 0:
        return -2 - V_UNBALANCED
    s[tb + T_RCU_NEST] -= 1
    if s[tb + T_RCU_NEST] == 0:
        s[g[G_RCU] + 1 + s[tb + T_RCU_PHASE]] -= 1
        s[tb + T_RCU_PHASE] = 0
    return 0


@inlined
def srcu_enters(s, g, register):
    """Enter an SRCU section; the register remembers its phase, + 1."""
    phase = s[g[G_SRCU]]
    s[register] = phase + 1
    s[g[G_SRCU] + 1 + phase] += 1
    return 0


@inlined
def srcu_leaves(s, g, register):
    """Leave the SRCU section that the register remembers."""
    if s[register] == 0:
        return -2 - V_UNBALANCED
    s[g[G_SRCU] + s[register]] -= 1
    s[register] = 0
    return 0


@inlined
def freed_by_rcu(cls):
    """May an object of this class wait for a grace period?"""
    return CLASS_VMA <= cls <= CLASS_FILE or cls in (CLASS_POLICY, CLASS_NODE)


@inlined
def gp_start(s, g, phase):
    """BLOCKED until a callback is queued; then flip the phase, at that word, and take the callbacks over."""
    rcu = g[G_RCU]
    if s[rcu + 4] == 0:
        return BLOCKED
    for cls in range(g[G_CLASSES]):
        k = G_CLASS0 + cls * CLASS_WORDS
        for index in range(g[k + K_COUNT]):
            life = g[k + K_BASE] + index * g[k + K_STRIDE]
            if freed_by_rcu(cls) and s[life] == PENDING_NEXT:
                s[life] = PENDING_WAIT
    s[phase] = 1 - s[phase]
    s[rcu + 3] = s[rcu + 4]
    s[rcu + 4] = 0
    return 0


@inlined
def gp_wait(s, phase):
    """BLOCKED while the old phase has readers, which are counted behind the word of the phase."""
    if s[phase + 1 + (1 - s[phase])] != 0:
        return BLOCKED
    return 0


@inlined
def gp_invoke(s, g):
    """Free what waited for the grace period."""
    for cls in range(g[G_CLASSES]):
        k = G_CLASS0 + cls * CLASS_WORDS
        for index in range(g[k + K_COUNT]):
            life = g[k + K_BASE] + index * g[k + K_STRIDE]
            if freed_by_rcu(cls) and s[life] == PENDING_WAIT:
                if cls == CLASS_TABLE and maps_pages(s, g, index):
                    return -2 - V_TABLE_IN_USE
                free_object(s, g, k, index)
    s[g[G_RCU] + 3] = 0
    return 0


@inlined
def irq_disable(s, g, tb):
    """Interrupts off."""
    s[tb + T_IRQ_OFF] += 1
    return reader_enters(s, g, tb)


@inlined
def irq_enable(s, g, tid, tb):
    """Interrupts on: answer every sender that waits for this CPU."""
    if s[tb + T_IRQ_OFF] <= 0:
        return -2 - V_UNBALANCED
    s[tb + T_IRQ_OFF] -= 1
    if s[tb + T_IRQ_OFF] == 0 and s[g[G_IPI]] != 0:
        answer_ipis(s, g, tid)
    return reader_leaves(s, g, tb)


@inlined
def is_interrupted(s, g, tid):
    """Does some sender wait for this CPU, which has interrupts off?"""
    found = False
    for sender in range(g[G_THREADS]):
        found |= s[g[G_IPI_MASK] + sender * g[G_IPI_WORDS] + tid // 31] >> (tid % 31) & 1 != 0
    return found


@inlined
def answer_ipis(s, g, tid):
    """Clear this CPU's bit in every waiting sender's mask."""
    words = g[G_IPI_WORDS]
    bit = 1 << (tid % 31)
    for sender in range(g[G_THREADS]):
        word = g[G_IPI_MASK] + sender * words + tid // 31
        if s[word] & bit:
            s[word] &= ~bit
            pending = g[G_T_BASE] + sender * g[G_T_STRIDE] + T_IPI_PENDING
            s[pending] -= 1
            if s[pending] == 0:
                s[g[G_IPI]] -= 1


@inlined
def ipi_send(s, g, tid, tb, targeted, out):
    """Interrupt every other CPU, ``targeted``: those in ``out``; with interrupts on they answer at once."""
    words = g[G_IPI_WORDS]
    pending = 0
    for other in range(g[G_THREADS]):
        wanted = other != tid and (not targeted or out[OUT_TARGET0 + other] != 0)
        if wanted and s[g[G_T_BASE] + other * g[G_T_STRIDE] + T_IRQ_OFF] != 0:
            s[g[G_IPI_MASK] + tid * words + other // 31] |= 1 << (other % 31)
            pending += 1
    s[tb + T_IPI_PENDING] = pending
    if pending != 0:
        s[g[G_IPI]] += 1
    return 0


@inlined
def ipi_wait(s, tb):
    """BLOCKED until every CPU that had interrupts off has turned them on once."""
    if s[tb + T_IPI_PENDING] > 0:
        return BLOCKED
    return 0
