"""spfvar coverage."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import click

from spfvar.atomic import check_writable
from spfvar.cli import completing, terminal
from spfvar.cli.bounds import memory_of, memory_option
from spfvar.cli.command import Command
from spfvar.cli.options import (
    format_option,
    is_verbose,
    output_option,
    plugin_options,
    race_option,
    reproduce,
)
from spfvar.cli.own_files import tell_own
from spfvar.cli.plugins import exit_code, load, tell_problems
from spfvar.cli.waiting import doing
from spfvar.errors import InputError
from spfvar.matrix import catalogue

FORMS = ("table", "markdown", "json")
#: Exit code if a plugin could not be used.
INCOMPLETE = 3


@click.command(name="coverage", cls=Command)
@click.argument("variants", nargs=-1, metavar="[VARIANT]...", shell_complete=completing.checkable)
@click.option("--writers", is_flag=True, help="What writers do to each design, instead of its faults.")
@memory_option
@race_option("all; with --memory lkmm")
@format_option(FORMS)
@output_option
@plugin_options("The whole tables and legends of many variants; and what each plugin brought.")
def command(
    variants: tuple[str, ...], writers: bool, model: str, races: tuple[str, ...], form: str,
    output: str | None, plugins: tuple[str, ...],
) -> int:  # fmt: skip
    """Which kinds of faults a design handles without mmap_lock, and which fall back to it, and why.

    Read from runs of the variants' automata: each fault alone.  With --writers: what each writer does to
    faults of the VMA that it works on, and to faults elsewhere.  Without arguments: all variants.  Of more
    than three a line for each; -v has their tables.  With
    --memory lkmm: what races execute of barriers and orders, and which loads ever return an old value.

    \b
    Examples:
      spfvar coverage
      spfvar coverage spf-do-fault per-vma-6.12 --format markdown
      spfvar coverage --writers per-vma-6.12
      spfvar coverage my-idea --plugin my_idea.py
      spfvar coverage per-vma-6.12 --memory lkmm --race 'munmap-*'
    """
    from spfvar.plugins.chosen import usable

    if output is not None:
        check_writable(output)
    weak = memory_of(model) != "sc"
    if weak and writers:
        raise InputError("writers are looked at one by one", key="--memory", expected="sc with --writers")
    if races and not weak:
        raise InputError("no race is run", key="--race", expected="--memory lkmm with it")
    registry = load(plugins)
    chosen = [registry.any_variant(name) for name in usable(registry, variants)]
    tell_problems(registry)
    from spfvar.faultpaths import tables  # the explorer: not before the names are known to be good
    from spfvar.render.barriers import render_barriers
    from spfvar.render.coverage import render_faults, render_writers

    line = reproduce(sys.argv[1:])
    if weak:
        known = catalogue.races()
        some = {name: known[name] for name in known.select(races)}
        tell_own(known, races, "--race")
        with _progress(len(chosen) * len(some), "races") as done:
            text = render_barriers(tables.barriers_of(chosen, some, done), form, line)
    else:
        with _progress(len(chosen)) as done:
            if writers:
                text = render_writers(tables.writers_of(chosen, done), form, line, is_verbose())
            else:
                text = render_faults(tables.faults_of(chosen, done), form, line, is_verbose())
    terminal.place(output, form).put(text)
    return exit_code(0, registry.problems)


@contextmanager
def _progress(total: int, things: str = "variants") -> Iterator[Callable[[], None]]:
    """Finished variants, or races, on a terminal only."""
    shown = sys.stderr.isatty()
    finished = 0

    def done() -> None:
        nonlocal finished
        finished += 1
        if shown:
            terminal.progress(f"{things} {finished}/{total}")

    if shown:
        terminal.progress(doing(things, "explore"))
    try:
        yield done
    finally:
        if shown:
            terminal.progress()
