"""spfvar check."""

from __future__ import annotations

import shlex
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

import click

from spfvar import units
from spfvar.atomic import check_writable, write_atomically
from spfvar.cli import completing, terminal
from spfvar.cli.options import (
    blame,
    bound_options,
    format_option,
    jobs_option,
    output_option,
    plugin_option,
    race_option,
    reproduce,
)
from spfvar.cli.plugins import exit_code as plugins_code
from spfvar.cli.plugins import load, tell_problems
from spfvar.cli.waiting import doing
from spfvar.errors import InputError
from spfvar.matrix import catalogue

if TYPE_CHECKING:  # completion must not wait for the explorer
    from spfvar.explore.explore import Options
    from spfvar.explore.walk import WalkOptions
    from spfvar.matrix.check import Checked

#: Exit code if nothing is violated, but not everything that was asked for could be searched.
INCOMPLETE = 3
FORMS = ("table", "markdown", "mail", "json", "github")


@click.command(name="check")
@click.argument("variants", nargs=-1, metavar="[VARIANT]...", shell_complete=completing.checkable)
@race_option("all")
@click.option("--twins", is_flag=True, help="Check the broken twins and the variants without their bugs.")
@click.option("--walk", type=int, metavar="N", help="N random walks through each race, not a search.")
@click.option("--seed", type=int, metavar="S", help="Seed of the walks.  [default: 1]")
@click.option("--count", "counts", multiple=True, metavar="ACTOR=N", help="So many threads; repeatable.")
@click.option("--all", "every", is_flag=True, help="Every violated property, not only the first found.")
@bound_options(max_states=20_000_000, timeout="60s")
@click.option("--no-reductions", is_flag=True, help="The plain search: every state, one primitive at a time.")
@jobs_option("Searches")
@format_option(FORMS)
@output_option
@click.option(
    "--save",
    metavar="FILE",
    shell_complete=completing.files,
    help="Write verdicts and tokens there, for spfvar replay.",
)
@plugin_option
def command(
    variants: tuple[str, ...], races: tuple[str, ...], twins: bool, walk: int | None, seed: int | None,
    counts: tuple[str, ...], every: bool, max_states: int, memory: str, timeout: str, no_reductions: bool,
    jobs: int | None, form: str, output: str | None, save: str | None, plugins: tuple[str, ...],
) -> int:  # fmt: skip
    """Explore every interleaving of races under variants; print verdicts and counterexamples.

    Without arguments: all variants in all races.

    \b
    Examples:
      spfvar check
      spfvar check spf-do-fault --race 'munmap-*'
      spfvar check my-idea --plugin my_idea.py --all --format mail
      spfvar check per-vma-6.12 --race my-race.toml --max-states 1000000
      spfvar check --twins
      spfvar check my-idea --plugin my_idea.py --format github      in CI: docs/compare.md
      spfvar check --walk 100000 --race three-faults-munmap --count fault=9

    Exit codes: 0 all safe (with --twins: all as expected); 1 a violation (with --twins: a miss or a false
    alarm); 3 nothing violated but a search was incomplete, as random walks always are; 2 bad input, such as
    a plugin that cannot be used or an error in its text, whatever the rest gave; 130 interrupted.
    """
    from spfvar.api import usable
    from spfvar.matrix.check import exit_code, make_cases, run_checks, runnable
    from spfvar.matrix.saved import saved_text
    from spfvar.matrix.scopes import parse_counts
    from spfvar.report import github

    search = search_options(max_states, memory, timeout, every, no_reductions)
    walks = walk_options(walk, seed, search) if walk is not None or seed is not None else None
    for path in (output, save):
        if path is not None:
            check_writable(path)
    registry = load(plugins)
    names = variants if twins else usable(registry, variants)
    known = catalogue.races()
    cases = make_cases(registry, known, names, races, twins, parse_counts(counts))
    cases, stacks = runnable(cases, registry)
    tell_problems(registry)
    twin_races = dict.fromkeys(registry.twins[case.twin].race for case in cases if case.twin)
    with _progress("states" if walk is None else "primitives") as progress:
        results = run_checks(cases, walks or search, jobs, progress, stacks)
    where = terminal.place(output, form)
    if form == "github":
        files = {result.case.race_name: known.own_file(result.case.race_name) for result in results}
        text = github.render_checks(results, registry.problems, files)
    else:
        text = render(results, form, where, replay_options([*races, *twin_races], plugins))
    where.put(text)
    if save is not None:
        write_atomically(save, saved_text(results, save))
    return plugins_code(exit_code(results), registry.problems)


def search_options(max_states: int, memory: str, timeout: str, every: bool, no_reductions: bool) -> Options:
    """The options of the searches."""
    from spfvar.explore.explore import Options
    from spfvar.explore.verdict import REDUCTIONS, with_reductions

    if max_states < 1:
        raise InputError(f"{max_states} states", key="--max-states", expected="1 or more")
    with blame("--memory"):
        most = units.parse_size(memory)
    if timeout.isdigit():  # seconds are meant, where elsewhere it would be nanoseconds
        raise InputError(
            f"{timeout} has no unit", key="--timeout", expected="a duration", suggestion=f"{timeout}s"
        )
    with blame("--timeout"):
        seconds = units.parse_duration(timeout) / 1e9
    options = Options(max_states=max_states, max_bytes=most, seconds=seconds, first=not every)
    return with_reductions(options, REDUCTIONS, False) if no_reductions else options


def walk_options(walk: int | None, seed: int | None, options: Options) -> WalkOptions:
    """The options of random walks, for as long as a search may take."""
    from spfvar.explore.walk import WalkOptions
    from spfvar.explore.walked import LONGEST

    if walk is None:
        raise InputError("a search has no seed", key="--seed", expected="--walk N with it")
    if walk < 1:
        raise InputError(f"{walk} walks", key="--walk", expected="1 or more")
    if seed is not None and seed < 0:
        raise InputError(f"the seed is {seed}", key="--seed", expected="0 or more")
    return WalkOptions(walk, LONGEST, options.seconds, 1 if seed is None else seed, options.first)


def replay_options(patterns: Sequence[str], plugins: Sequence[str]) -> str:
    """What spfvar replay needs besides a token: the files that this run named."""
    options = [("--plugin", plugin) for plugin in plugins]
    options += [("--race", pattern) for pattern in patterns if pattern.endswith(".toml")]
    return shlex.join(word for option in options for word in option)


def render(results: Sequence[Checked], form: str, where: terminal.Place, replay: str = "") -> str:
    """Results in one of the forms; ``replay``: options that replaying a token needs."""
    from spfvar.report import verdicts
    from spfvar.report.paint import judged

    command_line = reproduce(sys.argv[1:])
    if form == "json":
        return verdicts.render_json(results)
    if form == "mail":
        return verdicts.render_mail(results, command_line, replay)
    if form == "markdown":
        return verdicts.render_markdown(results, command_line, replay)
    return verdicts.render_text(results, command_line, replay, where.width, judged if where.colour else str)


@contextmanager
def _progress(things: str) -> Iterator[Callable[[int, int, float], None] | None]:
    """Finished searches and states (of walks: primitives) per second, on a terminal only."""
    if not sys.stderr.isatty():
        yield None
        return
    from spfvar.report.verdicts import count_text

    last = 0.0
    click.echo(doing("checking", "explore"), err=True, nl=False)

    def report(done: int, total: int, rate: float) -> None:
        nonlocal last
        now = time.monotonic()
        if now - last > 0.1 or done == total:
            last = now
            click.echo(
                f"\r\x1b[Kchecking {done}/{total}  {count_text(round(rate))} {things}/s",
                err=True,
                nl=False,
            )

    try:
        yield report
    finally:
        click.echo("\r\x1b[K", err=True, nl=False)
