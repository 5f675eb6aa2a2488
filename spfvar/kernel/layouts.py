"""What other tracers print, as the tracer of `spfvar conform --print-tracer` would have printed it.

One event is one line in all of them: task, CPU, time, the event's name, its fields.

* ``trace-cmd report``, with or without ``-p function_graph`` (``funcgraph_entry`` and ``funcgraph_exit``).
* ``perf script``, of ``perf probe``'s events: ``probe:NAME`` is an event on entry of a function, and
  ``probe:NAME__return`` on its return.
* ftrace's own ``trace`` under the ``nop`` tracer, and what a script of bpftrace prints in one of these ways.

The events have to be the same: probes on the primitives of locking with ``lock`` and ``by``, the functions of
the letters' table, the tracepoints of page faults and of mmap_lock, and marks.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Final

from spfvar.errors import InputError

#: Lines at the begin of a file that tell which tracer's it is.
_FIRST: Final = 400
_GRAPH: Final = re.compile(r"\s*\d+\)\s.*\|")
#: "task-pid [cpu] flags time: event: fields"; perf has "task pid" and "task pid/tid".
_EVENT: Final = re.compile(
    r"\s*(?P<task>\S.*?)(?:-|\s+)(?P<pid>\d+)(?:/\d+)?\s+\[(?P<cpu>\d+)\]\s+(?:[\w.#]+\s+)?[\d.]+:\s+"
    r"(?:[\w-]+:)?(?P<event>\w+):\s*(?P<rest>.*?)\s*$"
)
#: Of a probe's fields, the address that it is at; perf has the return's as "(to <- from)".
_AT: Final = re.compile(r"^\((?:[0-9a-f]+|[\w.+/]+)\)\s*")
_RETURNS: Final = re.compile(r"^\(([\w.+/]+) <- ([\w.+/]+)\)\s*")
_HEX_FIELD: Final = re.compile(r"\b(lock|mm)=(?!0x)([0-9a-f]{9,16})\b")
#: In front of a mark: the function that printed it, or its address.
_MARK_OF: Final = re.compile(
    r"^(?:tracing_mark_write|(?:0x)?[0-9a-f]+):?\s+(?=BEGIN |END )|^tracing_mark_write: "
)
_MARKS: Final = ("print", "tracing_mark_write", "bprint")
#: Events that are no functions.
_TRACEPOINTS: Final = ("page_fault_", "mmap_lock_")


def as_graph(lines: Sequence[str], probes: frozenset[str], file: str) -> Iterator[str]:
    """The recording as function_graph would have printed it; ``probes`` are no functions either.

    Raises InputError for a file of no tracer that is known.
    """
    first = lines[:_FIRST]
    if any(_GRAPH.match(line) for line in first):
        yield from lines
        return
    if not any(_EVENT.match(line) for line in first):
        raise InputError(
            "no recording: it has no event", file=file,
            expected="what function_graph, trace-cmd report, perf script, bpftrace or --save wrote",
        )  # fmt: skip
    returning = {name for line in lines if (name := _returning(line))}
    for line in lines:
        match = _EVENT.match(line)
        if match is not None:
            text = _text(match["event"], match["rest"], probes, returning)
            yield f" {int(match['cpu'])})  {match['task']}-{match['pid']}  | {text}"
        else:
            yield ""  # so that lines are counted as in the file


def _returning(line: str) -> str:
    """The function that a probe on returns is on."""
    match = _EVENT.match(line)
    return match["event"].removesuffix("__return") if match and match["event"].endswith("__return") else ""


def _text(event: str, rest: str, probes: frozenset[str], returning: set[str]) -> str:
    if event in ("funcgraph_entry", "funcgraph_exit"):
        return rest.partition("|")[2] if "|" in rest else rest
    if event in _MARKS:
        return f"/* {_MARK_OF.sub('', rest)} */"
    name = event.removesuffix("__return")
    fields = _HEX_FIELD.sub(r"\1=0x\2", rest)
    returns = _RETURNS.match(rest)
    if name in probes or event in probes:
        if returns is None:
            return f"/* {event}: ({event}) {_AT.sub('', fields)} */"
        return f"/* ret_{name}: ({returns[1]} <- {name}) {_RETURNS.sub('', fields)} */"
    if event.startswith(_TRACEPOINTS):
        return f"/* {event}: {fields} */"
    if returns is not None or event != name:
        return f"}} /* {name} */"
    return f"{event}() {{" if event in returning else f"{event}();"
