"""What the runs of a comparison gave: long frames, and the same by cell."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, NamedTuple

import numpy as np
import pandas as pd

from spfvar.comparison.stats import axes_key
from spfvar.matrix.plan import CellSpec

#: A cell: variant, scenario, and the point on the axes as `axes_key` spells it.
Place = tuple[str, str, str]


@dataclass(frozen=True)
class Failure:
    """A cell that could not be run, and why."""

    variant: str
    scenario: str
    axes: str
    message: str

    @property
    def place(self) -> Place:
        """The cell."""
        return self.variant, self.scenario, self.axes


@dataclass(frozen=True)
class Samples:
    """What the runs gave.

    ``values`` is long: variant, scenario, axes, seed, metric, value.  ``events`` too: variant, scenario,
    axes, seed, event, value (per 1000 faults).
    """

    values: pd.DataFrame
    events: pd.DataFrame
    failures: list[Failure] = field(default_factory=list)


#: What a run is called in frames: the columns, and their types.
_RUN: Final = {"variant": object, "scenario": object, "axes": object, "seed": np.int64}
Run = tuple[str, str, str, int]


class Sample(NamedTuple):
    """One run of one cell: value by metric (NaN: does not apply), and by event per 1000 faults."""

    seed: int
    metrics: Mapping[str, float]
    events: Mapping[str, float]


def place_of(cell: CellSpec) -> Place:
    """What frames call a cell."""
    return cell.variant.name, cell.load.scenario, axes_key(cell.axes)


def gather(results: Iterable[tuple[Place, Iterable[Sample] | Failure]]) -> Samples:
    """Put cells into frames, in the order given."""
    values: list[tuple[Run, Mapping[str, float]]] = []
    events: list[tuple[Run, Mapping[str, float]]] = []
    failures: list[Failure] = []
    for place, result in results:
        if isinstance(result, Failure):
            failures.append(result)
            continue
        for seed, metrics, counted in result:
            values.append(((*place, seed), metrics))
            events.append(((*place, seed), counted))
    return Samples(_long(values, "metric"), _long(events, "event"), failures)


def _long(runs: Sequence[tuple[Run, Mapping[str, float]]], what: str) -> pd.DataFrame:
    """A row per run and name, column by column: a frame is made of rows at three times the time."""
    counts = [len(found) for _, found in runs]
    columns = zip(*(run for run, _ in runs), strict=True) if runs else [()] * len(_RUN)
    frame = {
        name: np.repeat(np.array(column, dtype=kind), counts)
        for (name, kind), column in zip(_RUN.items(), columns, strict=True)
    }
    names = [name for _, found in runs for name in found]
    values = [value for _, found in runs for value in found.values()]
    return pd.DataFrame({**frame, what: names, "value": np.array(values, dtype=np.float64)})


def by_cell(samples: Samples) -> dict[Place, list[Sample] | Failure]:
    """Take frames apart again: the runs of each cell by rising seed, or why there are none."""
    found: dict[Place, dict[int, Sample]] = {}
    for frame, what in ((samples.values, "metric"), (samples.events, "event")):
        columns = (frame[name] for name in ("variant", "scenario", "axes", "seed", what, "value"))
        for variant, scenario, axes, seed, name, value in zip(*columns, strict=True):
            runs = found.setdefault((variant, scenario, axes), {})
            sample = runs.setdefault(seed, Sample(int(seed), {}, {}))
            kept = sample.metrics if what == "metric" else sample.events
            kept[name] = float(value)  # type: ignore[index]  # ours, until it is handed out
    cells: dict[Place, list[Sample] | Failure] = {
        place: [runs[seed] for seed in sorted(runs)] for place, runs in found.items()
    }
    return cells | {failure.place: failure for failure in samples.failures}
