"""spfvar report."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

import click

from spfvar.atomic import check_writable, write_atomically
from spfvar.cli import completing
from spfvar.cli.options import (
    format_option,
    hardware_option,
    jobs_option,
    output_option,
    plugin_option,
    race_option,
    reproduce,
    scenario_option,
    seed_options,
    set_option,
    threads_option,
)
from spfvar.cli.plugins import exit_code, load, tell_problems
from spfvar.errors import InputError

if TYPE_CHECKING:  # completion must not wait for the explorer
    from spfvar.plugins.registry import Registry
    from spfvar.review.build import Progress
    from spfvar.review.model import Review
    from spfvar.review.patchmail import Patch

FORMS = ("mail", "markdown", "html")
#: Exit code if something that was asked for could not be run.
SOMETHING_FAILED = 1


@click.command(name="report")
@click.argument("variant", shell_complete=completing.variants)
@click.option(
    "--against",
    multiple=True,
    metavar="VARIANT",
    shell_complete=completing.variants,
    help="Compare with it, beside the baseline; repeatable.  [default: those that the variant names]",
)
@click.option("--patch", "patch_file", metavar="FILE|-", help="The patch: a mail, an mbox or a diff.")
@format_option(FORMS)
@click.option("--short", is_flag=True, help="At most 25 lines of mail.")
@output_option
@scenario_option("all")
@race_option("all")
@threads_option
@hardware_option
@set_option
@seed_options
@jobs_option("Searches and cells")
@plugin_option
def command(
    variant: str, against: tuple[str, ...], patch_file: str | None, form: str, short: bool,
    output: str | None, scenarios: tuple[str, ...], races: tuple[str, ...], threads: list[int], hardware: str,
    settings: dict[str, list[str]], seeds: int, seed: int, jobs: int | None, plugins: tuple[str, ...],
) -> int:  # fmt: skip
    """Review a VARIANT, and the patch that it models: is it safe, where is it worth it, who pays?

    One run of compare, check and ablate, and a search for what would flip the result.  The patch is read
    for its subject, its diffstat and the functions that it touches; nothing in it is executed.

    \b
    Examples:
      spfvar report spf-do-fault
      spfvar report spf-do-fault --patch 0024-mm.patch --format markdown -o review.md
      spfvar report spf-do-fault --patch 0024-mm.patch --format html -o review.html
      spfvar report spf-do-fault --patch 0024-mm.patch --short        to answer on the list
      spfvar report my-idea --plugin my_idea.py --against per-vma-6.12
      b4 am -o- MESSAGE-ID | spfvar report spf-do-fault --patch -
      spfvar report spf-do-fault --scenario 'file-*' --race 'munmap-*'

    Exit codes: 0 written, whatever the verdict; 1 something could not be run; 2 bad input; 130 interrupted.
    """
    if short and form != "mail":
        raise InputError(f"--short is a form of mail, not of {form}", key="--short", expected="--format mail")
    if form == "html" and output is None and sys.stdout.isatty():
        raise InputError("a page is not for a terminal", key="--format html", expected="-o FILE, or a pipe")
    if output is not None:
        check_writable(output)
    registry = load(plugins)
    with _progress() as progress:
        review = review_of(
            registry, variant, against, patch_file, scenarios, races, threads, hardware, settings, seeds,
            seed, jobs, reproduce(sys.argv[1:]), progress,
        )  # fmt: skip
    text = render(review, form, short)
    if output is None:
        click.echo(text, nl=False)
    else:
        write_atomically(output, text)
    return exit_code(SOMETHING_FAILED if review.not_run else 0, registry.problems)


def render(review: Review, form: str, short: bool = False) -> str:
    """A review in one of the forms."""
    if form == "html":
        from spfvar.review.html import render_html

        return render_html(review)
    if form == "markdown":
        from spfvar.review.markdown import render_markdown

        return render_markdown(review)
    from spfvar.review.mail import render_mail, render_short

    return render_short(review) if short else render_mail(review)


def review_of(
    registry: Registry, variant: str, against: Sequence[str], patch_file: str | None,
    scenarios: Sequence[str], races: Sequence[str], threads: Sequence[int], hardware: str,
    settings: Mapping[str, Sequence[str]], seeds: int, seed: int, jobs: int | None, line: str,
    progress: Progress | None = None,
) -> Review:  # fmt: skip
    """The review that these options ask for; ``line`` is the command line that makes it again."""
    from spfvar.api import usable
    from spfvar.review.build import make_review, make_scope

    patch = _patch(patch_file)
    wanted = usable(registry, [variant, *against])
    tell_problems(registry)
    if variant not in wanted:
        raise InputError(f"{variant} cannot be reviewed: its plugin has a problem")
    scope = make_scope(
        registry, variant, against=[name for name in against if name in wanted], patch=patch,
        loads=scenarios, races=races, threads=threads, hardware=hardware, settings=settings,
        seeds=seeds, seed=seed,
    )  # fmt: skip
    return make_review(registry, scope, line, jobs, progress)


def _patch(file: str | None) -> Patch | None:
    if file is None:
        return None
    from spfvar.review.patchmail import load_patch, parse_patch

    if file == "-":
        return parse_patch(sys.stdin.buffer.read())
    return load_patch(file)


@contextmanager
def _progress() -> Iterator[Progress | None]:
    """Which of the runs, how much of it is done, and for how long; on a terminal only."""
    if not sys.stderr.isatty():
        yield None
        return
    from spfvar.review.build import PHASES

    began = time.monotonic()
    last = 0.0

    def report(phase: str, done: int, total: int) -> None:
        nonlocal last
        now = time.monotonic()
        if now - last < 0.1 and done < total:
            return
        last = now
        step = f"{PHASES.index(phase) + 1}/{len(PHASES)}"
        click.echo(f"\r\x1b[K{step} {phase}: {done} of {total}  {now - began:.0f} s", err=True, nl=False)

    try:
        yield report
    finally:
        click.echo("\r\x1b[K", err=True, nl=False)
