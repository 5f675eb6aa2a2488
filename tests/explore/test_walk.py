"""The walker: reproducible by its seed, its violations are real, and it finds what is easy to find."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache

import pytest

from spfvar.explore.walk import Walked, WalkOptions, walks
from spfvar.explore.world import RaceWorld, build_race
from spfvar.ops import codes as c
from spfvar.plugins.registry import load_registry
from spfvar.plugins.variant import Stack
from spfvar.scenario.race import Race
from tests.explore.tiny import naive_search, replayed, tiny_world
from tests.explore.worlds import race_text

#: Tiny worlds, of different shapes, in which a search by the book finds violations.
SEEDS = (2, 11, 100, 103, 110, 117)
FEW = WalkOptions(walks=400, steps=2_000, first=False)


@lru_cache
def munmap(variant: str, without: str = "") -> RaceWorld:
    """A read fault on a file against munmap, under a variant with a patch taken out."""
    whole = load_registry()[variant]
    patches = tuple(patch for patch in whole.patches if patch.__name__ != without)
    return build_race(Race(**race_text(faults=2)), Stack(replace(whole, patches=patches)))


def told(found: Walked) -> tuple[object, ...]:
    """All that has to be the same again."""
    return (
        found.walks,
        found.steps,
        found.ends,
        found.endless,
        tuple(found.violations),
        found.covered.tobytes(),
    )


@pytest.mark.parametrize("variant", ["mmap-lock", "spf-do-fault", "per-vma-6.12"])
def test_walks_of_a_correct_variant_end_and_violate_nothing(variant: str) -> None:
    """Every walk comes to its end; no property is violated on the way or there."""
    found = walks(munmap(variant), FEW)
    assert (found.walks, found.ends, found.endless, found.violations) == (400, 400, 0, [])


def test_a_seed_gives_the_same_walks_again_and_another_seed_others() -> None:
    """Everything that is reported depends on the seed alone."""
    world = munmap("spf-do-fault")
    first = told(walks(world, FEW))
    assert told(walks(world, FEW)) == first
    assert told(walks(world, replace(FEW, seed=2))) != first


def test_a_variant_without_its_rcu_free_is_found_out() -> None:
    """VMAs freed at once are used by speculative faults; the ways lead to that very violation."""
    world = munmap("spf-do-fault", without="RcuVmaFree")
    found = walks(world, replace(FEW, walks=20_000, first=True))
    (violation,) = found.violations
    assert violation.code in (c.V_USE_AFTER_FREE, c.V_STALE_REFERENCE)
    assert violation.node >= 0
    assert replayed(world, list(violation.ways), violation.code, 0)


@pytest.mark.parametrize("seed", SEEDS)
def test_walks_find_violations_that_exist_and_no_others(seed: int) -> None:
    """On worlds of a few dozen states, many walks see every violation that a search by the book does."""
    world = tiny_world(seed)
    naive = naive_search(world)
    assert naive is not None
    assert naive.codes | naive.rests
    found = walks(world, replace(FEW, walks=5_000))
    assert {violation.code for violation in found.violations} == naive.codes | naive.rests
    for violation in found.violations:
        way = 0 if violation.node >= 0 else -1
        assert replayed(world, list(violation.ways), violation.code, way)


def test_a_bound_on_steps_makes_a_walk_endless_and_never_a_verdict() -> None:
    """A walk that is cut short neither ends nor violates."""
    found = walks(munmap("mmap-lock"), WalkOptions(walks=10, steps=5))
    assert (found.endless, found.ends, found.violations) == (10, 0, [])
