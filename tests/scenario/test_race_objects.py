"""What a race may ask for: merges, ends of address spaces, mappings that notify of writes."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError

from spfvar.explore.onestep import take
from spfvar.explore.world import RaceWorld, build_race
from spfvar.ops import codes as c
from spfvar.ops import objects as o
from spfvar.scenario.race import Race
from tests.stacks import stack

TWO = [{"name": "low", "start": 0}, {"name": "high", "start": 1, "pgoff": 1}]
OTHER = [{"name": "ours", "start": 0}, {"name": "theirs", "start": 2, "mm": 1}]

EXIT = {"exit": "theirs"}


def race(vmas: list[dict[str, Any]], *programs: list[dict[str, Any]], **more: Any) -> Race:
    """A race of one thread per program."""
    actors = [{"name": f"t{i}", "program": program} for i, program in enumerate(programs)]
    table = {"kind": "race", "title": "t", "properties": ["P1"], "vma": vmas, "actor": actors, **more}
    return Race.model_validate(table)


def end_of(scene: Race, *order: int, choice: int = 0) -> tuple[RaceWorld, Any]:
    """The world, and its state when these threads have run one after another; open outcomes are ``choice``."""
    world = build_race(scene, stack("per-vma-refcnt"))
    state = world.start.astype(np.int32)
    out = np.zeros(c.OUT_WOKEN0 + world.threads, dtype=np.int32)
    for thread in order or range(world.threads):
        outcome = 0
        while outcome >= 0:
            outcome = take(None, state, world.program.table, world.layout.g, thread, choice, out)
        assert outcome == c.BLOCKED
        pc = state[world.layout.thread_base(thread) + c.T_PC]
        assert world.program.table[pc, c.C_OP] == c.END
    return world, state


@pytest.mark.parametrize(
    ("vmas", "statement", "message"),
    [
        (TWO, {"exit": "low"}, "never ends"),
        (TWO, {"merge": "low"}, "no vma is called ''"),
        (TWO, {"merge": "high", "to": "low"}, "is not followed by"),
        (TWO, {"dontunmap": "low", "to": "high"}, "cannot put"),
        ([{"name": "low", "start": 0, "mapped": False}], {"map_over": "low"}, "no mapping starts where"),
        ([{"name": "low", "start": 0, "write_notify": True}], {"load": "low"}, "only shared mappings"),
    ],
    ids=["exit", "merge without to", "merge backwards", "dontunmap", "map over nothing", "notify"],
)
def test_a_race_that_cannot_be_is_refused(
    vmas: list[dict[str, Any]], statement: dict[str, Any], message: str
) -> None:
    """With the reason."""
    with pytest.raises((ValidationError, ValueError), match=message):
        race(vmas, [statement])


@pytest.mark.parametrize("memory", [True, False])
def test_a_merge_succeeds_or_leaves_everything_as_it_was(memory: bool) -> None:
    """One VMA over both ranges with the neighbour's anon_vma; or two, and the rest of the program runs."""
    vmas = [{**TWO[0], "anon_vma": False}, TWO[1]]
    scene = race(vmas, [{"merge": "low", "to": "high"}, {"munmap": "high"}])
    world, end = end_of(scene, choice=int(not memory))
    assert end[world.layout.word(o.VM_END)] == (2 if memory else 1)
    assert (end[world.layout.word(o.VM_ANON_VMA)] != 0) == memory
    assert end[world.layout.class_base(o.VMA) + world.layout.class_stride[o.VMA]] != c.LIVE


def of_file(**more: Any) -> list[dict[str, Any]]:
    """Two mappings of one file side by side, whose pages are in their tables."""
    shared = {"file": "data", "present": "file", "anon_vma": False}
    return [{**TWO[0], **shared}, {**TWO[1], **shared, **more}]


def test_a_merge_of_mappings_of_a_file_leaves_one_that_maps_its_pages_in_order() -> None:
    """vm_pgoff stays, the end is the neighbour's, whose file reference and place in the tree are given up."""
    tables = {"file": [{"name": "data", "pages": 2}]}
    before = build_race(race(of_file(), [{"maps": "low"}], **tables), stack("per-vma-refcnt"))
    world, end = end_of(race(of_file(), [{"merge": "low", "to": "high"}, {"load": "high"}], **tables))
    layout = world.layout
    assert [int(end[layout.word(field)]) for field in (o.VM_START, o.VM_END, o.VM_PGOFF)] == [0, 2, 0]
    assert int(end[layout.word(o.VM_LINKED)]) == 1
    count = int(before.start[before.layout.word(o.F_COUNT)])
    assert int(end[layout.word(o.F_COUNT)]) == count - 1


def test_a_fault_finds_the_page_that_vm_pgoff_says() -> None:
    """The second VMA begins with the file's second page: folio 1."""
    vmas = of_file(present="no")
    world, end = end_of(race(vmas, [{"load": "high"}], file=[{"name": "data", "pages": 2}]))
    assert int(end[int(world.layout.g[c.G_PTE]) + 1]) == c.PTE_PRESENT | 1 << c.PTE_FOLIO_SHIFT


@pytest.mark.parametrize(
    ("vmas", "program", "message"),
    [
        (of_file(pgoff=2, present="no"), [{"load": "low"}], "has fewer pages"),
        (of_file(fault_around=2), [{"load": "low"}], "single pages"),
        (of_file(mapped=False, present="no"), [{"load": "low"}], "begins at page 0"),
        (of_file(pgoff=0), [{"merge": "low", "to": "high"}], "cannot be one with"),
        (of_file(file="other"), [{"merge": "low", "to": "high"}], "cannot be one with"),
        (of_file(), [{"retract": "data"}], "begins at page 1"),
    ],
    ids=["beyond the file", "fault-around", "a place", "no continuation", "another file", "shared table"],
)
def test_what_a_pgoff_does_not_go_with(
    vmas: list[dict[str, Any]], program: list[dict[str, Any]], message: str
) -> None:
    """With the reason."""
    files = [{"name": "data", "pages": 2}, {"name": "other", "pages": 2}]
    with pytest.raises((ValidationError, ValueError), match=message):
        race(vmas, program, file=files)


@pytest.mark.parametrize("order", [(0,), (0, 1), (1, 0)])
def test_the_last_user_of_an_address_space_frees_it(order: tuple[int, ...]) -> None:
    """Its VMA goes with it; an address space that has another user stays."""
    world, end = end_of(race(OTHER, *([EXIT], [{"load": "theirs"}])[: len(order)]), *order)
    mm = world.layout.class_base(o.MM) + world.layout.class_stride[o.MM]
    assert (end[mm] == c.LIVE) == (len(order) > 1)


def test_a_vma_that_pages_left_has_no_anon_vma() -> None:
    """MREMAP_DONTUNMAP: the page and its anon_vma are at the new place, the old VMA stays without."""
    vmas = [{"name": "map", "start": 0, "present": "anon"}, {"name": "away", "start": 2, "mapped": False}]
    world, end = end_of(race(vmas, [{"dontunmap": "map", "to": "away"}]))
    layout = world.layout
    assert end[layout.word(o.VM_ANON_VMA, 0)] == 0
    assert end[layout.word(o.VM_ANON_VMA, 1)] == 1
    assert end[layout.word(o.ANON_VMA_REFS, 0)] == 1
    assert [int(end[layout.g[c.G_TREE] + page]) for page in (0, 2)] == [1, 2]
