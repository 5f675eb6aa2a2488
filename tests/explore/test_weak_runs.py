"""Primitives that threads run in a row, under the kernel's memory model: none is one that may not be there."""

from __future__ import annotations

import pytest

from spfvar.explore.explore import explore
from spfvar.explore.options import Options
from spfvar.explore.verdict import INCOMPLETE, SAFE
from spfvar.explore.world import build_race
from spfvar.ops import codes as c
from spfvar.plugins.variant import Stack
from tests.explore import weakworlds


@pytest.mark.parametrize(
    ("design", "expected"), [("fills", SAFE), ("fills-readably", SAFE), ("fills-the-longest", INCOMPLETE)]
)
def test_a_history_is_full_only_of_what_somebody_may_still_read(design: str, expected: str) -> None:
    """Of nine stores in a row, all but the newest are forgotten in time, if nobody looks."""
    found = weakworlds.verdict(design)
    assert found.verdict == expected
    assert ("history full" in found.why) == (expected == INCOMPLETE)


def test_who_creates_a_folio_changes_what_others_know() -> None:
    """They know nothing of its page's new life: so creation is no step of its thread's alone.

    Read in the second life is what was stored there, of which only the newest is the end: 1, or nothing yet,
    may be read as well, which is what the text takes for a violation.  Those who read it and those who do not
    are as many with steps taken in a row as one by one.
    """
    files = [{"name": "file", "cached": "none"}]
    actors = [
        {"name": "read", "program": [{"call": "filemap_read", "on": "file"}]},
        {"name": "fault", "program": [{"load": "map"}]},
        {"name": "munmap", "program": [{"munmap": "map"}]},
        {"name": "punch", "program": [{"punch": "file"}]},
    ]
    race = weakworlds.race([{"name": "map", "start": 0, "file": "file"}], *actors, files=files)
    stale = []
    for options in (Options(first=False), Options.plain(first=False, max_states=300_000)):
        world = build_race(race, Stack(weakworlds.registry().any_variant("weak-lives")), "lkmm")
        assert world.weak is not None
        found = explore(world, options)
        assert found.complete
        stale.append(({v.code for v in found.violations}, (world.weak.stale != 0).tobytes()))
    assert stale[0] == stale[1]
    assert c.V_BUG in stale[0][0]
