"""spfvar coverage."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import click

from spfvar.api import usable
from spfvar.atomic import check_writable, write_atomically
from spfvar.cli.compare import reproduce
from spfvar.cli.options import plugin_option
from spfvar.cli.waiting import doing
from spfvar.coverage.faults import handling_of
from spfvar.coverage.kinds import FAULT_KINDS
from spfvar.coverage.writers import WRITERS, overlay_of
from spfvar.plugins.registry import load_registry
from spfvar.plugins.variant import Stack, Variant
from spfvar.report.coverage import render_faults, render_writers

FORMS = ("table", "markdown", "json")
#: Exit code if a plugin could not be used.
INCOMPLETE = 3


@click.command(name="coverage")
@click.argument("variants", nargs=-1, metavar="[VARIANT]...")
@click.option("--writers", is_flag=True, help="What writers do to each design, instead of its faults.")
@click.option("--format", "form", type=click.Choice(FORMS), default="table", show_default=True)
@click.option("-o", "--output", metavar="FILE", help="Write there instead of to the terminal.")
@plugin_option
def command(
    variants: tuple[str, ...], writers: bool, form: str, output: str | None, plugins: tuple[str, ...]
) -> int:
    """Which kinds of faults a design handles without mmap_lock, and which fall back to it, and why.

    Read from runs of the variants' automata: each fault alone.  With --writers: what each writer does to
    faults of the VMA that it works on, and to faults elsewhere.  Without arguments: all variants.

    \b
    Examples:
      spfvar coverage
      spfvar coverage spf-do-fault per-vma-6.12 --format markdown
      spfvar coverage --writers per-vma-6.12
      spfvar coverage my-idea --plugin my_idea.py
    """
    if output is not None:
        check_writable(output)
    registry = load_registry(plugins)
    chosen = [registry.any_variant(name) for name in usable(registry, variants)]
    for problem in registry.problems:
        click.echo(f"spfvar: plugin {problem.origin}: {problem.message}", err=True)
    line = reproduce(sys.argv[1:])
    with _progress(len(chosen)) as done:
        text = _writers(chosen, form, line, done) if writers else _faults(chosen, form, line, done)
    if output is None:
        click.echo(text, nl=False)
    else:
        write_atomically(output, text)
    return INCOMPLETE if registry.problems else 0


def _faults(variants: Sequence[Variant], form: str, line: str, done: Callable[[], None]) -> str:
    found = []
    for variant in variants:
        stack = Stack(variant)
        found += [handling_of(kind, variant, stack) for kind in FAULT_KINDS]
        done()
    return render_faults(found, form, line)


def _writers(variants: Sequence[Variant], form: str, line: str, done: Callable[[], None]) -> str:
    found = []
    for variant in variants:
        stack = Stack(variant)
        found += [overlay_of(writer, variant, stack) for writer in WRITERS]
        done()
    return render_writers(found, form, line)


@contextmanager
def _progress(total: int) -> Iterator[Callable[[], None]]:
    """Finished variants, on a terminal only."""
    shown = sys.stderr.isatty()
    finished = 0

    def done() -> None:
        nonlocal finished
        finished += 1
        if shown:
            click.echo(f"\r\x1b[Kvariants {finished}/{total}", err=True, nl=False)

    if shown:
        click.echo(doing("variants", "explore"), err=True, nl=False)
    try:
        yield done
    finally:
        if shown:
            click.echo("\r\x1b[K", err=True, nl=False)
