"""The layouts for machines: CSV and JSON, the same bytes for the same input."""

import csv
import io
import json
import math
from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from spfvar.comparison.metrics import METRICS, Metric, lookup
from spfvar.comparison.stats import KEY, PLACE, WARNING_SEPARATOR
from spfvar.render.meta import Meta

_TESTS = {
    "ratio": "ratio",
    "ci_low": "ratio_ci_low",
    "ci_high": "ratio_ci_high",
    "ci999_low": "ratio_ci999_low",
    "ci999_high": "ratio_ci999_high",
    "verdict": "verdict",
    "warning": "comparison_warning",
}


def to_csv(
    cells: pd.DataFrame,
    comparisons: pd.DataFrame,
    meta: Meta,
    metrics: Mapping[str, Metric] = METRICS,
) -> str:
    """Return one line per cell and metric, with the comparison beside it.

    Each axis has a column ``axes.NAME``; what is missing is empty. The columns simulated, hardware,
    baseline and matrix_hash repeat on each line, so that files can be concatenated.
    """
    return csv_of([(cells, comparisons, meta)], metrics)


def csv_of(
    runs: Sequence[tuple[pd.DataFrame, pd.DataFrame, Meta]], metrics: Mapping[str, Metric] = METRICS
) -> str:
    """Return the same of several comparisons, one behind the other: cells, comparisons and source of each."""
    tests = [run[1][[*KEY, *_TESTS]].rename(columns=_TESTS) for run in runs]
    joined = [run[0].merge(test, on=KEY, how="left") for run, test in zip(runs, tests, strict=True)]
    points = [[json.loads(axes) for axes in frame["axes"]] for frame in joined]
    axes = list(dict.fromkeys(name for of_run in points for point in of_run for name in point))
    measured = [name for name in joined[0].columns if name not in KEY]
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    source = ["simulated", "hardware", "baseline", "matrix_hash"]
    names = [f"axes.{name}" for name in axes]
    writer.writerow(["variant", "scenario", *names, "metric", "unit", "better", *measured, *source])
    for frame, of_run, (_, _, meta) in zip(joined, points, runs, strict=True):
        for row, point in zip(frame.to_dict("records"), of_run, strict=True):
            metric = lookup(row["metric"], metrics)
            entries = [
                *[row["variant"], row["scenario"], *(point.get(name) for name in axes)],
                *[metric.name, metric.unit, metric.better, *(row[name] for name in measured)],
                *[True, meta.hardware, meta.baseline, meta.matrix_hash],
            ]
            writer.writerow([_csv_text(entry) for entry in entries])
    return out.getvalue()


def to_json(
    cells: pd.DataFrame,
    comparisons: pd.DataFrame,
    events: pd.DataFrame,
    meta: Meta,
    metrics: Mapping[str, Metric] = METRICS,
) -> str:
    """Return the comparison as one JSON object; what is not a finite number is null.

    Keys: spfvar (the version), simulated (true), baseline, hardware, matrix_hash, thresholds (shares by
    scenario and metric; only if a scenario sets any), notes, cells and comparisons.
    A cell is {variant, scenario, axes, seeds, metrics, events}; its seeds are the
    number of runs, its events counts per 1000 faults. A comparison has what there is to say of it as
    warnings: on what its verdict depends, which published figure does not come out there. Events of places
    without a cell are left out: ``cells`` selects what is shown.
    """
    content = document(cells, comparisons, events, meta, metrics)
    return json.dumps(content, indent=2, allow_nan=False) + "\n"


def document(
    cells: pd.DataFrame,
    comparisons: pd.DataFrame,
    events: pd.DataFrame,
    meta: Meta,
    metrics: Mapping[str, Metric] = METRICS,
) -> dict[str, Any]:
    """Return what `to_json` writes."""
    return {
        "spfvar": meta.version,
        "simulated": True,
        "baseline": meta.baseline,
        "hardware": meta.hardware,
        "matrix_hash": meta.matrix_hash,
        **(
            {"thresholds": {name: dict(own) for name, own in meta.thresholds.items()}}
            if meta.thresholds
            else {}
        ),
        "notes": [*meta.remarks, *meta.notes],
        "cells": _json_cells(cells, events, metrics),
        "comparisons": [_json_comparison(row) for row in comparisons.to_dict("records")],
    }


def _json_cells(
    cells: pd.DataFrame, events: pd.DataFrame, metrics: Mapping[str, Metric]
) -> list[dict[str, Any]]:
    found: dict[tuple[str, ...], dict[str, Any]] = {}
    for row in cells.to_dict("records"):
        place = tuple(row[name] for name in PLACE)
        cell = found.setdefault(place, _json_place(row) | {"seeds": 0, "metrics": {}, "events": {}})
        cell["seeds"] = max(cell["seeds"], int(row["n"]))
        metric = lookup(row["metric"], metrics)
        cell["metrics"][metric.name] = {
            **{name: _number(row[name]) for name in ("value", "ci_low", "ci_high")},
            "unit": metric.unit,
            "better": metric.better,
        }
    for row in events.to_dict("records"):
        place = tuple(row[name] for name in PLACE)
        if place in found:
            found[place]["events"][row["event"]] = _number(row["per_1000"])
    return list(found.values())


def _json_comparison(row: Mapping[Any, Any]) -> dict[str, Any]:
    return {
        **_json_place(row),
        "metric": row["metric"],
        **{name: _number(row[name]) for name in ("ratio", "ci_low", "ci_high", "ci999_low", "ci999_high")},
        "verdict": row["verdict"],
        "warnings": [text for text in row["warning"].split(WARNING_SEPARATOR) if text],
    }


def _json_place(row: Mapping[Any, Any]) -> dict[str, Any]:
    return {
        "variant": row["variant"],
        "scenario": row["scenario"],
        "axes": json.loads(row["axes"]),
    }


def _number(value: float) -> float | None:
    """Return a finite number, rounded to what machines with other vector units agree on."""
    return float(f"{value:.12g}") if math.isfinite(value) else None


def _csv_text(value: Any) -> str:
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    return f"{value:.12g}" if isinstance(value, float) else str(value)
