"""Options that several commands share, and the command line that reports end with."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, TypeVar

import click

from spfvar.cli.completing import files
from spfvar.errors import InputError

Command = TypeVar("Command", bound=Callable[..., Any])

PROGRAM = "spfvar"

_VERBOSE = f"{PROGRAM}.verbose"


def plugin_option(command: Command) -> Command:
    """--plugin as an argument ``plugins``, and --verbose, which `is_verbose` asks for."""
    verbose = click.option(
        "-v",
        "--verbose",
        is_flag=True,
        expose_value=False,
        callback=_remember,
        help="Say what each plugin brought; on a terminal it is said anyway.",
    )
    plugin = click.option(
        "--plugin",
        "plugins",
        multiple=True,
        metavar="FILE|MODULE",
        shell_complete=files,
        help="Load variants from there; repeatable.",
    )
    return plugin(verbose(command))


def _remember(context: click.Context, _parameter: click.Parameter, value: bool) -> None:
    context.meta[_VERBOSE] = value


def is_verbose() -> bool:
    """Was --verbose given?"""
    context = click.get_current_context(silent=True)
    return bool(context and context.meta.get(_VERBOSE))


output_option = click.option(
    "-o", "--output", metavar="FILE", shell_complete=files, help="Write there instead of to the terminal."
)


@contextmanager
def blame(option: str) -> Iterator[None]:
    """Name the option in errors that name no place of their own."""
    try:
        yield
    except InputError as error:
        if error.file is None and error.key is None:
            raise error.located(key=option) from error
        raise


#: Options that say where results go and how fast, not what they are.
_PLACES = ("-o", "--output", "--save", "--jobs")
_FLAGS = ("-v", "--verbose")
#: Options that say how a comparison is shown, not which runs it has.
_VIEWS = ("--format", "--metric", "--fail-on")


def reproduce(arguments: Sequence[str]) -> str:
    """The command line without what only says where the output goes."""
    return shlex.join(["spfvar", *what_decides(arguments)])


def what_decides(arguments: Sequence[str]) -> list[str]:
    """The arguments without the options that only say where the output goes."""
    left_out = (*_PLACES, *_FLAGS)
    return [word for option, words in _options(arguments) if option not in left_out for word in words]


def with_views(arguments: Sequence[str], others: Sequence[str]) -> list[str]:
    """The arguments of a comparison, to be shown as those of another one are."""
    views, wanted = _views(arguments), _views(others)
    if sorted(views) == sorted(wanted):
        return list(arguments)
    rest = [word for option, words in _options(arguments) if option not in _VIEWS for word in words]
    return [*rest, *(word for words in wanted for word in words)]


def _views(arguments: Sequence[str]) -> list[list[str]]:
    return [words for option, words in _options(arguments) if option in _VIEWS]


def _options(arguments: Sequence[str]) -> Iterator[tuple[str, list[str]]]:
    """Take arguments apart: options of the above kinds with their values, anything else word by word."""
    words = iter(arguments)
    for word in words:
        option, equals, _ = word.partition("=")
        if word.startswith("-o") and len(word) > 2:
            yield "-o", [word]
        elif word in _FLAGS:
            yield word, [word]
        elif option in (*_PLACES, *_VIEWS):
            yield (
                option,
                [word] if equals else [word, *([] if (value := next(words, None)) is None else [value])],
            )
        else:
            yield "", [word]
