"""Lifetime: allocation, RCU, interrupts; every access to a freed or recycled object is noticed."""

from __future__ import annotations

import pytest

from spfvar.automata.extract import Extractor, StrategyError
from spfvar.mm.grace_period import gp_kthread, rcu_gp_kthread, srcu_gp_kthread
from spfvar.ops import codes as c
from spfvar.ops import objects as o
from spfvar.ops.op import Op
from spfvar.ops.places import RWSEM_WORDS, Field, Register
from spfvar.ops.primitives import (
    allocate,
    at,
    call_rcu,
    call_srcu,
    copy_register,
    down_read,
    down_read_trylock,
    down_write,
    folio_lock,
    free,
    inc_not_zero,
    ipi_send,
    ipi_wait,
    load,
    local_irq_disable,
    local_irq_enable,
    rcu_gp_start,
    rcu_gp_wait,
    rcu_invoke,
    rcu_read_lock,
    rcu_read_unlock,
    sleep_for,
    spin_lock,
    srcu_read_lock,
    srcu_read_unlock,
    store,
    wait_equals,
    work,
)
from tests.transition.bench import Bench, Text, no_hooks, text_of

NULL, AFTER_FREE, RECYCLED = c.VIOLATIONS[1:4]
UNBALANCED = c.VIOLATIONS[4]
NEW_VMA = allocate(o.vma, "vm_area_alloc", "x")
READ_VMA = load(at(o.vma, o.VM_END), o.scratch)
GRACE = (rcu_gp_start(), rcu_gp_wait(), rcu_invoke())


def reader(*inside: Op) -> Text:
    """An RCU section with ops inside."""
    return text_of(rcu_read_lock(), *inside, rcu_read_unlock())


def test_an_allocated_object_is_live_and_zeroed() -> None:
    """A recycled object carries nothing over from its former life."""
    bench = Bench(text_of(NEW_VMA, free(o.vma, "f"), NEW_VMA))
    assert bench.ask(0) == 0
    bench.set(o.VM_END, 77, bench.register(0, o.vma))
    assert bench.life(o.VMA, bench.register(0, o.vma)) == c.LIVE
    bench.steps(0, 0)
    assert bench.get(o.VM_END, bench.register(0, o.vma)) == 0


def test_the_object_freed_last_is_allocated_first() -> None:
    """The free list is a stack, so that recycling happens as early as it can."""
    bench = Bench(text_of(NEW_VMA, copy_register(o.new_vma, o.vma), NEW_VMA, free(o.new_vma, "f"), NEW_VMA))
    bench.step(0)
    first = bench.register(0, o.vma)
    bench.steps(0, 0, 0, 0)
    assert bench.register(0, o.vma) == first


def test_running_out_of_objects_is_a_violation_of_its_own() -> None:
    """Three VMAs exist; the fourth allocation says so instead of corrupting the state."""
    bench = Bench(text_of(*[NEW_VMA] * 4))
    assert bench.steps(0, 0, 0, 0) == ["ok", "ok", "ok", c.VIOLATIONS[5]]


def test_a_null_reference_is_noticed() -> None:
    """A register that refers to nothing cannot be followed."""
    assert Bench(text_of(READ_VMA)).step(0) == NULL


def test_freeing_makes_the_own_reference_null() -> None:
    """Use after one's own free is an access through a null reference; so is a double free."""
    bench = Bench(text_of(NEW_VMA, free(o.vma, "f"), READ_VMA))
    assert bench.steps(0, 0, 0) == ["ok", "ok", NULL]
    bench = Bench(text_of(NEW_VMA, free(o.vma, "f"), free(o.vma, "f")))
    assert bench.steps(0, 0, 0) == ["ok", "ok", NULL]


def test_use_after_free_through_another_threads_reference_is_noticed() -> None:
    """A second thread's reference turns stale the moment the object is freed."""
    bench = Bench(text_of(NEW_VMA, free(o.vma, "f")), text_of(READ_VMA, READ_VMA))
    bench.step(0)
    bench.put(1, o.vma, bench.register(0, o.vma))
    assert bench.steps(1, 0, 1) == ["ok", "ok", RECYCLED]


def test_a_stale_reference_is_noticed_after_the_memory_was_recycled() -> None:
    """The object's number is live again, but not for who held it before."""
    bench = Bench(text_of(NEW_VMA, free(o.vma, "f"), NEW_VMA, READ_VMA), text_of(READ_VMA))
    bench.step(0)
    old = bench.register(0, o.vma)
    bench.put(1, o.vma, old)
    bench.steps(0, 0)
    assert bench.register(0, o.vma) == old
    assert bench.steps(0, 1) == ["ok", RECYCLED]


def test_a_copy_of_a_reference_in_another_register_turns_stale_too() -> None:
    """Every register of the class is looked at, not only the one that was freed through."""
    bench = Bench(text_of(NEW_VMA, copy_register(o.new_vma, o.vma), free(o.new_vma, "f"), READ_VMA))
    assert bench.steps(0, 0, 0, 0) == ["ok", "ok", "ok", RECYCLED]


def test_a_double_free_through_two_references_is_noticed() -> None:
    """The second thread frees what the first has freed already."""
    bench = Bench(text_of(NEW_VMA, free(o.vma, "f")), text_of(free(o.vma, "f")))
    bench.step(0)
    bench.put(1, o.vma, bench.register(0, o.vma))
    assert bench.steps(0, 1) == ["ok", RECYCLED]


@pytest.mark.parametrize("second", [free(o.new_vma, "f"), call_rcu(o.new_vma)], ids=["free", "call_rcu"])
def test_freeing_what_waits_for_a_grace_period_is_noticed(second: Op) -> None:
    """call_rcu and then free, or call_rcu again, is a double free."""
    bench = Bench(text_of(NEW_VMA, copy_register(o.new_vma, o.vma), call_rcu(o.vma), second))
    assert bench.steps(0, 0, 0, 0) == ["ok", "ok", "ok", AFTER_FREE]


def test_a_number_of_a_free_object_that_was_never_allocated_is_noticed() -> None:
    """Following a made-up reference to a free object is a use after free."""
    bench = Bench(text_of(READ_VMA))
    bench.put(0, o.vma, 1)
    assert bench.step(0) == AFTER_FREE


def test_only_references_of_the_freed_class_turn_stale() -> None:
    """A page table of the same number as the freed VMA stays usable."""
    table = load(at(o.table, o.GATHER_NEXT), o.scratch)
    bench = Bench(text_of(NEW_VMA, free(o.vma, "f")), text_of(table))
    bench.step(0)
    bench.put(1, o.table, bench.register(0, o.vma))
    bench.take(o.PAGE_TABLE, bench.register(0, o.vma))
    assert bench.steps(0, 1) == ["ok", "ok"]


# --- RCU ---------------------------------------------------------------------------------------


def test_the_kthread_waits_until_a_callback_is_queued() -> None:
    """No grace period starts for nothing."""
    bench = Bench(text_of(*GRACE), text_of(NEW_VMA, call_rcu(o.vma)))
    assert bench.steps(0, 1, 0, 1, 0) == ["waits", "ok", "waits", "ok", "ok"]


def test_an_object_stays_usable_while_it_waits_for_its_grace_period() -> None:
    """Readers that found it before it was unlinked go on reading it."""
    bench = Bench(text_of(*GRACE), text_of(NEW_VMA, call_rcu(o.vma)), reader(READ_VMA, READ_VMA, READ_VMA))
    bench.steps(1, 2)
    bench.put(2, o.vma, bench.register(1, o.vma))
    assert bench.steps(1, 2) == ["ok", "ok"]
    assert bench.steps(0, 2, 0, 2) == ["ok", "ok", "waits", "ok"]


def test_a_grace_period_waits_for_earlier_readers_but_not_for_later_ones() -> None:
    """The object is freed once the reader from before has left, though a later one stays inside."""
    bench = Bench(text_of(*GRACE), text_of(NEW_VMA, call_rcu(o.vma)), reader(), reader())
    bench.steps(1, 2, 1, 0)
    vma = 0
    assert bench.life(o.VMA, vma) == c.PENDING_WAIT
    assert bench.steps(3, 0) == ["ok", "waits"]  # thread 3 came later, thread 2 is still inside
    assert bench.steps(2, 0) == ["ok", "ok"]  # it left: the grace period is over
    assert bench.step(0) == "ok"
    assert bench.life(o.VMA, vma) < 0


def test_an_object_queued_during_a_grace_period_waits_for_the_next() -> None:
    """Its readers may have come after the running grace period began."""
    bench = Bench(
        text_of(*GRACE, *GRACE),
        text_of(NEW_VMA, call_rcu(o.vma)),
        text_of(NEW_VMA, call_rcu(o.vma)),
        reader(),
    )
    bench.steps(1, 2, 1, 0)  # object 0 is waited for
    bench.step(3)  # a reader of the new phase
    bench.step(2)  # object 1 is queued
    assert bench.steps(0, 0) == ["ok", "ok"]
    assert (bench.life(o.VMA, 0) < 0, bench.life(o.VMA, 1)) == (True, c.PENDING_NEXT)
    assert bench.steps(0, 0) == ["ok", "waits"]  # now the reader counts
    assert bench.steps(3, 0, 0) == ["ok", "ok", "ok"]
    assert bench.life(o.VMA, 1) < 0


SRCU_GRACE = (rcu_gp_start(srcu=True), rcu_gp_wait(srcu=True), rcu_invoke())
index = Register("srcu_index")


def test_a_grace_period_of_srcu_waits_for_its_own_sections_only() -> None:
    """An SRCU section from before holds it up; an RCU section and a later SRCU section do not."""
    section = text_of(srcu_read_lock(index), srcu_read_unlock(index))
    bench = Bench(text_of(*SRCU_GRACE), text_of(NEW_VMA, call_srcu(o.vma)), section, section, reader())
    bench.steps(2, 4, 1, 1, 0)
    bench.step(3)
    assert bench.register(2, index) != bench.register(3, index)  # before the flip, and after it
    assert bench.steps(0, 2, 0, 0) == ["waits", "ok", "ok", "ok"]
    assert bench.life(o.VMA, 0) < 0
    assert bench.steps(3, 4) == ["ok", "ok"]


def test_an_srcu_section_may_sleep_and_an_rcu_section_may_not() -> None:
    """sleep_for inside each: the one is what SRCU is for, the other a violation."""
    bench = Bench(
        text_of(srcu_read_lock(index), sleep_for("io"), srcu_read_unlock(index)),
        text_of(rcu_read_lock(), sleep_for("io"), rcu_read_unlock()),
    )
    assert bench.steps(0, 0, 0) == ["ok", "ok", "ok"]
    assert bench.register(0, index) == 0
    assert bench.steps(1, 1) == ["ok", c.VIOLATIONS[c.V_SLEEP_IN_ATOMIC]]


def test_an_srcu_section_that_was_not_begun_cannot_be_left() -> None:
    """The index is 0 outside."""
    bench = Bench(text_of(srcu_read_unlock(index), srcu_read_lock(index)))
    assert bench.step(0) == c.VIOLATIONS[c.V_UNBALANCED]


def test_a_run_frees_by_rcu_or_by_srcu() -> None:
    """There is one grace-period kthread; a design that uses both is refused."""
    extract = Extractor(no_hooks).automaton
    by_rcu = extract("a", text_of(NEW_VMA, call_rcu(o.vma)))
    by_srcu = extract("b", text_of(NEW_VMA, call_srcu(o.vma)))
    assert gp_kthread([extract("c", text_of(NEW_VMA))]) is None
    assert (gp_kthread([by_rcu]), gp_kthread([by_srcu])) == (rcu_gp_kthread, srcu_gp_kthread)
    with pytest.raises(StrategyError, match="call_rcu and by call_srcu"):
        gp_kthread([by_rcu, by_srcu])


def test_a_reader_outside_its_section_holds_a_stale_reference() -> None:
    """Who keeps the reference beyond the section and the grace period is caught."""
    bench = Bench(
        text_of(*GRACE),
        text_of(NEW_VMA, call_rcu(o.vma)),
        text_of(rcu_read_lock(), rcu_read_unlock(), READ_VMA),
    )
    bench.steps(1, 2)
    bench.put(2, o.vma, bench.register(1, o.vma))
    assert bench.steps(1, 2, 0, 0, 0, 2) == ["ok"] * 5 + [RECYCLED]


def test_sections_nest() -> None:
    """Only the outermost unlock ends the section."""
    bench = Bench(
        text_of(*GRACE),
        text_of(NEW_VMA, call_rcu(o.vma)),
        text_of(rcu_read_lock(), rcu_read_lock(), rcu_read_unlock(), rcu_read_unlock()),
    )
    bench.steps(1, 2, 2, 2, 1, 0)
    assert bench.step(0) == "waits"
    assert bench.steps(2, 0) == ["ok", "ok"]


def test_an_unlock_without_a_section_is_a_violation() -> None:
    """Leaving an RCU section, or enabling interrupts, that was not begun is noticed."""
    assert Bench(text_of(rcu_read_unlock())).step(0) == UNBALANCED
    assert Bench(text_of(local_irq_enable())).step(0) == UNBALANCED


def test_an_interrupts_off_section_counts_as_a_reader() -> None:
    """Consolidated RCU flavours: a grace period waits for interrupts-off sections."""
    bench = Bench(
        text_of(*GRACE), text_of(NEW_VMA, call_rcu(o.vma)), text_of(local_irq_disable(), local_irq_enable())
    )
    bench.steps(1, 2, 1, 0)
    assert bench.step(0) == "waits"
    assert bench.steps(2, 0) == ["ok", "ok"]


def test_freeing_a_vma_drops_the_file_reference_it_was_charged_with() -> None:
    """vm_fput = file + 1: the reference goes when the VMA goes, and the last one frees the file."""
    bench = Bench(text_of(NEW_VMA, free(o.vma, "f"), NEW_VMA, free(o.vma, "f")))
    bench.take(o.FILE, 1)
    bench.set(o.F_COUNT, 2, 1)
    for left in (1, 0):
        bench.step(0)
        bench.set(o.VM_FPUT, 2, bench.register(0, o.vma))
        assert bench.get(o.F_COUNT, 1) == left + 1
        bench.step(0)
        assert (bench.life(o.FILE, 1) == c.LIVE) == (left > 0)


# --- interrupts --------------------------------------------------------------------------------

FLUSH = (ipi_send("flush"), ipi_wait())
MASKED = (local_irq_disable(), local_irq_enable())


def test_an_ipi_is_answered_at_once_where_interrupts_are_on() -> None:
    """The sender does not wait for threads in ordinary code."""
    bench = Bench(text_of(*FLUSH), text_of(work("x")))
    assert bench.steps(0, 0) == ["ok", "ok"]


def test_the_sender_waits_for_every_cpu_with_interrupts_off() -> None:
    """Two masked CPUs have to enable interrupts before the sender goes on."""
    bench = Bench(text_of(*FLUSH), text_of(*MASKED), text_of(*MASKED))
    assert bench.steps(1, 2, 0, 0) == ["ok", "ok", "ok", "waits"]
    assert bench.steps(1, 0) == ["ok", "waits"]
    assert bench.steps(2, 0) == ["ok", "ok"]


def test_a_section_begun_after_the_ipi_is_not_waited_for() -> None:
    """The IPI was answered already when that CPU turned interrupts off."""
    bench = Bench(text_of(*FLUSH), text_of(*MASKED))
    assert bench.steps(0, 1, 0) == ["ok", "ok", "ok"]


def test_nested_sections_answer_when_the_outermost_ends() -> None:
    """Interrupts stay off until every disable has its enable."""
    bench = Bench(text_of(*FLUSH), text_of(*MASKED[:1], *MASKED, *MASKED[1:]))
    assert bench.steps(1, 1, 0, 1, 0) == ["ok", "ok", "ok", "ok", "waits"]
    assert bench.steps(1, 0) == ["ok", "ok"]


def test_two_senders_are_both_answered() -> None:
    """One enable answers every sender that waits."""
    bench = Bench(text_of(*FLUSH), text_of(*FLUSH), text_of(*MASKED))
    assert bench.steps(2, 0, 1, 0, 1) == ["ok", "ok", "ok", "waits", "waits"]
    assert bench.steps(2, 0, 1) == ["ok", "ok", "ok"]


def test_masks_reach_beyond_the_first_word() -> None:
    """40 threads need two words of 31 bits each; thread 35 is in the second."""
    bench = Bench(text_of(*FLUSH), *[text_of(*MASKED)] * 39)
    assert bench.steps(35, 3, 0, 0, 35, 0, 3, 0) == ["ok"] * 3 + ["waits", "ok", "waits", "ok", "ok"]


def test_an_ipi_does_not_wait_for_the_sender_itself() -> None:
    """A sender with interrupts off does not wait for its own CPU."""
    bench = Bench(text_of(MASKED[0], *FLUSH, MASKED[1]))
    assert bench.steps(0, 0, 0, 0) == ["ok"] * 4


# --- type-safe memory --------------------------------------------------------------------------

COUNT = Field(o.VMA, "vm_refcnt", kept=True)
SIZE = Field(o.VMA, "vm_size")
PEEK = load(at(o.vma, COUNT), o.scratch)
PIN = inc_not_zero(at(o.vma, COUNT))
OUTSIDE = c.VIOLATIONS[c.V_OUTSIDE_RCU]


def freed_behind(*ops: Op) -> Bench:
    """Thread 0 has freed the VMA that thread 1, which runs these ops, refers to."""
    bench = Bench(text_of(NEW_VMA, free(o.vma, "f"), NEW_VMA, store(at(o.vma, COUNT), 1)), text_of(*ops))
    bench.step(0)
    bench.put(1, o.vma, bench.register(0, o.vma))
    bench.step(0)
    return bench


def test_type_safe_memory_may_be_looked_at_inside_a_section() -> None:
    """SLAB_TYPESAFE_BY_RCU: the freed object is still of its type, so the peek is no violation."""
    bench = freed_behind(rcu_read_lock(), PEEK.on_typesafe_memory(), rcu_read_unlock())
    assert bench.steps(1, 1, 1) == ["ok", "ok", "ok"]


def test_type_safe_memory_may_not_be_looked_at_outside_a_section() -> None:
    """Then the slab's page itself may be gone."""
    assert freed_behind(PEEK.on_typesafe_memory()).step(1) == OUTSIDE
    bench = freed_behind(rcu_read_lock(), rcu_read_unlock(), PEEK.on_typesafe_memory())
    assert bench.steps(1, 1, 1) == ["ok", "ok", OUTSIDE]


def test_an_ordinary_access_to_freed_memory_stays_a_violation_inside_a_section() -> None:
    """The section alone does not help: the op has to say that it expects recycled memory."""
    assert freed_behind(rcu_read_lock(), PEEK).steps(1, 1) == ["ok", RECYCLED]


def test_a_good_reference_needs_no_section_for_a_type_safe_access() -> None:
    """Whoever holds a count may look at any time."""
    bench = Bench(text_of(NEW_VMA, PEEK.on_typesafe_memory()))
    assert bench.steps(0, 0) == ["ok", "ok"]


def test_a_count_taken_on_recycled_memory_makes_the_reference_good() -> None:
    """inc_not_zero pins whatever the memory has become: plain accesses are allowed from then on."""
    bench = freed_behind(rcu_read_lock(), PIN.on_typesafe_memory(), rcu_read_unlock(), PEEK)
    bench.steps(0, 0)  # recycled, count 1
    assert bench.step(1) == "ok"
    assert (bench.ask(1), bench.get(COUNT, bench.register(1, o.vma))) == (0, 2)
    assert bench.steps(1, 1) == ["ok", "ok"]


def test_a_refused_count_leaves_the_reference_stale() -> None:
    """A freed object's count is 0: outcome "zero", and nothing but a peek is allowed afterwards."""
    bench = freed_behind(rcu_read_lock(), PIN.on_typesafe_memory(), PEEK)
    bench.step(1)
    assert bench.ask(1) == 1
    assert bench.step(1) == RECYCLED


def test_kept_fields_survive_an_allocation_and_others_do_not() -> None:
    """A slab with a constructor: who has a stale reference may be using the field."""
    bench = Bench(text_of(NEW_VMA, free(o.vma, "f"), NEW_VMA, PEEK, load(at(o.vma, SIZE), o.scratch)))
    bench.step(0)
    for field in (COUNT, SIZE):
        bench.set(field, 7, bench.register(0, o.vma))
    bench.steps(0, 0)
    assert [bench.get(field, bench.register(0, o.vma)) for field in (COUNT, SIZE)] == [7, 0]


# --- sections ----------------------------------------------------------------------------------

SEM = at(o.mm, o.MMAP_LOCK)
MAY_SLEEP = (
    down_read(SEM),
    down_write(SEM),
    folio_lock(),
    sleep_for("io"),
    wait_equals(at(o.mm, o.MM_USERS), 0),
)


@pytest.mark.parametrize("sleeper", MAY_SLEEP, ids=lambda op: op.name)
@pytest.mark.parametrize("enter", [rcu_read_lock(), local_irq_disable()], ids=lambda op: op.name)
def test_what_may_sleep_is_forbidden_in_a_section(enter: Op, sleeper: Op) -> None:
    """Even where it would not have to wait: might_sleep() does not depend on luck."""
    bench = Bench(text_of(enter, sleeper))
    assert bench.steps(0, 0) == ["ok", c.VIOLATIONS[c.V_SLEEP_IN_ATOMIC]]


@pytest.mark.parametrize(
    "op", [down_read_trylock(SEM), spin_lock(at(o.mm, o.PMD_LOCK))], ids=lambda op: op.name
)
def test_what_cannot_sleep_is_allowed_in_a_section(op: Op) -> None:
    """Trylocks and spinlocks."""
    assert Bench(text_of(rcu_read_lock(), op)).steps(0, 0) == ["ok", "ok"]


@pytest.mark.parametrize("enter", [rcu_read_lock(), local_irq_disable()], ids=lambda op: op.name)
def test_a_thread_may_not_end_inside_a_section(enter: Op) -> None:
    """A path that returns without its unlock is found when the thread exits."""
    assert Bench(text_of(enter)).steps(0, 0) == ["ok", UNBALANCED]


TAKE = down_read_trylock(at(o.vma, Field(o.VMA, "vm_lock", RWSEM_WORDS)))


def test_a_lock_taken_in_a_recycled_object_makes_the_reference_good() -> None:
    """Whoever holds the lock of the object that lives there now keeps that one."""
    bench = freed_behind(rcu_read_lock(), TAKE.on_typesafe_memory(), rcu_read_unlock(), PEEK)
    bench.steps(0, 0)  # recycled
    assert bench.step(1) == "ok"
    assert bench.ask(1) == 1
    assert bench.steps(1, 1) == ["ok", "ok"]


def test_a_lock_taken_in_free_memory_keeps_nothing() -> None:
    """The next object there begins with a new lock."""
    bench = freed_behind(rcu_read_lock(), TAKE.on_typesafe_memory(), rcu_read_unlock(), PEEK)
    assert bench.steps(1, 1) == ["ok", "ok"]
    bench.steps(0, 0)  # recycled, too late
    assert bench.steps(1, 1) == ["ok", RECYCLED]


@pytest.mark.parametrize("deferred", [False, True])
def test_a_page_table_is_not_freed_with_a_page_in_it(deferred: bool) -> None:
    """At once, or when its grace period ends: whoever set the entry believes that the page is mapped."""
    ends = (call_rcu(o.table), *GRACE) if deferred else (free(o.table, "pte_free"),)
    table = allocate(o.table, "pte_alloc_one", "x")
    full, empty = (Bench(text_of(table, *ends), anon_pages=1) for _ in range(2))
    full.step(0)
    full.state[full.pte_word(full.register(0, o.table), 0)] = c.PTE_PRESENT | c.PTE_ANON
    *before, last = full.steps(*[0] * len(ends))
    assert last == c.VIOLATIONS[c.V_TABLE_IN_USE]
    assert {*before, *empty.steps(*[0] * (1 + len(ends)))} <= {"ok"}
