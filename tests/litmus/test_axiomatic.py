"""The enumerator says of known shapes what the kernel's documents and the axioms say of them."""

from __future__ import annotations

import pytest

from spfvar.litmus.parse import parse
from tests.litmus.axiomatic import sequential, states, verdict, without_load_buffering
from tests.litmus.cycles import by_name, to_test
from tests.litmus.traces import RefusedError

#: Each with the axiom that forbids it, or why nothing does.
SHAPES = {
    # Message passing: happens-before needs order on both sides.
    "W-po-W+R-po-R": "sometimes",
    "W-wmb-W+R-po-R": "sometimes",
    "W-po-W+R-mb-R": "sometimes",
    "W-wmb-W+R-rmb-R": "never",
    "W-release-W+R-acquire-R": "never",
    "W-xchg-release-W+R-fetch-acquire-R": "never",
    "W-wmb-W+R-addr-R": "never",
    "W-wmb-W+R-ctrl-R": "sometimes",  # a branch orders stores only
    "W-locks-W+R-rmb-R": "never",  # an unlock, then a lock on the same CPU: stores stay in order
    "W-lock-W+R-rmb-R": "sometimes",  # within a section nothing is
    "W-lock-W+R-lock-R": "never",  # unless the other side is in a section of the same lock
    # Store buffering: only strong fences, on both sides.
    "W-mb-R+W-po-R": "sometimes",
    "W-mb-R+W-mb-R": "never",
    "W-full-rmw-R+W-mb-R": "never",
    "W-xchg-R+W-mb-R": "never",
    "W-before-atomic-R+W-mb-R": "never",
    "W-after-atomic-R+W-mb-R": "never",
    "W-locks-R+W-mb-R": "sometimes",  # the one order that an unlock and a lock do not give
    "W-locks-mb-R+W-mb-R": "never",
    "W-spinlock-mb-R+W-mb-R": "never",
    # Load buffering: any order on both sides.
    "R-po-W+R-po-W": "sometimes",
    "R-data-W+R-po-W": "sometimes",
    "R-data-W+R-ctrl-W": "never",
    "R-addr-W+R-acquire-W": "never",
    "R-release-W+R-locks-W": "never",
    # A store, then a load or a store of the other side.
    "W-wmb-W+R-data-W": "never",
    "W-wmb-W+R-po-W": "sometimes",
    "W-mb-W+W-mb-R": "never",
    "W-release-W+W-mb-R": "sometimes",  # propagation: two links that are no reads-from, one strong fence
    "W-mb-W+W-wmb-W": "sometimes",
    "W-mb-W+W-mb-W": "never",
    # Three and four threads: releases and full fences are cumulative, dependencies and acquires are not.
    "W+R-release-W+R-rmb-R": "never",
    "W+R-data-W+R-rmb-R": "sometimes",
    "W+R-acquire-W+R-acquire-R": "sometimes",
    "W-release-W+R-release-W+R-acquire-R": "never",
    "W-release-W+R-release-W+W-mb-R": "sometimes",
    "W-mb-W+R-acquire-R+W-mb-R": "never",  # what happens after a strong fence counts as behind it
    "W-mb-W+R-po-R+W-mb-R": "sometimes",
    "W+R-mb-R+W+R-mb-R": "never",
    "W+R-acquire-R+W+R-acquire-R": "sometimes",
    # At least as many grace periods as read-side sections.
    "W-sync-R+W-rcu-R": "never",
    "W-rcu-R+W-rcu-R": "sometimes",
    "R-rcu-R+W-sync-W": "never",
    "R-rcu-R+W-mb-W": "sometimes",
    "R-rcu-W+R-sync-W+R-rcu-W": "sometimes",
    "R-rcu-W+R-sync-W+R-sync-W": "never",
    "W-sync-W+W-rcu-W+W-sync-W+W-rcu-W": "never",
    "W-sync-W+W-sync-W+W-rcu-W+W-rcu-W": "never",
    "W-sync-W+W-rcu-W+W-rcu-W+W-rcu-W": "sometimes",
}


@pytest.mark.parametrize("name", SHAPES)
def test_known_shapes(name: str) -> None:
    """The verdict of the axioms."""
    assert verdict(to_test(by_name(name))) == SHAPES[name]


@pytest.mark.parametrize("name", [name for name in SHAPES if SHAPES[name] == "sometimes"])
def test_load_buffering_is_what_stores_before_the_loads_they_follow(name: str) -> None:
    """Only where each thread of a cycle loads, then stores, and is read: nothing else needs it."""
    needs = all(part.startswith("R") and part.endswith("W") for part in name.split("+"))
    found = verdict(to_test(by_name(name)), without_load_buffering)
    assert found == ("never" if needs else "sometimes")


def run(values: str, *threads: str, clause: str) -> str | None:
    """The verdict on threads with the words x and y, the lock l and the domain s."""
    head = "(int *x, int *y, spinlock_t *l, struct srcu_struct *s)"
    text = "".join(f"P{n}{head} {{ {body} }}\n" for n, body in enumerate(threads))
    return verdict(parse(f"C T\n{{{values}}}\n{text}exists ({clause})\n"))


def test_a_word_has_one_order_for_all() -> None:
    """Coherence: two loads of a word do not go back, stores of a thread stay in order."""
    loads = "int a; int b; a = READ_ONCE(*x); b = READ_ONCE(*x);"
    assert run("", "WRITE_ONCE(*x, 1);", loads, clause=r"1:a=1 /\ 1:b=0") == "never"
    assert run("", "WRITE_ONCE(*x, 1); WRITE_ONCE(*x, 2);", clause="x=2") == "always"


def test_atomic_changes_do_not_overlap() -> None:
    """Two increments are two; a store does not come between the halves of one."""
    assert run("", "atomic_inc(x);", "atomic_inc(x);", clause="x=2") == "always"
    assert run("x=1;", "int r; r = cmpxchg(x, 1, 3);", "WRITE_ONCE(*x, 2);", clause="x=3") == "never"
    assert run("x=1;", "int r; r = atomic_add_unless(x, 1, 0);", "atomic_set(x, 0);", clause="x=2") == "never"


def test_a_failed_exchange_orders_nothing() -> None:
    """Store buffering with a cmpxchg() that succeeds, and one that finds another value."""
    body = "int r; WRITE_ONCE(*{0}, 1); r = cmpxchg(l, {2}, 0); r = READ_ONCE(*{1});"
    full = [body.format("x", "y", "0"), body.format("y", "x", "0")]
    failed = [body.format("x", "y", "1"), body.format("y", "x", "1")]
    assert run("", *full, clause=r"0:r=0 /\ 1:r=0") == "never"
    assert run("", *failed, clause=r"0:r=0 /\ 1:r=0") == "sometimes"


def test_a_change_that_returns_nothing_is_no_load_for_rmb() -> None:
    """But for one that returns something it is."""
    reader = "int r; r = {}; smp_rmb(); r = READ_ONCE(*x);"
    writer = "WRITE_ONCE(*x, 1); smp_wmb(); WRITE_ONCE(*y, 1);"
    clause = r"y=2 /\ 1:r=0"
    assert run("", writer, reader.format("atomic_fetch_inc_relaxed(y)"), clause=clause) == "never"
    silent = reader.replace("r = {}", "atomic_inc(y)")
    assert run("", writer, silent, clause=clause) == "sometimes"


def test_a_release_goes_on_through_atomic_changes() -> None:
    """Who acquires what an increment left has what the release before it published (``rmw-sequence``)."""
    writer = "WRITE_ONCE(*x, 1); smp_store_release(y, 1);"
    reader = "int a; int b; a = smp_load_acquire(y); b = READ_ONCE(*x);"
    assert run("", writer, "atomic_inc(y);", reader, clause=r"2:a=2 /\ 2:b=0") == "never"
    again = "int r; r = READ_ONCE(*y); if (r == 1) WRITE_ONCE(*y, 2);"
    assert run("", writer, again, reader, clause=r"2:a=2 /\ 2:b=0") == "sometimes"


def test_sections_of_a_lock_exclude_each_other() -> None:
    """An increment in two halves is safe under a lock; who tries sees that it is taken."""
    body = "int r; spin_lock(l); r = READ_ONCE(*x); WRITE_ONCE(*x, r + 1); spin_unlock(l);"
    assert run("", body, body, clause="x=2") == "always"
    free = body.replace("spin_lock(l);", "").replace("spin_unlock(l);", "")
    assert run("", free, free, clause="x=2") == "sometimes"
    holder = "int r; spin_lock(l); r = spin_is_locked(l); spin_unlock(l);"
    assert run("", holder, "int r; r = spin_trylock(l);", clause=r"0:r=1 /\ 1:r=0") == "sometimes"
    assert run("", holder, clause="0:r=1") == "always"


def test_an_execution_that_does_not_end_is_none() -> None:
    """Nobody gives the lock back: one thread gets it, the test has no end state."""
    assert run("", "spin_lock(l);", "spin_lock(l);", clause="true") is None


def test_srcu_periods_wait_for_sections_of_their_own_domain_only() -> None:
    """As RCU's, but for the place."""
    reader = "int i; int a; int b; i = srcu_read_lock(s); a = READ_ONCE(*x); b = READ_ONCE(*y); srcu_read_unlock(s, i);"
    writer = "WRITE_ONCE(*y, 1); synchronize_srcu({}); WRITE_ONCE(*x, 1);"
    clause = r"0:a=1 /\ 0:b=0"
    assert run("", reader, writer.format("s"), clause=clause) == "never"
    assert run("", reader, writer.format("l"), clause=clause) == "sometimes"


def test_values_are_made_by_the_stores_before() -> None:
    """Each thread adds to what it found; a dependency forbids a value out of nowhere."""
    add = "int r; r = READ_ONCE(*x); WRITE_ONCE(*x, r + 1);"
    assert run("", add, add, add, clause="x=3") == "sometimes"
    assert run("", add, add, add, clause="x=4") == "never"
    copy = "int r; r = READ_ONCE(*{}); WRITE_ONCE(*{}, r);"
    assert run("", copy.format("x", "y"), copy.format("y", "x"), clause="x=0") == "always"


def test_addresses_are_values() -> None:
    """They are followed, compared, and none is a number."""
    assert (
        run("x=&y; y=7;", "int *p; int r; p = READ_ONCE(*x); r = READ_ONCE(*p);", clause=r"0:p=y /\ 0:r=7")
        == "always"
    )
    assert run("x=&y;", "int *p; int r; p = READ_ONCE(*x); r = !p;", clause="0:r=0") == "always"


def test_a_load_comes_before_the_store_that_overwrites_what_it_read() -> None:
    """A value goes round three threads: happens-before has fr within the first one, which has no dependency."""
    first = "int r; r = READ_ONCE(*x); WRITE_ONCE(*x, 2);"
    second = "int r; r = READ_ONCE(*x); if (r == 2) WRITE_ONCE(*y, 1);"
    third = "int r; r = READ_ONCE(*y); WRITE_ONCE(*x, r);"
    assert run("", first, second, third, clause=r"0:r=1") == "never"


def test_a_load_waits_for_what_the_store_that_it_reads_depends_on() -> None:
    """x to y by data, y read back by the same thread, on to the lock's word: load buffering is forbidden."""
    first = "int a; int b; a = READ_ONCE(*x); WRITE_ONCE(*y, a); b = READ_ONCE(*y); WRITE_ONCE(*l, {});"
    second = "int r; r = READ_ONCE(*l); smp_mb(); WRITE_ONCE(*x, 1);"
    clause = r"0:a=1 /\ 0:b=1 /\ 1:r=1"
    assert run("", first.format("b"), second, clause=clause) == "never"
    assert run("", first.format("1"), second, clause=clause) == "sometimes"


def test_a_filter_leaves_executions_out() -> None:
    """What it leaves may then be always so."""
    text = "C T\n{{}}\nP0(int *x) {{ WRITE_ONCE(*x, 1); }}\nP1(int *x) {{ int r; r = READ_ONCE(*x); }}\n{}exists (1:r=1)"
    assert verdict(parse(text.format(""))) == "sometimes"
    assert verdict(parse(text.format("filter (1:r=1)\n"))) == "always"


def test_states_are_those_of_what_is_asked_about() -> None:
    """Store buffering: all four ends, one of them not with an order for all."""
    test = to_test(by_name("W-po-R+W-po-R"))
    assert states(test) == {(0, 0), (0, 1), (1, 0), (1, 1)}
    assert states(test, sequential) == {(0, 1), (1, 0), (1, 1)}


def test_plain_accesses_are_refused() -> None:
    """Rather than taken for marked ones."""
    with pytest.raises(RefusedError, match="a plain load"):
        run("", "int r; r = *x;", clause="true")
    with pytest.raises(RefusedError, match="a plain store"):
        run("", "*x = 1;", clause="true")
