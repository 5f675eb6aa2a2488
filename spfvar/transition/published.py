"""What is published by a pointer: VMAs in the tree, page tables in their directory, folios in the page cache.

Whoever finds an object there depends on the pointer, and knows what was sent along with it.
"""

from __future__ import annotations

from typing import Final

from spfvar.ops import codes as c
from spfvar.ops.codes import C_OP, C_SRC
from spfvar.ops.histories import CUT, S_TREE, UNORDERED, V_READ, V_SENT, V_WRITTEN
from spfvar.transition.jit import inlined
from spfvar.transition.views import (
    K_DIRECTORY,
    K_SHARED,
    K_WIDTH,
    K_WORDS,
    N_DST,
    N_ORDER,
    begin_anew,
    copy_view,
    raise_to,
    row_of,
)

#: Primitives on entries of the page-table directory.
DIRECTORY: Final = (c.READ_PMD, c.PMD_SAME, c.PMD_POPULATE, c.PMD_CLEAR, c.PMD_TAKE)


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
def created(s, g, w, folio):
    """A folio was added to the page cache: what its words were in another life is seen by nobody."""
    k = c.G_CLASS0 + c.CLASS_FOLIO * c.CLASS_WORDS
    first = g[k + c.K_BASE] + folio * g[k + c.K_STRIDE]
    for x in range(w.constants[K_WORDS]):
        if w.home[x] >= first and w.home[x] < first + g[k + c.K_STRIDE]:
            begin_anew(s, g, w, x)
