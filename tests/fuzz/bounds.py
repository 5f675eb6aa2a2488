"""How many examples the fuzzing runs, and what every answer of the command line has to be.

An ordinary test run takes a few hundred examples, the same each time.  ``make fuzz`` sets SPFVAR_FUZZ=1 and takes
more than 10,000, each time others.
"""

from __future__ import annotations

import faulthandler
import os
import time
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from hypothesis import HealthCheck, settings

from spfvar.errors import printable
from tests.cli.running import Answer, spfvar

LONG = bool(os.environ.get("SPFVAR_FUZZ"))
#: What docs/command-line.md promises.
CODES = {0, 1, 2, 3, 130}
#: No example may take longer; what hangs in compiled code is ended after so much.
SECONDS = 20.0
_HANGS = 120.0
#: Its files are where pytest has put them, in the last of its temporary folders.
HANGING = Path(__file__).parents[2] / "build" / f"hanging-{os.getpid()}.txt"


def examples(short: int, long: int) -> settings:
    """The number of examples of a property: in an ordinary run, and in the long form."""
    return settings(
        max_examples=long if LONG else short, derandomize=not LONG, deadline=None, database=None,
        suppress_health_check=list(HealthCheck),
    )  # fmt: skip


@contextmanager
def _ended_if_it_hangs(arguments: Sequence[str]) -> Iterator[None]:
    """End the process, with the command line and all tracebacks in `HANGING`: pytest has the other streams.

    A signal would not do, for compiled code looks for none.
    """
    HANGING.parent.mkdir(exist_ok=True)
    with HANGING.open("w") as file:
        print(ascii(arguments), file=file, flush=True)
        faulthandler.dump_traceback_later(_HANGS, exit=True, file=file)
        try:
            yield
        finally:
            faulthandler.cancel_dump_traceback_later()
    HANGING.unlink()


def tried(*arguments: str, cwd: Path | None = None, stdin: bytes = b"") -> Answer:
    """The answer to a command line: in time, with one of the codes, and harmless to a terminal.

    A traceback, a warning that becomes one, or any other exception fails by itself.
    """
    began = time.monotonic()
    with _ended_if_it_hangs(arguments), warnings.catch_warnings():
        warnings.simplefilter("error")
        answer = spfvar(*arguments, cwd=cwd, stdin=stdin)
    took = time.monotonic() - began
    assert took < SECONDS, f"{took:.0f} s"
    assert answer.code in CODES
    for text in (answer.out, answer.err):
        assert printable(text) == text
        assert "Traceback" not in text
    if answer.code == 2:
        assert answer.err.startswith("spfvar: ") or "Usage:" in answer.err
    return answer
