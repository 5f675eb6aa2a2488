"""Page tables per CPU: a CPU sees what it has entered, and flushes interrupt only those that have something."""

from __future__ import annotations

import pytest

from spfvar.ops import codes as c
from spfvar.ops import objects as o
from spfvar.ops.op import Op
from spfvar.ops.paging import own_set_pte, pmd_keep, touch
from spfvar.ops.primitives import ipi_send, ipi_wait, local_irq_disable, local_irq_enable
from tests.transition.bench import Bench, text_of

FAULTS = 1  # outcome of touch
READABLE, WRITABLE = c.PTE_PRESENT, c.PTE_PRESENT | c.PTE_WRITE
#: With TLBs in the state, which then are the tables, and with sets of CPUs.
both = pytest.mark.parametrize("tlbs", [True, False])


def bench(*texts: tuple[Op, ...], tlbs: bool, entry: int = WRITABLE, page: int = 1) -> Bench:
    """A thread per text, all about one page, whose shared entry is present."""
    found = Bench(*(text_of(*ops) for ops in texts), tlbs=tlbs)
    found.link_table(page, 0)
    found.state[found.pte_word(0, page)] = entry
    for thread in range(len(texts)):
        found.put(thread, o.address, page)
        found.put(thread, o.orig_pte, entry)
    return found


@both
def test_a_cpu_sees_only_what_it_has_entered(tlbs: bool) -> None:
    """The shared entry is there: for who entered it an access works, for another it faults."""
    run = bench((own_set_pte(), touch(True)), (touch(True), own_set_pte(), touch(False)), tlbs=tlbs)
    assert run.step(0) == "ok"
    assert run.ask(0) != FAULTS
    assert run.ask(1) == FAULTS
    assert run.step(1) == "ok"
    assert run.ask(1) != FAULTS


@both
def test_an_entry_allows_what_it_allows(tlbs: bool) -> None:
    """A read-only entry of its own does not let the CPU write."""
    run = bench((own_set_pte(), touch(False), touch(True)), tlbs=tlbs, entry=READABLE)
    assert run.step(0) == "ok"
    assert [run.ask(0), run.ask(0)] == [0, FAULTS]


@both
def test_a_flush_takes_the_range_out_of_every_table(tlbs: bool) -> None:
    """Page 1 is flushed, and then faults again on both CPUs."""
    reads = (own_set_pte(), touch(False))
    run = bench(reads, reads, (ipi_send("flush", o.address),), tlbs=tlbs)
    assert run.steps(0, 1, 2) == ["ok"] * 3
    assert [run.ask(0), run.ask(1)] == [FAULTS, FAULTS]


@both
@pytest.mark.parametrize(("first", "targets"), [(1, [1, 0, 0]), (0, [1, 0, 0]), (2, [0, 0, 0])])
def test_a_flush_is_for_those_that_have_something_of_the_range(
    tlbs: bool, first: int, targets: list[int]
) -> None:
    """CPU 0 has page 1, CPU 1 has nothing: a flush of two pages from ``first`` on is for CPU 0, or for none."""
    flush = (ipi_send("flush", o.range_start, o.range_end),)
    run = bench((own_set_pte(),), (touch(False),), flush, tlbs=tlbs)
    run.put(2, o.range_start, first)
    run.put(2, o.range_end, first + 2)
    assert run.steps(0, 2) == ["ok", "ok"]
    assert list(run.out[c.OUT_TARGET0 :]) == targets


@both
@pytest.mark.parametrize(("entered", "answer"), [(True, "waits"), (False, "ok")])
def test_who_has_nothing_of_the_range_need_not_answer(tlbs: bool, entered: bool, answer: str) -> None:
    """CPU 0 has interrupts off: the sender waits for it if it has the page."""
    first = (own_set_pte(),) if entered else (touch(False),)
    run = bench(
        (*first, local_irq_disable(), local_irq_enable()),
        (ipi_send("flush", o.address), ipi_wait()),
        (own_set_pte(),),
        tlbs=tlbs,
    )
    assert run.steps(0, 0, 1, 1) == ["ok", "ok", "ok", answer]
    assert run.steps(0, 1) == ["ok", "ok" if entered else "waits"]


@both
def test_an_ipi_without_a_range_is_for_all(tlbs: bool) -> None:
    """tlb_remove_table_sync_one waits for walkers, whatever they have in their tables."""
    run = bench(
        (local_irq_disable(), local_irq_enable()), (ipi_send("sync"), ipi_wait()), (own_set_pte(),), tlbs=tlbs
    )
    assert run.steps(0, 1, 1) == ["ok", "ok", "waits"]


@both
@pytest.mark.parametrize("cpu", [0, 30, 31, 40])
def test_sets_of_many_cpus(tlbs: bool, cpu: int) -> None:
    """CPU numbers beyond the first word of a set."""
    texts: list[tuple[Op, ...]] = [(touch(False),)] * 41
    texts[cpu] = (own_set_pte(), touch(False))
    run = bench(*texts, (ipi_send("flush", o.address),), tlbs=tlbs)
    assert run.steps(cpu, 41) == ["ok", "ok"]
    assert [thread for thread in range(42) if run.out[c.OUT_TARGET0 + thread]] == [cpu]


def test_tables_that_are_kept_change_nothing_else() -> None:
    """pmd_keep says how a design is; as a step it does nothing, and the run knows."""
    run = Bench(text_of(pmd_keep()))
    before = run.state.copy()
    assert run.step(0) == "ok"
    pc = run.layout.thread_base(0) + c.T_PC
    assert [i for i in range(len(before)) if before[i] != run.state[i]] == [pc]
    assert run.layout.g[c.G_KEEP] == 1
    assert Bench(text_of(touch(False))).layout.g[c.G_KEEP] == 0
