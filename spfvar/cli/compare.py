"""spfvar compare."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import click

from spfvar import units
from spfvar.atomic import check_writable, write_atomically
from spfvar.cli import completing, terminal
from spfvar.cli.clusters import cluster_options, executor_for
from spfvar.cli.command import Command
from spfvar.cli.kept_text import DIGESTED, KeptText, View
from spfvar.cli.options import (
    blame,
    draw_options,
    format_option,
    given,
    is_verbose,
    jobs_option,
    machines_option,
    output_option,
    plugin_options,
    scenario_option,
    set_option,
    threads_option,
)
from spfvar.cli.own_files import tell_own
from spfvar.cli.plugins import exit_code, load, tell_problems
from spfvar.cli.storing import no_store_option, store_for
from spfvar.cli.waiting import doing
from spfvar.comparison.metrics import METRICS, Metric, select
from spfvar.errors import InputError
from spfvar.matrix import catalogue

SOMETHING_FAILED = 1
#: What tables show unless --metric says otherwise; csv and json hold every metric.
SHOWN = ("faults_per_s",)
FORMS = ("table", "markdown", "mail", "html", "csv", "json", "github")
#: Parameters that say how cells are run, which --load does not do.
_OF_RUNS = {
    "hardware": "--hardware", "seeds": "--seeds", "seed": "--seed", "draws": "--draws", "jobs": "--jobs",
    "plugins": "--plugin", "no_store": "--no-store", "check": "--check",
}  # fmt: skip


@click.command(name="compare", cls=Command)
@click.argument("variants", nargs=-1, metavar="[VARIANT]...", shell_complete=completing.variants)
@scenario_option("those of the default matrix")
@click.option("--all", "every", is_flag=True, help="Every variant and scenario, where none are named.")
@threads_option
@machines_option
@click.option(
    "--baseline",
    metavar="VARIANT",
    shell_complete=completing.variants,
    help="What ratios refer to.  [default: the unpatched kernel]",
)
@draw_options
@set_option
@click.option(
    "--metric",
    "metrics",
    multiple=True,
    metavar="NAME|all",
    shell_complete=completing.metrics,
    help="Every table of a metric; repeatable.  [default: faults_per_s; html, csv and json: all]",
)
@click.option("--events", is_flag=True, help="What variants counted, such as reasons to give up.")
@click.option("--check", is_flag=True, help="Check the variants in all races as well, unless that is known.")
@jobs_option("Cells")
@cluster_options
@format_option(FORMS)
@output_option
@click.option(
    "--fail-on",
    metavar="'[METRIC:]worse>5%'",
    help="Exit with 1 if a variant is WORSE by more.",
)
@click.option(
    "--save",
    metavar="FILE",
    shell_complete=completing.files,
    help="Write the run with all its samples there, for --load.",
)
@click.option(
    "--load",
    "loads",
    multiple=True,
    metavar="FILE",
    shell_complete=completing.files,
    help="Show a saved run instead of computing one; repeatable, runs are merged.",
)
@no_store_option
@plugin_options("Every table behind the summary; and what each plugin brought.")
def command(
    variants: tuple[str, ...], scenarios: tuple[str, ...], threads: list[int], hardware: str,
    baseline: str | None, draws: int | None, seeds: int | None, seed: int, settings: dict[str, list[str]],
    metrics: tuple[str, ...], events: bool, check: bool, jobs: int | None, form: str, output: str | None,
    fail_on: str | None, save: str | None, loads: tuple[str, ...], plugins: tuple[str, ...], every: bool,
    no_store: bool, on: str | None, dask: bool,
) -> int:  # fmt: skip
    """Simulate variants over scenarios; say where each is worth it and who pays.

    Without arguments: the variants and scenarios of the default matrix.  --all adds the others, and takes
    minutes.  With --load, variants, --scenario, --threads and --set choose among what was run.  Is a variant
    safe?  That is said if it was checked before (spfvar check), and with --check in any case.

    \b
    Examples:
      spfvar compare
      spfvar compare -v                            with every table
      spfvar compare --all --threads 16
      spfvar compare spf-do-fault spf-map-pages --scenario 'file-*'
      spfvar compare --scenario pft --threads 1,12,48 --hardware broadwell-2s28c
      spfvar compare --hardware all                on every machine, as one table
      spfvar compare --scenario file-major --set hit_rate=0.5,0.9 --metric all
      spfvar compare my-idea --plugin my_idea.py --format json -o out.json
      spfvar compare spf-do-fault --format html -o compare.html     a page
      spfvar compare my-idea --plugin my_idea.py --fail-on 'worse>5%'
      spfvar compare --save all.jsonl
      spfvar compare --load all.jsonl --baseline per-vma-6.12 --metric all
      spfvar compare my-idea --load all.jsonl --load mine.jsonl --format mail

    Exit codes: 0 done; 1 --fail-on met, or something asked for could not be run; 2 bad input, such as a
    plugin that cannot be used, whatever the rest gave; 130 interrupted.
    """
    with blame("--metric"):
        shown = _metrics(metrics, form)
    with blame("--fail-on"):
        condition = units.parse_fail_on(fail_on) if fail_on else None
        if condition is not None and condition.metric is not None:
            select([condition.metric])
    _check_places(output, save, loads)
    if form == "html" and output is None and sys.stdout.isatty():
        raise InputError("a page is not for a terminal", key="--format html", expected="-o FILE, or a pipe")
    if check and form not in DIGESTED and save is None:
        raise InputError(
            f"--format {form} has no word of safety", key="--check", expected=f"one of {', '.join(DIGESTED)}"
        )
    from spfvar.matrix.plan import machine_patterns, machines_named
    from spfvar.matrix.wanted import Wanted, planned

    wanted = Wanted(variants, scenarios, threads, settings, baseline, every)
    known, profiles = catalogue.scenarios(), catalogue.hardware()
    if not loads:
        registry = load(plugins)
        machines = machines_named(profiles, [hardware])
        if save is not None and len(machines) > 1:
            raise InputError("a file holds the run of one machine", key="--save", expected="one --hardware")
        if form == "html" and len(machines) > 1:
            raise InputError(
                "a page is of one machine", key="--hardware", expected="one; spfvar gallery DIR has several"
            )
        names, makers = planned(wanted, registry, known, profiles, machines, seeds, seed, draws)
        tell_own(known, scenarios, "--scenario")
        tell_own(profiles, machine_patterns(hardware), "--hardware")
    where = terminal.place(output, form)
    tables = bool(metrics) or is_verbose()
    view = View(form, shown, condition, where.width, where.colour, tables, events)
    if loads:
        from spfvar.cli import comparing

        done = [comparing.loaded(loads, wanted, sys.argv[1:])]
        text = comparing.render(done, view)
    else:
        with store_for("runs", no_store) as store:
            kept = KeptText(store, [make(names) for make in makers.values()], view, sys.argv[1:])
            asks_more = save is not None or check or on is not None or dask or bool(registry.problems)
            before = None if asks_more else kept.get()
            if before is None:
                # The simulator and statistics: not before the arguments are known to be good.
                from spfvar.cli import comparing
                from spfvar.matrix.compare import sound_plans

                plans, stacks = sound_plans(names, registry, makers.values())
                tell_problems(registry)
                with executor_for(on, dask, jobs, plugins) as executor:
                    with _progress() as progress:
                        done = comparing.simulated(
                            plans, stacks, registry, jobs, progress, store, sys.argv[1:], executor
                        )
                    if form in DIGESTED or save is not None:
                        told = len(registry.problems)
                        done = comparing.with_safety(
                            done, registry, jobs, store, check=check, executor=executor
                        )
                        tell_problems(registry, told)
                text = comparing.render(done, view, known)
                if not registry.problems and not any(one.failures for one, _ in done):
                    kept.keep(text, done[0][1].source.safety)
        if before is not None:
            where.put(before)
            return exit_code(0, registry.problems)
    comparisons = [comparison for comparison, _ in done]
    for comparison in comparisons:
        for failure in comparison.failures:
            terminal.say(f"spfvar: not run: {failure.message} {failure.axes}", error=True)
    if save is not None:
        from spfvar.matrix.runfile import run_text

        write_atomically(save, run_text(done[0][1]))
    where.put(text)
    problems = comparisons[-1].problems
    if condition is not None and (loss := comparing.maybe_too_bad(comparisons, condition)) is not None:
        terminal.say(f"spfvar: unsure, so not failed: {loss}", error=True)
    if condition is not None and (loss := comparing.too_bad(comparisons, condition)) is not None:
        terminal.say(f"spfvar: {loss}", error=True)
        return exit_code(SOMETHING_FAILED, problems)
    return exit_code(SOMETHING_FAILED if any(one.failures for one in comparisons) else 0, problems)


def _metrics(names: Sequence[str], form: str) -> Mapping[str, Metric]:
    """The metrics asked for, or those that a form has by default."""
    if not names:
        return METRICS if form in ("csv", "json", "html") else select(SHOWN)
    if "all" in names:
        return METRICS
    return select(names)


def _check_places(output: str | None, save: str | None, loads: tuple[str, ...]) -> None:
    """Refuse now what could not be written later, and options that make no sense together."""
    if loads:
        for name, option in _OF_RUNS.items():
            if given(name):
                raise InputError("has no use beside --load, which computes nothing", key=option)
    for path in (output, save):
        if path is not None:
            check_writable(path)
    if output is not None and save is not None and os.path.realpath(output) == os.path.realpath(save):
        raise InputError("names the same file as --output", key="--save")


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
