"""Bugs of TLBs: what they need besides their patch (tests/matrix finds them all)."""

from __future__ import annotations

from spfvar.explore.options import Options
from spfvar.explore.verdict import SAFE, VIOLATION, Verdict, judge
from spfvar.explore.world import build_race
from spfvar.matrix.catalogue import races
from spfvar.scenario.race import Race
from tests.stacks import stack


def judged(variant: str, race: Race) -> Verdict:
    """The verdict on a variant in a race."""
    return judge(build_race(race, stack(variant)), variant, "race", Options())


def test_two_cpus_that_switch_are_as_good_or_as_bad_as_one() -> None:
    """Interchangeable threads, each with a CPU of its own."""
    race = races()["lazy-madvise"]
    user, madvise = race.actor
    two = race.model_copy(update={"actor": [user.model_copy(update={"count": 2}), madvise]})
    assert judged("mmap-lock", two).verdict == SAFE
    found = judged("x11@mmap-lock", two)
    assert (found.verdict, found.property) == (VIOLATION, "P9")


def test_a_cpu_that_does_not_use_the_mm_again_does_no_harm() -> None:
    """X11: stale entries are nothing as long as nobody goes by them."""
    race = races()["lazy-madvise"]
    user, madvise = race.actor
    gone = user.model_copy(update={"program": user.program[:1]})
    assert judged("x11@mmap-lock", race.model_copy(update={"actor": [gone, madvise]})).verdict == SAFE


def test_a_flush_that_frees_no_tables_does_no_harm_to_cpus_that_have_another_mm() -> None:
    """X12 takes a kernel thread: without it, and with X11's fix, what comes back has flushed."""
    assert judged("x12@mmap-lock", races()["lazy-madvise"]).verdict == SAFE
    assert judged("mmap-lock", races()["lazy-retract"]).verdict == SAFE
