"""Traces: what they say, and in how many columns."""

from __future__ import annotations

from itertools import pairwise

import pytest

from spfvar.explore.moves import Walker
from spfvar.explore.search import WAYS
from spfvar.explore.sections import LOCK
from spfvar.explore.trace import Recorder, Step, Trace
from spfvar.ops import codes as c
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
    columns = lines[lines.index("") + 1 :]  # behind the story
    assert [line[:3].strip() for line in columns if line[:3].strip(" -=>")] == [
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


def test_a_story_is_five_lines_of_who_what_and_which_guard_is_missing() -> None:
    """Found, held, freed, no guard, used: the five sentences, each with the number of a step of the trace.

    Without the grace period munmap frees the VMA at once: the RCU section that the fault is in keeps nobody
    out, which is what the story has to say.
    """
    found = trace_of("no-rcu-free")
    look, holds, frees, guard, end = found.story
    at = next(step.number for step in found.steps if "fault's vma = vma 0 (freed)" in step.changes)
    assert look.startswith("fault, in do_user_addr_fault: find_vma: yes (step ")
    assert look.endswith("vma = vma 0.")
    assert holds == f"fault holds an RCU section when munmap comes to step {at}."
    assert frees.startswith("munmap, in ")
    assert f"(step {at}), vma 0: in use -> free." in frees
    assert "holding mm->mmap_lock" in frees
    assert guard.startswith("Guard not there: nothing that fault holds makes munmap wait")
    assert f"(step {found.length}): {found.end[0]}." in end


def test_the_story_of_a_deadlock_says_who_waits_holding_what() -> None:
    """Each thread with its lock, then the order that is not there."""
    fault, munmap, guard, end = trace_of("crosses").story
    assert "waits at spin_lock(mm->right_lock)" in fault
    assert fault.endswith("holding mm->left_lock.")
    assert "waits at spin_lock(mm->left_lock)" in munmap
    assert munmap.endswith("holding mm->right_lock.")
    assert guard.startswith("Guard not there: one order")
    assert end == "In the end nobody can go on."


def test_a_state_at_rest_is_told_of_who_changed_last_what_is_wrong() -> None:
    """A page table is left: the fault linked it after munmap cleared the slot; the end of a grace period is none of it."""
    found = verdict("s8@spf-anon", "munmap-first-write", first=True).findings[0].trace
    assert found.steps[-1].thread == "rcu_gp_kthread"
    assert not any("rcu" in line for line in found.story)
    frees, links = found.story[2], found.story[-1]
    assert frees.startswith("munmap, in free_pgtables")
    assert "pmd[0]: page_table 0 -> NULL" in frees
    assert links.startswith("fault, in walk_page_tables: pmd_populate")
    assert links.endswith(f"in the end {found.end[0]}.")


@pytest.mark.parametrize(
    ("variant", "primitive"), [("mmap-lock", c.DOWNGRADE_WRITE), ("range-lock", c.RANGE_DOWNGRADE)]
)
def test_a_story_knows_who_holds_which_lock(variant: str, primitive: int) -> None:
    """Along munmap alone, which downgrades its lock: at each step the locks that it holds by the recorder's count."""
    of = world(variant, "munmap-anon")
    walker, recorder = Walker(of), Recorder(of)
    munmap = of.names.index("munmap")
    seen = set()
    while walker.op_of(munmap).code != c.END:
        move = walker.go(munmap * WAYS)
        recorder.step(move)
        seen.add(of.program.ops[move.node].code)
        locks = sorted(lock for lock, who in recorder.locks.held.items() for _ in who)
        assert (
            sorted(one.name for one in recorder.teller.held_by(munmap) if one.section.kind == LOCK) == locks
        )
    assert primitive in seen


def test_a_race_that_reaches_too_little_is_vacuous() -> None:
    """The verdict stays safe, and names what was never executed."""
    found = verdict("crosses", "munmap-file", first=True)
    assert found.vacuous == ()  # only a complete search can tell
    safe = verdict("spins", livelock=False)
    assert safe.verdict == "safe"
    assert set(safe.vacuous) == set(world("spins").race.sometimes)
