"""Histories that get full: the race is searched again with longer ones, and the answer is that of the longer."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from spfvar.explore.explore import TOO_SMALL, Exploration, Search, explore, run
from spfvar.explore.options import Options
from spfvar.explore.verdict import SAFE, VIOLATION
from spfvar.explore.world import RaceWorld, build_race, with_histories
from spfvar.matrix.catalogue import races
from spfvar.ops.histories import DEEPEST, HISTORY, ROOMS
from spfvar.plugins.registry import load_registry
from spfvar.plugins.variant import Stack
from spfvar.transition.views import SEEN_FULL, TRIES_NOT, TRIES_RUNS
from tests.explore import weakworlds

REGISTRY = load_registry()
EVERYTHING = Options(first=False)
#: Safe and broken ones; interrupts, with interchangeable threads, too; anonymous pages, whose words are weak.
RACES = [
    ("per-vma-6.12", "munmap-file"),
    ("per-vma-refcnt", "mprotect"),
    ("spf-do-fault", "munmap-file"),
    ("v6-acquire@per-vma-6.6", "mprotect"),
    ("mmap-lock", "pin-munmap"),
    ("per-vma-6.12", "two-copies"),
]


def told(found: Exploration) -> tuple[object, ...]:
    """All that a search says, with the ways to what it found."""
    ways = [(one.code, found.ways_of(one)) for one in found.violations]
    numbers = (found.complete, found.states, found.transitions, found.depth, found.ends)
    return *numbers, found.covered.tobytes(), ways


def laid_out(world: RaceWorld, history: int, tries: int = TRIES_NOT) -> RaceWorld:
    """The world with room for so many stores in each history, of which nothing has been noted yet."""
    found = with_histories(world, history, tries)
    assert found.weak is not None
    weak = found.weak._replace(seen=np.zeros_like(found.weak.seen), stale=np.zeros_like(found.weak.stale))
    return replace(found, weak=weak)


@pytest.mark.parametrize(("variant", "race"), RACES)
def test_how_long_histories_are_makes_no_difference_if_none_is_full(variant: str, race: str) -> None:
    """Two positions to a word more or less, too: with 4, 8 and 16 stores these have 2, 3 and 4 bits."""
    world = build_race(races()[race], Stack(REGISTRY.any_variant(variant)), "lkmm")
    searched = [laid_out(world, ROOMS[0], TRIES_RUNS), *(laid_out(world, history) for history in ROOMS[1:])]
    every = [told(run(Search(one, EVERYTHING))) for one in searched]
    assert every[0] == every[1] == every[2] == told(explore(world, EVERYTHING))
    noted = [(one.weak.seen.tolist(), one.weak.stale.tobytes()) for one in searched if one.weak is not None]
    assert noted[0] == noted[1] == noted[2]


@pytest.mark.parametrize("history", [2, 3, 4])
def test_what_fills_short_histories_is_searched_again_with_longer_ones(
    history: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nine stores in a row do not fit into histories as short as these, though nobody reads them."""
    world = weakworlds.world("fills")
    whole = told(run(Search(laid_out(world, HISTORY), EVERYTHING)))
    short = laid_out(world, history, TRIES_RUNS)
    assert run(Search(short, EVERYTHING)).why == TOO_SMALL
    monkeypatch.setattr("spfvar.explore.explore.ROOMS", (history, HISTORY, DEEPEST))
    assert told(explore(world, EVERYTHING)) == whole
    assert world.weak is not None
    assert not world.weak.seen.any()


def test_where_there_is_no_room_to_run_on_longer_histories_are_taken() -> None:
    """No store is lost there with four of them, but one state more is stored than with eight."""
    world = build_race(races()["pin-ksm"], Stack(REGISTRY.any_variant("x22-exclusive@mmap-lock")), "lkmm")
    whole = run(Search(laid_out(world, HISTORY), EVERYTHING))
    assert run(Search(laid_out(world, ROOMS[0]), EVERYTHING)).states == whole.states + 1
    assert run(Search(laid_out(world, ROOMS[0], TRIES_RUNS), EVERYTHING)).why == TOO_SMALL
    assert told(explore(world, EVERYTHING)) == told(whole)


def test_what_fills_the_longest_history_stays_noted() -> None:
    """Of seventeen values that somebody may read, one has no place in it."""
    world = weakworlds.world("fills-the-longest")
    explore(world, EVERYTHING)
    assert world.weak is not None
    assert world.weak.seen[SEEN_FULL] != 0


def test_a_load_may_return_any_value_that_the_longest_history_holds() -> None:
    """Nine stores behind: whoever waits for the last one without an order may still read what was there at first."""
    assert weakworlds.verdict("reads-the-oldest").verdict == VIOLATION
    assert weakworlds.verdict("reads-the-oldest", "sc").verdict == SAFE
