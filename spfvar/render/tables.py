"""From cells and comparisons to tables as data: one block per scenario and metric."""

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import pandas as pd

from spfvar.comparison.metrics import METRICS, NO_THRESHOLDS, Metric, Thresholds, noise_of
from spfvar.comparison.places import COLUMN_AXIS
from spfvar.comparison.stats import KEY, WARNING_SEPARATOR
from spfvar.render import units
from spfvar.render.blocks import Block, Cell, Footnote, Row, assign_marks

NO_VALUE = "no variant has a value: the metric does not apply to this scenario"
_DIRECTION = {
    "higher": "higher is better",
    "lower": "lower is better",
    "neutral": "neither direction is better",
}

NO_MEANINGS: Mapping[str, str] = MappingProxyType({})

Axes = dict[str, Any]
_Place = tuple[str, str, str]


@dataclass(frozen=True, slots=True)
class _Point:
    """A cell together with its comparison, if there is one."""

    variant: str
    axes: Axes
    value: float
    ci_low: float
    ci_high: float
    ratio: float
    verdict: str
    warnings: tuple[str, ...]
    interval: str = ""


@dataclass(frozen=True, slots=True)
class _Grid:
    """How the points of one scenario are spread over tables (by title) and columns."""

    column: str
    in_title: tuple[str, ...]

    def header(self, axes: Axes) -> str:
        """Return the name of the column that a point belongs to."""
        return f"{self.column}={axes[self.column]}" if self.column in axes else "value"

    def subtitle(self, axes: Axes) -> str:
        """Return what the title of a point's table says after the scenario's name."""
        return "".join(f", {name}={axes[name]}" for name in self.in_title if name in axes)


def build_blocks(
    cells: pd.DataFrame,
    comparisons: pd.DataFrame,
    *,
    baseline: str,
    metrics: Mapping[str, Metric] = METRICS,
    thresholds: Thresholds = NO_THRESHOLDS,
    intervals: bool = False,
) -> list[Block]:
    """Return one table per scenario and metric: variants as rows, the baseline first.

    ``cells`` and ``comparisons`` are as made by ``spfvar.comparison.stats``, with the same
    ``thresholds``; ``metrics`` selects and orders the tables. The columns are the thread counts,
    or the first other axis that varies if they do not; further axes that vary make a table
    for each of their values. A metric without any value in a scenario becomes a table without rows
    that says so.  ``intervals``: those of the ratios, too.
    """
    blocks = []
    joined = _joined(cells, comparisons)
    for scenario, of_scenario in joined.groupby("scenario", sort=False):
        grid = _grid([json.loads(axes) for axes in of_scenario["axes"].unique()])
        for name, metric in metrics.items():
            points = _points(of_scenario[of_scenario["metric"] == name], intervals)
            noise = noise_of(metric, str(scenario), thresholds)
            for subtitle, of_block in _by_subtitle(points, grid).items():
                title = f"{scenario}{subtitle} {name}: {metric.title}"
                blocks.append(_block(title, metric, of_block, grid, baseline, noise))
    return blocks


def events_blocks(
    events: pd.DataFrame, meanings: Mapping[str, str] = NO_MEANINGS, runs: str = "seeds"
) -> list[Block]:
    """Return one table per scenario of what variants counted, such as abort reasons.

    ``events`` is as made by ``summarise_events``, ``meanings`` say in words what an event is, ``runs`` what
    they are means over. A row is an
    event of a variant that happened at least once; a scenario without any has no table.
    """
    blocks = []
    for scenario, of_scenario in events.groupby("scenario", sort=False):
        grid = _grid([json.loads(axes) for axes in of_scenario["axes"].unique()])
        counts = [(json.loads(row["axes"]), row) for row in of_scenario.to_dict("records")]
        tables: dict[str, dict[_Place, float]] = {}
        for axes, row in counts:
            table = tables.setdefault(grid.subtitle(axes), {})
            table[row["variant"], row["event"], grid.header(axes)] = row["per_1000"]
        headers = _headers((axes for axes, _ in counts), grid)
        blocks += [
            _events_block(f"{scenario}{subtitle}", headers, table, meanings, runs)
            for subtitle, table in tables.items()
            if any(table.values())
        ]
    return blocks


def _joined(cells: pd.DataFrame, comparisons: pd.DataFrame) -> pd.DataFrame:
    """Put ratio, verdict and test_warning beside each cell; they are missing for the baseline."""
    tests = comparisons[[*KEY, "ratio", "ci_low", "ci_high", "verdict", "warning"]]
    names = {"warning": "test_warning", "ci_low": "ratio_low", "ci_high": "ratio_high"}
    joined = cells.merge(tests.rename(columns=names), on=KEY, how="left")
    texts = ["verdict", "test_warning"]
    # Without any comparison these columns are not of texts, but of numbers that are missing.
    joined[texts] = joined[texts].astype(object).fillna("")
    return joined


def _points(frame: pd.DataFrame, intervals: bool) -> list[_Point]:
    return [
        _Point(
            variant=row["variant"],
            axes=json.loads(row["axes"]),
            value=row["value"],
            ci_low=row["ci_low"],
            ci_high=row["ci_high"],
            ratio=row["ratio"],
            verdict=row["verdict"],
            warnings=_texts(row["warning"], row["test_warning"]),
            interval=units.interval(row["ratio_low"], row["ratio_high"]) if intervals else "",
        )
        for row in frame.to_dict("records")
    ]


def _texts(*warnings: str) -> tuple[str, ...]:
    """Return the single remarks, each once, in order."""
    texts = (text for warning in warnings for text in warning.split(WARNING_SEPARATOR))
    return tuple(text for text in dict.fromkeys(texts) if text)


def _grid(points: Sequence[Axes]) -> _Grid:
    values: dict[str, set[str]] = {}
    for axes in points:
        for name, value in axes.items():
            values.setdefault(name, set()).add(json.dumps(value))
    varying = [name for name in values if len(values[name]) > 1]
    column = COLUMN_AXIS if COLUMN_AXIS in varying or not varying else varying[0]
    in_title = [name for name in values if name in (*varying, COLUMN_AXIS) and name != column]
    return _Grid(column, tuple(in_title))


def _by_subtitle(points: Iterable[_Point], grid: _Grid) -> dict[str, list[_Point]]:
    groups: dict[str, list[_Point]] = {}
    for point in points:
        groups.setdefault(grid.subtitle(point.axes), []).append(point)
    return groups


def _headers(points: Iterable[Axes], grid: _Grid) -> list[str]:
    """Return the columns that points need: by number where all are numbers, else as they came."""
    values = {grid.header(axes): axes.get(grid.column) for axes in points}
    if all(isinstance(value, int | float) for value in values.values()):
        return sorted(values, key=lambda header: float(values[header] or 0))
    return list(values)


def _block(
    title: str, metric: Metric, points: Sequence[_Point], grid: _Grid, baseline: str, noise: float
) -> Block:
    scale = units.scale_for((p.value for p in points), metric.unit)
    if all(math.isnan(p.value) for p in points):
        return Block(title, "", (), (), (), (Footnote("", NO_VALUE),))
    headers = _headers((p.axes for p in points), grid)
    place = {(p.variant, grid.header(p.axes)): p for p in points}
    variants = sorted(dict.fromkeys(p.variant for p in points), key=lambda name: name != baseline)
    everywhere = _everywhere(points)
    order = [(variant, header) for variant in variants for header in headers]
    remarks = [_remarks(place.get(where), everywhere) for where in order]
    marks, notes = assign_marks(remarks)
    entries = {where: _cell(place.get(where), scale, mark) for where, mark in zip(order, marks, strict=True)}
    return Block(
        title=f"{title}, in {scale.unit.strip()}",
        direction=_direction(metric, noise),
        stub_headers=("variant",),
        headers=tuple(headers),
        rows=tuple(
            Row(
                (f"{variant} (baseline)" if variant == baseline else variant,),
                tuple(entries[variant, header] for header in headers),
            )
            for variant in variants
        ),
        footnotes=(*(Footnote("", text) for text in everywhere), *notes),
    )


def _direction(metric: Metric, noise: float) -> str:
    """Say which way is better and what counts as the same."""
    floor = ""
    if metric.floor:
        size, unit = metric.floor, metric.unit
        amount = f"{100 * size:g} percentage points" if unit == "share" else f"{size:.1f} {unit}"
        floor = f" or {amount}"
    return f"{_DIRECTION[metric.better]}; same = within {100 * noise:g}%{floor}"


def _everywhere(points: Sequence[_Point]) -> list[str]:
    """Return the remarks that hold for each cell that could have them: said once, unmarked."""
    with_value = [p for p in points if not math.isnan(p.value)]
    holders = [p for p in with_value if p.verdict] or with_value
    if len(holders) < 2:
        return []
    return [text for text in holders[0].warnings if all(text in p.warnings for p in holders)]


def _remarks(point: _Point | None, everywhere: Sequence[str]) -> list[str]:
    return [text for text in point.warnings if text not in everywhere] if point else []


def _cell(point: _Point | None, scale: units.Scale, mark: str) -> Cell:
    if point is None or math.isnan(point.value):
        return Cell(units.NOT_AVAILABLE, notes=mark)
    # Beside a value, a bare n/a would read as if it were meant; a footnote says what is missing.
    compared = point.verdict != units.NOT_AVAILABLE or not math.isnan(point.ratio)
    return Cell(
        value=scale.number(point.value),
        spread=_spread(point),
        notes=mark,
        ratio=units.ratio(point.ratio),
        verdict=point.verdict if compared else "",
        interval=point.interval,
    )


def _spread(point: _Point) -> str:
    """Return the longer half of the interval relative to the value; "" for a value of zero."""
    longer = max(point.ci_high - point.value, point.value - point.ci_low)
    if point.value == 0 or math.isnan(longer):
        return ""
    return f"±{units.percent(longer / abs(point.value))}"


def _events_block(
    title: str,
    headers: Sequence[str],
    counts: Mapping[_Place, float],
    meanings: Mapping[str, str],
    runs: str,
) -> Block:
    happened = dict.fromkeys((variant, event) for (variant, event, _), n in counts.items() if n)
    return Block(
        title=f"{title}: events per 1000 faults",
        direction=f"mean over the {runs}; what never happened is left out",
        stub_headers=("variant", "event"),
        headers=tuple(headers),
        rows=tuple(
            Row(stub, tuple(Cell(units.digits(counts.get((*stub, h), 0.0))) for h in headers))
            for stub in happened
        ),
        footnotes=tuple(
            Footnote("", f"{event}: {meanings[event]}")
            for event in dict.fromkeys(event for _, event in happened)
            if meanings.get(event)
        ),
    )
