"""Bugs of large folios: what they need besides their patch (tests/matrix finds them all)."""

from __future__ import annotations

import pytest

from spfvar.explore.options import Options
from spfvar.explore.verdict import SAFE, VIOLATION, Verdict, judge
from spfvar.explore.world import build_race
from spfvar.matrix.catalogue import races
from spfvar.scenario.race import Race
from tests.stacks import stack


def judged(variant: str, race: Race) -> Verdict:
    """The verdict on a variant in a race."""
    return judge(build_race(race, stack(variant)), variant, "race", Options())


def after(first: str, second: str) -> Race:
    """The race with one actor behind the other."""
    race = races()["truncate-folio"]
    actors = [
        actor.model_copy(update={"after": first if actor.name == second else ""}) for actor in race.actor
    ]
    return race.model_copy(update={"actor": actors})


def test_a_whole_folio_is_mapped_beyond_the_end_without_any_race() -> None:
    """X30: a fault on a file that was cut off long ago; the other way round truncation unmaps the page."""
    found = judged("x30@mmap-lock", after("truncate", "fault"))
    assert (found.verdict, found.property) == (VIOLATION, "P6")
    assert judged("x30@mmap-lock", after("fault", "truncate")).verdict == SAFE


@pytest.mark.parametrize("order", [("truncate", "fault"), ("fault", "truncate")])
def test_an_end_that_is_read_early_is_wrong_only_if_the_file_is_cut_off_meanwhile(
    order: tuple[str, str],
) -> None:
    """X30-early is a race: one after the other they do no harm."""
    assert judged("x30-early@mmap-lock", after(*order)).verdict == SAFE


def test_folios_of_one_page_are_taken_out_of_the_file_instead() -> None:
    """Where truncation removes the page, mapping whole folios is nothing to be afraid of."""
    assert judged("x30@mmap-lock", races()["truncate-around"]).verdict == SAFE
