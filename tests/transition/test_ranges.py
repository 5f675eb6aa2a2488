"""Range locks: ranges that overlap exclude each other unless both are read, in the order of arrival."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from spfvar.ops import codes as c
from spfvar.ops import objects as o
from spfvar.ops.op import Op, Steps, again, loop
from spfvar.ops.places import RANGE_WORDS, Field
from spfvar.ops.primitives import (
    at,
    choose,
    range_downgrade,
    range_lock,
    range_trylock,
    range_unlock,
    range_wait,
)
from tests.transition.bench import Bench, Text, text_of

LOCK_FIELD = Field(o.MM, "range_lock", RANGE_WORDS)
LOCK = at(o.mm, LOCK_FIELD)
UNBALANCED = "a lock or section is released that is not held"
EARLIER = 1  # outcome of range_lock: there are earlier requests to wait for
PAGES = 16


def holding(write: bool, *then: Op) -> Text:
    """Ask, wait, do something, release."""
    return text_of(range_lock(LOCK, write), range_wait(LOCK), *then, range_unlock(LOCK, write))


READ, WRITE = holding(False), holding(True)


def bench(*texts: Text, ranges: tuple[tuple[int, int], ...]) -> Bench:
    """A thread per text, which asks for the range of the same number."""
    found = Bench(*texts, pages=PAGES)
    for thread, (start, end) in enumerate(ranges):
        found.put(thread, o.range_lock_start, start)
        found.put(thread, o.range_lock_end, end)
    return found


def test_disjoint_ranges_do_not_wait() -> None:
    """Two writers of ranges that touch but do not overlap hold them at the same time."""
    run = bench(WRITE, WRITE, ranges=((0, 4), (4, 8)))
    assert run.steps(0, 0, 1, 1) == ["ok"] * 4
    assert run.get(LOCK_FIELD) == 2


@pytest.mark.parametrize("second", [(0, 4), (3, 4), (2, 9), (0, 16)])
def test_a_writer_excludes_what_overlaps(second: tuple[int, int]) -> None:
    """One page in common is enough."""
    run = bench(WRITE, READ, ranges=((2, 4), second))
    assert run.steps(0, 0) == ["ok", "ok"]
    assert run.ask(1) == EARLIER
    assert run.steps(1, 0, 1) == ["waits", "ok", "ok"]


def test_readers_share() -> None:
    """Readers of the same range hold it together, and a writer waits for the last of them."""
    run = bench(READ, READ, WRITE, ranges=((0, 4),) * 3)
    assert [run.ask(thread) for thread in (0, 1, 2)] == [0, 0, EARLIER]
    assert run.steps(0, 1, 2) == ["ok", "ok", "waits"]
    assert run.steps(0, 2, 1, 2) == ["ok", "waits", "ok", "ok"]


def test_a_reader_waits_behind_a_writer_that_waits() -> None:
    """First come, first served: the later reader does not overtake."""
    run = bench(READ, WRITE, READ, ranges=((0, 4),) * 3)
    assert run.steps(0, 0, 1, 1, 2, 2) == ["ok", "ok", "ok", "waits", "ok", "waits"]
    assert run.steps(0, 1, 2, 1, 2) == ["ok", "ok", "waits", "ok", "ok"]


def test_who_waits_in_the_middle_holds_up_both_sides_only_where_they_overlap() -> None:
    """With 0..4 held, 2..8 waits and so does 6..9 behind it; 9..12 does not."""
    run = bench(WRITE, WRITE, WRITE, WRITE, ranges=((0, 4), (2, 8), (6, 9), (9, 12)))
    assert [run.ask(thread) for thread in range(4)] == [0, EARLIER, EARLIER, 0]


def test_a_request_that_need_not_wait_by_now_does_not_sleep() -> None:
    """The range is given up between the question and the wait."""
    run = bench(WRITE, WRITE, ranges=((0, 4),) * 2)
    run.steps(0, 0)
    assert run.ask(1) == EARLIER
    assert run.steps(0, 1) == ["ok", "ok"]


def test_a_trylock_takes_a_free_range_only() -> None:
    """Taken beside readers by a reader, not by a writer; what is not taken leaves no request."""
    tried = text_of(range_trylock(LOCK, True))
    shared = text_of(range_trylock(LOCK, False), range_unlock(LOCK, False))
    run = bench(READ, tried, shared, ranges=((0, 4),) * 3)
    run.steps(0, 0)
    assert (run.ask(1), run.get(LOCK_FIELD)) == (0, 1)
    assert (run.ask(2), run.get(LOCK_FIELD)) == (1, 2)
    assert run.steps(2) == ["ok"]


def test_a_downgrade_lets_readers_in() -> None:
    """Readers that waited for the writer get in, a writer does not, and the release is a reader's."""
    text = text_of(range_lock(LOCK, True), range_wait(LOCK), range_downgrade(LOCK), range_unlock(LOCK, False))
    run = bench(text, READ, WRITE, ranges=((0, 4),) * 3)
    assert run.steps(0, 0, 1, 1, 2, 2) == ["ok", "ok", "ok", "waits", "ok", "waits"]
    assert run.steps(0, 1, 2) == ["ok", "ok", "waits"]
    assert run.steps(0, 2, 1, 2) == ["ok", "waits", "ok", "ok"]


@pytest.mark.parametrize(
    "release", [range_unlock(LOCK, True), range_unlock(LOCK, False), range_downgrade(LOCK)]
)
def test_what_is_not_held_cannot_be_released(release: Op) -> None:
    """Nothing was asked for, or for the other purpose, or it is still waited for."""
    assert bench(text_of(release), ranges=((0, 4),)).step(0) == UNBALANCED
    writes = release.imm == 1
    run = bench(text_of(range_lock(LOCK, not writes), release), ranges=((0, 4),))
    assert run.steps(0, 0) == ["ok", UNBALANCED]
    early = text_of(range_lock(LOCK, writes), release)
    run = bench(WRITE, early, ranges=((0, 4),) * 2)
    assert run.steps(0, 0, 1, 1) == ["ok", "ok", "ok", UNBALANCED]


def test_who_asks_twice_waits_for_himself() -> None:
    """Even for reading, and for another range: a thread has one request."""
    run = bench(text_of(range_lock(LOCK, False), range_lock(LOCK, False)), ranges=((0, 4),))
    assert run.steps(0, 0, 0) == ["ok", "waits", "waits"]


@pytest.mark.parametrize(
    ("extent", "wanted", "had"),
    [
        (c.AS_IT_IS, (5, 6), (5, 6)),
        # Page tables of the bench have 4 entries.
        (c.WHOLE_TABLES, (5, 6), (4, 8)),
        (c.WHOLE_TABLES, (3, 5), (0, 8)),
        (c.WHOLE_TABLES, (4, 8), (4, 8)),
        (c.WHOLE_TABLES, (-1, 1), (0, 4)),
        (c.EVERYTHING, (5, 6), (0, PAGES)),
    ],
)
def test_a_request_is_widened(extent: int, wanted: tuple[int, int], had: tuple[int, int]) -> None:
    """To whole page tables (floor and ceiling), or to the address space."""
    run = bench(text_of(range_lock(LOCK, True, extent)), ranges=(wanted,))
    assert run.ask(0) == 0
    assert (run.register(0, o.range_lock_start), run.register(0, o.range_lock_end)) == had


def test_locks_of_two_address_spaces_are_two() -> None:
    """The same range of another mm is another range."""
    run = Bench(WRITE, WRITE, pages=PAGES, mms=2)
    for thread in (0, 1):
        run.put(thread, o.mm, thread)
        run.put(thread, o.range_lock_end, 4)
        run.take(o.MM, thread)
    assert run.steps(0, 0, 1, 1) == ["ok"] * 4
    assert (run.get(LOCK_FIELD, 0), run.get(LOCK_FIELD, 1)) == (1, 1)


# --- against a list ------------------------------------------------------------------------------


@dataclass
class Model:
    """Requests in the order of arrival: (thread, start, end, write)."""

    requests: list[tuple[int, int, int, bool]] = field(default_factory=list)

    def waits(self, thread: int) -> bool:
        """Is there an earlier request that overlaps the thread's, one of the two for writing?"""
        place = next(i for i, request in enumerate(self.requests) if request[0] == thread)
        _, start, end, write = self.requests[place]
        return any(
            start < other[2] and other[1] < end and (write or other[3]) for other in self.requests[:place]
        )

    def leave(self, thread: int) -> None:
        self.requests = [request for request in self.requests if request[0] != thread]


def forever(write: bool) -> Text:
    """Ask, wait and release, again and again."""

    def text() -> Steps:
        yield loop("again")
        yield range_lock(LOCK, write)
        yield range_wait(LOCK)
        yield range_unlock(LOCK, write)
        if (yield choose("end", False, True)):
            return
        yield again("again")

    return text


SPANS = st.tuples(st.integers(0, PAGES - 1), st.integers(1, 6)).map(lambda r: (r[0], min(PAGES, r[0] + r[1])))


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    ranges=st.lists(SPANS, min_size=5, max_size=5),
    moves=st.lists(st.integers(0, 4), min_size=20, max_size=120),
)
def test_it_is_a_list_of_requests(ranges: list[tuple[int, int]], moves: list[int]) -> None:
    """Whatever the order of steps, a thread holds its range exactly when the list says so.

    Threads 0 to 2 write, 3 and 4 read; each is at its question, its wait, its release or its test in turn.
    """
    run = bench(*(forever(thread < 3) for thread in range(5)), ranges=tuple(ranges))
    model, at_step = Model(), [0] * 5
    for thread in moves:
        if at_step[thread] == 0:
            model.requests.append((thread, *ranges[thread], thread < 3))
            assert run.ask(thread) == model.waits(thread)
        elif at_step[thread] == 1:
            waits = model.waits(thread)
            assert run.step(thread) == ("waits" if waits else "ok")
            if waits:
                continue
        else:
            assert run.step(thread) == "ok"
            if at_step[thread] == 2:
                model.leave(thread)
        at_step[thread] = (at_step[thread] + 1) % 4
        assert run.get(LOCK_FIELD) == len(model.requests)
