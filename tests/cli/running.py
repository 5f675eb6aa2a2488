"""Running the command line: in this process, or in one of its own that can be interrupted."""

from __future__ import annotations

import contextlib
import inspect
import io
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from unittest import mock

import pytest

from spfvar.cli.main import main
from spfvar.mm import hooking
from spfvar.ops import properties

ROOT = Path(__file__).parents[2]
#: The command line as a process of its own, which takes a second to start.
COMMAND = [sys.executable, "-c", "from spfvar.cli.main import main; main()"]
#: What colours go by, and a test must not have from whoever started it.
_COLOURS = ("NO_COLOR", "FORCE_COLOR", "CLICOLOR", "CLICOLOR_FORCE")


@dataclass(frozen=True)
class Answer:
    """What a command line gave: its exit code and what it wrote."""

    code: int
    out: str
    err: str


class Terminal(io.StringIO):
    """A stream that says it is one."""

    def isatty(self) -> bool:
        """It is."""
        return True


def spfvar(
    *arguments: str, cwd: Path | None = None, columns: int = 0, environment: Mapping[str, str] | None = None,
    stdin: bytes = b"",
) -> Answer:  # fmt: skip
    """Run ``spfvar ARGUMENTS`` in this process, with pipes for all streams.  A traceback fails the test.

    ``columns``: stdout is a terminal of this width.  ``environment``: variables beside those that are set.
    """
    out, err = Terminal() if columns else io.StringIO(), io.StringIO()
    kept = {name: value for name, value in os.environ.items() if name not in _COLOURS}
    settings = {**kept, "TERM": "xterm", "COLUMNS": str(columns or 80), **(environment or {})}
    with (
        _as_a_process(),
        contextlib.chdir(cwd or "."),
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(err),
        mock.patch.dict(os.environ, settings, clear=True),
        mock.patch.object(sys, "argv", ["spfvar", *arguments]),
        mock.patch.object(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin))),
        pytest.raises(SystemExit) as stop,
    ):
        main()
    assert isinstance(stop.value.code, int)
    return Answer(stop.value.code, out.getvalue(), err.getvalue())


@contextlib.contextmanager
def _as_a_process() -> Iterator[None]:
    """What plugins' files declare ends with the run that executes them: the next one may have them elsewhere."""
    before = _declaring()
    try:
        yield
    finally:
        for file in _declaring() - before:
            if not file.startswith(str(ROOT)):  # what is shipped is imported once
                hooking.forget(file)
                properties.forget(file)


def _declaring() -> set[str]:
    """The files that have declared hook points or properties."""
    hooks = {inspect.unwrap(specification).__code__.co_filename for specification in hooking.HOOKS.values()}
    return hooks | set(properties._FILES.values())


def interrupted(folder: Path, *arguments: str, after: float = 1.0) -> Answer:
    """Start a process, and send it Ctrl-C so many seconds after it has loaded a plugin, which is behind all imports."""
    plugin, ready = folder / "ready.py", folder / "ready"
    plugin.write_text(
        "import os\nfrom pathlib import Path\nfrom spfvar.plugins.variant import Variant\n"
        f"VARIANTS = [Variant('ready', 't', 'k', 's')]\nPath({str(ready)!r}, str(os.getpid())).mkdir(parents=True)\n"
    )
    process = subprocess.Popen(
        [*COMMAND, *arguments, "--plugin", str(plugin)],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    until = time.monotonic() + 120
    own = ready / str(process.pid)  # it is loaded on trial before, by another process
    while not own.exists() and process.poll() is None and time.monotonic() < until:
        time.sleep(0.05)
    time.sleep(after)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=120)
    return Answer(process.returncode, out, err)
