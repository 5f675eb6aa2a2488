"""The transition function: one thread executes its next primitive.

``step(s, p, g, tid, choice, out)`` acts on the flat state ``s`` (int32) by the program table ``p`` and the
constants ``g`` (spfvar.ops.codes).  It returns the outcome's number (>= 0) with the thread's program
counter moved on; BLOCKED if the thread has to wait (it may have queued itself); or VIOLATED, with
code, thread and node in the state.  ``choice`` decides open outcomes.  ``out`` is a scratch array: page-table
entries changed and anonymous pages freed by the op (if it is one that changes entries), and the
threads that were handed a lock, which the scheduler takes off (OUT_WOKEN = 0).
"""

from __future__ import annotations

from typing import Final

from spfvar.ops import codes as c
from spfvar.ops.codes import (
    A_TYPESAFE,
    BLOCKED,
    C_A_BASE,
    C_A_LIFE,
    C_A_REG,
    C_A_STRIDE,
    C_DST,
    C_FLAGS,
    C_IMM,
    C_IMM2,
    C_OP,
    C_SRC,
    C_SRC2,
    C_SRC3,
    C_SUCC,
    FLAG_SLEEPS,
    G_PT_SHIFT,
    G_SEQ_MASK,
    G_STALE,
    G_T_BASE,
    G_T_STRIDE,
    G_VIOLATION,
    T_PC,
    T_RCU_NEST,
    VIOLATED,
)
from spfvar.transition import lazy_tlb, lifetime, locks, own_tables, pages, ranges, tables
from spfvar.transition.jit import compiled, inlined

down_read, up_read, down_write = locks.down_read, locks.up_read, locks.down_write
down_read_trylock, up_write, downgrade_write = locks.down_read_trylock, locks.up_write, locks.downgrade_write
lock, trylock, unlock = locks.lock, locks.trylock, locks.unlock

#: What `often_op` says of an op that is not one of its own; no outcome.
SELDOM: Final = -1000


@inlined
def pointer(s, g, word):
    """A number, or a reference as the pointer that it is: recycled memory has the address it had."""
    value = s[word]
    return value - g[G_STALE] if value >= g[G_STALE] else value


@inlined
def often_op(s, p, g, pc, tid, tb, index, a, choice, out):  # noqa: C901
    """Ops of which runs have many, or SELDOM.  One chain of comparisons: so it is compiled to one jump."""
    op = p[pc, C_OP]
    # --- local to the thread
    if op == c.NOP or op == c.COUNT or op == c.MARK:
        return 0
    if op == c.SET_REG:
        s[tb + p[pc, C_DST]] = p[pc, C_IMM]
        return 0
    if op == c.ADD_REG:
        s[tb + p[pc, C_DST]] = s[tb + p[pc, C_SRC]] + p[pc, C_IMM]
        return 0
    if op == c.ADD_REGS:
        s[tb + p[pc, C_DST]] = s[tb + p[pc, C_SRC]] + s[tb + p[pc, C_SRC2]]
        return 0
    if op == c.NEXT_ADDR:
        s[tb + p[pc, C_DST]] += p[pc, C_IMM]
        return 1 if s[tb + p[pc, C_DST]] < s[tb + p[pc, C_SRC]] else 0
    if op == c.NEXT_TABLE:
        s[tb + p[pc, C_DST]] = tables.table_end(g, s[tb + p[pc, C_DST]])
        return 1 if s[tb + p[pc, C_DST]] < s[tb + p[pc, C_SRC]] else 0
    if op == c.TEST_REG:
        return 1 if s[tb + p[pc, C_SRC]] & p[pc, C_IMM] else 0
    if op == c.REG_EQUAL:
        return 1 if pointer(s, g, tb + p[pc, C_SRC]) == pointer(s, g, tb + p[pc, C_SRC2]) else 0
    if op == c.CHOOSE:
        return choice
    if op == c.END:
        return -2 - c.V_UNBALANCED if s[tb + T_RCU_NEST] != 0 else BLOCKED
    # --- locks
    if op == c.DOWN_READ_TRYLOCK:
        taken = down_read_trylock(s, a)
        if taken and s[tb + p[pc, C_A_REG]] >= g[G_STALE]:
            lifetime.keep_if_live(s, g, p[pc, C_IMM], tb + p[pc, C_A_REG])
        return taken
    if op == c.UP_READ:
        return up_read(s, g, a, out)
    if op == c.LOCK:
        return lock(s, g, a, tid, tb)
    if op == c.UNLOCK:
        return unlock(s, g, a, tid, out)
    if op == c.TRYLOCK:
        return trylock(s, a, tid)
    if op == c.DOWN_READ:
        return down_read(s, g, a, tid, tb)
    # --- words of memory
    if op == c.LOAD:
        s[tb + p[pc, C_DST]] = s[a]
        return 0
    if op == c.LOAD_TEST:
        s[tb + p[pc, C_DST]] = s[a]
        return 1 if s[a] != 0 else 0
    if op == c.LOAD_ODD:
        s[tb + p[pc, C_DST]] = s[a]
        return s[a] & 1
    if op == c.EQUALS_REG:
        return 1 if s[a] == s[tb + p[pc, C_SRC]] else 0
    if op == c.EQUALS:
        return 1 if s[a] == p[pc, C_IMM] else 0
    if op == c.STORE:
        s[a] = p[pc, C_IMM]
        return 0
    if op == c.STORE_REG:
        s[a] = s[tb + p[pc, C_SRC]]
        return 0
    if op == c.ADD:
        s[a] = (s[a] + p[pc, C_IMM]) & g[G_SEQ_MASK]
        return 0
    if op == c.DEC_AND_TEST:
        if s[a] <= 0:
            return -2 - c.V_REFCOUNT
        s[a] -= 1
        if p[pc, C_DST] >= 0:
            s[tb + p[pc, C_DST]] = s[a]
        return 1 if s[a] == 0 else 0
    if op == c.LOAD_REF:
        s[tb + p[pc, C_DST]] = s[a] - 1
        return 1 if p[pc, C_IMM] != 0 and s[a] != 0 else 0
    # --- RCU, interrupts
    if op == c.RCU_READ_LOCK:
        return lifetime.reader_enters(s, g, tb)
    if op == c.RCU_READ_UNLOCK:
        return lifetime.reader_leaves(s, g, tb)
    if op == c.IRQ_DISABLE:
        return lifetime.irq_disable(s, g, tb)
    if op == c.IRQ_ENABLE:
        return lifetime.irq_enable(s, g, tid, tb) if p[pc, C_IMM] == 0 else SELDOM
    # --- the VMA tree
    if op == c.FIND_VMA:
        start = s[tb + p[pc, C_SRC]]
        end = s[tb + p[pc, C_SRC2]] if p[pc, C_SRC2] >= 0 else start + 1
        return tables.find_vma(s, g, start, end, tb + p[pc, C_DST])
    if op == c.VMA_CONTAINS:
        address = s[tb + p[pc, C_SRC]]
        return 1 if s[a] <= address < s[a + 1] else 0
    # --- page tables
    if op == c.TOUCH:
        return pages.touch(s, g, tid, s[tb + p[pc, C_DST]], p[pc, C_IMM])
    if op == c.READ_PMD:
        return tables.read_pmd(s, g, s[tb + p[pc, C_SRC]], tb + p[pc, C_DST])
    if op == c.PMD_SAME:
        return tables.pmd_same(s, g, s[tb + p[pc, C_SRC]], tb + p[pc, C_DST])
    if op == c.READ_PTE:
        return tables.read_pte(s, g, index, s[tb + p[pc, C_SRC]], p[pc, C_IMM], tb + p[pc, C_DST])
    if op == c.PTE_NONE:
        return 1 if s[tables.pte(g, index, s[tb + p[pc, C_SRC]])] == 0 else 0
    if op == c.PTE_SAME:
        return pages.pte_same(s, g, index, s[tb + p[pc, C_SRC]], s[tb + p[pc, C_SRC2]], p[pc, C_IMM])
    if op == c.SET_PTE:
        address, writable, page = s[tb + p[pc, C_SRC]], s[tb + p[pc, C_SRC2]], s[tb + p[pc, C_DST]]
        return pages.set_pte(s, g, index, address, p[pc, C_IMM], writable, page, p[pc, C_IMM2])
    # --- the page cache
    if op == c.FOLIO_GET:
        place = s[a] + s[tb + p[pc, C_SRC]] - s[tb + p[pc, C_SRC2]]
        s[tb + p[pc, C_DST]] = tables.page_folio(g, place)
        return tables.folio_get(s, g, s[tb + p[pc, C_DST]])
    if op == c.NEXT_CANDIDATE:
        vm_start = s[tb + p[pc, C_SRC3]]
        limit = s[tb + p[pc, C_SRC2]]
        found = tables.next_candidate(s, g, s[a], vm_start, s[tb + p[pc, C_SRC]], limit, tid)
        s[tb + p[pc, C_SRC]] = found
        s[tb + p[pc, C_DST]] = tables.page_folio(g, s[a] + found - vm_start)
        return 1 if found < limit else 0
    if op == c.INSIDE_SIZE:
        return 1 if s[tb + p[pc, C_SRC]] - s[tb + p[pc, C_SRC2]] < s[a] else 0
    return SELDOM


@inlined
def window(s, p, g, pc, tb):
    """The pages that map_pages may take around an address (WINDOW)."""
    address = s[tb + g[c.G_R_ADDR]]
    first = address & -p[pc, C_IMM]
    s[tb + p[pc, C_DST]] = max(first, s[tb + p[pc, C_SRC2]], address >> g[G_PT_SHIFT] << g[G_PT_SHIFT])
    s[tb + p[pc, C_SRC]] = min(first + p[pc, C_IMM], s[tb + p[pc, C_SRC3]], tables.table_end(g, address))
    return 0


@inlined
def lock_op(s, p, g, pc, tid, tb, a, out):
    """Locks taken by writers (opcodes DOWN_WRITE to DOWNGRADE_WRITE)."""
    op = p[pc, C_OP]
    if op == c.DOWN_WRITE:
        return down_write(s, g, a, tid, tb) if p[pc, C_IMM] == 0 else locks.down_write_trylock(s, a, tid)
    if op == c.UP_WRITE:
        return up_write(s, g, a, tid, out)
    return downgrade_write(s, g, a, tid, out)


@inlined
def word_op(s, p, g, pc, tb, a):
    """The other words of memory (opcodes INC_NOT_ZERO, STORE_REF, WAIT_EQUALS)."""
    op = p[pc, C_OP]
    if op == c.INC_NOT_ZERO:
        if s[a] == 0:
            return 1
        if s[a] >= p[pc, C_IMM]:
            return 2
        s[a] += p[pc, C_IMM2]
        if s[tb + p[pc, C_A_REG]] >= g[G_STALE]:
            s[tb + p[pc, C_A_REG]] -= g[G_STALE]  # the count now keeps whatever the memory has become
        return 0
    if op == c.STORE_REF:
        s[a] = pointer(s, g, tb + p[pc, C_SRC]) + 1
        return 0
    return 0 if s[a] == p[pc, C_IMM] else BLOCKED  # WAIT_EQUALS


@inlined
def lifetime_op(s, p, g, pc, tid, tb, out):
    """Allocation, grace periods, interrupts, assertions (the other opcodes ALLOC to BUG)."""
    op = p[pc, C_OP]
    if op == c.IRQ_ENABLE:
        if lifetime.is_interrupted(s, g, tid):
            lazy_tlb.flush_tlb_func(s, g, tid)
        return lifetime.irq_enable(s, g, tid, tb)
    if op == c.ALLOC:
        return lifetime.allocate(s, g, p[pc, C_IMM], tb + p[pc, C_DST])
    if op == c.FREE:
        return lifetime.free(s, g, p[pc, C_IMM], tb + p[pc, C_SRC])
    if op == c.CALL_RCU:
        return lifetime.call_rcu(s, g, p[pc, C_IMM], tb + p[pc, C_SRC])
    if op == c.IPI_SEND:
        if p[pc, C_SRC] >= 0:
            start = s[tb + p[pc, C_SRC]]
            end = s[tb + p[pc, C_SRC2]] if p[pc, C_SRC2] >= 0 else start + p[pc, C_IMM]
            if g[c.G_OWN] != 0:
                own_tables.find_targets(s, g, start, end, out)
                own_tables.forget_range(s, g, start, end)
            elif g[c.G_LOADED] != 0:
                lazy_tlb.find_targets(s, g, p[pc, C_IMM2], out)
                lazy_tlb.flush_walks(s, g, start, end)
            pages.flush_tlb(s, g, start, end)
            if g[c.G_OWN] == 0 and g[c.G_LOADED] != 0 and p[pc, C_IMM2] != 0:
                lazy_tlb.leave_mm(s, g)
        targeted = (g[c.G_OWN] != 0 or g[c.G_LOADED] != 0) and p[pc, C_SRC] >= 0
        return lifetime.ipi_send(s, g, tid, tb, targeted, out)
    if op == c.IPI_WAIT:
        return lifetime.ipi_wait(s, tb)
    if op == c.RCU_GP_START:
        return lifetime.gp_start(s, g, g[c.G_SRCU] if p[pc, C_IMM] != 0 else g[c.G_RCU])
    if op == c.RCU_GP_WAIT:
        return lifetime.gp_wait(s, g[c.G_SRCU] if p[pc, C_IMM] != 0 else g[c.G_RCU])
    if op == c.SRCU_READ_LOCK:
        return lifetime.srcu_enters(s, g, tb + p[pc, C_DST])
    if op == c.SRCU_READ_UNLOCK:
        return lifetime.srcu_leaves(s, g, tb + p[pc, C_DST])
    if op == c.BUG:
        return -2 - c.V_BUG
    return lifetime.gp_invoke(s, g)


@inlined
def tree_op(s, p, g, pc, tb, a):
    """The VMA tree (opcodes TREE_STORE and TREE_ERASE)."""
    if p[pc, C_OP] == c.TREE_STORE:
        pages.new_epoch(s, g, s[a], s[a + 1], s[tb + p[pc, C_SRC]] + 1)
        return tables.tree_store(s, g, s[a], s[a + 1], s[tb + p[pc, C_SRC]] + 1)
    return tables.tree_store(s, g, s[tb + p[pc, C_SRC]], s[tb + p[pc, C_SRC2]], p[pc, C_IMM])


@inlined
def table_op(s, p, g, pc, tid, tb, index, out):
    """Page tables (the other opcodes TOUCH to PMD_KEEP); ``index`` is the table of entry ops."""
    op = p[pc, C_OP]
    if op == c.PMD_KEEP:
        return 0
    if op == c.FRESH_RANGE:
        if g[c.G_OWN] != 0:
            own_tables.forget_range(s, g, s[tb + p[pc, C_SRC]], s[tb + p[pc, C_SRC2]])
        return tables.fresh_range(s, g, s[tb + p[pc, C_SRC]], s[tb + p[pc, C_SRC2]])
    address = s[tb + p[pc, C_SRC]]
    if op == c.PTE_MKWRITE:
        s[tables.pte(g, index, address)] |= c.PTE_WRITE | c.PTE_DIRTY
        return 0
    if op == c.PMD_POPULATE:
        origin = s[tb + p[pc, C_SRC2]] if p[pc, C_SRC2] >= 0 else -1
        s[tb + p[pc, C_DST]] = -1
        return pages.populate(s, g, index, address, origin)
    if op == c.PMD_CLEAR:
        start, end = s[tb + p[pc, C_SRC2]], s[tb + p[pc, C_SRC3]]
        return tables.pmd_clear(s, g, address, start, end, tb + p[pc, C_DST])
    if op == c.ZAP_PTES:
        gathered = tb + p[pc, C_DST]
        pages.zap(s, g, index, address, s[tb + p[pc, C_SRC2]], p[pc, C_IMM], gathered, out)
        return 1 if p[pc, c.C_IMM2] != 0 and out[c.OUT_AMOUNT] != 0 else 0
    if op == c.PTE_TAKE:
        present = tables.pte_take(s, g, index, address, tb + p[pc, C_DST])
        return present if p[pc, C_IMM] != 0 else 0
    if op == c.PTE_RESTORE:
        origin = s[tb + p[pc, C_SRC3]]
        return pages.pte_restore(s, g, index, address, s[tb + p[pc, C_SRC2]], origin, p[pc, C_IMM])
    if op == c.PTE_WRPROTECT:
        s[tables.pte(g, index, address)] &= ~c.PTE_WRITE
        return 0
    if op == c.OWN_SET_PTE:
        return own_tables.set_own(s, g, tid, address, s[tb + p[pc, C_SRC2]])
    if op == c.PMD_TAKE:
        return tables.pmd_take(s, g, address, tb + p[pc, C_DST])
    return tables.change_protection(
        s, g, index, address, s[tb + p[pc, C_SRC2]], s[tb + p[pc, C_DST]], out
    )  # CHANGE_PTES


@inlined
def folio_op(s, p, g, pc, tid, tb, a):
    """The page cache (opcodes FOLIO_CREATE, FOLIO_DELETE, REMOVE_MAPPING); ``a`` is the op's place."""
    op = p[pc, C_OP]
    if op == c.FOLIO_DELETE:
        s[a] = 0
        return 0
    if op == c.REMOVE_MAPPING:
        return tables.remove_mapping(s, a)
    place = s[a] + s[tb + p[pc, C_SRC]] - s[tb + p[pc, C_SRC2]]
    s[tb + p[pc, C_DST]] = tables.page_folio(g, place)
    return tables.folio_create(s, g, s[tb + p[pc, C_DST]], tid)


@inlined
def page_op(s, p, g, pc, tb, index, a):
    """Anonymous pages and reverse maps (opcodes PAGE_ALLOC to PAGE_DMA)."""
    op = p[pc, C_OP]
    if op == c.PAGE_ALLOC:
        return pages.alloc(s, g, tb + p[pc, C_DST])
    if op == c.PAGE_GET:
        s[a] += 1
        return 0
    if op == c.PAGE_PUT:
        s[tb + p[pc, C_A_REG]] = -1
        return pages.put(s, g, index, p[pc, C_IMM])
    if op == c.PAGES_PUT:
        return pages.put_all(s, g, tb + p[pc, C_SRC])
    if op == c.PAGE_COPY:
        return pages.copy(s, g, index, s[tb + p[pc, C_SRC]], s[tb + p[pc, C_DST]])
    if op == c.PAGE_RMAP:
        offset = s[tb + p[pc, C_DST]] - s[tb + p[pc, C_SRC2]] + s[tb + p[pc, C_SRC3]]
        return pages.add_rmap(s, g, index, pointer(s, g, tb + p[pc, C_SRC]), offset)
    if op == c.PAGE_OF:
        return pages.page_of(s, g, s[tb + p[pc, C_SRC]], tb + p[pc, C_DST], tb + p[pc, C_SRC2])
    if op == c.ENTRY_FOLIO:
        s[tb + p[pc, C_DST]] = s[tb + p[pc, C_SRC]] >> c.PTE_FOLIO_SHIFT
        return tables.check_migrating(s, g, s[tb + p[pc, C_DST]])
    if op == c.PAGE_DMA:
        return pages.dma(s, g, index, p[pc, C_IMM])
    offset = s[tb + p[pc, C_SRC]] - s[a]
    return pages.rmap_next(  # RMAP_NEXT
        s, g, offset, p[pc, C_IMM], index, tb + p[pc, C_SRC2], tb + p[pc, C_DST], tb + p[pc, C_SRC3]
    )


@inlined
def violation_of(s, p, g, pc, tb):
    """What is wrong with the object that a node is about to access (0: nothing)."""
    index = s[tb + p[pc, C_A_REG]]
    if index < 0:
        return c.V_NULL
    life = p[pc, C_A_LIFE]
    if index >= g[G_STALE]:
        if life != A_TYPESAFE:
            return c.V_STALE_REFERENCE
        return c.V_OUTSIDE_RCU if s[tb + T_RCU_NEST] == 0 else 0
    if life >= 0:
        return tables.check_live(s, life, index, p[pc, C_A_STRIDE])
    return 0


@compiled
def seldom_op(s, p, g, pc, tid, tb, index, a, out):
    """The other ops.  Called, not inlined: they are most of the code, and little of a run."""
    op = p[pc, C_OP]
    if op <= c.LAST_LOCAL:
        return window(s, p, g, pc, tb)
    if op <= c.LAST_LOCK:
        return lock_op(s, p, g, pc, tid, tb, a, out)
    if op <= c.LAST_WORD:
        return word_op(s, p, g, pc, tb, a)
    if op <= c.LAST_LIFETIME:
        return lifetime_op(s, p, g, pc, tid, tb, out)
    if op <= c.LAST_TREE:
        return tree_op(s, p, g, pc, tb, a)
    if op <= c.LAST_TABLE:
        return table_op(s, p, g, pc, tid, tb, index, out)
    if op <= c.LAST_FOLIO:
        return folio_op(s, p, g, pc, tid, tb, a)
    if op <= c.LAST_PAGE:
        return page_op(s, p, g, pc, tb, index, a)
    if op <= c.LAST_RANGE:
        return ranges.range_op(s, p, g, pc, tb, a, out)
    return lazy_tlb.switch_op(s, p, g, pc, tid)


@inlined
def execute(s, p, g, pc, tid, tb, choice, out):
    """The same, for a scheduler that knows the thread's program counter and its first state word."""
    op = p[pc, C_OP]
    a = 0
    index = 0
    wrong = 0
    if p[pc, C_A_REG] >= 0 and op > c.LAST_LOCAL and op != c.ALLOC:
        wrong = violation_of(s, p, g, pc, tb)
        index = s[tb + p[pc, C_A_REG]]
        if index >= g[G_STALE]:
            index -= g[G_STALE]
        a = p[pc, C_A_BASE] + index * p[pc, C_A_STRIDE]
    if p[pc, C_FLAGS] & FLAG_SLEEPS and s[tb + T_RCU_NEST] != 0:
        wrong = c.V_SLEEP_IN_ATOMIC
    if wrong != 0:
        outcome = -2 - wrong
    else:
        outcome = often_op(s, p, g, pc, tid, tb, index, a, choice, out)
        if outcome == SELDOM:
            outcome = seldom_op(s, p, g, pc, tid, tb, index, a, out)
    if outcome >= 0:
        s[tb + T_PC] = p[pc, C_SUCC + outcome]
        return outcome
    if outcome == BLOCKED:
        return BLOCKED
    s[g[G_VIOLATION]] = -2 - outcome
    s[g[G_VIOLATION] + 1] = tid
    s[g[G_VIOLATION] + 2] = pc
    return VIOLATED


@inlined
def step(s, p, g, tid, choice, out):
    """Execute the next primitive of thread ``tid``; see the module's text."""
    tb = g[G_T_BASE] + tid * g[G_T_STRIDE]
    return execute(s, p, g, s[tb + T_PC], tid, tb, choice, out)
