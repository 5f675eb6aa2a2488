"""One cell, recorded: what is asked for is what is run."""

from __future__ import annotations

import math
from typing import Any

import pytest

import spfvar
from spfvar.errors import InputError
from spfvar.matrix import why as why_module
from spfvar.timing.timeline import Timeline


def test_it_is_the_cell_of_a_comparison() -> None:
    """The throughput is that of compare's first seed, to the bit."""
    why = spfvar.why("spf-do-fault", "file-cow", threads=4, hardware="phone-8c", seed=3)
    frame = spfvar.compare(
        "spf-do-fault", scenarios=["file-cow"], threads=[4], hardware="phone-8c", seeds=1, seed=3
    )
    rate = frame[(frame.metric == "faults_per_s") & (frame.variant == "spf-do-fault")].value
    assert [why.breakdown.faults_per_s] == rate.tolist()
    assert (why.against, why.differences, why.timeline) == (None, (), None)
    assert math.isnan(why.ratio)


def test_against_another() -> None:
    """Both are run with the same seed; the differences add up."""
    why = spfvar.why("per-vma-6.12", "mmap-churn", threads=8, against="mmap-lock", hardware="phone-8c")
    assert why.against is not None
    faults, others = why.breakdown.faults, why.against.faults
    assert sum(one.change for one in why.differences) == pytest.approx(faults.mean - others.mean, abs=1e-6)
    assert why.ratio == why.breakdown.faults_per_s / why.against.faults_per_s
    assert why.call_differences


def test_frames_have_a_row_per_step_line_and_lock() -> None:
    """Whose times are those of the breakdown."""
    why = spfvar.why("mmap-lock", "pft", threads=4, hardware="phone-8c")
    steps = why.steps
    assert steps[steps.what == "fault"].ns.sum() == pytest.approx(why.breakdown.faults.mean)
    assert set(why.lines.line) == {line.name for line in why.breakdown.faults.lines if line.takers}
    assert why.locks.name.tolist() == [lock.name for lock in why.breakdown.locks]


def test_without_threads_it_is_the_loads_most() -> None:
    """Of those that the machine can run at once."""
    why = spfvar.why("mmap-lock", "pft", hardware="phone-8c")
    assert why.breakdown.threads == 8


@pytest.mark.parametrize(
    ("variant", "scenario", "more", "said"),
    [
        ("mmap-lok", "pft", {}, "did you mean 'mmap-lock'"),
        ("mmap-lock", "ptf", {}, "did you mean 'pft'"),
        ("mmap-lock", "file-*", {}, "loads match 'file-*'; expected one"),
        ("mmap-lock", "pft", {"against": "mmap-lock"}, "against: mmap-lock is what is asked about"),
        ("mmap-lock", "pft", {"against": "spf-do-falt"}, "did you mean 'spf-do-fault'"),
        ("mmap-lock", "pft", {"threads": 0}, "threads: 0 threads; expected 1 to"),
        ("mmap-lock", "pft", {"hardware": "phone"}, "phone-8c"),
        ("mmap-lock", "pft", {"axes": {"vms": 1}}, "no chosen scenario has an axis 'vms'"),
    ],
)
def test_what_makes_no_sense_is_told(variant: str, scenario: str, more: dict[str, Any], said: str) -> None:
    """With the nearest name, before anything is run."""
    with pytest.raises(InputError) as error:
        spfvar.why(variant, scenario, **more)
    assert said in str(error.value)


def test_a_timeline_that_would_have_too_many_events_is_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    """It says how long it should have been, and is what a shorter one would be."""
    monkeypatch.setattr(why_module, "MOST_EVENTS", 500)
    cut = timeline_of(50_000.0)
    assert 0 < cut.span < cut.asked == 50_000
    monkeypatch.undo()
    whole = timeline_of(float(cut.span))
    assert (whole.slices, whole.holds) == (cut.slices, cut.holds)


def timeline_of(span: float) -> Timeline:
    """So much of a run."""
    shown = spfvar.why("mmap-lock", "pft", threads=4, hardware="phone-8c", span=span).timeline
    assert shown is not None
    return shown
