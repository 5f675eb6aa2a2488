"""Help, list and show."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from spfvar.cli.main import COMMANDS, cli
from spfvar.matrix import catalogue
from spfvar.mm.hookspecs import HOOKS


@pytest.mark.parametrize("command", list(COMMANDS))
def test_every_command_has_help_with_examples(command: str) -> None:
    """--help of each command shows at least one example."""
    result = CliRunner().invoke(cli, [command, "--help"])
    assert result.exit_code == 0
    assert f"spfvar {command}" in result.output


@pytest.mark.parametrize("kind", ["variants", "series", "scenarios", "hooks", "hardware"])
def test_lists_are_json_with_names(kind: str) -> None:
    """Every list is valid JSON whose rows have a name, a title and an origin."""
    rows = json.loads(CliRunner().invoke(cli, ["list", kind, "--format", "json"]).output)
    assert rows
    assert all({"name", "title", "origin"} <= set(row) for row in rows)


def test_everything_that_is_listed_can_be_shown() -> None:
    """show explains every scenario, profile and hook point by its name."""
    for name in [*catalogue.scenarios().names(), *catalogue.hardware().names(), *HOOKS]:
        result = CliRunner().invoke(cli, ["show", name])
        assert result.exit_code == 0
        assert name in result.output


def test_a_file_that_is_shown_is_run_as_a_file(tmp_path: Path) -> None:
    """The last line is a command that works, also for a file that no directory of ours holds."""
    for catalogue_of, option in (
        (catalogue.scenarios, "compare --scenario"),
        (catalogue.races, "check --race"),
    ):
        found = catalogue_of()
        file = tmp_path / "mine.toml"
        file.write_text(found.text(found.names()[0]) + "# mine\n")
        output = CliRunner().invoke(cli, ["show", str(file)]).output
        assert f"Run: spfvar {option} {file}" in " ".join(output.split())
