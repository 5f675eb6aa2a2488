"""Breakdowns as pandas frames."""

from __future__ import annotations

from dataclasses import asdict

import pandas as pd

from spfvar.timing.breakdown import KINDS, Breakdown

STEP = ("what", "stack", "function", "primitive", "where", "line", "member", "lock")
TAKER = ("member", "function", "name", "where")


def steps_frame(breakdown: Breakdown) -> pd.DataFrame:
    """A row per step, of faults and of writers' calls (``what``); ``stack`` is joined by ";".

    Columns: ns (the whole), one per kind of time, lost, transfers; ns a fault or call.
    """
    rows = [
        [
            part.what, ";".join(step.stack), step.function, step.name, step.where, step.line, step.member,
            step.lock, step.total, *(step.ns.get(kind, 0.0) for kind in KINDS), step.lost, step.transfers,
        ]
        for part in breakdown.parts() for step in part.steps
    ]  # fmt: skip
    return pd.DataFrame(rows, columns=[*STEP, "ns", *KINDS, "lost", "transfers"])


def lines_frame(breakdown: Breakdown) -> pd.DataFrame:
    """A row per cache line and step that had it before: what requests cost then, ns a fault or call."""
    rows = [
        [part.what, line.name, ", ".join(line.members), one.member, one.function, one.name, one.where,
         one.transfers, one.ns]
        for part in breakdown.parts() for line in part.lines for one in line.takers
    ]  # fmt: skip
    return pd.DataFrame(rows, columns=["what", "line", "members", *TAKER, "transfers", "ns"])


def locks_frame(breakdown: Breakdown) -> pd.DataFrame:
    """A row per lock; without the steps that end waits."""
    return pd.DataFrame([asdict(lock) for lock in breakdown.locks]).drop(columns="enders", errors="ignore")
