"""What a canonical form leaves out of a thread's views: whoever has it goes the same ways to the same states."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from spfvar.explore.explore import Exploration, explore
from spfvar.explore.onestep import take
from spfvar.explore.options import Options
from spfvar.explore.world import RaceWorld, build_race
from spfvar.matrix.catalogue import races
from spfvar.ops import codes as c
from spfvar.ops import histories as h
from spfvar.plugins.registry import load_registry
from spfvar.plugins.variant import Stack
from spfvar.transition.views import position, put
from spfvar.transition.weakly import settled, ways_of
from tests.kernels import kernel

known_to, note, settle, number_of_ways = map(kernel, (position, put, settled, ways_of))

REGISTRY = load_registry()
#: Sequence counts, locks of VMAs, reference counts, interrupts; a design that lacks a barrier.
RACES = [
    ("spf-do-fault", "mprotect"),
    ("per-vma-6.12", "mprotect"),
    ("per-vma-refcnt", "mprotect"),
    ("mmap-lock", "uffd-wp"),
    ("v6-acquire@per-vma-6.6", "mprotect"),
]
#: Views that are forgotten as far as another of the thread's is as high.
WITHIN = [(h.V_READ, h.V_WRITTEN), (h.V_UNLOCKED_STORES, h.V_SENT)]
#: VMAs that are mapped while others look; memory that stays of its type.
PUBLISHED = [
    ("per-vma-6.12", "remap-anon"),
    ("per-vma-refcnt", "remap-anon"),
    ("spf-do-fault", "map-over-fault"),
    ("mmap-lock", "remap-anon"),
]
#: States that are looked at, spread over the search.
LOOKED_AT = 2_000

State = npt.NDArray[np.int16]


def searched(variant: str, race: str, knowing_publishers: bool = True) -> Exploration:
    """Every interleaving of every primitive."""
    world = build_race(races()[race], Stack(REGISTRY.any_variant(variant)), "lkmm")
    if not knowing_publishers:
        assert world.weak is not None
        world = replace(world, weak=world.weak._replace(vma=np.zeros_like(world.weak.vma)))
    found = explore(world, Options.plain(first=False, max_states=400_000))
    assert found.complete
    return found


def remembering(world: RaceWorld, state: State) -> State:
    """The state whose threads have in those views all that is in the others: nothing of it is forgotten."""
    weak, width = world.weak, h.view_words(world.layout.weak_words, world.layout.history)
    assert weak is not None
    other = state.copy()
    for thread in range(world.threads):
        views = world.layout.thread_base(thread) + world.layout.views
        for view, within in WITHIN:
            for x in range(world.layout.weak_words):
                known = known_to(state, weak, views + within * width, x)
                if known_to(state, weak, views + view * width, x) < known:
                    note(other, weak, views + view * width, x, known)
    return other


def ways(world: RaceWorld, state: State) -> list[tuple[int, int, int, bytes]]:
    """Each thread's every next primitive: its outcome, and the canonical form of the state behind it."""
    found = []
    for thread in range(world.threads):
        node = int(state[world.layout.thread_base(thread)])
        for choice in range(number_of_ways(world.weak, world.program.table, node)):
            behind = state.copy()
            out: Any = np.zeros(c.OUT_WOKEN0 + world.threads, dtype=np.int32)
            outcome = take(world.weak, behind, world.program.table, world.layout.g, thread, choice, out)
            if outcome >= 0:
                found.append((thread, choice, outcome, behind.tobytes()))
            elif outcome == c.VIOLATED:
                found.append((thread, choice, outcome, b""))
    return found


@pytest.mark.parametrize(("variant", "race"), RACES)
def test_what_another_view_of_the_thread_has_is_looked_at_by_nobody(variant: str, race: str) -> None:
    """With it and without, the same primitives have the same outcomes, and lead to the same canonical forms."""
    found = searched(variant, race)
    world = found.search.world
    different = 0
    for number in range(0, found.states, max(1, found.states // LOOKED_AT)):
        state = found.search.words_of(number)
        other = remembering(world, state)
        different += state.tobytes() != other.tobytes()
        assert ways(world, other) == ways(world, state)
    assert different > 0


@pytest.mark.parametrize(("variant", "race"), PUBLISHED)
def test_what_a_publisher_knows_is_known_to_whoever_finds_his_vma(variant: str, race: str) -> None:
    """Of states that were found without this, canonical forms with it and without go the same ways."""
    found = searched(variant, race, knowing_publishers=False)
    world = found.search.world
    assert world.weak is not None
    knowing = build_race(races()[race], Stack(REGISTRY.any_variant(variant)), "lkmm").weak
    assert knowing is not None
    world = replace(world, weak=world.weak._replace(vma=knowing.vma))
    different = 0
    for number in range(0, found.states, max(1, found.states // LOOKED_AT)):
        state = found.search.words_of(number)
        other = state.copy()
        settle(world.weak, other, world.layout.g)
        different += state.tobytes() != other.tobytes()
        assert ways(world, other) == ways(world, state)
    assert different > 0
