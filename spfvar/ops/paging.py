"""Constructors of primitives on page tables, the page cache, anonymous pages and reverse maps.

As in `spfvar.ops.primitives`, each returns an `Op` to be yielded, and its docstring gives the outcomes.
"""

from __future__ import annotations

from spfvar.ops import codes
from spfvar.ops import objects as o
from spfvar.ops.op import Op, primitive
from spfvar.ops.places import Field, Line, Place, Register
from spfvar.ops.primitives import BOOL, add, at, life, line_of

# --- page tables ---------------------------------------------------------------------------------


def _table_line(mode: str, register: Register = o.table) -> Line:
    return Line(register, o.PTES, mode)


def _entry(code: int, name: str, mode: str, table: Register = o.table, **more: object) -> Op:
    more.setdefault("src", o.address)
    return Op(
        code,
        name,
        place=Place(table, life(table)),
        line=_table_line(mode, table),
        **more,  # type: ignore[arg-type]
    )


@primitive
def touch(write: bool) -> Op:
    """The user's access to ``address``; outcome: does it fault?"""
    return Op(codes.TOUCH, "store" if write else "load", BOOL, dst=o.address, imm=int(write), cost="touch")


@primitive
def read_pmd(into: Register = o.table, key: Register = o.address, name: str = "pmd") -> Op:
    """Walk down to the entry that refers to the page table; outcome: is there a table?"""
    return Op(codes.READ_PMD, name, BOOL, dst=into, src=key, cost="walk")


@primitive
def own_set_pte(entry: Register = o.orig_pte) -> Op:
    """Enter an entry at ``address`` into the page table of this CPU.

    With it in a run, each CPU has page tables of its own: its accesses see only what it has entered, and a
    TLB flush interrupts only those that have something of the range.
    """
    return Op(codes.OWN_SET_PTE, "set_pte_at(own table)", src=o.address, src2=entry, cost="set_pte")


@primitive
def pmd_same(register: Register = o.table, key: Register = o.address) -> Op:
    """Outcome: does the entry still refer to the table that was seen?  Not if none was."""
    return Op(codes.PMD_SAME, "pmd_same", BOOL, dst=register, src=key)


@primitive
def pmd_populate(
    register: Register = o.prealloc_pte, key: Register = o.address, origin: Register | None = None
) -> Op:
    """Link a page table; ``origin``: the address whose table it was, if it is moved with its entries."""
    return Op(
        codes.PMD_POPULATE, "pmd_populate", src=key, src2=origin,
        place=Place(register, life(register)), dst=register,
    )  # fmt: skip


@primitive
def pmd_clear(into: Register = o.table, key: Register = o.cursor) -> Op:
    """Unlink the page table of ``key`` unless a VMA outside the call's range needs it; outcome: unlinked?"""
    return Op(codes.PMD_CLEAR, "pmd_clear", BOOL, dst=into, src=key, src2=o.range_start, src3=o.range_end)


@primitive
def read_pte(write: bool, key: Register = o.address, into: Register = o.orig_pte) -> Op:
    """``into = READ_ONCE(*pte)``; outcome: "none", "present" or "write-protected"."""
    return _entry(
        codes.READ_PTE, f"{into.name} = *pte", "read", src=key,
        outcomes=("none", "present", "write-protected"), dst=into, imm=int(write),
    )  # fmt: skip


@primitive
def pte_same() -> Op:
    """Outcome: does the entry still hold ``orig_pte``?"""
    return _entry(codes.PTE_SAME, "pte_same", "read", outcomes=BOOL, src2=o.orig_pte)


@primitive
def pte_none(key: Register = o.address, table: Register = o.table) -> Op:
    """Outcome: is the entry empty?"""
    return _entry(codes.PTE_NONE, "pte_none", "read", table=table, outcomes=BOOL, src=key)


@primitive
def set_pte_anon(write: bool = True) -> Op:
    """``set_pte_at`` of the fault's anonymous page with the protection that the fault saw.

    A page that is only read (one from swap) is mapped clean and read-only.
    """
    dirty = codes.PTE_DIRTY if write else 0
    return _entry(
        codes.SET_PTE, "set_pte_at(anon)", "rmw", src2=o.vm_page_prot, dst=o.page,
        imm=codes.PTE_PRESENT | codes.PTE_ANON | dirty, cost="set_pte",
    )  # fmt: skip


@primitive
def set_pte_of_child(key: Register, table: Register) -> Op:
    """``set_pte_at`` of a page that fork has copied, in the child's page table."""
    return _entry(
        codes.SET_PTE, "set_pte_at(copy)", "rmw", table=table, src=key, src2=o.vm_page_prot, dst=o.page,
        imm=codes.PTE_PRESENT | codes.PTE_ANON | codes.PTE_DIRTY, imm2=codes.NEW_MAPPING, cost="set_pte",
    )  # fmt: skip


@primitive
def set_pte_zero() -> Op:
    """``set_pte_at`` of the zero page, read-only."""
    return _entry(
        codes.SET_PTE, "set_pte_at(zero page)", "rmw", src2=o.vm_page_prot, dst=o.folio,
        imm=codes.PTE_PRESENT | codes.PTE_ZERO, cost="set_pte",
    )  # fmt: skip


@primitive
def set_pte_file(write: bool, key: Register = o.address, notify: bool = False) -> Op:
    """``set_pte_at`` of a page-cache folio; writable only for a write to a shared mapping.

    If the mapping wants to ``notify`` its file of first writes, the entry is as writable as the VMA's
    protection says: it is that protection that has to keep the writes out.
    """
    bits = codes.PTE_PRESENT | (codes.PTE_DIRTY if write else 0) | (codes.PTE_WRITE if notify else 0)
    return _entry(
        codes.SET_PTE, "set_pte_at(file)", "rmw", src=key, src2=o.vm_page_prot, dst=o.folio,
        imm=bits, cost="set_pte",
    )  # fmt: skip


@primitive
def set_migration_pte(key: Register) -> Op:
    """``set_pte_at`` of a migration entry for the folio, where its entry was cleared."""
    return _entry(
        codes.SET_PTE, "set_pte_at(migration entry)", "rmw", src=key, src2=o.vm_page_prot, dst=o.folio,
        imm=codes.PTE_MIGRATION, cost="set_pte",
    )  # fmt: skip


@primitive
def remove_migration_pte(key: Register) -> Op:
    """``set_pte_at`` of the folio over its migration entry."""
    return _entry(
        codes.SET_PTE, "remove_migration_pte: set_pte_at", "rmw", src=key, src2=o.vm_page_prot, dst=o.folio,
        imm=codes.PTE_PRESENT, imm2=codes.OVER_MIGRATION, cost="set_pte",
    )  # fmt: skip


@primitive
def pfn_swap_entry_to_page() -> Op:
    """``folio`` is the one of the migration entry ``orig_pte``, which has to be locked as long as that is."""
    return Op(codes.ENTRY_FOLIO, "pfn_swap_entry_to_page", src=o.orig_pte, dst=o.folio, cost="free")


@primitive
def pte_mkwrite() -> Op:
    """Make the entry writable and dirty (``wp_page_reuse``)."""
    return _entry(codes.PTE_MKWRITE, "pte_mkwrite", "rmw", cost="set_pte")


@primitive
def zap_ptes(even_cows: bool = True, report: bool = False) -> Op:
    """Clear the entries of ``cursor .. limit`` in one table; the caller holds the table's lock.

    Not ``even_cows``: only those that map the page cache (``zap_details``).  Outcome, if it is to ``report``:
    was anything cleared, so that the TLB has to be flushed?
    """
    return _entry(
        codes.ZAP_PTES, "zap_pte_range", "rmw", imm=int(not even_cows),
        imm2=int(report), outcomes=BOOL if report else (None,),
        src=o.cursor, src2=o.limit, dst=o.gathered_pages, cost="zap_pte",
    )  # fmt: skip


@primitive
def pte_take(key: Register = o.address, table: Register = o.table) -> Op:
    """``orig_pte = ptep_get_and_clear(...)``; outcome: was there one, present or migrating?"""
    return _entry(
        codes.PTE_TAKE, "ptep_get_and_clear", "rmw",
        outcomes=BOOL, table=table, src=key, dst=o.orig_pte, imm=1, cost="set_pte",
    )  # fmt: skip


@primitive
def ptep_clear() -> Op:
    """Clear the entry that was found to be ``orig_pte`` (its time is part of the flush that follows)."""
    return _entry(codes.PTE_TAKE, "ptep_clear_flush", "rmw", dst=o.orig_pte, cost="free")


@primitive
def pte_restore(key: Register, origin: Register, table: Register = o.table, moved: bool = True) -> Op:
    """``set_pte_at(orig_pte)``: the entry as it was at the address ``origin``, or a copy of the one there."""
    return _entry(
        codes.PTE_RESTORE, "set_pte_at(orig_pte)", "rmw",
        table=table, src=key, src2=o.orig_pte, src3=origin, imm=codes.MOVED if moved else codes.COPIED,
        cost="set_pte",
    )  # fmt: skip


@primitive
def pte_put_back(key: Register, writable: bool = True) -> Op:
    """``set_pte_at(orig_pte)`` where it was taken; not ``writable``: without the write permission."""
    how = codes.PUT_BACK if writable else codes.PUT_BACK_READ_ONLY
    return _entry(
        codes.PTE_RESTORE, "set_pte_at(as before)" if writable else "set_pte_at(pte_wrprotect)", "rmw",
        src=key, src2=o.orig_pte, src3=key, imm=how, cost="set_pte",
    )  # fmt: skip


@primitive
def pte_wrprotect(key: Register = o.address, table: Register = o.table) -> Op:
    """``ptep_set_wrprotect``: take the write permission away."""
    return _entry(codes.PTE_WRPROTECT, "ptep_set_wrprotect", "rmw", table=table, src=key, cost="set_pte")


@primitive
def pmd_keep() -> Op:
    """Say that unmapping leaves page tables linked, for what is mapped there next; it does nothing else."""
    return Op(codes.PMD_KEEP, "page tables stay", cost="free")


@primitive
def pmd_take(key: Register, into: Register = o.table, name: str = "pmdp_get_and_clear") -> Op:
    """``pmdp_get_and_clear``: unlink the table of ``key``; outcome: was there one?"""
    return Op(codes.PMD_TAKE, name, BOOL, dst=into, src=key)


@primitive
def change_ptes() -> Op:
    """Apply ``vm_page_prot`` to the present entries of ``cursor .. limit`` in one table."""
    return _entry(
        codes.CHANGE_PTES, "change_pte_range", "rmw", src=o.cursor, src2=o.limit,
        dst=o.vm_page_prot, cost="change_pte",
    )  # fmt: skip


@primitive
def next_table(cursor: Register = o.cursor) -> Op:
    """Move ``cursor`` to the next page table; outcome: is it still below ``limit``?"""
    return Op(codes.NEXT_TABLE, "pmd_addr_end", BOOL, dst=cursor, src=o.limit, cost="free")


@primitive
def fresh_range(folio_offset: Register | None = None) -> Op:
    """Not a kernel step: the program goes on to a part of a huge mapping it has not touched yet.

    The model keeps one window of the mapping, and forgets its entries here.  For a file mapping,
    ``folio_offset`` holds the number to add to an address to get its folio.
    """
    return Op(
        codes.FRESH_RANGE, "next window", dst=folio_offset, src=o.range_start, src2=o.range_end, cost="free"
    )


# --- page cache ----------------------------------------------------------------------------------


@primitive
def filemap_get_folio(key: Register = o.address) -> Op:
    """Look the page up in the page cache and take a reference; outcome: found?

    Uses ``vm_file`` and ``vm_start`` of the fault.  A miss leaves ``folio`` at the empty slot.
    """
    return Op(
        codes.FOLIO_GET, "filemap_get_folio", BOOL, place=Place(o.vm_file, o.FILE_FOLIO0), dst=o.folio,
        src=key, src2=o.vm_start, line=Line(o.folio, o.REFCOUNT, "rmw"), cost="xarray",
    )  # fmt: skip


@primitive
def folio_get(register: Register = o.folio) -> Op:
    """Take another reference to a folio."""
    return add(at(register, o.REFCOUNT), 1, "folio_get")


@primitive
def page_remove_rmap(register: Register = o.folio) -> Op:
    """Unmap a folio, or an anonymous page: its map count, an atomic on its line."""
    count = o.REFCOUNT if register.cls is o.FOLIO else o.PAGE_REFS
    return Op(codes.NOP, "page_remove_rmap", line=Line(register, count, "rmw"), cost="file_rmap")


@primitive
def folio_put(register: Register = o.folio) -> Op:
    """Drop a reference to a folio."""
    return add(at(register, o.REFCOUNT), -1, "folio_put")


@primitive
def filemap_create_folio(key: Register = o.address) -> Op:
    """Add a new, locked, not yet uptodate folio to the page cache; outcome: were we the first?

    Takes a reference either way; the loser finds the winner's folio.  A page of a file has one folio object,
    so this waits until nobody holds one that was removed before.
    """
    return Op(
        codes.FOLIO_CREATE, "filemap_add_folio", BOOL, place=Place(o.vm_file, o.FILE_FOLIO0),
        dst=o.folio, src=key, src2=o.vm_start, line=Line(o.folio, o.REFCOUNT, "rmw"), cost="add_folio",
    )  # fmt: skip


@primitive
def page_add_file_rmap() -> Op:
    """The folio's map count, an atomic on the folio's line."""
    return Op(codes.NOP, "page_add_file_rmap", line=Line(o.folio, o.REFCOUNT, "rmw"), cost="file_rmap")


@primitive
def filemap_remove_folio(register: Register = o.folio) -> Op:
    """Take the folio out of the page cache (``delete_from_page_cache``)."""
    place = at(register, o.CACHED)
    return Op(
        codes.FOLIO_DELETE, "filemap_remove_folio", place=place, line=line_of(place, "rmw"), cost="xarray"
    )


@primitive
def remove_mapping(register: Register = o.folio) -> Op:
    """Free the folio if only the caller refers to it (folio_ref_freeze in __remove_mapping); outcome: freed?

    The caller's reference is gone then.  The lock is not, for others may wait for it: the caller unlocks the
    folio in any case (shrink_folio_list), and before that nobody adds a new one for the page (FOLIO_CREATE).
    """
    place = at(register, o.CACHED)
    return Op(
        codes.REMOVE_MAPPING, "__remove_mapping", BOOL, place=place, line=line_of(place, "rmw"), cost="xarray"
    )


@primitive
def inside_i_size(key: Register = o.address) -> Op:
    """Outcome: does ``i_size`` cover the page?  A plain load; a run that truncates nothing does without."""
    return Op(
        codes.INSIDE_SIZE, "index < i_size", BOOL, place=Place(o.vm_file, o.I_SIZE),
        src=key, src2=o.vm_start, cost="free",
    )  # fmt: skip


@primitive
def fault_around_window(pages: int) -> Op:
    """Set ``cursor .. limit`` to the fault-around window, inside the VMA and the page table."""
    return Op(
        codes.WINDOW, f"fault_around_window({pages})", dst=o.cursor, src=o.limit, src2=o.vm_start,
        src3=o.vm_end, imm=pages, cost="count",
    )  # fmt: skip


@primitive
def next_uptodate_folio() -> Op:
    """The next folio of ``cursor .. limit`` that map_pages accepts, referenced and locked.

    Accepted: cached, uptodate, not locked.  Outcome: found?  ``cursor`` is then its address.
    """
    return Op(
        codes.NEXT_CANDIDATE, "next_uptodate_folio", BOOL, place=Place(o.vm_file, o.FILE_FOLIO0),
        dst=o.folio, src=o.cursor, src2=o.limit, src3=o.vm_start, line=Line(o.folio, o.REFCOUNT, "rmw"),
        cost="xarray_next",
    )  # fmt: skip


@primitive
def swap_cache_get_folio() -> Op:
    """Look ``address`` up in the swap cache and take a reference; outcome: found?

    A lookup in ``swapper_space``, whose pages lie as those of the mapping do.
    """
    return Op(
        codes.FOLIO_GET, "swap_cache_get_folio", BOOL, place=Place(o.swapper_space, o.FILE_FOLIO0),
        dst=o.folio, src=o.address, src2=o.swap_start, line=Line(o.folio, o.REFCOUNT, "rmw"), cost="xarray",
    )  # fmt: skip


@primitive
def add_to_swap_cache() -> Op:
    """Add a new, locked, not yet uptodate folio to the swap cache; outcome: were we the first?

    As `filemap_create_folio`.
    """
    return Op(
        codes.FOLIO_CREATE, "add_to_swap_cache", BOOL, place=Place(o.swapper_space, o.FILE_FOLIO0),
        dst=o.folio, src=o.address, src2=o.swap_start, line=Line(o.folio, o.REFCOUNT, "rmw"),
        cost="add_folio",
    )  # fmt: skip


@primitive
def delete_from_swap_cache() -> Op:
    """Take the folio out of the swap cache."""
    place = at(o.folio, o.CACHED)
    return Op(
        codes.FOLIO_DELETE, "delete_from_swap_cache", place=place, line=line_of(place, "rmw"), cost="xarray"
    )


# --- anonymous pages and reverse maps ------------------------------------------------------------


@primitive
def alloc_page(register: Register = o.page) -> Op:
    """A new anonymous page with one reference (``alloc_page_vma``)."""
    return Op(codes.PAGE_ALLOC, "alloc_page", dst=register, cost="alloc_page")


def _on_page(code: int, name: str, register: Register, field: Field, cost: str, **more: object) -> Op:
    return Op(code, name, place=Place(register, field), cost=cost, **more)  # type: ignore[arg-type]


@primitive
def fill_page(cost: str, key: Register = o.address) -> Op:
    """Fill the new page for ``key``: zero it, or copy what ``orig_pte`` or the folio holds."""
    if cost == "zero_page":
        return Op(codes.NOP, cost, cost=cost)
    return _on_page(codes.PAGE_COPY, cost, o.page, o.PAGE_DATA, cost, src=o.orig_pte, dst=key)


@primitive
def free_page(register: Register = o.page) -> Op:
    """Drop the reference of a page that was not mapped."""
    return _on_page(codes.PAGE_PUT, "free_page", register, o.PAGE_REFS, "free_page", imm=1)


@primitive
def get_page(register: Register) -> Op:
    """Take a reference to an anonymous page."""
    return _on_page(codes.PAGE_GET, "get_page", register, o.PAGE_REFS, "atomic")


@primitive
def put_page(register: Register) -> Op:
    """Drop a reference to an anonymous page; the last one frees it, which no TLB may still hold."""
    return _on_page(codes.PAGE_PUT, "put_page", register, o.PAGE_REFS, "free", imm=1)


@primitive
def free_gathered_pages() -> Op:
    """Free the pages that ``zap_pte_range`` gathered (their time is part of the zap's)."""
    return Op(codes.PAGES_PUT, "free_pages_and_swap_cache", src=o.gathered_pages, cost="free")


@primitive
def page_add_new_anon_rmap() -> Op:
    """The new page learns its anon_vma and its index, from the VMA's fields in registers."""
    return _on_page(
        codes.PAGE_RMAP, "page_add_new_anon_rmap", o.page, o.PAGE_ANON_VMA, "anon_rmap",
        dst=o.address, src=o.anon_vma, src2=o.vm_start, src3=o.vm_pgoff,
    )  # fmt: skip


@primitive
def vm_normal_page() -> Op:
    """What ``orig_pte`` maps: "zero page", "anonymous" (then in ``old_page``) or "file" (in ``folio``)."""
    return Op(
        codes.PAGE_OF, "vm_normal_page", ("zero page", "anonymous", "file"),
        src=o.orig_pte, dst=o.old_page, src2=o.folio, cost="free",
    )  # fmt: skip


@primitive
def page_exclusive() -> Op:
    """Outcome: is ``old_page`` mapped here only?"""
    return _on_page(codes.EQUALS, "PageAnonExclusive", o.old_page, o.PAGE_REFS, "free", imm=1, outcomes=BOOL)


@primitive
def rmap_walk_next(file: Register, folio: Register = o.folio, onwards: bool = False) -> Op:
    """The next VMA in the file's interval tree that maps the folio; outcome: is there one?

    ``onwards``: or a page behind it.  ``rmap_cursor`` (0 at first) goes through the VMAs; the one found is in
    ``rmap_vma``, the address there of the page (``onwards``: of the first one) in ``cursor``.
    """
    return Op(
        codes.RMAP_NEXT, "vma_interval_tree_foreach", BOOL, place=Place(file, o.FILE_FOLIO0),
        src=folio, src2=o.rmap_cursor, dst=o.rmap_vma, src3=o.cursor, imm=int(onwards), cost="interval_tree",
    )  # fmt: skip
