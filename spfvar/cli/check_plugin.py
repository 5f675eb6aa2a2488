"""spfvar check-plugin."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace

import click

from spfvar import units
from spfvar.atomic import check_writable, write_atomically
from spfvar.cli.options import (
    format_option,
    jobs_option,
    output_option,
    race_option,
    scenario_option,
    timeout_option,
)
from spfvar.errors import unknown
from spfvar.matrix import catalogue

FAILED = 1


@click.command(name="check-plugin")
@click.argument("plugin", metavar="FILE|MODULE")
@click.option("--check", "names", multiple=True, metavar="NAME", help="Only this check; repeatable.")
@race_option("all")
@scenario_option("all")
@timeout_option("60s")
@jobs_option("Searches and cells")
@format_option(("text", "json"))
@output_option
def command(
    plugin: str, names: tuple[str, ...], races: tuple[str, ...], scenarios: tuple[str, ...], timeout: str,
    jobs: int | None, form: str, output: str | None,
) -> int:  # fmt: skip
    """Check that a plugin's variants and twins are well made: is it fit to be compared and passed on?

    Checks, cheap ones first: loads, documented, hooks, automata, sections, references, events, safe, runs.
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
    from spfvar.report.conformance import render_json, render_text

    for name in names:
        if name not in NAMES:
            raise unknown("check", name, NAMES, key="--check")
    if output is not None:
        check_writable(output)
    found = catalogue.races()
    chosen = {name: found[name] for name in found.select(races or found.names())}
    catalogue.scenarios().select(scenarios)
    with _progress() as progress:
        scope = Scope(scenarios=scenarios, jobs=jobs, progress=progress)
        options = replace(scope.options, seconds=units.parse_duration(timeout) / 1e9)
        results = list(check_plugin(load_plugin(plugin), chosen, replace(scope, options=options), names))
    text = render_json(plugin, results) if form == "json" else render_text(plugin, results)
    if output is None:
        click.echo(text, nl=False)
    else:
        write_atomically(output, text)
    return 0 if all(result.status == PASS for result in results) else FAILED


@contextmanager
def _progress() -> Iterator[Callable[[str, int, int], None] | None]:
    """What runs and how far it is, on a terminal only."""
    if not sys.stderr.isatty():
        yield None
        return

    def report(what: str, done: int, total: int) -> None:
        click.echo(f"\r\x1b[Kchecking {what} {done}/{total}", err=True, nl=False)

    click.echo("\r\x1b[Kfollowing every path", err=True, nl=False)
    try:
        yield report
    finally:
        click.echo("\r\x1b[K", err=True, nl=False)
