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
from spfvar.errors import printable
from spfvar.render.paint import CODES

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
            write_atomically(self.output, printable(text))
        else:
            say(text, newline=False, colour=self.colour)


def say(text: str, *, error: bool = False, newline: bool = True, colour: bool = False) -> None:
    """Print a text; the one way to the terminal, so that nothing foreign in it can steer that.

    ``error``: to stderr.  ``colour``: the codes of `spfvar.render.paint` are ours, and stay.
    """
    parts = CODES.split(text) if colour else [text]  # every second one is a code
    safe = "".join(part if i % 2 else printable(part) for i, part in enumerate(parts))
    click.echo(safe, err=error, nl=newline, color=colour or None)


def progress(text: str = "") -> None:
    """Put a line on stderr in the place of the last one."""
    click.echo(f"\r\x1b[K{printable(text)}", err=True, nl=False)


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
