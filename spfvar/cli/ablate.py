"""spfvar ablate."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import click

from spfvar.atomic import check_writable
from spfvar.cli import completing, terminal
from spfvar.cli.check import INCOMPLETE, search_options
from spfvar.cli.options import output_option, plugin_option, reproduce
from spfvar.cli.plugins import load
from spfvar.errors import InputError
from spfvar.matrix import catalogue

if TYPE_CHECKING:  # completion must not wait for the explorer
    from spfvar.matrix.ablate import Ablated, Progress

FORMS = ("table", "markdown", "mail", "json")
BROKEN = 1


@click.command(name="ablate")
@click.argument("variant", shell_complete=completing.variants)
@click.option(
    "--race", "patterns", multiple=True, metavar="NAME|GLOB|FILE.toml",
    shell_complete=completing.races, help="Race; repeatable.  [default: all]",
)  # fmt: skip
@click.option("--core", is_flag=True, help="Also the guards of the paths that all variants share.")
@click.option("--max-states", type=int, default=2_000_000, show_default=True, help="Bound of each search.")
@click.option("--memory", default="2GiB", show_default=True, metavar="SIZE", help="Bound of all searches.")
@click.option("--timeout", default="20s", show_default=True, metavar="DURATION", help="Bound of each search.")
@click.option("--jobs", type=int, metavar="N", help="Searches to run side by side.  [default: all CPUs]")
@click.option("--format", "form", type=click.Choice(FORMS), default="table", show_default=True)
@output_option
@plugin_option
def command(
    variant: str, patterns: tuple[str, ...], core: bool, max_states: int, memory: str, timeout: str,
    jobs: int | None, form: str, output: str | None, plugins: tuple[str, ...],
) -> int:  # fmt: skip
    """Take every guard of a VARIANT out in turn; say which race breaks without it.

    Guards are sections (RCU, interrupts off, locks, references, writers' counts), checks of what others
    may have changed, trylocks, grace periods, IPIs, waits, and what writers leave for readers.

    \b
    Examples:
      spfvar ablate spf-do-fault
      spfvar ablate per-vma-6.12 --race 'munmap-*' --format mail
      spfvar ablate mmap-lock                       the guards of the core itself
      spfvar ablate my-idea --plugin my_idea.py

    Exit codes: 0 every search was complete; 1 a race breaks with every guard in place; 3 a search was
    incomplete; 2 bad input; 130 interrupted.
    """
    from spfvar.matrix.ablate import ablate

    if jobs is not None and jobs < 1:
        raise InputError(f"{jobs} jobs", key="--jobs", expected="1 or more")
    options = search_options(max_states, memory, timeout, False, False)
    if output is not None:
        check_writable(output)
    registry = load(plugins)
    races = catalogue.races()
    chosen = {name: races[name] for name in races.select(patterns or races.names())}
    with _progress() as progress:
        found = ablate(registry.any_variant(variant), chosen, core, options, jobs, progress)
    where = terminal.place(output, form)
    where.put(render(variant, found, form, where))
    return BROKEN if found.broken else INCOMPLETE if found.open else 0


def render(variant: str, found: Ablated, form: str, where: terminal.Place) -> str:
    """The guards in one of the forms."""
    from spfvar.report import ablation
    from spfvar.report.paint import judged

    command_line = reproduce(sys.argv[1:])
    if form == "json":
        return ablation.render_json(variant, found)
    if form == "mail":
        return ablation.render_mail(variant, found, command_line)
    if form == "markdown":
        return ablation.render_markdown(variant, found, command_line)
    return ablation.render_text(variant, found, command_line, where.width, judged if where.colour else str)


@contextmanager
def _progress() -> Iterator[Progress | None]:
    """Finished searches, on a terminal only."""
    if not sys.stderr.isatty():
        yield None
        return
    began = {"": time.monotonic()}

    def report(what: str, done: int, total: int) -> None:
        started = began.setdefault(what, time.monotonic())
        left = (time.monotonic() - started) / done * (total - done)
        click.echo(f"\r\x1b[K{what} {done}/{total}  {left:.0f} s left", err=True, nl=False)

    try:
        yield report
    finally:
        click.echo("\r\x1b[K", err=True, nl=False)
