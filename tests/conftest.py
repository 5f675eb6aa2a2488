"""Compiled code is made before the workers start, if there is none yet."""

from __future__ import annotations

import gc
import os
import subprocess
import sys
from pathlib import Path

import pytest

from spfvar.transition.jit import cache_directory
from tests.warm import PARTS

# Millions of small objects that live as long as the tests: to look through them for cycles now and then is enough.
gc.set_threshold(100_000, 20, 50)

# Nothing that was computed before, in this run or another: tests are about what is computed.
os.environ["SPFVAR_STORE"] = "off"


def pytest_sessionstart(session: pytest.Session) -> None:
    """With several workers and an empty cache; a single process compiles what it needs when it needs it."""
    config = session.config
    workers = hasattr(config, "workerinput") or not config.getoption("numprocesses", None)
    if workers or config.option.collectonly or os.environ.get("NUMBA_DISABLE_JIT"):
        return
    if not any(cache_directory().rglob("*.nbi")):
        command = [sys.executable, "-m", "tests.warm"]
        root = Path(__file__).parents[1]
        programs = [subprocess.Popen([*command, part], cwd=root) for part in PARTS]
        assert [program.wait() for program in programs] == [0] * len(programs)
