"""One comparison on several machines: which signs differ between them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import pandas as pd

from spfvar.comparison.places import COLUMN_AXIS, named, varied_axes
from spfvar.comparison.stats import KEY
from spfvar.comparison.verdicts import Verdict

UP: Final[tuple[Verdict, ...]] = ("better", "likely better")
DOWN: Final[tuple[Verdict, ...]] = ("WORSE", "likely WORSE")


@dataclass(frozen=True, slots=True)
class Sign:
    """What a cell is on one machine."""

    machine: str
    ratio: float
    verdict: Verdict


@dataclass(frozen=True, slots=True)
class Differing:
    """A cell that is better on some machines and WORSE on others, in the order of the machines.

    ``load`` is the scenario with those of its axes that vary, but for threads, which are ``column``.
    """

    variant: str
    scenario: str
    axes: str
    metric: str
    load: str
    column: str
    up: tuple[Sign, ...]
    down: tuple[Sign, ...]

    @property
    def sure(self) -> bool:
        """Are both signs, each on some machine, more than likely?"""
        return any(s.verdict == UP[0] for s in self.up) and any(s.verdict == DOWN[0] for s in self.down)


def differing(by_machine: Mapping[str, pd.DataFrame]) -> list[Differing]:
    """The cells whose sign is not that of every machine, in the order of the first that has them.

    ``by_machine`` has comparisons as made by `spfvar.comparison.stats.compare_to`.  Machines are compared at
    one number of threads; where a machine has no such cell, or where its figures leave the sign open, it says
    nothing.
    """
    cells: dict[tuple[str, ...], list[Sign]] = {}
    for machine, comparisons in by_machine.items():
        columns = comparisons[[*KEY, "ratio", "verdict"]]
        for *key, ratio, verdict in columns.itertuples(index=False, name=None):
            cells.setdefault(tuple(map(str, key)), []).append(Sign(machine, float(ratio), verdict))
    varied = varied_axes(pd.concat([one[["scenario", "axes"]] for one in by_machine.values()]))
    found = []
    for (variant, scenario, axes, metric), signs in cells.items():
        up = tuple(sign for sign in signs if sign.verdict in UP)
        down = tuple(sign for sign in signs if sign.verdict in DOWN)
        if up and down:
            point = json.loads(axes)
            load = named(scenario, point, varied[scenario] - {COLUMN_AXIS})
            column = str(point.get(COLUMN_AXIS, ""))
            found.append(Differing(variant, scenario, axes, metric, load, column, up, down))
    return found
