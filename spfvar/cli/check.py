"""spfvar check."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import click

from spfvar.atomic import check_writable, write_atomically
from spfvar.cli import completing, terminal
from spfvar.cli.bounds import bound_options, memory_of, memory_option, search_options
from spfvar.cli.clusters import cluster_options, executor_for
from spfvar.cli.command import Command
from spfvar.cli.options import (
    format_option,
    is_verbose,
    jobs_option,
    output_option,
    plugin_options,
    race_option,
    reproduce,
)
from spfvar.cli.own_files import tell_own
from spfvar.cli.plugins import exit_code as plugins_code
from spfvar.cli.plugins import load, tell_problems
from spfvar.cli.searching import searching
from spfvar.cli.storing import no_store_option, store_for
from spfvar.errors import InputError
from spfvar.matrix import catalogue
from spfvar.matrix.scopes import base_name

if TYPE_CHECKING:  # completion must not wait for the explorer
    from spfvar.matrix.cases import Case
    from spfvar.matrix.check import Checked
    from spfvar.plugins.registry import Registry
    from spfvar.plugins.variant import Stacks
    from spfvar.scenario.race import Race

#: Exit code if nothing is violated, but not everything that was asked for could be searched.
INCOMPLETE = 3
FORMS = ("table", "markdown", "mail", "json", "github")
AUDIT_FORMS = FORMS[:-1]


@click.command(name="check", cls=Command)
@click.argument("variants", nargs=-1, metavar="[VARIANT]...", shell_complete=completing.checkable)
@race_option("all")
@click.option("--twins", is_flag=True, help="Check the broken twins and the variants without their bugs.")
@click.option("--walk", type=int, metavar="N", help="N random walks through each race, not a search.")
@click.option("--seed", type=int, metavar="S", help="Seed of the walks.  [default: 1]")
@click.option("--count", "counts", multiple=True, metavar="ACTOR=N", help="An actor's threads; repeatable.")
@click.option("--all", "every", is_flag=True, help="Every violated property of a race, not only the first.")
@click.option("--all-traces", is_flag=True, help="A trace of each race that breaks, not one for each cause.")
@bound_options
@memory_option
@click.option(
    "--audit", is_flag=True, help="With --memory lkmm: which words are read unordered, and not declared weak?"
)
@click.option("--no-reductions", is_flag=True, help="The plain search: every state, one primitive at a time.")
@jobs_option("Searches")
@cluster_options
@format_option(FORMS)
@output_option
@click.option(
    "--save",
    metavar="FILE",
    shell_complete=completing.files,
    help="Write verdicts and tokens there, for spfvar replay.",
)
@no_store_option
@plugin_options("Races that hold one by one, however many; and what each plugin brought.")
def command(
    variants: tuple[str, ...], races: tuple[str, ...], twins: bool, walk: int | None, seed: int | None,
    counts: tuple[str, ...], every: bool, all_traces: bool, max_states: int, memory: str | None,
    timeout: str | None, model: str, audit: bool, no_reductions: bool, jobs: int | None, form: str,
    output: str | None, save: str | None, no_store: bool, on: str | None, dask: bool,
    plugins: tuple[str, ...],
) -> int:  # fmt: skip
    """Explore every interleaving of races under variants; print verdicts and counterexamples.

    Without arguments: all variants in all races that came with spfvar.  Races that hold are counted if they
    are many (-v lists them).  Of violations with the same cause the shortest is shown; the last line sums up.
    docs/compare.md has --format github in CI.

    \b
    Examples:
      spfvar check
      spfvar check spf-do-fault --race 'munmap-*'
      spfvar check my-idea --plugin my_idea.py --all --format mail
      spfvar check per-vma-6.12 --race my-race.toml --max-states 1000000
      spfvar check spf-posted --all-traces     every trace, not one for each cause
      spfvar check --twins
      spfvar check my-idea --plugin my_idea.py --format github
      spfvar check per-vma-6.12 --memory lkmm      with the kernel's memory model
      spfvar check per-vma-6.12 --memory lkmm --audit    words that should be weak
      spfvar check --walk 100000 --race three-faults-munmap --count fault=9

    Exit codes: 0 all safe (with --twins: all as expected; with --audit: nothing met); 1 a violation (with
    --twins: a miss or a false alarm; with --audit: a racy word); 3 nothing violated but a search was
    incomplete, as random walks always are; 2 bad input, such as a plugin that cannot be used or an error in
    its text, whatever the rest gave; 130 interrupted.
    """
    from spfvar.matrix.cases import make_cases
    from spfvar.matrix.scopes import parse_counts
    from spfvar.plugins.chosen import usable

    for path in (output, save):
        if path is not None:
            check_writable(path)
    threads = parse_counts(counts)
    registry = load(plugins)
    names = variants if twins else usable(registry, variants)
    known = catalogue.races()
    cases = make_cases(registry, known, names, races, twins, threads)
    if not twins:
        tell_own(known, races, "--race")
    # The explorer: not before the names are known to be good.
    from spfvar.explore.verdict import REDUCTIONS, with_reductions
    from spfvar.explore.walked import walk_options
    from spfvar.matrix.check import check_all, exit_code, runnable

    cases, stacks = runnable(cases, registry)
    tell_problems(registry)
    if audit:
        _refuse_with_audit(model, form, save, every=every, twins=twins)
        return _audit(cases, stacks, walk, seed, form, output, registry)
    search = replace(search_options(max_states, memory, timeout), first=not every)
    if no_reductions:
        search = with_reductions(search, REDUCTIONS, False)
    walks = walk_options(walk, seed, search) if walk is not None or seed is not None else None
    things = "states" if walk is None else "primitives"
    with (
        executor_for(on, dask, jobs, plugins) as executor,
        store_for("verdicts", no_store) as store,
        searching(things) as progress,
    ):
        results = check_all(
            cases, walks or search, known, jobs, progress, stacks, memory_of(model), store, executor
        )
    where = terminal.place(output, form)
    if form == "github":
        from spfvar.render import github

        names_of_races = {result.case.race_name for result in results}
        files = {name: known.own_file(base_name(name)) for name in names_of_races}
        text = github.render_checks(results, registry.problems, files)
    else:
        options = replay_options((result.case.race_name for result in results), known, plugins)
        text = render(results, form, where, options, all_traces)
    where.put(text)
    if save is not None:
        from spfvar.matrix.saved import saved_text

        write_atomically(save, saved_text(results, save))
    return plugins_code(exit_code(results), registry.problems)


#: Walks through each race of an audit, unless --walk says how many.
AUDIT_WALKS = 200


def _refuse_with_audit(model: str, form: str, save: str | None, **flags: bool) -> None:
    """What makes no sense with --audit.  Raises InputError."""
    if memory_of(model) == "sc":
        raise InputError(
            "there a word that is read is known", key="--audit", expected="--memory lkmm with it"
        )
    if form == "github":
        raise InputError("an audit is no list of verdicts", key="--format", expected=", ".join(AUDIT_FORMS))
    if save is not None:
        raise InputError("an audit has no tokens", key="--save", expected="a search, without --audit")
    for name, given in flags.items():
        if given:
            raise InputError(
                "an audit has no verdicts", key=f"--{name}", expected="a search, without --audit"
            )


def _audit(
    cases: Sequence[Case], stacks: Stacks, walk: int | None, seed: int | None, form: str, output: str | None,
    registry: Registry,
) -> int:  # fmt: skip
    """Walk through the races, and tell the racy words.  1: there are some; 0: none was met."""
    from spfvar.matrix.audit import run_audit
    from spfvar.render import audits as report
    from spfvar.render.paint import judged

    walks = AUDIT_WALKS if walk is None else walk
    if walks < 1:
        raise InputError(f"{walks} walks", key="--walk", expected="1 or more")

    def told(done: int, total: int) -> None:
        terminal.progress(f"walking {done}/{total}")

    shown = sys.stderr.isatty()
    found = run_audit(cases, walks, 1 if seed is None else seed, stacks, told if shown else None)
    if shown:
        terminal.progress()
    where = terminal.place(output, form)
    line = reproduce(sys.argv[1:])
    if form == "json":
        text = report.render_json(found)
    elif form == "markdown":
        text = report.render_markdown(found, line)
    elif form == "mail":
        text = report.render_mail(found, line)
    else:
        text = report.render_text(found, line, where.width, judged if where.colour else str)
    where.put(text)
    return plugins_code(1 if any(one.words for one in found) else 0, registry.problems)


def replay_options(races: Iterable[str], known: catalogue.Catalogue[Race], plugins: Sequence[str]) -> str:
    """What spfvar replay needs besides a token: plugins, and the user's files among the ``races``."""
    options = [("--plugin", plugin) for plugin in plugins]
    own = known.own()
    files = dict.fromkeys(str(own[name]) for name in map(base_name, races) if name in own)
    options += [("--race", file) for file in files]
    return shlex.join(word for option in options for word in option)


def render(
    results: Sequence[Checked], form: str, where: terminal.Place, replay: str = "", every_trace: bool = False
) -> str:
    """Results in one of the forms; ``replay``: options that replaying a token needs."""
    from spfvar.render import verdicts
    from spfvar.render.paint import judged

    command_line = reproduce(sys.argv[1:])
    if form == "json":
        return verdicts.render_json(results)
    every = is_verbose()
    if form == "mail":
        return verdicts.render_mail(results, command_line, replay, every_trace, every)
    if form == "markdown":
        return verdicts.render_markdown(results, command_line, replay, every_trace, every)
    paint = judged if where.colour else str
    return verdicts.render_text(results, command_line, replay, where.width, paint, every_trace, every)
