"""Traces: what they say, and in how many columns."""

from __future__ import annotations

from itertools import pairwise

import pytest

from spfvar.explore.trace import Step, Trace
from spfvar.render.columns import trace_lines
from tests.explore.checking import verdict, world


def trace_of(variant: str) -> Trace:
    """The first trace of a broken variant."""
    return verdict(variant).findings[0].trace


@pytest.mark.parametrize("variant", ["no-rcu-free", "spins", "crosses"])
@pytest.mark.parametrize("width", [60, 72, 80, 200])
def test_a_trace_fits_its_width_and_leaves_no_step_out(variant: str, width: int) -> None:
    """Every primitive and every change is there, folded or broken, in at most so many columns."""
    trace = trace_of(variant)
    lines = trace_lines(trace, width)
    assert max(map(len, lines)) <= width
    text = "".join("".join(lines).split())
    for step in trace.steps:
        if not step.assigns:
            assert "".join(step.name.split())[:12] in text
    assert [line[:3].strip() for line in lines if line[:3].strip(" -=>")] == [
        str(n + 1) for n in range(trace.length)
    ]


def test_four_threads_fit_into_a_mail() -> None:
    """Long names are broken inside their columns."""
    threads = ("fault 1", "fault 2", "munmap", "rcu_gp_kthread")
    change = "page_table 0[1]: none -> anon page 0 writable"
    steps = tuple(
        Step(i + 1, threads[i % 4], "speculative_page_walk_begin", "mmap_seq_read_check(mm->mmap_seq)", "yes", (change,))
        for i in range(8)
    )  # fmt: skip
    lines = trace_lines(Trace(threads, steps, ("the end",), ()), 72)
    assert max(map(len, lines)) <= 72


def test_a_trace_is_shortest_and_ends_where_it_hurts() -> None:
    """Breadth first: the last step is the access, the one before it freed the VMA under another thread's feet."""
    trace = trace_of("no-rcu-free")
    last = trace.steps[-1]
    assert last.outcome == "VIOLATION"
    assert last.thread == "fault"
    assert any("fault's vma = vma 0 (freed)" in step.changes for step in trace.steps)
    assert trace.end[1] == f"fault, in {last.function}: {last.name}"
    numbers = [step.number for step in trace.steps]
    assert all(after - before in (0, 1) for before, after in pairwise(numbers))


def test_a_deadlock_says_who_holds_what_and_who_waits() -> None:
    """Both locks with their holders, both threads with what they wait for."""
    found = verdict("crosses")
    assert found.property == "P11"
    end = found.findings[0].trace.end
    assert set(end[1:]) == {
        "mm->left_lock is held by fault",
        "mm->right_lock is held by munmap",
        "fault waits for mm->right_lock, in do_user_addr_fault",
        "munmap waits for mm->left_lock, in munmap",
    }


def test_a_race_that_reaches_too_little_is_vacuous() -> None:
    """The verdict stays safe, and names what was never executed."""
    found = verdict("crosses", "munmap-file", first=True)
    assert found.vacuous == ()  # only a complete search can tell
    safe = verdict("spins", livelock=False)
    assert safe.verdict == "safe"
    assert set(safe.vacuous) == set(world("spins").race.sometimes)
