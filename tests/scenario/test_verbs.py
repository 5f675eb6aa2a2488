"""Statements about whole regions: fork, /proc/pid/maps, reclaim, an mprotect of all; and ranges in turn."""

from __future__ import annotations

from typing import Any

import pytest

from spfvar.errors import InputError
from spfvar.ops import codes as c
from spfvar.ops import objects as o
from tests.transition import driver as d

VARIANTS = ("mmap-lock", "spf-do-fault", "per-vma-6.7", "per-vma-refcnt")
HEAP = {"name": "heap", "size": "8KiB", "count": 3, "mapped": True}
FILE = {"name": "file", "size": "8KiB", "backing": "file", "sharing": "shared", "mapped": True}


def group(name: str, *program: dict[str, Any], threads: int = 1, repeat: int = 1) -> dict[str, Any]:
    """Threads that run a program so many times."""
    return {"name": name, "threads": threads, "repeat": repeat, "program": list(program)}


def run_of(variant: str, regions: list[dict[str, Any]], *groups: dict[str, Any]) -> d.Run:
    """A run at its start."""
    return d.start(d.variant_world(variant, d.small_load(regions, list(groups))))


def names_of(run: d.Run, thread: int) -> list[str]:
    """The primitives of a thread, without their places."""
    return [name.split("(")[0] for name in run.trace(thread)]


@pytest.mark.parametrize("variant", VARIANTS)
def test_a_fork_copies_every_vma_and_the_child_leaves_nothing(variant: str) -> None:
    """A fork of 3 VMAs of 2 pages after each of 4 passes, which write the first, second, third, first VMA.

    2, 4, 6 and 6 entries are there to be copied; the last pass faults again on entries that a fork protected.
    """
    run = run_of(
        variant, [HEAP], group("parent", {"touch": "heap"}, {"next": "heap"}, {"fork": "heap"}, repeat=4)
    )
    trace = names_of(run, 0)
    assert run.finish() == d.FINISHED
    assert (trace.count("vm_area_dup"), trace.count("__mt_destroy")) == (12, 12)
    assert trace.count("ptep_set_wrprotect") == 18
    assert trace.count("mmap_write_lock_nested") == 2 * 4  # the child's: by the fork, and when it ends
    assert run.faults == 8
    assert d.leftovers(run) == []


def test_a_fork_meets_threads_that_map_and_unmap() -> None:
    """Whatever VMAs there are at the time are copied; in many random orders nothing is left behind."""
    scratch = {"name": "scratch", "size": "8KiB"}
    worker = group(
        "worker", {"mmap": "scratch"}, {"touch": "scratch"}, {"munmap": "scratch"}, threads=2, repeat=3
    )
    parent = group("parent", {"fork": "scratch"}, repeat=3)
    for seed in range(5):
        world = d.variant_world("per-vma-refcnt", d.small_load([scratch], [worker, parent]))
        run = d.start(world, seed)
        assert run.finish() == d.FINISHED, run.where()
        assert d.leftovers(run) == []


def test_only_one_thread_may_fork_a_region() -> None:
    """There is room for one child."""
    with pytest.raises(InputError, match="2 threads fork region 'heap'"):
        run_of("mmap-lock", [HEAP], group("p", {"touch": "heap"}, {"fork": "heap"}, threads=2))


def test_a_reader_of_maps_goes_from_vma_to_vma() -> None:
    """Each of 3 VMAs is found once, under one mmap_lock; what it reads belongs to another thread."""
    run = run_of("mmap-lock", [HEAP], group("t", {"touch": "heap"}), group("monitor", {"maps": "heap"}))
    trace = names_of(run, 1)
    assert (trace.count("mmap_read_lock"), trace.count("m_next")) == (1, 3)
    assert run.finish() == d.FINISHED


def test_reclaim_takes_the_pages_of_all_files_in_turn() -> None:
    """2 threads with a file of 2 pages each: 5 reclaims take each page, and begin again with the first."""
    run = run_of(
        "mmap-lock", [FILE],
        group("t", {"touch": "file", "access": "read"}, threads=2),
        group("kswapd", *[{"reclaim": "file"}] * 5),
    )  # fmt: skip
    for thread in (0, 1):
        run.trace(thread)
    assert run.faults == 2  # fault-around
    taken = []
    while run.drive(1, tid=2) == d.MOVED:
        missing = [i for i in range(4) if run.state[run.layout.word(o.CACHED, i)] == 0]
        taken += [i for i in missing if i not in taken]
    assert taken == [0, 1, 2, 3]
    assert run.finish() == d.FINISHED
    assert d.leftovers(run) == []


def test_threads_that_reclaim_begin_spread_over_the_pages() -> None:
    """2 hands over 2 files of 2 pages: the second one begins with the second file."""
    run = run_of(
        "mmap-lock", [FILE],
        group("t", {"touch": "file", "access": "read"}, threads=2),
        group("kswapd", {"reclaim": "file"}, threads=2),
    )  # fmt: skip
    run.trace(3)
    cached = [int(run.state[run.layout.word(o.CACHED, i)]) for i in range(4)]
    assert cached == [1, 1, 0, 1]


def test_a_whole_mprotect_reaches_the_other_threads_pages() -> None:
    """The second thread takes the write permission of what the first one has written, page table and all."""
    region = {"name": "heap", "size": "8KiB", "mapped": True, "per": "process"}
    run = run_of(
        "per-vma-6.12", [region],
        group("t", {"touch": "heap"}), group("gc", {"mprotect": "heap", "prot": "r", "whole": True}),
    )  # fmt: skip
    run.trace(0)
    [table] = [int(t) - 1 for t in d.directory(run) if t]
    entries = run.layout.g[c.G_PTE] + table * 512
    before = [int(run.state[entries + i]) & c.PTE_WRITE for i in range(2)]
    run.trace(1)
    after = [int(run.state[entries + i]) & c.PTE_WRITE for i in range(2)]
    assert all(before)
    assert after == [0, 0]


def test_behind_the_last_range_comes_the_first() -> None:
    """3 ranges of 2 pages, gone through twice: the second time nothing faults."""
    run = run_of("mmap-lock", [HEAP], group("t", {"touch": "heap"}, {"next": "heap"}, repeat=6))
    assert run.finish() == d.FINISHED
    assert run.faults == 6


@pytest.mark.parametrize(
    ("region", "statement", "says"),
    [
        (HEAP, {"reclaim": "heap"}, "no pages in the page cache"),
        (HEAP, {"mprotect": "heap", "whole": True}, "not one VMA"),
        (HEAP, {"touch": "heap", "whole": True}, "touch of a whole region"),
    ],
)
def test_statements_that_make_no_sense_are_refused(
    region: dict[str, Any], statement: dict[str, Any], says: str
) -> None:
    """What the region is decides what may be done to all of it."""
    with pytest.raises((InputError, ValueError), match=says):
        run_of("mmap-lock", [region], group("t", statement))
