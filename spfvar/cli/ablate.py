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
from spfvar.cli.bounds import bound_options, search_options
from spfvar.cli.check import INCOMPLETE
from spfvar.cli.command import Command
from spfvar.cli.options import (
    format_option,
    jobs_option,
    output_option,
    plugin_option,
    race_option,
    reproduce,
)
from spfvar.cli.own_files import tell_own
from spfvar.cli.plugins import load
from spfvar.matrix import catalogue

if TYPE_CHECKING:  # completion must not wait for the explorer
    from spfvar.matrix.ablate import Ablated, Progress

FORMS = ("table", "markdown", "mail", "json")
BROKEN = 1


@click.command(name="ablate", cls=Command)
@click.argument("variant", shell_complete=completing.variants)
@race_option("all")
@click.option("--core", is_flag=True, help="Also the guards of the paths that all variants share.")
@click.option(
    "--all", "every", is_flag=True, help="List the guards of the core's own texts in its stack, too."
)
@bound_options
@jobs_option("Searches")
@format_option(FORMS)
@output_option
@plugin_option
def command(
    variant: str, races: tuple[str, ...], core: bool, every: bool, max_states: int, memory: str | None,
    timeout: str | None, jobs: int | None, form: str, output: str | None, plugins: tuple[str, ...],
) -> int:  # fmt: skip
    """Take every guard of a VARIANT out in turn; say which race breaks without it.

    Guards are sections (RCU, interrupts off, locks, references, writers' counts), checks of what others
    may have changed, trylocks, grace periods, IPIs, waits, and what writers leave for readers.  Listed are
    those of the variant's own texts; JSON has all.

    \b
    Examples:
      spfvar ablate spf-do-fault
      spfvar ablate per-vma-6.12 --race 'munmap-*' --format mail
      spfvar ablate per-vma-6.12 --all       those of v6.12's khugepaged, too
      spfvar ablate mmap-lock                the guards of the core itself
      spfvar ablate my-idea --plugin my_idea.py

    Exit codes: 0 every search was complete; 1 a race breaks with every guard in place; 3 a search was
    incomplete; 2 bad input; 130 interrupted.
    """
    if output is not None:
        check_writable(output)
    registry = load(plugins)
    known = catalogue.races()
    chosen = {name: known[name] for name in known.select(races)}
    tell_own(known, races, "--race")
    subject = registry.tried(variant)
    from spfvar.matrix.ablate import ablate  # the explorer: not before the names are known to be good

    options = search_options(max_states, memory, timeout)
    with _progress() as progress:
        found = ablate(subject, chosen, core, options, jobs, progress)
    where = terminal.place(output, form)
    where.put(render(variant, found, form, where, every or core))
    return BROKEN if found.broken else INCOMPLETE if found.open else 0


def render(variant: str, found: Ablated, form: str, where: terminal.Place, every: bool) -> str:
    """The guards in one of the forms; ``every``: those of the core's texts too, which JSON has anyway."""
    from spfvar.report import ablation
    from spfvar.report.paint import judged

    command_line = reproduce(sys.argv[1:])
    if form == "json":
        return ablation.render_json(variant, found)
    if form == "mail":
        return ablation.render_mail(variant, found, command_line, every)
    if form == "markdown":
        return ablation.render_markdown(variant, found, command_line, every)
    paint = judged if where.colour else str
    return ablation.render_text(variant, found, command_line, where.width, paint, every)


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
        terminal.progress(f"{what} {done}/{total}  {left:.0f} s left")

    try:
        yield report
    finally:
        terminal.progress()
