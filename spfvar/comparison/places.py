"""Where a comparison was made, in words: a scenario with those of its axes that vary."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Final

import pandas as pd

#: The axis that makes the columns of tables, wherever it varies.
COLUMN_AXIS: Final = "threads"


def places(comparisons: pd.DataFrame) -> dict[tuple[str, str], str]:
    """Each scenario and point in words, with the axes that have more than one value: "file-cow threads=4"."""
    varied = varied_axes(comparisons)
    rows = comparisons[["scenario", "axes"]].drop_duplicates().itertuples(index=False)
    return {
        (str(scenario), str(axes)): named(str(scenario), json.loads(str(axes)), varied[str(scenario)])
        for scenario, axes in rows
    }


def varied_axes(comparisons: pd.DataFrame) -> dict[str, set[str]]:
    """By scenario, the axes that have more than one value in this comparison."""
    found: dict[str, set[str]] = {}
    for scenario, rows in comparisons.groupby("scenario", sort=False):
        values: dict[str, set[str]] = {}
        for axes in rows["axes"].unique():
            for name, value in json.loads(axes).items():
                values.setdefault(name, set()).add(str(value))
        found[str(scenario)] = {name for name, seen in values.items() if len(seen) > 1}
    return found


def named(scenario: str, axes: Mapping[str, object], varied: Iterable[str]) -> str:
    """The scenario and the axes that vary."""
    return " ".join([scenario, *(f"{name}={value}" for name, value in axes.items() if name in varied)])
