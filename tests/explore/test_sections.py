"""Sections are taken out from their beginning to their own end, and nothing else is."""

from __future__ import annotations

from collections.abc import Callable

from spfvar.automata.automaton import Automaton
from spfvar.automata.extract import Extractor
from spfvar.explore.sections import BUMP, begun_by, first_bumps, without_sections
from spfvar.ops import objects as o
from spfvar.ops.op import Op, Steps, again, loop
from spfvar.ops.paging import (
    filemap_create_folio,
    filemap_get_folio,
    folio_get,
    folio_put,
    get_page,
    put_page,
    remove_mapping,
    set_pte_file,
    set_pte_zero,
)
from spfvar.ops.pinning import try_grab_folio, unpin_user_page
from spfvar.ops.places import Field
from spfvar.ops.primitives import (
    add,
    add_not_zero,
    at,
    choose,
    dec_and_test,
    down_read,
    down_read_trylock,
    down_write,
    downgrade_write,
    folio_lock,
    folio_unlock,
    inc_not_zero,
    load_ref,
    rcu_read_lock,
    rcu_read_unlock,
    up_read,
    up_write,
    wait_equals,
    work,
)

SEQUENCE = Field(o.MM, "seq")
COUNT = at(o.vma, Field(o.VMA, "count"))
LOCK = at(o.mm, o.MMAP_LOCK)


def automaton_of(text: Callable[[], Steps]) -> Automaton:
    """A thread's text as its automaton."""
    return Extractor(lambda name, args: iter(())).automaton("thread", text)  # type: ignore[arg-type]


def begins(automaton: Automaton, op: Op) -> list[int]:
    """The nodes of a primitive."""
    return [number for number, other in enumerate(automaton.ops()) if other.name == op.name]


def ways(automaton: Automaton, longest: int = 40) -> set[tuple[str, ...]]:
    """What a thread may do, by every sequence of outcomes: the primitives, without those that do nothing."""
    found: set[tuple[str, ...]] = set()
    todo: list[tuple[int, tuple[str, ...], int]] = [(0, (), 0)]
    while todo:
        number, way, length = todo.pop()
        node = automaton.nodes[number]
        if node.op.name == "exit" or length == longest:
            found.add(way)
            continue
        name = () if node.op.name.startswith("(no ") else (node.op.name,)
        todo += [(successor, way + name, length + 1) for successor in set(node.successors)]
    return found


def without(text: Callable[[], Steps], op: Op) -> set[tuple[str, ...]] | None:
    """The ways of a text without the sections that a primitive begins."""
    automaton = automaton_of(text)
    left = without_sections(automaton, begins(automaton, op), {SEQUENCE})
    return None if left is None else ways(left)


def test_a_section_inside_another_of_its_kind_stays() -> None:
    """The outer rcu_read_lock() and the last rcu_read_unlock() go; the pair between them protects still."""

    def text() -> Steps:
        yield rcu_read_lock()
        yield work("first")
        yield rcu_read_lock().costing("inner")
        yield work("second")
        yield rcu_read_unlock()
        yield work("third")
        yield rcu_read_unlock()

    automaton = automaton_of(text)
    left = without_sections(automaton, [0])
    assert left is not None
    assert ways(left) == {("first", "rcu_read_lock()", "second", "rcu_read_unlock()", "third")}


def test_every_exit_of_a_section_goes_and_what_another_way_needs_stays() -> None:
    """A folio that we created is locked by that: its unlock is the end of no folio_lock(), and is kept."""

    def text() -> Steps:
        if not (yield filemap_create_folio()):
            yield folio_lock()
        yield folio_unlock()
        yield work("after")

    lock, unlock, create = folio_lock().name, folio_unlock().name, filemap_create_folio().name
    assert without(text, folio_lock()) == {(create, "after"), (create, unlock, "after")}
    assert ways(automaton_of(text)) == {(create, lock, unlock, "after"), (create, unlock, "after")}


def test_a_trylock_that_is_taken_out_is_always_taken() -> None:
    """Nobody gives up, and nobody holds it."""

    def text() -> Steps:
        if not (yield down_read_trylock(LOCK)):
            yield work("gives up")
            return
        yield work("works")
        yield up_read(LOCK)

    assert without(text, down_read_trylock(LOCK)) == {("works",)}


def test_a_lock_that_is_downgraded_goes_as_a_whole() -> None:
    """Neither the downgrade nor the release for reading is left; the early way out has its own end."""

    def text() -> Steps:
        yield down_write(LOCK)
        if (yield choose("early", True, False)):
            yield up_write(LOCK)
            return
        yield downgrade_write(LOCK)
        yield work("zaps")
        yield up_read(LOCK)

    assert without(text, down_write(LOCK)) == {("early",), ("early", "zaps")}


def test_a_reference_that_becomes_an_entrys_is_taken_when_the_entry_is_set() -> None:
    """The lookup's reference is dropped at once; where nothing is mapped, there is nothing more to drop."""

    def text() -> Steps:
        if not (yield filemap_get_folio()):
            return
        if (yield choose("maps", True, False)):
            yield set_pte_file(False)
        else:
            yield folio_put()

    get, put, take = filemap_get_folio().name, folio_put().name, folio_get().name
    assert without(text, filemap_get_folio()) == {
        (get,),
        (get, put, "maps", take, set_pte_file(False).name),
        (get, put, "maps"),
    }


def test_the_zero_page_takes_nobodys_reference() -> None:
    """Setting an entry of the zero page is no end of a folio's section: this reference is never dropped."""

    def text() -> Steps:
        yield folio_get()
        yield set_pte_zero()

    assert without(text, folio_get()) is None


def test_a_reference_that_is_handed_over_is_no_section() -> None:
    """fork's reference for the child's entry is dropped by whoever unmaps that."""

    def text() -> Steps:
        yield get_page(o.old_page)
        if (yield choose("copied", True, False)):
            yield work("into the child")
        else:
            yield put_page(o.old_page)

    assert without(text, get_page(o.old_page)) is None


def test_a_section_is_not_followed_beyond_a_change_of_its_register() -> None:
    """The file that is put is not the one that was taken."""

    def text() -> Steps:
        yield add(at(o.vm_file, o.F_COUNT), 1, "get_file")
        yield load_ref(at(o.vma, o.VM_FILE), o.vm_file)
        yield dec_and_test(at(o.vm_file, o.F_COUNT), "fput")

    assert without(text, add(at(o.vm_file, o.F_COUNT), 1, "get_file")) is None


def test_without_its_reference_a_count_is_not_the_last_ones() -> None:
    """inc_not_zero() has got it, dec_and_test() has not reached zero: the object is left to the others."""

    def text() -> Steps:
        if (yield inc_not_zero(COUNT)) != "ok":
            yield work("gives up")
            return
        yield work("works")
        if (yield dec_and_test(COUNT)):
            yield work("frees")

    assert without(text, inc_not_zero(COUNT)) == {("works",)}


def test_who_keeps_no_others_out_does_not_wait_for_them() -> None:
    """The wait for a count that was not raised would never end; another wait is kept."""

    def text() -> Steps:
        yield add_not_zero(COUNT, 512)
        yield wait_equals(COUNT, 513)
        yield wait_equals(at(o.mm, SEQUENCE), 0)
        yield add(COUNT, -512)

    assert without(text, add_not_zero(COUNT, 512)) == {(wait_equals(at(o.mm, SEQUENCE), 0).name,)}


def test_a_folio_that_is_freed_is_locked_still() -> None:
    """Freed or not: the section ends with the unlock, which goes as well."""

    def text() -> Steps:
        yield folio_lock()
        freed = yield remove_mapping()
        yield folio_unlock()
        yield work("freed" if freed else "kept")

    removes = remove_mapping().name
    assert without(text, folio_lock()) == {(removes, "freed"), (removes, "kept")}


def test_the_reference_of_who_frees_a_folio_stays() -> None:
    """Whether a folio may be freed depends on the count that the reference is part of."""

    def text() -> Steps:
        yield folio_get()
        if (yield remove_mapping()):
            return
        yield folio_put()

    assert without(text, folio_get()) is None


def test_a_writers_count_goes_from_odd_to_even_again() -> None:
    """Two write sections of a thread: each first increment begins one, each second one ends it."""

    def text() -> Steps:
        for name in ("first", "second"):
            yield add(at(o.mm, SEQUENCE), 1, f"begin {name}")
            yield add(at(o.mm, SEQUENCE), 2, f"odd after {name}")  # an even amount changes no parity
            yield add(at(o.mm, SEQUENCE), 1, f"end {name}")

    automaton = automaton_of(text)
    names = [op.name.split("(")[0] for op in automaton.ops()]
    assert [names[n] for n in sorted(first_bumps(automaton, {SEQUENCE}))] == ["begin first", "begin second"]
    left = without_sections(automaton, [names.index("begin second")], {SEQUENCE})
    assert left is not None
    (way,) = ways(left)
    assert [name.split("(")[0] for name in way] == [
        "begin first",
        "odd after first",
        "end first",
        "odd after second",
    ]


def test_a_count_is_a_sequence_only_if_readers_compare_it() -> None:
    """Otherwise an addition is a reference, and what is not added is none."""
    bump = add(at(o.mm, SEQUENCE), 1)
    section = begun_by(bump, {SEQUENCE})
    assert section is not None
    assert section[0].kind == BUMP
    section = begun_by(bump)
    assert section is not None
    assert section[0].kind == "reference"
    assert begun_by(add(at(o.mm, SEQUENCE), -1)) is None


def test_a_section_is_followed_round_a_loop() -> None:
    """Each round begins and ends it; both go in every round."""

    def text() -> Steps:
        yield loop("rounds")
        yield down_read(LOCK)
        yield work("works")
        yield up_read(LOCK)
        if (yield choose("once more", True, False)):
            yield again("rounds")

    left = without(text, down_read(LOCK))
    assert left is not None
    assert {name for way in left for name in way} == {"works", "once more"}


def test_a_text_that_begins_and_never_ends_is_no_section() -> None:
    """Nor one that begins ever more of them."""

    def endless() -> Steps:
        yield loop("deeper")
        yield rcu_read_lock()
        yield again("deeper")

    assert without(endless, rcu_read_lock()) is None


def test_a_pin_is_not_ended_by_a_reference_nor_the_other_way_round() -> None:
    """get_page ends with put_page, try_grab_folio with unpin_user_page, each of the same register."""
    get, pin = begun_by(get_page(o.old_page)), begun_by(try_grab_folio(o.old_page))
    assert get is not None
    assert pin is not None
    ends = (put_page(o.old_page), unpin_user_page(o.old_page))
    assert [get[0].ends_at(op) for op in ends] == [True, False]
    assert [pin[0].ends_at(op) for op in ends] == [False, True]
