"""The long form: every hostile plugin beside a good one, on the command line; SPFVAR_FUZZ=1 runs it.

``tests/plugins/test_hostile.py`` has a sample in the normal run.
"""

from __future__ import annotations

import os
import subprocess
import time
from pathlib import Path

import pytest

from spfvar.cpus import available_cpus
from tests.cli.running import COMMAND
from tests.fuzz.hostile import plugins, write

pytestmark = pytest.mark.skipif(
    not (os.environ.get("SPFVAR_FUZZ") or os.environ.get("SPFVAR_FULL")), reason="SPFVAR_FUZZ=1 runs these"
)
PLUGINS = plugins()
#: What a run may take on an idle machine.
SECONDS = 20.0


def test_there_are_as_many_as_promised() -> None:
    """Each with a text of its own."""
    assert len(set(PLUGINS.values())) == len(PLUGINS) >= 150


@pytest.mark.parametrize("name", PLUGINS)
def test_a_hostile_plugin_is_named_and_the_good_one_is_run(tmp_path: Path, name: str) -> None:
    """No traceback, no hang, the exit code of bad input; the good plugin's verdict or figures are there."""
    hostile, good = write(tmp_path, PLUGINS[name])
    race = "munmap-swap" if name.startswith("late") else "munmap-anon"
    command = ["check", "good", "hostile", "--race", race, "--jobs", "1"]
    if len(name) % 4 == 0 and not name.startswith("late"):  # no load of a moment reaches swap
        command = ["compare", "good", "hostile", "--scenario", "pft", "--threads", "1", "--seeds", "2"]
    before = time.monotonic()
    answer = subprocess.run(
        [*COMMAND, *command, "--plugin", hostile, "--plugin", good],
        capture_output=True, text=True, timeout=10 * SECONDS,
    )  # fmt: skip
    took = (time.monotonic() - before) / max(1.0, os.getloadavg()[0] / available_cpus())
    assert "Traceback" not in answer.stderr + answer.stdout
    assert answer.returncode == 2, answer.stderr
    assert took < SECONDS
    assert [line for line in answer.stderr.splitlines() if line.startswith("spfvar: ") and "hostile" in line]
    assert [line for line in answer.stdout.splitlines() if "good" in line]
