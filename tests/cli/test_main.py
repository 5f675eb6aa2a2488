"""The command line as a process: what it does beside its command."""

from __future__ import annotations

import subprocess
import sys

SCRIPT = """
import atexit, gc, sys
atexit.register(lambda: print("frozen", gc.get_freeze_count() > 10_000, file=sys.stderr))  # runs last
from spfvar.cli.main import main
for _ in range(2):
    try:
        main(["list", "scenarios"])
    except SystemExit as left:
        code = left.code
sys.exit(code)
"""


def test_a_process_that_ends_looks_for_no_garbage() -> None:
    """Not among what is there for good; however often the command line was called, it leaves as it did."""
    done = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True, check=True)
    assert done.stderr == "frozen True\n"
    assert done.stdout.count("pft") >= 2
