"""Timelines in Chrome's trace format."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from spfvar.render.chrome import to_chrome
from spfvar.timing.timeline import Abort, Handover, Hold, Slice, Timeline, timeline
from tests.render.chrome_traces import valid
from tests.timing.recordings import finite, recorded

SMALL = Timeline(
    begin=5000.0, span=2000, asked=2000, threads=("a 0", "a 1"),
    slices=(
        Slice(0, 0, 1500, "fault", "fault", 0), Slice(0, 0, 1200, "do_fault", "function", 1),
        Slice(0, 100, 700, "down", "primitive", 2, "mm/fault.py:1"), Slice(1, 10, 20, "up", "primitive", 0, "x:2"),
    ),
    holds=(Hold(0, 700, 1100, "mm_struct.mmap_lock", 9),),
    aborts=(Abort(0, 900, "gave_up", "why"), Abort(1, 15, "gave_up", "")),
    handovers=(Handover("lock", "mm_struct.mmap_lock", 1, 15, 0, 700),),
)  # fmt: skip


def test_each_thing_has_its_phase() -> None:
    """Slices are complete events, holds asynchronous ones, aborts instants, handovers flows; times in us."""
    events = valid(to_chrome(SMALL, "a title"))
    shown = [(e["ph"], e["name"], e["tid"], e["ts"]) for e in events if e["ph"] != "M"]
    assert shown == [
        ("X", "fault", 1, 0.0), ("X", "do_fault", 1, 0.0), ("X", "down", 1, 0.1), ("X", "up", 2, 0.01),
        ("b", "holds mm_struct.mmap_lock", 1, 0.7), ("e", "holds mm_struct.mmap_lock", 1, 1.1),
        ("i", "gave_up: why", 1, 0.9), ("i", "gave_up", 2, 0.015),
        ("s", "lock mm_struct.mmap_lock", 2, 0.015), ("f", "lock mm_struct.mmap_lock", 1, 0.7),
    ]  # fmt: skip
    assert [e["args"]["name"] for e in events if e["name"] == "thread_name"] == ["a 0", "a 1"]
    assert json.loads(to_chrome(SMALL, "t"))["otherData"]["begin_ns"] == 5000.0


@pytest.mark.parametrize(
    "wrong",
    [
        replace(SMALL, slices=(Slice(0, 0, 9, "f", "function", 0), Slice(0, 5, 12, "g", "function", 1))),
        replace(SMALL, holds=(Hold(0, 700, 600, "l", 9),)),
        replace(SMALL, threads=("a 0",)),
    ],
)
def test_the_validator_sees_what_is_wrong(wrong: Timeline) -> None:
    """Slices that overlap, a hold that ends before it begins, a thread without a name."""
    with pytest.raises(AssertionError):
        valid(to_chrome(wrong, "t"))


@pytest.mark.parametrize("variant", ["mmap-lock", "spf-do-fault", "per-vma-refcnt", "radixvm"])
@pytest.mark.parametrize("threads", [1, 6, 12])
def test_timelines_of_runs_are_valid(variant: str, threads: int) -> None:
    """With threads that share CPUs, too; the same bytes again."""
    load = finite(threads, 3, 6, shared=True)
    texts = [
        to_chrome(timeline(recorded(variant, load, window=(2000.0, 40_000.0), events=50_000)), "t")
        for _ in range(2)
    ]
    assert texts[0] == texts[1]
    phases = {event["ph"] for event in valid(texts[0])}
    assert phases >= {"M", "X"}
    assert threads == 1 or "s" in phases
