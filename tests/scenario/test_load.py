"""Loads: ranges never overlap, files are who they should be, absurd sizes are refused."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spfvar.errors import InputError
from spfvar.scenario.load import MAX_PAGES, PT_SPAN, Load, make_load, scenario_hash
from spfvar.scenario.schema import MAX_THREADS, Scenario
from tests.transition import driver as d


def scenario(regions: list[dict[str, Any]], groups: list[dict[str, Any]], **axes: Any) -> Scenario:
    """A scenario with an axis threads and these others (a unit and a value each)."""
    table = {"threads": {"doc": "t", "values": [1]}}
    table |= {name: {"doc": name, "unit": unit, "values": [value]} for name, (unit, value) in axes.items()}
    return Scenario.model_validate({
        "kind": "load", "title": "t", "axes": table, "region": regions, "group": groups,
        "measure": {"faults": 1, "faults_per_thread": 3, "warmup_per_thread": 2},
    })  # fmt: skip


def touching(*names: str, threads: int | str = 2) -> dict[str, Any]:
    """A group that touches these regions."""
    return {"name": "_".join(names), "threads": threads, "program": [{"touch": name} for name in names]}


SIZES = st.sampled_from(["4KiB", "12KiB", "60KiB", "2MiB", "2052KiB", "3MiB"])
REGIONS = st.lists(
    st.fixed_dictionaries({
        "size": SIZES, "backing": st.sampled_from(["anon", "file"]),
        "per": st.sampled_from(["thread", "process"]),
        "count": st.integers(1, 3), "window": st.sampled_from([None, "8KiB", "2MiB"]),
    }),
    min_size=1, max_size=4,
)  # fmt: skip


@settings(max_examples=60, deadline=None)
@given(
    REGIONS,
    st.lists(st.tuples(st.integers(1, 5), st.sets(st.integers(0, 3), min_size=1)), min_size=1, max_size=3),
)
def test_the_ranges_of_threads_and_regions_never_overlap(
    regions: list[dict[str, Any]], groups: list[tuple[int, set[int]]]
) -> None:
    """Every page belongs to one thread's one range (with all its parts), inside the address space."""
    named: list[dict[str, Any]] = [
        {"name": f"r{i}", **{key: value for key, value in region.items() if value is not None}}
        for i, region in enumerate(regions)
    ]
    programs = [
        {**touching(*sorted({f"r{n % len(named)}" for n in used}), threads=threads), "name": f"g{i}"}
        for i, (threads, used) in enumerate(groups)
    ]
    load = make_load("t", scenario(named, programs), {"threads": 1})
    owner: dict[int, tuple[str, int]] = {}
    for region in load.regions:
        members = 0
        for thread, range_ in enumerate(region.ranges):
            members += range_.pages > 0
            for page in range(range_.start, range_.start + range_.pages * region.count):
                assert owner.setdefault(page, (region.name, thread)) == (region.name, thread)
                assert region.whole.start <= page < region.whole.start + region.whole.pages
        users = [g for g in load.groups if any(s.touch == region.name for s in g.group.program)]
        assert members == sum(group.threads for group in users)
    assert max(owner) < load.pages
    assert load.pages % PT_SPAN == 0


@settings(max_examples=60, deadline=None)
@given(REGIONS, st.integers(1, 4))
def test_every_vma_boundary_is_one_of_the_trees(regions: list[dict[str, Any]], threads: int) -> None:
    """A slot of the VMA tree is 2**tree_shift pages: starts and ends are multiples of it."""
    named = [
        {"name": f"r{i}", **{k: v for k, v in region.items() if v is not None}}
        for i, region in enumerate(regions)
    ]
    group = touching(*(region["name"] for region in named), threads=threads)
    load = make_load("t", scenario(named, [group]), {"threads": 1})
    unit = 1 << load.tree_shift
    for region in load.regions:
        for range_ in region.ranges:
            for i in range(region.count + 1):
                assert (range_.start + i * range_.pages) % unit == 0


def test_a_heap_that_grows_by_pages_has_a_tree_of_pages() -> None:
    """brk keeps the first page, so a boundary lies one page behind the start."""
    heap = [{"name": "heap", "size": "2MiB", "mapped": True}]
    program = [{"brk": "heap", "change": "shrink"}]
    brk = make_load("t", scenario(heap, [{"name": "t", "threads": 1, "program": program}]), {"threads": 1})
    assert brk.tree_shift == 0
    assert make_load("t", scenario(heap, [touching("heap")]), {"threads": 1}).tree_shift == 9


def test_a_windowed_region_takes_the_windows_pages_only() -> None:
    """Of 16 GiB the model keeps 2 MiB per thread, and goes through it part by part."""
    regions = [{"name": "big", "size": "16GiB", "window": "2MiB", "per": "process", "mapped": True}]
    load = make_load("t", scenario(regions, [touching("big", threads=3)]), {"threads": 1})
    region = load.region("big")
    assert (region.windowed, region.shared_vma, region.pages) == (True, True, 512)
    assert [range_.start for range_ in region.ranges] == [0, 512, 1024]
    assert load.pages == 3 * 512


@pytest.mark.parametrize("variant", ["mmap-lock", "spf-do-fault"])
def test_a_windowed_region_faults_anew_in_every_pass(variant: str) -> None:
    """Three passes over a window of 8 pages touch 24 different pages of the region: 24 faults."""
    load = d.small_load(
        [{"name": "big", "size": "1GiB", "window": "32KiB", "mapped": True}],
        [{"name": "t", "threads": 1, "repeat": 3, "program": [{"touch": "big"}]}],
    )
    run = d.start(d.variant_world(variant, load))
    assert run.finish() == d.FINISHED
    assert run.faults == 24


def test_process_wide_regions_are_cut_into_slices() -> None:
    """Four threads share 16 pages of one VMA and one file."""
    regions = [{"name": "f", "size": "64KiB", "backing": "file", "per": "process", "mapped": True}]
    load = make_load("t", scenario(regions, [touching("f", threads=4)]), {"threads": 1})
    assert [(range_.start, range_.pages, range_.file) for range_ in load.region("f").ranges] == [
        (0, 4, 0), (4, 4, 0), (8, 4, 0), (12, 4, 0),
    ]  # fmt: skip
    assert (load.files, load.folios) == (1, 16)


def test_threads_that_do_not_use_a_region_have_no_part_of_it() -> None:
    """Groups are numbered one after another; each sees its own regions."""
    regions = [{"name": "a", "size": "4KiB"}, {"name": "b", "size": "4KiB"}]
    load = make_load(
        "t", scenario(regions, [touching("a", threads=2), touching("b", threads=1)]), {"threads": 1}
    )
    assert [range_.pages for range_ in load.region("a").ranges] == [1, 1, 0]
    assert [range_.pages for range_ in load.region("b").ranges] == [0, 0, 1]
    assert [(group.first, group.threads) for group in load.groups] == [(0, 2), (2, 1)]


def test_axes_are_put_in_and_the_measurement_grows_with_the_first_group() -> None:
    """warmup 2 per thread, faults 1 + 3 per thread, of the four threads of the main group."""
    text = scenario(
        [{"name": "a", "size": "$size", "cached": "$share", "backing": "file"}],
        [touching("a", threads="$threads"), touching("a", threads=1) | {"name": "other"}],
        size=("size", "8KiB"), share=("share", 0.5),
    )  # fmt: skip
    load: Load = make_load("t", text, {"threads": 4, "size": 12288, "share": 0.25})
    assert (load.threads, load.region("a").pages, load.region("a").cached) == (5, 3, 0.25)
    assert (load.warmup, load.faults) == (8, 13)
    assert load.axes == (("threads", 4), ("size", 12288), ("share", 0.25))


@pytest.mark.parametrize(
    ("region", "group", "says"),
    [
        ({"size": "64GiB"}, {"threads": 1}, "region 'a' makes the address space 16777216 pages"),
        ({"size": "1GiB"}, {"threads": 64}, f"at most {MAX_PAGES}"),
        ({"size": "1GiB", "count": 1000}, {"threads": 1}, "address space"),
        ({"size": "100B"}, {"threads": 1}, "smaller than a page"),
        ({"size": "4KiB", "window": "1B"}, {"threads": 1}, "smaller than a page"),
        ({"size": "4KiB"}, {"threads": MAX_THREADS + 1}, f"1 to {MAX_THREADS}"),
    ],
)
def test_absurd_sizes_are_input_errors(region: dict[str, Any], group: dict[str, Any], says: str) -> None:
    """Before any memory is taken, with the region's or group's name."""
    regions = [{"name": "a", **region}]
    with pytest.raises(InputError, match=says):
        make_load("mine", scenario(regions, [{**touching("a"), **group}]), {"threads": 1})


def test_too_many_threads_in_all_are_refused() -> None:
    """Two groups, each allowed by itself."""
    groups = [{**touching("a", threads=MAX_THREADS), "name": name} for name in ("g", "h")]
    with pytest.raises(InputError, match=f"{2 * MAX_THREADS} threads in all"):
        make_load("mine", scenario([{"name": "a", "size": "4KiB"}], groups), {"threads": 1})


def test_an_axis_of_the_wrong_kind_is_refused() -> None:
    """A choice where a number is needed."""
    text = scenario([{"name": "a", "size": "$per"}], [touching("a")], per=("size", "4KiB"))
    with pytest.raises(InputError, match="'process' is no number here"):
        make_load("mine", text, {"threads": 1, "per": "process"})


def test_the_hash_is_that_of_the_content() -> None:
    """Equal content, equal hash; any change changes it."""
    one = scenario([{"name": "a", "size": "4KiB"}], [touching("a")])
    same = scenario([{"size": 4096, "name": "a"}], [touching("a")])
    other = scenario([{"name": "a", "size": "8KiB"}], [touching("a")])
    assert scenario_hash(one) == scenario_hash(same) != scenario_hash(other)
    assert len(scenario_hash(one)) == 12
