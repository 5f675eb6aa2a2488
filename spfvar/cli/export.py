"""spfvar export."""

from __future__ import annotations

import click

from spfvar.atomic import check_writable
from spfvar.cli import completing, terminal
from spfvar.cli.command import Command
from spfvar.cli.options import output_option, plugin_option
from spfvar.cli.plugins import load
from spfvar.errors import InputError
from spfvar.matrix import catalogue
from spfvar.plugins.variant import Stack


@click.command(name="export", cls=Command)
@click.option("--promela", is_flag=True, help="As a model for SPIN (the one format there is).")
@click.argument("variant", shell_complete=completing.variants)
@click.argument("race", shell_complete=completing.races)
@output_option
@plugin_option
def command(promela: bool, variant: str, race: str, output: str | None, plugins: tuple[str, ...]) -> None:
    """Write the model of a race under a variant for another checker.

    The text states the semantics of every primitive by itself, so that SPIN's verdict is an independent one.

    \b
    Examples:
      spfvar export --promela spf-do-fault munmap-file -o model.pml
      spin -a model.pml && gcc -O2 -DSAFETY -o pan pan.c && ./pan -m100000
    """
    if not promela:
        raise InputError("no format given", key="export", expected="--promela")
    if output is not None:
        check_writable(output)
    races = catalogue.races()
    name = races.select([race])[0]
    stack = Stack(load(plugins).tried(variant))
    from spfvar.explore.world import build_race  # not before the names are known to be good
    from spfvar.export.promela import promela as text_of

    world = build_race(races[name], stack)
    text = text_of(world, variant, name)
    terminal.place(output, "promela").put(text)
