"""Bugs between faults and the file's side: what they need besides their patch (tests/matrix finds them all)."""

from __future__ import annotations

from spfvar.twins import filesystem

from spfvar.explore.options import Options
from spfvar.explore.verdict import SAFE, judge
from spfvar.explore.world import build_race
from spfvar.matrix.catalogue import races
from tests.stacks import stack


def test_the_late_look_at_the_anon_vma_does_no_harm_where_no_reverse_map_walk_comes_by_it() -> None:
    """PT3 without its third party: the page lock keeps every entry out of the table that goes."""
    twin = next(twin for twin in filesystem.TWINS if twin.bug == "PT3")
    world = build_race(races()["retract-cow"], stack(twin.name))
    assert judge(world, twin.name, "retract-cow", Options()).verdict == SAFE
