"""spfvar ablate."""

from __future__ import annotations

import sys

import click

from spfvar.atomic import check_writable
from spfvar.cli import completing, terminal
from spfvar.cli.check import search_options
from spfvar.cli.options import output_option, plugin_option, reproduce
from spfvar.cli.plugins import load
from spfvar.cli.waiting import counting
from spfvar.errors import InputError
from spfvar.matrix import catalogue

FORMS = ("table", "markdown", "mail", "json")


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

    Guards are sections (RCU, interrupts off, locks, references), checks of what others may have changed,
    trylocks, grace periods, IPIs, and what writers leave for readers.

    \b
    Examples:
      spfvar ablate spf-do-fault
      spfvar ablate per-vma-6.12 --race 'munmap-*' --format mail
      spfvar ablate mmap-lock                       the guards of the core itself
      spfvar ablate my-idea --plugin my_idea.py
    """
    from spfvar.matrix.ablate import ablate
    from spfvar.report import ablation
    from spfvar.report.paint import judged

    if jobs is not None and jobs < 1:
        raise InputError(f"{jobs} jobs", key="--jobs", expected="1 or more")
    options = search_options(max_states, memory, timeout, False, False)
    if output is not None:
        check_writable(output)
    registry = load(plugins)
    races = catalogue.races()
    chosen = {name: races[name] for name in races.select(patterns or races.names())}
    with counting("exploring") as progress:
        found = ablate(registry.any_variant(variant), chosen, core, options, jobs, progress)
    line = reproduce(sys.argv[1:])
    where = terminal.place(output, form)
    if form == "json":
        text = ablation.render_json(variant, found)
    elif form == "mail":
        text = ablation.render_mail(variant, found, len(chosen), line)
    elif form == "markdown":
        text = ablation.render_markdown(variant, found, len(chosen), line)
    else:
        paint = judged if where.colour else str
        text = ablation.render_text(variant, found, len(chosen), line, where.width, paint)
    where.put(text)
    return 0
