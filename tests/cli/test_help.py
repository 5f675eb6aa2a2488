"""Help, list and show."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from spfvar.api.rows import KINDS
from spfvar.cli.main import COMMANDS
from spfvar.matrix import catalogue
from spfvar.mm.hookspecs import HOOKS
from tests.cli.running import spfvar


@pytest.mark.parametrize("command", list(COMMANDS))
def test_every_command_has_help_with_examples(command: str) -> None:
    """--help of each command shows at least one example."""
    answer = spfvar(command, "--help")
    assert answer.code == 0
    _usage, _, explained = answer.out.partition("\n")
    assert f"spfvar {command}" in explained
    assert [line for line in answer.out.splitlines() if len(line) > 80] == []


@pytest.mark.parametrize("kind", list(KINDS))
def test_lists_are_json_with_names(kind: str) -> None:
    """Every list is valid JSON whose rows have a name, a title and an origin."""
    rows = json.loads(spfvar("list", kind, "--format", "json").out)
    assert rows
    assert all({"name", "title", "origin"} <= set(row) for row in rows)


def test_everything_that_is_listed_can_be_shown() -> None:
    """show explains every scenario, profile and hook point by its name."""
    for name in [*catalogue.scenarios().names(), *catalogue.hardware().names(), *HOOKS]:
        answer = spfvar("show", name)
        assert answer.code == 0
        assert name in answer.out


def test_a_file_that_is_shown_is_run_as_a_file(tmp_path: Path) -> None:
    """The last line is a command that works, also for a file that no directory of ours holds."""
    for catalogue_of, option in (
        (catalogue.scenarios, "compare --scenario"),
        (catalogue.races, "check --race"),
    ):
        found = catalogue_of()
        file = tmp_path / "mine.toml"
        file.write_text(found.text(found.names()[0]) + "# mine\n")
        output = spfvar("show", str(file)).out
        assert f"Run: spfvar {option} {file}" in " ".join(output.split())
