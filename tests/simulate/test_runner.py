"""A simulated run: repeatable to the bit, complete, and loud when the protocol breaks."""

from __future__ import annotations

import math
from collections.abc import Generator
from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spfvar.matrix import catalogue
from spfvar.matrix.plan import Plan, make_plan
from spfvar.matrix.run import run_plan
from spfvar.mm.hookspecs import hookimpl
from spfvar.ops import objects as o
from spfvar.ops.op import Steps
from spfvar.ops.primitives import at, down_write, up_write
from spfvar.plugins.registry import load_registry
from spfvar.plugins.variant import Stack, Variant
from spfvar.scenario.load import Load, make_load
from spfvar.simulate import engine
from spfvar.simulate.meters import HISTOGRAM, bin_of
from spfvar.simulate.result import Result
from spfvar.simulate.runner import (
    SimulationError,
    percentile,
    seed_sequence,
    simulate,
    start,
    what_decides,
)
from spfvar.simulate.world import World, build_world
from tests.kernels import kernel
from tests.stacks import stack
from tests.transition import driver as d

REGISTRY = load_registry()
PROFILE = catalogue.hardware()["phone-8c"]


def run(world: World, variant: Variant, seed: int = 0) -> Result:
    """One seed of a world."""
    return simulate(world, variant, PROFILE, seed_sequence(1, seed, world.load.scenario, world.load.threads))


def finite(threads: int, pages: int, passes: int) -> Any:
    """Each thread maps, writes and unmaps its pages, ``passes`` times; the whole run is counted."""
    return d.small_load(
        [{"name": "memory", "size": f"{4 * pages}KiB"}],
        [{"name": "t", "threads": threads, "repeat": passes,
          "program": [{"mmap": "memory"}, {"touch": "memory"}, {"munmap": "memory"}]}],
    )  # fmt: skip


@cache
def collision(variant: str, load: str) -> World:
    """A world of few pages with writers, through which every thread goes 30 times."""
    return d.variant_world(variant, d.with_repeat(load, 30))


def in_swap(share: float) -> World:
    """Two threads that read on through memory in swap, of which the swap cache holds a share."""
    region = {"name": "m", "size": "1GiB", "window": "64KiB", "backing": "swap", "mapped": True}
    load = d.small_load(
        [{**region, "cached": share}],
        [{"name": "t", "threads": 2, "program": [{"touch": "m", "access": "read"}]}],
    )
    return d.variant_world("per-vma-6.12", replace(load, faults=400))


def test_a_swap_cache_that_holds_everything_does_so_in_every_window() -> None:
    """Pages leave the cache as they are mapped; the next window finds its own there, or none if it holds none."""
    full, empty = (run(in_swap(share), REGISTRY["per-vma-6.12"]) for share in (1.0, 0.0))
    assert full.faults >= 400
    assert full.events.get("pgmajfault", 0) == 0
    # All but the first page of each thread, which has no page table yet and so no swap entry.
    assert empty.events["pgmajfault"] >= 1000 * 398 / 400


# --- repeatability -----------------------------------------------------------------------------


def same(left: Result, right: Result) -> bool:
    """Bitwise equality, NaN included."""
    return (left.faults, left.steps, left.events) == (right.faults, right.steps, right.events) and all(
        np.array(left.metrics[name]).tobytes() == np.array(right.metrics[name]).tobytes()
        for name in left.metrics
    )


@pytest.mark.parametrize("load", d.LOADS)
@pytest.mark.parametrize("variant", REGISTRY.variants)
def test_a_seed_repeats_to_the_bit_and_another_differs(variant: str, load: str) -> None:
    """The world is not changed by a run: the first seed gives the same again after the second."""
    world = collision(variant, load)
    first, other, again = (run(world, REGISTRY[variant], seed) for seed in (0, 1, 0))
    assert same(first, again)
    assert first.metrics["makespan"] != other.metrics["makespan"]


def test_seeds_differ_by_scenario_threads_and_number_but_not_by_variant() -> None:
    """Variants share their seeds, so that ratios pair."""
    base = (1, 0, "pft", 4)
    others = [(2, 0, "pft", 4), (1, 1, "pft", 4), (1, 0, "pfu", 4), (1, 0, "pft", 5)]
    states = [seed_sequence(*key).generate_state(4).tolist() for key in (base, base, *others)]
    assert states[0] == states[1]
    assert len({tuple(state) for state in states}) == 1 + len(others)


def loads_of(name: str, *points: dict[str, int | float | str]) -> list[Load]:
    """A shipped scenario with two threads, and some axes elsewhere."""
    scenario = catalogue.scenarios()[name]
    first = {axis: one.parse(one.values[0]) for axis, one in scenario.axes.items()} | {"threads": 2}
    return [make_load(name, scenario, first | point) for point in ({}, *points)]


@pytest.mark.parametrize(
    ("name", "point", "decides"),
    [
        ("file-cow", {"fault_around": 4096}, False),  # a write fault maps nothing around it
        ("file-read", {"fault_around": 4096}, True),
        ("file-cow", {"io_latency": 5000.0}, True),
        ("file-cow", {"hit_rate": 0.5}, True),
        ("file-cow", {"vma": "process"}, True),
        ("mmap-churn", {"pause": 5000.0}, True),
        ("page-fault1", {"region": 1 << 16}, True),
    ],
)
def test_the_digest_tells_what_decides_a_run(name: str, point: dict[str, Any], decides: bool) -> None:
    """Of an axis that no text asks for it is the same, and so are start states and results; else it is not."""
    variant = REGISTRY["spf-do-fault"]
    one, other = (build_world(load, Stack(variant)) for load in loads_of(name, point))
    assert (what_decides(one, variant) != what_decides(other, variant)) == decides
    if not decides:
        assert np.array_equal(one.state, other.state)
        assert same(run(one, variant), run(other, variant))


@cache
def plan() -> Plan:
    """Two variants, two scenarios, two thread counts, two seeds."""
    return make_plan(
        REGISTRY, catalogue.scenarios(), catalogue.hardware(), variants=["mmap-lock", "spf-do-fault"],
        patterns=["file-read", "mmap-churn"], threads=[1, 3], hardware="phone-8c", seeds=2,
    )  # fmt: skip


def test_the_number_of_jobs_does_not_change_the_result() -> None:
    """One worker and two give equal frames, row for row, in the plan's order."""
    progress: list[tuple[int, int]] = []
    one = run_plan(plan(), 1)
    two = run_plan(plan(), 2, lambda done, total: progress.append((done, total)))
    pd.testing.assert_frame_equal(one.values, two.values, check_exact=True)
    pd.testing.assert_frame_equal(one.events, two.events, check_exact=True)
    assert one.failures == two.failures == []
    assert progress == [(i + 1, 8) for i in range(8)]
    assert list(dict.fromkeys(one.values["scenario"])) == ["file-read", "mmap-churn"]
    assert set(one.values["seed"]) == {1, 2}


def test_variants_that_run_the_same_are_run_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """pft has no file faults: what spf-do-fault adds to spf-anon is in none of its programs."""
    ran: list[str] = []

    def counted(world: World, variant: Variant, *more: Any) -> Result:
        ran.append(variant.name)
        return simulate(world, variant, *more)

    monkeypatch.setattr("spfvar.matrix.cells.simulate", counted)
    names = ["spf-anon", "spf-do-fault", "mmap-lock"]
    alone = [run_plan(small_pft([name]), 1) for name in names]
    assert ran == names
    ran.clear()
    together = run_plan(small_pft(names), 1)
    assert len(ran) == 2
    expected = pd.concat([one.values for one in alone], ignore_index=True)
    pd.testing.assert_frame_equal(together.values, expected, check_exact=True)


def small_pft(variants: list[str]) -> Plan:
    """pft with two threads and one seed."""
    return make_plan(
        REGISTRY, catalogue.scenarios(), catalogue.hardware(), variants=variants, patterns=["pft"],
        threads=[2], hardware="phone-8c", baseline=variants[0], seeds=1,
    )  # fmt: skip


# --- completeness ------------------------------------------------------------------------------


@pytest.mark.parametrize("variant", REGISTRY.variants)
@pytest.mark.parametrize(("threads", "pages", "passes"), [(1, 1, 1), (3, 20, 4), (20, 3, 2)])
def test_a_finite_program_faults_once_per_page_it_touches(
    variant: str, threads: int, pages: int, passes: int
) -> None:
    """Aborts and retries are part of one fault; more threads than CPUs (8) lose none either."""
    world = build_world(finite(threads, pages, passes), stack(variant))
    result = run(world, REGISTRY[variant])
    assert result.faults == threads * pages * passes
    assert result.metrics["makespan"] > 0
    tried = [result.events[name] for name in REGISTRY[variant].events_with("attempt")]
    alone = "MultithreadedOnly" in {patch.__name__ for patch in REGISTRY[variant].patches}
    if tried and (threads > 1 or not alone):  # with that patch, a lone thread does not speculate
        assert tried == [1000.0]  # per 1000 faults
        assert 0 <= result.metrics["spec_success"] <= 1
    else:
        assert sum(tried) == 0


def test_a_load_whose_faults_have_ended_is_told_and_not_waited_for() -> None:
    """One page, touched again and again, faults once; two are waited for."""
    region = {"name": "memory", "size": "4KiB", "mapped": True}
    load = d.small_load([region], [{"name": "t", "threads": 1, "program": [{"touch": "memory"}]}])
    world = build_world(replace(load, faults=2), stack("mmap-lock"))
    with pytest.raises(SimulationError, match="no page fault in 10 million primitives of each"):
        run(world, REGISTRY["mmap-lock"])


def test_threads_that_write_on_while_another_forks_their_many_pages_are_waited_for() -> None:
    """32 of them write every 200 ns, and all have had their faults some ms before the next fork ends.

    That is some 20 million primitives of all threads without a fault, more than one thread alone may need.
    """
    scenario = catalogue.scenarios()["fork-storm"]
    axes = {name: axis.parse(axis.values[0]) for name, axis in scenario.axes.items()}
    load = make_load("fork-storm", scenario, {**axes, "threads": 32})
    entries = sum(region.pages * region.count for region in load.regions) * 32
    world = build_world(replace(load, warmup=1, faults=entries + 1), stack("mmap-lock"))
    found = simulate(
        world,
        REGISTRY["mmap-lock"],
        catalogue.hardware()["skylake-2s56c"],
        seed_sequence(1, 0, "fork-storm", 33),
    )
    assert found.faults > entries


def test_a_run_is_as_fast_as_its_work_allows() -> None:
    """makespan * threads covers at least the pages zeroed: page clearing is a cost of every fault."""
    world = build_world(finite(2, 32, 3), stack("mmap-lock"))
    result = run(world, REGISTRY["mmap-lock"])
    zeroing = PROFILE.cost_ns["zero_page"] * 32 * 3 * (1 - PROFILE.jitter)
    assert result.metrics["makespan"] > zeroing
    assert result.metrics["faults_per_s"] == pytest.approx(result.faults / result.metrics["makespan"] * 1e9)


def test_measuring_ends_at_the_fault_that_was_asked_for() -> None:
    """A load that only reads on is counted from the warm-up on, for exactly the number of faults given."""
    region = {"name": "m", "size": "1GiB", "window": "64KiB", "mapped": True}
    load = d.small_load([region], [{"name": "t", "threads": 2, "program": [{"touch": "m"}]}])
    world = build_world(replace(load, warmup=20, faults=77), stack("mmap-lock"))
    result = run(world, REGISTRY["mmap-lock"])
    assert result.faults == 77
    assert math.isnan(result.metrics["makespan"])


def test_metrics_that_do_not_apply_are_nan() -> None:
    """No attempts: no success rate.  No writers: no writer latency."""
    load = d.small_load(
        [{"name": "r", "size": "64KiB", "mapped": True}],
        [{"name": "t", "threads": 1, "repeat": 1, "program": [{"touch": "r"}]}],
    )
    result = run(build_world(load, stack("mmap-lock")), REGISTRY["mmap-lock"])
    assert math.isnan(result.metrics["spec_success"])
    assert math.isnan(result.metrics["writer_p50"])
    assert result.metrics["mmap_lock_share"] == 1.0


# --- what breaks -------------------------------------------------------------------------------


class LocksTwice:
    """A deadlock: mmap_lock taken twice for writing."""

    @hookimpl(wrapper=True)
    def mmap_write_lock(self) -> Generator[None, Steps, Steps]:
        return self._twice((yield))

    def _twice(self, lock: Steps) -> Steps:
        yield from lock
        yield down_write(at(o.mm, o.MMAP_LOCK), "again")


class UnlocksTwice:
    """mmap_lock released twice."""

    @hookimpl(wrapper=True)
    def mmap_write_unlock(self) -> Generator[None, Steps, Steps]:
        unlock = yield
        return self._twice(unlock)

    def _twice(self, unlock: Steps) -> Steps:
        yield from unlock
        yield up_write(at(o.mm, o.MMAP_LOCK), "again")


@pytest.mark.parametrize(
    ("patch", "says"),
    [
        (LocksTwice, "every thread waits .*again.*a deadlock"),
        (UnlocksTwice, "a lock or section is released that is not held by thread . in .*again"),
    ],
)
def test_a_broken_protocol_is_told_with_variant_scenario_and_primitive(patch: type, says: str) -> None:
    """A cell never fails silently, and the run does not hang."""
    broken = replace(REGISTRY["mmap-lock"], name="broken", patches=(patch,))
    world = build_world(finite(2, 1, 1), Stack(broken))
    with pytest.raises(SimulationError, match=f"^broken in test: {says}"):
        run(world, broken)


def test_a_failing_cell_does_not_stop_the_others() -> None:
    """run_plan reports it and returns what the others gave."""
    whole = plan()
    broken = replace(REGISTRY["mmap-lock"], name="broken", patches=(LocksTwice,))
    cells = tuple(
        replace(cell, variant=broken) if cell.variant.name == "spf-do-fault" else cell
        for cell in whole.cells
        if cell.load.threads < 3 or cell.load.scenario == "mmap-churn"
    )
    samples = run_plan(replace(whole, cells=cells, seeds=1), 2)
    failed = [failure for failure in samples.failures if failure.scenario == "mmap-churn"]
    assert failed
    assert all("deadlock" in failure.message and failure.variant == "broken" for failure in failed)
    assert set(samples.values["variant"]) >= {"mmap-lock"}


# --- meters ------------------------------------------------------------------------------------


def histogram(**bins: int) -> Any:
    """A latency histogram with these counts: b64=3 puts 3 into bin 64."""
    table = np.zeros(HISTOGRAM, dtype=np.int64)
    for name, count in bins.items():
        table[int(name[1:])] = count
    return table


@pytest.mark.parametrize(
    ("bins", "share", "ns"),
    [
        # Bin 32 * o + i holds 2**o * (1 + i/32) up to 2**o * (1 + (i+1)/32) ns; rank share * total, linear
        # within the bin.
        ({"b320": 4}, 0.5, 2**10 * (1 + 0.5 / 32)),
        ({"b320": 4}, 1.0, 2**10 * (1 + 1 / 32)),
        ({"b320": 2, "b650": 2}, 0.25, 2**10 * (1 + 0.5 / 32)),
        ({"b320": 2, "b650": 2}, 0.75, 2**20 * (1 + 10.5 / 32)),
        ({"b320": 99, "b640": 1}, 0.99, 2**10 * (1 + 1 / 32)),
        ({"b320": 99, "b640": 1}, 0.995, 2**20 * (1 + 0.5 / 32)),
        ({"b0": 10}, 0.1, 1 + 0.1 / 32),
        ({f"b{HISTOGRAM - 1}": 1}, 0.5, 2**63 * (1 + 31.5 / 32)),
    ],
)
def test_a_percentile_is_interpolated_within_its_bin(bins: dict[str, int], share: float, ns: float) -> None:
    """Exact on histograms made by hand."""
    assert percentile(histogram(**bins), share) == pytest.approx(ns, rel=1e-12)


@settings(deadline=None)  # the first example compiles
@given(st.floats(1.0, 1e18))
def test_a_latency_falls_into_the_bin_whose_bounds_hold_it(ns: float) -> None:
    """Bin 32 * o + i is where percentile() says it is: a histogram of one latency gives it to 1/32."""
    place = kernel(bin_of)(ns)
    low, high = (percentile(histogram(**{f"b{place}": 1}), share) for share in (1e-12, 1.0))
    assert low <= ns * (1 + 1e-9)
    assert ns <= high <= low * (1 + 1 / 32)


def test_an_empty_histogram_has_no_percentile() -> None:
    """NaN, not 0: a latency that was not measured."""
    assert math.isnan(percentile(histogram(), 0.5))


def test_percentiles_rise_with_their_share() -> None:
    """Over a random histogram."""
    table = np.random.default_rng(3).integers(0, 5, HISTOGRAM)
    values = [percentile(table, share) for share in np.linspace(0.01, 1.0, 50)]
    assert values == sorted(values)


@pytest.mark.parametrize("threads", [1, 2, 7, 8, 9, 16])
def test_threads_are_scheduled_as_one_after_the_other_would_be(threads: int) -> None:
    """On 8 CPUs: from 9 threads on some wait for one."""
    scenario = catalogue.scenarios()["pft"]
    axes = {name: axis.parse(axis.values[0]) for name, axis in scenario.axes.items()} | {"threads": threads}
    world = build_world(make_load("pft", scenario, axes), stack("mmap-lock"))
    begun = start(world, PROFILE, seed_sequence(1, 0, "pft", threads)).threads
    leaves = len(begun.key) // 2
    one_by_one = begun._replace(key=np.full(2 * leaves, engine.INFINITE))
    set_key = kernel(engine.set_key)
    for thread, first in enumerate(begun.key[leaves : leaves + threads + 1].tolist()):
        set_key(one_by_one, thread, first)
    assert np.array_equal(one_by_one.key, begun.key)
    assert (begun.key[leaves:] < engine.INFINITE).sum() == min(threads, 8) + 1
