"""Per-VMA locks by reference count: the order of the protocol, its fall-backs, its bounds."""

from __future__ import annotations

from typing import Any

import pytest
from spfvar.variants.per_vma_refcnt import VM_REFCNT, VMA_LOCK_OFFSET, VMA_REF_LIMIT, VMA_WRITER_WAIT
from spfvar.variants.vma_lock import VM_LOCK_SEQ

from spfvar.explore.explore import explore
from spfvar.explore.options import Options
from spfvar.explore.world import build_race
from spfvar.matrix.catalogue import races
from spfvar.ops import codes as c
from spfvar.ops import objects as o
from spfvar.plugins.registry import load_registry
from spfvar.scenario.schema import MAX_THREADS
from spfvar.structs.lines import CacheLines, Memory
from spfvar.structs.shipped import layout_named
from tests.stacks import stack
from tests.transition import driver as d

VARIANT = "per-vma-refcnt"
REGISTRY = load_registry()


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


def count_of(run: d.Run, vma: int = 0) -> int:
    """The VMA's reference count."""
    return int(run.state[run.layout.word(VM_REFCNT, vma)])


def order_of(trace: list[str], *names: str) -> list[int]:
    """Where these primitives are executed first."""
    return [next(i for i, name in enumerate(trace) if name.startswith(wanted)) for wanted in names]


def test_a_fault_takes_one_reference_under_rcu_and_never_touches_mmap_lock() -> None:
    """Look up, count, check mm and number, leave RCU, check the range; put the reference at the end."""
    trace, run = alone({}, {"touch": "r"})
    places = order_of(
        trace, "rcu_read_lock", "mas_walk", "inc_not_zero(vma->vm_refcnt)", "load(vma->vm_mm)",
        "rcu_read_unlock", "address in", "set_pte_at", "vma_refcount_put(vma->vm_refcnt)",
    )  # fmt: skip
    assert places == sorted(places)
    assert not any("mmap_lock" in name for name in trace)
    assert (run.counts()["vma_lock_attempt"], run.counts()["mmap_lock_fault"]) == (1, 0)
    assert count_of(run) == 1


def test_the_last_reader_wakes_nobody_if_nobody_waits() -> None:
    """A count without VMA_LOCK_OFFSET: the mm is not touched after the reference is gone."""
    trace, _ = alone({}, {"touch": "r"})
    assert trace.index("is_vma_writer_only") > trace.index("vma_refcount_put(vma->vm_refcnt)")
    assert not any("vma_writer_wait" in name for name in trace)


def test_a_count_at_its_limit_refuses_the_fault() -> None:
    """It takes mmap_lock instead; the count stays as it was."""
    run = d.start(world_of({}, [{"touch": "r"}]))
    run.state[run.layout.word(VM_REFCNT)] = VMA_REF_LIMIT
    run.trace(0)
    assert run.finish() == d.FINISHED
    assert run.counts()["vma_lock_abort_contended"] == run.counts()["mmap_lock_fault"] == 1
    assert count_of(run) == VMA_REF_LIMIT


def test_the_bounds_fit_into_the_smallest_model() -> None:
    """Readers below the limit, the limit below the writer's bit, all of it in a sequence count of a race."""
    assert c.SMALL_STALE > 2 * VMA_LOCK_OFFSET
    assert VMA_REF_LIMIT < VMA_LOCK_OFFSET
    assert VMA_LOCK_OFFSET & (VMA_LOCK_OFFSET - 1) == 0
    assert 2 * VMA_LOCK_OFFSET <= 1 << 10
    assert VMA_REF_LIMIT * 2 < MAX_THREADS  # more threads than that in one VMA fall back


def test_a_vma_detached_behind_the_faults_back_is_looked_up_again() -> None:
    """Found and not marked, then its count is 0: a miss.  The second look finds it marked, and gives up."""
    run = d.start(world_of({"per": "process"}, [{"touch": "r"}], [{"munmap": "r"}]))
    program_counter = run.layout.thread_base(0) + c.T_PC
    while run.program.table[run.state[program_counter], c.C_OP] != c.INC_NOT_ZERO:
        assert run.drive(1, tid=0) == d.MOVED
    while count_of(run) != 0:
        assert run.drive(1, tid=1) == d.MOVED
    run.trace(0)
    counts = run.counts()
    assert (counts["vma_lock_miss"], counts["vma_lock_abort_write_locked"]) == (1, 1)
    assert run.finish() == d.FINISHED


def test_a_write_locked_vma_turns_faults_away_until_the_writer_is_done() -> None:
    """Its number equals the mm's odd one; the fault does not even take a reference."""
    run = d.start(world_of({"per": "process"}, [{"touch": "r"}], [{"mprotect": "r", "prot": "rw"}]))
    seq = next(field for field in run.layout.field_offset if field.name == "vm_lock_seq")
    while run.state[run.layout.word(seq)] == 0:
        assert run.drive(1, tid=1) == d.MOVED
    trace = run.trace(0)
    assert run.counts()["vma_lock_abort_write_locked"] == 1
    assert not any(name.startswith("inc_not_zero") for name in trace)
    assert run.finish() == d.FINISHED
    assert run.counts()["mmap_lock_fault"] == 1


def test_a_writer_keeps_new_readers_out_and_waits_for_the_one_inside() -> None:
    """VMA_LOCK_OFFSET + 1 + a reader: it goes on when the reader has put its reference."""
    run = d.start(world_of({"per": "process"}, [{"touch": "r"}], [{"mprotect": "r", "prot": "rw"}]))
    while count_of(run) != 2:
        assert run.drive(1, tid=0) == d.MOVED
    run.trace(1)
    assert count_of(run) == VMA_LOCK_OFFSET + 2
    assert run.state[run.layout.word(VMA_WRITER_WAIT)] == 1
    trace = run.trace(0)
    assert any("vma_writer_wait" in name for name in trace)
    assert run.finish() == d.FINISHED
    assert count_of(run) == 1


def test_a_new_vma_is_write_locked_then_attached_then_published() -> None:
    """Nobody can take a reference before it is complete, nor get past its number before mmap ends."""
    trace, _ = alone({}, {"mmap": "scratch"})
    places = order_of(
        trace, "store vm_lock_seq(new_vma", "store 1(new_vma->vm_refcnt)", "vma_link", "write_seqcount_end"
    )
    assert places == sorted(places)


def test_a_vma_is_freed_at_once() -> None:
    """No grace period: the memory is type-safe, and its count is 0."""
    trace, run = alone({}, {"munmap": "r"})
    assert any(name.startswith("vm_area_free") for name in trace)
    assert not any("call_rcu" in name for name in trace)
    assert run.state[run.layout.class_base(o.VMA)] < 0
    assert count_of(run) == 0


def test_a_recycled_vma_is_given_back_with_its_mm_held() -> None:
    """mmgrab before the reference goes, mmdrop after it; in some interleaving that drop frees the mm."""
    world = build_race(races()["recycled-vma"], stack(VARIANT))
    found = explore(world, Options())
    covered = found.covered.reshape(len(world.program.ops), -1)
    names = [op.name for op in world.program.ops]
    assert all(covered[i].any() for i, name in enumerate(names) if "vma_lock_abort_recycled" in name)
    drops = [i for i, name in enumerate(names) if name.startswith("mmdrop(vma_mm")]
    assert any(covered[i].sum() == 2 for i in drops)
    fault = world.automata["fault"]
    order = [node.op.name for node in fault.nodes]
    grab = next(i for i, name in enumerate(order) if name.startswith("mmgrab"))
    [after] = fault.nodes[grab].successors
    while not (name := order[after]).startswith("vma_refcount_put"):
        assert name.startswith("load(vma->vm_mm")
        [after] = fault.nodes[after].successors


@pytest.mark.parametrize("layout", ["v6.15", "v6.5"])
def test_the_count_is_away_from_what_readers_look_at(layout: str) -> None:
    """vm_refcnt is aligned to a line, in the kernel as in older ones that the patch is put on."""
    read = [o.VM_START, o.VM_END, o.VM_MM, VM_LOCK_SEQ, o.VM_WRITE, o.VM_ANON_VMA, o.VM_FILE]
    lines = CacheLines(Memory(layout, layout_named(layout)), [*read, VM_REFCNT, VMA_WRITER_WAIT])
    assert lines.key(VM_REFCNT) not in {lines.key(field) for field in read}
    # mmlist ends at 240 in v6.15 (and v6.5: 224, so behind it is 224): the line of bytes 192 to 255.
    assert lines.key(VMA_WRITER_WAIT) == ("mm_struct", 3)
