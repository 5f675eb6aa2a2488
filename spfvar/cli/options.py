"""Options that several commands share."""

from __future__ import annotations

import click

plugin_option = click.option(
    "--plugin", "plugins", multiple=True, metavar="FILE|MODULE", help="Load variants from there; repeatable."
)
