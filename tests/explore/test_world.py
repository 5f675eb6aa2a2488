"""The start of a race: consistent, small enough, and the ends that faults have in it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spfvar.explore.explore import Exploration, explore
from spfvar.explore.onestep import wrong
from spfvar.explore.options import Options
from spfvar.explore.world import KTHREAD, RaceWorld, build_race, thread_register
from spfvar.ops import codes as c
from spfvar.ops import objects as o
from spfvar.plugins.registry import load_registry
from spfvar.scenario.race import MAX_ANON_PAGES, Race
from spfvar.toml_input import load_toml
from tests.scenario.test_race import race, races
from tests.stacks import stack

VARIANTS = list(load_registry().variants)
RACES = sorted((Path(__file__).parents[2] / "races").glob("*.toml"))


def all_ended(world: RaceWorld) -> RaceWorld:
    """The world with every actor's thread at its exit, having given up what it kept; the kthread at rest."""
    end = int(np.flatnonzero(world.program.table[:, c.C_OP] == c.END)[0])
    start = world.start.copy()
    for thread, name in enumerate(world.names):
        if name != KTHREAD:
            start[world.layout.thread_base(thread) + c.T_PC] = end
    for mm in range(world.race.mms):
        start[world.layout.word(o.MM_COUNT, mm)] = 1
    return replace(world, start=start)


def verdict(world: RaceWorld) -> str:
    """What is wrong with the start state, taken as the end."""
    return c.VIOLATIONS[wrong(world.start, world.layout.g, world.locks, world.sequences)]


def violations(found: Exploration) -> list[str]:
    """What was found."""
    return [c.VIOLATIONS[violation.code] for violation in found.violations]


@pytest.mark.parametrize("variant", ["per-vma-refcnt"])
@pytest.mark.parametrize("path", RACES, ids=lambda path: path.stem)
def test_shipped_races_start_at_rest(path: Path, variant: str) -> None:
    """If the actors did nothing but exit, every property would hold: one state, which is an end."""
    world = all_ended(build_race(load_toml(path, Race), stack(variant)))
    assert verdict(world) == "none"
    found = explore(world)
    assert (found.complete, found.states, found.ends, violations(found)) == (True, 1, 1, [])


@settings(max_examples=40, deadline=None)
@given(races(), st.sampled_from(VARIANTS))
def test_any_race_starts_at_rest_in_words_of_16_bits(small: dict[str, Any], variant: str) -> None:
    """Whatever the schema accepts can be built; no word is cut off; nothing is violated at the start."""
    try:
        accepted = Race.model_validate(small)
    except ValueError:
        return
    world = build_race(accepted, stack(variant))
    assert verdict(world) == "none"
    layout = world.layout
    assert world.start.dtype == np.int16
    assert len(world.start) % 4 == 0
    assert layout.words <= len(world.start) < layout.words + 4
    assert layout.g[c.G_STALE] + max(layout.sizes.count(cls) for cls in o.CLASSES) < 1 << 15
    assert layout.sizes.anon_pages <= MAX_ANON_PAGES


def test_threads_have_names_and_groups() -> None:
    """Actors in order, numbered where there are several; the kthread only if something waits for it."""
    small = race(
        actor=[
            {"name": "reader", "count": 2, "program": [{"load": "a"}]},
            {"name": "unmap", "program": [{"munmap": "a"}]},
        ]
    )
    world = build_race(Race.model_validate(small), stack("spf-do-fault"))
    assert (world.names, world.groups) == (("reader 1", "reader 2", "unmap", KTHREAD), (0, 0, 1, 2))
    world = build_race(Race.model_validate(small), stack("mmap-lock"))
    assert (world.names, world.groups) == (("reader 1", "reader 2", "unmap"), (0, 0, 1))


def test_registers_are_found_by_name() -> None:
    """For traces: None where the run has no such register."""
    world = build_race(Race.model_validate(race()), stack("mmap-lock"))
    state = world.start.copy()
    state[world.layout.thread_word(0, o.address)] = 5
    assert thread_register(world, state, 0, "address") == 5
    assert thread_register(world, state, 0, "no such register") is None


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("present", ["no", "zero", "anon"])
def test_a_write_to_a_read_only_vma_ends_with_a_signal(variant: str, present: str) -> None:
    """access_error, on the locked and on the optimistic path: the fault is not repeated for ever."""
    small = race(vma=[{"name": "a", "start": 0, "prot": "r", "present": present}])
    world = build_race(Race.model_validate(small), stack(variant))
    found = explore(world, Options(first=False))
    assert (found.complete, violations(found)) == (True, [])
    assert found.ends >= 1
    final = found.search.words_of(found.states - 1)
    entry = int(final[world.layout.g[c.G_PTE]])
    assert not entry & c.PTE_WRITE


@pytest.mark.parametrize("variant", VARIANTS)
def test_a_write_that_mprotect_forbids_meanwhile_ends_either_way(variant: str) -> None:
    """Stored before, or refused: nothing is left, nothing loops, and the entry is read-only at the end."""
    small = race(
        actor=[
            {"name": "user", "program": [{"store": "a"}]},
            {"name": "protect", "program": [{"mprotect": "a", "prot": "r"}]},
        ]
    )
    found = explore(build_race(Race.model_validate(small), stack(variant)), Options(first=False))
    assert (found.complete, violations(found)) == (True, [])
    assert found.ends > 1


def test_a_race_with_too_many_present_pages_is_refused() -> None:
    """Sets of pages are bit masks of a 16-bit word."""
    small = race(
        vma=[{"name": n, "start": 8 * i, "pages": 8, "present": "anon"} for i, n in enumerate("abc")]
    )
    with pytest.raises(ValueError, match="24 anonymous pages"):
        Race.model_validate(small)
