"""spfvar report."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

import click

from spfvar.atomic import check_writable, write_atomically
from spfvar.cli import completing, terminal
from spfvar.cli.bounds import bound_options, memory_of, memory_option, search_options
from spfvar.cli.command import Command
from spfvar.cli.options import (
    draw_options,
    format_option,
    given,
    hardware_option,
    jobs_option,
    output_option,
    plugin_option,
    race_option,
    reproduce,
    scenario_option,
    set_option,
    threads_option,
)
from spfvar.cli.own_files import tell_own
from spfvar.cli.plugins import exit_code, load, tell_problems
from spfvar.cli.storing import no_store_option, store_for
from spfvar.errors import InputError
from spfvar.matrix import catalogue

if TYPE_CHECKING:  # completion must not wait for the explorer
    from spfvar.automata.weaken import Memory
    from spfvar.explore.options import Options
    from spfvar.plugins.registry import Registry
    from spfvar.review.build import Progress
    from spfvar.review.model import Review
    from spfvar.review.patchmail import Patch

FORMS = ("mail", "markdown", "html", "json")
#: Parameters that say how a review is drawn, and so all that --load leaves.
_OF_FORMS = ("form", "short", "output", "load_file")
#: Options that are not called as their parameter is.
_OPTIONS = {
    "patch_file": "--patch", "scenarios": "--scenario", "races": "--race", "settings": "--set",
    "memory": "--max-memory", "model": "--memory", "plugins": "--plugin", "variant": "VARIANT",
}  # fmt: skip
#: Exit code if something that was asked for could not be run.
SOMETHING_FAILED = 1


@click.command(name="report", cls=Command)
@click.argument("variant", required=False, shell_complete=completing.variants)
@click.option(
    "--against",
    multiple=True,
    metavar="VARIANT",
    shell_complete=completing.variants,
    help="Compare with it, beside the baseline; repeatable.  [default: those that the variant names]",
)
@click.option("--patch", "patch_file", metavar="FILE|-", help="The patch: a mail, an mbox or a diff.")
@click.option(
    "--number", type=int, metavar="N", help="Patch N of a file that holds several.  [default: their stack]"
)
@format_option(FORMS)
@click.option("--short", is_flag=True, help="At most 25 lines of mail.")
@output_option
@scenario_option("all; what compare does not run unasked at its most threads only")
@race_option("all")
@click.option(
    "--questions",
    multiple=True,
    metavar="NAME|FILE.toml",
    shell_complete=completing.files,
    help="Also answer the questions there; repeatable.",
)
@click.option(
    "--generated",
    type=int,
    default=2000,
    show_default=True,
    metavar="N",
    help="Search so many generated races; 0: none.",
)
@threads_option
@hardware_option
@set_option
@draw_options
@bound_options
@memory_option
@jobs_option("Searches and cells")
@click.option(
    "--save", metavar="FILE", shell_complete=completing.files, help="Write the review there, for --load."
)
@click.option(
    "--load",
    "load_file",
    metavar="FILE",
    shell_complete=completing.files,
    help="Draw a saved review instead of making one.",
)
@no_store_option
@plugin_option
def command(
    variant: str | None, against: tuple[str, ...], patch_file: str | None, number: int | None, form: str,
    short: bool, output: str | None, scenarios: tuple[str, ...], races: tuple[str, ...],
    questions: tuple[str, ...], generated: int, threads: list[int], hardware: str,
    settings: dict[str, list[str]], draws: int | None, seeds: int | None, seed: int, max_states: int,
    memory: str | None, timeout: str | None, model: str, jobs: int | None, save: str | None,
    load_file: str | None, no_store: bool, plugins: tuple[str, ...],
) -> int:  # fmt: skip
    """Review a VARIANT, and the patch that it models: is it safe, where is it worth it, who pays?

    One run of compare, check, hunt and ablate, and a search for what would flip the result.  The patch is
    read for its subject, its diffstat and the functions that it touches; nothing in it is executed.

    \b
    Examples:
      spfvar report spf-do-fault
      spfvar report spf-do-fault --patch 24.patch --format markdown -o review.md
      spfvar report spf-do-fault --patch 24.patch --format html -o review.html
      spfvar report spf-do-fault --patch 24.patch --short    to answer a mail
      spfvar report my-idea --plugin my_idea.py --against per-vma-6.12
      b4 am -o- MESSAGE-ID | spfvar report spf-do-fault --patch - --number 24
      spfvar report spf-do-fault --scenario 'file-*' --race 'munmap-*'
      spfvar report per-vma-6.12 --memory lkmm     races under the kernel's model
      spfvar report spf-do-fault --save monday.json
      spfvar report --load monday.json --format html -o monday.html

    Exit codes: 0 written, whatever the verdict; 1 something could not be run; 2 bad input; 130 interrupted.
    """
    if short and form != "mail":
        raise InputError(f"--short is a form of mail, not of {form}", key="--short", expected="--format mail")
    if form == "html" and output is None and sys.stdout.isatty():
        raise InputError("a page is not for a terminal", key="--format html", expected="-o FILE, or a pipe")
    if output is not None:
        check_writable(output)
    if load_file is not None:
        _refuse_beside_load()
        from spfvar.review.reviewfile import load_review

        review = load_review(load_file)
        terminal.Place(output).put(render(review, form, short))
        return SOMETHING_FAILED if review.not_run else 0
    if variant is None:
        raise InputError(
            "none is given", key="VARIANT", expected="one of `spfvar list variants`, or --load FILE"
        )
    if generated < 0:
        raise InputError(f"{generated} races", key="--generated", expected="0 or more")
    bounds = search_options(max_states, memory, timeout)
    weak = memory_of(model)
    if save is not None:
        check_writable(save)
        if output is not None and os.path.realpath(output) == os.path.realpath(save):
            raise InputError("names the same file as --output", key="--save")
    if number is not None and patch_file is None:
        raise InputError("there is no patch to choose", key="--number", expected="--patch FILE")
    registry = load(plugins)
    with _progress() as progress:
        review = review_of(
            registry, variant, against, patch_file, number, scenarios, races, questions, generated, threads,
            hardware, settings, draws, seeds, seed, bounds, jobs, reproduce(sys.argv[1:]), progress, plugins,
            weak, no_store,
        )  # fmt: skip
    if save is not None:
        write_atomically(save, review.json())
    terminal.Place(output).put(render(review, form, short))
    return exit_code(SOMETHING_FAILED if review.not_run else 0, registry.problems)


def _refuse_beside_load() -> None:
    """What makes a review has no use where one is read.  Raises InputError."""
    for name in click.get_current_context().params:
        if name not in _OF_FORMS and given(name):
            option = _OPTIONS.get(name, f"--{name.replace('_', '-')}")
            raise InputError("has no use beside --load, which computes nothing", key=option)


def render(review: Review, form: str, short: bool = False) -> str:
    """A review in one of the forms."""
    if form == "html":
        return review.html()
    if form == "markdown":
        return review.markdown()
    return review.json() if form == "json" else review.mail(short)


def review_of(
    registry: Registry, variant: str, against: Sequence[str], patch_file: str | None, number: int | None,
    scenarios: Sequence[str], races: Sequence[str], questions: Sequence[str], generated: int,
    threads: Sequence[int], hardware: str, settings: Mapping[str, Sequence[str]], draws: int | None,
    seeds: int | None, seed: int, bounds: Options, jobs: int | None, line: str,
    progress: Progress | None = None, plugins: Sequence[str] = (), memory: Memory = "sc",
    no_store: bool = True,
) -> Review:  # fmt: skip
    """The review that these options ask for, of one of the patches or of their stack.

    ``line`` is the command line that makes it again.
    """
    from spfvar.review.stack import subject_of

    patches = patches_in(patch_file) if patch_file is not None else ()
    tell_own(catalogue.scenarios(), scenarios, "--scenario")
    tell_own(catalogue.races(), races, "--race")
    tell_own(catalogue.hardware(), [hardware], "--hardware")
    rivals, patch = subject_of(registry, variant, against, patches, number)
    tell_problems(registry)
    from spfvar.review.build import make_review, make_scope  # not before the names are known to be good
    from spfvar.review.kept import kept_review
    from spfvar.review.questions import questions as question_files

    tell_own(question_files(), questions, "--questions")
    scope = make_scope(
        registry, variant, against=rivals, patch=patch, loads=scenarios, races=races, asked=questions,
        threads=threads, hardware=hardware, settings=settings, seeds=seeds, draws=draws, seed=seed,
        bounds=bounds, generated=generated, plugins=plugins, memory=memory,
    )  # fmt: skip
    with store_for("parts", no_store) as store:
        return kept_review(
            store, scope, line, lambda: make_review(registry, scope, line, jobs, progress, store)
        )


def patches_in(file: str) -> tuple[Patch, ...]:
    """The patches of a file, or of standard input ("-").  Raises InputError."""
    from spfvar.review.messages import MAX_BYTES
    from spfvar.review.patchmail import load_patches, parse_patches

    if file == "-":
        return parse_patches(sys.stdin.buffer.read(MAX_BYTES + 1))
    return load_patches(file)


@contextmanager
def _progress() -> Iterator[Progress | None]:
    """Which of the runs (two at a time), how much of it is done, and for how long; on a terminal only."""
    if not sys.stderr.isatty():
        yield None
        return
    from spfvar.review.underway import in_one_line

    began = time.monotonic()
    last = 0.0

    def report(phase: str, done: int, total: int) -> None:
        nonlocal last
        now = time.monotonic()
        if now - last < 0.1 and done < total:
            return
        last = now
        terminal.progress(f"{phase}: {done} of {total}  {now - began:.0f} s")

    try:
        yield in_one_line(report)
    finally:
        terminal.progress()
