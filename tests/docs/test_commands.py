"""Every spfvar command that a page or a help text shows is one that the command line takes."""

from __future__ import annotations

import itertools
import re
import shlex
from collections.abc import Iterator
from contextlib import suppress

import click
import pytest

from docs._ext.commands import commands
from spfvar.cli.main import cli
from tests.docs.blocks import PAGES

#: In code between backticks, or at the start of a line of code; an explanation may stand behind two spaces.
_INLINE = re.compile(r"`(spfvar\s[^`]+)`")
_LINE = re.compile(r"^(?:\$ | {2,})?(spfvar (?:[^ \n]| (?! ))*)", re.MULTILINE)


def shown(text: str) -> Iterator[str]:
    """The commands of a text: several on a line, and alternatives between bars, one by one."""
    text = text.replace("\\\n", " ")
    for line in [*_INLINE.findall(text), *_LINE.findall(text)]:
        words = shlex.shlex(line, posix=True, punctuation_chars=";>&")
        words.whitespace_split, words.commenters = True, ""
        for ends, command in itertools.groupby(words, key=lambda word: word in (";", ">", "&&", "|")):
            for name, *choice in [] if ends else itertools.product(*(word.split("|") for word in command)):
                if name == "spfvar" and choice:
                    yield shlex.join(choice)


def parse(words: list[str]) -> None:
    """Have click read a command line without running it; raises click's error for what it does not know."""
    command: click.Command = cli
    while isinstance(command, click.Group) and words and not words[0].startswith("-"):
        found = command.get_command(click.Context(command), words[0])
        if found is None:
            raise click.UsageError(f"there is no command {words[0]!r}")
        command, words = found, words[1:]
    # --help and --version end the parsing; a sentence that names a command may leave its arguments out.
    with suppress(click.exceptions.Exit, click.MissingParameter, click.exceptions.NoArgsIsHelpError):
        command.make_context("spfvar", list(words))


def help_texts() -> Iterator[tuple[str, str]]:
    """The help of each command, with its examples."""
    for path in commands():
        command: click.Command = cli
        for name in path:
            assert isinstance(command, click.Group)
            command = command.get_command(click.Context(command), name) or command
        yield " ".join(path), command.help or ""


PLACES = [*((page.name, page.read_text(encoding="utf-8")) for page in PAGES), *help_texts()]
SHOWN = sorted({(place, command) for place, text in PLACES for command in shown(text)})


@pytest.mark.parametrize(("place", "command"), SHOWN)
def test_a_shown_command_parses(place: str, command: str) -> None:
    """Its name, options and kinds of arguments exist."""
    parse(shlex.split(command))


@pytest.mark.parametrize(
    "command", ["compare --thread 1", "list hook", "chek", "show --plugin", "check --jobs y"]
)
def test_a_wrong_one_does_not(command: str) -> None:
    """Unknown options, choices and commands, missing and mistyped values."""
    with pytest.raises(click.UsageError):
        parse(shlex.split(command))


def test_commands_are_found_in_every_form() -> None:
    """In a sentence, indented with an explanation, behind a prompt, with alternatives."""
    text = (
        "Run `spfvar show\npft`.\n\n    spfvar check           every race\n\n```\n"
        "$ spfvar list races|twins > file\n```\n"
    )
    assert list(shown(text)) == ["show pft", "check", "list races", "list twins"]
