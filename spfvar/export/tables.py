"""Templates: page tables, the page cache, anonymous pages, reverse maps.

An entry is a number: the bits PRESENT, WRITE, ANON, DIRTY and ZERO, and above them the number of the page.
"""

from __future__ import annotations

from spfvar.export.steps import Operands, Step, Way, done, fail, template, test
from spfvar.ops import codes as c
from spfvar.ops import objects as o

# --- page tables ---------------------------------------------------------------------------------


def _entry(x: Operands, address: str) -> str:
    return f"PTE({x.reference}, {address})"


@template(c.TOUCH)
def touch(x: Operands) -> Step:
    """The user's access, by the TLB if it knows the page; a fault?"""
    model = x.model
    allows = "WRITABLE" if x.imm else "READABLE"
    walk = f"(PMD({x.dst}) != NULL && {allows}(PTE(PMD({x.dst}), {x.dst})))"
    tlb = f"tlb[_pid * PAGES + {x.dst}]"
    if model.has_own_tables():
        works = f"{allows}({tlb})"
        writes = (f"user_writes({tlb}, {x.dst})",) if x.imm and model.has_pages() else ()
        return Step((Way(works, writes), Way(f"!{works}")))
    if model.has_switches():
        return _touch_by_tables_known(x, allows, tlb)
    works = f"({allows}({tlb}) || {walk})" if model.has_tlb() else walk
    effects: list[str] = []
    if model.has_tlb():
        effects.append(f"if :: !{allows}({tlb}) -> {tlb} = PTE(PMD({x.dst}), {x.dst}) :: else fi")
    if x.imm and model.has_pages():
        effects.append(f"user_writes({tlb if model.has_tlb() else f'PTE(PMD({x.dst}), {x.dst})'}, {x.dst})")
    return Step((Way(works, tuple(effects)), Way(f"!{works}")))


def _touch_by_tables_known(x: Operands, allows: str, tlb: str) -> Step:
    """The same where the TLB leads to page tables, too; what should have been flushed must not be used."""
    known = f"walk[_pid * SLOTS + {x.dst} / SPAN]"
    table = f"({known} != NULL -> {known} : PMD({x.dst}))"
    entry = f"PTE({table}, {x.dst})"
    works = f"({allows}({tlb}) || ({table} != NULL && {allows}({entry})))"
    effects = [f"if :: !{allows}({tlb}) -> {tlb} = {entry}; {known} = {table} :: else fi"]
    if x.imm and x.model.has_pages():
        effects.append(f"user_writes({tlb}, {x.dst})")
    behind = f"({allows}({tlb}) -> {tlb} & BEHIND : {known} & WALK_BEHIND) != 0"
    return Step(
        (Way(works, tuple(effects)), Way(f"!{works}", (f"{known} = NULL",))),
        (fail(behind, c.V_TLB_BEHIND),),
    )


@template(c.READ_PMD)
def read_pmd(x: Operands) -> Step:
    """Walk down; is there a page table?"""
    return test(f"PMD({x.src}) != NULL", f"{x.dst} = PMD({x.src})")


@template(c.OWN_SET_PTE)
def own_set_pte(x: Operands) -> Step:
    """Enter the entry into the CPU's own table, which is its TLB."""
    return done(f"tlb[_pid * PAGES + {x.src}] = {x.src2}")


@template(c.PMD_KEEP)
def pmd_keep(x: Operands) -> Step:
    """Nothing happens; the referee knows by it that tables may stay."""
    return done()


@template(c.PMD_SAME)
def pmd_same(x: Operands) -> Step:
    """Still the same page table?  As a pointer: one that was freed and linked again is a good reference."""
    pointer = f"({x.dst} & ~STALE)" if x.op.dst is not None and x.model.is_global(x.op.dst) else x.dst
    same = f"({pointer} != NULL && PMD({x.src}) == {pointer})"
    return Step((Way(f"!({same})"), Way(same, (f"{x.dst} = PMD({x.src})",))))


@template(c.PMD_POPULATE)
def pmd_populate(x: Operands) -> Step:
    """Link a page table where there is none; it may be one that was moved, with what its pages hold."""
    effects = [f"PMD({x.src}) = {x.dst}", f"{x.dst} = NULL"]
    if x.op.src2 is not None and x.model.has_pages():
        effects.append(f"move_writes(TABLE_START({x.src2}), TABLE_START({x.src}), SPAN)")
    return Step(
        (Way("", tuple(effects)),),
        (fail(f"PMD({x.src}) != NULL", c.V_TABLE_OVERWRITE),),
    )


@template(c.PMD_CLEAR)
def pmd_clear(x: Operands) -> Step:
    """free_pgtables: unlink a page table unless a VMA outside the call's range needs it."""
    needed, there = f"TABLE_NEEDED({x.src}, {x.src2}, {x.src3})", f"PMD({x.src}) != NULL"
    return Step(
        (
            Way(f"{needed} || !({there})", (f"{x.dst} = ({needed} -> {x.dst} : NULL)",)),
            Way(f"!{needed} && {there}", (f"{x.dst} = PMD({x.src})", f"PMD({x.src}) = NULL")),
        )
    )


@template(c.PMD_TAKE)
def pmd_take(x: Operands) -> Step:
    """pmdp_get_and_clear."""
    return test(f"PMD({x.src}) != NULL", f"{x.dst} = PMD({x.src})", f"PMD({x.src}) = NULL")


@template(c.READ_PTE)
def read_pte(x: Operands) -> Step:
    """The entry: none, good for the access, or write-protected against it."""
    pte, keep = _entry(x, x.src), (f"{x.dst} = {_entry(x, x.src)}",)
    if not x.imm:
        return Step((Way(f"!READABLE({pte})", keep), Way(f"READABLE({pte})", keep), Way("false", keep)))
    return Step(
        (
            Way(f"!READABLE({pte})", keep),
            Way(f"WRITABLE({pte})", keep),
            Way(f"READABLE({pte}) && !WRITABLE({pte})", keep),
        )
    )


@template(c.PTE_SAME)
def pte_same(x: Operands) -> Step:
    """Is the entry as it was?  Then its page, if that is pinned now, has to stay."""
    same = f"{_entry(x, x.src)} == {x.src2}"
    pinned = (f"pinned[{x.src}] = {x.src2} / PAGE_UNIT + 1",) if x.imm and x.model.has_pins() else ()
    return Step((Way(f"!({same})"), Way(same, pinned)))


@template(c.PTE_NONE)
def pte_none(x: Operands) -> Step:
    """Is the entry empty?"""
    return test(f"{_entry(x, x.src)} == 0")


@template(c.SET_PTE)
def set_pte(x: Operands) -> Step:
    """set_pte_at, writable if the fault wants that and the protection allows it; or of a swap entry."""
    pte = _entry(x, x.src)
    value = [str(x.imm & ~c.PTE_WRITE)]
    effects = []
    over = "READABLE" if x.op.imm2 & c.OVER_MIGRATION else "KEPT"
    faults = [fail(f"{over}({pte})", c.V_OVERWRITE)]
    if x.imm & c.PTE_PRESENT and x.imm & (c.PTE_DIRTY | c.PTE_WRITE):
        value.append(f"({x.src2} != 0 -> WRITE : 0)")
    if not x.imm & c.PTE_ZERO and (x.model.has_pages() or not x.imm & c.PTE_ANON):
        large = x.model.sizes.folio_pages > 1 and not x.imm & c.PTE_ANON
        within = f" + {x.src} % FOLIO_PAGES" if large else ""
        value.append(f"({x.dst} - 1{within}) * PAGE_UNIT")
        if x.imm & c.PTE_ANON:
            copied = f"page_epoch[{x.dst} - 1]"
            stale = f"{copied} != 0 && {copied} != epoch[{x.src}] + 1"
            faults.append(fail(stale, c.V_STALE_COPY))
            new = x.op.imm2 & c.NEW_MAPPING
            zapped = f"{'true' if new else f'writes[{x.src}] < 0'}{_unseen_by_tlbs(x)}"
            effects.append(f"if :: {zapped} -> writes[{x.src}] = page_data[{x.dst} - 1] :: else fi")
    return Step(
        (Way("", (*effects, f"{pte} = {' + '.join(value)}")),),
        tuple(faults),
    )


def _unseen_by_tlbs(x: Operands) -> str:
    """And no TLB has an entry through which its CPU may still write to what was there before."""
    if not x.model.has_tlb():
        return ""
    found = []
    for process in range(x.model.world.threads):
        entry = f"tlb[{process} * PAGES + {x.src}]"
        may = f"({entry} & WRITE) != 0 && ({entry} & ANON) != 0"
        found.append(
            f" && !({may} && ({entry} & BEHIND) == 0)" if x.model.has_switches() else f" && !({may})"
        )
    return "".join(found)


@template(c.PTE_MKWRITE)
def pte_mkwrite(x: Operands) -> Step:
    """Writable and dirty."""
    pte = _entry(x, x.src)
    return done(f"{pte} = {pte} | WRITE | DIRTY")


@template(c.PTE_WRPROTECT)
def pte_wrprotect(x: Operands) -> Step:
    """No longer writable."""
    pte = _entry(x, x.src)
    return done(f"{pte} = {pte} & ~WRITE")


@template(c.PTE_TAKE)
def pte_take(x: Operands) -> Step:
    """ptep_get_and_clear; where there are two outcomes: was there one?"""
    pte = _entry(x, x.src)
    effects = (f"{x.dst} = {pte}", f"{pte} = 0")
    return test(f"KEPT({pte})", *effects) if x.imm else done(*effects)


@template(c.PTE_RESTORE)
def pte_restore(x: Operands) -> Step:
    """The entry of another address, with the content that the user expects: moved here, or copied.

    After a copy, writes by a TLB that has the old entry may or may not belong to the copy.  Or the entry is
    put back where it was.
    """
    pte = _entry(x, x.src)
    effects = [f"{pte} = {x.src2}{' & ~WRITE' if x.imm == c.PUT_BACK_READ_ONLY else ''}"]
    if x.model.has_pages() and x.imm == c.MOVED:
        effects.append(f"move_writes({x.src3}, {x.src}, 1)")
    elif x.model.has_pages() and x.imm == c.COPIED:
        effects.append(f"writes[{x.src}] = {-1 if x.model.has_tlb() else f'writes[{x.src3}]'}")
    return Step((Way("", tuple(effects)),), (fail(f"KEPT({pte})", c.V_OVERWRITE),))


@template(c.ZAP_PTES)
def zap_ptes(x: Operands) -> Step:
    """Clear the entries of the range in one table (all, or file pages only); gather anonymous pages.

    Where there are two outcomes: was anything cleared?
    """
    zap = f"{'zap_file_pages' if x.imm else 'zap_range'}({x.reference}, {x.src}, {x.src2}, {x.dst})"
    if len(x.op.outcomes) == 1:
        return done(zap)
    mapped = "(READABLE({0}) && ({0} & (ANON | ZERO)) == 0)" if x.imm else "READABLE({0})"
    inside = "{0} < {1} && {0} < TABLE_END({2})"
    entries = [
        f"({inside.format(address, x.src2, x.src)} && {mapped.format(_entry(x, address))})"
        for address in (f"{x.src} + {n}" for n in range(1 << x.model.sizes.pt_shift))
    ]
    return test(" || ".join(entries), zap)


@template(c.CHANGE_PTES)
def change_ptes(x: Operands) -> Step:
    """Write-protect the entries of the range in one table, if the protection says so."""
    return done(f"change_range({x.reference}, {x.src}, {x.src2}, {x.dst})")


# --- page cache ----------------------------------------------------------------------------------


def _folio(x: Operands, vm_start: str) -> str:
    return x.model.folio_of(f"{x.word} + {x.src} - {vm_start}")


@template(c.FOLIO_GET)
def filemap_get_folio(x: Operands) -> Step:
    """A reference to the cached folio, if there is one."""
    folio = _folio(x, x.src2)
    keep = f"{x.dst} = {folio} + 1"
    return Step(
        (
            Way(f"folio_cached[{folio}] == 0", (keep,)),
            Way(f"folio_cached[{folio}] != 0", (keep, f"folio_refcount[{x.dst} - 1]++")),
        )
    )


@template(c.FOLIO_CREATE)
def filemap_add_folio(x: Operands) -> Step:
    """A new folio, locked, unless another was faster; a reference either way.

    The model has one object for each page of a file: it waits until nobody holds a former folio, or its lock.
    """
    folio = _folio(x, x.src2)
    number = f"{x.dst} = {folio} + 1"
    new = f"{x.dst} - 1"
    unused = f"folio_refcount[{folio}] == 0 && folio_lock_owner[{folio}] == 0"
    added = (
        f"folio_refcount[{new}] = 1",
        f"folio_cached[{new}] = 1",
        f"folio_uptodate[{new}] = 0",
        f"folio_lock_owner[{new}] = _pid + 1",
    )
    return Step(
        (
            Way(f"folio_cached[{folio}] != 0", (number, f"folio_refcount[{new}]++")),
            Way(f"folio_cached[{folio}] == 0 && {unused}", (number, *added)),
        )
    )


@template(c.NEXT_CANDIDATE)
def next_uptodate_folio(x: Operands) -> Step:
    """The first page of the range that is cached, uptodate and not locked: locked, with a reference."""
    first = f"({x.word} - {x.src3})"
    tried = [
        f"({x.src} + {n} < {x.src2} && TAKEABLE({first} + {x.src} + {n}))" for n in range(x.model.sizes.pages)
    ]
    found = f"({' || '.join(tried)})"
    folio = f"{x.dst} = {x.model.folio_of(f'{first} + {x.src}')} + 1"
    return Step(
        (
            Way(f"!{found}", (f"{x.src} = {x.src2}", folio)),
            Way(found, (f"take_first({first}, {x.src})", folio)),
        )
    )


@template(c.FOLIO_DELETE)
def filemap_remove_folio(x: Operands) -> Step:
    """Out of the page cache."""
    return done(f"folio_cached[{x.index}] = 0")


@template(c.REMOVE_MAPPING)
def remove_mapping(x: Operands) -> Step:
    """Free the folio if the caller has the only reference; it is still locked."""
    return Step(
        (
            Way(f"folio_refcount[{x.index}] != 1"),
            Way(
                f"folio_refcount[{x.index}] == 1",
                (f"folio_refcount[{x.index}] = 0", f"folio_cached[{x.index}] = 0"),
            ),
        )
    )


@template(c.INSIDE_SIZE)
def inside_i_size(x: Operands) -> Step:
    """Does i_size cover the page?"""
    return test(f"{x.src} - {x.src2} < {x.word}")


# --- anonymous pages -----------------------------------------------------------------------------


@template(c.PAGE_ALLOC)
def alloc_page(x: Operands) -> Step:
    """An empty page with one reference."""
    return Step(
        (Way("", (f"alloc_page({x.dst})", f"page_refcount[{x.dst} - 1] = 1")),),
        (fail("page_pooled == 0", c.V_NO_MEMORY),),
    )


@template(c.PAGE_GET)
def get_page(x: Operands) -> Step:
    """One more reference."""
    return done(f"page_refcount[{x.index}]++")


@template(c.PAGE_PUT)
def put_page(x: Operands) -> Step:
    """One less, or a pin; the last one frees the page."""
    pin = x.imm == c.PIN_BIAS
    put = "unpin_page(victim)" if pin else "put_page(victim)"
    return Step((Way("", (f"victim = {x.index}", f"{x.reference} = NULL", put)),))


@template(c.PAGES_PUT)
def put_pages(x: Operands) -> Step:
    """The same for every page of a set."""
    return done(f"put_pages({x.src})")


@template(c.PAGE_COPY)
def copy_page(x: Operands) -> Step:
    """The content of an anonymous page; any other content counts as never written."""
    anon = f"({x.src} & ANON) != 0"
    return Step(
        (
            Way(
                "",
                (
                    f"if :: {anon} -> page_data[{x.index}] = page_data[{x.src} / PAGE_UNIT] "
                    f":: else -> page_data[{x.index}] = 0 fi",
                    f"page_epoch[{x.index}] = epoch[{x.dst}] + 1",
                ),
            ),
        ),
        (fail(f"{anon} && page_life[{x.src} / PAGE_UNIT] != LIVE", c.V_USE_AFTER_FREE),),
    )


@template(c.PAGE_RMAP)
def page_add_rmap(x: Operands) -> Step:
    """The page learns its anon_vma and its index there."""
    assert x.op.src is not None
    mapping = f"{x.src} & ~STALE" if x.model.is_global(x.op.src) else x.src
    exclusive = [f"page_anon_exclusive[{x.index}] = 1"] if o.PAGE_EXCLUSIVE in x.model.fields else []
    return done(
        f"page_mapping[{x.index}] = {mapping}",
        f"page_index[{x.index}] = {x.dst} - {x.src2} + {x.src3}",
        *exclusive,
    )


@template(c.PAGE_DMA)
def dma(x: Operands) -> Step:
    """A write of the device's is one of the user's, where the page is pinned; or what he wrote is there."""
    if x.imm:
        return done(f"device_writes({x.index})")
    pages = range(x.model.sizes.pages)
    pinned = (f"(pinned[{n}] == {x.index} + 1 && writes[{n}] >= 0" for n in pages)
    lost = " || ".join(f"{one} && writes[{n}] != {x.word})" for n, one in enumerate(pinned))
    return Step((Way("", ()),), (fail(lost, c.V_LOST_WRITE),))


@template(c.PAGE_OF)
def vm_normal_page(x: Operands) -> Step:
    """What an entry maps: the zero page or nothing, an anonymous page, a folio."""
    none = f"(!READABLE({x.src}) || ({x.src} & ZERO) != 0)"
    anon = f"({x.src} & ANON) != 0"
    number = f"{x.src} / PAGE_UNIT + 1"
    return Step(
        (
            Way(none),
            Way(f"!{none} && {anon}", (f"{x.dst} = {number}",)),
            Way(f"!{none} && !({anon})", (f"{x.src2} = {x.model.folio_of(f'{x.src} / PAGE_UNIT')} + 1",)),
        )
    )


def _page(offset: str, x: Operands) -> str:
    """The file's page in the VMA that was found; of those behind it, the first one that this maps."""
    page = f"{offset} - vma_vm_pgoff[{x.src2} - 1]"
    return f"({page} > 0 -> {page} : 0)" if x.imm else page


@template(c.RMAP_NEXT)
def rmap_walk_next(x: Operands) -> Step:
    """The next VMA of the file, by number, that maps the folio's page."""
    offset = f"({x.src} - 1 - {x.word})"
    maps = [
        f"({n} >= {x.src2} && MAPS({n}, {x.reference}, {offset}, {x.imm}))"
        for n in range(x.model.count(o.VMA))
    ]
    found = f"({' || '.join(maps)})"
    effects = (
        f"first_mapping({x.src2}, {x.reference}, {offset}, {x.imm})",
        f"{x.dst} = {x.src2}",
        f"{x.src3} = vma_vm_start[{x.src2} - 1] + {_page(offset, x)}",
    )
    return Step((Way(f"!{found}"), Way(found, effects)))


@template(c.ENTRY_FOLIO)
def pfn_swap_entry_to_page(x: Operands) -> Step:
    """The folio of a migration entry, which is locked until it is mapped again."""
    number = f"{x.src} / PAGE_UNIT"
    unlocked = fail(f"folio_lock_owner[{number}] == 0", c.V_MIGRATION_UNLOCKED)
    return Step((Way("", (f"{x.dst} = {number} + 1",)),), (unlocked,))
