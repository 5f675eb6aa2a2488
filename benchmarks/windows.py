"""Are windows long enough?  Every cell once more, over a window 20 times as long.

    python -m benchmarks.windows                                       the default matrix (make windows)
    python -m benchmarks.windows --scenario page-fault1 --threads 16 --set region=8MiB
    python -m benchmarks.windows --all --times 5

A cell's printed interval has to hold what the longer window gives, or the two differ by less than what the
metric calls noise.  An interval of 95 % misses once in twenty by chance.  The longer run warms up 5 times as
long, so that what it gives does not begin where the shorter one does.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Hashable, Sequence
from dataclasses import replace
from typing import Any

import pandas as pd

from spfvar.comparison.metrics import METRICS
from spfvar.comparison.stats import KEY, summarise
from spfvar.matrix import catalogue
from spfvar.matrix.plan import DEFAULT_HARDWARE, Plan, make_plan
from spfvar.matrix.run import run_plan
from spfvar.plugins.chosen import compared
from spfvar.plugins.registry import load_registry
from spfvar.scenario.load import Load

WARM_UP = 5
METRIC = "faults_per_s"


def stretched(load: Load, times: int) -> Load:
    """A load with a window so many times as long, and a longer warm-up."""
    return replace(
        load, faults=times * load.faults, rounds=times * load.rounds,
        warmup=WARM_UP * load.warmup, warmup_rounds=WARM_UP * load.warmup_rounds,
    )  # fmt: skip


def moved(plan: Plan, times: int, metrics: Sequence[str]) -> pd.DataFrame:
    """Every cell's value and interval, and value and interval (suffix ``_long``) over the longer window.

    ``moved`` is the relative difference; ``outside``: it is beyond the printed interval, and beyond noise.
    """
    longer = replace(plan, cells=tuple(replace(one, load=stretched(one.load, times)) for one in plan.cells))
    frames = []
    for what, one in (("now", plan), (f"{times} times", longer)):
        print(f"{what}:", file=sys.stderr)
        frames.append(summarise(run_plan(one, progress=_progress).values))
    both = frames[0].merge(frames[1], on=KEY, suffixes=("", "_long"))
    both = both[both["metric"].isin(metrics) & both["value"].notna() & both["value_long"].notna()]
    both["moved"] = both["value_long"] / both["value"] - 1.0
    noise = both["metric"].map(lambda name: METRICS[name].noise)
    held = (both["ci_low"] <= both["value_long"]) & (both["value_long"] <= both["ci_high"])
    both["outside"] = ~held & (both["moved"].abs() > noise)
    return both


def _progress(done: int, cells: int) -> None:
    print(f"\r  {done} of {cells} cells", end="\n" if done == cells else "", file=sys.stderr, flush=True)


def report(table: pd.DataFrame, times: int) -> None:
    """The table, those outside marked, and how many they are."""
    print(f"{'load, variant, axes':<62}{'now':>11}{'±':>8}{f'x{times}':>11}{'±':>8}{'moved':>8}")
    for row in table.to_dict("records"):
        name = f"{row['scenario']} {row['variant']} {row['metric']} {row['axes']}"
        print(f"{name:<62}{_estimate(row, '')}{_estimate(row, '_long')}{row['moved']:>+8.1%}"
              f"{'  outside' if row['outside'] else ''}")  # fmt: skip
    outside = table[table["outside"]]
    worst = f", the most by {outside['moved'].abs().max():.1%}" if len(outside) else ""
    print(f"{len(outside)} of {len(table)} cells move by more than their interval{worst}")


def _estimate(row: dict[Hashable, Any], suffix: str) -> str:
    value = row[f"value{suffix}"]
    half = (row[f"ci_high{suffix}"] - row[f"ci_low{suffix}"]) / 2.0 / value
    return f"{value:>11.4g}{half:>8.1%}"


def main() -> None:
    """Run what is asked for."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("variants", nargs="*", help="variants (default: those of spfvar compare)")
    parser.add_argument("--scenario", action="append", default=[], help="load; repeatable")
    parser.add_argument("--threads", default="", help="thread counts, with commas")
    parser.add_argument("--set", action="append", default=[], metavar="AXIS=VALUE", help="repeatable")
    parser.add_argument("--metric", action="append", default=[], help=f"repeatable (default: {METRIC})")
    parser.add_argument("--all", action="store_true", help="every variant and load")
    parser.add_argument("--times", type=int, default=20, help="how much longer (default: 20)")
    parser.add_argument("--seeds", type=int, default=6, help="default: 6")
    options = parser.parse_args()
    registry = load_registry()
    plan = make_plan(
        registry, catalogue.scenarios(), catalogue.hardware(), hardware=DEFAULT_HARDWARE,
        variants=options.variants or compared(registry, options.all), patterns=options.scenario,
        threads=[int(n) for n in options.threads.split(",") if n],
        settings={axis: [value] for axis, _, value in (one.partition("=") for one in options.set)},
        seeds=options.seeds, every=options.all,
    )  # fmt: skip
    plan = replace(plan, cells=tuple(cell for cell in plan.cells if not cell.load.ends))
    report(moved(plan, options.times, options.metric or [METRIC]), options.times)


if __name__ == "__main__":
    main()
