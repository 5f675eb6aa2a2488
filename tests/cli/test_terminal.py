"""Colours and widths: of a terminal and of nothing else, and no verdict is told by colour alone."""

from __future__ import annotations

import io
import re
from pathlib import Path

import pytest

from spfvar.cli.terminal import colour_wanted, width_of
from spfvar.render.paint import judged
from tests.cli.running import Terminal, spfvar

ESCAPE = re.compile(r"\x1b\[[0-9;]*m")
GREEN, RED, YELLOW, OFF = "\x1b[32m", "\x1b[1;31m", "\x1b[33m", "\x1b[0m"
PLUGIN = str(Path(__file__).parents[1] / "explore" / "broken.py")


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A small saved run, to be shown again and again."""
    path = str(tmp_path_factory.mktemp("runs") / "r.jsonl")
    options = ["--scenario", "file-cow", "--threads", "1,4,16", "--seeds", "2", "--save", path]
    assert spfvar("compare", "spf-anon", "spf-do-fault", *options).code == 0
    return path


COMMANDS = {
    "compare": ["compare", "--load", "RUN", "--metric", "faults_per_s", "--metric", "fault_p50"],
    "check": ["check", "no-rcu-free", "mmap-lock", "--race", "munmap-file", "--plugin", PLUGIN],
    "ablate": ["ablate", "per-vma-6.12", "--race", "munmap-anon", "--jobs", "1"],
    "list": ["list", "races"],
    "show": ["show", "file-cow"],
}


#: Those that search take seconds, and are shown at one width only.
WIDTHS = {"check": (60,), "ablate": (60,)}


@pytest.mark.parametrize("command", COMMANDS)
def test_text_fits_the_terminal_and_colours_add_nothing(command: str, run: str) -> None:
    """At each width; at 80 columns it is what a pipe gets, once the escapes are taken out."""
    arguments = [run if word == "RUN" else word for word in COMMANDS[command]]
    for columns in WIDTHS.get(command, (60, 80, 120)):
        shown = spfvar(*arguments, columns=columns).out
        plain = ESCAPE.sub("", shown)
        assert shown != plain
        # A single word that is wider, such as a path in a command line, may stick out.
        assert [line for line in plain.splitlines() if len(line) > columns and " " in line.strip()] == []
        if columns == 80:
            assert plain == spfvar(*arguments).out
            assert plain == spfvar(*arguments, columns=80, environment={"NO_COLOR": "1"}).out


def test_a_file_is_never_coloured(run: str, tmp_path: Path) -> None:
    """Nor as wide as the terminal beside it, nor is another form than a table."""
    path = tmp_path / "out.txt"
    forced = {"FORCE_COLOR": "1"}
    arguments = ["compare", "--load", run]
    assert spfvar(*arguments, "-o", str(path), columns=120, environment=forced).out == ""
    assert path.read_text() == spfvar(*arguments).out
    assert not ESCAPE.search(spfvar(*arguments, "--format", "mail", columns=120, environment=forced).out)
    assert ESCAPE.search(spfvar(*arguments, environment=forced).out)


@pytest.mark.parametrize(
    ("environment", "on_terminal", "on_pipe"),
    [
        ({}, True, False),
        ({"NO_COLOR": "1"}, False, False),
        ({"NO_COLOR": ""}, True, False),
        ({"NO_COLOR": "1", "FORCE_COLOR": "1"}, False, False),
        ({"FORCE_COLOR": "1"}, True, True),
        ({"FORCE_COLOR": "0"}, False, False),
        ({"CLICOLOR_FORCE": "1"}, True, True),
        ({"CLICOLOR": "0"}, False, False),
        ({"CLICOLOR": "1"}, True, False),
        ({"TERM": "dumb"}, False, False),
        ({"TERM": "dumb", "FORCE_COLOR": "3"}, True, True),
    ],
)
def test_who_wants_colours(environment: dict[str, str], on_terminal: bool, on_pipe: bool) -> None:
    """NO_COLOR before FORCE_COLOR and CLICOLOR_FORCE before the terminal's own nature."""
    assert colour_wanted(Terminal(), environment) == on_terminal
    assert colour_wanted(io.StringIO(), environment) == on_pipe


@pytest.mark.parametrize(("columns", "width"), [(40, 60), (60, 60), (100, 100), (300, 120)])
def test_widths_are_the_terminal_s_within_reason(
    columns: int, width: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Tables need 60 columns, and prose beyond 120 is hard to read; a pipe has 80."""
    monkeypatch.setenv("COLUMNS", str(columns))
    assert width_of(Terminal()) == width
    assert width_of(io.StringIO()) == 80


@pytest.mark.parametrize(
    ("line", "painted"),
    [
        ("x1.5 better  x0.5 WORSE", f"x1.5 {GREEN}better{OFF}  x0.5 {RED}WORSE{OFF}"),
        ("munmap-file  safe 604  P1 52 steps", f"munmap-file  {GREEN}safe{OFF} 604  {RED}P1{OFF} 52 steps"),
        ("truncate  safe* 12  incomplete 2M", f"truncate  {GREEN}safe*{OFF} 12  {YELLOW}incomplete{OFF} 2M"),
        ("incomplete: a, b: memory", f"{YELLOW}incomplete:{OFF} a, b: memory"),
        ("a, r: P12 broken in 3 steps", f"a, r: {RED}P12 broken{OFF} in 3 steps"),
        ("P2 in munmap-file, 73 steps: x", f"{RED}P2{OFF} in munmap-file, 73 steps: x"),
        ("=> a, r: no longer violated: fine", f"=> a, r: {GREEN}no longer violated:{OFF} fine"),
        ("unsafe betterment WORSEN P1x -safe", "unsafe betterment WORSEN P1x -safe"),
    ],
)
def test_only_whole_words_are_painted(line: str, painted: str) -> None:
    """A name that holds one is no verdict."""
    assert judged(line) == painted
