"""spfvar compare."""

from __future__ import annotations

import math
import os
import shlex
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import click

import spfvar
from spfvar import units
from spfvar.api import Comparison, compared, run_comparison, usable
from spfvar.atomic import check_writable, write_atomically
from spfvar.cli.options import plugin_option
from spfvar.cli.waiting import doing
from spfvar.comparison.metrics import METRICS, Metric, select
from spfvar.matrix import catalogue
from spfvar.matrix.plan import DEFAULT_HARDWARE, make_plan
from spfvar.plugins.registry import load_registry
from spfvar.report import rivals
from spfvar.report.machine import to_csv, to_json
from spfvar.report.mail import render_mail
from spfvar.report.markdown import render_markdown
from spfvar.report.meta import Meta
from spfvar.report.summary import summary_blocks
from spfvar.report.tables import build_blocks, events_blocks
from spfvar.report.text import render_table

#: What tables show unless --metric says otherwise; csv and json hold every metric.
SHOWN = ("faults_per_s",)
SOMETHING_FAILED = 1
FORMS = ("table", "markdown", "mail", "csv", "json")


@click.command(name="compare")
@click.argument("variants", nargs=-1, metavar="[VARIANT]...")
@click.option(
    "--scenario",
    "patterns",
    multiple=True,
    metavar="NAME|GLOB|FILE.toml",
    help="Scenario; repeatable.  [default: those of the default matrix]",
)
@click.option("--all", "every", is_flag=True, help="Every variant and scenario, where none are named.")
@click.option("--threads", metavar="1,4,16", help="Thread counts.  [default: the scenario's]")
@click.option(
    "--hardware",
    default=DEFAULT_HARDWARE,
    show_default=True,
    metavar="NAME|FILE.toml",
    help="Hardware profile.",
)
@click.option("--baseline", metavar="VARIANT", help="What ratios refer to.  [default: the unpatched kernel]")
@click.option("--seeds", type=int, default=6, show_default=True, help="Independent runs per cell.")
@click.option("--seed", type=int, default=1, show_default=True, help="First seed.")
@click.option(
    "--set",
    "settings",
    multiple=True,
    metavar="AXIS=VALUE[,VALUE]...",
    help="Values of any other axis; repeatable.",
)
@click.option(
    "--metric",
    "metrics",
    multiple=True,
    metavar="NAME|all",
    help="Metric to show; repeatable.  [default: faults_per_s; csv and json: all]",
)
@click.option("--jobs", type=int, metavar="N", help="Cells to run side by side.  [default: all CPUs]")
@click.option("--format", "form", type=click.Choice(FORMS), default="table", show_default=True)
@click.option("-o", "--output", metavar="FILE", help="Write there instead of to the terminal.")
@click.option(
    "--fail-on",
    metavar="'[METRIC:]worse>5%'",
    help="Exit with 1 if a variant is significantly worse by more.",
)
@plugin_option
def command(
    variants: tuple[str, ...], patterns: tuple[str, ...], threads: str | None, hardware: str,
    baseline: str | None, seeds: int, seed: int, settings: tuple[str, ...], metrics: tuple[str, ...],
    jobs: int | None, form: str, output: str | None, fail_on: str | None, plugins: tuple[str, ...],
    every: bool,
) -> int:  # fmt: skip
    """Simulate variants over scenarios and print comparison tables.

    Without arguments: the variants and scenarios of the default matrix.  --all adds the others, and takes
    minutes.

    \b
    Examples:
      spfvar compare
      spfvar compare --all --threads 16
      spfvar compare spf-do-fault spf-map-pages --scenario 'file-*'
      spfvar compare --scenario pft --threads 1,12,48 --hardware broadwell-2s28c
      spfvar compare --scenario file-major --set hit_rate=0.5,0.9 --metric all
      spfvar compare my-idea --plugin my_idea.py --format json -o out.json
      spfvar compare my-idea --plugin my_idea.py --fail-on 'worse>5%'

    Exit codes: 0 done; 1 --fail-on met, or something asked for could not be run; 2 bad input;
    130 interrupted.
    """
    shown = _metrics(metrics, form)
    condition = units.parse_fail_on(fail_on) if fail_on else None
    if condition is not None and condition.metric is not None:
        select([condition.metric])
    if output is not None:
        check_writable(output)
    registry = load_registry(plugins)
    plan = make_plan(
        registry, catalogue.scenarios(), catalogue.hardware(),
        variants=usable(registry, variants or compared(registry, every)), patterns=patterns,
        threads=units.parse_threads(threads) if threads else (), hardware=hardware, baseline=baseline,
        settings={k: v.split(",") for k, v in units.parse_assignments(settings).items()},
        seeds=seeds, seed=seed, every=every,
    )  # fmt: skip
    for problem in registry.problems:
        click.echo(f"spfvar: plugin {problem.origin}: {problem.message}", err=True)
    with _progress() as progress:
        comparison = run_comparison(plan, registry, jobs, progress)
    for failure in comparison.failures:
        click.echo(f"spfvar: not run: {failure.message} {failure.axes}", err=True)
    text = render(comparison, shown, form, colour=output is None and _wants_colour())
    if output is None:
        click.echo(text, nl=False)
    else:
        write_atomically(output, text)
    if condition is not None and _too_bad(comparison, condition):
        return SOMETHING_FAILED
    return SOMETHING_FAILED if comparison.failures or comparison.problems else 0


def render(comparison: Comparison, metrics: Mapping[str, Metric], form: str, *, colour: bool = False) -> str:
    """A comparison in one of the forms."""
    meta = _meta(comparison)
    if form == "csv":
        keep = list(metrics)
        cells = comparison.cells[comparison.cells["metric"].isin(keep)]
        return to_csv(cells, comparison.comparisons, meta)
    if form == "json":
        keep = list(metrics)
        cells = comparison.cells[comparison.cells["metric"].isin(keep)]
        tests = comparison.comparisons[comparison.comparisons["metric"].isin(keep)]
        return to_json(cells, tests, comparison.events, meta)
    baseline = comparison.plan.baseline
    blocks = summary_blocks(comparison.comparisons, baseline=baseline, metrics=metrics)
    blocks += build_blocks(comparison.cells, comparison.comparisons, baseline=baseline, metrics=metrics)
    reasons = {name for variant in comparison.plan.variants for name in variant.events_with("reason")}
    blocks += events_blocks(comparison.events[comparison.events["event"].isin(reasons)])
    if form == "mail":
        return render_mail(blocks, meta)
    if form == "markdown":
        return render_markdown(blocks, meta)
    return render_table(blocks, meta, colour=colour)


def _metrics(names: Sequence[str], form: str) -> Mapping[str, Metric]:
    if not names:
        return METRICS if form in ("csv", "json") else select(SHOWN)
    if "all" in names:
        return METRICS
    return select(names)


def _meta(comparison: Comparison) -> Meta:
    plan = comparison.plan
    notes = list(plan.notes)
    for variant in plan.variants:
        for rival in variant.rivals:
            found = rivals.duel(comparison.samples.values, variant.name, rival)
            if found is not None:
                notes += rivals.sentences(found)
    return Meta(
        version=spfvar.__version__,
        model_version=spfvar.MODEL_VERSION,
        hardware=plan.hardware,
        baseline=plan.baseline,
        matrix_hash=plan.matrix_hash,
        seeds=plan.seeds,
        seed=plan.seed,
        reproduce=reproduce(sys.argv[1:]),
        scenario_hashes=plan.scenario_hashes,
        notes=notes,
    )


def reproduce(arguments: Sequence[str]) -> str:
    """The command line without what only says where the output goes."""
    kept: list[str] = []
    skip = False
    for argument in arguments:
        if skip:
            skip = False
        elif argument in ("-o", "--output", "--jobs"):
            skip = True
        elif not argument.startswith(("--output=", "--jobs=")):
            kept.append(argument)
    return shlex.join(["spfvar", *kept])


def _too_bad(comparison: Comparison, condition: units.FailOn) -> bool:
    """Is any significant WORSE beyond the condition's limit?"""
    for row in comparison.comparisons.to_dict("records"):
        metric = METRICS[row["metric"]]
        if condition.metric is None and not metric.outcome:
            continue
        if condition.metric not in (None, metric.name) or row["verdict"] != "WORSE":
            continue
        loss = 1.0 - row["ratio"] if metric.better == "higher" else row["ratio"] - 1.0
        # A baseline of zero leaves no ratio: then any loss is beyond every limit.
        if math.isnan(loss) or loss * 100.0 > condition.percent:
            where = f"{row['variant']} in {row['scenario']} {row['axes']}"
            text = f"{metric.name} is {loss * 100:.1f} % worse than {comparison.plan.baseline}"
            click.echo(f"spfvar: {where}: {text}", err=True)
            return True
    return False


def _wants_colour() -> bool:
    return sys.stdout.isatty() and "NO_COLOR" not in os.environ


@contextmanager
def _progress() -> Iterator[Callable[[int, int], None] | None]:
    """A bar with the time left, on a terminal only."""
    if not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns: list[Any] = [TextColumn(doing("simulating", "simulate")), BarColumn(), MofNCompleteColumn()]
    columns += [TextColumn("cells"), TimeRemainingColumn()]
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("cells", total=None)

        def report(done: int, total: int) -> None:
            bar.update(task, completed=done, total=total)

        yield report
