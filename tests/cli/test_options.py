"""The command line that reports end with: what decides them is kept, where they go is not."""

from __future__ import annotations

import click
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spfvar.cli.main import COMMANDS, cli
from spfvar.cli.options import blame, reproduce, what_decides, with_views
from spfvar.errors import InputError
from tests.cli.running import spfvar

#: What click would take: options with their values, in one word or two, and names.
PIECES = [
    "compare",
    "spf-anon",
    "-o out",
    "-oout",
    "--output x",
    "--output=x",
    "--save r",
    "--jobs=2",
    "--jobs 2",
]
PIECES += [
    "-v",
    "--verbose",
    "--format csv",
    "--format=csv",
    "--metric all",
    "--fail-on worse>5%",
    "--set a=b",
]
WORDS = st.lists(st.sampled_from(PIECES), max_size=8).map(lambda pieces: " ".join(pieces).split())


SHARED = (
    "--scenario",
    "--race",
    "--threads",
    "--hardware",
    "--set",
    "--seeds",
    "--max-memory",
    "--memory",
    "--format",
    "--plugin",
)


SEVERAL = {("compare", "--hardware"), ("gallery", "--hardware")}


@pytest.mark.parametrize("option", SHARED)
def test_an_option_is_spelt_and_completed_alike_in_every_command(option: str) -> None:
    """Its argument has one name, one metavar and one completion; replay's races are files alone.

    compare and gallery have several machines where others have one.
    """
    context = click.Context(cli)
    found = {
        (parameter.name, parameter.metavar, parameter._custom_shell_complete)
        for name in COMMANDS
        if name not in ("show", "replay") and (name, option) not in SEVERAL
        for command in [cli.get_command(context, name)]
        if command is not None
        for parameter in command.params
        if option in parameter.opts
    }
    assert len(found) == 1


@pytest.mark.parametrize("command", ["compare mmap-lock", "report mmap-lock", "bisect spf --scenario pft"])
@pytest.mark.parametrize(
    ("options", "says"),
    [
        ("--threads 0", '--threads: "0" is not a thread count or range; expected thread counts 1..1024'),
        ("--set hit_rate", '--set: "hit_rate" is not an assignment; expected NAME=VALUE'),
        ("--jobs 0", "--jobs: 0 jobs; expected 1 or more"),
    ],
)
def test_a_wrong_value_names_the_option_in_every_command(command: str, options: str, says: str) -> None:
    """Before plugins and files are looked at."""
    answer = spfvar(*command.split(), "--plugin", "nowhere.py", *options.split())
    assert (answer.code, answer.out) == (2, "")
    assert answer.err.startswith(f"spfvar: {says}")


@given(WORDS)
def test_what_decides_is_part_of_what_was_given(words: list[str]) -> None:
    """In its order, and nothing is left to be taken away."""
    kept = what_decides(words)
    rest = iter(words)
    assert all(word in rest for word in kept)
    assert what_decides(kept) == kept
    assert not {"--output", "--save", "--jobs", "-o"} & set(kept)


@given(WORDS, WORDS)
def test_a_view_takes_the_place_of_another(words: list[str], others: list[str]) -> None:
    """Then it is that of the other; a command line has its own view already."""
    assert with_views(words, words) == words
    once = with_views(words, others)
    assert with_views(once, others) == once


@pytest.mark.parametrize(
    ("words", "line"),
    [
        ("compare a -o out.txt --jobs 2 --threads 1,4", "spfvar compare a --threads 1,4"),
        ("compare --output=out.txt a --save r.jsonl -v", "spfvar compare a -v"),
        ("compare a -oout.txt --format mail", "spfvar compare a --format mail"),
        ("compare a --scenario *", "spfvar compare a --scenario '*'"),
    ],
)
def test_the_line_that_reproduces_a_report(words: str, line: str) -> None:
    """As a shell takes it."""
    assert reproduce(words.split()) == line


@pytest.mark.parametrize(
    ("words", "others", "merged"),
    [
        ("compare a --format csv", "compare --load r --format mail", "compare a --format mail"),
        ("compare --metric x a --metric=y", "compare --load r", "compare a"),
        (
            "compare --format csv a --metric x",
            "compare --metric x --format csv",
            "compare --format csv a --metric x",
        ),
        ("compare a", "compare --fail-on worse>5% --load r", "compare a --fail-on worse>5%"),
        ("compare a -v --check", "compare --load r --events", "compare a --check --events"),
    ],
)
def test_the_line_of_a_run_that_is_shown_in_another_way(words: str, others: str, merged: str) -> None:
    """Which cells from the one, how they are shown from the other."""
    assert with_views(words.split(), others.split()) == merged.split()


def test_an_error_names_the_option_unless_it_names_a_place() -> None:
    """A file's line says more than the option that named the file."""
    with pytest.raises(InputError, match=r"^--set: wrong$"), blame("--set"):
        raise InputError("wrong")
    with pytest.raises(InputError, match=r"^f: wrong$"), blame("--set"):
        raise InputError("wrong", file="f")


def _single(command: click.Command) -> list[str]:
    return [
        max(p.opts, key=len)
        for p in command.params
        if isinstance(p, click.Option) and not (p.multiple or p.is_flag) and p.nargs == 1
    ]


def _commands() -> list[tuple[str, click.Command]]:
    context = click.Context(cli)
    found = [(name, cli.get_command(context, name)) for name in COMMANDS]
    groups = [(name, one) for name, one in found if isinstance(one, click.Group)]
    leaves = [(name, one) for name, one in found if one is not None and not isinstance(one, click.Group)]
    return [
        *leaves,
        *((f"{name} {sub}", one) for name, group in groups for sub, one in group.commands.items()),
    ]


@pytest.mark.parametrize(
    ("command", "option"), [(name, option) for name, one in _commands() for option in _single(one)]
)
def test_an_option_with_one_value_is_refused_if_it_is_given_twice(command: str, option: str) -> None:
    """In every command, before anything else is looked at; click would take the last."""
    answer = spfvar(*command.split(), option, "1", f"{option}=2")
    assert (answer.code, answer.out) == (2, "")
    assert answer.err == f"spfvar: {option}: given 2 times; expected one value\n"


def test_short_and_long_names_of_an_option_are_the_same_option() -> None:
    """One file, or none."""
    answer = spfvar("compare", "-o", "a", "--output", "b")
    assert (answer.code, answer.err) == (2, "spfvar: --output: given 2 times; expected one value\n")


def test_flags_and_options_that_may_be_repeated_are_taken() -> None:
    """A flag says the same twice; a variant's whole protocol for two kinds of faults."""
    answer = spfvar("show", "mmap-lock", "-v", "-v", "--fault", "anon-read", "--fault", "anon-write")
    assert answer.code == 0
