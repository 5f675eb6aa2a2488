"""Pictures of comparisons, with matplotlib (the extra ``plots``)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import pandas as pd

from spfvar.api.arguments import verb
from spfvar.comparison.metrics import Metric, lookup
from spfvar.errors import InputError, unknown

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_FRAME = "a frame that compare returned, or rows of it"
#: Everything else in a frame of `compare` is an axis.
_OTHERS = {
    "variant", "scenario", "metric", "value", "ci_low", "ci_high", "n", "warning", "ratio", "ratio_low",
    "ratio_high", "ratio999_low", "ratio999_high", "p", "verdict", "depends",
}  # fmt: skip


@verb
def plot_scaling(
    frame: pd.DataFrame, scenario: str | None = None, metric: str = "faults_per_s", ax: Axes | None = None
) -> Axes:
    """A metric over the number of threads: a curve per variant, its 95 % interval as a band.

    ``frame``: what `spfvar.compare` returned, or rows of it.  ``scenario``: which, if there are several.
    ``ax``: draw there.  Raises InputError for what the frame does not have, or without matplotlib.
    """
    rows, known = _chosen(frame, scenario, metric, ("ci_low", "ci_high"))
    ax = ax or _new_axes()
    for name, curve in rows.groupby("variant", sort=False):
        curve = curve.sort_values("threads")
        [line] = ax.plot(curve["threads"], curve["value"], marker="o", markersize=3, label=str(name))
        band = curve[["threads", "ci_low", "ci_high"]].astype(float).to_numpy().T
        ax.fill_between(*band, color=line.get_color(), alpha=0.15, linewidth=0)
    ax.set_ylabel(f"{known.title} ({known.unit}), simulated" if known.unit else f"{known.title}, simulated")
    ax.set_ylim(bottom=0)
    _finish(ax, rows)
    return ax


@verb
def plot_ratios(
    frame: pd.DataFrame, scenario: str | None = None, metric: str = "faults_per_s", ax: Axes | None = None
) -> Axes:
    """Ratios to the baseline over the number of threads, with their 95 % intervals; 1 is a line.

    Parameters and errors as for `plot_scaling`.
    """
    rows, known = _chosen(frame, scenario, metric, ("ratio", "ratio_low", "ratio_high"))
    rows = rows[rows["ratio"].notna()]
    if rows.empty:
        raise InputError("only the baseline is in the frame", key="frame", expected="another variant, too")
    ax = ax or _new_axes()
    ax.axhline(1.0, color="0.6", linewidth=1)
    for name, curve in rows.groupby("variant", sort=False):
        curve = curve.sort_values("threads")
        ends = [
            (curve["ratio"] - curve["ratio_low"]).to_numpy(dtype=float),
            (curve["ratio_high"] - curve["ratio"]).to_numpy(dtype=float),
        ]
        ax.errorbar(
            curve["threads"], curve["ratio"], yerr=ends, marker="o", markersize=3, capsize=3, label=str(name)
        )
    ax.set_yscale("log", base=2)
    ax.yaxis.set_major_formatter("{x:g}")
    better = {"higher": "higher is better", "lower": "lower is better"}.get(known.better, "neither is better")
    baseline = frame.attrs.get("baseline", "the baseline")
    ax.set_ylabel(f"{known.title} / {baseline}\nsimulated; {better}")
    _finish(ax, rows)
    return ax


def _chosen(
    frame: pd.DataFrame, scenario: str | None, metric: str, drawn: Sequence[str]
) -> tuple[pd.DataFrame, Metric]:
    """The rows of one curve per variant, whose columns ``drawn`` are drawn, too.  Raises InputError."""
    known = lookup(metric)
    if not isinstance(frame, pd.DataFrame):
        raise InputError(f"a {type(frame).__name__} is none", key="frame", expected=_FRAME)
    wanted = ("variant", "scenario", "threads", "metric", "value", *drawn)
    if missing := [name for name in wanted if name not in frame.columns]:
        columns = "column" if len(missing) == 1 else "columns"
        raise InputError(f"has no {columns} {', '.join(missing)}", key="frame", expected=_FRAME)
    there = list(dict.fromkeys(frame["scenario"]))
    if scenario is None and len(there) != 1:
        raise InputError(f"{len(there)} scenarios", key="scenario", expected=f"one of {', '.join(there)}")
    if scenario is not None and scenario not in there:
        raise unknown("scenario", scenario, there, key="scenario")
    rows = pd.DataFrame(frame[(frame["scenario"] == (scenario or there[0])) & (frame["metric"] == metric)])
    rows = rows[rows["value"].notna()]
    if rows.empty:
        raise InputError(f"has no {metric} there", key="frame", expected=_FRAME)
    for axis in (name for name in rows.columns if name not in _OTHERS and name != "threads"):
        if rows[axis].nunique() > 1:
            values = ", ".join(map(str, rows[axis].unique()))
            raise InputError(f"{axis} has {values}", key="frame", expected="rows of one of them")
    return rows, known


def _new_axes() -> Axes:
    try:
        from matplotlib import pyplot
    except ImportError:
        raise InputError(
            "matplotlib is not installed", expected="pip install 'spfvar[plots]', or matplotlib itself"
        ) from None
    return pyplot.subplots()[1]


def _finish(ax: Axes, rows: pd.DataFrame) -> None:
    counts: Sequence[Any] = sorted(rows["threads"].unique())
    ax.set_xscale("log", base=2)
    ax.set_xticks(counts, [str(count) for count in counts])
    ax.minorticks_off()
    ax.set_xlabel("threads")
    ax.set_title(str(rows["scenario"].iloc[0]))
    ax.legend()
