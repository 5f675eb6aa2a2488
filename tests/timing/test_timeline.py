"""A window of a run in its order."""

from __future__ import annotations

from itertools import pairwise

import pytest

from spfvar.simulate.meters import X_END, X_START
from spfvar.simulate.recorded import Recorded
from spfvar.timing.timeline import Slice, Timeline, known_until, timeline
from tests.timing.recordings import churn, finite, recorded

SPAN = 30_000.0


def of_window(variant: str, span: float, events: int = 200_000) -> Recorded:
    """`churn` again, with the begin of its measured time as a window."""
    begin = float(churn(variant).meters.x[X_START])
    return recorded(variant, finite(6, 4, 12, shared=True), window=(begin, begin + span), events=events)


def window_of(variant: str, span: float = SPAN) -> Timeline:
    """The begin of the measured time of `churn`."""
    return timeline(of_window(variant, span))


@pytest.fixture(scope="module", params=["mmap-lock", "spf-do-fault", "per-vma-6.12"])
def shown(request: pytest.FixtureRequest) -> Timeline:
    """A timeline of each kind of protocol."""
    return window_of(request.param)


def test_slices_nest(shown: Timeline) -> None:
    """Two slices of a thread are apart, or the deeper one lies within the other; all lie within the window."""
    assert shown.span == shown.asked == SPAN
    for thread in range(len(shown.threads)):
        open_: list[Slice] = []
        for one in (s for s in shown.slices if s.thread == thread):
            while open_ and open_[-1].end <= one.begin:
                open_.pop()
            assert len(open_) == one.depth
            assert 0 <= one.begin < one.end <= (open_[-1].end if open_ else shown.span)
            open_.append(one)


def test_a_thread_that_runs_is_always_somewhere(shown: Timeline) -> None:
    """Its outermost slices leave no gap from its first to its last but what is rounded to whole nanoseconds."""
    for thread in range(len(shown.threads) - 1):
        outer = [s for s in shown.slices if s.thread == thread and s.depth == 0]
        assert outer
        gaps = [after.begin - before.end for before, after in pairwise(outer)]
        assert max(gaps, default=0) <= 1


def test_faults_have_functions_and_those_primitives(shown: Timeline) -> None:
    """The sorts by depth: a fault or call, functions, a primitive with its place, what it waits for."""
    faults = [s for s in shown.slices if s.sort == "fault"]
    assert faults
    assert {s.depth for s in faults} == {0}
    assert all(s.where for s in shown.slices if s.sort == "primitive")
    assert {s.name for s in shown.slices if s.sort == "kind"} >= {"line wait", "transfer"}


def test_handovers_go_from_one_thread_to_another(shown: Timeline) -> None:
    """Forwards in time, within the window."""
    assert {h.what for h in shown.handovers} >= {"line"}
    for one in shown.handovers:
        assert one.giver != one.taker
        assert 0 <= one.begin <= one.end <= shown.span


def test_a_rwsem_is_held_by_one_writer_at_a_time() -> None:
    """Holds of mmap_lock that overlap are readers'; there are both kinds."""
    shown = window_of("mmap-lock")
    holds = [h for h in shown.holds if h.lock == "mm_struct.mmap_lock"]
    assert len(holds) > 2
    assert len({h.number for h in holds}) == 1


def test_aborts_have_their_reasons() -> None:
    """Speculative faults next to writers give up."""
    shown = window_of("spf-do-fault", span=150_000.0)
    assert shown.aborts
    assert {a.event for a in shown.aborts} == {"spf_abort"}
    assert all(a.reason.startswith("spf_abort_") for a in shown.aborts)


def test_with_too_many_events_it_is_known_how_long_there_were_all() -> None:
    """Until then the timeline is that of a run with room for all of them."""
    assert known_until(of_window("mmap-lock", SPAN)) == SPAN
    known = known_until(of_window("mmap-lock", SPAN, 150))
    assert 0 < known < SPAN
    whole, short = window_of("mmap-lock"), window_of("mmap-lock", known)
    begun = [(s.thread, s.begin, s.name, s.sort) for s in whole.slices if s.begin < short.span]
    assert [(s.thread, s.begin, s.name, s.sort) for s in short.slices] == begun
    assert timeline(of_window("mmap-lock", known), SPAN).asked == SPAN


def test_the_window_is_of_the_measured_time() -> None:
    """A run that is counted to its end begins to be measured at once."""
    x = churn("mmap-lock").meters.x
    assert x[X_START] == 0.0
    assert x[X_END] > SPAN
