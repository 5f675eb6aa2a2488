"""One simulated run: repeatable, seeded, conserving."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from spfvar.matrix import catalogue
from spfvar.matrix.plan import make_plan
from spfvar.matrix.run import run_plan
from spfvar.plugins.registry import load_registry
from spfvar.plugins.variant import Stack
from spfvar.scenario.load import make_load
from spfvar.simulate.runner import percentile, seed_sequence, simulate
from spfvar.simulate.world import World, build_world

REGISTRY = load_registry()
PROFILE = catalogue.hardware()["skylake-2s56c"]


def world(variant: str, scenario: str, threads: int) -> World:
    """A small cell at the scenario's first values."""
    found = catalogue.scenarios()[scenario]
    axes = {name: axis.parse(axis.values[0]) for name, axis in found.axes.items()}
    load = make_load(scenario, found, {**axes, "threads": threads})
    return build_world(dataclasses.replace(load, faults=min(load.faults, 1500)), Stack(REGISTRY[variant]))


@pytest.mark.parametrize("variant", list(REGISTRY.variants))
@pytest.mark.parametrize("scenario", catalogue.scenarios().names())
def test_every_variant_runs_every_load_unviolated(variant: str, scenario: str) -> None:
    """No property breaks and nothing gets stuck; a run counts what it was asked for."""
    cell = world(variant, scenario, 4)
    result = simulate(cell, REGISTRY[variant], PROFILE, seed_sequence(1, 0, scenario, 4))
    assert result.faults >= (cell.load.faults or 1)
    assert result.metrics["faults_per_s"] > 0
    assert 0 <= result.metrics["lock_wait_share"] <= 1


def test_a_seed_is_a_run() -> None:
    """The same seed gives the same numbers, another one others."""
    cell = world("spf-do-fault", "mmap-churn", 4)
    runs = [
        simulate(cell, REGISTRY["spf-do-fault"], PROFILE, seed_sequence(1, index, "mmap-churn", 4))
        for index in (0, 0, 1)
    ]
    assert repr(runs[0]) == repr(runs[1])
    assert runs[0].metrics["faults_per_s"] != runs[2].metrics["faults_per_s"]


def test_finite_programs_fault_once_per_page() -> None:
    """app-start maps 12 regions of 16 pages per thread and touches each page once by writing.

    Every such page faults at least once; file pages come by fault-around, so fewer faults than pages.
    """
    threads = 4
    cell = world("mmap-lock", "app-start", threads)
    result = simulate(cell, REGISTRY["mmap-lock"], PROFILE, seed_sequence(1, 0, "app-start", threads))
    anonymous = threads * 12 * 16
    file_pages = threads * 12 * 32
    assert anonymous + file_pages // 16 <= result.faults <= anonymous + file_pages


def test_a_fresh_page_table_costs_one_abort() -> None:
    """Speculation never allocates: one abort for every 512 pages of fresh memory (pft)."""
    cell = world("spf-anon", "pft", 2)
    cell = dataclasses.replace(cell, load=dataclasses.replace(cell.load, faults=20 * 512))
    result = simulate(cell, REGISTRY["spf-anon"], PROFILE, seed_sequence(1, 0, "pft", 2))
    # 1000 / 512 = 1.953 per thousand faults; the window may cut one table at either end per thread.
    assert result.events["spf_abort_pmd"] == pytest.approx(1000 / 512, abs=4 * 1000 / (20 * 512))


def test_a_single_thread_does_not_speculate() -> None:
    """mm_users == 1: no attempt is made (patch 33)."""
    cell = world("spf-do-fault", "pft", 1)
    result = simulate(cell, REGISTRY["spf-do-fault"], PROFILE, seed_sequence(1, 0, "pft", 1))
    assert result.events.get("spf_attempt", 0) == 0
    assert result.metrics["mmap_lock_share"] == pytest.approx(1.0, abs=0.01)


@pytest.mark.parametrize(
    ("variant", "scenario", "speculates"),
    [
        ("spf-anon", "file-read", False),
        ("spf-map-pages", "file-read", True),
        ("spf-map-pages", "file-read-nofa", False),
        ("spf-map-pages", "file-cow", False),
        ("spf-do-fault", "file-read-nofa", True),
        ("spf-do-fault", "file-cow", True),
        ("spf-do-fault", "page-fault3", False),
    ],
)
def test_who_speculates_where(variant: str, scenario: str, speculates: bool) -> None:
    """map_pages covers cached reads only; __do_fault adds private writes and reads without
    fault-around; shared writes always take mmap_lock."""
    cell = world(variant, scenario, 4)
    result = simulate(cell, REGISTRY[variant], PROFILE, seed_sequence(1, 0, scenario, 4))
    success = result.metrics["spec_success"]
    assert success > 0.9 if speculates else success < 0.01


def test_io_under_a_vma_lock_is_retried_under_mmap_lock() -> None:
    """Every major fault of v6.12 drops the VMA lock and comes back with mmap_lock."""
    cell = world("per-vma-6.12", "file-major", 4)
    events = simulate(cell, REGISTRY["per-vma-6.12"], PROFILE, seed_sequence(1, 0, "file-major", 4)).events
    assert events["vma_lock_retry"] == pytest.approx(events["mmap_lock_fault"], rel=0.02)
    assert events["vma_lock_retry"] == pytest.approx(events["pgmajfault"], rel=0.02)


def test_jobs_change_nothing() -> None:
    """Cells on one thread or two give equal frames."""
    plan = make_plan(
        REGISTRY, catalogue.scenarios(), catalogue.hardware(), patterns=["file-cow"], threads=[1, 2], seeds=2
    )
    one, two = run_plan(plan, jobs=1), run_plan(plan, jobs=2)
    assert one.values.equals(two.values)
    assert one.events.equals(two.events)


def test_percentiles_of_a_known_histogram() -> None:
    """1000 latencies in the bin from 2**10 to 2**(10 + 1/32): all quantiles lie inside it."""
    histogram = np.zeros(2048, dtype=np.int64)
    histogram[320] = 1000
    assert percentile(histogram, 0.5) == pytest.approx(2 ** (10 + 0.5 / 32))
    assert percentile(histogram, 0.99) == pytest.approx(2 ** (10 + 0.99 / 32))
    assert np.isnan(percentile(np.zeros(2048, dtype=np.int64), 0.5))
