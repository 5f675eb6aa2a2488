"""A mistyped name is told before anything is imported that takes seconds."""

from __future__ import annotations

import subprocess
import sys

import pytest

#: What takes seconds to import.
SLOW = ("numba", "scipy", "pandas", "numpy")
#: Says on stderr, behind the error, what of that was imported.
CODE = """
import sys
sys.argv = ["spfvar", *sys.argv[1:]]
from spfvar.cli.main import main
try:
    main()
finally:
    print("imported:", *(name for name in {slow} if name in sys.modules), file=sys.stderr)
"""


@pytest.mark.parametrize(
    ("command", "says"),
    [
        ("compare spf-do-falt", "did you mean 'spf-do-fault'?"),
        ("compare --scenario pfft", "did you mean 'pft'?"),
        ("compare --metric faults_per_sec", "did you mean 'faults_per_s'?"),
        ("compare --hardware skylake", "unknown hardware profile"),
        ("check spf-do-falt", "did you mean 'spf-do-fault'?"),
        ("check --race munmap-flie", "did you mean 'munmap-file'?"),
        ("check --twins f11", "unknown twin"),
        ("ablate spf-do-falt", "did you mean 'spf-do-fault'?"),
        ("ablate spf-anon --race munmap-flie", "did you mean 'munmap-file'?"),
        ("report spf-do-falt", "did you mean 'spf-do-fault'?"),
        ("report spf-anon --race munmap-flie", "did you mean 'munmap-file'?"),
        ("bisect spff --race munmap-file", "did you mean 'spf'?"),
        ("coverage spf-do-falt", "did you mean 'spf-do-fault'?"),
        ("export --promela spf-do-falt munmap-file", "did you mean 'spf-do-fault'?"),
        ("show spf-do-falt", "did you mean 'spf-do-fault'?"),
        ("show spf-anon --diff spf-anonn", "did you mean 'spf-anon'?"),
        ("list variant", "is not one of"),
    ],
)
def test_a_mistyped_name_does_not_wait_for_the_simulator(command: str, says: str) -> None:
    """Exit code 2, the nearest name, and none of the slow imports."""
    done = subprocess.run(
        [sys.executable, "-c", CODE.format(slow=SLOW), *command.split()],
        capture_output=True, text=True, check=False, timeout=120,
    )  # fmt: skip
    *_, message, imported = done.stderr.splitlines()
    assert done.returncode == 2
    assert says in message
    assert imported.strip() == "imported:"
