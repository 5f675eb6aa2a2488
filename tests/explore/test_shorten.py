"""A shortened path is a legal one that ends in the same violation, and does less."""

from __future__ import annotations

from functools import cache

import pytest

from spfvar.explore.options import Options
from spfvar.explore.search import WAYS
from spfvar.explore.shorten import Path, follow, shortened
from spfvar.explore.verdict import judge
from spfvar.explore.walk import WalkOptions, WalkViolation, walks
from spfvar.explore.world import RaceWorld, build_race
from spfvar.matrix import catalogue
from spfvar.ops import codes as c
from spfvar.plugins.variant import Stack
from tests.explore.checking import registry, world
from tests.explore.tiny import replayed

#: A violation at a primitive, one at rest, and a deadlock.
CASES = [("no-rcu-free", "munmap-file"), ("h13@spf-anon", "munmap-anon"), ("s3@spf-anon", "two-copies")]


@cache
def walked(variant: str, race: str) -> tuple[RaceWorld, WalkViolation]:
    """A violation that a random walk met."""
    found = walks(world(variant, race), WalkOptions(20_000, 10_000))
    return world(variant, race), found.violations[0]


@cache
def shorter(variant: str, race: str) -> Path:
    """The same, shortened."""
    where, violation = walked(variant, race)
    return shortened(where, violation.ways, violation.code)


@pytest.mark.parametrize(("variant", "race"), CASES)
def test_every_primitive_of_it_can_be_executed_and_the_end_is_the_same(variant: str, race: str) -> None:
    """An oracle that knows nothing of shortening walks it."""
    where, violation = walked(variant, race)
    path = shorter(variant, race)
    assert replayed(where, list(path.ways), violation.code, -1 if path.node < 0 else 0)
    assert (path.node < 0) == (violation.node < 0)


@pytest.mark.parametrize(("variant", "race"), CASES)
def test_nothing_more_can_be_left_out(variant: str, race: str) -> None:
    """Once more changes nothing; and neither primitives nor changes of thread are more than before."""
    where, violation = walked(variant, race)
    path = shorter(variant, race)
    assert path.size <= Path(violation.ways, violation.node).size
    assert shortened(where, path.ways, violation.code) == path


def test_it_comes_close_to_what_a_search_finds() -> None:
    """The search's is a shortest; what is left of a random walk has at most a quarter more primitives here."""
    searched = judge(world("no-rcu-free"), "no-rcu-free", "munmap-file", Options.plain())
    assert len(shorter("no-rcu-free", "munmap-file").ways) <= 1.25 * len(searched.findings[0].trace.ways)


def test_threads_that_have_nothing_to_do_with_it_are_left_out() -> None:
    """Of three faults one is enough."""
    race = catalogue.races()["three-faults-munmap"]
    where = build_race(race, Stack(registry().any_variant("no-rcu-free")))
    violation = walks(where, WalkOptions(20_000, 10_000)).violations[0]
    path = shortened(where, violation.ways, violation.code)
    assert path.size < Path(violation.ways, violation.node).size
    assert len({way // WAYS for way in violation.ways}) == 4
    assert len({way // WAYS for way in path.ways}) == 2


def test_what_does_not_lead_there_is_refused() -> None:
    """Another violation, or none at all, is no path to this one."""
    where, violation = walked("no-rcu-free", "munmap-file")
    assert follow(where, violation.ways[:-1], violation.code) is None
    assert follow(where, violation.ways, c.V_OVERWRITE) is None
    with pytest.raises(ValueError, match="do not lead"):
        shortened(where, [], violation.code)


def test_primitives_of_threads_that_wait_are_skipped() -> None:
    """A path may name a thread that cannot go on: nothing happens, and nothing is noted."""
    where, violation = walked("s3@spf-anon", "two-copies")
    path = follow(where, [*violation.ways, *violation.ways[-3:]], violation.code)
    assert path is not None
    assert path.ways == tuple(violation.ways)
