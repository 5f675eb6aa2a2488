"""The command line and the Python API, as they document themselves."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator

import click
from click.testing import CliRunner

import spfvar
from docs._ext.markdown import plain, python
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
    """Every function that the package exports, then what they return that has methods of its own."""
    exported = [getattr(spfvar, name) for name in spfvar.__all__]
    text = "# Python\n\nWhat `import spfvar` has. [Python](../python.md) has examples.\n"
    for function in filter(inspect.isfunction, exported):
        doc = [line for line in (inspect.getdoc(function) or "").splitlines() if not line.startswith(">>>")]
        text += f"\n## `spfvar.{function.__name__}`\n\n{python(_signature(function))}\n"
        text += f"{plain(chr(10).join(doc).strip())}\n"
    for answer in filter(inspect.isclass, exported):
        text += f"\n## `spfvar.{answer.__name__}`\n\n{plain(inspect.getdoc(answer) or '')}\n"
        own = {name: value for one in answer.__mro__ if _is_ours(one) for name, value in vars(one).items()}
        for name, value in own.items():
            if not name.startswith("_") and (inspect.isfunction(value) or isinstance(value, property)):
                call = "()" if inspect.isfunction(value) else ""
                first, *_ = (inspect.getdoc(value) or "").split("\n\n")
                text += f"\n* `{name}{call}`: {plain(first)}\n"
    return text


def _is_ours(one: type) -> bool:
    return one.__module__.startswith("spfvar.")


def _signature(function: Callable[..., object]) -> str:
    """A parameter a line, with types as they stand in the source."""
    lines: list[str] = []
    for name, parameter in inspect.signature(function).parameters.items():
        star = "*" if parameter.kind is parameter.VAR_POSITIONAL else ""
        if parameter.kind is parameter.KEYWORD_ONLY and "*" not in "".join(lines):
            lines.append("    *,\n")
        default = "" if parameter.default is parameter.empty else f" = {parameter.default!r}"
        lines.append(f"    {star}{name}: {parameter.annotation}{default},\n")
    result = inspect.signature(function).return_annotation
    return f"spfvar.{function.__name__}(\n{''.join(lines)}) -> {result}"
