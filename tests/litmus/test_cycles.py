"""Generated cycles are what they claim to be, and order only ever forbids: thousands of cases for the enumerator."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.litmus.axiomatic import sequential, states, verdict
from tests.litmus.cycles import (
    ACQUIRE,
    ADDRESS,
    AFTER_ATOMIC,
    BEFORE_ATOMIC,
    CONTROL,
    DATA,
    FULL_CHANGE,
    LINKS,
    MB,
    ONE_LOCK,
    PO,
    READER,
    RELEASE,
    RMB,
    SYNC,
    WMB,
    Cycle,
    Link,
    by_name,
    cycles,
    every_cycle,
    is_cycle,
    name,
    to_test,
)
from tests.litmus.weaken import weakenings

UNTIMED = tuple(link for link in LINKS if link not in (SYNC, READER))
BASIC = (PO, MB, RMB, WMB, ACQUIRE, RELEASE)


def with_link(cycle: Cycle, place: int, link: Link) -> Cycle:
    """The cycle with another link in one thread."""
    segment = replace(cycle[place], link=link)
    return (*cycle[:place], segment, *cycle[place + 1 :])


def all_with(cycle: Cycle, link: Link) -> Cycle:
    """The cycle with the same link everywhere."""
    return tuple(replace(s, link=link if s.link is not None else None) for s in cycle)


@given(cycles())
@settings(max_examples=200, deadline=None)
def test_no_sequentially_consistent_machine_closes_a_cycle(cycle: Cycle) -> None:
    """And it comes to an end: the test is not vacuous."""
    assert verdict(to_test(cycle), sequential) == "never"


@given(cycles(BASIC))
@settings(max_examples=100, deadline=None)
def test_without_any_order_every_cycle_may_close(cycle: Cycle) -> None:
    """Nothing in LKMM orders accesses to two words but what is between them."""
    assert verdict(to_test(all_with(cycle, PO))) == "sometimes"


@given(cycles(BASIC), st.sampled_from([MB, SYNC]))
@settings(max_examples=100, deadline=None)
def test_strong_fences_between_all_accesses_leave_what_an_order_for_all_leaves(
    cycle: Cycle, link: Link
) -> None:
    """Not only the verdict: the same final states."""
    test = to_test(all_with(cycle, link))
    assert states(test) == states(test, sequential)


@given(cycles(UNTIMED, largest=3))
@settings(max_examples=100, deadline=None)
def test_what_an_order_for_all_allows_lkmm_allows(cycle: Cycle) -> None:
    """Grace periods aside: `sequential` gives them no meaning."""
    test = to_test(cycle)
    assert states(test, sequential) <= states(test)


@given(cycles((*BASIC, DATA, CONTROL, ADDRESS, BEFORE_ATOMIC, AFTER_ATOMIC, FULL_CHANGE)), st.data())
@settings(max_examples=200, deadline=None)
def test_a_full_fence_is_at_least_as_strong_as_any_link_of_one_thread(
    cycle: Cycle, data: st.DataObject
) -> None:
    """Locks and read-side sections order by what other threads do, and are not among them."""
    places = [n for n, s in enumerate(cycle) if s.link is not None]
    if verdict(to_test(cycle)) == "never":
        stronger = with_link(cycle, data.draw(st.sampled_from(places)), MB)
        assert verdict(to_test(stronger)) == "never"


@given(cycles((*BASIC, DATA, CONTROL, ADDRESS)), st.data())
@settings(max_examples=200, deadline=None)
def test_a_release_is_at_least_as_strong_as_a_wmb_and_an_acquire_as_a_rmb(
    cycle: Cycle, data: st.DataObject
) -> None:
    """The release also orders loads before it and is cumulative, the acquire also orders stores behind it."""
    stronger = {WMB: RELEASE, RMB: ACQUIRE}
    places = [n for n, s in enumerate(cycle) if s.link in stronger]
    if places and verdict(to_test(cycle)) == "never":
        place = data.draw(st.sampled_from(places))
        link = cycle[place].link
        assert link is not None
        assert verdict(to_test(with_link(cycle, place, stronger[link]))) == "never"


@given(cycles(largest=3))
@settings(max_examples=60, deadline=None)
def test_less_order_never_forbids(cycle: Cycle) -> None:
    """Each weakening of a test has all the states of the test."""
    test = to_test(cycle)
    allowed = states(test)
    for what, weaker in weakenings(test):
        assert allowed <= states(weaker), what


def test_weakenings_name_what_is_missing() -> None:
    """A fence, an acquire, a release, a full change: each once, each by itself."""
    assert [what for what, _ in weakenings(to_test(by_name("W-wmb-W+R-acquire-R")))] == [
        "P0: no wmb",
        "P1: no acquire",
    ]
    assert [what for what, _ in weakenings(to_test(by_name("W-full-rmw-R+W-release-W")))] == [
        "P0: acquire, not full",
        "P0: release, not full",
        "P0: relaxed, not full",
        "P1: no release",
    ]
    assert list(weakenings(to_test(by_name("W-po-W+R-ctrl-R")))) == []


def test_names_are_of_one_cycle_each() -> None:
    """And lead back to it."""
    found = list(every_cycle(2, LINKS))
    assert len({name(cycle) for cycle in found}) == len(found)
    assert all(by_name(name(cycle)) == cycle for cycle in found)


def test_two_threads_and_one_link_give_the_six_classic_shapes() -> None:
    """Two links make two words; each word is met as W-R, R-W or W-W: 3 x 3 ways, 6 without turned ones."""
    assert {name(cycle).replace("-po-", "") for cycle in every_cycle(2, (PO,))} == {
        "RR+WW",  # MP
        "RW+RW",  # LB
        "RW+WW",  # S
        "WR+WR",  # SB
        "WR+WW",  # R
        "WW+WW",  # 2+2W
    }


@pytest.mark.parametrize(
    "cycle",
    ["R-po-R+R-po-R", "W+W-po-W", "W-po-W+W+W-po-W", "R-data-W+R-addr-W"],
    ids=["load after load", "one word", "three stores to a word", "an address in a sum"],
)
def test_what_is_no_cycle(cycle: str) -> None:
    """What a clause could not tell, or nobody could write."""
    with pytest.raises(AssertionError):
        by_name(cycle)


def test_every_pair_of_links_has_a_verdict() -> None:
    """All cycles of two threads: order forbids some, leaves others; none is without an end."""
    found = {name(cycle): verdict(to_test(cycle)) for cycle in every_cycle(2, LINKS)}
    assert set(found.values()) == {"never", "sometimes"}
    assert {n for n in found if found[n] == "never"} >= {"W-mb-R+W-sync-R", "R-lock-R+W-lock-W"}
    assert is_cycle(all_with(by_name("W-po-W+R-po-R"), ONE_LOCK))
