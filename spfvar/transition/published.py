"""What is published by a pointer: VMAs in the tree, page tables in their directory, pages, folios.

Whoever finds an object there depends on the pointer, and knows what was sent along with it.  Whoever reads an
entry of a page table reads the newest one, and has read what was sent along with that.
"""

from __future__ import annotations

from typing import Final

from spfvar.ops import codes as c
from spfvar.ops.codes import C_OP, C_SRC, C_SRC2
from spfvar.ops.histories import (
    BY_ATOMICS,
    BY_STORES,
    CUT,
    OF_RANGE,
    READING,
    S_TREE,
    SETTING,
    UNORDERED,
    V_BRANCHED,
    V_READ,
    V_SENT,
    V_WRITTEN,
)
from spfvar.transition import tables
from spfvar.transition.jit import inlined
from spfvar.transition.views import (
    K_DIRECTORY,
    K_ENTRIES,
    K_SHARED,
    K_WIDTH,
    K_WORDS,
    N_DST,
    N_ORDER,
    N_SRC,
    N_SRC2,
    begin_anew,
    copy_view,
    raise_to,
    row_of,
)

#: Primitives on entries of the page-table directory.
DIRECTORY: Final = (c.READ_PMD, c.PMD_SAME, c.PMD_POPULATE, c.PMD_CLEAR, c.PMD_TAKE)

#: Primitives that do either, or take apart what was read.
ON_ENTRIES: Final = (*SETTING, c.READ_PTE, c.PTE_NONE, c.PTE_SAME, c.PAGE_OF, c.ENTRY_FOLIO)


@inlined
def stored_in_tree(s, w, pc, tv):
    """rcu_assign_pointer(), or without its release what a plain store sends along."""
    n = w.constants[K_WIDTH]
    row = w.constants[K_SHARED] + S_TREE * n
    if w.nodes[pc, N_ORDER] & UNORDERED:
        raise_to(s, w, row, tv + V_SENT * n)
    else:
        raise_to(s, w, row, tv + V_READ * n)
        raise_to(s, w, row, tv + V_WRITTEN * n)


@inlined
def found_in_tree(s, w, pc, tv):
    """rcu_dereference(), or a pointer on which nothing depends."""
    n = w.constants[K_WIDTH]
    if w.nodes[pc, N_DST] >= 0:
        row = w.constants[K_SHARED] + S_TREE * n
        found = row if w.nodes[pc, N_ORDER] & CUT == 0 else -1
        copy_view(s, w, row_of(w, tv, w.nodes[pc, N_DST]), found)


@inlined
def linked_or_found(s, p, g, w, pc, tb, tv):
    """A primitive on the directory, in a run with weak words of page tables."""
    n = w.constants[K_WIDTH]
    op = p[pc, C_OP]
    row = w.constants[K_DIRECTORY] + (s[tb + p[pc, C_SRC]] >> g[c.G_PT_SHIFT]) * n
    if op == c.PMD_POPULATE:
        copy_view(s, w, row, tv + V_SENT * n)
    elif op != c.PMD_SAME and w.nodes[pc, N_DST] >= 0:  # that one leaves its register what it had
        found = row if w.nodes[pc, N_ORDER] & CUT == 0 else -1
        copy_view(s, w, row_of(w, tv, w.nodes[pc, N_DST]), found)


@inlined
def entry_row(g, w, table, address):
    """What comes with an entry of a page table."""
    entry = tables.pte(g, table, address) - g[c.G_PTE]
    return w.constants[K_ENTRIES] + entry * w.constants[K_WIDTH]


@inlined
def set_or_read(s, p, g, w, pc, tb, tv, table, outcome):
    """A primitive on entries of a page table, or on what was read there."""
    n = w.constants[K_WIDTH]
    op = p[pc, C_OP]
    address = s[tb + p[pc, C_SRC]]
    into = row_of(w, tv, w.nodes[pc, N_DST])
    if op == c.PAGE_OF or op == c.ENTRY_FOLIO:
        if outcome == 2:
            into = row_of(w, tv, w.nodes[pc, N_SRC2])
        if into >= 0 and (op == c.ENTRY_FOLIO or outcome > 0):
            copy_view(s, w, into, row_of(w, tv, w.nodes[pc, N_SRC]))
        return
    row = entry_row(g, w, table, address)
    if op in READING:
        raise_to(s, w, tv + V_READ * n, row)
        raise_to(s, w, tv + V_BRANCHED * n, row)
        if into >= 0:
            copy_view(s, w, into, row)
    if op in BY_STORES:
        copy_view(s, w, row, tv + V_SENT * n)
    elif op in BY_ATOMICS:
        raise_to(s, w, row, tv + V_SENT * n)
    elif op in OF_RANGE:
        for there in range(address, min(s[tb + p[pc, C_SRC2]], tables.table_end(g, address))):
            raise_to(s, w, entry_row(g, w, table, there), tv + V_SENT * n)


@inlined
def begun_anew(s, g, w, table):
    """A page table was allocated: nothing comes with its entries."""
    n = w.constants[K_WIDTH]
    first = w.constants[K_ENTRIES] + (table << g[c.G_PT_SHIFT]) * n
    for word in range(first, first + (n << g[c.G_PT_SHIFT])):
        s[word] = 0


@inlined
def created(s, g, w, folio):
    """A folio was added to the page cache: what its words were in another life is seen by nobody."""
    k = c.G_CLASS0 + c.CLASS_FOLIO * c.CLASS_WORDS
    first = g[k + c.K_BASE] + folio * g[k + c.K_STRIDE]
    for x in range(w.constants[K_WORDS]):
        if w.home[x] >= first and w.home[x] < first + g[k + c.K_STRIDE]:
            begin_anew(s, g, w, x)
