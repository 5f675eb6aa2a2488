"""Anonymous pages, TLBs and reverse maps: references, contents, and who may still reach a page."""

from __future__ import annotations

import pytest

from spfvar.ops import codes as c
from spfvar.ops import objects as o
from spfvar.ops.op import Op
from spfvar.ops.paging import (
    alloc_page,
    fill_page,
    free_gathered_pages,
    free_page,
    get_page,
    page_add_new_anon_rmap,
    page_exclusive,
    pte_restore,
    pte_take,
    put_page,
    rmap_walk_next,
    set_pte_anon,
    touch,
    vm_normal_page,
    zap_ptes,
)
from spfvar.ops.primitives import copy_register, find_vma, ipi_send
from spfvar.transition.pages import WRITES
from tests.transition.bench import Bench, Text, text_of

P, W, A, D, Z = c.PTE_PRESENT, c.PTE_WRITE, c.PTE_ANON, c.PTE_DIRTY, c.PTE_ZERO
PAGES = 16
#: Ops behind the texts, never reached: they lay registers out.
ALL = (
    *(
        copy_register(register, register)
        for register in (o.page, o.old_page, o.folio, o.table, o.anon_vma, o.vma)
    ),
    copy_register(o.vm_page_prot, o.orig_pte),
    copy_register(o.vm_start, o.vm_pgoff),
    copy_register(o.gathered_pages, o.scratch),
)


def bench(*texts: Text, tlbs: bool = True, anon_pages: int = 4) -> Bench:
    """Threads with these texts in a world of anonymous pages; table 1 is linked at pages 4 to 7."""
    made = Bench(*texts, anon_pages=anon_pages, anon_vmas=2, tlbs=tlbs)
    made.link_table(4, 1)
    for thread in range(made.threads):
        made.put(thread, o.table, 1)
        made.put(thread, o.address, 5)
    return made


def one(*ops: Op, tlbs: bool = True, anon_pages: int = 4) -> Bench:
    """A bench whose only thread runs these ops."""
    return bench(text_of(*ops, *ALL), tlbs=tlbs, anon_pages=anon_pages)


def entry_of(page: int, bits: int = P | A | D | W) -> int:
    """An entry that maps an anonymous page."""
    return bits | page << c.PTE_FOLIO_SHIFT


def writes(run: Bench, page: int) -> int:
    """What the user has written to a page of the address space; -1: undefined."""
    return int(run.state[run.layout.g[c.G_WRITES] + page])


def tlb(run: Bench, thread: int, page: int) -> int:
    """A CPU's TLB entry."""
    return int(run.state[run.layout.g[c.G_TLB] + thread * PAGES + page])


# --- references --------------------------------------------------------------------------------


def test_a_new_page_has_one_reference_and_nothing_of_its_former_life() -> None:
    """Freed with contents and a place in a reverse map, allocated again without."""
    run = one(alloc_page(), free_page(), alloc_page())
    run.step(0)
    page = run.register(0, o.page)
    for field in (o.PAGE_DATA, o.PAGE_ANON_VMA, o.PAGE_INDEX):
        run.set(field, 3, page)
    run.steps(0, 0)
    assert run.register(0, o.page) == page  # the page freed last comes first
    assert (run.life(o.PAGE, page), run.get(o.PAGE_REFS, page)) == (c.LIVE, 1)
    assert [run.get(field, page) for field in (o.PAGE_DATA, o.PAGE_ANON_VMA, o.PAGE_INDEX)] == [0, 0, 0]


def test_running_out_of_pages_is_told() -> None:
    """The third page of two is no page."""
    run = one(*[alloc_page()] * 3, anon_pages=2)
    assert run.steps(0, 0, 0) == ["ok", "ok", c.VIOLATIONS[c.V_NO_MEMORY]]


def test_the_last_reference_frees_the_page() -> None:
    """get, put, put: live until the second put, which also makes the own reference null."""
    run = one(
        alloc_page(),
        copy_register(o.old_page, o.page),
        get_page(o.page),
        put_page(o.page),
        put_page(o.old_page),
    )
    run.steps(0, 0, 0)
    page = run.register(0, o.page)
    assert run.get(o.PAGE_REFS, page) == 2
    run.step(0)
    assert (run.life(o.PAGE, page), run.get(o.PAGE_REFS, page), run.register(0, o.page)) == (c.LIVE, 1, -1)
    assert run.step(0) == "ok"
    assert run.life(o.PAGE, page) < 0


@pytest.mark.parametrize(
    "op", [get_page(o.page), page_exclusive(), fill_page("copy_page")], ids=lambda op: op.name
)
def test_a_page_freed_behind_a_threads_back_is_noticed(op: Op) -> None:
    """Thread 1 still refers to the page that thread 0 has freed: stale, even when it was recycled."""
    run = bench(text_of(alloc_page(), free_page(), alloc_page(), *ALL), text_of(op, *ALL))
    run.step(0)
    for register in (o.page, o.old_page):
        run.put(1, register, run.register(0, o.page))
    run.steps(0, 0)
    assert run.step(1) == c.VIOLATIONS[c.V_STALE_REFERENCE]


def test_a_page_is_exclusive_with_one_reference() -> None:
    """PageAnonExclusive asks for the mapping's reference alone."""
    run = one(
        alloc_page(), copy_register(o.old_page, o.page), page_exclusive(), get_page(o.page), page_exclusive()
    )
    run.steps(0, 0)
    assert run.ask(0) == 1
    run.step(0)
    assert run.ask(0) == 0


# --- contents ----------------------------------------------------------------------------------


def test_a_write_reaches_the_page_and_is_expected_there() -> None:
    """A store to writable memory counts in the page and in what the user wrote; a load does not."""
    run = one(alloc_page(), touch(True), touch(True), touch(False))
    run.step(0)
    run.state[run.pte_word(1, 5)] = entry_of(run.register(0, o.page))
    assert [run.ask(0) for _ in range(3)] == [0, 0, 0]
    assert (run.get(o.PAGE_DATA, run.register(0, o.page)), writes(run, 5), writes(run, 4)) == (2, 2, 0)


def test_writes_are_counted_in_a_circle_and_not_where_the_content_is_undefined() -> None:
    """WRITES - 1 and one more is 0; -1 stays -1."""
    run = one(alloc_page(), touch(True), touch(True))
    run.step(0)
    page = run.register(0, o.page)
    run.state[run.pte_word(1, 5)] = entry_of(page)
    run.set(o.PAGE_DATA, WRITES - 1, page)
    run.state[run.layout.g[c.G_WRITES] + 5] = WRITES - 1
    run.step(0)
    assert (run.get(o.PAGE_DATA, page), writes(run, 5)) == (0, 0)
    run.state[run.layout.g[c.G_WRITES] + 5] = -1
    run.step(0)
    assert (run.get(o.PAGE_DATA, page), writes(run, 5)) == (1, -1)


@pytest.mark.parametrize(
    ("entry", "data"),
    [(entry_of(0), 5), (P | Z, 0), (P | 0 << c.PTE_FOLIO_SHIFT, 0)],
    ids=["anonymous", "zero page", "file"],
)
def test_copying_takes_the_writes_over(entry: int, data: int) -> None:
    """Of an anonymous page its 5 writes; of the zero page or a file page none."""
    run = one(alloc_page(), alloc_page(), fill_page("copy_page"))
    run.steps(0, 0)
    assert run.register(0, o.page) == 1
    run.set(o.PAGE_DATA, 5, 0)
    run.set(o.PAGE_DATA, 7, 1)
    run.put(0, o.orig_pte, entry)
    assert run.step(0) == "ok"
    assert (run.get(o.PAGE_DATA, 1), run.get(o.PAGE_DATA, 0)) == (data, 5)


def test_copying_a_freed_page_is_a_use_after_free() -> None:
    """The entry was read without a reference: the page it named may be gone."""
    run = one(alloc_page(), fill_page("copy_page"))
    run.step(0)
    run.put(0, o.orig_pte, entry_of(3))
    assert run.step(0) == c.VIOLATIONS[c.V_USE_AFTER_FREE]


@pytest.mark.parametrize(("before", "after"), [(-1, 4), (2, 2)], ids=["undefined", "known"])
def test_a_new_entry_defines_what_is_expected_only_if_nothing_is(before: int, after: int) -> None:
    """After a zap the next page decides; otherwise the user's writes do, so that a lost one shows."""
    run = one(alloc_page(), set_pte_anon())
    run.step(0)
    run.put(0, o.vm_page_prot, 1)
    run.set(o.PAGE_DATA, 4, 0)
    run.state[run.layout.g[c.G_WRITES] + 5] = before
    run.step(0)
    assert (run.pte(1, 5), writes(run, 5)) == (entry_of(0), after)


def test_moving_an_entry_moves_what_is_expected() -> None:
    """mremap: taken at page 5, restored at page 7; page 7 now stands for what was written at 5."""
    run = one(pte_take(), pte_restore(o.cursor, o.address))
    run.state[run.pte_word(1, 5)] = entry_of(2)
    run.state[run.layout.g[c.G_WRITES] + 5] = 3
    run.put(0, o.cursor, 7)
    run.steps(0, 0)
    assert (run.pte(1, 5), run.pte(1, 7), writes(run, 7)) == (0, entry_of(2), 3)


# --- zapping -----------------------------------------------------------------------------------


def test_a_zap_gathers_the_pages_and_frees_them_later() -> None:
    """[4, 7) of pages 1 and 3: gathered with their references; freed after the flush, and forgotten."""
    run = one(*[alloc_page()] * 4, zap_ptes(), free_gathered_pages())
    run.steps(0, 0, 0, 0)
    for address, page in ((4, 1), (6, 3), (7, 2)):
        run.state[run.pte_word(1, address)] = entry_of(page)
    run.put(0, o.cursor, 4)
    run.put(0, o.limit, 7)
    run.step(0)
    assert run.register(0, o.gathered_pages) == 1 << 1 | 1 << 3
    assert [run.pte(1, address) for address in (4, 5, 6, 7)] == [0, 0, 0, entry_of(2)]
    assert [writes(run, address) for address in (4, 5, 6, 7)] == [-1, -1, -1, 0]
    assert [run.get(o.PAGE_REFS, page) for page in range(4)] == [1, 1, 1, 1]
    assert run.step(0) == "ok"
    assert run.register(0, o.gathered_pages) == 0
    assert [run.life(o.PAGE, page) == c.LIVE for page in range(4)] == [True, False, True, False]


def test_gathering_the_same_page_in_two_calls_is_one_reference() -> None:
    """A second free of a page that is gone is a use after free, not a silent underflow."""
    run = one(free_gathered_pages())
    run.put(0, o.gathered_pages, 1 << 2)
    assert run.step(0) == c.VIOLATIONS[c.V_USE_AFTER_FREE]


# --- TLBs --------------------------------------------------------------------------------------


def test_a_touch_fills_the_tlb_and_later_ones_hit_it() -> None:
    """The entry may be gone from the table: until the flush the CPU goes on using it."""
    run = one(touch(False), touch(False), touch(True))
    run.state[run.pte_word(1, 5)] = entry_of(0, P | A)
    assert (run.ask(0), tlb(run, 0, 5), tlb(run, 0, 4)) == (0, entry_of(0, P | A), 0)
    run.state[run.pte_word(1, 5)] = 0
    assert run.ask(0) == 0  # a hit
    assert run.ask(0) == 1  # read-only in the TLB, so a write walks: nothing there


def test_a_faulting_touch_leaves_the_tlb_alone() -> None:
    """Neither an absent entry nor one without the permission is cached by the access it refuses."""
    run = one(touch(False), touch(True))
    assert (run.ask(0), tlb(run, 0, 5)) == (1, 0)
    run.state[run.pte_word(1, 5)] = P | Z
    assert (run.ask(0), tlb(run, 0, 5)) == (1, 0)


def test_without_tlbs_every_touch_walks() -> None:
    """The table's entry decides, at once."""
    run = one(touch(False), touch(False), tlbs=False)
    run.state[run.pte_word(1, 5)] = P | Z
    assert run.ask(0) == 0
    run.state[run.pte_word(1, 5)] = 0
    assert run.ask(0) == 1


@pytest.mark.parametrize(
    ("op", "flushed"),
    [
        (ipi_send("flush", o.range_start, o.range_end), [5, 6]),
        (ipi_send("flush", o.range_start), [5]),
        (ipi_send("flush", o.range_start, pages=3), [5, 6, 7]),
        (ipi_send("no flush"), []),
    ],
    ids=["range", "one page", "pages", "an IPI only"],
)
def test_a_flush_forgets_exactly_its_range_on_every_cpu(op: Op, flushed: list[int]) -> None:
    """With range_start 5 and range_end 7, on the sender's own CPU too."""
    run = bench(text_of(op, *ALL), text_of(*ALL), text_of(*ALL))
    run.put(0, o.range_start, 5)
    run.put(0, o.range_end, 7)
    tlbs = int(run.layout.g[c.G_TLB])
    run.state[tlbs : tlbs + 3 * PAGES] = P
    run.step(0)
    for thread in range(3):
        assert [page for page in range(PAGES) if not tlb(run, thread, page)] == flushed


def test_freeing_a_page_that_a_cpu_can_still_reach_is_a_violation() -> None:
    """Thread 1 has it in its TLB: without the flush the last put is refused, with it it is fine."""
    for flush in (False, True):
        ops = (ipi_send("flush", o.address),) if flush else ()
        run = bench(text_of(alloc_page(), *ops, free_page(), *ALL), text_of(touch(False), *ALL))
        run.step(0)
        run.state[run.pte_word(1, 5)] = entry_of(run.register(0, o.page))
        assert run.ask(1) == 0
        run.state[run.pte_word(1, 5)] = 0
        assert run.steps(*[0] * (1 + flush))[-1] == ("ok" if flush else c.VIOLATIONS[c.V_TLB])


def test_a_tlb_entry_of_a_folio_of_the_same_number_does_not_count() -> None:
    """Only anonymous entries name anonymous pages."""
    run = one(alloc_page(), free_page())
    run.step(0)
    run.state[run.layout.g[c.G_TLB] + 5] = P | run.register(0, o.page) << c.PTE_FOLIO_SHIFT
    assert run.step(0) == "ok"


def test_dropping_one_of_two_references_leaves_tlbs_alone() -> None:
    """The page stays, so whoever reaches it is right to."""
    run = one(alloc_page(), get_page(o.page), put_page(o.page))
    run.steps(0, 0)
    run.state[run.layout.g[c.G_TLB] + 5] = entry_of(run.register(0, o.page))
    assert run.step(0) == "ok"


# --- reverse maps ------------------------------------------------------------------------------


def test_a_new_page_learns_its_anon_vma_and_index() -> None:
    """index = address - vm_start + vm_pgoff = 5 - 4 + 10; the anon_vma as a reference (number + 1)."""
    run = one(alloc_page(), page_add_new_anon_rmap())
    run.step(0)
    for register, value in ((o.anon_vma, 1), (o.vm_start, 4), (o.vm_pgoff, 10)):
        run.put(0, register, value)
    run.step(0)
    assert (run.get(o.PAGE_ANON_VMA, 0), run.get(o.PAGE_INDEX, 0)) == (2, 11)


@pytest.mark.parametrize(
    ("entry", "outcome", "page", "folio"),
    [(0, 0, -1, -1), (P | Z, 0, -1, -1), (entry_of(3), 1, 3, -1), (P | 6 << c.PTE_FOLIO_SHIFT, 2, -1, 6)],
    ids=["none", "zero page", "anonymous", "file"],
)
def test_what_an_entry_maps(entry: int, outcome: int, page: int, folio: int) -> None:
    """vm_normal_page: the zero page is none; a page or a folio goes to its own register."""
    run = one(vm_normal_page())
    run.put(0, o.orig_pte, entry)
    assert (run.ask(0), run.register(0, o.old_page), run.register(0, o.folio)) == (outcome, page, folio)


def rmap_bench(*ops: Op) -> Bench:
    """File 1 begins at folio 2.  VMA 0 maps [4, 8) of it, VMA 1 file 0, VMA 2 [8, 10) of file 1."""
    run = one(*ops, find_vma())
    for file, folio0 in ((0, 0), (1, 2)):
        run.take(o.FILE, file)
        run.set(o.FILE_FOLIO0, folio0, file)
    run.put(0, o.vm_file, 1)
    for vma, (start, end, file) in enumerate(((4, 8, 1), (0, 4, 0), (8, 10, 1))):
        run.take(o.VMA, vma)
        for field, value in ((o.VM_START, start), (o.VM_END, end), (o.VM_FILE, file + 1), (o.VM_LINKED, 1)):
            run.set(field, value, vma)
    return run


def walk(run: Bench, folio: int) -> list[tuple[int, int]]:
    """VMAs and addresses that a reverse-map walk of a folio finds."""
    run.put(0, o.folio, folio)
    found = []
    while run.ask(0):
        found.append((run.register(0, o.rmap_vma), run.register(0, o.cursor)))
    return found


@pytest.mark.parametrize(
    ("folio", "found"),
    [(2, [(0, 4), (2, 8)]), (3, [(0, 5), (2, 9)]), (5, [(0, 7)]), (6, [])],
    ids=["first", "second", "beyond the shorter VMA", "beyond both"],
)
def test_a_reverse_map_walk_finds_every_vma_that_maps_the_folio(
    folio: int, found: list[tuple[int, int]]
) -> None:
    """Of the file's VMAs those long enough, each once, with the address of the folio there."""
    assert walk(rmap_bench(*[rmap_walk_next(o.vm_file)] * 4), folio) == found


@pytest.mark.parametrize(
    ("folio", "onwards", "found"),
    [
        (2, False, [(0, 4)]),  # page 0 of the file: VMA 2 begins with page 1
        (3, False, [(0, 5), (2, 8)]),
        (4, False, [(0, 6), (2, 9)]),
        (2, True, [(0, 4), (2, 8)]),  # of the pages from 0 on, VMA 2 has those from 1 on
        (4, True, [(0, 6), (2, 9)]),
        (5, True, [(0, 7)]),
    ],
)
def test_a_walk_heeds_where_in_the_file_a_vma_begins(
    folio: int, onwards: bool, found: list[tuple[int, int]]
) -> None:
    """VMA 2 maps pages 1 and 2 of the file (folios 3 and 4) at 8 and 9: vm_pgoff is 1."""
    run = rmap_bench(*[rmap_walk_next(o.vm_file, onwards=onwards)] * 4)
    run.set(o.VM_PGOFF, 1, 2)
    assert walk(run, folio) == found


def test_a_vma_outside_the_interval_tree_is_not_found() -> None:
    """After unlink_file_vma the walk passes the VMA by, though it still names the file."""
    run = rmap_bench(*[rmap_walk_next(o.vm_file)] * 4)
    run.set(o.VM_LINKED, 0, 0)
    assert walk(run, 2) == [(2, 8)]
