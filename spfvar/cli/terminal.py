"""Where text goes: how wide a terminal is, whether it wants colours; a pipe or file gets neither."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TextIO

import click

from spfvar.atomic import write_atomically

#: What a pipe or a file gets, whatever the terminal beside it is like.
WIDTH = 80
#: Tables do not get narrower; lines of prose that are longer are hard to read.
NARROWEST, WIDEST = 60, 120


#: What `colour_wanted` looks at.
VARIABLES = ("NO_COLOR", "FORCE_COLOR", "CLICOLOR_FORCE", "CLICOLOR", "TERM")


@dataclass(frozen=True, slots=True)
class Place:
    """Where a command's text goes."""

    output: str | None
    width: int = WIDTH
    colour: bool = False

    def put(self, text: str) -> None:
        """Print it, or write the file."""
        if self.output is not None:
            write_atomically(self.output, text)
        else:
            click.echo(text, nl=False, color=self.colour or None)


def place(output: str | None, form: str = "table") -> Place:
    """A file, or stdout with its width and colours; only tables and texts have either."""
    if output is not None or form not in ("table", "text"):
        return Place(output)
    return Place(None, width_of(sys.stdout), colour_wanted(sys.stdout, os.environ))


def can_spell(encoding: str) -> bool:
    """Does the encoding have the signs of tables?"""
    try:
        "\xb1".encode(encoding)
    except (UnicodeError, LookupError):
        return False
    return True


def width_of(stream: TextIO) -> int:
    """The columns that text may have."""
    if not stream.isatty():
        return WIDTH
    return min(WIDEST, max(NARROWEST, shutil.get_terminal_size((WIDTH, 24)).columns))


def colour_wanted(stream: TextIO, environment: Mapping[str, str]) -> bool:
    """Colours are for terminals, unless the environment says otherwise.

    NO_COLOR wins (no-color.org), then FORCE_COLOR and CLICOLOR_FORCE, which colour pipes too; TERM=dumb and
    CLICOLOR=0 leave terminals plain.
    """
    if environment.get("NO_COLOR"):
        return False
    for name in ("FORCE_COLOR", "CLICOLOR_FORCE"):
        if value := environment.get(name):
            return value.lower() not in ("0", "false")
    if environment.get("TERM") == "dumb" or environment.get("CLICOLOR") == "0":
        return False
    return stream.isatty()
