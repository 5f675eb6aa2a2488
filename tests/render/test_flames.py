"""Folded stacks."""

from __future__ import annotations

import re

import pytest

from spfvar.render.flames import to_folded
from tests.timing.recordings import broken_down


@pytest.mark.parametrize("variant", ["mmap-lock", "spf-do-fault"])
def test_stacks_hold_all_the_time(variant: str) -> None:
    """A line per stack: frames, a blank, whole nanoseconds; in all, what faults and calls took.

    Each line is rounded, by at most half a nanosecond.
    """
    breakdown = broken_down(variant)
    lines = to_folded(breakdown).splitlines()
    assert lines == sorted(lines)
    found = [re.fullmatch(r"((?:fault|call)(?:;[^;]+)+) (\d+)", line) for line in lines]
    assert all(found)
    stacks = [one[1] for one in found if one]
    assert len(set(stacks)) == len(stacks)
    whole = sum(int(one[2]) for one in found if one)
    parts = breakdown.parts()
    assert whole == pytest.approx(sum(part.count * part.mean for part in parts), abs=len(lines) + 1000)
    assert any(line.startswith("fault;do_user_addr_fault;") for line in lines)
    assert any("[line wait mm_struct.mmap_lock]" in line for line in lines)
