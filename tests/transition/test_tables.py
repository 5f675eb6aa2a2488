"""The VMA tree, page tables and the page cache: 16 pages, 4 entries a table."""

from __future__ import annotations

import pytest

from spfvar.ops import codes as c
from spfvar.ops import objects as o
from spfvar.ops.op import Op
from spfvar.ops.paging import (
    change_ptes,
    fault_around_window,
    filemap_create_folio,
    filemap_get_folio,
    filemap_remove_folio,
    fresh_range,
    next_uptodate_folio,
    pfn_swap_entry_to_page,
    pmd_clear,
    pmd_populate,
    pmd_same,
    pmd_take,
    pte_mkwrite,
    pte_none,
    pte_restore,
    pte_same,
    pte_take,
    pte_wrprotect,
    ptep_clear,
    read_pmd,
    read_pte,
    remove_migration_pte,
    set_migration_pte,
    set_pte_anon,
    set_pte_file,
    set_pte_zero,
    touch,
    zap_ptes,
)
from spfvar.ops.primitives import (
    copy_register,
    find_vma,
    find_vma_intersection,
    folio_unlock,
    mt_destroy,
    tree_erase,
    tree_store,
    vma_contains,
)
from tests.transition.bench import Bench, text_of

DESTROYED = c.VIOLATIONS[c.V_TREE_DESTROYED]
P, W, A, D, Z = c.PTE_PRESENT, c.PTE_WRITE, c.PTE_ANON, c.PTE_DIRTY, c.PTE_ZERO
#: Registers that a bench lays out although no op mentions them.
ALL = (
    *(copy_register(register, register) for register in (o.folio, o.vma, o.table)),
    copy_register(o.vm_page_prot, o.orig_pte),
)


def one(*ops: Op, **registers: int) -> Bench:
    """A thread with these ops; table 1 is linked at pages 4 to 7; ``registers`` by kernel name."""
    bench = Bench(text_of(*ops, *ALL))
    bench.link_table(4, 1)
    named = {register.name: register for register in bench.layout.registers}
    for name, value in {"pmd_pgtable": 1, "address": 5, **registers}.items():
        bench.put(0, named[name], value)
    return bench


# --- the tree ----------------------------------------------------------------------------------


def test_the_tree_finds_a_stored_vma_at_exactly_its_pages() -> None:
    """[4, 8) is found at 4 and 7, not at 3 or 8."""
    bench = one(tree_store(o.vma), *[find_vma()] * 4)
    bench.take(o.VMA, 2)
    bench.put(0, o.vma, 2)
    bench.set(o.VM_START, 4, 2)
    bench.set(o.VM_END, 8, 2)
    bench.step(0)
    found = []
    for page in (3, 4, 7, 8):
        bench.put(0, o.address, page)
        found.append((bench.ask(0), bench.register(0, o.vma)))
    assert found == [(0, -1), (1, 2), (1, 2), (0, -1)]


def test_behind_the_last_page_there_is_no_vma() -> None:
    """Looking for the neighbour of a VMA that ends with the address space finds nothing, whatever lies there."""
    bench = one(find_vma(), address=16)
    bench.state[bench.layout.g[c.G_PMD]] = 2
    assert (bench.ask(0), bench.register(0, o.vma)) == (0, -1)


def test_erasing_takes_exactly_the_range_out() -> None:
    """Of [0, 16), erasing [4, 8) leaves 3 and 8."""
    bench = one(tree_erase(), range_start=4, range_end=8)
    bench.state[bench.layout.g[c.G_TREE] : bench.layout.g[c.G_TREE] + 16] = 1
    bench.step(0)
    assert [bench.tree(page) for page in range(16)] == [0] * 4 + [-1] * 4 + [0] * 8


def test_nobody_may_look_into_a_tree_that_was_destroyed() -> None:
    """Of [0, 16), the tree of [4, 8) is destroyed: a look at 4 or 7 breaks the rule, one at 3 or 8 does not."""
    for page, expected in ((3, "ok"), (4, DESTROYED), (7, DESTROYED), (8, "ok")):
        bench = one(mt_destroy(), find_vma(), range_start=4, range_end=8, address=page)
        bench.state[bench.layout.g[c.G_TREE] : bench.layout.g[c.G_TREE] + 16] = 1
        assert bench.steps(0, 0) == ["ok", expected]


def test_a_range_that_begins_with_a_vma_is_found_before_the_tree_behind_it_is_looked_at() -> None:
    """Slots 0 to 3 are of one mm, 4 to 7 of one whose tree is gone."""
    for start, expected in ((3, "ok"), (4, DESTROYED)):
        bench = one(find_vma_intersection(), range_start=start, range_end=8)
        bench.state[bench.layout.g[c.G_TREE] : bench.layout.g[c.G_TREE] + 4] = 1
        bench.state[bench.layout.g[c.G_TREE] + 4 : bench.layout.g[c.G_TREE] + 8] = c.TREE_DESTROYED
        assert bench.step(0) == expected


@pytest.mark.parametrize(("page", "inside"), [(3, 0), (4, 1), (7, 1), (8, 0)])
def test_a_vma_contains_its_start_but_not_its_end(page: int, inside: int) -> None:
    """vm_start <= address < vm_end."""
    bench = one(vma_contains(), address=page, vma=0)
    bench.take(o.VMA, 0)
    bench.set(o.VM_START, 4)
    bench.set(o.VM_END, 8)
    assert bench.ask(0) == inside


# --- walking and setting -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("entry", "read_faults", "write_faults", "seen_by_write"),
    [(0, 1, 1, 0), (P, 0, 1, 2), (P | W, 0, 0, 1), (P | Z, 0, 1, 2), (W, 1, 1, 0)],
    ids=["none", "read-only", "writable", "zero page", "not present"],
)
def test_hardware_and_fault_path_agree_on_what_an_entry_allows(
    entry: int, read_faults: int, write_faults: int, seen_by_write: int
) -> None:
    """A touch faults exactly where the walk of the fault does not say "present"."""
    bench = one(touch(False), touch(True), read_pte(False), read_pte(True))
    bench.state[bench.pte_word(1, 5)] = entry
    assert [bench.ask(0) for _ in range(4)] == [
        read_faults, write_faults, 1 - read_faults, seen_by_write,
    ]  # fmt: skip
    assert bench.register(0, o.orig_pte) == entry


def test_a_touch_without_a_page_table_faults() -> None:
    """Nothing is linked at page 0."""
    assert one(touch(False), address=0).ask(0) == 1


def test_populate_and_walk() -> None:
    """pmd_populate links the preallocated table and forgets the reference; read_pmd finds it."""
    bench = one(read_pmd(), pmd_populate(), read_pmd(), pmd_same(), pmd_same(), address=9, prealloc_pte=2)
    bench.take(o.PAGE_TABLE, 2)
    assert (bench.ask(0), bench.register(0, o.table)) == (0, -1)
    bench.step(0)
    assert (bench.pmd(9), bench.register(0, o.prealloc_pte)) == (2, -1)
    assert (bench.ask(0), bench.register(0, o.table)) == (1, 2)
    assert bench.ask(0) == 1
    bench.put(0, o.table, 1)
    assert bench.ask(0) == 0


def test_that_there_was_no_table_is_no_table_that_is_still_the_same() -> None:
    """Page 9 has none: a fault whose table was reclaimed behind it has none to lock, and does not lock it."""
    assert one(pmd_same(), address=9, pmd_pgtable=-1).ask(0) == 0


MOVING = c.PTE_MIGRATION | 3 << c.PTE_FOLIO_SHIFT


def test_a_migration_entry_is_neither_none_nor_present_and_goes_when_its_page_is_back() -> None:
    """Set for folio 3 at page 5; a walk finds nothing present; the restored entry maps the folio."""
    ops = (set_migration_pte(o.address), pte_none(), read_pte(False), remove_migration_pte(o.address))
    bench = one(*ops, address=5, folio=3)
    bench.step(0)
    assert bench.pte(1, 5) == MOVING
    assert (bench.ask(0), bench.ask(0)) == (0, 0)
    assert bench.register(0, o.orig_pte) == MOVING
    bench.step(0)
    assert bench.pte(1, 5) == P | 3 << c.PTE_FOLIO_SHIFT


@pytest.mark.parametrize("op", [set_pte_file(False), set_pte_zero(), pte_restore(o.address, o.cursor)])
def test_nobody_else_sets_an_entry_over_that_of_a_page_on_its_way(op: Op) -> None:
    """Migration would find no entry to restore, and the page would be mapped by nobody, or twice."""
    bench = one(op, address=5, folio=2, cursor=6)
    bench.state[bench.pte_word(1, 5)] = MOVING
    assert bench.step(0) == c.VIOLATIONS[c.V_OVERWRITE]


@pytest.mark.parametrize("even_cows", [True, False])
def test_zapping_clears_migration_entries_and_drops_no_reference(even_cows: bool) -> None:
    """The entry holds none, and no TLB has it: nothing to report."""
    bench = one(zap_ptes(even_cows), filemap_get_folio(), cursor=4, limit=8)
    bench.state[bench.pte_word(1, 5)] = MOVING
    bench.set(o.REFCOUNT, 1, 3)
    bench.step(0)
    assert (bench.pte(1, 5), bench.get(o.REFCOUNT, 3), bench.out[c.OUT_AMOUNT]) == (0, 1, 0)


def test_moving_an_entry_takes_a_migration_entry_along() -> None:
    """mremap asks whether there is one, not whether it is present."""
    bench = one(pte_take(), address=5)
    bench.state[bench.pte_word(1, 5)] = MOVING
    assert (bench.ask(0), bench.pte(1, 5), bench.register(0, o.orig_pte)) == (1, 0, MOVING)


@pytest.mark.parametrize("locked", [True, False])
def test_the_page_of_a_migration_entry_is_locked_or_the_entry_is_an_old_one(locked: bool) -> None:
    """Who looks the page up after it is back has read the entry too early."""
    bench = one(pfn_swap_entry_to_page(), filemap_get_folio(), orig_pte=MOVING)
    bench.set(o.FOLIO_LOCK, int(locked), 3)
    assert bench.step(0) == ("ok" if locked else c.VIOLATIONS[c.V_MIGRATION_UNLOCKED])
    assert not locked or bench.register(0, o.folio) == 3


@pytest.mark.parametrize(
    ("op", "writable", "entry"),
    [
        (set_pte_anon(), 1, P | A | D | W),
        (set_pte_anon(), 0, P | A | D),
        (set_pte_zero(), 1, P | Z),
        (set_pte_file(False), 1, P | 6 << c.PTE_FOLIO_SHIFT),
        (set_pte_file(True), 1, P | D | W | 6 << c.PTE_FOLIO_SHIFT),
    ],
    ids=["anon", "anon, read-only VMA", "zero page", "file read", "shared write"],
)
def test_an_entry_gets_the_rights_that_the_fault_saw(op: Op, writable: int, entry: int) -> None:
    """Only what is written to a writable VMA becomes writable; file entries carry their folio (6)."""
    bench = one(op, vm_page_prot=writable, folio=6)
    assert bench.step(0) == "ok"
    assert [bench.pte(1, page) for page in (4, 5, 6, 7)] == [0, entry, 0, 0]


@pytest.mark.parametrize("op", [set_pte_anon(), set_pte_zero(), set_pte_file(False)], ids=lambda op: op.name)
def test_overwriting_a_present_entry_is_a_violation(op: Op) -> None:
    """Two faults that both set the entry are caught."""
    bench = one(op, folio=1)
    bench.state[bench.pte_word(1, 5)] = P | A
    assert bench.step(0) == c.VIOLATIONS[c.V_OVERWRITE]


@pytest.mark.parametrize(
    "old", [P | 3 << c.PTE_FOLIO_SHIFT, P | A, P | Z], ids=["file page", "anonymous page", "zero page"]
)
def test_an_entry_is_replaced_by_clearing_it_first(old: int) -> None:
    """wp_page_copy: ptep_clear_flush, then set_pte_at; what was there is in orig_pte, its references untouched."""
    bench = one(ptep_clear(), set_pte_anon(), filemap_get_folio(), vm_page_prot=1)
    bench.state[bench.pte_word(1, 5)] = old
    bench.set(o.REFCOUNT, 5, 3)
    assert (bench.step(0), bench.pte(1, 5), bench.register(0, o.orig_pte)) == ("ok", 0, old)
    assert (bench.step(0), bench.pte(1, 5)) == ("ok", P | A | D | W)
    assert bench.get(o.REFCOUNT, 3) == 5


def test_taking_an_entry_empties_it_and_says_whether_it_was_present() -> None:
    """ptep_get_and_clear twice: the second finds nothing."""
    bench = one(pte_take(), pte_take())
    bench.state[bench.pte_word(1, 5)] = P | W
    assert (bench.ask(0), bench.register(0, o.orig_pte), bench.pte(1, 5)) == (1, P | W, 0)
    assert (bench.ask(0), bench.register(0, o.orig_pte)) == (0, 0)


def test_write_protecting_takes_one_entrys_write_bit() -> None:
    """ptep_set_wrprotect of page 5 leaves its other bits and its neighbours alone."""
    bench = one(pte_wrprotect())
    for page in (4, 5, 6):
        bench.state[bench.pte_word(1, page)] = P | A | W | D
    bench.step(0)
    assert [bench.pte(1, page) for page in (4, 5, 6)] == [P | A | W | D, P | A | D, P | A | W | D]


def test_a_restored_entry_is_exactly_the_one_that_was_taken() -> None:
    """move_ptes: taken at page 5, set at page 7 with all its bits; not over a present entry."""
    bench = one(pte_take(), pte_restore(o.cursor, o.address), pte_restore(o.cursor, o.address), cursor=7)
    bench.state[bench.pte_word(1, 5)] = P | A | D
    bench.steps(0, 0)
    assert [bench.pte(1, page) for page in (5, 7)] == [0, P | A | D]
    assert bench.step(0) == c.VIOLATIONS[c.V_OVERWRITE]


def test_entries_are_compared_with_what_the_fault_saw() -> None:
    """pte_same compares all bits with orig_pte; pte_none is about the empty entry."""
    bench = one(read_pte(False), pte_same(), pte_none(), pte_mkwrite(), pte_same(), pte_none())
    assert [bench.ask(0) for _ in range(3)] == [0, 1, 1]
    assert [bench.ask(0) for _ in range(3)] == [0, 0, 0]
    assert bench.pte(1, 5) == W | D


def test_an_entry_of_a_freed_table_cannot_be_touched() -> None:
    """A table that is not live is a use after free."""
    bench = one(pte_none(), pmd_pgtable=2)
    assert bench.step(0) == c.VIOLATIONS[c.V_USE_AFTER_FREE]


# --- writers -----------------------------------------------------------------------------------


def fill(bench: Bench) -> None:
    """Pages 4 to 7: anonymous, file (folio 2), zero page, file (folio 3)."""
    entries = (P | A | W, P | W | 2 << c.PTE_FOLIO_SHIFT, P | Z, P | 3 << c.PTE_FOLIO_SHIFT)
    for page, entry in enumerate(entries, start=4):
        bench.state[bench.pte_word(1, page)] = entry
    for folio in (2, 3):
        bench.set(o.REFCOUNT, 1, folio)


def test_zapping_clears_the_range_within_the_table_and_puts_the_folios() -> None:
    """[5, 12) of the table of pages 4 to 7: three entries, none anonymous, both folios put."""
    bench = one(zap_ptes(), filemap_get_folio(), cursor=5, limit=12)
    fill(bench)
    bench.step(0)
    assert [bench.pte(1, page) for page in (4, 5, 6, 7)] == [P | A | W, 0, 0, 0]
    assert (bench.get(o.REFCOUNT, 2), bench.get(o.REFCOUNT, 3)) == (0, 0)
    assert (bench.out[c.OUT_AMOUNT], bench.out[c.OUT_ANON]) == (3, 0)


def test_zapping_reports_how_many_anonymous_pages_it_freed() -> None:
    """[4, 6): one anonymous and one file page."""
    bench = one(zap_ptes(), filemap_get_folio(), cursor=4, limit=6)
    fill(bench)
    bench.step(0)
    assert (bench.out[c.OUT_AMOUNT], bench.out[c.OUT_ANON]) == (2, 1)
    assert [bench.pte(1, page) != 0 for page in (4, 5, 6, 7)] == [False, False, True, True]


@pytest.mark.parametrize("writable", [0, 1])
def test_changing_protection_only_ever_takes_the_write_bit_away(writable: int) -> None:
    """mprotect to read-only clears W of present entries; back to writable it leaves the entries alone."""
    bench = one(change_ptes(), cursor=4, limit=8, vm_page_prot=writable)
    fill(bench)
    before = [bench.pte(1, page) for page in (4, 5, 6, 7)]
    bench.step(0)
    after = [bench.pte(1, page) for page in (4, 5, 6, 7)]
    assert after == (before if writable else [entry & ~W for entry in before])
    assert bench.out[c.OUT_AMOUNT] == 4


def test_linking_a_table_where_there_is_one_is_a_violation() -> None:
    """Two faults that both link their preallocated table would lose the first one's entries."""
    bench = one(pmd_populate(), address=5, prealloc_pte=2)
    bench.take(o.PAGE_TABLE, 2)
    assert bench.step(0) == c.VIOLATIONS[c.V_TABLE_OVERWRITE]
    assert bench.pmd(5) == 1


def test_taking_a_table_unlinks_it_whatever_the_vmas_say() -> None:
    """pmdp_get_and_clear knows no floor and ceiling; the second one finds nothing."""
    bench = one(pmd_take(o.cursor), pmd_take(o.cursor), cursor=5)
    bench.state[bench.layout.g[c.G_TREE] + 5] = 1
    assert (bench.ask(0), bench.register(0, o.table), bench.pmd(4)) == (1, 1, -1)
    assert (bench.ask(0), bench.register(0, o.table)) == (0, -1)


def test_a_table_is_unlinked_once() -> None:
    """The first pmd_clear gets the table, the second finds nothing."""
    bench = one(pmd_clear(), pmd_clear(), cursor=6)
    assert (bench.ask(0), bench.register(0, o.table), bench.pmd(4)) == (1, 1, -1)
    assert bench.ask(0) == 0


@pytest.mark.parametrize(("page", "kept"), [(3, False), (4, True), (7, True), (8, False)])
def test_a_table_stays_while_a_vma_needs_it(page: int, kept: bool) -> None:
    """Floor and ceiling: any VMA left in the table's pages keeps it, a neighbour outside does not."""
    bench = one(pmd_clear(), cursor=5)
    bench.state[bench.layout.g[c.G_TREE] + page] = 1
    assert bench.ask(0) == (0 if kept else 1)
    assert (bench.pmd(4) == 1) == kept


def test_a_tree_that_was_destroyed_needs_no_table() -> None:
    """A destroyed slot beside the range is no VMA."""
    bench = one(pmd_clear(), cursor=5)
    bench.state[bench.layout.g[c.G_TREE] + 7] = c.TREE_DESTROYED
    assert (bench.ask(0), bench.pmd(4)) == (1, -1)


def test_a_fresh_range_forgets_entries_and_whole_tables() -> None:
    """[4, 10): the table of 4 to 7 goes back to the free list, that of 8 to 11 keeps page 10."""
    bench = one(fresh_range(), filemap_get_folio(), range_start=4, range_end=10)
    fill(bench)
    bench.link_table(8, 2)
    for page in (8, 10):
        bench.state[bench.pte_word(2, page)] = P | A
    bench.step(0)
    assert (bench.pmd(4), bench.pmd(8)) == (-1, 2)
    assert bench.life(o.PAGE_TABLE, 1) < 0
    assert [bench.pte(2, page) for page in (8, 10)] == [0, P | A]
    assert [bench.pte(1, page) for page in (4, 5, 6, 7)] == [0] * 4
    assert bench.get(o.REFCOUNT, 2) == 0


# --- the page cache ----------------------------------------------------------------------------


def cache(*ops: Op, **registers: int) -> Bench:
    """File 1 begins at folio 2 and is mapped from page 4 on, so page 5 is folio 3."""
    bench = one(*ops, vm_file=1, vm_start=4, **registers)
    bench.take(o.FILE, 1)
    bench.set(o.FILE_FOLIO0, 2, 1)
    return bench


def test_the_page_cache_is_looked_up_by_offset_and_takes_a_reference() -> None:
    """A miss takes none and leaves the register at the empty slot."""
    bench = cache(filemap_get_folio(), filemap_get_folio())
    assert (bench.ask(0), bench.register(0, o.folio), bench.get(o.REFCOUNT, 3)) == (0, 3, 0)
    bench.set(o.CACHED, 1, 3)
    assert (bench.ask(0), bench.register(0, o.folio), bench.get(o.REFCOUNT, 3)) == (1, 3, 1)


def test_only_the_first_adds_a_folio_and_it_comes_locked() -> None:
    """The loser gets a reference to the winner's folio, not its lock."""
    bench = cache(filemap_create_folio(), filemap_create_folio(), folio_unlock())
    assert bench.ask(0) == 1
    assert [bench.get(f, 3) for f in (o.CACHED, o.UPTODATE, o.FOLIO_LOCK, o.REFCOUNT)] == [1, 0, 1, 1]
    assert bench.ask(0) == 0
    assert [bench.get(f, 3) for f in (o.CACHED, o.UPTODATE, o.FOLIO_LOCK, o.REFCOUNT)] == [1, 0, 1, 2]


def test_map_pages_takes_the_next_cached_uptodate_unlocked_folio() -> None:
    """Of pages 4 to 7: not cached, not uptodate, locked by another, good: page 7 (folio 5)."""
    bench = cache(next_uptodate_folio(), cursor=4, limit=8)
    for folio, cached, uptodate, owner in ((3, 1, 0, 0), (4, 1, 1, 2), (5, 1, 1, 0)):
        for field, value in ((o.CACHED, cached), (o.UPTODATE, uptodate), (o.FOLIO_LOCK, owner)):
            bench.set(field, value, folio)
    assert bench.ask(0) == 1
    assert (bench.register(0, o.cursor), bench.register(0, o.folio)) == (7, 5)
    assert (bench.get(o.FOLIO_LOCK, 5), bench.get(o.REFCOUNT, 5)) == (1, 1)


def test_map_pages_ends_where_the_window_ends() -> None:
    """Page 7 would do, but the window is [4, 7)."""
    bench = cache(next_uptodate_folio(), cursor=4, limit=7)
    bench.set(o.CACHED, 1, 5)
    bench.set(o.UPTODATE, 1, 5)
    assert (bench.ask(0), bench.register(0, o.cursor), bench.get(o.REFCOUNT, 5)) == (0, 7, 0)


def test_a_page_of_a_large_folio_is_looked_up_by_the_first_one() -> None:
    """Folios of two pages: page 5 is the second of the file, whose folio has number 2."""
    bench = cache(filemap_get_folio(), next_uptodate_folio(), cursor=5, limit=8)
    bench.layout.g[c.G_FOLIO_MASK] = 1
    for field in (o.CACHED, o.UPTODATE):
        bench.set(field, 1, 2)
    assert (bench.ask(0), bench.register(0, o.folio), bench.get(o.REFCOUNT, 2)) == (1, 2, 1)
    assert (bench.ask(0), bench.register(0, o.folio), bench.register(0, o.cursor)) == (1, 2, 5)
    assert (bench.get(o.FOLIO_LOCK, 2), bench.get(o.REFCOUNT, 2), bench.get(o.REFCOUNT, 3)) == (1, 2, 0)


def test_an_entry_maps_a_page_of_a_large_folio_and_refers_to_the_folio() -> None:
    """Page 5 maps the second page of folio 2, number 3; zapped, it gives folio 2 its reference back."""
    bench = one(set_pte_file(False), zap_ptes(), folio=2, cursor=5, limit=6)
    bench.layout.g[c.G_FOLIO_MASK] = 1
    bench.set(o.REFCOUNT, 1, 2)
    bench.steps(0)
    assert bench.pte(1, 5) >> c.PTE_FOLIO_SHIFT == 3
    bench.steps(0)
    assert (bench.pte(1, 5), bench.get(o.REFCOUNT, 2), bench.get(o.REFCOUNT, 3)) == (0, 0, 0)


@pytest.mark.parametrize(
    ("pages", "address", "vma", "window"),
    [
        (2, 5, (0, 16), (4, 6)),
        (4, 6, (0, 16), (4, 8)),
        (16, 6, (0, 16), (4, 8)),  # no further than the page table
        (4, 6, (5, 7), (5, 7)),  # no further than the VMA
        (4, 6, (6, 16), (6, 8)),
    ],
)
def test_the_fault_around_window_is_aligned_and_clipped(
    pages: int, address: int, vma: tuple[int, int], window: tuple[int, int]
) -> None:
    """Aligned to its size, within the page table (4 pages here) and the VMA."""
    bench = one(fault_around_window(pages), address=address, vm_start=vma[0], vm_end=vma[1])
    bench.step(0)
    assert (bench.register(0, o.cursor), bench.register(0, o.limit)) == window


def test_a_folio_leaves_the_page_cache_with_its_contents() -> None:
    """filemap_remove_folio: not cached any more; contents, lock and references stay with their holders."""
    bench = cache(filemap_remove_folio(), filemap_get_folio(), folio=3)
    for field, value in ((o.CACHED, 1), (o.UPTODATE, 1), (o.FOLIO_LOCK, 1), (o.REFCOUNT, 2)):
        bench.set(field, value, 3)
    bench.step(0)
    assert [bench.get(f, 3) for f in (o.CACHED, o.UPTODATE, o.FOLIO_LOCK, o.REFCOUNT)] == [0, 1, 1, 2]


def test_the_file_of_a_lookup_must_be_live() -> None:
    """A speculative fault that uses a freed vm_file is caught."""
    bench = one(filemap_get_folio(), vm_file=1, vm_start=4)
    assert bench.step(0) == c.VIOLATIONS[c.V_USE_AFTER_FREE]
