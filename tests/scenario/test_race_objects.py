"""What a race may ask for: merges, ends of address spaces, mappings that notify of writes."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from spfvar.explore.explore import Options, explore
from spfvar.explore.world import RaceWorld, build_race
from spfvar.ops import codes as c
from spfvar.ops import objects as o
from spfvar.plugins.registry import load_registry
from spfvar.plugins.variant import Stack
from spfvar.scenario.race import Race
from tests.explore.worlds import stored

TWO = [{"name": "low", "start": 0}, {"name": "high", "start": 1}]
OTHER = [{"name": "ours", "start": 0}, {"name": "theirs", "start": 2, "mm": 1}]

EXIT = {"exit": "theirs"}


def race(vmas: list[dict[str, Any]], *programs: list[dict[str, Any]]) -> Race:
    """A race of one thread per program."""
    actors = [{"name": f"t{i}", "program": program} for i, program in enumerate(programs)]
    table = {"kind": "race", "title": "t", "properties": ["P1"], "vma": vmas, "actor": actors}
    return Race.model_validate(table)


def ends_of(scene: Race, variant: str = "per-vma-refcnt") -> tuple[RaceWorld, list[Any]]:
    """The world, and its states in which nobody can move; no property is violated."""
    world = build_race(scene, Stack(load_registry()[variant]))
    found = explore(world, Options.plain())
    assert (found.complete, found.violations) == (True, [])
    base, stride = int(world.layout.g[c.G_T_BASE]), int(world.layout.g[c.G_T_STRIDE])
    op = world.program.table[:, c.C_OP]
    rows = [stored(found, state) for state in range(found.states)]
    ended = [row for row in rows if all(op[row[base + t * stride]] == c.END for t in range(world.threads))]
    return world, ended


@pytest.mark.parametrize(
    ("vmas", "statement", "message"),
    [
        (TWO, {"exit": "low"}, "never ends"),
        (TWO, {"merge": "low"}, "is not followed by"),
        (TWO, {"merge": "high", "to": "low"}, "is not followed by"),
        (TWO, {"dontunmap": "low", "to": "high"}, "cannot put"),
        ([{"name": "low", "start": 0, "write_notify": True}], {"load": "low"}, "only shared mappings"),
    ],
    ids=["exit", "merge without to", "merge backwards", "dontunmap", "notify"],
)
def test_a_race_that_cannot_be_is_refused(
    vmas: list[dict[str, Any]], statement: dict[str, Any], message: str
) -> None:
    """With the reason."""
    with pytest.raises((ValidationError, ValueError), match=message):
        race(vmas, [statement])


def test_a_merge_succeeds_or_leaves_everything_as_it_was() -> None:
    """One VMA over both ranges with the neighbour's anon_vma; or two, and the rest of the program runs."""
    vmas = [{**TWO[0], "anon_vma": False}, TWO[1]]
    world, ended = ends_of(race(vmas, [{"merge": "low", "to": "high"}, {"munmap": "high"}]))
    layout = world.layout
    ranges = {
        (bool(row[layout.word(o.VM_ANON_VMA)]), int(row[layout.word(o.VM_END)]), int(row[layout.class_base(o.VMA) + layout.class_stride[o.VMA]]) == c.LIVE)
        for row in ended
    }  # fmt: skip
    assert ranges == {(True, 2, False), (False, 1, False)}


def test_the_last_user_of_an_address_space_frees_it() -> None:
    """Its VMA goes with it; an address space that has another user stays."""
    for programs, lives in (([EXIT],), False), (([EXIT], [{"load": "theirs"}]), True):
        world, ended = ends_of(race(OTHER, *programs))
        mm = world.layout.class_base(o.MM) + world.layout.class_stride[o.MM]
        assert {int(end[mm]) == c.LIVE for end in ended} == {lives}


def test_a_vma_that_pages_left_has_no_anon_vma() -> None:
    """MREMAP_DONTUNMAP: the page and its anon_vma are at the new place, the old VMA stays without."""
    vmas = [{"name": "map", "start": 0, "present": "anon"}, {"name": "away", "start": 2, "mapped": False}]
    world, [end] = ends_of(race(vmas, [{"dontunmap": "map", "to": "away"}]))
    layout = world.layout
    assert end[layout.word(o.VM_ANON_VMA, 0)] == 0
    assert end[layout.word(o.VM_ANON_VMA, 1)] == 1
    assert end[layout.word(o.ANON_VMA_REFS, 0)] == 1
    assert [int(end[layout.g[c.G_TREE] + page]) for page in (0, 2)] == [1, 2]
