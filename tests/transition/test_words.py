"""Registers, words of memory and open choices: each op's effect and outcome, one by one."""

from __future__ import annotations

import pytest

from spfvar.ops import codes as c
from spfvar.ops import objects as o
from spfvar.ops.op import Op, Steps
from spfvar.ops.paging import next_table
from spfvar.ops.primitives import (
    add,
    add_not_zero,
    add_registers,
    at,
    choose,
    copy_register,
    dec_and_test,
    equals,
    equals_register,
    inc_not_zero,
    load,
    load_nonzero,
    load_odd,
    next_address,
    registers_equal,
    set_register,
    store,
    store_register,
    test_register,
    wait_equals,
)
from tests.transition.bench import Bench, text_of

WORD = at(o.mm, o.PGTABLES_BYTES)
test_register.__test__ = False  # type: ignore[attr-defined]  # a primitive, no test


@pytest.mark.parametrize(
    ("op", "counter", "outcome"),
    [
        (set_register(o.counter, 5), 5, 0),
        (copy_register(o.counter, o.scratch), 7, 0),
        (copy_register(o.counter, o.scratch, -2), 5, 0),
        (add_registers(o.counter, o.scratch, o.limit), 17, 0),
        (next_address(o.counter, o.limit, 3), 6, 1),
        (next_address(o.counter, o.limit, 7), 10, 0),
        (registers_equal(o.scratch, o.limit), 3, 0),
        (registers_equal(o.counter, o.counter), 3, 1),
        (test_register(o.counter, 4, "bit"), 3, 0),
        (test_register(o.counter, 2, "bit"), 3, 1),
        (load(WORD, o.counter), 9, 0),
        (load_nonzero(WORD, o.counter), 9, 1),
        (load_odd(WORD, o.counter), 9, 1),
        (equals(WORD, 9), 3, 1),
        (equals(WORD, 8), 3, 0),
        (equals_register(WORD, o.scratch), 3, 0),
    ],
    ids=lambda x: x.name if isinstance(x, Op) else "",
)
def test_an_op_sets_its_register_and_reports_its_outcome(op: Op, counter: int, outcome: int) -> None:
    """From counter = 3, scratch = 7, limit = 10, word = 9."""
    bench = Bench(text_of(op, copy_register(o.counter, o.counter), load(WORD, o.scratch)))
    bench.put(0, o.counter, 3)
    if o.scratch in bench.layout.registers:
        bench.put(0, o.scratch, 7)
    bench.put(0, o.limit, 10)
    bench.set(o.PGTABLES_BYTES, 9)
    assert (bench.ask(0), bench.register(0, o.counter)) == (outcome, counter)
    assert bench.get(o.PGTABLES_BYTES) == 9


@pytest.mark.parametrize(
    ("op", "before", "after", "outcome"),
    [
        (store(WORD, 4), 9, 4, 0),
        (store_register(WORD, o.counter), 9, 3, 0),
        (add(WORD, 2), 9, 11, 0),
        (add(WORD, -2), 9, 7, 0),
        (inc_not_zero(WORD, 10), 9, 10, 0),
        (inc_not_zero(WORD, 10), 0, 0, 1),
        (inc_not_zero(WORD, 10), 10, 10, 2),
        (add_not_zero(WORD, 512), 9, 521, 0),
        (add_not_zero(WORD, 512), 0, 0, 1),
        (dec_and_test(WORD), 2, 1, 0),
        (dec_and_test(WORD), 1, 0, 1),
    ],
    ids=lambda x: x.name if isinstance(x, Op) else "",
)
def test_an_op_changes_its_word_and_reports_its_outcome(
    op: Op, before: int, after: int, outcome: int
) -> None:
    """With counter = 3; inc_not_zero refuses 0 (outcome 1) and the limit (2)."""
    bench = Bench(text_of(op, copy_register(o.counter, o.counter)))
    bench.put(0, o.counter, 3)
    bench.set(o.PGTABLES_BYTES, before)
    assert (bench.ask(0), bench.get(o.PGTABLES_BYTES)) == (outcome, after)


def test_what_is_left_of_a_count_goes_to_a_register() -> None:
    """The decrement and the look at its result are one step."""
    bench = Bench(text_of(dec_and_test(WORD, left=o.counter), copy_register(o.counter, o.counter)))
    bench.set(o.PGTABLES_BYTES, 514)
    assert (bench.ask(0), bench.register(0, o.counter)) == (0, 513)


def test_a_count_does_not_fall_below_zero() -> None:
    """One reference too many was given back."""
    bench = Bench(text_of(dec_and_test(WORD)))
    bench.set(o.PGTABLES_BYTES, 0)
    assert bench.step(0) == c.VIOLATIONS[c.V_REFCOUNT]


def test_loads_of_zero_and_of_even_numbers_say_so() -> None:
    """load_nonzero of 0 and load_odd of 8 have outcome 0."""
    bench = Bench(text_of(load_nonzero(WORD, o.counter), load_odd(WORD, o.counter)))
    assert bench.ask(0) == 0
    bench.set(o.PGTABLES_BYTES, 8)
    assert (bench.ask(0), bench.register(0, o.counter)) == (0, 8)


def test_a_sequence_wraps_at_its_width() -> None:
    """With 3 bits, 7 + 1 is 0: the exhaustive search stays finite, and wrapping is modelled."""
    bench = Bench(text_of(add(WORD, 1)), seq_bits=3)
    bench.set(o.PGTABLES_BYTES, 7)
    bench.step(0)
    assert bench.get(o.PGTABLES_BYTES) == 0


def test_next_table_goes_to_the_first_page_of_the_next_table() -> None:
    """With 4 entries per table, page 5 leads to 8; outcome: is that below the limit?"""
    bench = Bench(text_of(next_table(), next_table()))
    bench.put(0, o.cursor, 5)
    bench.put(0, o.limit, 9)
    assert (bench.ask(0), bench.register(0, o.cursor)) == (1, 8)
    assert (bench.ask(0), bench.register(0, o.cursor)) == (0, 12)


def test_wait_equals_waits_until_the_word_has_the_value() -> None:
    """Another thread's store lets the waiter go on."""
    bench = Bench(text_of(wait_equals(WORD, 2)), text_of(store(WORD, 1), store(WORD, 2)))
    assert bench.steps(0, 1, 0, 1, 0) == ["waits", "ok", "waits", "ok", "ok"]


@pytest.mark.parametrize("choice", [0, 1, 2])
def test_the_scheduler_decides_an_open_choice(choice: int) -> None:
    """The outcome is the given one, and the thread goes that way."""

    def text() -> Steps:
        picked = yield choose("which", "a", "b", "c")
        yield set_register(o.counter, ord(picked))

    bench = Bench(text)
    bench.step(0, choice)
    bench.step(0)
    assert bench.register(0, o.counter) == ord("abc"[choice])


def test_a_thread_that_has_ended_never_moves_again() -> None:
    """The last op is followed by "exit", which waits for ever."""
    bench = Bench(text_of(set_register(o.counter, 1)))
    assert bench.steps(0, 0, 0) == ["ok", "waits", "waits"]
