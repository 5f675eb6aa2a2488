"""Waits behind a writer: which waits are counted, and how long the longest was."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import replace
from typing import Any

import pytest

from spfvar.matrix import catalogue
from spfvar.mm.hookspecs import hookimpl
from spfvar.ops.op import Steps
from spfvar.ops.primitives import sleep_for
from spfvar.plugins.registry import load_registry
from spfvar.plugins.variant import Stack
from spfvar.simulate.result import Result
from spfvar.simulate.runner import seed_sequence, simulate
from spfvar.simulate.world import build_world
from tests.transition import driver as d

PROFILE = catalogue.hardware()["phone-8c"]
IO_NS = 1e6


class SleepsAsWriter:
    """A writer that waits for storage with mmap_lock held."""

    @hookimpl(wrapper=True)
    def mmap_write_lock(self) -> Generator[None, Steps, Steps]:
        return self._then_sleep((yield))

    def _then_sleep(self, lock: Steps) -> Steps:
        yield from lock
        yield sleep_for("io", "a writer's sleep")


def run(variant: str, *programs: list[dict[str, Any]], patches: tuple[type, ...] = ()) -> Result:
    """One thread per program; a read from storage, or the writer's sleep, takes 1 ms."""
    design = load_registry()[variant]
    design = replace(design, patches=(*design.patches, *patches))
    regions: list[dict[str, Any]] = [
        {"name": "memory", "size": "64KiB", "mapped": True},
        {"name": "scratch", "size": "4KiB"},
        {"name": "file", "size": "4KiB", "mapped": True, "backing": "file", "cached": 0.0},
    ]
    groups = [
        {"name": f"t{i}", "threads": 1, "repeat": 1, "program": program} for i, program in enumerate(programs)
    ]
    used = {value for program in programs for statement in program for value in statement.values()}
    load = d.small_load([r for r in regions if r["name"] in used], groups, io="1ms")
    return simulate(build_world(load, Stack(design)), design, PROFILE, seed_sequence(1, 0, "test", 2))


def test_a_fault_behind_a_sleeping_writer_is_stalled_for_as_long() -> None:
    """The writer sleeps 1 ms (give or take the profile's spread); the other thread faults at once, and waits."""
    result = run("mmap-lock", [{"touch": "memory"}], [{"mmap": "scratch"}], patches=(SleepsAsWriter,))
    spread = PROFILE.io_spread
    assert (1 - spread) * IO_NS * 0.9 < result.metrics["worst_stall"] < (1 + spread) * IO_NS * 1.1
    # One of two threads waits; nobody waits for anything else.
    assert result.metrics["stalled_share"] == pytest.approx(
        result.metrics["worst_stall"] / (2 * result.metrics["makespan"]), rel=0.05
    )
    assert result.metrics["lock_wait_share"] >= result.metrics["stalled_share"]


def test_a_writer_that_waits_for_readers_is_not_stalled_behind_a_writer() -> None:
    """The fault reads from storage with mmap_lock held, the mmap waits: a lock wait, but no stall."""
    mapper = [{"compute": "100us"}, {"mmap": "scratch"}]
    result = run("mmap-lock-2010", [{"touch": "file", "access": "read"}], mapper)
    assert result.metrics["lock_wait_share"] > 0.1
    assert result.metrics["stalled_share"] == result.metrics["worst_stall"] == 0.0


def test_a_page_that_is_still_there_is_no_lost_retry() -> None:
    """One read that dropped the lock, nobody reclaims; and no share where nobody dropped it."""
    assert run("mmap-lock", [{"touch": "file", "access": "read"}]).metrics["lost_retries"] == 0.0
    held = run("mmap-lock-2010", [{"touch": "file", "access": "read"}])
    assert held.metrics["lost_retries"] != held.metrics["lost_retries"]  # NaN


def test_who_sleeps_for_storage_is_not_interrupted() -> None:
    """A munmap beside a thread that runs pays for the interrupt of its CPU; beside one that sleeps it does not."""
    mapper = [{"compute": "100us"}, {"mmap": "scratch"}, {"touch": "scratch"}, {"munmap": "scratch"}]
    busy = run("mmap-lock", [{"compute": "2ms"}], mapper).metrics["writer_p99"]
    asleep = run("mmap-lock", [{"touch": "file", "access": "read"}], mapper).metrics["writer_p99"]
    interrupt = PROFILE.ipi.per_cpu_ns + PROFILE.ipi.handler_ns
    # Latencies come from a histogram, whose bins are a sixteenth wide.
    assert busy - asleep == pytest.approx(interrupt, abs=busy / 8)
    assert asleep < 0.9 * busy
