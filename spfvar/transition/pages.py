"""Anonymous pages, TLBs and reverse maps: what the checker looks at beyond the entries themselves.

A run without page objects (K_COUNT of CLASS_PAGE is 0) or without TLBs (G_TLB is 0) leaves them out.  A TLB
holds, per CPU and page of the address space, the entry as the CPU's last walk found it.
"""

from __future__ import annotations

from spfvar.ops.codes import (
    CLASS_PAGE,
    CLASS_VMA,
    CLASS_WORDS,
    FREE_END,
    G_CLASS0,
    G_EPOCH,
    G_EXCLUSIVE,
    G_OWN,
    G_PAGES,
    G_PINNED,
    G_PT_SHIFT,
    G_SWAP_COUNT,
    G_THREADS,
    G_TLB,
    G_TREE,
    G_TREE_SHIFT,
    G_WRITES,
    K_BASE,
    K_COUNT,
    K_FREE,
    K_STRIDE,
    LIVE,
    MOVED,
    NEW_MAPPING,
    OUT_AMOUNT,
    OUT_ANON,
    OVER_MIGRATION,
    PAGE_ANON_VMA,
    PAGE_DATA,
    PAGE_EPOCH,
    PAGE_INDEX,
    PAGE_REFS,
    PIN_BIAS,
    PTE_ANON,
    PTE_DIRTY,
    PTE_FOLIO_SHIFT,
    PTE_MIGRATION,
    PTE_PRESENT,
    PTE_WRITE,
    PTE_ZERO,
    PUT_BACK,
    PUT_BACK_READ_ONLY,
    TLB_BEHIND,
    V_LOST_WRITE,
    V_NO_MEMORY,
    V_OVERWRITE,
    V_STALE_COPY,
    V_TABLE_OVERWRITE,
    V_TLB,
    V_TLB_BEHIND,
    V_USE_AFTER_FREE,
    VMA_END,
    VMA_FILE,
    VMA_LINKED,
    VMA_PGOFF,
    VMA_START,
    WALK_BEHIND,
)
from spfvar.transition.jit import inlined
from spfvar.transition.lazy_tlb import is_loaded, walk_word
from spfvar.transition.lifetime import forget, make_stale
from spfvar.transition.own_tables import has
from spfvar.transition.tables import folio_page, folio_word, page_folio, pmd, pte, put_folio, table_end

_PAGE = G_CLASS0 + CLASS_PAGE * CLASS_WORDS
_VMA = G_CLASS0 + CLASS_VMA * CLASS_WORDS
#: Writes are counted modulo this, and so are the contents of pages.
WRITES = 8
#: An entry with one of these bits is not overwritten by who finds no page there.
KEPT = PTE_PRESENT | PTE_MIGRATION
#: Nobody knows what an address contains; below that, UNDEFINED - 1 - where its entry was moved to.
UNDEFINED = -1


@inlined
def page_word(g, page):
    """First state word of an anonymous page."""
    return g[_PAGE + K_BASE] + page * g[_PAGE + K_STRIDE]


@inlined
def touch(s, g, tid, address, write):
    """The user's access, through the TLB or the CPU's own table if there is one: outcome 1 if it faults."""
    entry = 0
    if g[G_TLB] != 0:
        entry = s[g[G_TLB] + tid * g[G_PAGES] + address]
    if entry & PTE_PRESENT == 0 or (write != 0 and entry & PTE_WRITE == 0):
        if g[G_OWN] != 0 and (g[G_TLB] != 0 or not has(s, g, tid, address)):
            return 1
        walk = walk_word(g, tid, address)
        table = s[pmd(g, address)] - 1
        if walk != 0 and s[walk] != 0:
            if s[walk] & WALK_BEHIND:
                return -2 - V_TLB_BEHIND
            table = s[walk] - 1
        if table >= 0:
            entry = s[pte(g, table, address)]
        if table < 0 or entry & PTE_PRESENT == 0 or (write != 0 and entry & PTE_WRITE == 0):
            if walk != 0:
                s[walk] = 0  # a fault forgets what led to it
            return 1
        if walk != 0:
            s[walk] = table + 1
        if g[G_TLB] != 0:
            s[g[G_TLB] + tid * g[G_PAGES] + address] = entry
    elif entry & TLB_BEHIND:
        return -2 - V_TLB_BEHIND
    if write != 0 and entry & PTE_ANON and g[_PAGE + K_COUNT] > 0:
        data = page_word(g, entry >> PTE_FOLIO_SHIFT) + PAGE_DATA
        s[data] = (s[data] + 1) % WRITES
        expected = s[g[G_WRITES] + address]
        if expected < UNDEFINED:  # a TLB still has the entry that was moved
            address = UNDEFINED - 1 - expected
            expected = s[g[G_WRITES] + address]
        if expected >= 0:
            s[g[G_WRITES] + address] = (expected + 1) % WRITES
    return 0


@inlined
def flush_tlb(s, g, start, end):
    """Forget the range on every CPU that runs a thread of the mm; the others are behind from now on.

    A CPU with interrupts off answers the IPI later, but runs no user code until then, so it may forget now.
    """
    if g[G_TLB] != 0:
        for thread in range(g[G_THREADS]):
            behind = not is_loaded(s, g, thread)
            for address in range(start, end):
                word = g[G_TLB] + thread * g[G_PAGES] + address
                if not behind:
                    s[word] = 0
                elif s[word] != 0:
                    s[word] |= TLB_BEHIND


@inlined
def alloc(s, g, register):
    """A page with one reference and nothing written."""
    head = s[g[_PAGE + K_FREE]]
    if head == FREE_END:
        return -2 - V_NO_MEMORY
    page = -head - 2
    word = page_word(g, page)
    s[g[_PAGE + K_FREE]] = s[word]
    for i in range(g[_PAGE + K_STRIDE]):
        s[word + i] = 0
    s[word] = LIVE
    s[word + PAGE_REFS] = 1
    s[register] = page
    return 0


@inlined
def put(s, g, page, amount):
    """Drop so many references; the last one frees the page, which a TLB may hold then if it is behind."""
    word = page_word(g, page)
    if s[word] != LIVE:
        return -2 - V_USE_AFTER_FREE
    s[word + PAGE_REFS] -= amount
    if amount == PIN_BIAS and g[G_PINNED] != 0 and s[word + PAGE_REFS] < PIN_BIAS:
        for address in range(g[G_PAGES]):
            if s[g[G_PINNED] + address] == page + 1:
                s[g[G_PINNED] + address] = 0
    if s[word + PAGE_REFS] > 0:
        return 0
    if g[G_TLB] != 0:
        for i in range(g[G_TLB], g[G_TLB] + g[G_THREADS] * g[G_PAGES]):
            held = s[i] & (PTE_PRESENT | PTE_ANON | TLB_BEHIND) == PTE_PRESENT | PTE_ANON
            if held and s[i] >> PTE_FOLIO_SHIFT == page:
                return -2 - V_TLB
    s[word] = s[g[_PAGE + K_FREE]]
    s[g[_PAGE + K_FREE]] = -page - 2
    forget(s, g, _PAGE, word)
    make_stale(s, g, _PAGE, page)
    return 0


@inlined
def put_all(s, g, register):
    """Drop the references of a set of pages (a bit each), and empty it."""
    wanted = s[register]
    s[register] = 0
    page = 0
    while wanted > 0:
        if wanted & 1:
            outcome = put(s, g, page, 1)
            if outcome != 0:
                return outcome
        wanted >>= 1
        page += 1
    return 0


@inlined
def new_epoch(s, g, start, end, value):
    """The tree is about to find ``value`` in the range: where it found another VMA, an epoch begins.

    Where a VMA that is there already takes over another one's pages (a merge), the mapping goes on.
    """
    if g[G_EPOCH] != 0:
        grows = False
        for address in range(start, end):
            grows |= s[g[G_TREE] + (address >> g[G_TREE_SHIFT])] == value
        for address in range(start, end):
            found = s[g[G_TREE] + (address >> g[G_TREE_SHIFT])]
            if found != value and (found == 0 or not grows):
                s[g[G_EPOCH] + address] = (s[g[G_EPOCH] + address] + 1) % WRITES


@inlined
def copy(s, g, page, entry, address):
    """Copy the content of the page that an entry maps; other than anonymous pages count as unwritten."""
    data = 0
    if entry & PTE_ANON:
        old = page_word(g, entry >> PTE_FOLIO_SHIFT)
        if s[old] != LIVE:
            return -2 - V_USE_AFTER_FREE
        data = s[old + PAGE_DATA]
    s[page_word(g, page) + PAGE_DATA] = data
    s[page_word(g, page) + PAGE_EPOCH] = s[g[G_EPOCH] + address] + 1
    return 0


@inlined
def add_rmap(s, g, page, anon_vma, index):
    """page_add_new_anon_rmap: the page learns where it is mapped."""
    word = page_word(g, page)
    s[word + PAGE_ANON_VMA] = anon_vma + 1
    s[word + PAGE_INDEX] = index
    if g[G_EXCLUSIVE] != 0:
        s[word + g[G_EXCLUSIVE]] = 1
    return 0


@inlined
def pte_same(s, g, table, address, entry, pinned):
    """Is the entry the same still?  If its page is ``pinned``, the page has to stay as long as it is."""
    if s[pte(g, table, address)] != entry:
        return 0
    if pinned != 0 and g[G_PINNED] != 0:
        s[g[G_PINNED] + address] = (entry >> PTE_FOLIO_SHIFT) + 1
    return 1


@inlined
def dma(s, g, page, write):
    """A device writes to a pinned page, and the process has to see it; or reads what the process wrote."""
    data = page_word(g, page) + PAGE_DATA
    if write != 0:
        s[data] = (s[data] + 1) % WRITES
    for address in range(g[G_PAGES]):
        expected = s[g[G_WRITES] + address]
        if s[g[G_PINNED] + address] == page + 1 and expected >= 0:
            if write != 0:
                s[g[G_WRITES] + address] = (expected + 1) % WRITES
            elif s[data] != expected:
                return -2 - V_LOST_WRITE
    return 0


@inlined
def page_of(s, g, entry, page, folio):
    """What an entry maps, into one of two thread words.

    Outcome 0: nothing, or the zero page; 1: an anonymous page; 2: a folio.
    """
    if entry & PTE_PRESENT == 0 or entry & PTE_ZERO:
        return 0
    if entry & PTE_ANON:
        s[page] = entry >> PTE_FOLIO_SHIFT
        return 1
    s[folio] = page_folio(g, entry >> PTE_FOLIO_SHIFT)
    return 2


@inlined
def written_through_tlb(s, g, address):
    """May a CPU still write to an anonymous page that was at the address, through its TLB?"""
    found = 0
    if g[G_TLB] != 0:
        for thread in range(g[G_THREADS]):
            entry = s[g[G_TLB] + thread * g[G_PAGES] + address]
            if entry & (PTE_WRITE | PTE_ANON | TLB_BEHIND) == PTE_WRITE | PTE_ANON:
                found = 1
    return found


@inlined
def set_pte(s, g, table, address, bits, writable, page, how):
    """Set an entry, of a page or of a swapped one, which must not overwrite what must be kept.

    Where entries were zapped, what the new page has is expected from now on.  Before the TLBs are flushed, it
    is not: what a CPU still writes to the old page is lost, and rightly so.
    """
    word = pte(g, table, address)
    kept = PTE_PRESENT if how & OVER_MIGRATION else KEPT
    if s[word] & kept:
        return -2 - V_OVERWRITE
    value = bits & ~PTE_WRITE
    if writable != 0 and bits & PTE_PRESENT and bits & (PTE_DIRTY | PTE_WRITE):
        value |= PTE_WRITE
    if bits & (PTE_ANON | PTE_ZERO) == 0:
        value |= folio_page(g, page, address) << PTE_FOLIO_SHIFT
    elif bits & PTE_ANON and g[_PAGE + K_COUNT] > 0:
        value |= page << PTE_FOLIO_SHIFT
        copied = s[page_word(g, page) + PAGE_EPOCH]
        if copied != 0 and copied != s[g[G_EPOCH] + address] + 1:
            return -2 - V_STALE_COPY
        expects = s[g[G_WRITES] + address] >= 0 and how & NEW_MAPPING == 0
        if not expects and written_through_tlb(s, g, address) == 0:
            s[g[G_WRITES] + address] = s[page_word(g, page) + PAGE_DATA]
    s[word] = value
    return 0


@inlined
def zap(s, g, table, start, end, file_only, gathered, out):
    """Clear the entries of the range in one table; reports how many pages of which kind went.

    Swap entries give their slots up.  ``file_only`` spares those that do not map the page cache.  Anonymous
    pages with an identity keep their reference and join the set in the thread word ``gathered``.
    """
    stop = min(end, table_end(g, start))
    amount = 0
    anonymous = 0
    for address in range(start, stop):
        word = pte(g, table, address)
        entry = s[word]
        if file_only != 0 and (entry & KEPT == 0 or entry & (PTE_ANON | PTE_ZERO)):
            continue
        if entry & PTE_PRESENT:
            amount += 1
            if entry & PTE_ANON:
                anonymous += 1
                if g[_PAGE + K_COUNT] > 0:
                    s[gathered] |= 1 << (entry >> PTE_FOLIO_SHIFT)
            elif entry & PTE_ZERO == 0:
                put_folio(s, g, entry >> PTE_FOLIO_SHIFT)
            s[word] = 0
        elif entry & PTE_MIGRATION:
            s[word] = 0
        elif entry != 0:
            if g[G_SWAP_COUNT] != 0:
                s[folio_word(g, entry >> PTE_FOLIO_SHIFT) + g[G_SWAP_COUNT]] -= 1
            s[word] = 0
        if g[_PAGE + K_COUNT] > 0:
            s[g[G_WRITES] + address] = UNDEFINED
            if g[G_PINNED] != 0:
                s[g[G_PINNED] + address] = 0
    out[OUT_AMOUNT] = amount
    out[OUT_ANON] = anonymous
    return 0


@inlined
def pte_restore(s, g, table, address, entry, origin, how):
    """Set an entry as it is; what the user wrote at ``origin`` is now expected at ``address``.

    If the entry was moved, so are the writes through TLBs that still have the old one.  If it was copied,
    such writes may or may not belong to the copy.  If it was put back, it is where it was.
    """
    word = pte(g, table, address)
    if s[word] & KEPT:
        return -2 - V_OVERWRITE
    s[word] = entry & ~PTE_WRITE if how == PUT_BACK_READ_ONLY else entry
    if how == MOVED:
        move_writes(s, g, origin, address, 1)
    elif how < PUT_BACK and g[_PAGE + K_COUNT] > 0:
        s[g[G_WRITES] + address] = s[g[G_WRITES] + origin] if g[G_TLB] == 0 else UNDEFINED
    return 0


@inlined
def move_writes(s, g, origin, address, pages):
    """What the user wrote at ``pages`` pages from ``origin`` is from now on expected at ``address``."""
    if g[_PAGE + K_COUNT] > 0:
        for i in range(pages):
            s[g[G_WRITES] + address + i] = s[g[G_WRITES] + origin + i]
            s[g[G_WRITES] + origin + i] = UNDEFINED - 1 - (address + i)
            if g[G_PINNED] != 0:
                s[g[G_PINNED] + address + i] = s[g[G_PINNED] + origin + i]
                s[g[G_PINNED] + origin + i] = 0


@inlined
def populate(s, g, table, address, origin):
    """Link a table where there must be none; with an ``origin`` (or -1) it is the table of those pages."""
    word = pmd(g, address)
    if s[word] != 0:
        return -2 - V_TABLE_OVERWRITE
    s[word] = table + 1
    if origin >= 0:
        pages = 1 << g[G_PT_SHIFT]
        move_writes(s, g, origin // pages * pages, address // pages * pages, pages)
    return 0


@inlined
def rmap_next(s, g, offset, onwards, file, cursor, vma, address):
    """The next VMA, from the number in ``cursor`` on, that maps the file's page ``offset``: outcome 1 if any.

    ``onwards``: or one behind it.
    ``cursor``, ``vma`` and ``address`` are thread words; ``cursor`` is left one past the VMA.
    """
    k = g[_VMA + K_BASE]
    for number in range(s[cursor], g[_VMA + K_COUNT]):
        word = k + number * g[_VMA + K_STRIDE]
        if s[word + VMA_LINKED] < 0:  # it was never allocated, nor was any behind it
            break
        page = offset - s[word + VMA_PGOFF]
        if onwards and page < 0:
            page = 0
        pages = s[word + VMA_END] - s[word + VMA_START]
        if s[word + VMA_LINKED] != 0 and s[word + VMA_FILE] == file + 1 and 0 <= page < pages:
            s[cursor] = number + 1
            s[vma] = number
            s[address] = s[word + VMA_START] + page
            return 1
    return 0
