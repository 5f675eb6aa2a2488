"""spfvar bisect."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from spfvar.atomic import check_writable
from spfvar.cli import completing, terminal
from spfvar.cli.bounds import bound_options, memory_of, memory_option, search_options
from spfvar.cli.check import INCOMPLETE
from spfvar.cli.command import Command
from spfvar.cli.compare import SOMETHING_FAILED
from spfvar.cli.options import (
    draw_options,
    format_option,
    given,
    hardware_option,
    is_verbose,
    jobs_option,
    output_option,
    plugin_options,
    race_option,
    reproduce,
    scenario_option,
    set_option,
    threads_option,
)
from spfvar.cli.own_files import tell_own
from spfvar.cli.plugins import exit_code, load, tell_problems
from spfvar.cli.storing import no_store_option, store_for
from spfvar.cli.waiting import counting, doing
from spfvar.errors import InputError
from spfvar.matrix import catalogue

if TYPE_CHECKING:  # completion must not wait for the explorer
    from spfvar.automata.weaken import Memory
    from spfvar.explore.options import Options
    from spfvar.matrix.bisect import Prefix
    from spfvar.matrix.plan import Plan
    from spfvar.render.again import Files
    from spfvar.scenario.race import Race
    from spfvar.store.database import Store

FORMS = ("table", "markdown", "mail", "json")
METRIC = "faults_per_s"


@click.command(name="bisect", cls=Command)
@click.argument("series", shell_complete=completing.series)
@race_option("with --bug its own")
@click.option(
    "--bug",
    metavar="TWIN",
    shell_complete=completing.twins,
    help="A published bug (spfvar list twins) to put into every prefix: with which patch does it show?",
)
@scenario_option()
@click.option(
    "--metric",
    metavar="NAME",
    shell_complete=completing.metrics,
    help=f"What a scenario is judged by.  [default: {METRIC}]",
)
@threads_option
@set_option
@hardware_option
@draw_options
@bound_options
@memory_option
@no_store_option
@jobs_option("Searches or cells")
@format_option(FORMS)
@output_option
@plugin_options("Also the patches that change nothing; and what each plugin brought.")
def command(
    series: str, races: tuple[str, ...], bug: str | None, scenarios: tuple[str, ...], metric: str | None,
    threads: list[int], settings: dict[str, list[str]], hardware: str, draws: int | None, seeds: int | None,
    seed: int, max_states: int, memory: str | None, timeout: str | None, model: str, no_store: bool,
    jobs: int | None, form: str, output: str | None, plugins: tuple[str, ...],
) -> int:  # fmt: skip
    """Run every prefix of a SERIES; show which patch breaks or heals a race, or moves a metric.

    SERIES is a series (spfvar list series) or a stack of its patches, such as spf~24.  Each prefix is
    compared with the one before it; -v also has those that change nothing.

    \b
    Examples:
      spfvar bisect spf --race 'munmap-*'
      spfvar bisect spf-posted --race munmap-anon
      spfvar bisect spf --bug h4@spf-anon          the first patch with which it shows
      spfvar bisect spf --scenario pft --threads 16
      spfvar bisect 'spf~33' --scenario file-cow --metric mmap_lock_share
      spfvar bisect my-series --plugin my_series.py --race munmap-file

    Exit codes: 0 done, and every prefix is safe; 1 a prefix breaks a race, or could not be run; 3 no prefix
    breaks one but a search was incomplete; 2 bad input; 130 interrupted.
    """
    from spfvar.comparison.metrics import lookup
    from spfvar.matrix.plan import make_plan, runs_of_a_cell
    from spfvar.plugins.chosen import usable
    from spfvar.plugins.series import with_bug
    from spfvar.render.again import Files

    if bool(races or bug) == bool(scenarios):
        raise InputError(
            "bisect by races or by scenarios, one of them",
            key="bisect",
            expected="--race NAME, --bug TWIN or --scenario NAME",
        )
    if not scenarios:
        _refuse_options_of_scenarios()
    elif given("model"):
        raise InputError("times do not depend on it", key="--memory", expected="--race instead of --scenario")
    judged_by = lookup(metric or METRIC).name
    if output is not None:
        check_writable(output)
    registry = load(plugins)
    usable(registry, [series])
    for known, patterns, option in (
        (catalogue.races(), races, "--race"), (catalogue.scenarios(), scenarios, "--scenario")
    ):  # fmt: skip
        if patterns:
            tell_own(known, patterns, option)
    from spfvar.matrix.bisect import prefixes_of  # not before the names are known to be good

    options = search_options(max_states, memory, timeout)
    prefixes = prefixes_of(registry, series, bug or "")
    tell_problems(registry)
    if not scenarios:
        known = catalogue.races()
        twin = registry.twins[bug] if bug else None
        chosen = {name: known[name] for name in known.select(races or ([twin.race] if twin else []))}
        files = Files(plugins, {name: str(path) for name, path in known.own().items()})
        weak = memory_of(model if twin is None or given("model") else twin.memory)
        with store_for("verdicts", no_store) as store:
            text, code = _in_races(
                with_bug(series, bug or ""), prefixes, chosen, options, jobs, form, files, weak, store
            )
    else:
        profiles = catalogue.hardware()
        count, drawn = runs_of_a_cell(profiles, hardware, seeds, draws)
        plan = make_plan(
            registry, catalogue.scenarios(), profiles,
            variants=[prefix.variant.name for prefix in prefixes], patterns=scenarios,
            threads=threads, hardware=hardware, baseline=prefixes[0].variant.name, settings=settings,
            seeds=count, seed=seed, draws=drawn,
        )  # fmt: skip
        with store_for("runs", no_store) as store:
            text, code = _in_loads(prefixes, plan, judged_by, jobs, form, store)
    terminal.place(output, form).put(text)
    return exit_code(code, registry.problems)


def _refuse_options_of_scenarios() -> None:
    options = {
        "metric": "--metric", "threads": "--threads", "settings": "--set", "hardware": "--hardware",
        "draws": "--draws", "seeds": "--seeds", "seed": "--seed",
    }  # fmt: skip
    for parameter, option in options.items():
        if given(parameter):
            raise InputError("is for scenarios", key=option, expected="--scenario instead of --race")


def _in_races(
    title: str, prefixes: list[Prefix], races: dict[str, Race], options: Options, jobs: int | None,
    form: str, files: Files, memory: Memory, store: Store | None,
) -> tuple[str, int]:  # fmt: skip
    """The report and the exit code."""
    from spfvar.explore.verdict import INCOMPLETE as UNFINISHED
    from spfvar.explore.verdict import VIOLATION
    from spfvar.matrix.bisect import bisect_races
    from spfvar.render import bisection

    with counting(doing("exploring", "explore")) as progress:
        told = None if progress is None else lambda done, total, _rate: progress(done, total)
        steps = bisect_races(prefixes, races, options, jobs, told, memory, store)
    line = reproduce(sys.argv[1:])
    text = bisection.render_races(title, steps, form, line, files, is_verbose(), memory)
    verdicts = {step.verdict.verdict for step in steps}
    return text, 1 if VIOLATION in verdicts else INCOMPLETE if UNFINISHED in verdicts else 0


def _in_loads(
    prefixes: list[Prefix], plan: Plan, metric: str, jobs: int | None, form: str, store: Store | None
) -> tuple[str, int]:  # fmt: skip
    """The report and the exit code."""
    import spfvar
    from spfvar.matrix.bisect import bisect_loads
    from spfvar.render import bisection
    from spfvar.render.meta import Meta

    with counting(doing("simulating", "simulate")) as progress:
        found = bisect_loads(plan, prefixes, metric, jobs, progress, store)
    for failure in found.failures:
        terminal.say(f"spfvar: not run: {failure.message} {failure.axes}", error=True)
    meta = Meta(
        version=spfvar.__version__, model_version=spfvar.MODEL_VERSION, hardware=plan.hardware,
        baseline=plan.baseline, matrix_hash=plan.matrix_hash, seeds=plan.seeds, seed=plan.seed,
        reproduce=reproduce(sys.argv[1:]), scenario_hashes=plan.scenario_hashes, notes=plan.notes,
        draws=plan.ensemble is not None, fidelity=plan.profile.fidelity,
    )  # fmt: skip
    text = bisection.render_loads(found, form, meta, is_verbose())
    return text, SOMETHING_FAILED if found.failures else 0
