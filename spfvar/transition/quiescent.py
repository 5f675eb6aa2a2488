"""What must hold once every thread has ended and every callback has run.

These are the properties that no single primitive can be blamed for: an entry left behind, a reference
too many, a write that got lost.
"""

from __future__ import annotations

from spfvar.ops.codes import (
    ANON_VMA_REFS,
    CLASS_ANON_VMA,
    CLASS_FILE,
    CLASS_FOLIO,
    CLASS_MM,
    CLASS_PAGE,
    CLASS_TABLE,
    CLASS_VMA,
    CLASS_WORDS,
    FILE_FOLIOS,
    FILE_OPEN,
    FILE_REFS,
    FILE_SIZE,
    FOLIO_CACHED,
    FOLIO_REFS,
    G_CLASS0,
    G_KEEP,
    G_PAGES,
    G_PT_SHIFT,
    G_STALE,
    G_SWAP_COUNT,
    G_SWAP_DATA,
    G_TREE,
    G_TREE_SHIFT,
    G_WRITES,
    K_BASE,
    K_COUNT,
    K_STRIDE,
    LIVE,
    MM_COUNT,
    PAGE_ANON_VMA,
    PAGE_DATA,
    PAGE_INDEX,
    PAGE_REFS,
    PTE_ANON,
    PTE_FOLIO_SHIFT,
    PTE_MIGRATION,
    PTE_PRESENT,
    PTE_WRITE,
    PTE_ZERO,
    V_LOCK_LEFT,
    V_LOST_WRITE,
    V_MIGRATION_LEFT,
    V_NONE,
    V_PROTECTION,
    V_PTE_LEFT,
    V_REFCOUNT,
    V_RMAP,
    V_SEQUENCE_LEFT,
    V_TABLE_LEFT,
    V_TRUNCATED,
    V_USE_AFTER_FREE,
    V_WRONG_PAGE,
    VMA_ANON_VMA,
    VMA_FILE,
    VMA_PGOFF,
    VMA_START,
    VMA_WRITE,
)
from spfvar.transition.jit import inlined
from spfvar.transition.tables import page_folio, pmd, pte


@inlined
def object_word(g, cls, index):
    """First state word of an object."""
    k = G_CLASS0 + cls * CLASS_WORDS
    return g[k + K_BASE] + index * g[k + K_STRIDE]


@inlined
def count_of(g, cls):
    """Objects of a class, in use or free."""
    return g[G_CLASS0 + cls * CLASS_WORDS + K_COUNT]


@inlined
def vma_at(s, g, address):
    """The VMA that the tree has for an address, or -1."""
    return s[g[G_TREE] + (address >> g[G_TREE_SHIFT])] - 1


@inlined
def entry_at(s, g, address):
    """The page-table entry of an address, 0 without a table."""
    table = s[pmd(g, address)] - 1
    return s[pte(g, table, address)] if table >= 0 else 0


@inlined
def check_anonymous(s, g, vma, address, page):
    """An anonymous page against its VMA."""
    if count_of(g, CLASS_PAGE) == 0:
        return V_RMAP if s[vma + VMA_ANON_VMA] == 0 else V_NONE
    word = object_word(g, CLASS_PAGE, page)
    if s[word] != LIVE:
        return V_USE_AFTER_FREE
    anon_vma = s[word + PAGE_ANON_VMA] - 1
    # A freed anon_vma is what whoever reclaims the page uses next.
    if anon_vma >= g[G_STALE] or (anon_vma >= 0 and s[object_word(g, CLASS_ANON_VMA, anon_vma)] != LIVE):
        return V_USE_AFTER_FREE
    if anon_vma < 0 or s[vma + VMA_ANON_VMA] == 0:
        return V_RMAP
    if s[word + PAGE_INDEX] != s[vma + VMA_PGOFF] + address - s[vma + VMA_START]:
        return V_WRONG_PAGE
    expected = s[g[G_WRITES] + address]
    if expected >= 0 and s[word + PAGE_DATA] != expected:
        return V_LOST_WRITE
    return V_NONE


@inlined
def check_entry(s, g, address, entry):
    """A present entry against the VMA that the tree has for its address."""
    number = vma_at(s, g, address)
    if number < 0:
        return V_PTE_LEFT
    vma = object_word(g, CLASS_VMA, number)
    if entry & PTE_WRITE and s[vma + VMA_WRITE] == 0:
        return V_PROTECTION
    file = s[vma + VMA_FILE] - 1
    index = s[vma + VMA_PGOFF] + address - s[vma + VMA_START]
    if file >= 0 and index >= s[object_word(g, CLASS_FILE, file) + FILE_SIZE]:
        return V_TRUNCATED
    if entry & PTE_ANON:
        return check_anonymous(s, g, vma, address, entry >> PTE_FOLIO_SHIFT)
    if entry & PTE_ZERO:
        return V_NONE
    if file < 0:
        return V_WRONG_PAGE
    folio = entry >> PTE_FOLIO_SHIFT
    if folio != s[object_word(g, CLASS_FILE, file) + FILE_FOLIOS] + index:
        return V_WRONG_PAGE
    return V_TRUNCATED if s[object_word(g, CLASS_FOLIO, page_folio(g, folio)) + FOLIO_CACHED] == 0 else V_NONE


@inlined
def check_swapped(s, g, address, entry):
    """A swap entry: something is mapped there, and the slot holds what the user wrote."""
    if vma_at(s, g, address) < 0:
        return V_PTE_LEFT
    data = object_word(g, CLASS_FOLIO, entry >> PTE_FOLIO_SHIFT) + g[G_SWAP_DATA]
    if g[G_SWAP_DATA] != 0 and s[g[G_WRITES] + address] >= 0 and s[data] != s[g[G_WRITES] + address]:
        return V_LOST_WRITE
    return V_NONE


@inlined
def check_tables(s, g):
    """Every entry, and unless they are kept every table, belongs to a VMA; tables in use are linked."""
    span = 1 << g[G_PT_SHIFT]
    linked = 0
    for first in range(0, g[G_PAGES], span):
        if s[pmd(g, first)] == 0:
            continue
        linked += 1
        mapped = False
        for address in range(first, min(first + span, g[G_PAGES])):
            if vma_at(s, g, address) >= 0:
                mapped = True
            entry = entry_at(s, g, address)
            if entry & PTE_PRESENT:
                wrong = check_entry(s, g, address, entry)
                if wrong != V_NONE:
                    return wrong
            elif entry & PTE_MIGRATION:
                return V_MIGRATION_LEFT
            elif entry != 0:
                wrong = check_swapped(s, g, address, entry)
                if wrong != V_NONE:
                    return wrong
        if not mapped and g[G_KEEP] == 0:
            return V_TABLE_LEFT
    live = 0
    for table in range(count_of(g, CLASS_TABLE)):
        if s[object_word(g, CLASS_TABLE, table)] == LIVE:
            live += 1
    return V_TABLE_LEFT if live != linked else V_NONE


@inlined
def mapped_by(s, g, wanted, bits):
    """Present entries that map an anonymous page (``bits`` is PTE_ANON), or a page of a folio (0)."""
    found = 0
    for address in range(g[G_PAGES]):
        entry = entry_at(s, g, address)
        counted = entry & PTE_PRESENT and entry & PTE_ZERO == 0 and entry & PTE_ANON == bits
        page = entry >> PTE_FOLIO_SHIFT
        if counted and (page if bits else page_folio(g, page)) == wanted:
            found += 1
    return found


@inlined
def swapped_to(s, g, folio):
    """Swap entries that refer to a folio's slot."""
    found = 0
    for address in range(g[G_PAGES]):
        entry = entry_at(s, g, address)
        if entry & (PTE_PRESENT | PTE_MIGRATION) == 0 and entry != 0 and entry >> PTE_FOLIO_SHIFT == folio:
            found += 1
    return found


@inlined
def vmas_with(s, g, field, value):
    """VMAs in use whose reference ``field`` is to object ``value``."""
    found = 0
    for number in range(count_of(g, CLASS_VMA)):
        vma = object_word(g, CLASS_VMA, number)
        if s[vma] == LIVE and s[vma + field] == value + 1:
            found += 1
    return found


@inlined
def check_counts(s, g):
    """Reference counts equal the references; an mm in use has its users' one."""
    for mm in range(count_of(g, CLASS_MM)):
        word = object_word(g, CLASS_MM, mm)
        if s[word] == LIVE and s[word + MM_COUNT] != 1:
            return V_REFCOUNT
    for file in range(count_of(g, CLASS_FILE)):
        word = object_word(g, CLASS_FILE, file)
        users = vmas_with(s, g, VMA_FILE, file)
        if s[word] == LIVE:
            if s[word + FILE_REFS] != s[word + FILE_OPEN] + users:
                return V_REFCOUNT
        elif users > 0:
            return V_USE_AFTER_FREE
    for folio in range(count_of(g, CLASS_FOLIO)):
        word = object_word(g, CLASS_FOLIO, folio)
        if s[word + FOLIO_REFS] != mapped_by(s, g, folio, 0):
            return V_REFCOUNT
        if g[G_SWAP_COUNT] != 0 and s[word + g[G_SWAP_COUNT]] != swapped_to(s, g, folio):
            return V_REFCOUNT
    for page in range(count_of(g, CLASS_PAGE)):
        word = object_word(g, CLASS_PAGE, page)
        if s[word] == LIVE and s[word + PAGE_REFS] != mapped_by(s, g, page, PTE_ANON):
            return V_REFCOUNT
    for anon_vma in range(count_of(g, CLASS_ANON_VMA)):
        word = object_word(g, CLASS_ANON_VMA, anon_vma)
        users = vmas_with(s, g, VMA_ANON_VMA, anon_vma)
        if s[word] == LIVE and s[word + ANON_VMA_REFS] != users:
            return V_REFCOUNT
        if s[word] != LIVE and users > 0:
            return V_USE_AFTER_FREE
    return V_NONE


@inlined
def check_vmas(s, g):
    """Every VMA in use is in the tree."""
    for number in range(count_of(g, CLASS_VMA)):
        vma = object_word(g, CLASS_VMA, number)
        if s[vma] == LIVE and vma_at(s, g, s[vma + VMA_START]) != number:
            return V_REFCOUNT
    return V_NONE


@inlined
def wrong_at_rest(s, g, locks, sequences):
    """The first property that does not hold, or V_NONE.

    ``locks`` are words that are 0 in a free lock; ``sequences`` has rows of a word that is even, and the word
    of its object's life.
    """
    for i in range(locks.shape[0]):
        if s[locks[i]] != 0:
            return V_LOCK_LEFT
    for i in range(sequences.shape[0]):
        if s[sequences[i, 0]] & 1 and s[sequences[i, 1]] == LIVE:
            return V_SEQUENCE_LEFT
    wrong = check_tables(s, g)
    if wrong == V_NONE:
        wrong = check_vmas(s, g)
    if wrong == V_NONE:
        wrong = check_counts(s, g)
    return wrong
