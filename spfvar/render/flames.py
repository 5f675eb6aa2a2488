"""Breakdowns as folded stacks, which flame graphs are drawn from: a line per stack, and its nanoseconds."""

from __future__ import annotations

from collections import defaultdict

from spfvar.timing.breakdown import Breakdown


def to_folded(breakdown: Breakdown) -> str:
    """``fault;function;...;primitive;kind ns`` a line, in alphabetical order; work has no frame of its kind.

    Nanoseconds are those of all the faults (or writers' calls) that were counted, as whole numbers.
    """
    spent: dict[str, float] = defaultdict(float)
    for part in breakdown.parts():
        for step in part.steps:
            stack = ";".join(_frame(name) for name in (part.what, *step.stack, step.name))
            for kind, ns in step.ns.items():
                waits = "" if kind == "work" else f";[{_waits(kind, step.line)}]"
                spent[stack + waits] += ns * part.count
    lines = [f"{stack} {round(ns)}" for stack, ns in sorted(spent.items()) if round(ns) > 0]
    return "\n".join(lines) + "\n"


def _waits(kind: str, line: str) -> str:
    return _frame(f"{kind} {line}" if kind in ("transfer", "line wait") else kind)


def _frame(name: str) -> str:
    """A name without what separates frames; spaces may stay, for the count is behind the last one."""
    return name.replace(";", ",")
