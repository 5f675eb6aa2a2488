"""Where the time goes in the loads that a variant changes most: both recorded once, part beside part."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from spfvar.errors import SpfvarError
from spfvar.matrix.plan import CellSpec, Plan
from spfvar.matrix.why import breakdown_of
from spfvar.plugins.variant import Stacks
from spfvar.render.why import bar_of
from spfvar.review.model import HELPS, HURTS, MIXED, Duel, LoadTimes, Reason, Speed
from spfvar.timing.breakdown import Breakdown
from spfvar.timing.differences import differences, ratio, worth_telling

#: So many loads are recorded, and so many differences told of each.
LOADS, TOLD = 4, 4


def find_times(
    plan: Plan, speed: Speed, variant: str, progress: Callable[[int, int], None] | None = None
) -> tuple[LoadTimes, ...]:
    """The loads with the largest effects against the first rival, at the threads that reasons are given for.

    One run of the first seed each.  Loads without a sure effect are left out, and those that cannot be run.
    """
    if not speed.duels:
        return ()
    duel = speed.duels[0]
    stacks = Stacks()
    found = []
    chosen = _chosen(duel, speed.reasons)
    for done, reason in enumerate(chosen, 1):
        cells = {cell.variant.name: cell for cell in plan.cells
                 if cell.load.scenario == reason.scenario and cell.axes == dict(reason.axes)}  # fmt: skip
        pair = [_breakdown(plan, cells[name], stacks) for name in (variant, duel.rival) if name in cells]
        if len(pair) == 2 and pair[0] is not None and pair[1] is not None:
            found.append(_times(reason, pair[0], pair[1]))
        if progress is not None:
            progress(done, len(chosen))
    return tuple(found)


def _chosen(duel: Duel, reasons: Sequence[Reason]) -> list[Reason]:
    sizes = {
        load.scenario: max(abs(math.log(effect.ratio)) for effect in load.effects if effect.ratio > 0)
        for load in duel.where(HELPS, HURTS, MIXED)
        if any(effect.ratio > 0 for effect in load.effects)
    }
    known = [reason for reason in reasons if reason.scenario in sizes]
    largest = sorted(known, key=lambda reason: -sizes[reason.scenario])[:LOADS]
    return [reason for reason in reasons if reason in largest]


def _breakdown(plan: Plan, cell: CellSpec, stacks: Stacks) -> Breakdown | None:
    try:
        return breakdown_of(plan, cell, stacks)
    except SpfvarError:  # the comparison has told of it
        return None


def _times(reason: Reason, mine: Breakdown, other: Breakdown) -> LoadTimes:
    found = differences(mine.faults, other.faults)
    told = worth_telling(found, mine.faults, other.faults)[:TOLD]
    return LoadTimes(
        reason.scenario,
        int(reason.axes["threads"]),
        ratio(mine, other),
        (bar_of(other), bar_of(mine)),
        tuple(told),
    )
