"""Per-VMA locks of v6.12: when they are had, dropped, and what the retry under mmap_lock may do."""

from __future__ import annotations

from typing import Any

import pytest

from spfvar.mm.vmf import TRIED, Mapping, VMFault, VmFault
from spfvar.ops import objects as o
from spfvar.plugins.registry import load_registry
from tests.transition import driver as d

VARIANT = "per-vma-6.12"
PATCHES = {patch.__name__: patch for patch in load_registry()[VARIANT].patches}


def world_of(region: dict[str, Any], *groups: list[dict[str, Any]]) -> Any:
    """Threads, one per program, over the process-wide region "r"."""
    regions = [{"name": "r", "mapped": True, "size": "4KiB", **region}, {"name": "scratch", "size": "4KiB"}]
    threads = [
        {"name": f"t{i}", "threads": 1, "repeat": 1, "program": program} for i, program in enumerate(groups)
    ]
    return d.variant_world(VARIANT, d.small_load(regions, threads))


def alone(region: dict[str, Any], *program: dict[str, Any]) -> tuple[list[str], d.Run]:
    """What one thread executes, and the run when it has ended."""
    run = d.start(world_of(region, list(program)))
    trace = run.trace(0)
    assert run.finish() == d.FINISHED
    assert d.leftovers(run) == []
    return trace, run


def test_an_anonymous_fault_never_touches_mmap_lock() -> None:
    """Every page under the VMA's lock alone, page tables included."""
    trace, run = alone({"size": "16KiB"}, {"touch": "r"})
    assert run.faults == 4
    assert run.counts()["vma_lock_attempt"] == 4
    assert run.counts()["mmap_lock_fault"] == 0
    assert not any("mmap_lock" in name for name in trace)


def test_a_missing_anon_vma_is_made_under_a_trylock_of_mmap_lock() -> None:
    """__vmf_anon_prepare: one mmap_read_trylock, held around the preparation, and the fault goes on.

    Whether another fault was faster is looked at under page_table_lock alone, as in the C; the second page
    finds the anon_vma.
    """
    trace, run = alone({"size": "8KiB", "anon_vma": False}, {"touch": "r"})
    looked = ("mmap_read", "anon_vma_alloc", "load(vma->anon_vma", "spin_lock(mm->page_table_lock")
    assert [name.split("(mm->mmap_lock")[0] for name in trace if name.startswith(looked)] == [
        "load(vma->anon_vma)", "mmap_read_trylock", "anon_vma_alloc", "spin_lock(mm->page_table_lock)",
        "load(vma->anon_vma)", "mmap_read_unlock", "load(vma->anon_vma)",
    ]  # fmt: skip
    assert run.counts()["vma_lock_retry"] == 0


def test_if_mmap_lock_is_not_free_the_fault_drops_its_lock_and_is_done_again() -> None:
    """It may not wait for mmap_lock with the VMA locked: a writer would wait for the VMA."""
    run = d.start(world_of({"anon_vma": False, "per": "process"}, [{"touch": "r"}], [{"mmap": "scratch"}]))
    lock = run.layout.word(o.MMAP_LOCK)
    while run.state[lock + 1] == 0:  # until thread 1 holds mmap_lock for writing
        assert run.drive(1, tid=1) == d.MOVED
    trace = run.trace(0)
    assert run.counts()["vma_lock_retry_anon_vma"] == 1
    assert any(name.startswith("vma_end_read") for name in trace)
    assert run.finish() == d.FINISHED
    assert (run.counts()["vma_lock_retry"], run.counts()["mmap_lock_fault"]) == (1, 1)
    assert d.leftovers(run) == []


@pytest.mark.parametrize("major", [True, False])
def test_only_a_major_fault_spends_its_one_drop_of_the_lock(major: bool) -> None:
    """After VM_FAULT_RETRY the fault takes mmap_lock; FAULT_FLAG_TRIED is set only with VM_FAULT_MAJOR."""
    patch = PATCHES["PerVmaReader"]()
    vmf = VmFault(False, Mapping(anonymous=False)).set("VMA_LOCK")
    ret = VMFault.RETRY | (VMFault.MAJOR if major else VMFault.NONE)
    steps = patch._retry_with_mmap_lock(vmf, ret)
    assert next(steps).event == "vma_lock_retry"
    call = next(steps)
    assert call.target == "fault_with_mmap_lock"
    [retried] = call.args
    assert (retried.has(TRIED), retried.has("VMA_LOCK")) == (major, False)


def test_io_is_waited_for_without_any_lock_and_retried_under_mmap_lock() -> None:
    """One missing page: the VMA lock is dropped before the read, mmap_lock taken after it, once."""
    trace, run = alone(
        {"backing": "file", "cached": 0.0, "fault_around": "4KiB"}, {"touch": "r", "access": "read"}
    )
    counts = run.counts()
    assert (counts["vma_lock_retry"], counts["mmap_lock_fault"], counts["pgmajfault"]) == (1, 1, 1)
    order = [name.split("(")[0] for name in trace]
    assert order.index("vma_end_read") < order.index("filemap_read_folio") < order.index("mmap_read_trylock")


def test_waiting_for_a_locked_page_is_a_retry_too() -> None:
    """Thread 1 reads the page in; thread 0 finds it locked, drops the VMA lock, and retries: no major fault.

    The page is there and locked, so thread 0 counts no pgmajfault of its own.
    """
    region = {"backing": "file", "cached": 0.0, "fault_around": "4KiB", "per": "process", "size": "8KiB"}
    run = d.start(world_of(region, [{"touch": "r", "access": "read"}], [{"touch": "r", "access": "read"}]))
    slots = {register.name: slot for register, slot in run.layout.registers.items()}
    for name in ("r_start", "r_end"):  # both threads touch the first thread's page
        first, second = (run.layout.thread_base(t) + slots[name] for t in (0, 1))
        run.state[second] = run.state[first]
    folio_lock = run.layout.word(o.FOLIO_LOCK)
    while run.state[folio_lock] == 0:
        assert run.drive(1, tid=1) == d.MOVED
    assert run.counts()["pgmajfault"] == 1
    run.trace(0)
    assert run.state[folio_lock] == 2  # thread 1 has it, thread 0 waits
    assert run.finish() == d.FINISHED
    assert (run.counts()["pgmajfault"], run.counts()["vma_lock_retry"]) == (1, 2)
    assert d.leftovers(run) == []


def test_a_write_locked_vma_turns_faults_away_until_the_writer_is_done() -> None:
    """vma_start_write marks it with the odd mm_lock_seq; a fault then takes mmap_lock, and waits."""
    run = d.start(world_of({"per": "process"}, [{"touch": "r"}], [{"mprotect": "r", "prot": "rw"}]))
    seq = next(field for field in run.layout.field_offset if field.name == "vm_lock_seq")
    while run.state[run.layout.word(seq)] == 0:
        assert run.drive(1, tid=1) == d.MOVED
    trace = run.trace(0)
    assert run.counts()["vma_lock_abort_write_locked"] == run.counts()["vma_lock_abort"] == 1
    assert not any(name.startswith("vma_start_read") for name in trace)
    assert run.finish() == d.FINISHED
    assert run.counts()["mmap_lock_fault"] == 1


def test_a_writer_waits_for_the_faults_of_its_vma_only() -> None:
    """mprotect of the VMA waits for the reader inside; mmap of another range does not."""
    for statement, waits in (({"mprotect": "r", "prot": "rw"}, True), ({"mmap": "scratch"}, False)):
        run = d.start(world_of({"per": "process"}, [{"touch": "r"}], [statement]))
        lock = next(field for field in run.layout.field_offset if field.name == "vm_lock")
        while run.state[run.layout.word(lock)] == 0:
            assert run.drive(1, tid=0) == d.MOVED
        trace = run.trace(1)
        assert ("iteration" in trace) != waits
        assert run.finish() == d.FINISHED


def test_a_shared_write_is_complete_although_the_lock_was_dropped() -> None:
    """v6.0 and later: no second pass."""
    trace, run = alone({"backing": "file", "sharing": "shared"}, {"touch": "r"})
    assert trace.count("set_page_dirty") == 1
    assert (run.counts()["vma_lock_attempt"], run.counts()["mmap_lock_fault"]) == (1, 0)


def test_a_driver_without_map_pages_is_left_to_mmap_lock() -> None:
    """vmf_can_call_fault: its ->fault was never checked for running under a VMA lock."""
    _, run = alone({"backing": "file", "map_pages": False}, {"touch": "r", "access": "read"})
    counts = run.counts()
    assert (counts["vma_lock_retry_no_map_pages"], counts["vma_lock_retry"], counts["mmap_lock_fault"]) == (
        1,
        1,
        1,
    )
