"""Compiled code is made before the workers start, if there is none yet."""

from __future__ import annotations

import gc
import os
import signal
import subprocess
import sys
from collections import Counter
from pathlib import Path
from zlib import crc32

import pytest

from spfvar.transition.jit import cache_directory
from tests.warm import PARTS

# Millions of small objects that live as long as the tests: to look through them for cycles now and then is enough.
gc.set_threshold(100_000, 20, 50)

# A shell leaves SIGINT ignored for its background jobs: tests that interrupt, and what they start, would not notice.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

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


#: Of tests with more cases than this (each design in each race, say) a whole run takes a third of them, or it
#: would take a quarter of an hour; SPFVAR_FULL=1 takes all, and so does who names a folder, a file or a test.
MANY = 20
#: Their cases take no time, and each is a file or a name of its own.
WHOLE = ("tests/test_architecture.py", "tests/test_docs.py")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave cases out where a whole run has very many of one test."""
    if os.environ.get("SPFVAR_FULL") or config.invocation_params.dir != config.rootpath or _named(config):
        return
    cases = Counter(item.nodeid.split("[")[0] for item in items)
    kept: list[pytest.Item] = []
    left_out: list[pytest.Item] = []
    for item in items:
        test = item.nodeid.split("[")[0]
        some = cases[test] > MANY and not test.startswith(WHOLE)
        (left_out if some and crc32(item.nodeid.encode()) % 3 else kept).append(item)
    items[:] = kept
    config.hook.pytest_deselected(items=left_out)


def _named(config: pytest.Config) -> bool:
    """Were tests asked for, by place or by name?"""
    return bool(config.option.keyword) or [str(arg) for arg in config.args] != list(
        config.getini("testpaths")
    )
