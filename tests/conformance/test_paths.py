"""Paths: followed to where they go wrong, by the shortest way, with what the way depends on."""

from __future__ import annotations

from collections.abc import Callable

from spfvar.automata.automaton import Automaton
from spfvar.automata.extract import Extractor
from spfvar.conformance.paths import Wrong, follow
from spfvar.conformance.references import References, counted_fields
from spfvar.conformance.sections import Sections, told_by_state
from spfvar.ops import objects as o
from spfvar.ops.op import Steps, again, loop
from spfvar.ops.paging import (
    alloc_page,
    filemap_get_folio,
    folio_put,
    free_page,
    get_page,
    next_table,
    pmd_populate,
    put_page,
    read_pmd,
    read_pte,
    set_pte_anon,
    set_pte_file,
    vm_normal_page,
)
from spfvar.ops.primitives import (
    add,
    add_not_zero,
    allocate,
    at,
    choose,
    down_read,
    down_read_trylock,
    down_write,
    down_write_trylock,
    downgrade_write,
    folio_lock,
    folio_unlock,
    free,
    inc_not_zero,
    ipi_wait,
    is_null,
    local_irq_disable,
    local_irq_enable,
    rcu_read_lock,
    rcu_read_unlock,
    spin_lock,
    spin_unlock,
    up_read,
    up_write,
    work,
)

MMAP_LOCK = at(o.mm, o.MMAP_LOCK)
PTL = at(o.table, o.PTL)


def automaton(text: Callable[[], Steps]) -> Automaton:
    """The automaton of a text without hook points."""

    def no_hooks(name: str, args: object) -> Steps:
        raise AssertionError(name)

    return Extractor(no_hooks).automaton("t", text)


def sections(text: Callable[[], Steps]) -> list[Wrong]:
    """What is wrong with a text's locks and sections."""
    return list(follow(automaton(text), Sections()).wrong)


def references(text: Callable[[], Steps]) -> list[str]:
    """What is wrong with a text's references."""
    found = automaton(text)
    return [wrong.objection.text for wrong in follow(found, References(counted_fields([found]))).wrong]


def test_a_forgotten_unlock_is_told_with_its_shortest_path() -> None:
    """Two ways lead to the exit that forgets it; the shorter one is told, and who took the lock."""

    def text() -> Steps:
        if (yield choose("round about?", False, True)):
            yield work("local")
            yield work("local")
        yield spin_lock(PTL)
        if (yield choose("error?", False, True)):
            return
        yield spin_unlock(PTL)

    [wrong] = sections(text)
    assert wrong.objection.text == "ends with pmd_pgtable->ptl held"
    assert list(wrong.decisions()) == ["round about?: no", "error?: yes"]
    assert wrong.taken is wrong.blamed
    assert wrong.blamed.name == "spin_lock(pmd_pgtable->ptl)"
    assert wrong.blamed.where.startswith(__file__)


def test_spinlocks_that_only_the_state_tells_are_not_followed() -> None:
    """A loop that locks table after table through one register, and a lock that is had if a register is set.

    A lock whose register stays, or gets another object once it is unlocked, is followed.
    """

    def all_tables() -> Steps:
        yield loop("tables")
        yield read_pmd(key=o.cursor)
        yield spin_lock(PTL)
        if (yield next_table()):
            yield again("tables")

    def one_by_one() -> Steps:
        yield loop("tables")
        yield read_pmd(key=o.cursor)
        yield spin_lock(PTL)
        yield spin_unlock(PTL)
        if (yield next_table()):
            yield again("tables")

    def if_set() -> Steps:
        if not (yield is_null(o.table)):
            yield spin_unlock(PTL)

    def lock_first() -> Steps:
        yield spin_lock(PTL)
        yield from if_set()

    name = str(PTL)
    assert told_by_state([automaton(all_tables)]) == told_by_state([automaton(lock_first)]) == {name}
    assert told_by_state([automaton(one_by_one)]) == frozenset()
    assert sections(all_tables)
    assert not follow(automaton(all_tables), Sections(frozenset([name]))).wrong


def test_the_reference_that_is_left_is_the_one_blamed() -> None:
    """Two are taken and one is given back: the first one was meant to be kept by nobody.  And who takes twice.

    A lock that is taken a second time blames the second, and names the first as the one that took it.
    """

    def keeps_the_first() -> Steps:
        yield get_page(o.old_page)
        yield work("local")
        yield get_page(o.old_page)
        yield put_page(o.old_page)

    found = automaton(keeps_the_first)
    [wrong] = follow(found, References(counted_fields([found]))).wrong
    assert wrong.blamed is found.nodes[0].op

    def takes_twice() -> Steps:
        yield down_read(MMAP_LOCK, "first")
        yield down_read(MMAP_LOCK, "second")

    [wrong] = sections(takes_twice)
    assert wrong.taken is not None
    assert (wrong.blamed.name, wrong.taken.name) == ("second(mm->mmap_lock)", "first(mm->mmap_lock)")


def test_what_is_wrong_with_locks_and_sections() -> None:
    """Given back twice, taken twice, taken and not tried, slept in: by spinlocks, RCU and interrupts."""

    def gives_back_twice() -> Steps:
        yield spin_lock(PTL)
        yield spin_unlock(PTL)
        yield spin_unlock(PTL)

    def takes_twice() -> Steps:
        yield down_read(MMAP_LOCK)
        yield down_read(MMAP_LOCK)

    def sleeps_under_a_spinlock() -> Steps:
        yield spin_lock(PTL)
        yield down_read(MMAP_LOCK)

    def sleeps_in_rcu() -> Steps:
        yield rcu_read_lock()
        yield folio_lock()

    def waits_with_interrupts_off() -> Steps:
        yield local_irq_disable()
        yield ipi_wait()

    for text, says in (
        (gives_back_twice, "leaves pmd_pgtable->ptl, which it does not hold"),
        (takes_twice, "takes mm->mmap_lock for reading a second time"),
        (sleeps_under_a_spinlock, "may sleep in down_read(mm->mmap_lock), with pmd_pgtable->ptl held"),
        (sleeps_in_rcu, "may sleep in folio_lock(folio->lock), in an RCU section"),
        (waits_with_interrupts_off, "waits for other CPUs in an interrupts-off section"),
    ):
        assert [wrong.objection.text for wrong in sections(text)] == [says]


def test_what_is_right_with_locks_and_sections() -> None:
    """Failed trylocks take nothing, sections nest, a downgrade changes the mode, a folio's holder may sleep."""

    def text() -> Steps:
        yield rcu_read_lock()
        yield local_irq_disable()
        yield rcu_read_lock()
        yield rcu_read_unlock()
        yield local_irq_enable()
        yield rcu_read_unlock()
        if (yield down_read_trylock(MMAP_LOCK)):
            yield up_read(MMAP_LOCK)
        if (yield down_write_trylock(MMAP_LOCK)):
            yield up_write(MMAP_LOCK)
        yield down_write(MMAP_LOCK)
        yield downgrade_write(MMAP_LOCK)
        yield folio_lock()
        yield down_read(at(o.vm_file, o.I_MMAP_RWSEM))
        yield up_read(at(o.vm_file, o.I_MMAP_RWSEM))
        yield folio_unlock()
        yield up_read(MMAP_LOCK)

    assert sections(text) == []


def test_what_is_wrong_with_references() -> None:
    """Kept at the end, given back too often, taken once more in each round, a new object kept."""

    def keeps() -> Steps:
        if (yield filemap_get_folio()) and (yield choose("error?", False, True)):
            yield folio_put()

    def puts_twice() -> Steps:
        yield alloc_page()
        yield free_page()
        yield free_page()

    def goes_round() -> Steps:
        yield loop("retry")
        if (yield filemap_get_folio()):
            yield again("retry")

    def keeps_a_table() -> Steps:
        yield allocate(o.prealloc_pte, "pte_alloc_one", "alloc_table")

    kept = "ends with a reference (folio->refcount) kept"
    for text, says in (
        (keeps, [kept]),
        (puts_twice, ["gives a reference (page->refcount) back, which it does not have"]),
        (goes_round, [kept, "takes a reference (folio->refcount) again and again"]),
        (keeps_a_table, ["ends with the new prealloc_pte kept"]),
    ):
        assert references(text) == says


def test_what_is_right_with_references() -> None:
    """Given to an entry, linked, freed; a mark in a count that is taken out; what an entry maps is one thing.

    vm_normal_page() is asked twice: a path on which it says "anonymous" once and "file" later is none.
    """

    def text() -> Steps:
        yield alloc_page()
        yield set_pte_anon()
        if (yield filemap_get_folio()):
            yield set_pte_file(False)
        yield allocate(o.prealloc_pte, "pte_alloc_one", "alloc_table")
        if (yield choose("first?", False, True)):
            yield pmd_populate()
        else:
            yield free(o.prealloc_pte, "pte_free")
        count = at(o.vma, o.VM_POLICY)  # any word
        if (yield inc_not_zero(count)) == "ok":
            yield add(count, -1)
        if (yield add_not_zero(count, 512)) == "ok":
            yield add(count, -512)
        yield read_pte(True)
        if (yield vm_normal_page()) == "anonymous":
            yield get_page(o.old_page)
        if (yield vm_normal_page()) == "anonymous":
            yield put_page(o.old_page)

    assert references(text) == []
