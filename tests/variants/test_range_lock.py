"""Range locks in mmap_lock's place: what is asked for, and who waits for whom."""

from __future__ import annotations

from typing import Any

import pytest
from spfvar.variants.range_lock import TREE_LOCK, MmapRangeLock

from spfvar.faultpaths.system_calls import WRITERS
from spfvar.faultpaths.writers import Overlay, overlay_of
from spfvar.ops import codes as c
from spfvar.ops import objects as o
from spfvar.plugins.registry import load_registry
from spfvar.plugins.variant import Stack
from spfvar.structs.lines import CacheLines
from tests.transition import driver as d

REGISTRY = load_registry()
PAGES = 512  # of a page table


def asked(
    variant: str, program: list[dict[str, Any]], *regions: dict[str, Any]
) -> list[tuple[int, int, str]]:
    """Range and kind of every request of a thread, in order."""
    groups = [{"name": "t", "threads": 1, "repeat": 1, "program": program}]
    run = d.start(d.variant_world(variant, d.small_load(list(regions), groups)))
    found: list[tuple[int, int, str]] = []
    while True:
        pc = int(run.state[run.layout.thread_base(0) + c.T_PC])
        op = run.program.ops[pc]
        if run.drive(1, tid=0) != d.MOVED:
            return found
        if op.code in (c.RANGE_LOCK, c.RANGE_TRYLOCK):
            ends = (o.range_lock_start, o.range_lock_end)
            start, end = (int(run.state[run.layout.thread_word(0, register)]) for register in ends)
            found.append((start, end, "write" if op.imm else "read"))


REGION = {"name": "r", "size": "4KiB", "mapped": True}
#: Three regions of a page table each.
REGIONS = [{"name": name, "size": "2MiB", "mapped": True} for name in "abc"]


def test_tree_and_spinlock_are_one_struct_in_place_of_the_rwsem() -> None:
    """32 bytes, so a request moves one line, that of the rwsem's count."""
    touched = {o.MMAP_LOCK, *(place.field for place in (TREE_LOCK, MmapRangeLock.ranges))}
    lines = CacheLines(Stack(REGISTRY["range-lock"]).memory, touched)
    assert len({lines.key(field) for field in touched}) == 1


def test_as_posted_everybody_asks_for_everything() -> None:
    """A fault reads, munmap writes the address space, which here is one page table."""
    requests = asked("range-lock", [{"touch": "r"}, {"munmap": "r"}], REGION)
    assert requests == [(0, PAGES, "read"), (0, PAGES, "write")]


def test_refined_a_fault_asks_for_its_page_table() -> None:
    """Three regions of a table each: the faults in each ask for its 512 pages."""
    requests = asked("range-lock-refined", [{"touch": name} for name in "abc"], *REGIONS)
    assert list(dict.fromkeys(requests)) == [(i * PAGES, (i + 1) * PAGES, "read") for i in range(3)]


def test_refined_a_call_asks_for_the_tables_of_its_neighbours_too() -> None:
    """mprotect of the second table may merge with what ends or begins beside it: three tables."""
    program = [*({"touch": name} for name in "abc"), {"mprotect": "b", "prot": "r"}]
    assert asked("range-lock-refined", program, *REGIONS)[-1] == (0, 3 * PAGES, "write")


def test_a_slot_is_a_page() -> None:
    """RadixVM: a fault asks for its page, a call for its own pages, beside which nothing merges; nobody shares."""
    program = [*({"touch": name} for name in "abc"), {"munmap": "b"}]
    requests = asked("radixvm", program, *REGIONS)
    assert requests[: 3 * PAGES] == [(page, page + 1, "write") for page in range(3 * PAGES)]
    assert requests[-1] == (PAGES, 2 * PAGES, "write")


def test_a_fault_that_maps_what_lies_around_locks_a_table_of_slots() -> None:
    """A read of a cached file fills 16 entries: the slots of its table; a write to a private copy, one."""
    region = {"name": "r", "size": "64KiB", "backing": "file", "mapped": True, "fault_around": "64KiB"}
    assert asked("radixvm", [{"touch": "r", "access": "read"}], region)[0] == (0, PAGES, "write")
    assert asked("radixvm", [{"touch": "r"}], region)[0] == (0, 1, "write")


def overlay(variant: str, writer: str) -> Overlay:
    """What a writer does to faults."""
    found = next(known for known in WRITERS if known.name == writer)
    return overlay_of(found, REGISTRY[variant], Stack(REGISTRY[variant]))


@pytest.mark.parametrize(
    ("variant", "far"), [("range-lock", True), ("range-lock-refined", False), ("radixvm", False)]
)
def test_whom_munmap_keeps_waiting(variant: str, far: bool) -> None:
    """Faults in its own VMA in any case; faults of other page tables only if everybody asks for everything."""
    found = overlay(variant, "munmap")
    assert found.near is not None
    assert found.far is not None
    assert "waits" in found.near.new
    assert ("waits" in found.far.new) == far


@pytest.mark.parametrize("variant", ["range-lock-refined", "radixvm"])
def test_no_fault_takes_an_mm_wide_lock(variant: str) -> None:
    """Writes, reads, copies: none is counted as under mmap_lock."""
    groups = [{"name": "t", "threads": 2, "repeat": 2, "program": [{"touch": "r"}, {"madvise": "r"}]}]
    run = d.start(d.variant_world(variant, d.small_load([{**REGION, "per": "process"}], groups)))
    assert run.finish() == d.FINISHED
    assert run.faults > 0
    assert "mmap_lock_fault" not in run.counts()
    assert d.leftovers(run) == []


def test_a_core_faults_once_for_each_page_that_another_has_mapped() -> None:
    """Two threads read one file page: two faults in RadixVM, where each has its own table."""
    region = {"name": "r", "size": "4KiB", "backing": "file", "per": "process", "mapped": True}
    groups = [{"name": "t", "threads": 2, "repeat": 1, "program": [{"touch": "r", "access": "read"}]}]
    faults = {}
    for variant in ("range-lock-refined", "radixvm"):
        run = d.start(d.variant_world(variant, d.small_load([region], groups)))
        for thread in (0, 1):  # one after the other
            run.trace(thread)
        faults[variant] = run.faults
    assert faults == {"range-lock-refined": 1, "radixvm": 2}
