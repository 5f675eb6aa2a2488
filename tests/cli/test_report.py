"""The report command: what it refuses before it runs anything."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from pathlib import Path

import pytest

from spfvar.store.database import Store
from tests.cli.running import COMMAND, Answer, interrupted, spfvar

PATCH = str(Path(__file__).parents[2] / "reports" / "spf-24-37.patch")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["spf-do-faul"], "did you mean 'spf-do-fault'"),
        (["spf-do-fault", "--short", "--format", "markdown"], "--short is a form of mail"),
        (["spf-do-fault", "--against", "spf-map-page"], "did you mean 'spf-map-pages'"),
        (["spf-do-fault", "--against", "spf-do-fault"], "compared with itself"),
        (["spf-do-fault", "--patch", "no-such.patch"], "no-such.patch: cannot read"),
        (["spf-do-fault", "--patch", __file__], "there is no patch here"),
        (["spf-do-fault", "--scenario", "file-cwo"], "did you mean 'file-cow'"),
        (["spf-do-fault", "--race", "munmap-fil"], "did you mean 'munmap-file'"),
        (["spf-do-fault", "--seeds", "0"], "0 seeds"),
        (["spf-do-fault", "--jobs", "0"], "0 jobs"),
        (["spf-do-fault", "-o", "/no/such/folder/review.txt"], "its directory does not exist"),
        (["spf-do-fault", "--set", "hit_rat=1"], "did you mean"),
    ],
)
def test_bad_input_is_refused_at_once(arguments: list[str], message: str) -> None:
    """One message that names what is wrong and the nearest valid name."""
    answer = spfvar("report", *arguments)
    assert (answer.code, answer.out) == (2, "")
    assert message in answer.err


def test_a_page_is_not_written_to_a_terminal() -> None:
    """A real terminal, before anything is run; a pipe gets the page."""
    master, terminal = os.openpty()
    command = [*COMMAND, "report", "spf-do-fault", "--format", "html"]
    result = subprocess.run(command, stdout=terminal, stderr=subprocess.PIPE, text=True, timeout=60)
    os.close(terminal)
    os.close(master)
    assert result.returncode == 2
    assert "a page is not for a terminal; expected -o FILE, or a pipe" in result.stderr


def test_an_empty_patch_on_standard_input_is_refused() -> None:
    """A pipe that broke must not look like a review without a patch."""
    answer = spfvar("report", "spf-do-fault", "--patch", "-", stdin=b"")
    assert answer.code == 2
    assert "the patch is empty" in answer.err


def test_a_report_is_written_to_a_file_and_names_its_patch(tmp_path: Path) -> None:
    """The smallest scope that has a load and a race."""
    file = tmp_path / "review.txt"
    scope = ["--scenario", "file-cow", "--race", "munmap-file", "--threads", "1", "--seeds", "2"]
    small = ["--generated", "60", "--jobs", "1", "--short"]
    arguments = ["report", "spf-do-fault", "--patch", PATCH, *scope, *small, "-o", str(file)]
    assert spfvar(*arguments) == Answer(0, "", "")
    lines = file.read_text().splitlines()
    assert lines[0].startswith("SIMULATED review of spf-do-fault")
    assert any(line.startswith("[24/37] mm: implement speculative handling") for line in lines)
    assert len(lines) <= 25


@pytest.mark.parametrize("after", [1.0, 6.0])
def test_an_interrupt_ends_both_lanes_with_130(tmp_path: Path, after: float) -> None:
    """Ctrl-C while runs and searches work beside one another: one message, and no file."""
    file = tmp_path / "out" / "review.txt"
    file.parent.mkdir()
    began = time.monotonic()
    done = interrupted(
        tmp_path, "report", "spf-do-fault", "--jobs", "2", "--no-store", "-o", str(file), after=after
    )
    assert (done.code, done.out) == (130, "")
    assert done.err.strip() == "spfvar: interrupted; nothing was written"
    assert list(file.parent.iterdir()) == []
    assert time.monotonic() - began < 60  # a review takes minutes


def test_what_an_interrupted_report_had_finished_is_kept_of_both_lanes(tmp_path: Path) -> None:
    """Runs and verdicts are found again, and the bytes are those of an undisturbed review."""
    store = tmp_path / "results.sqlite"
    line = ["report", "spf-do-fault", "--scenario", "pft", "--race", "munmap-*", "--threads", "4",
            "--seeds", "2", "--generated", "0", "--jobs", "2"]  # fmt: skip
    undisturbed = spfvar(*line, "--no-store")
    environment = {**os.environ, "SPFVAR_STORE": str(store)}
    process = subprocess.Popen(
        [*COMMAND, *line], env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    until = time.monotonic() + 120
    while not {"run", "verdict"} <= kinds(store) and process.poll() is None and time.monotonic() < until:
        time.sleep(0.1)
    process.send_signal(signal.SIGINT)
    process.communicate()
    assert process.returncode == 130
    assert {"run", "verdict"} <= kinds(store)
    assert spfvar(*line, environment={"SPFVAR_STORE": str(store)}) == undisturbed


def kinds(file: Path) -> set[str]:
    """The kinds of entries that a store has so far."""
    if not file.exists():
        return set()
    store = Store(file)
    found = {kind.kind for kind in store.kinds()}
    store.close()
    return found
