"""Options that several commands share, each defined once, and the command line that reports end with.

Options that take a list or assignments hand over what they mean, not the text; errors name the option.
"""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, TypeVar

import click

from spfvar import units
from spfvar.cli import completing
from spfvar.errors import InputError
from spfvar.matrix.plan import ALL_MACHINES, DEFAULT_DRAWS, DEFAULT_HARDWARE, DEFAULT_SEEDS

Command = TypeVar("Command", bound=Callable[..., Any])

PROGRAM = "spfvar"

_VERBOSE = f"{PROGRAM}.verbose"


def plugin_option(command: Command) -> Command:
    """--plugin as an argument ``plugins``, and --verbose, which `is_verbose` asks for."""
    return plugin_options("Say what each plugin brought; on a terminal it is said anyway.")(command)


def plugin_options(help_of_verbose: str) -> Callable[[Command], Command]:
    """The same, of a command that says other things with --verbose, too."""
    verbose = click.option(
        "-v",
        "--verbose",
        is_flag=True,
        expose_value=False,
        callback=_remember,
        help=help_of_verbose,
    )
    plugin = click.option(
        "--plugin",
        "plugins",
        multiple=True,
        metavar="FILE|MODULE",
        shell_complete=completing.files,
        help="Load variants from there; repeatable.",
    )
    return lambda command: plugin(verbose(command))


def _remember(context: click.Context, _parameter: click.Parameter, value: bool) -> None:
    context.meta[_VERBOSE] = value


def is_verbose() -> bool:
    """Was --verbose given?"""
    context = click.get_current_context(silent=True)
    return bool(context and context.meta.get(_VERBOSE))


output_option = click.option(
    "-o",
    "--output",
    metavar="FILE",
    shell_complete=completing.files,
    help="Write there instead of to the terminal.",
)


def scenario_option(default: str = "") -> Callable[[Command], Command]:
    """--scenario as an argument ``scenarios``; ``default``: what is taken without it, in words."""
    return click.option(
        "--scenario",
        "scenarios",
        multiple=True,
        metavar="NAME|GLOB|FILE.toml",
        shell_complete=completing.scenarios,
        help="Scenario; repeatable." + _default(default),
    )


def race_option(default: str = "") -> Callable[[Command], Command]:
    """--race as an argument ``races``; ``default``: what is taken without it, in words."""
    return click.option(
        "--race",
        "races",
        multiple=True,
        metavar="NAME|GLOB|FILE.toml",
        shell_complete=completing.races,
        help="Race; repeatable." + _default(default),
    )


def _default(words: str) -> str:
    return f"  [default: {words}]" if words else ""


def _threads(_context: click.Context, _parameter: click.Parameter, text: str | None) -> list[int]:
    with blame("--threads"):
        return units.parse_threads(text) if text else []


threads_option = click.option(
    "--threads", metavar="1,4,16", callback=_threads, help="Thread counts.  [default: the scenario's]"
)

hardware_option = click.option(
    "--hardware",
    default=DEFAULT_HARDWARE,
    show_default=True,
    metavar="NAME|FILE.toml",
    shell_complete=completing.hardware,
    help="Hardware profile.",
)


def machines_option(command: Command) -> Command:
    """--hardware of several machines, each of which `spfvar.matrix.plan.machines_named` reads."""
    return _machines("Hardware profile; of several, or all that came with spfvar, one table.")(command)


def every_machine_option(command: Command) -> Command:
    """--hardware, repeatable, as a tuple; every machine if it is not given."""
    words = f"Hardware profiles, by globs too; repeatable.{_default('all that came with spfvar')}"
    return _machines(words, several=True)(command)


def _machines(words: str, several: bool = False) -> Callable[[Command], Command]:
    return click.option(
        "--hardware",
        multiple=several,
        default=(ALL_MACHINES,) if several else DEFAULT_HARDWARE,
        show_default=not several,
        metavar="NAME|FILE.toml[,...]|all",
        shell_complete=completing.machines,
        help=words,
    )


def _settings(
    _context: click.Context, _parameter: click.Parameter, texts: Sequence[str]
) -> dict[str, list[str]]:
    with blame("--set"):
        return {name: value.split(",") for name, value in units.parse_assignments(texts).items()}


set_option = click.option(
    "--set",
    "settings",
    multiple=True,
    metavar="AXIS=VALUE[,VALUE]...",
    callback=_settings,
    shell_complete=completing.axes,
    help="Values of any other axis; repeatable.",
)


_seed = click.option("--seed", type=int, default=1, show_default=True, help="First seed.")


def seed_options(command: Command) -> Command:
    """--seeds and --seed of simulated runs."""
    seeds = click.option(
        "--seeds",
        type=int,
        metavar="N",
        default=DEFAULT_SEEDS,
        show_default=True,
        help="Independent runs per cell.",
    )
    return seeds(_seed(command))


def draw_options(command: Command) -> Command:
    """--draws, --seeds and --seed of simulated runs; none is given by default."""
    draws = click.option(
        "--draws",
        type=int,
        metavar="N",
        help="Runs per cell, each with other figures that the machine may have: how far a ratio depends "
        f"on these.  [default: {DEFAULT_DRAWS}]",
    )
    seeds = click.option(
        "--seeds",
        type=int,
        metavar="N",
        help="Runs per cell with one set of figures instead: intervals are of chance alone.",
    )
    return draws(seeds(_seed(command)))


def _jobs(_context: click.Context, _parameter: click.Parameter, jobs: int | None) -> int | None:
    if jobs is not None and jobs < 1:
        raise InputError(f"{jobs} jobs", key="--jobs", expected="1 or more")
    return jobs


def jobs_option(what: str) -> Callable[[Command], Command]:
    """--jobs; ``what``: of which so many run side by side."""
    return click.option(
        "--jobs",
        type=int,
        metavar="N",
        callback=_jobs,
        help=f"{what} to run side by side.  [default: all CPUs]",
    )


def format_option(forms: Sequence[str]) -> Callable[[Command], Command]:
    """--format as an argument ``form``; the first form is the default."""
    choice = click.Choice(list(forms))
    return click.option("--format", "form", type=choice, default=forms[0], show_default=True)


def given(parameter: str) -> bool:
    """Did the command line give the parameter?  If not, it has its default."""
    source = click.get_current_context().get_parameter_source(parameter)
    return source is click.core.ParameterSource.COMMANDLINE


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
_PLACES = ("-o", "--output", "--save", "--jobs", "--on")
_FLAGS = ("--no-store", "--dask")
#: Options that say how a comparison is shown, not which runs it has; `_BARE` have no value.
_VIEWS = ("--format", "--metric", "--fail-on", "--events", "-v", "--verbose")
_BARE = _VIEWS[3:]


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
        elif word in _FLAGS or word in _BARE:
            yield word, [word]
        elif option in (*_PLACES, *_VIEWS):
            yield (
                option,
                [word] if equals else [word, *([] if (value := next(words, None)) is None else [value])],
            )
        else:
            yield "", [word]
