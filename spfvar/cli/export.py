"""spfvar export."""

from __future__ import annotations

from pathlib import Path

import click

from spfvar.cli.options import plugin_option
from spfvar.errors import InputError
from spfvar.matrix import catalogue
from spfvar.plugins.registry import load_registry
from spfvar.plugins.variant import Stack


@click.command(name="export")
@click.option("--promela", is_flag=True, help="As a model for SPIN (the one format there is).")
@click.argument("variant")
@click.argument("race")
@click.option(
    "-o",
    "--output",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write there instead of to stdout.",
)
@plugin_option
def command(promela: bool, variant: str, race: str, output: Path | None, plugins: tuple[str, ...]) -> None:
    """Write the model of a race under a variant for another checker.

    The text states the semantics of every primitive by itself, so that SPIN's verdict is an independent one.

    \b
    Examples:
      spfvar export --promela spf-do-fault munmap-file -o model.pml
      spin -a model.pml && gcc -O2 -DSAFETY -o pan pan.c && ./pan -m100000
    """
    if not promela:
        raise InputError("no format given", key="export", expected="--promela")
    from spfvar.explore.world import build_race
    from spfvar.export.promela import promela as text_of

    races = catalogue.races()
    name = races.select([race])[0]
    world = build_race(races[name], Stack(load_registry(plugins).any_variant(variant)))
    text = text_of(world, variant, name)
    if output is None:
        click.echo(text, nl=False)
        return
    try:
        output.write_text(text, encoding="utf-8")
    except OSError as error:
        raise InputError(f"cannot be written: {error.strerror}", file=str(output)) from error
