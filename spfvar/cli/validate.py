"""spfvar validate."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from spfvar.atomic import check_writable
from spfvar.cli import completing, terminal
from spfvar.cli.command import Command
from spfvar.cli.options import format_option, jobs_option, output_option, plugin_option, reproduce
from spfvar.cli.plugins import exit_code, load, tell_problems
from spfvar.cli.waiting import counting, doing
from spfvar.errors import InputError
from spfvar.matrix import catalogue
from spfvar.matrix.plan import MAX_SEEDS

if TYPE_CHECKING:  # completion must not wait for the simulator
    from spfvar.validation.points import Rows
    from spfvar.validation.scores import Scored

FORMS = ("table", "markdown", "json")
DONE = 0


@click.command(name="validate", cls=Command)
@click.argument("rows", nargs=-1, metavar="[ROW]...", shell_complete=completing.published)
@click.option(
    "--rows",
    "files",
    multiple=True,
    metavar="FILE.toml",
    shell_complete=completing.files,
    help="Published or measured rows of your own, instead of those shipped; repeatable.",
)
@click.option(
    "--seeds", type=int, metavar="N", default=2, show_default=True, help="Runs at the profile's own figures."
)
@jobs_option("Cells")
@format_option(FORMS)
@output_option
@plugin_option
def command(
    rows: tuple[str, ...], files: tuple[str, ...], seeds: int, jobs: int | None, form: str,
    output: str | None, plugins: tuple[str, ...],
) -> int:  # fmt: skip
    """Hold the model against published measurements, number by number.

    Each ROW (S3, N1, ...) is a table of published/*.toml; without one all of them.  Ratios of designs,
    multiples of one thread's rate, and rates where the machine is the profile's own; what was fitted is
    told apart.  Where the machine has an ensemble of figures, low and high are its 95 % interval.

    A file of yours has the same form; its [table.results] may name result files of will-it-scale, pft,
    mmtests or perf stat instead of values (docs/validate.md).

    \b
    Examples:
      spfvar validate
      spfvar validate S3 S4                  two machines, mmap_lock and SPF
      spfvar validate 'N*' --format markdown
      spfvar validate --rows mine.toml
      spfvar validate --format json -o rows.json

    Exit codes: 0 done, however far the model is off; 2 bad input; 130 interrupted.
    """
    if not 1 <= seeds <= MAX_SEEDS:
        raise InputError(f"{seeds} seeds", key="--seeds", expected=f"1 to {MAX_SEEDS}")
    if output is not None:
        check_writable(output)
    registry = load(plugins)
    from spfvar.validation.points import load_rows
    from spfvar.validation.run import discrepancies, run_rows
    from spfvar.validation.scores import score

    known, profiles = catalogue.published(), catalogue.hardware()
    chosen = load_rows(known, files, rows)
    tell_problems(registry)
    with counting(doing("simulating", "simulate")) as progress:
        found = run_rows(chosen, known, registry, catalogue.scenarios(), profiles, seeds, jobs, progress)
    where = terminal.place(output, form)
    where.put(_render(chosen, score(chosen, found, discrepancies(chosen, profiles)), form, where))
    return exit_code(DONE, registry.problems)


def _render(rows: Rows, results: list[Scored], form: str, where: terminal.Place) -> str:
    from spfvar.render import validation

    command_line = reproduce(sys.argv[1:])
    if form == "json":
        return validation.render_json(rows, results)
    if form == "markdown":
        return validation.render_markdown(rows, results, command_line)
    return validation.render_text(rows, results, command_line, where.width)
