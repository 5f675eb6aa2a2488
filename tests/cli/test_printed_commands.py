"""Every command line that a command prints is one that works: it parses, and names what there is."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from spfvar.cli.hints import USES
from spfvar.matrix.catalogue import OWN
from tests.cli.running import spfvar
from tests.docs.test_commands import parse

PLUGIN = str(Path(__file__).parents[1] / "explore" / "broken.py")
#: A command that ends where the line does, behind what it is for.
PRINTED = re.compile(r"^(?:[\w ]+: )?(spfvar (?:.*\\\n)*.*)$", re.MULTILINE)


def printed(text: str) -> list[list[str]]:
    """The commands of a text, as a shell takes them."""
    return [shlex.split(found.replace("\\\n", ""))[1:] for found in PRINTED.findall(text)]


@pytest.mark.parametrize(
    ("name", "count"),
    [
        ("pft", 1),
        ("munmap-file", 1),
        ("f1@mmap-lock", 2),
        ("mmap-lock", 2),
        ("spf-do-fault", 2),
        ("spf~24", 2),
        ("spf", 1),
        ("faults_per_s", 1),
        ("P6", 1),
    ],
)
def test_what_show_prints_can_be_run(name: str, count: int) -> None:
    """As it stands: no line is broken, nothing is left to be filled in.  What takes long is only parsed."""
    commands = printed(spfvar("show", name).out)
    assert len(commands) == count
    for command in commands:
        parse(list(command))
        if command[0] == "show":
            answer = spfvar(*command)
            assert (answer.code, answer.err) == (0, "")


def test_a_twins_command_runs_and_finds_it() -> None:
    """It exits with 0: found as published."""
    [check, diff] = printed(spfvar("show", "f1@mmap-lock").out)
    assert spfvar(*check).code == 0
    assert "f1@mmap-lock (+) against mmap-lock (-)" in spfvar(*diff).out


@pytest.mark.parametrize("name", ["no-rcu-free", "t1@spf-do-fault"])
def test_commands_for_what_is_a_plugins_load_it(name: str) -> None:
    """Without the plugin there would be no such name."""
    commands = printed(spfvar("show", name, "--plugin", PLUGIN).out)
    assert commands
    for command in commands:
        assert command[-2:] == ["--plugin", PLUGIN]
        answer = spfvar(*command)
        assert answer.code == 0
        assert not answer.err or "-v" in command  # which says what the plugin brought


def test_a_name_that_needs_quotes_is_quoted() -> None:
    """A shell would expand the tilde's pattern otherwise."""
    assert ["show", "spf~24", "-v"] in printed(spfvar("show", "spf~24").out)


def test_what_check_prints_can_be_run() -> None:
    """The line that reproduces it, and a replay for every race that breaks, folded or not."""
    out = spfvar("check", "no-rcu-free", "--plugin", PLUGIN, "--race", "munmap-*").out
    commands = printed(out)
    assert [command for command in commands if command[0] == "check"]
    replays = [command for command in commands if command[0] == "replay"]
    broken = len(re.findall(r"^munmap-\S+ +P\d+ ", out, re.MULTILINE))
    assert len(replays) == broken > 1
    for command in replays:
        assert spfvar(*command).code == 0


@pytest.mark.parametrize("hint", [*USES.values(), *(f"{use} {{0}}.toml" for use in OWN.values())])
def test_what_errors_advise_parses(hint: str) -> None:
    """Each of the alternatives."""
    for command in hint.format("some-name").split(", or "):
        parse(shlex.split(command)[1:])
