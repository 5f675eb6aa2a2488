"""Runs with samples that nobody simulated: what is read, merged and laid out does not depend on the values."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from functools import cache
from random import Random

import pandas as pd

from spfvar.cli.comparing import render
from spfvar.cli.kept_text import View
from spfvar.comparison.metrics import METRICS
from spfvar.matrix import catalogue
from spfvar.matrix.compare import evaluate
from spfvar.matrix.plan import CellSpec, Plan, make_plan
from spfvar.matrix.runfile import checksum
from spfvar.matrix.runs import Result, Run, assemble, run_of
from spfvar.matrix.samples import Failure, Sample, by_cell, gather, place_of
from spfvar.plugins.registry import load_registry

NAN = float("nan")
FORMS = ("table", "markdown", "mail", "csv", "json")
COMMAND = ("compare", "spf-anon", "per-vma-6.12", "--threads", "1,4")


@cache
def small_plan(draws: int = 0) -> Plan:
    """Three variants, two scenarios (of which one has a second axis with two values), two thread counts."""
    return make_plan(
        load_registry(), catalogue.scenarios(), catalogue.hardware(),
        variants=["spf-anon", "per-vma-6.12"], patterns=["file-cow", "pft"], threads=[1, 4],
        settings={"hit_rate": ["0.5", "1"]}, seeds=3, draws=draws, baseline="mmap-lock",
    )  # fmt: skip


def made_run(random: Random, draws: int = 0) -> Run:
    """A run of the small plan; now and then a metric does not apply, an event is missing, a cell failed."""
    plan = small_plan(draws)
    results = [(place_of(cell), _result(cell, plan, random)) for cell in plan.cells]
    return run_of(plan, gather(results), COMMAND)


def _result(cell: CellSpec, plan: Plan, random: Random) -> list[Sample] | Failure:
    if cell.variant.name != plan.baseline and random.random() < 0.05:
        return Failure(*place_of(cell), "every thread waits; a deadlock?")
    empty = {name for name in METRICS if random.random() < 0.2}
    return [
        Sample(
            plan.seed + i,
            {name: NAN if name in empty else min(
                random.choice([0.0, random.uniform(1e-3, 1), random.uniform(1, 1e9)]), metric.highest
             ) for name, metric in METRICS.items()},
            {name: random.uniform(0, 1000) for name in ("spf_abort_odd", "own") if random.random() < 0.9},
        )
        for i in range(plan.seeds)
    ]  # fmt: skip


def part(run: Run, wanted: Callable[[CellSpec, int], bool]) -> Run:
    """The run of those samples only that ``wanted(cell, seed)`` has."""
    found = by_cell(run.samples)
    results: list[Result] = []
    for cell in run.plan.cells:
        result = found[place_of(cell)]
        if isinstance(result, Failure):
            if wanted(cell, run.plan.seed):
                results.append((cell, result))
        elif kept := [sample for sample in result if wanted(cell, sample.seed)]:
            results.append((cell, kept))
    return assemble(run.source, results)


def shown(run: Run) -> dict[str, str]:
    """Every form of a run's comparison, with all metrics."""
    comparison = evaluate(run.plan, run.samples)
    done = [(comparison, run)]
    return {form: render(done, View(form, METRICS, tables=True, events=True)) for form in FORMS}


def numbers(run: Run) -> list[list[str]]:
    """Cells, comparisons and events without the order of their rows; the floats with all their digits."""
    comparison = evaluate(run.plan, run.samples)
    frames: Sequence[pd.DataFrame] = (comparison.cells, comparison.comparisons, comparison.events)
    return [sorted(repr(row) for row in frame.to_dict("records")) for frame in frames]


def changed(text: str, line: int, change: Callable[[dict[str, object]], None]) -> str:
    """A run's file with one line (from 1) changed, and a checksum that fits again."""
    lines = text.splitlines()
    data = json.loads(lines[line - 1])
    change(data)
    lines[line - 1] = json.dumps(data)
    body = "".join(f"{one}\n" for one in lines[:-1])
    return body + json.dumps({"kind": "end", "sha256": checksum(body)}) + "\n"
