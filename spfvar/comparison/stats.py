"""Statistics of a comparison: samples in, cells and comparisons out.

Samples are independent runs with one seed each. The same seed draws the same workload for every
variant, so variants are compared seed by seed, which removes the workload's own variance. Samples may
also be draws of a machine's figures, with a seed each: then intervals are of what one of these machines
gives (`spfvar.comparison.verdicts.DRAWS`).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from spfvar.comparison.metrics import METRICS, NO_THRESHOLDS, Metric, Thresholds, lookup, noise_of
from spfvar.comparison.verdicts import (
    CONFIDENCE,
    DRAWS,
    SEEDS,
    SURE,
    BoolArray,
    Contrast,
    FloatArray,
    IntArray,
    Rule,
    half_width,
    judge,
)

FEW_SEEDS = 6
"""Below this many seeds a result carries a warning."""

PLACE = ["variant", "scenario", "axes"]
KEY = [*PLACE, "metric"]
SAMPLE_COLUMNS = [*KEY, "seed", "value"]
CELL_COLUMNS = [*KEY, "value", "ci_low", "ci_high", "n", "warning"]
_TEST_COLUMNS = ["ratio", "ci_low", "ci_high", "ci999_low", "ci999_high", "p", "verdict", "warning"]
COMPARISON_COLUMNS = [*KEY, *_TEST_COLUMNS]
EVENT_COLUMNS = [*PLACE, "event", "per_1000", "n"]

WARNING_SEPARATOR = "; "
ONE_SEED = "1 seed: no interval and no test"
ONE_DRAW = "1 draw: no interval and no test"
ZERO_RATE = "a seed came to a standstill: no interval"
UNBOUNDED = "the interval has no upper end"
NO_BASELINE = "the baseline has no value here"
NO_COMMON_SEED = "no seed in common with the baseline"
AS_DIFFERENCE = "values of zero or below: tested as a difference, ratio is that of the means"
NO_RATIO = "the baseline is zero: tested as a difference, no ratio"


def axes_key(axes: Mapping[str, Any]) -> str:
    """Return the canonical JSON spelling of a point on the axes, e.g. ``{"threads": 16}``."""
    return json.dumps(axes, sort_keys=True)


def summarise(
    samples: pd.DataFrame, metrics: Mapping[str, Metric] = METRICS, rule: Rule = SEEDS
) -> pd.DataFrame:
    """Estimate every cell: its mean over the seeds (by the rule: draws) and a 95 % Student t interval.

    ``samples`` is long: columns variant, scenario, axes (canonical JSON), seed, metric, value (in
    the metric's unit, NaN where it does not apply). The result has one row per variant, scenario,
    axes and metric, in order of first appearance: value, ci_low, ci_high (same unit), n (seeds
    that have a value), warning ("" for none, else texts joined by ``WARNING_SEPARATOR``).

    Harmonic metrics are averaged as reciprocals, and so is their interval, which is then
    transformed back: it is not symmetric, and its upper end may be infinite.

    Raises ValueError for a missing column, an unknown metric, a sample given twice, an infinite
    value, a negative rate, or axes that are not canonical.
    """
    frame = _checked(samples, metrics)
    frame["x"] = _reciprocal_where(_is_harmonic(frame, metrics), _floats(frame, "value"))
    cells = _grouped(
        frame,
        {"mean": ("x", "mean"), "std": ("x", "std"), "n": ("x", "count"), "runs": ("x", "size")},
    )
    mean, n = _floats(cells, "mean"), _counts(cells)
    half = half_width(_floats(cells, "std"), n, CONFIDENCE, rule.each)
    low, high = mean - half, mean + half
    harmonic = _is_harmonic(cells, metrics)
    cells["value"] = _reciprocal_where(harmonic, mean)
    cells["ci_low"] = np.where(harmonic, _reciprocal_where(harmonic, high), low)
    # A reciprocal interval that reaches zero leaves the rate unbounded above, not negative.
    reaches_zero = harmonic & (low <= 0)
    back = np.where(reaches_zero, np.inf, _reciprocal_where(harmonic & ~reaches_zero, low))
    cells["ci_high"] = np.where(harmonic, back, high)
    cells["warning"] = _joined(
        _seed_warnings(n, rule),
        _lost_warnings(n, cells["runs"].to_numpy(dtype=np.int64)),
        np.where(harmonic & np.isinf(mean), ZERO_RATE, ""),
        np.where(reaches_zero, UNBOUNDED, ""),
    )
    return cells[CELL_COLUMNS]


def compare_to(
    samples: pd.DataFrame,
    baseline: str,
    metrics: Mapping[str, Metric] = METRICS,
    thresholds: Thresholds = NO_THRESHOLDS,
    rule: Rule = SEEDS,
) -> pd.DataFrame:
    """Compare every other variant with ``baseline``, cell by cell and paired by seed.

    ``samples`` is as for ``summarise``. The result has one row per cell of the other variants, in
    order of first appearance: ratio (variant / baseline, the geometric mean of the ratios per
    seed), ci_low and ci_high (95 % t interval of the log-ratio, transformed back), ci999_low and
    ci999_high (the same of 99.9 %), p (two-sided, that there is no difference), verdict (one of
    ``spfvar.comparison.verdicts.VERDICTS``), warning. ``rule`` says whether samples are seeds or
    draws: intervals and p are of the mean, or of one more draw.

    Each row is judged by itself (see ``judge``): other rows change nothing in it. Its noise is that of
    ``thresholds`` for its scenario and metric, or else the metric's, and says how much larger one of
    two values may be than the other: 5 % are ratios from 1/1.05 to 1.05, so the verdict is the same
    whichever of the two is the baseline.

    Where a value is zero or negative there is no log-ratio: the paired difference is tested, the
    ratio is that of the arithmetic means (NaN for a baseline of zero) and a warning says so.

    Raises ValueError for what ``summarise`` raises it for, and for an unknown baseline.
    """
    frame = _checked(samples, metrics)
    known = list(frame["variant"].unique())
    if baseline not in known:
        raise ValueError(f"baseline {baseline!r} has no samples (variants: {', '.join(known)})")
    effects = _effects(_paired(frame, baseline), metrics, thresholds)
    result = effects[KEY].copy()
    result["ratio"], result["ci_low"], result["ci_high"] = _ratios(effects, CONFIDENCE, rule)
    _, result["ci999_low"], result["ci999_high"] = _ratios(effects, SURE, rule)
    result["p"] = _contrast(effects, "effect", rule).p_value()
    more, less, gap = (_contrast(effects, name, rule) for name in ("more", "less", "gap"))
    better = [metrics[name].better for name in effects["metric"]]
    result["verdict"] = judge(more, less, gap, _floats(effects, "floor"), better, rule)
    result["warning"] = _comparison_warnings(effects, result, rule)
    return result[COMPARISON_COLUMNS]


def summarise_events(events: pd.DataFrame, samples: pd.DataFrame) -> pd.DataFrame:
    """Average counted events, such as abort reasons, over the seeds of each cell.

    ``events`` is long: columns variant, scenario, axes, seed, event, value (events per 1000 faults
    of that run). A run that has no row for an event had none; which runs there were is taken from
    ``samples``. The result has the columns variant, scenario, axes, event, per_1000 (mean over all
    runs of the cell) and n (runs), in order of first appearance.

    Raises ValueError for a missing column, or for events of a cell without samples.
    """
    _require_columns(events, [*PLACE, "event", "seed", "value"], "events")
    _require_columns(samples, [*PLACE, "seed"], "samples")
    runs = samples[[*PLACE, "seed"]].drop_duplicates().groupby(PLACE, sort=False).size()
    totals = events.groupby([*PLACE, "event"], sort=False)["value"].sum().reset_index()
    totals = totals.merge(runs.rename("n").reset_index(), on=PLACE, how="left")
    orphans = totals[totals["n"].isna()]
    if len(orphans):
        raise ValueError(f"events of a cell without samples: {_name(orphans, PLACE)}")
    totals["n"] = totals["n"].astype(np.int64)
    totals["per_1000"] = totals["value"] / totals["n"]
    return totals[EVENT_COLUMNS]


def _checked(samples: pd.DataFrame, metrics: Mapping[str, Metric]) -> pd.DataFrame:
    """Return a copy of the samples' columns; raise ValueError for what cannot be averaged."""
    _require_columns(samples, SAMPLE_COLUMNS, "samples")
    frame = samples[SAMPLE_COLUMNS].reset_index(drop=True)
    for name in frame["metric"].unique():
        lookup(name, metrics)
    for axes in frame["axes"].unique():
        if (canonical := axes_key(json.loads(axes))) != axes:
            raise ValueError(f"axes {axes!r} are not canonical, write {canonical!r}")
    value = _floats(frame, "value")
    frame["value"] = value
    problems = {
        "infinite value": np.isinf(value),
        "negative rate": _is_harmonic(frame, metrics) & (value < 0),
        "sample given twice": frame.duplicated([*KEY, "seed"]).to_numpy(),
    }
    for what, where in problems.items():
        if where.any():
            raise ValueError(f"{what}: {_name(frame[where], [*KEY, 'seed'])}")
    return frame


def _require_columns(frame: pd.DataFrame, columns: list[str], what: str) -> None:
    missing = [name for name in columns if name not in frame.columns]
    if missing:
        raise ValueError(f"{what} lack the column(s) {', '.join(missing)}")


def _name(frame: pd.DataFrame, columns: list[str]) -> str:
    """Return the first row of a frame in words, for an error."""
    return ", ".join(f"{name} {frame[name].iloc[0]}" for name in columns)


def _floats(frame: pd.DataFrame, column: str) -> FloatArray:
    return frame[column].to_numpy(dtype=np.float64)


def _counts(frame: pd.DataFrame) -> IntArray:
    return frame["n"].to_numpy(dtype=np.int64)


def _grouped(frame: pd.DataFrame, columns: dict[str, tuple[str, str]]) -> pd.DataFrame:
    """Aggregate per cell, cells in order of first appearance."""
    return frame.groupby(KEY, sort=False).agg(**columns).reset_index()


def _is_harmonic(frame: pd.DataFrame, metrics: Mapping[str, Metric]) -> BoolArray:
    return np.asarray(
        _of_each(frame["metric"], lambda name: metrics[name].mean == "harmonic"), dtype=np.bool_
    )


def _of_each(column: pd.Series[Any], what: Callable[[Any], Any]) -> npt.NDArray[Any]:
    """Something of each entry of a column, asked once for all that are equal."""
    places, found = pd.factorize(column)
    return np.array([what(one) for one in found])[places]


def _reciprocal_where(where: BoolArray, x: FloatArray) -> FloatArray:
    with np.errstate(divide="ignore"):
        return np.where(where, 1 / np.where(where, x, 1.0), x)


def _joined(*columns: npt.NDArray[Any]) -> list[str]:
    return [WARNING_SEPARATOR.join(t for t in texts if t) for texts in zip(*columns, strict=True)]


def _seed_warnings(n: IntArray, rule: Rule) -> npt.NDArray[Any]:
    what = "draws" if rule is DRAWS else "seeds"
    few = [f"only {k} {what}: intervals and verdicts are rough" if k < FEW_SEEDS else "" for k in n]
    one = ONE_DRAW if rule is DRAWS else ONE_SEED
    return np.select([n == 0, n == 1], ["", one], default=np.array(few, dtype=object))


def _lost_warnings(n: IntArray, runs: IntArray) -> npt.NDArray[Any]:
    texts = [
        f"{total - k} of {total} seeds have no value" if 0 < k < total else ""
        for k, total in zip(n, runs, strict=True)
    ]
    return np.array(texts, dtype=object)


def _paired(frame: pd.DataFrame, baseline: str) -> pd.DataFrame:
    """Put the baseline's value of the same seed beside every sample of the other variants."""
    is_base = frame["variant"] == baseline
    on = ["scenario", "axes", "metric", "seed"]
    base = frame.loc[is_base, [*on, "value"]].rename(columns={"value": "base"})
    there = base.groupby(on[:3], sort=False)["base"].count().rename("n_base").reset_index()
    pairs = frame[~is_base].merge(base, on=on, how="left").merge(there, on=on[:3], how="left")
    pairs["n_base"] = pairs["n_base"].fillna(0)
    return pairs


def _effects(pairs: pd.DataFrame, metrics: Mapping[str, Metric], thresholds: Thresholds) -> pd.DataFrame:
    """Reduce pairs to one row per cell: means and deviations of what ratio and verdict go by.

    Columns: effect (log-ratio or difference), more, less and gap (as for ``judge``), each with its
    ``_std``; n (pairs), n_value and n_base (seeds on either side), value and base (arithmetic means
    over the pairs), scale (1 for logs, else the size of the values), floor, logs (whether effect, more and
    less are of log-ratios).
    """
    both = pairs["value"].notna() & pairs["base"].notna()
    frame = pairs.assign(v=pairs["value"].where(both), b=pairs["base"].where(both))
    frame["lowest"] = frame[["v", "b"]].min(axis=1)
    # One zero makes the whole cell a difference: logs and differences cannot be averaged.
    frame["logs"] = frame.groupby(KEY, sort=False)["lowest"].transform("min") > 0
    frame["floor"] = _of_each(frame["metric"], lambda name: metrics[name].floor)
    noise = _noise(frame, metrics, thresholds)
    v, b, logs = _floats(frame, "v"), _floats(frame, "b"), frame["logs"].to_numpy(dtype=np.bool_)
    log = np.log(np.where(logs, v, 1.0)) - np.log(np.where(logs, b, 1.0))
    frame["effect"] = np.where(logs, log, v - b)
    frame["more"] = np.where(logs, log - np.log1p(noise), v - (1 + noise) * b)
    frame["less"] = np.where(logs, -log - np.log1p(noise), b - (1 + noise) * v)
    frame["gap"] = v - b
    frame["scale"] = np.where(logs, 1.0, np.abs(v) + np.abs(b))
    frame["gap_scale"] = np.abs(v) + np.abs(b)
    spreads = {
        name + end: (name, how)
        for name in ("effect", "more", "less", "gap")
        for end, how in (("", "mean"), ("_std", "std"))
    }
    return _grouped(
        frame,
        {
            **spreads,
            "n": ("effect", "count"),
            "n_value": ("value", "count"),
            "n_base": ("n_base", "first"),
            "value": ("v", "mean"),
            "base": ("b", "mean"),
            "scale": ("scale", "mean"),
            "gap_scale": ("gap_scale", "mean"),
            "floor": ("floor", "first"),
            "logs": ("logs", "first"),
        },
    )


def _noise(frame: pd.DataFrame, metrics: Mapping[str, Metric], thresholds: Thresholds) -> FloatArray:
    found = np.zeros(len(frame))
    for scenario, places in frame.groupby("scenario", sort=False).indices.items():
        name = str(scenario)
        of_metric = partial(_noise_in, metrics, name, thresholds)
        found[places] = _of_each(frame["metric"].iloc[places], of_metric)
    return found


def _noise_in(metrics: Mapping[str, Metric], scenario: str, thresholds: Thresholds, name: str) -> float:
    return noise_of(metrics[name], scenario, thresholds)


def _contrast(effects: pd.DataFrame, name: str, rule: Rule) -> Contrast:
    scale = _floats(effects, "gap_scale" if name == "gap" else "scale")
    std = _floats(effects, f"{name}_std")
    return Contrast(_floats(effects, name), std, _counts(effects), scale, rule.each)


def _ratios(
    effects: pd.DataFrame, confidence: float, rule: Rule
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return ratio and its interval per row; NaN where the baseline's mean is not positive."""
    effect, base = _floats(effects, "effect"), _floats(effects, "base")
    half = half_width(_floats(effects, "effect_std"), _counts(effects), confidence, rule.each)
    logs = effects["logs"].to_numpy(dtype=np.bool_)
    divisor = np.where(base > 0, base, np.nan)

    def ratio(at: FloatArray) -> FloatArray:
        with np.errstate(over="ignore"):  # an interval may have no upper end that a float can hold
            return np.where(logs, np.exp(np.where(logs, at, 0.0)), 1 + at / divisor)

    return ratio(effect), ratio(effect - half), ratio(effect + half)


def _comparison_warnings(effects: pd.DataFrame, result: pd.DataFrame, rule: Rule) -> list[str]:
    n, logs = _counts(effects), effects["logs"].to_numpy(dtype=np.bool_)
    n_value, n_base = (effects[name].to_numpy(dtype=np.int64) for name in ("n_value", "n_base"))
    nowhere = (n == 0) & (n_value > 0)
    # Two zeros are the same without a word; the log-ratio needs no remark either.
    moved = ~logs & (_floats(effects, "value") != _floats(effects, "base")) & (n > 0)
    no_ratio = np.isnan(_floats(result, "ratio"))
    partial = [
        f"only {pairs} of {seeds} seeds have a partner in the baseline" if 0 < pairs < seeds else ""
        for pairs, seeds in zip(n, n_value, strict=True)
    ]
    return _joined(
        np.where(nowhere, np.where(n_base > 0, NO_COMMON_SEED, NO_BASELINE), ""),
        np.array(partial, dtype=object),
        _seed_warnings(n, rule),
        np.where(moved, np.where(no_ratio, NO_RATIO, AS_DIFFERENCE), ""),
    )
