"""A record in words: whole, named, in order."""

from __future__ import annotations

from collections import Counter

import pytest

from spfvar.simulate import meters as w
from spfvar.timing.breakdown import CALL, FAULT, KINDS, MEMORY, SERVERS, break_down
from tests.timing.recordings import broken_down, churn, finite, recorded

VARIANTS = ("mmap-lock", "spf-do-fault", "per-vma-6.12", "range-lock")


@pytest.mark.parametrize("variant", VARIANTS)
def test_the_steps_add_up_to_the_mean_latency(variant: str) -> None:
    """That of the meters, for faults and for writers' calls, to within rounding."""
    x = churn(variant).meters.x
    means = {FAULT: x[w.X_FAULT_TIME] / x[w.X_FAULTS], CALL: x[w.X_WRITER_TIME] / x[w.X_WRITERS]}
    parts = broken_down(variant).parts()
    assert [part.what for part in parts] == [FAULT, CALL]
    for part in parts:
        assert part.mean == pytest.approx(means[part.what], rel=1e-12)
        assert sum(step.total for step in part.steps) == pytest.approx(part.mean, rel=1e-9)
        assert sum(part.kinds.values()) == pytest.approx(part.mean, rel=1e-9)


def test_lines_and_servers_have_the_times_of_their_steps() -> None:
    """What a line costs is what its steps spend on lines; what a server costs, what steps spend on it."""
    for part in broken_down("spf-do-fault").parts():
        kinds = part.kinds
        assert sum(line.total for line in part.lines) == pytest.approx(kinds["transfer"] + kinds["line wait"])
        for server in part.servers:
            whole = server.wait + server.transfer + server.hold
            assert server.name in SERVERS
            # A request that ends in the window may be of a fault that does not.
            assert whole == pytest.approx(kinds[server.name], rel=0.02, abs=0.1)


def test_a_step_says_how_it_was_come_to() -> None:
    """The functions from the fault's entry on, and the text's file and line."""
    steps = broken_down("mmap-lock").faults.steps
    zeroing = [step for step in steps if step.name == "zero_page"]
    assert {step.stack[0] for step in zeroing} == {"do_user_addr_fault"}
    assert {step.function for step in zeroing} == {"do_anonymous_page"}
    assert all("handle_mm_fault" in step.stack for step in zeroing)
    assert {step.where.partition(":")[0] for step in zeroing} == {"mm/fault.py"}


def test_steps_that_are_the_same_are_one() -> None:
    """By stack, primitive, place, line and lock; the costliest comes first."""
    for part in broken_down("per-vma-6.12").parts():
        keys = Counter((s.stack, s.name, s.where, s.line, s.lock) for s in part.steps)
        assert set(keys.values()) == {1}
        totals = [step.total for step in part.steps]
        assert totals == sorted(totals, reverse=True)
        assert {kind for step in part.steps for kind in step.ns} <= set(KINDS)


def test_a_line_is_called_by_its_lock_and_knows_its_members() -> None:
    """In v5.12 the series' mmap_seq lies on mmap_lock's line, behind which it was put."""
    lines = {line.name: line for line in broken_down("spf-do-fault").faults.lines}
    assert {"mm_struct.mmap_lock", "mm_struct.mmap_seq"} <= set(lines["mm_struct.mmap_lock"].members)
    takers = lines["mm_struct.mmap_lock"].takers
    assert {one.member for one in takers} <= {"mmap_lock", "mmap_seq", MEMORY}
    assert [one.ns for one in takers] == sorted((one.ns for one in takers), reverse=True)


def test_who_holds_a_lock_ends_the_waits_for_it() -> None:
    """Waits for mmap_lock end where it is released or downgraded; the shares are of all of them."""
    lock = next(one for one in broken_down("mmap-lock").locks if one.name == "mm_struct.mmap_lock")
    assert lock.waits > 0
    assert sum(one.share for one in lock.enders) == pytest.approx(1.0)
    assert all("unlock" in one.name or "downgrade" in one.name for one in lock.enders)
    assert 1 <= lock.longest < 6
    assert lock.wait_p99 >= lock.wait_mean * 0.5 > 0


def test_tries_that_were_given_up_have_the_counted_reasons() -> None:
    """As often as the events say; their time is that of the steps' lost parts."""
    run = churn("spf-do-fault")
    faults = broken_down("spf-do-fault").faults
    assert sum(one.per_1000 for one in faults.tries) == pytest.approx(run.result.events["spf_abort"])
    for one in faults.tries:
        assert one.abort == "spf_abort"
        assert one.reason.startswith("spf_abort_")
        assert one.per_1000 <= run.result.events[one.reason] + 1e-9
        assert one.ns == pytest.approx(one.per_1000 * one.mean / 1000)
    assert sum(one.ns for one in faults.tries) == pytest.approx(sum(step.lost for step in faults.steps))
    assert all(step.lost <= step.total + 1e-6 for step in faults.steps)


def test_a_design_without_tries_has_none() -> None:
    """Under mmap_lock a fault is done once."""
    assert broken_down("mmap-lock").faults.tries == ()


def test_a_run_without_faults_has_none_to_tell_of() -> None:
    """Threads that map and unmap; the calls are there all the same."""
    load = finite(2, 2, 3)
    quiet = break_down(recorded("mmap-lock", load))
    assert quiet.calls is not None
    assert quiet.calls.count == 2 * 3 * 2  # threads, passes, mmap and munmap
    assert quiet.faults.count == 2 * 3 * 2  # threads, passes, pages
