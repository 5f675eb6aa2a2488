"""Random walks under the kernel's memory model."""

from __future__ import annotations

import pytest

from spfvar.explore.explore import explore
from spfvar.explore.options import Options
from spfvar.explore.verdict import INCOMPLETE, VIOLATION
from spfvar.explore.walk import WalkOptions, walks
from spfvar.explore.walked import judge_walks
from tests.explore.weakworlds import RACE, verdict, world


@pytest.mark.parametrize("name", ["no-wmb", "no-rmb", "no-release", "no-mb"])
def test_they_find_what_a_missing_barrier_allows(name: str) -> None:
    """A few thousand walks of some ten primitives, of which each load is a choice among two messages at most."""
    found = judge_walks(world(name), f"weak-{name}", RACE, WalkOptions(5_000))
    assert (found.verdict, found.property) == (VIOLATION, verdict(name).property)
    assert any(step.old is not None for step in found.findings[0].trace.steps)


@pytest.mark.parametrize("name", ["fences", "orders", "buffers", "publishes"])
def test_they_find_nothing_that_the_search_does_not(name: str) -> None:
    """And they come by everything that the search comes by."""
    assert judge_walks(world(name), f"weak-{name}", RACE, WalkOptions(5_000)).verdict == INCOMPLETE
    here = world(name)
    covered = walks(here, WalkOptions(5_000)).covered
    assert (covered == explore(here, Options(first=False)).covered).all()


def test_the_same_seed_walks_the_same_way() -> None:
    """Messages are drawn from the walk's own seed."""
    one, two = (walks(world("no-rmb"), WalkOptions(200, seed=3)) for _ in range(2))
    assert (one.walks, one.steps, one.violations) == (two.walks, two.steps, two.violations)
