"""spfvar doctor."""

from __future__ import annotations

import json
import os
import sys
import textwrap
from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import TYPE_CHECKING

import click

from spfvar.cli import terminal
from spfvar.cli.command import Command
from spfvar.cli.options import format_option, plugin_option

if TYPE_CHECKING:  # completion must not wait for the simulator
    from spfvar.diagnosis import Finding

#: How a status is spelt; what is broken can be found by its capitals.
WORDS = {"ok": "ok", "note": "note", "broken": "BROKEN"}


@click.command(name="doctor", cls=Command)
@format_option(("table", "json"))
@plugin_option
def command(form: str, plugins: tuple[str, ...]) -> int:
    """Look at the installation: versions, compiled code, cores, plugins, files, the terminal.

    Says of each thing that is broken what to do about it.

    \b
    Examples:
      spfvar doctor
      spfvar doctor --plugin my_idea.py
      spfvar doctor --format json

    Exit codes: 0 nothing is broken; 1 something is.
    """
    from spfvar.diagnosis import diagnose

    where = terminal.place(None, form)
    found = [*diagnose(plugins), *_terminal(where)]
    if form == "json":
        where.put(json.dumps([finding.as_dict() for finding in found], indent=2) + "\n")
    else:
        where.put("".join(f"{line}\n" for line in _lines(found, where)))
    return 1 if any(finding.status == "broken" for finding in found) else 0


def _terminal(where: terminal.Place) -> Iterator[Finding]:
    """What text looks like here, which only the process that prints it knows."""
    from spfvar.diagnosis import Finding

    if sys.stdout.isatty():
        names = [name for name in terminal.VARIABLES if os.environ.get(name)]
        by = f" (by {', '.join(names)})" if names else ""
        text = f"{where.width} columns, {'' if where.colour else 'no '}colours{by}"
    else:
        text = f"stdout is a pipe or a file: {where.width} columns"
    yield Finding("terminal", "stdout", "ok", text)
    encoding = sys.stdout.encoding or "ascii"
    if terminal.can_spell(encoding):
        yield Finding("terminal", "encoding", "ok", encoding)
    else:
        advice = "set LC_ALL=C.UTF-8 or PYTHONIOENCODING=utf-8, or use --format mail"
        yield Finding(
            "terminal", "encoding", "note", f"{encoding} has no \\xb1: it becomes a question mark", advice
        )


def _lines(found: Sequence[Finding], where: terminal.Place) -> Iterator[str]:
    """By section: each finding, and below it what to do."""
    from spfvar.render.paint import bold, judged

    width = max(min(len(finding.name), 14) for finding in found)
    for section, group in groupby(found, key=lambda finding: finding.section):
        yield bold(section) if where.colour else section
        for finding in group:
            status = WORDS[finding.status].ljust(6)
            head = f"  {judged(status) if where.colour else status}  {finding.name.ljust(width)}  "
            column = 12 + width
            # What is long, such as a path, gets a line of its own and the width of the terminal.
            longest = max(map(len, finding.text.split()), default=0)
            apart = len(finding.name) > width or longest > where.width - column
            indent = " " * (10 if apart else column)
            lines = _filled(finding.text, where.width - len(indent))
            if finding.advice:
                lines += _filled(f"-> {finding.advice}", where.width - len(indent))
            yield head.rstrip() if apart else head + lines.pop(0)
            yield from (indent + line for line in lines)
    broken = sum(finding.status == "broken" for finding in found)
    yield ""
    yield f"{broken} broken: see the arrows" if broken else "nothing is broken"


def _filled(text: str, width: int) -> list[str]:
    return textwrap.wrap(text, width, break_long_words=False, break_on_hyphens=False) or [""]
