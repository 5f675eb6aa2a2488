"""The command line without a process of its own, which takes seconds to start."""

from __future__ import annotations

import contextlib
import io
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


def spfvar(*arguments: str) -> Answer:
    """Run the command line as ``spfvar ARGUMENTS`` would, with pipes for stdout and stderr."""
    out, err = io.StringIO(), io.StringIO()
    argv = patch.object(sys, "argv", ["spfvar", *arguments])
    with argv, contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            main(list(arguments))
        except SystemExit as stop:
            return Answer(int(stop.code or 0), out.getvalue(), err.getvalue())
    raise AssertionError("main() came back")
