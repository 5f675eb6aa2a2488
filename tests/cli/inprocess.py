"""The command line without a process of its own, which takes seconds to start."""

from __future__ import annotations

import contextlib
import io
import os
import sys
from dataclasses import dataclass
from unittest.mock import patch

from spfvar.cli.main import main


@dataclass(frozen=True)
class Answer:
    """What a command line gave."""

    code: int
    out: str
    err: str


class Terminal(io.StringIO):
    """A stream that says it is one."""

    def isatty(self) -> bool:
        """It is."""
        return True


def spfvar(*arguments: str, columns: int = 0, environment: dict[str, str] | None = None) -> Answer:
    """Run the command line as ``spfvar ARGUMENTS`` would, with pipes for stdout and stderr.

    ``columns``: stdout is a terminal of this width.  ``environment``: what has to do with colours.
    """
    out, err = Terminal() if columns else io.StringIO(), io.StringIO()
    colours = ("NO_COLOR", "FORCE_COLOR", "CLICOLOR", "CLICOLOR_FORCE")
    kept = {name: value for name, value in os.environ.items() if name not in colours}
    settings = {**kept, "TERM": "xterm", "COLUMNS": str(columns or 80), **(environment or {})}
    argv = patch.object(sys, "argv", ["spfvar", *arguments])
    environ = patch.dict(os.environ, settings, clear=True)
    with argv, environ, contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            main(list(arguments))
        except SystemExit as stop:
            return Answer(int(stop.code or 0), out.getvalue(), err.getvalue())
    raise AssertionError("main() came back")
