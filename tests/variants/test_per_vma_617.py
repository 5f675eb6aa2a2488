"""v6.17: who reads VMAs under their own locks, what that falls back on, and that no gap is made up."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from typing import Any

import pytest
from spfvar.variants.per_vma_617 import MapsByVma, from_addr
from spfvar.variants.per_vma_refcnt import VM_REFCNT, VMA_REF_LIMIT

from spfvar.explore.explore import explore
from spfvar.explore.options import Options
from spfvar.explore.verdict import SAFE, judge
from spfvar.explore.world import build_race
from spfvar.matrix.catalogue import races
from spfvar.mm import hookspecs as hooks
from spfvar.mm.hookspecs import hookimpl
from spfvar.mm.vmf import Mapping
from spfvar.ops import codes as c
from spfvar.ops import objects as o
from spfvar.ops.op import Steps
from spfvar.ops.primitives import at, count, find_vma, store_register, tree_store, vma_contains
from spfvar.plugins.registry import load_registry
from spfvar.plugins.variant import Event, Stack, Variant
from tests.transition import driver as d

VARIANT = "per-vma-6.17"
SHIPPED = load_registry()[VARIANT]
PAGE = {"size": "4KiB", "per": "process"}


def run_of(regions: list[dict[str, Any]], *programs: list[dict[str, Any]]) -> d.Run:
    """A run with a thread for each program, which is run once."""
    threads = [
        {"name": f"t{i}", "threads": 1, "repeat": 1, "program": program} for i, program in enumerate(programs)
    ]
    return d.start(d.variant_world(VARIANT, d.small_load(regions, threads)))


def finish(run: d.Run) -> dict[str, int]:
    """Let everybody end; returns the events."""
    assert run.finish() == d.FINISHED, run.where()
    assert d.leftovers(run) == []
    return run.counts()


def until(run: d.Run, tid: int, code: int) -> None:
    """Let a thread go on to the next primitive of an opcode."""
    word = run.layout.thread_base(tid) + c.T_PC
    while run.program.table[run.state[word], c.C_OP] != code:
        assert run.drive(1, tid=tid) == d.MOVED


def test_maps_locks_one_vma_at_a_time_in_one_rcu_section() -> None:
    """Two VMAs: each is referenced, looked at and put before the next one is looked up; no mmap_lock."""
    run = run_of([{"name": "r", "size": "4KiB", "count": 2, "mapped": True}], [{"maps": "r"}])
    trace = run.trace(0)
    wanted = ("rcu_read_", "m_next", "inc_not_zero", "load(vma->vm_page_prot", "vma_refcount_put")
    found = [next((start for start in wanted if name.startswith(start)), "") for name in trace]
    once = list(wanted[1:])
    assert [name for name in found if name] == ["rcu_read_", *once, *once, "rcu_read_"]
    assert not any("mmap_lock" in name for name in trace)
    assert finish(run)["maps_mmap_lock"] == 0
    assert run.state[run.layout.word(VM_REFCNT, 0)] == 1


def test_a_writer_waits_for_the_reader_of_its_own_vma_only() -> None:
    """The reader stands in the first VMA: the second one can be unmapped, the first one cannot."""
    regions = [{**PAGE, "name": "a", "mapped": True}, {**PAGE, "name": "b", "mapped": True}]
    run = run_of(regions, [{"maps": "a"}], [{"munmap": "b"}, {"munmap": "a"}])
    until(run, 0, c.INC_NOT_ZERO)
    assert run.drive(1, tid=0) == d.MOVED
    trace = run.trace(1)
    assert sum(name.startswith("detach_vmas") for name in trace) == 1
    assert run.drive(1, tid=1) == d.WAITS
    assert run.state[run.layout.word(VM_REFCNT, 0)] > VMA_REF_LIMIT
    finish(run)


def test_a_vma_that_is_write_locked_is_read_under_mmap_lock() -> None:
    """Its number equals the mm's: the reader waits for the writer as it did up to v6.16."""
    run = run_of([{**PAGE, "name": "r", "mapped": True}], [{"maps": "r"}], [{"mprotect": "r", "prot": "r"}])
    seq = next(field for field in run.layout.field_offset if field.name == "vm_lock_seq")
    while run.state[run.layout.word(seq)] == 0:
        assert run.drive(1, tid=1) == d.MOVED
    run.trace(0)
    assert run.counts()["maps_mmap_lock"] == 1
    finish(run)


def test_a_vma_with_too_many_readers_ends_the_read() -> None:
    """Neither the lock nor mmap_lock helps; nothing is kept, and the count stays as it was."""
    run = run_of([{"name": "r", "size": "4KiB", "count": 2, "mapped": True}], [{"maps": "r"}])
    run.state[run.layout.word(VM_REFCNT, 0)] = VMA_REF_LIMIT
    trace = run.trace(0)
    assert not any("vm_page_prot" in name for name in trace)
    assert finish(run)["maps_mmap_lock"] == 1
    assert run.state[run.layout.word(VM_REFCNT, 0)] == VMA_REF_LIMIT


class CountsGaps(MapsByVma):  # type: ignore[misc]
    """Count what the reader shows as unmapped."""

    def lock_next_vma(self) -> Steps:
        got = yield from super().lock_next_vma()
        if got != "locked" or not (yield vma_contains(key=from_addr)):
            yield count("gap")
        return got


class BelievesGaps(CountsGaps):
    """The VMA that was found is the next one, whatever has happened since."""

    def is_next(self) -> Steps:
        return True
        yield


class MovesBoundary:
    """mprotect of the next VMA's first page, which then belongs to the first VMA (mm/vma.c: commit_merge)."""

    @hookimpl
    def vma_merge(self, mapping: Mapping) -> Steps:
        yield from hooks.mmap_write_lock(o.range_start, o.range_end)
        yield find_vma(key=o.range_start)
        yield find_vma(o.near, o.range_end)
        yield from hooks.vma_start_write(o.vma)
        yield from hooks.vma_start_write(o.near)
        yield store_register(at(o.vma, o.VM_END), o.limit)
        yield store_register(at(o.near, o.VM_START), o.limit)
        yield tree_store(o.vma)
        yield from hooks.mmap_write_unlock()
        return True


@cache
def shows_gap(reader: type) -> bool:
    """Does some interleaving of the reader and the moving boundary show a gap?  All three pages stay mapped."""
    patches = [reader if patch is MapsByVma else patch for patch in SHIPPED.patches]
    events = (*SHIPPED.events, Event("gap", "reason", "shown as unmapped"))
    variant: Variant = replace(SHIPPED, patches=(*patches, MovesBoundary), events=events)
    merge = races()["maps-merge"]
    whole, first, behind = merge.vma
    # The VMA behind has two pages; the place that the boundary moves over is what `merge` is given.
    moved = behind.model_copy(update={"name": "moved", "mapped": False})
    vmas = [
        whole.model_copy(update={"pages": 3}), first, behind.model_copy(update={"pages": 2}), moved
    ]  # fmt: skip
    maps, writer = merge.actor
    statement = writer.program[0].model_copy(update={"to": "moved"})
    race = merge.model_copy(
        update={"vma": vmas, "actor": [maps, writer.model_copy(update={"program": [statement]})],
                "sometimes": ["count(gap)"]}
    )  # fmt: skip
    verdict = judge(build_race(race, Stack(variant)), VARIANT, "boundary", Options())
    assert verdict.verdict == SAFE
    return not verdict.vacuous


def test_a_gap_that_was_never_there_is_not_shown() -> None:
    """V17: the boundary moves between the look-up of a VMA and its lock, and all pages are mapped throughout."""
    assert not shows_gap(CountsGaps)


def test_without_the_second_look_it_is() -> None:
    """The control: it is the check of `is_next` that makes the difference."""
    assert shows_gap(BelievesGaps)


def test_the_races_reach_every_way_of_the_reader() -> None:
    """Locked at once, detached and looked up again, second look passed and failed, mmap_lock."""
    reached: set[tuple[str, int]] = set()
    for name in ("maps-gap", "maps-merge", "maps-munmap"):
        world = build_race(races()[name], Stack(SHIPPED))
        covered = explore(world, Options()).covered.reshape(len(world.program.ops), -1)
        for node, op in enumerate(world.program.ops):
            reached |= {(op.name.split("(")[0], i) for i in covered[node].nonzero()[0]}
    assert {("vma == near", 0), ("vma == near", 1)} <= reached
    assert {("same mm_lock_seq", 0), ("same mm_lock_seq", 1)} <= reached
    assert {("mmap_lock is held for writing", 0), ("mmap_lock is held for writing", 1)} <= reached
    assert {("inc_not_zero", 0), ("inc_not_zero", 1), ("count", 0)} <= reached


def test_madvise_takes_the_vmas_lock_alone() -> None:
    """The range is zapped between the reference and its put; mmap_lock is not touched."""
    run = run_of([{**PAGE, "name": "r", "mapped": True}], [{"touch": "r"}, {"madvise": "r"}])
    trace = run.trace(0)
    trace = trace[trace.index("madvise") :]
    places = [
        next(i for i, name in enumerate(trace) if name.startswith(wanted))
        for wanted in ("inc_not_zero", "rcu_read_unlock", "zap_pte_range", "flush_tlb", "vma_refcount_put")
    ]
    assert places == sorted(places)
    assert not any("mmap_lock" in name for name in trace)
    assert finish(run)["madvise_mmap_lock"] == 0


def test_madvise_of_more_than_the_vma_takes_mmap_lock() -> None:
    """The VMA ends before the range does: its lock is given back."""
    run = run_of([{**PAGE, "name": "r", "size": "8KiB", "mapped": True}], [{"madvise": "r"}])
    run.state[run.layout.word(o.VM_END, 0)] -= 1
    assert any(name.startswith("mmap_read_lock") for name in run.trace(0))
    assert finish(run)["madvise_mmap_lock"] == 1
    assert run.state[run.layout.word(VM_REFCNT, 0)] == 1


@pytest.mark.parametrize("userfault", [False, True])
def test_madvise_with_userfaultfd_takes_mmap_lock(userfault: bool) -> None:
    """The monitor has to be told, and that is not done under a VMA's lock."""
    race = races()["madvise-munmap"]
    [heap], [madvise, _] = race.vma, race.actor
    update = {"vma": [heap.model_copy(update={"userfault": userfault})], "actor": [madvise],
              "sometimes": ["count(madvise_mmap_lock)"]}  # fmt: skip
    verdict = judge(build_race(race.model_copy(update=update), Stack(SHIPPED)), VARIANT, "alone", Options())
    assert verdict.verdict == SAFE
    assert (not verdict.vacuous) == userfault
