"""A cell's start state: what is mapped is live, in the tree, counted; the page cache is drawn by share."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from spfvar.matrix import catalogue
from spfvar.ops import codes as c
from spfvar.ops import objects as o
from spfvar.plugins.registry import load_registry
from spfvar.plugins.variant import Stack
from spfvar.scenario.load import make_load
from spfvar.simulate.result import Result
from spfvar.simulate.runner import seed_sequence, simulate
from spfvar.simulate.world import World, build_world, draw_start, own_classes
from spfvar.structs.lines import ALL, Memory
from tests.transition import driver as d


def world_of(*regions: dict[str, Any], threads: int = 2) -> World:
    """Threads that read every region, for ever."""
    program = [{"touch": region["name"], "access": "read"} for region in regions]
    return d.variant_world("spf-do-fault", d.small_load(list(regions), [
        {"name": "t", "threads": threads, "program": program}
    ]))  # fmt: skip


def test_mapped_regions_are_in_the_tree_and_unmapped_ones_are_not() -> None:
    """One VMA per thread, found at exactly its pages."""
    world = world_of({"name": "a", "size": "8KiB", "mapped": True}, {"name": "b", "size": "8KiB"})
    run = d.start(world)
    layout, g = world.layout, world.layout.g
    shift = int(g[c.G_TREE_SHIFT])
    found = [int(run.state[g[c.G_TREE] + (page >> shift)]) for page in range(8)]
    assert found == [1, 1, 2, 2, 0, 0, 0, 0]
    assert d.live(run, o.VMA) == {0, 1}
    assert [int(run.state[layout.word(o.VM_START, vma)]) for vma in (0, 1)] == [0, 2]
    assert [int(run.state[layout.word(o.VM_END, vma)]) for vma in (0, 1)] == [2, 4]


def test_a_process_wide_region_is_one_vma_and_one_file() -> None:
    """The descriptor and the VMA hold a reference each; threads see their slices."""
    world = world_of({"name": "f", "size": "16KiB", "backing": "file", "per": "process", "mapped": True})
    run = d.start(world)
    assert d.live(run, o.VMA) == {0}
    assert d.live(run, o.FILE) == {0}
    assert run.state[world.layout.word(o.F_COUNT)] == 2
    assert [range_.start for range_ in world.load.region("f").ranges] == [0, 2]


def test_files_get_folios_of_their_own() -> None:
    """Two threads' files of 4 pages: folios 0 to 3 and 4 to 7."""
    world = world_of({"name": "f", "size": "16KiB", "backing": "file", "mapped": True})
    assert [int(world.state[world.layout.word(o.FILE_FOLIO0, file)]) for file in (0, 1)] == [0, 4]
    assert world.load.folios == 8


def test_a_region_in_swap_has_a_swap_cache_and_no_file() -> None:
    """Each thread's 4 pages are those of a swap cache of its own; its VMA maps nothing."""
    world = world_of({"name": "m", "size": "16KiB", "backing": "swap", "mapped": True, "cached": 0.0})
    layout, state = world.layout, world.state
    assert [int(state[layout.word(o.FILE_FOLIO0, file)]) for file in (0, 1)] == [0, 4]
    registers = {register.name: slot for register, slot in layout.registers.items()}
    starts = [int(state[layout.thread_base(thread) + registers["m_swap_start"]]) for thread in (0, 1)]
    assert starts == [range_.start for range_ in world.load.region("m").ranges]
    assert [int(state[layout.word(o.VM_FILE, vma)]) for vma in (0, 1)] == [0, 0]
    assert not draw_start(world, np.random.default_rng(1))[layout.word(o.CACHED)]


@pytest.mark.parametrize(("share", "low", "high"), [(0.0, 0, 0), (1.0, 4096, 4096), (0.75, 2900, 3250)])
def test_the_page_cache_holds_its_share(share: float, low: int, high: int) -> None:
    """4096 pages: 0.75 of them are 3072, give or take 6 standard deviations of 28."""
    world = world_of({"name": "f", "size": "8MiB", "backing": "file", "mapped": True, "cached": share})
    state = draw_start(world, np.random.default_rng(1))
    cached = [int(state[world.layout.word(o.CACHED, folio)]) for folio in range(world.load.folios)]
    uptodate = [int(state[world.layout.word(o.UPTODATE, folio)]) for folio in range(world.load.folios)]
    assert low <= sum(cached) <= high
    assert cached == uptodate


def test_drawing_does_not_change_the_world() -> None:
    """Every seed starts from the same state."""
    world = world_of({"name": "f", "size": "64KiB", "backing": "file", "mapped": True, "cached": 0.5})
    before = world.state.copy()
    draw_start(world, np.random.default_rng(1))[:] = 7
    assert np.array_equal(world.state, before)


def test_endless_threads_start_anywhere_in_their_region_independently() -> None:
    """64 threads over 64 pages: some share a phase (all differ once in 10**27), and all parts have some."""
    world = world_of({"name": "a", "size": "256KiB", "mapped": True}, threads=64)
    slot = next(slot for register, slot in world.layout.registers.items() if register.name == "phase")
    states = [draw_start(world, np.random.default_rng(seed)) for seed in (1, 2)]
    phases, others = (
        [int(state[world.layout.thread_base(thread) + slot]) for thread in range(64)] for state in states
    )
    assert phases != others
    assert len(set(phases)) < 64
    assert {phase // 16 for phase in phases} == {0, 1, 2, 3}


def test_threads_count_as_users_of_the_mm_and_the_kthread_does_not() -> None:
    """mm_users decides whether a fault speculates."""
    world = world_of({"name": "a", "size": "4KiB", "mapped": True}, threads=3)
    assert world.state[world.layout.word(o.MM_USERS)] == 3
    assert world.layout.sizes.threads == 4


@pytest.mark.parametrize(
    ("size", "per", "private"),
    [("2MiB", "thread", True), ("4KiB", "thread", False), ("4MiB", "process", True), ("2MiB", "process", False)],
)  # fmt: skip
def test_page_tables_are_private_only_if_no_two_threads_use_one(size: str, per: str, private: bool) -> None:
    """A table covers 2 MiB: smaller ranges of two threads share it."""
    world = world_of({"name": "a", "size": size, "per": per, "mapped": True})
    assert (o.PAGE_TABLE in own_classes(world.load)) == private


def test_a_walk_over_all_vmas_finds_the_same_if_it_ends_at_those_never_allocated(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Threads map and unmap files while others reclaim their pages: the same run to the last word."""
    region = {"name": "f", "size": "16KiB", "backing": "file", "sharing": "shared", "cached": 0.5}
    load = d.small_load(
        [{**region, "fault_around": "4KiB"}],
        [
            {"name": "reader", "threads": 3, "repeat": 40,
             "program": [{"mmap": "f"}, {"touch": "f", "access": "read"}, {"munmap": "f"}]},
            {"name": "reclaim", "threads": 2, "repeat": 400, "program": [{"reclaim": "f"}]},
        ],
    )  # fmt: skip
    variant, profile = load_registry()["spf-do-fault"], catalogue.hardware()["phone-8c"]

    def result(world: World) -> Result:
        return simulate(world, variant, profile, seed_sequence(1, 0, "test", load.threads))

    short = result(build_world(load, Stack(variant)))
    monkeypatch.setattr("spfvar.simulate.world._note_unused", lambda layout, state: None)
    long = result(build_world(load, Stack(variant)))
    assert long.faults > 400
    assert repr(short) == repr(long)


def test_loads_that_differ_in_times_alone_are_linked_once() -> None:
    """Each with its own times; another size, or other structs, is another program."""
    scenario = catalogue.scenarios()["file-cow"]
    axes = {name: axis.parse(axis.values[0]) for name, axis in scenario.axes.items()} | {"threads": 2}
    of = Stack(load_registry()["per-vma-6.12"])

    def world(memory: Memory | None = None, **moved: float) -> World:
        return build_world(make_load("file-cow", scenario, {**axes, **moved}), of, memory)

    first, slower = world(io_latency=1e5), world(io_latency=2e5)
    assert slower.program is first.program
    assert slower.layout is first.layout
    assert (first.compute_ns["io"], slower.compute_ns["io"]) == (1e5, 2e5)
    assert np.array_equal(first.state, slower.state)
    assert world(threads=3).program is not first.program
    assert world(replace(of.memory, apart=frozenset({ALL}))).program is not first.program
