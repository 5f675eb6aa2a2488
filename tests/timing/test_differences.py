"""Differences by cause: all of them, once, the largest first."""

from __future__ import annotations

import pytest

from spfvar.timing.differences import causes, differences, ratio, worth_telling
from tests.timing.recordings import broken_down

PAIRS = (("spf-do-fault", "mmap-lock"), ("per-vma-6.12", "mmap-lock"), ("range-lock", "per-vma-6.12"))


@pytest.mark.parametrize(("one", "other"), PAIRS)
def test_the_differences_add_up(one: str, other: str) -> None:
    """To the difference of the mean latencies, for faults and for calls."""
    for mine, theirs in zip(broken_down(one).parts(), broken_down(other).parts(), strict=True):
        found = differences(mine, theirs)
        assert sum(d.change for d in found) == pytest.approx(mine.mean - theirs.mean, abs=1e-6)
        assert len({d.cause for d in found}) == len(found)
        changes = [abs(d.change) for d in found]
        assert changes == sorted(changes, reverse=True)


def test_a_variant_does_not_differ_from_itself() -> None:
    """Every cause costs the same, and none is worth telling."""
    part = broken_down("mmap-lock").faults
    found = differences(part, part)
    assert {d.change for d in found} == {0.0}
    assert worth_telling(found, part, part) == []
    assert sum(causes(part).values()) == pytest.approx(part.mean)


def test_the_other_way_round_the_signs_change() -> None:
    """Against each other: the same causes, the same sizes."""
    mine, theirs = broken_down("spf-do-fault").faults, broken_down("mmap-lock").faults
    there = {d.cause: d.change for d in differences(mine, theirs)}
    back = {d.cause: d.change for d in differences(theirs, mine)}
    assert back == pytest.approx({cause: -change for cause, change in there.items()})
    assert ratio(broken_down("spf-do-fault"), broken_down("mmap-lock")) == pytest.approx(
        1 / ratio(broken_down("mmap-lock"), broken_down("spf-do-fault"))
    )


def test_a_line_owes_its_difference_to_who_had_it() -> None:
    """Of the requests for a line in 100 faults, those that came to the named step are a part."""
    found = differences(broken_down("mmap-lock").faults, broken_down("per-vma-6.12").faults)
    lines = [d for d in found if d.cause.sort == "line" and d.taker is not None]
    assert lines
    for one in lines:
        assert 0 < one.taken <= one.transfers + 1e-9


def test_what_is_not_there_costs_nothing() -> None:
    """Per-VMA locks have a line that mmap_lock's faults never touch."""
    found = {d.cause.name: d for d in differences(broken_down("per-vma-6.12").faults, broken_down("mmap-lock").faults)
             if d.cause.sort == "line"}  # fmt: skip
    own = [d for name, d in found.items() if "vma_lock" in name or "vm_lock" in name]
    assert own
    assert all(d.other_ns == 0.0 < d.ns for d in own)
