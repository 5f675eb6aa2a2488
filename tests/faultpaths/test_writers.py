"""What writers do to a design's faults, derived from the automata, against the designs' descriptions."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest

from spfvar.faultpaths.runs import Step
from spfvar.faultpaths.system_calls import WRITERS
from spfvar.faultpaths.writers import Overlay, mmap_lock_of, overlay_of
from spfvar.ops import objects as o
from spfvar.ops.codes import AS_IT_IS, EVERYTHING, WHOLE_TABLES
from spfvar.ops.op import Op
from spfvar.ops.places import RANGE_WORDS, Field
from spfvar.ops.primitives import at, range_lock, range_trylock
from spfvar.plugins.registry import load_registry
from spfvar.plugins.variant import Stack

BY_NAME = {writer.name: writer for writer in WRITERS}
#: Writers that hold mmap_lock for writing while they change a VMA that faults may be in.
CHANGE_A_VMA = (
    "mmap-fixed", "munmap", "mprotect", "brk-grow", "brk-shrink", "mbind", "fork", "mremap", "mremap-fast", "stack",
    "khugepaged",
)  # fmt: skip


@cache
def overlay(writer: str, variant: str) -> Overlay:
    """A writer under a shipped variant."""
    found = load_registry()[variant]
    return overlay_of(BY_NAME[writer], found, Stack(found))


def words(writer: str, variant: str, place: str) -> tuple[list[str], list[str]]:
    """What the writer does to running and to new faults of a place ("near" or "far")."""
    effect = getattr(overlay(writer, variant), place)
    return list(effect.running), list(effect.new)


# mm/mmap.c of v5.12: munmap and a shrinking brk downgrade; mm/madvise.c and fs/proc/task_mmu.c read; stack growth as in
# v6.5 gives the read lock back first; truncate and reclaim come from the file.
@pytest.mark.parametrize(
    ("writer", "lock"),
    [
        ("mmap", "W"),
        ("munmap", "W>R"),
        ("mprotect", "W"),
        ("madvise", "R"),
        ("brk-grow", "W"),
        ("brk-shrink", "W>R"),
        ("fork", "W"),
        ("stack", "R, W>R"),
        ("maps", "R"),
        ("truncate", "-"),
        ("reclaim", "-"),
        ("exit", "W"),
    ],
)
def test_how_writers_take_mmap_lock(writer: str, lock: str) -> None:
    """The same in every design that has no rule of its own for them."""
    assert overlay(writer, "mmap-lock").mmap_lock == lock


# Kara's series asks for the full range; refined, all but fork and mremap ask for what they change; slots are not shared,
# and a lock that nobody shares is not downgraded.
@pytest.mark.parametrize(
    ("writer", "full", "refined", "slots"),
    [
        ("mmap", "W", "w", "w"),
        ("munmap", "W>R", "w>r", "w"),
        ("madvise", "R", "r", "w"),
        ("fork", "W", "W", "W"),
        ("stack", "R, W>R", "r, w>r", "w, w"),
        ("retract", "W", "w", "w"),
        ("truncate", "-", "-", "-"),
    ],
)
def test_a_lock_of_ranges_stands_in_mmap_locks_place(
    writer: str, full: str, refined: str, slots: str
) -> None:
    """In capitals if all of the address space is asked for, in small letters if a part is."""
    variants = ("range-lock", "range-lock-refined", "radixvm")
    assert [overlay(writer, variant).mmap_lock for variant in variants] == [full, refined, slots]


def test_a_range_that_is_not_had_is_not_taken() -> None:
    """A trylock counts by its outcome; a request that others stand before is served in the end."""
    place = at(o.mm, Field(o.MM, "ranges", RANGE_WORDS))
    nothing = np.zeros(1, dtype=np.int16)

    def steps(op: Op) -> list[Step]:
        return [Step(op, outcome, nothing) for outcome in (0, 1)]

    assert mmap_lock_of(steps(range_trylock(place, True, EVERYTHING))) == "W"
    assert mmap_lock_of(steps(range_trylock(place, False, WHOLE_TABLES))) == "r"
    assert mmap_lock_of(steps(range_lock(place, True, AS_IT_IS))) == "w, w"
    elsewhere = at(o.vma, Field(o.VMA, "ranges", RANGE_WORDS))
    assert mmap_lock_of(steps(range_lock(elsewhere, True))) == "-"


def test_retracting_a_files_tables_takes_mmap_lock_before_v6_6_only() -> None:
    """mm/khugepaged.c retract_page_tables: mmap_write_trylock, and from v6.6 on the pmd lock and the table's."""
    assert overlay("retract", "mmap-lock").mmap_lock == "W"
    assert overlay("retract", "per-vma-6.12").mmap_lock == "-"


@pytest.mark.parametrize("writer", CHANGE_A_VMA)
def test_a_count_of_the_mm_aborts_faults_everywhere(writer: str) -> None:
    """The series' mmap_seq (patch 9): a writer anywhere in the mm aborts what runs and what begins."""
    for place in ("near", "far"):
        assert words(writer, "spf-do-fault", place) == (["aborted"], ["falls back"])


@pytest.mark.parametrize("writer", CHANGE_A_VMA)
@pytest.mark.parametrize("variant", ["per-vma-6.12", "per-vma-refcnt"])
def test_a_lock_per_vma_concerns_that_vma_alone(writer: str, variant: str) -> None:
    """vma_start_write waits for the VMA's readers and keeps new ones out; other VMAs notice nothing."""
    assert words(writer, variant, "near") == (["waited for"], ["falls back"])
    assert words(writer, variant, "far") == ([], [])


@pytest.mark.parametrize("writer", ["munmap", "fork"])
def test_under_mmap_lock_everybody_waits(writer: str) -> None:
    """A writer for the faults that run, in any VMA, and new faults for the writer."""
    for place in ("near", "far"):
        effect = getattr(overlay(writer, "mmap-lock"), place)
        assert effect.running == {"waited for": ("mmap_write_lock(mm->mmap_lock)",)}
        assert effect.new == {"waits": ("mmap_read_lock(mm->mmap_lock)",)}


def test_madvise_is_invisible_but_for_the_page_tables_lock() -> None:
    """MADV_DONTNEED begins no write section; a speculative fault gives up on a table that is locked (K5)."""
    near = overlay("madvise", "spf-do-fault").near
    assert near is not None
    assert near.running == {}
    assert [("spf_abort_pte_map_lock_ptl" in reason) for reason in near.new["falls back"]] == [True]
    assert words("madvise", "per-vma-6.12", "near") == ([], [])


@pytest.mark.parametrize("reader", ["maps", "madvise"])
def test_from_v6_17_who_only_reads_vmas_takes_no_mmap_lock(reader: str) -> None:
    """The VMA's lock is shared with faults: neither side waits, as under mmap_lock, which both read."""
    assert [overlay(reader, variant).mmap_lock for variant in ("per-vma-refcnt", "per-vma-6.17")] == [
        "R",
        "-",
    ]
    for place in ("near", "far"):
        assert words(reader, "per-vma-6.17", place) == ([], [])


def test_what_is_freed_by_rcu() -> None:
    """munmap: VMAs of the rwsem design by call_rcu, those of the reference count at once (type-safe memory)."""
    assert "RCU" in overlay("munmap", "per-vma-6.12").also
    assert "RCU" not in overlay("munmap", "per-vma-refcnt").also
    assert overlay("munmap", "mmap-lock").also == ("IPI", "tables")


def test_nobody_faults_in_an_address_space_that_ends() -> None:
    """exit_mmap: mm_users is 0."""
    found = overlay("exit", "mmap-lock")
    assert (found.near, found.far) == (None, None)
