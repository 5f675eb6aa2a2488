"""The record of a run: it changes nothing, and loses nothing."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from spfvar.scenario.load import Load
from spfvar.simulate import meters as w
from spfvar.simulate import record as r
from spfvar.simulate import recorded as recorded_module
from spfvar.simulate.recorded import Recorded
from spfvar.simulate.result import Result
from spfvar.simulate.runner import SimulationError, seed_sequence, simulate
from spfvar.simulate.world import build_world
from tests.stacks import stack
from tests.timing.recordings import PROFILE, REGISTRY, churn, digest, finite, reading_on, recorded
from tests.transition import driver as d

#: One of each kind of protocol: a rwsem, a sequence count, locks per VMA, a count per VMA, ranges, own tables.
VARIANTS = ("mmap-lock", "spf-do-fault", "per-vma-6.12", "per-vma-refcnt", "range-lock", "radixvm", "bonsai")


def unrecorded(variant: str, load: Load, seed: int = 0) -> Result:
    """The same run without a record, and of automata without callers."""
    world = build_world(load, stack(variant))
    seeds = seed_sequence(1, seed, load.scenario, load.threads)
    return simulate(world, REGISTRY.any_variant(variant), PROFILE, seeds)


def missing(run: Recorded) -> list[float]:
    """What share of the meters' time of faults, and of writers' calls, the record does not have."""
    last = r.try_slot(len(run.world.program.ops))
    x, totals = run.meters.x, run.record.totals
    measured = {r.IN_FAULT: x[w.X_FAULT_TIME], r.IN_CALL: x[w.X_WRITER_TIME]}
    return [1.0 - totals[context, :last, 0].sum() / time for context, time in measured.items() if time]


def colliding(name: str) -> Load:
    """One of the loads in which threads share everything, 20 times through."""
    load: Load = d.with_repeat(name, 20)
    return load


LOADS: dict[str, Callable[[], Load]] = {
    "collisions": lambda: finite(6, 4, 12, shared=True),
    "more threads than CPUs": lambda: finite(20, 3, 4, shared=True),
    "storage": lambda: reading_on(threads=3, backing="swap", cached=0.5),
    "anon": lambda: colliding("anon"),
    "file": lambda: colliding("file"),
}


@pytest.mark.parametrize("load", LOADS)
@pytest.mark.parametrize("variant", VARIANTS)
def test_a_record_changes_nothing_and_adds_up(variant: str, load: str) -> None:
    """Every metric, event and step to the bit; every nanosecond of faults and of calls has a place.

    Clocks are at most some 1e9 ns, where a float has a step of 1e-7 ns; faults take 1e3 ns or more, in some 100 parts.
    """
    run = recorded(variant, LOADS[load]())
    assert repr(run.result) == repr(unrecorded(variant, LOADS[load]()))
    assert run.result.faults > 0
    assert missing(run) == pytest.approx([0.0] * len(missing(run)), abs=1e-9)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    variant=st.sampled_from(VARIANTS), threads=st.integers(1, 12), pages=st.integers(1, 6),
    passes=st.integers(1, 6), shared=st.booleans(), seed=st.integers(0, 1000),
)  # fmt: skip
def test_the_parts_sum_to_the_whole_in_any_load(
    variant: str, threads: int, pages: int, passes: int, shared: bool, seed: int
) -> None:
    """Small loads of all shapes: on 8 CPUs, so that some share them."""
    run = recorded(variant, finite(threads, pages, passes, shared), seed)
    assert missing(run) == pytest.approx([0.0, 0.0], abs=1e-9)


def test_a_fault_with_more_steps_than_the_log_has_room_for_loses_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Entries of the same slot are put together when a log is full.  A writer's call over 512 pages fills one of 512."""
    load = finite(2, 512, 2)
    whole = recorded("spf-do-fault", load)
    monkeypatch.setattr(recorded_module, "LOG_ENTRIES", 512)
    short = recorded("spf-do-fault", load)
    assert repr(short.result) == repr(whole.result)
    assert missing(short) == pytest.approx([0.0, 0.0], abs=1e-9)
    np.testing.assert_allclose(short.record.totals, whole.record.totals, rtol=1e-9, atol=1e-6)


def test_a_log_that_cannot_hold_a_fault_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """Rather than to answer with a part of the time."""
    monkeypatch.setattr(recorded_module, "LOG_ENTRIES", 8)
    with pytest.raises(
        SimulationError, match="mmap-lock in test: a fault or call goes through too many steps"
    ):
        recorded("mmap-lock", finite(1, 1, 1))


def test_the_same_seed_gives_the_same_record() -> None:
    """To the bit, in every array; another seed gives another."""
    load = finite(4, 2, 5, shared=True)
    first, again, other = (recorded("per-vma-6.12", load, seed) for seed in (0, 0, 1))
    for name, one, two in zip(r.Record._fields, first.record, again.record, strict=True):
        np.testing.assert_array_equal(one, two, err_msg=name)
    assert not np.array_equal(first.record.totals, other.record.totals)


def test_the_uncompiled_engine_records_the_same() -> None:
    """The same functions as plain Python: to the byte, in every array."""
    answer = subprocess.run(
        [sys.executable, "-m", "tests.timing.recordings"], cwd=Path(__file__).parents[2], text=True, check=True,
        capture_output=True, env={**os.environ, "NUMBA_DISABLE_JIT": "1"},
    )  # fmt: skip
    assert answer.stdout.split() == [digest()]


def test_locks_are_taken_as_often_as_they_are_released() -> None:
    """In a run that is counted to its end; and whoever queues gets the lock."""
    run = churn("mmap-lock")
    rows = run.record.locks
    assert rows[:, r.K_TAKEN].tolist() == rows[:, r.K_RELEASED].tolist()
    assert rows[:, r.K_TAKEN].max() > 0
    assert run.record.lock_bins[:, 0].sum(axis=1).tolist() == rows[:, r.K_WAITED].tolist()
    assert run.record.ended[:, 0].sum() == rows[:, r.K_WAITED].sum() > 0
    assert not run.record.queued.any()
    assert not run.record.held[:, :, 0].any()


def test_a_lone_thread_waits_for_nobody() -> None:
    """No lock, no line that is others' first, no interrupt; but lines come from memory."""
    run = recorded("mmap-lock", finite(1, 3, 3))
    nodes = len(run.world.program.ops)
    kinds = run.record.totals[:, : nodes * r.CATEGORIES, 0].reshape(3, nodes, r.CATEGORIES).sum(axis=(0, 1))
    for kind in (r.LINE_WAIT, r.LOCK_WAIT, r.WAKEUP, r.CPU_WAIT, r.INTERRUPT, r.WAKING):
        assert kinds[kind] == 0.0
    assert kinds[r.WORK] > 0.0


def test_what_lies_outside_the_window_is_not_counted() -> None:
    """A load that is counted after a warm-up: as many faults are in the record as the meters counted."""
    load = replace(reading_on(faults=77), warmup=20)
    run = recorded("mmap-lock", load)
    exceptions = [node for node, op in enumerate(run.world.program.ops) if op.name == "exception"]
    assert run.result.faults == 77
    assert missing(run) == pytest.approx([0.0], abs=1e-9)
    assert len(exceptions) > 0
