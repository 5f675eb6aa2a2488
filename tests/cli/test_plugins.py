"""What is said of --plugin on stderr: on a terminal or with --verbose, and nothing into a pipe."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from spfvar.cli import plugins
from tests.cli.running import Terminal, spfvar

IDEA = """
from spfvar.plugins.variant import Variant
VARIANTS = [Variant("my-idea", "an idea", "v5.12", "here"), Variant("spf-anon", "another", "v5.12", "here")]
"""
SAID = "plugin {}: variants spf-anon, my-idea (replaces spf-anon from spfvar.variants.spf)\n"


@pytest.fixture
def idea(tmp_path: Path) -> str:
    """A plugin with a variant of its own and one of a shipped name."""
    path = tmp_path / "my_idea.py"
    path.write_text(IDEA)
    return str(path)


def test_a_pipe_is_told_only_what_was_asked_for(idea: str) -> None:
    """--verbose changes nothing in a table that is shown anyway, but the line that reproduces it."""
    assert spfvar("list", "variants", "--plugin", idea).err == ""
    assert spfvar("list", "variants", "--plugin", idea, "-v").err == "spfvar: " + SAID.format(idea)
    quick = ["--scenario", "file-cow", "--threads", "1", "--seeds", "2", "--plugin", idea]
    quiet, told = spfvar("compare", "my-idea", *quick), spfvar("compare", "my-idea", "--verbose", *quick)
    assert " ".join(told.out.split()).replace("--verbose ", "").replace("\\ ", "") == " ".join(
        quiet.out.split()
    ).replace("\\ ", "")
    assert (quiet.err, told.err) == ("", "spfvar: " + SAID.format(idea))


def test_a_terminal_is_told(idea: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without being asked."""
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    plugins.load([idea])
    assert terminal.getvalue() == "spfvar: " + SAID.format(idea)


def test_a_table_says_whose_variant_a_name_stands_for(idea: str) -> None:
    """A shipped name with other figures must not look like the shipped variant, wherever the table goes."""
    quick = ["--scenario", "file-cow", "--threads", "1", "--seeds", "2", "--plugin", idea]
    shown = " ".join(spfvar("compare", "spf-anon", *quick).out.split())
    assert f"Note: spf-anon is that of {idea}, not of spfvar.variants.spf" in shown
    assert "Note:" not in spfvar("compare", "my-idea", *quick).out
