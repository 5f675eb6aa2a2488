"""The command line and the Python API, as they document themselves."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator

import click
from click.testing import CliRunner

from docs._ext.markdown import plain, python
from spfvar import api
from spfvar.cli.main import cli

INTRODUCTION = """# Commands

What `--help` prints. Every command exits with 2 on bad input, after one message that says what, where and
what was expected, and with 130 when interrupted.
"""


def commands(group: click.Command = cli, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """The words of every command, groups before what they hold: ("compare",), ..."""
    if isinstance(group, click.Group):
        context = click.Context(group)
        for name in group.list_commands(context):
            command = group.get_command(context, name)
            assert command is not None
            yield (*path, name)
            yield from commands(command, (*path, name))


def page() -> str:
    """A section per command, with its help."""
    text = f"{INTRODUCTION}\n{_help(())}"
    return text + "".join(f"\n## `spfvar {' '.join(path)}`\n\n{_help(path)}" for path in commands())


def _help(path: tuple[str, ...]) -> str:
    result = CliRunner().invoke(cli, [*path, "--help"], prog_name="spfvar", terminal_width=80)
    assert result.exit_code == 0, result.output
    return f"```text\n{result.output.rstrip()}\n```\n"


def python_page() -> str:
    """The two functions of the Python API."""
    text = "# Python\n\nThe commands as functions, with pandas frames as results.\n"
    for function in (api.compare, api.check):
        doc = [line for line in (inspect.getdoc(function) or "").splitlines() if not line.startswith(">>>")]
        text += f"\n## `spfvar.{function.__name__}`\n\n{python(_signature(function))}\n"
        text += f"{plain(chr(10).join(doc).strip())}\n"
    return text


def _signature(function: Callable[..., object]) -> str:
    """A parameter a line, with types as they stand in the source."""
    lines = []
    for name, parameter in inspect.signature(function).parameters.items():
        star = "*" if parameter.kind is parameter.VAR_POSITIONAL else ""
        default = "" if parameter.default is parameter.empty else f" = {parameter.default!r}"
        lines.append(f"    {star}{name}: {parameter.annotation}{default},\n")
    result = inspect.signature(function).return_annotation
    return f"spfvar.{function.__name__}(\n{''.join(lines)}) -> {result}"
