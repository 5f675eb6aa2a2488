"""The VMA tree, page tables and the page cache in the state.

The tree has a slot per 2**shift pages (VMA + 1, 0, or TREE_*), the page middle directory a slot per
page table (table + 1, or 0), a table a power of two of entries of PTE_* bits with the folio above them.
"""

from __future__ import annotations

from spfvar.ops.codes import (
    BLOCKED,
    CLASS_FOLIO,
    CLASS_TABLE,
    CLASS_WORDS,
    FOLIO_CACHED,
    FOLIO_LOCK,
    FOLIO_REFS,
    FOLIO_UPTODATE,
    G_CLASS0,
    G_FOLIO_MASK,
    G_PAGES,
    G_PMD,
    G_PT_SHIFT,
    G_PTE,
    G_STALE,
    G_TREE,
    G_TREE_SHIFT,
    K_BASE,
    K_STRIDE,
    LIVE,
    OUT_AMOUNT,
    OUT_ANON,
    PTE_ANON,
    PTE_FOLIO_SHIFT,
    PTE_MIGRATION,
    PTE_PRESENT,
    PTE_WRITE,
    PTE_ZERO,
    TREE_DESTROYED,
    V_MIGRATION_UNLOCKED,
    V_TREE_DESTROYED,
    V_USE_AFTER_FREE,
    V_ZERO_ENTRY,
)
from spfvar.transition.jit import inlined


@inlined
def find_vma(s, g, start, end, register):
    """Outcome 1 if the tree has a VMA for a page of the range; the first one's number goes to a thread word.

    Beyond the address space there is none (the next VMA of the last one is looked for there).  In a tree that
    was destroyed nobody may look, nor take what a failed fork has left there for a VMA.
    """
    found = 0
    address = start
    while found == 0 and address < end and address < g[G_PAGES]:
        found = s[g[G_TREE] + (address >> g[G_TREE_SHIFT])]
        address += 1 << g[G_TREE_SHIFT]
    if found < 0:
        return -2 - (V_TREE_DESTROYED if found == TREE_DESTROYED else V_ZERO_ENTRY)
    s[register] = found - 1
    return 1 if found != 0 else 0


@inlined
def tree_store(s, g, start, end, value):
    """Let every address of the range find ``value - 1`` (0: nothing; below: what a tree that is left has)."""
    shift = g[G_TREE_SHIFT]
    for slot in range(g[G_TREE] + (start >> shift), g[G_TREE] + ((end - 1) >> shift) + 1):
        s[slot] = value
    return 0


@inlined
def pmd(g, address):
    """The state word of the entry that refers to the address's page table."""
    return g[G_PMD] + (address >> g[G_PT_SHIFT])


@inlined
def table_end(g, address):
    """The first address behind the address's page table (pmd_addr_end)."""
    return ((address >> g[G_PT_SHIFT]) + 1) << g[G_PT_SHIFT]


@inlined
def pte(g, table, address):
    """The state word of the address's entry in a table."""
    shift = g[G_PT_SHIFT]
    return g[G_PTE] + (table << shift) + (address & ((1 << shift) - 1))


@inlined
def read_pmd(s, g, address, register):
    """Outcome 1 if there is a table; its number goes to the thread word."""
    table = s[pmd(g, address)]
    s[register] = table - 1
    return 1 if table != 0 else 0


@inlined
def pmd_same(s, g, address, register):
    """Outcome 1 if the pointer in the thread word is what is linked.  No table is the same as no other.

    The same pointer is the same table: whatever was freed, this one is linked now.
    """
    seen = s[register] - g[G_STALE] if s[register] >= g[G_STALE] else s[register]
    linked = s[pmd(g, address)] - 1
    if seen < 0 or linked != seen:
        return 0
    s[register] = linked
    return 1


@inlined
def pmd_clear(s, g, address, start, end, register):
    """Unlink the table unless a VMA outside ``start .. end`` still needs it (floor and ceiling)."""
    shift = g[G_TREE_SHIFT]
    first = address >> g[G_PT_SHIFT] << g[G_PT_SHIFT]
    last = first + (1 << g[G_PT_SHIFT]) - 1
    for slot in range(g[G_TREE] + (first >> shift), g[G_TREE] + (last >> shift) + 1):
        page = (slot - g[G_TREE]) << shift
        if slot < g[G_PMD] and s[slot] > 0 and not start <= page < end:
            return 0
    word = pmd(g, address)
    s[register] = s[word] - 1
    if s[word] == 0:
        return 0
    s[word] = 0
    return 1


@inlined
def read_pte(s, g, table, address, write, register):
    """Outcome 0 none, 1 present, 2 write-protected against this access."""
    entry = s[pte(g, table, address)]
    s[register] = entry
    if entry & PTE_PRESENT == 0:
        return 0
    if write != 0 and entry & PTE_WRITE == 0:
        return 2
    return 1


@inlined
def pte_take(s, g, table, address, register):
    """ptep_get_and_clear into the thread word: outcome 1 if there was an entry, present or migrating."""
    word = pte(g, table, address)
    s[register] = s[word]
    s[word] = 0
    return 1 if s[register] & (PTE_PRESENT | PTE_MIGRATION) else 0


@inlined
def pmd_take(s, g, address, register):
    """pmdp_get_and_clear: outcome 1 if there was a table; its number goes to the thread word."""
    word = pmd(g, address)
    s[register] = s[word] - 1
    s[word] = 0
    return 1 if s[register] >= 0 else 0


@inlined
def page_folio(g, page):
    """The folio of a page."""
    return page & ~g[G_FOLIO_MASK]


@inlined
def folio_page(g, folio, address):
    """The page of a folio that an address maps: files are mapped as their folios lie."""
    return folio | address & g[G_FOLIO_MASK]


@inlined
def put_folio(s, g, page):
    """Drop the reference to a page's folio that a page-table entry held."""
    k = G_CLASS0 + CLASS_FOLIO * CLASS_WORDS
    s[g[k + K_BASE] + page_folio(g, page) * g[k + K_STRIDE] + FOLIO_REFS] -= 1


@inlined
def change_protection(s, g, table, start, end, writable, out):
    """Take the write permission away; giving it back is left to the next write fault."""
    stop = min(end, table_end(g, start))
    amount = 0
    for address in range(start, stop):
        word = pte(g, table, address)
        if s[word] & PTE_PRESENT:
            amount += 1
            if writable == 0:
                s[word] &= ~PTE_WRITE
    out[OUT_AMOUNT] = amount
    out[OUT_ANON] = 0
    return 0


@inlined
def fresh_range(s, g, start, end):
    """Forget the entries and tables of a range: it now stands for another part of its mapping."""
    address = start
    while address < end:
        stop = min(end, table_end(g, address))
        word = pmd(g, address)
        table = s[word] - 1
        if table >= 0:
            for page in range(address, stop):
                entry = s[pte(g, table, page)]
                if entry & PTE_PRESENT and entry & (PTE_ANON | PTE_ZERO) == 0:
                    put_folio(s, g, entry >> PTE_FOLIO_SHIFT)
                s[pte(g, table, page)] = 0
            if stop - address == 1 << g[G_PT_SHIFT]:
                forget_table(s, g, table)
                s[word] = 0
        address = stop
    return 0


@inlined
def forget_table(s, g, table):
    """Return a table to the free list without a trace: nobody refers to it."""
    k = G_CLASS0 + CLASS_TABLE * CLASS_WORDS
    base = g[k + K_BASE] + table * g[k + K_STRIDE]
    s[base] = s[g[k + 3]]
    s[g[k + 3]] = -table - 2


@inlined
def folio_word(g, folio):
    """First state word of a folio."""
    k = G_CLASS0 + CLASS_FOLIO * CLASS_WORDS
    return g[k + K_BASE] + folio * g[k + K_STRIDE]


@inlined
def folio_get(s, g, folio):
    """Outcome 1 if the page is cached; takes a reference."""
    word = folio_word(g, folio)
    if s[word + FOLIO_CACHED] == 0:
        return 0
    s[word + FOLIO_REFS] += 1
    return 1


@inlined
def folio_create(s, g, folio, tid):
    """Outcome 1 if we added it (locked, not uptodate); takes a reference either way.

    BLOCKED while somebody still holds the page's former folio, or its lock.
    """
    word = folio_word(g, folio)
    if s[word + FOLIO_CACHED] != 0:
        s[word + FOLIO_REFS] += 1
        return 0
    if s[word + FOLIO_REFS] != 0 or s[word + FOLIO_LOCK] != 0:
        return BLOCKED
    s[word + FOLIO_REFS] = 1
    s[word + FOLIO_CACHED] = 1
    s[word + FOLIO_UPTODATE] = 0
    s[word + FOLIO_LOCK] = tid + 1
    return 1


@inlined
def remove_mapping(s, word):
    """Outcome 1 if the caller's was the only reference: folio and reference are gone.  It stays locked."""
    if s[word + FOLIO_REFS] != 1:
        return 0
    s[word + FOLIO_REFS] = 0
    s[word + FOLIO_CACHED] = 0
    return 1


@inlined
def next_candidate(s, g, folio0, vm_start, cursor, limit, tid):
    """The next page that map_pages takes, or ``limit``: cached, uptodate and not locked by another."""
    address = cursor
    while address < limit:
        word = folio_word(g, page_folio(g, folio0 + address - vm_start))
        if s[word + FOLIO_CACHED] != 0 and s[word + FOLIO_UPTODATE] != 0 and s[word + FOLIO_LOCK] == 0:
            s[word + FOLIO_LOCK] = tid + 1
            s[word + FOLIO_REFS] += 1
            return address
        address += 1
    return limit


@inlined
def check_migrating(s, g, folio):
    """The page of a migration entry is locked for as long as it is on its way."""
    return -2 - V_MIGRATION_UNLOCKED if s[folio_word(g, folio) + FOLIO_LOCK] == 0 else 0


@inlined
def check_live(s, a_life, index, stride):
    """0 if the object may be accessed (live, or freed but inside its grace period)."""
    if s[a_life + index * stride] < LIVE:
        return V_USE_AFTER_FREE
    return 0
