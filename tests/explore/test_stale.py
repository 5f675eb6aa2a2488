"""Loads of old values in traces: which store was missed, and why it may be."""

from __future__ import annotations

import json

import pytest

from spfvar.explore.stale import Old
from spfvar.explore.trace import Step
from spfvar.explore.verdict import SAFE, VIOLATION
from spfvar.render.columns import trace_lines
from spfvar.review.html import columns
from tests.explore.weakworlds import verdict


def old_step(name: str) -> tuple[Step, Old]:
    """The only load of an old value on the way to a design's violation."""
    steps = verdict(name).findings[0].trace.steps
    (step,) = [step for step in steps if step.old is not None]
    assert step.old is not None
    return step, step.old


def stored(name: str, primitive: str) -> int:
    """The step at which a primitive of munmap() is executed."""
    steps = verdict(name).findings[0].trace.steps
    return next(step.number for step in steps if step.name.startswith(primitive))


@pytest.mark.parametrize("name", ["no-wmb", "no-rmb"])
def test_the_missed_store_is_named_with_its_step_and_value(name: str) -> None:
    """Whoever saw the flag reads the data as it was: munmap stored 1 there, before the flag."""
    step, old = old_step(name)
    assert (step.thread, step.name, step.outcome) == ("fault", "load(mm->data)", "no")
    assert (old.word, old.thread, old.value, old.later) == ("mm->data", "munmap", "1", 0)
    assert old.step == stored(name, "store 1(mm->data)") < stored(name, "store 1(mm->flag)")
    assert step.changes[-1] == str(old)
    assert str(old).startswith(f"OLD: munmap wrote 1 at step {old.step}; ")


def test_without_a_barrier_of_the_reader_it_is_the_loads_that_nothing_orders() -> None:
    """smp_wmb() sends the data along with the flag, which the fault has read; it did not acquire anything."""
    _, old = old_step("no-rmb")
    flag = stored("no-rmb", "store 1(mm->flag)")
    read = next(s.number for s in verdict("no-rmb").findings[0].trace.steps if s.name == "load(mm->flag)")
    assert old.why == (
        f"fault has read mm->flag at step {read}, as munmap stored it at step {flag}, which comes behind it, "
        "but nothing orders that load before this one"
    )
    assert old.last == "fault has acquired nothing"


def test_without_a_barrier_of_the_writer_it_is_the_stores() -> None:
    """The fault has its smp_rmb(), behind the load of the flag."""
    _, old = old_step("no-wmb")
    assert old.why.endswith("but nothing orders those two stores")
    fence = next(s.number for s in verdict("no-wmb").findings[0].trace.steps if s.name == "smp_rmb()")
    assert old.last == f"last barrier for loads of fault: smp_rmb() at step {fence}"


def test_what_was_acquired_last_is_named() -> None:
    """Whoever acquires the flag of a writer that does not release it knows no more for that."""
    _, old = old_step("no-release")
    flag = stored("no-release", "store 1(mm->flag)")
    assert old.last == f"last thing fault acquired: mm->flag of step {flag}"


def test_who_has_read_nothing_of_the_other_may_miss_its_stores() -> None:
    """Store buffering without a barrier: each load misses the other's store, or only the later one does."""
    olds = [step.old for step in verdict("no-mb").findings[0].trace.steps if step.old is not None]
    assert olds
    assert {old.why for old in olds} == {"nothing orders that before this load"}


def test_the_story_is_that_of_the_old_value() -> None:
    """Which store, which load that does not see it, why, and what comes of it; no guard is guessed at."""
    found = verdict("no-rmb").findings[0].trace
    step, old = old_step("no-rmb")
    wrote, misses, why, end = found.story
    assert wrote == f"munmap wrote 1 to mm->data at step {old.step}."
    assert misses == f"fault, in {step.function}, does not see that: load(mm->data): no (step {step.number})."
    assert why == f"It may miss it: {old.why}; {old.last}."
    assert end.endswith(f"{found.end[0]}.")


def test_it_has_a_line_of_its_own_and_an_entry_in_json() -> None:
    """In the column of the thread that reads; JSON has the store's thread, step and value, for other steps nothing."""
    trace = verdict("no-rmb").findings[0].trace
    lines = [line for line in trace_lines(trace, 80) if "OLD:" in line]
    assert len(lines) == 1
    cells = [text for _, row in columns(trace) for cell in row for _, text in cell if text.startswith("OLD:")]
    assert cells == [str(old_step("no-rmb")[1])]  # of the page
    told = json.loads(json.dumps(verdict("no-rmb").as_dict()))
    assert told["memory"] == "lkmm"
    assert "memory" not in verdict("no-rmb", "sc").as_dict()
    entries = told["trace"]
    (entry,) = [entry for entry in entries if "old" in entry]
    _, old = old_step("no-rmb")
    assert entry["old"]["missed"] == {"thread": "munmap", "step": old.step, "value": "1"}
    assert entry["old"]["word"] == "mm->data"


def test_a_design_without_weak_words_in_its_way_has_no_old_reads() -> None:
    """Under sequential consistency the designs without barriers are safe: nothing is seen late."""
    for name in ("no-wmb", "no-rmb", "no-release", "no-mb"):
        assert verdict(name, "sc").verdict == SAFE
        assert verdict(name).verdict == VIOLATION
