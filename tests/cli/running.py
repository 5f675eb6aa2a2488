"""Running the command line: in this process, or in one of its own that can be interrupted."""

from __future__ import annotations

import contextlib
import io
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from unittest import mock

import pytest

from spfvar.cli.main import main

COMMAND = [sys.executable, "-c", "from spfvar.cli.main import main; main()"]


@dataclass(frozen=True)
class Done:
    """What a command left: its exit code and what it wrote."""

    returncode: int
    stdout: str
    stderr: str


def spfvar(*arguments: str, cwd: Path | None = None) -> Done:
    """Run the command line; nobody's terminal, and without the start of a process.  A traceback fails the test."""
    out, err = io.StringIO(), io.StringIO()
    with (
        contextlib.chdir(cwd or "."),
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(err),
        mock.patch.object(sys, "argv", ["spfvar", *arguments]),
        pytest.raises(SystemExit) as stop,
    ):
        main()
    assert isinstance(stop.value.code, int)
    return Done(stop.value.code, out.getvalue(), err.getvalue())


def interrupted(folder: Path, *arguments: str, after: float = 1.0) -> Done:
    """Start a process, and send it Ctrl-C so many seconds after it has loaded a plugin, which is behind all imports."""
    plugin, ready = folder / "ready.py", folder / "ready"
    plugin.write_text(
        "from pathlib import Path\nfrom spfvar.plugins.variant import Variant\n"
        f"VARIANTS = [Variant('ready', 't', 'k', 's')]\nPath({str(ready)!r}).touch()\n"
    )
    process = subprocess.Popen(
        [*COMMAND, *arguments, "--plugin", str(plugin)],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        # A shell may have left SIGINT ignored for its background jobs.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )  # fmt: skip
    until = time.monotonic() + 120
    while not ready.exists() and process.poll() is None and time.monotonic() < until:
        time.sleep(0.05)
    time.sleep(after)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=120)
    return Done(process.returncode, out, err)
