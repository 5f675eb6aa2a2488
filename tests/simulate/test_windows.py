"""What is measured: whole rounds of whoever maps and unmaps, and long enough to be what a longer run gives."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from scipy import stats

from spfvar.matrix import catalogue
from spfvar.plugins.registry import load_registry
from spfvar.scenario.load import Load, make_load
from spfvar.simulate.result import Result
from spfvar.simulate.runner import seed_sequence, simulate
from spfvar.simulate.world import World, build_world
from tests.stacks import stack
from tests.transition import driver as d

REGISTRY = load_registry()
SCENARIOS = catalogue.scenarios()
PROFILE = catalogue.hardware()["skylake-2s56c"]


def shipped(name: str, **axes: Any) -> Load:
    """A shipped load; axes that are not given have their first default value."""
    scenario = SCENARIOS[name]
    default = {axis: one.parse(one.values[0]) for axis, one in scenario.axes.items()}
    return make_load(name, scenario, default | {a: scenario.axes[a].parse(v) for a, v in axes.items()})


def run(world: World, variant: str, seed: int = 0) -> Result:
    """One seed of a world."""
    seeds = seed_sequence(1, seed, world.load.scenario, world.load.threads)
    return simulate(world, REGISTRY[variant], PROFILE, seeds)


@pytest.mark.parametrize("pages", [1, 7, 300])
@pytest.mark.parametrize("faults", [0, 10, 1000])
def test_a_lone_thread_is_measured_in_whole_rounds(pages: int, faults: int) -> None:
    """At least 3 of them and the faults asked for: 1000 faults are 4 rounds of 300 pages, 143 of 7."""
    groups = [{"name": "t", "threads": 1, "program": [{"mmap": "m"}, {"touch": "m"}, {"munmap": "m"}]}]
    load = replace(d.small_load([{"name": "m", "size": f"{4 * pages}KiB"}], groups), faults=faults, rounds=3)
    result = run(build_world(load, stack("mmap-lock")), "mmap-lock")
    assert result.faults == pages * max(3, -(-faults // pages))


def test_threads_together_are_measured_in_whole_rounds_of_each() -> None:
    """4 threads, 5 rounds of 64 pages: 1280 faults, give or take what each is ahead or behind at the ends."""
    groups = [{"name": "t", "threads": 4, "program": [{"mmap": "m"}, {"touch": "m"}, {"munmap": "m"}]}]
    load = replace(d.small_load([{"name": "m", "size": "256KiB"}], groups), faults=1, rounds=5)
    result = run(build_world(load, stack("mmap-lock")), "mmap-lock")
    assert abs(result.faults - 1280) < 4 * 64


@pytest.mark.parametrize("variant", ["mmap-lock", "per-vma-6.17"])
@pytest.mark.parametrize("name", SCENARIOS.names())
def test_shares_of_time_are_shares(name: str, variant: str) -> None:
    """Between 0 and 1, and who is stalled waits for a lock.

    In maps-reader the monitor ends the warm-up while its clock, after a pause, is 100 us ahead of the workers':
    waits that ended before it were negative when the window began there.
    """
    threads = next(n for n in (4, 100) if n in SCENARIOS[name].axes["threads"].values)
    world = build_world(shipped(name, threads=threads), stack(variant))
    metrics = run(world, variant).metrics
    assert 0.0 <= metrics["stalled_share"] <= metrics["lock_wait_share"] + 1e-9
    assert metrics["lock_wait_share"] <= 1.0


def test_the_published_size_has_its_munmaps_in_the_window() -> None:
    """128 MiB are 32,768 pages a round; each of the window's rounds has one mmap and one munmap.

    The median call is between the two: a munmap takes as long as its pages (4.1 ms), an mmap about 1 us.
    """
    load = replace(shipped("page-fault1", region="128MiB", threads=1), faults=1, rounds=2, warmup=0)
    result = run(build_world(replace(load, warmup_rounds=1), stack("mmap-lock")), "mmap-lock")
    assert result.faults == 2 * 32768
    assert result.metrics["writer_p99"] > 1e6


def test_a_group_that_is_slow_to_go_round_is_waited_for() -> None:
    """A mapper that pauses for 10 ms: 4 rounds of it take 40 ms, however many faults there are meanwhile."""
    load = shipped("mmap-churn", pause="10ms", threads=4)
    result = run(build_world(load, stack("mmap-lock")), "mmap-lock")
    assert result.faults / result.metrics["faults_per_s"] > 4 * 10e-3
    assert result.metrics["writer_p50"] > 0


def test_the_slowest_group_is_measured_in_whole_rounds() -> None:
    """Forks stop every write, so a window that ends between two of them is off by up to a round in ten.

    With whole rounds 1600 faults give what 16,000 give (mmap-lock is the same round after round).
    """
    load = shipped("fork-storm", threads=1)
    short, long = (
        run(build_world(one, stack("mmap-lock")), "mmap-lock").metrics["faults_per_s"]
        for one in (load, replace(load, faults=10 * load.faults))
    )
    assert short == pytest.approx(long, rel=0.003)


def test_a_call_over_a_window_finds_it_filled() -> None:
    """A thread maps 512 pages of its window and begins anew: a call over all of it is measured after that.

    16 threads, one 2 MiB window each, and no more faults to warm up than the rounds ask for.
    """
    load = replace(shipped("gc-stop", threads=16), warmup=0, faults=8192)
    early, late = (
        run(build_world(one, stack("mmap-lock")), "mmap-lock").metrics["writer_p50"]
        for one in (load, replace(load, warmup=10 * 8192))
    )
    assert early == pytest.approx(late, rel=0.15)


@pytest.mark.parametrize("variant", ["mmap-lock", "per-vma-6.12"])
def test_a_longer_window_gives_the_same(variant: str) -> None:
    """8 threads that map and unmap: Welch's test of the means over 6 seeds finds no difference (1 in 1000)."""
    load = shipped("page-fault1", threads=8, region="256KiB")
    longer = replace(load, faults=10 * load.faults, rounds=10 * load.rounds, warmup=4 * load.warmup)
    rates = [
        [run(world, variant, seed).metrics["faults_per_s"] for seed in range(6)]
        for world in (build_world(one, stack(variant)) for one in (load, longer))
    ]
    assert stats.ttest_ind(*np.log(rates), equal_var=False).pvalue > 0.001


def test_variants_of_the_same_threads_begin_in_the_same_places() -> None:
    """Where threads begin is drawn from the seed, so that ratios pair."""
    load = shipped("page-fault1", threads=4)
    assert run(build_world(load, stack("spf-anon")), "spf-anon").metrics == pytest.approx(
        run(build_world(load, stack("spf-do-fault")), "spf-do-fault").metrics, nan_ok=True
    )
