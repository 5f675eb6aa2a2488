"""A timeline in Chrome's trace format (JSON), which Perfetto and chrome://tracing open.

A track per thread: faults and writers' calls, in them functions, primitives and what those wait for, as
complete events ("X"); tries that are given up as instants ("i"); locks that are held as asynchronous slices
("b", "e"), for they may overlap; handovers of locks and cache lines as flows ("s", "f").  Times are in
microseconds.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from spfvar.timing.timeline import Timeline

#: All threads are of one process.
PROCESS = 1


def to_chrome(timeline: Timeline, title: str) -> str:
    """The timeline as text; the same bytes for the same timeline."""
    lines = ",\n".join(json.dumps(event, sort_keys=True) for event in _events(timeline, title))
    other = {"begin_ns": timeline.begin, "span_ns": timeline.span, "title": title, "simulated": True}
    return (
        f'{{"displayTimeUnit": "ns", "otherData": {json.dumps(other, sort_keys=True)}, "traceEvents": [\n'
        f"{lines}\n]}}\n"
    )


def _events(timeline: Timeline, title: str) -> Iterator[dict[str, Any]]:
    yield {"ph": "M", "name": "process_name", "pid": PROCESS, "tid": 0, "args": {"name": title}}
    for number, name in enumerate(timeline.threads):
        yield {"ph": "M", "name": "thread_name", "pid": PROCESS, "tid": number + 1, "args": {"name": name}}
        yield {"ph": "M", "name": "thread_sort_index", "pid": PROCESS, "tid": number + 1,
               "args": {"sort_index": number}}  # fmt: skip
    for one in timeline.slices:
        event = _event("X", one.name, one.sort, one.thread, one.begin) | {"dur": (one.end - one.begin) / 1000}
        yield event | ({"args": {"where": one.where}} if one.where else {})
    for number, hold in enumerate(timeline.holds, 1):
        held = {"id": number}
        name = f"holds {hold.lock}"
        yield _event("b", name, "lock", hold.thread, hold.begin) | held | {"args": {"object": hold.number}}
        yield _event("e", name, "lock", hold.thread, hold.end) | held
    for abort in timeline.aborts:
        name = abort.event + (f": {abort.reason}" if abort.reason else "")
        yield _event("i", name, "abort", abort.thread, abort.at) | {"s": "t"}
    for number, handover in enumerate(timeline.handovers, 1):
        name, flow = f"{handover.what} {handover.name}", {"id": number}
        yield _event("s", name, handover.what, handover.giver, handover.begin) | flow
        yield _event("f", name, handover.what, handover.taker, handover.end) | flow | {"bp": "e"}


def _event(phase: str, name: str, category: str, thread: int, at: int) -> dict[str, Any]:
    return {"ph": phase, "name": name, "cat": category, "pid": PROCESS, "tid": thread + 1, "ts": at / 1000}
