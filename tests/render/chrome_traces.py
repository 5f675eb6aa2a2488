"""A validator of Chrome's trace format: what a viewer relies on, as the format's description says it."""

from __future__ import annotations

import json
from collections import defaultdict
from typing import Any

#: Fields that every event of a phase has to have, and their types.
FIELDS: dict[str, dict[str, Any]] = {
    "M": {"name": str, "pid": int, "tid": int, "args": dict},
    "X": {"name": str, "cat": str, "pid": int, "tid": int, "ts": (int, float), "dur": (int, float)},
    "i": {"name": str, "cat": str, "pid": int, "tid": int, "ts": (int, float), "s": str},
    "b": {"name": str, "cat": str, "pid": int, "tid": int, "ts": (int, float), "id": int},
    "e": {"name": str, "cat": str, "pid": int, "tid": int, "ts": (int, float), "id": int},
    "s": {"name": str, "cat": str, "pid": int, "tid": int, "ts": (int, float), "id": int},
    "f": {"name": str, "cat": str, "pid": int, "tid": int, "ts": (int, float), "id": int, "bp": str},
}


def valid(text: str) -> list[dict[str, Any]]:
    """The events of a trace.  AssertionError, if a viewer would not show what was meant."""
    document = json.loads(text)
    events: list[dict[str, Any]] = document["traceEvents"]
    for event in events:
        for name, kind in FIELDS[event["ph"]].items():
            assert isinstance(event[name], kind), (name, event)
        assert event.get("ts", 0) >= 0, event
    _check_tracks(events)
    _check_nesting(events)
    _check_pairs(events, "b", "e")
    _check_pairs(events, "s", "f")
    return events


def whole(microseconds: float) -> int:
    """In nanoseconds, which a time in microseconds has to be a whole number of."""
    ns = round(microseconds * 1000)
    assert abs(ns - microseconds * 1000) < 1e-6
    return ns


def _check_tracks(events: list[dict[str, Any]]) -> None:
    """Every thread has one name."""
    named = [event["tid"] for event in events if event["ph"] == "M" and event["name"] == "thread_name"]
    assert len(named) == len(set(named))
    assert {event["tid"] for event in events if event["ph"] != "M"} <= set(named)


def _check_nesting(events: list[dict[str, Any]]) -> None:
    """Complete events of a thread are in order, and each ends before what it lies in."""
    open_: dict[int, list[tuple[int, int]]] = defaultdict(list)
    last: dict[int, int] = defaultdict(int)
    for event in events:
        if event["ph"] != "X":
            continue
        begin, end = whole(event["ts"]), whole(event["ts"]) + whole(event["dur"])
        around = open_[event["tid"]]
        while around and around[-1][1] <= begin:
            around.pop()
        assert end > begin >= last[event["tid"]]
        assert not around or end <= around[-1][1], event
        around.append((begin, end))
        last[event["tid"]] = begin


def _check_pairs(events: list[dict[str, Any]], first: str, second: str) -> None:
    """Each id has one beginning and one end, of the same name and category, that is not earlier."""
    ends: dict[tuple[str, int], list[dict[str, Any]]] = defaultdict(list)
    for event in events:
        if event["ph"] in (first, second):
            ends[event["cat"], event["id"]].append(event)
    ids = [number for _, number in ends]
    assert len(ids) == len(set(ids))
    for pair in ends.values():
        assert [event["ph"] for event in pair] == [first, second], pair
        assert pair[0]["name"] == pair[1]["name"]
        assert pair[0]["ts"] <= pair[1]["ts"]
