"""How many examples the fuzzing runs, and what every answer of the command line has to be.

An ordinary test run takes a few hundred examples, the same each time.  ``make fuzz`` sets SPFVAR_FUZZ=1 and takes
more than 10,000, each time others.
"""

from __future__ import annotations

import faulthandler
import os
import time
import warnings
from pathlib import Path

from hypothesis import HealthCheck, settings

from spfvar.errors import printable
from tests.cli.running import Answer, spfvar

LONG = bool(os.environ.get("SPFVAR_FUZZ"))
#: What docs/command-line.md promises.
CODES = {0, 1, 2, 3, 130}
#: No example may take longer; what hangs in compiled code is ended with a traceback after so much more.
SECONDS = 20.0
_HANGS = 120.0


def examples(short: int, long: int) -> settings:
    """The number of examples of a property: in an ordinary run, and in the long form."""
    return settings(
        max_examples=long if LONG else short, derandomize=not LONG, deadline=None, database=None,
        suppress_health_check=list(HealthCheck),
    )  # fmt: skip


def tried(*arguments: str, cwd: Path | None = None, stdin: bytes = b"") -> Answer:
    """The answer to a command line: in time, with one of the codes, and harmless to a terminal.

    A traceback, a warning that becomes one, or any other exception fails by itself.
    """
    began = time.monotonic()
    faulthandler.dump_traceback_later(_HANGS, exit=True, file=2)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            answer = spfvar(*arguments, cwd=cwd, stdin=stdin)
    finally:
        faulthandler.cancel_dump_traceback_later()
    took = time.monotonic() - began
    assert took < SECONDS, f"{took:.0f} s"
    assert answer.code in CODES
    for text in (answer.out, answer.err):
        assert printable(text) == text
        assert "Traceback" not in text
    if answer.code == 2:
        assert answer.err.startswith("spfvar: ") or "Usage:" in answer.err
    return answer
