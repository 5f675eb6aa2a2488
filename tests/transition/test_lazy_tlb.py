"""CPUs that flushes pass by: who is interrupted, what is out of date since, and who finds out."""

from __future__ import annotations

import pytest

from spfvar.ops import codes as c
from spfvar.ops import objects as o
from spfvar.ops.op import Op
from spfvar.ops.paging import alloc_page, free_page, set_pte_anon, touch
from spfvar.ops.primitives import (
    copy_register,
    free,
    ipi_send,
    ipi_wait,
    local_irq_disable,
    local_irq_enable,
)
from spfvar.ops.switching import is_loaded_mm, load_new_mm_cr3, set_loaded_mm, speculate, tlb_gen_same
from tests.transition.bench import Bench, text_of

PAGES = 16
ENTRY = c.PTE_PRESENT | c.PTE_ANON | c.PTE_WRITE
PAGE = 5
#: Never reached: they lay registers out, and what each CPU has loaded.
ALL = (copy_register(o.page, o.page), copy_register(o.table, o.table), set_loaded_mm(c.MM_LOADED, "mm"))
ALL_MMS = (c.MM_LOADED, c.MM_LAZY, c.MM_SWITCHING, c.MM_OTHER)


def bench(cpu: tuple[Op, ...], sender: tuple[Op, ...], loaded: int) -> Bench:
    """CPU 0, which has the page in its TLB and this loaded, and CPU 1, which runs a thread of the mm."""
    made = Bench(text_of(*cpu, *ALL), text_of(*sender, *ALL), anon_pages=2, tlbs=True)
    made.link_table(4, 1)
    made.state[made.layout.g[c.G_LOADED]] = loaded
    made.state[tlb(made)] = ENTRY
    for thread in (0, 1):
        made.put(thread, o.address, PAGE)
        made.put(thread, o.table, 1)
    return made


def tlb(run: Bench) -> int:
    """The word of CPU 0's TLB entry."""
    return int(run.layout.g[c.G_TLB]) + PAGE


def flush() -> Op:
    """A flush of the page."""
    return ipi_send("flush", o.address)


@pytest.mark.parametrize(
    ("loaded", "entry"),
    [
        (c.MM_LOADED, 0),
        (c.MM_LAZY, ENTRY | c.TLB_BEHIND),
        (c.MM_SWITCHING, ENTRY | c.TLB_BEHIND),
        (c.MM_OTHER, ENTRY | c.TLB_BEHIND),
    ],
)
def test_only_who_runs_the_mm_flushes_at_once(loaded: int, entry: int) -> None:
    """The others keep what they have, and are behind."""
    run = bench((touch(False),), (flush(),), loaded)
    run.step(1)
    assert run.state[tlb(run)] == entry


@pytest.mark.parametrize("loaded", ALL_MMS)
def test_whom_a_flush_waits_for(loaded: int) -> None:
    """Of CPUs with interrupts off, those that run the mm or may be switching to it (should_flush_tlb)."""
    run = bench((local_irq_disable(),), (flush(), ipi_wait()), loaded)
    run.steps(0, 1)
    assert (run.step(1) == "waits") == (loaded in (c.MM_LOADED, c.MM_SWITCHING))


def test_an_ipi_that_flushes_nothing_reaches_lazy_cpus_too() -> None:
    """tlb_remove_table_sync_one interrupts every CPU."""
    run = bench((local_irq_disable(),), (ipi_send("sync"), ipi_wait()), c.MM_LAZY)
    run.steps(0, 1)
    assert run.step(1) == "waits"


def test_a_flush_that_came_while_switching_is_made_up_for_when_interrupts_are_on() -> None:
    """flush_tlb_func finds the mm loaded, and tlb_gen ahead."""
    cpu = (
        local_irq_disable(),
        set_loaded_mm(c.MM_LOADED, "loaded_mm = next"),
        local_irq_enable(flushes=True),
    )
    run = bench((*cpu, touch(False)), (flush(), ipi_wait()), c.MM_SWITCHING)
    run.steps(0, 1)
    assert run.state[tlb(run)] == ENTRY | c.TLB_BEHIND
    run.step(0)
    assert run.step(1) == "waits"
    run.step(0)
    assert run.state[tlb(run)] == 0
    assert run.step(1) == "ok"


def test_without_an_interrupt_nothing_is_flushed_when_interrupts_are_on() -> None:
    """Who is passed by is not told: it has to ask for itself."""
    cpu = (
        local_irq_disable(),
        set_loaded_mm(c.MM_LOADED, "loaded_mm = next"),
        local_irq_enable(flushes=True),
    )
    run = bench((*cpu, touch(False)), (flush(),), c.MM_OTHER)
    run.steps(0, 1, 0, 0)
    assert run.state[tlb(run)] == ENTRY | c.TLB_BEHIND
    assert run.step(0) == c.VIOLATIONS[c.V_TLB_BEHIND]


def test_tlb_gen_is_the_same_until_a_flush_passes_by_and_after_one_of_its_own() -> None:
    """The test's outcome is 1 as long as nothing is out of date; loading CR3 empties the TLB."""
    run = bench((tlb_gen_same(), tlb_gen_same(), load_new_mm_cr3(), tlb_gen_same()), (flush(),), c.MM_LAZY)
    assert run.ask(0) == 1
    run.step(1)
    assert run.ask(0) == 0
    run.step(0)
    assert run.state[tlb(run)] == 0
    assert run.ask(0) == 1


@pytest.mark.parametrize("loaded", ALL_MMS)
def test_a_borrowed_mm_is_loaded(loaded: int) -> None:
    """prev == next, when a kernel thread had the CPU."""
    run = bench((is_loaded_mm(),), (flush(),), loaded)
    assert run.ask(0) == int(loaded in (c.MM_LOADED, c.MM_LAZY))


def test_a_page_may_be_freed_when_who_still_has_it_is_behind() -> None:
    """It will flush before it uses the entry; who is not behind was never told."""
    for flushed, says in ((True, "ok"), (False, c.VIOLATIONS[c.V_TLB])):
        run = bench((touch(False),), (alloc_page(), flush(), free_page()), c.MM_LAZY)
        run.step(1)
        run.state[tlb(run)] = ENTRY | run.register(1, o.page) << c.PTE_FOLIO_SHIFT
        run.step(1)
        if not flushed:
            run.state[tlb(run)] &= ~c.TLB_BEHIND
        assert run.step(1) == says


def test_who_is_behind_writes_to_no_page_that_was_there() -> None:
    """So what a new page holds is what the user expects, as after a flush of every CPU."""
    run = bench((touch(False),), (alloc_page(), flush(), set_pte_anon()), c.MM_LAZY)
    run.state[run.layout.g[c.G_WRITES] + PAGE] = -1
    run.steps(1, 1, 1)
    assert run.state[run.layout.g[c.G_WRITES] + PAGE] == 0


# --- page tables that TLBs lead to ---------------------------------------------------------------

TABLE = 1


def walk(run: Bench) -> int:
    """The word of the page table that CPU 0 remembers for the page: 4 pages a table, so it is the second."""
    return int(run.layout.g[c.G_WALK]) + PAGE // 4


def flush_tables() -> Op:
    """A flush of the page, behind which page tables are freed."""
    return ipi_send("flush", o.address, freed_tables=True)


def test_a_walk_that_finds_a_page_leaves_its_table_in_the_tlb_and_a_fault_takes_it_out() -> None:
    """The second access asks for more than the entry allows."""
    run = bench((touch(False), touch(True)), (flush(),), c.MM_LOADED)
    run.state[tlb(run)] = 0
    run.state[run.pte_word(TABLE, PAGE)] = c.PTE_PRESENT
    assert run.ask(0) == 0
    assert run.state[walk(run)] == TABLE + 1
    assert run.ask(0) == 1
    assert run.state[walk(run)] == 0


def test_the_next_walk_goes_by_the_table_in_the_tlb_not_by_the_directory() -> None:
    """The table has been unlinked, and nothing was flushed yet."""
    run = bench((touch(False),), (flush(),), c.MM_LOADED)
    run.state[tlb(run)] = 0
    run.state[walk(run)] = TABLE + 1
    run.state[run.pte_word(TABLE, PAGE)] = c.PTE_PRESENT
    run.state[run.layout.g[c.G_PMD] + PAGE // 4] = 0
    assert run.ask(0) == 0


@pytest.mark.parametrize(
    ("loaded", "left"),
    [(c.MM_LOADED, 0), (c.MM_LAZY, TABLE + 1 | c.WALK_BEHIND), (c.MM_OTHER, TABLE + 1 | c.WALK_BEHIND)],
)
def test_a_flush_of_pages_is_one_of_their_table(loaded: int, left: int) -> None:
    """Of this one; the first table's, in the word before, stays."""
    run = bench((touch(False),), (flush(),), loaded)
    run.state[walk(run) - 1], run.state[walk(run)] = 1, TABLE + 1
    run.step(1)
    assert (run.state[walk(run) - 1], run.state[walk(run)]) == (1, left)


def test_a_table_that_should_have_been_flushed_is_not_walked() -> None:
    """The TLB has nothing of the page itself."""
    run = bench((touch(False),), (flush(),), c.MM_OTHER)
    run.state[tlb(run)] = 0
    run.state[walk(run)] = TABLE + 1
    run.step(1)
    assert run.step(0) == c.VIOLATIONS[c.V_TLB_BEHIND]


@pytest.mark.parametrize("irqs_off", [False, True])
def test_a_flush_that_frees_tables_reaches_lazy_cpus(irqs_off: bool) -> None:
    """They give the mm up at once; or, with interrupts off, are waited for, and flush when they have the mm."""
    cpu = (local_irq_disable(),) if irqs_off else ()
    run = bench(
        (*cpu, tlb_gen_same(), load_new_mm_cr3(), local_irq_enable(flushes=True), touch(False)),
        (flush_tables(), ipi_wait()),
        c.MM_LAZY,
    )
    run.steps(*([0] * len(cpu)), 1)
    assert run.state[run.layout.g[c.G_LOADED]] == (c.MM_LAZY if irqs_off else c.MM_OTHER)
    assert run.step(1) == ("waits" if irqs_off else "ok")
    assert run.ask(0) == 0  # tlb_gen is not the same


def test_tlb_gen_is_about_tables_too() -> None:
    """And loading CR3 forgets them."""
    run = bench((tlb_gen_same(), load_new_mm_cr3(), tlb_gen_same()), (flush(),), c.MM_OTHER)
    run.state[tlb(run)] = 0
    run.state[walk(run)] = TABLE + 1
    run.step(1)
    assert run.ask(0) == 0
    run.step(0)
    assert run.state[walk(run)] == 0
    assert run.ask(0) == 1


@pytest.mark.parametrize("loaded", ALL_MMS)
def test_speculation_meets_a_freed_table_as_long_as_the_mm_is_borrowed(loaded: int) -> None:
    """A table that is there is none of its business, flushed or not; other page tables lead elsewhere."""
    run = bench((speculate(), speculate()), (flush(), free(o.table, "pte_free")), loaded)
    run.state[walk(run)] = TABLE + 1
    assert run.step(0) == "ok"
    run.step(1)
    assert run.step(1) == "ok"
    assert run.step(0) == (c.VIOLATIONS[c.V_TABLE_CACHED] if loaded == c.MM_LAZY else "ok")
