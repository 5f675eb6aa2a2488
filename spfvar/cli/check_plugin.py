"""spfvar check-plugin."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import click

from spfvar.atomic import check_writable
from spfvar.cli import terminal
from spfvar.cli.bounds import bound_options, search_options
from spfvar.cli.command import Command
from spfvar.cli.options import (
    format_option,
    jobs_option,
    output_option,
    race_option,
    scenario_option,
)
from spfvar.cli.own_files import tell_own
from spfvar.errors import unknown
from spfvar.matrix import catalogue

FAILED = 1


@click.command(name="check-plugin", cls=Command)
@click.argument("plugin", metavar="FILE|MODULE")
@click.option("--check", "names", multiple=True, metavar="NAME", help="Only this check; repeatable.")
@race_option("all")
@scenario_option("all")
@bound_options
@jobs_option("Searches and cells")
@format_option(("text", "json"))
@output_option
def command(
    plugin: str, names: tuple[str, ...], races: tuple[str, ...], scenarios: tuple[str, ...], max_states: int,
    memory: str | None, timeout: str | None, jobs: int | None, form: str, output: str | None,
) -> int:  # fmt: skip
    """Check that a plugin's variants and twins are well made: is it fit to be compared and passed on?

    Checks, cheap ones first: loads, documented, finished, hooks, automata, sections, references, events,
    safe, runs.  finished counts the TODOs of a draft (spfvar new variant --from-patch).
    docs/check-plugin.md says what each looks at.  The last two explore the races and run the loads.
    A twin has hooks, automata, and twin: does its race show the bug?

    \b
    Examples:
      spfvar check-plugin my_idea.py
      spfvar check-plugin my_idea.py --check sections --check references
      spfvar check-plugin my_idea.py --race 'munmap-*' --scenario pft
      spfvar check-plugin my_package --format json -o conformance.json

    Exit codes: 0 every check passed; 1 one did not; 2 bad input; 130 interrupted.
    """
    from spfvar.conformance.kit import NAMES, check_plugin
    from spfvar.conformance.result import PASS
    from spfvar.conformance.running import Scope
    from spfvar.conformance.subject import load_plugin
    from spfvar.render.conformance import render_json, render_text

    for name in names:
        if name not in NAMES:
            raise unknown("check", name, NAMES, key="--check")
    options = search_options(max_states, memory, timeout)
    if output is not None:
        check_writable(output)
    found = catalogue.races()
    chosen = {name: found[name] for name in found.select(races)}
    tell_own(found, races, "--race")
    tell_own(catalogue.scenarios(), scenarios, "--scenario")
    with _progress() as progress:
        scope = Scope(scenarios=scenarios, options=options, jobs=jobs, progress=progress)
        results = list(check_plugin(load_plugin(plugin), chosen, scope, names))
    text = render_json(plugin, results) if form == "json" else render_text(plugin, results)
    terminal.Place(output).put(text)
    return 0 if all(result.status == PASS for result in results) else FAILED


@contextmanager
def _progress() -> Iterator[Callable[[str, int, int], None] | None]:
    """What runs and how far it is, on a terminal only."""
    if not sys.stderr.isatty():
        yield None
        return

    def report(what: str, done: int, total: int) -> None:
        terminal.progress(f"checking {what} {done}/{total}")

    terminal.progress("following every path")
    try:
        yield report
    finally:
        terminal.progress()
