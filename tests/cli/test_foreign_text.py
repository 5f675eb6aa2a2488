"""What strangers wrote reaches a terminal as text: nothing in it moves, hides or recolours what we say."""

from __future__ import annotations

import ast
import os
from pathlib import Path

import pytest

from spfvar.cli import terminal
from spfvar.errors import printable
from tests.cli.running import Answer, spfvar

#: Clears the screen; sets the title; goes to the line's start; turns the reading order; ends a line.
CODES = "\x1b[2J\x1b]0;owned\x07\rSafe: yes\u202e\u2066\x9b1m\u2028"
PLUGIN = f"""
from spfvar.plugins.variant import Event, Variant
VARIANTS = [Variant("mine", {CODES!r}, {CODES!r}, {CODES!r}, events=(Event("e", "reason", {CODES!r}),),
            description={CODES!r})]
"""


def check(answer: Answer) -> None:
    """Nothing is left that `printable` would escape."""
    for text in (answer.out, answer.err):
        assert printable(text) == text


@pytest.mark.parametrize("columns", [0, 80])
def test_a_plugins_texts(tmp_path: Path, columns: int) -> None:
    """Shown and listed, on a terminal without colours and into a pipe; a file with a name like that, too."""
    path = tmp_path / f"a{CODES.replace('/', '')}.py"
    path.write_text(PLUGIN)
    environment = {"NO_COLOR": "1"}
    for line in (
        ["show", "mine"],
        ["list", "variants"],
        ["doctor"],
        ["list", "variants", "--format", "json"],
    ):
        answer = spfvar(*line, "--verbose", "--plugin", str(path), columns=columns, environment=environment)
        check(answer)
        assert "2J" in answer.out + answer.err


@pytest.mark.parametrize("name", [f"{CODES}.toml", "b\udcff.toml"])
def test_names_of_files(tmp_path: Path, name: str) -> None:
    """In an error, and as the name of a load."""
    path = tmp_path / name
    check(spfvar("show", str(path)))
    path.write_text(spfvar("show", "pft", "--format", "toml").out)
    check(spfvar("show", str(path)))


@pytest.mark.parametrize("escape", ["\\u001b[2J", "\\u202e", "\\u0007", "\\u009b1m", "\\u2028", "\\r"])
def test_a_title_in_toml_is_refused_by_its_line(tmp_path: Path, escape: str) -> None:
    """A file is its author's to correct."""
    path = tmp_path / "x.toml"
    path.write_text(
        spfvar("show", "pft", "--format", "toml").out.replace('title = "', f'title = "{escape}', 1)
    )
    answer = spfvar("show", str(path))
    check(answer)
    assert answer.code == 2
    assert "title: found the character \\" in answer.err


def test_a_file_that_is_written_holds_none_either(tmp_path: Path) -> None:
    """Somebody will print it."""
    place = terminal.Place(str(tmp_path / "out"))
    place.put(f"{CODES}\n\ttext\n")
    text = (tmp_path / "out").read_text()
    assert printable(text) == text
    assert text.endswith("\n\ttext\n")


def test_our_own_colours_pass_and_nobody_elses(capsys: pytest.CaptureFixture[str]) -> None:
    """Green is one of ours; blinking and a cleared screen are not."""
    terminal.say("\x1b[32msafe\x1b[0m \x1b[5m\x1b[2J", colour=True)
    assert capsys.readouterr().out == "\x1b[32msafe\x1b[0m \\x1b[5m\\x1b[2J\n"
    terminal.say("\x1b[32msafe", error=True)
    assert capsys.readouterr().err == "\\x1b[32msafe\n"


def test_every_text_goes_through_one_function() -> None:
    """No other module of the command line prints."""
    folder = Path(terminal.__file__).parent
    for file in sorted(folder.glob("*.py")):
        if file.name == os.path.basename(terminal.__file__):
            continue
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.Call):
                assert ast.unparse(node.func) not in ("click.echo", "click.secho", "print"), (
                    f"{file}:{node.lineno}"
                )
