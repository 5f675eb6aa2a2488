"""Lines of text: sentences that are wrapped, and code and commands that stand as they are."""

from __future__ import annotations

import shlex
import textwrap
from collections.abc import Sequence

from spfvar.cli import terminal


class Verbatim(str):
    """A line that is never wrapped: a reader copies it."""

    __slots__ = ()


def wrapped(line: str, width: int = terminal.WIDTH) -> str:
    """The line within ``width`` columns, continued two columns further in."""
    if isinstance(line, Verbatim):
        return line
    indent = " " * (len(line) - len(line.lstrip()) + 2)
    return textwrap.fill(
        line, width, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False
    )


def command_line(*words: str, plugins: Sequence[str] = ()) -> str:
    """A command that works as it stands: what a name is of has to be loaded again."""
    return shlex.join(["spfvar", *words, *(word for plugin in plugins for word in ("--plugin", plugin))])


def said(what: str, *words: str, plugins: Sequence[str] = ()) -> Verbatim:
    """A command behind what it is for."""
    return Verbatim(f"{what}: {command_line(*words, plugins=plugins)}")
