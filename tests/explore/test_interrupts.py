"""An interrupt is a barrier on the CPUs that it is sent to, and on no others.

Store buffering: a thread stores and looks without a barrier, the other one stores, interrupts, and looks.
If the interrupt reaches the first one's CPU, at least one of them sees the other's store; if not, both may
miss it.
"""

from __future__ import annotations

from typing import Any

import pytest

from spfvar.explore.options import Options
from spfvar.explore.verdict import INCOMPLETE, SAFE, Verdict, judge
from spfvar.explore.world import build_race
from spfvar.plugins.variant import Stack
from tests.explore import weakworlds

#: "map" is in the first address space, which is flushed, "theirs" in the second.
VMAS = ({"name": "map", "start": 0}, {"name": "theirs", "start": 2, "mm": 1})
OURS, THEIRS, READER = {"load": "map"}, {"load": "theirs"}, {"maps": "map"}


def verdict(
    design: str, looks: dict[str, str], options: Options | None = None, *more: dict[str, Any]
) -> Verdict:
    """Of the thread that looks, munmap of the first address space, and perhaps ``more`` actors."""
    munmap = {"name": "munmap", "program": [{"munmap": "map"}]}
    race = weakworlds.race(VMAS, {"name": "looks", "program": [looks]}, munmap, *more)
    world = build_race(race, Stack(weakworlds.registry().any_variant(f"weak-{design}")), "lkmm")
    return judge(world, design, "test", options or Options())


@pytest.mark.parametrize(
    ("design", "looks", "reached"),
    [
        ("interrupted", OURS, True),
        ("interrupted", THEIRS, False),
        ("interrupted", READER, False),  # which may be another process
        ("interrupts-all", OURS, True),
        ("interrupts-all", THEIRS, True),
        ("leaves", OURS, False),  # to another task, before it looks
    ],
)
@pytest.mark.parametrize("options", [Options(), Options.plain()], ids=["reduced", "plain"])
def test_a_flush_is_a_barrier_on_cpus_of_its_address_space(
    design: str, looks: dict[str, str], reached: bool, options: Options
) -> None:
    found = verdict(design, looks, options)
    assert [finding.property for finding in found.findings] == ([] if reached else ["P17"])
    assert (found.verdict == SAFE) == reached


@pytest.mark.parametrize(("looks", "waits"), [(OURS, True), (THEIRS, False)], ids=["ours", "theirs"])
def test_a_flush_waits_for_cpus_of_its_address_space(looks: dict[str, str], waits: bool) -> None:
    """That have interrupts off: until they are on again, the flush is not over."""
    found = verdict("masked", looks)
    assert [finding.property for finding in found.findings] == ([] if waits else ["P17"])


@pytest.mark.parametrize(("others", "expected"), [(2, SAFE), (3, INCOMPLETE)])
def test_an_interrupt_of_more_than_three_cpus_is_not_searched_in_every_order(
    others: int, expected: str
) -> None:
    """The one that looks, and so many more."""
    found = verdict(
        "interrupted", OURS, None, {"name": "more", "count": others, "program": [{"madvise": "map"}]}
    )
    assert found.verdict == expected
    assert ("more than three CPUs" in found.why) == (expected == INCOMPLETE)
