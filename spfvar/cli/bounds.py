"""The bounds of searches, the same for every command that searches."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import click

from spfvar import units
from spfvar.cli.options import Command, blame
from spfvar.errors import InputError
from spfvar.explore.options import MAX_STATES

if TYPE_CHECKING:  # completion must not wait for the explorer
    from spfvar.automata.weaken import Memory
    from spfvar.explore.options import Options


def bound_options(command: Command) -> Command:
    """--max-states, --max-memory and --timeout of each search, as `search_options` takes them."""
    states = click.option(
        "--max-states", type=int, default=MAX_STATES, show_default=True, metavar="N",
        help="Bound of each search.",
    )  # fmt: skip
    memory = click.option(
        "--max-memory", "memory", metavar="SIZE",
        help="Another bound of each search, such as 2GiB.  [default: none]",
    )  # fmt: skip
    timeout = click.option(
        "--timeout", metavar="DURATION",
        help="Another bound, such as 60s: then the machine decides what is found.  [default: none]",
    )  # fmt: skip
    return states(memory(timeout(command)))


memory_option = click.option(
    "--memory", "model", metavar="MODEL", default="sc", show_default=True,
    help="Memory model: sc (sequential consistency) or lkmm (the kernel's; see docs/weak-memory.md).",
)  # fmt: skip


def memory_of(text: str) -> Memory:
    """The memory model of a name.  InputError for what is none."""
    from spfvar.automata.weaken import memory_named

    return memory_named(text)


def search_options(max_states: int, memory: str | None, timeout: str | None) -> Options:
    """The bounds of each search.  InputError for what is none."""
    from spfvar.explore.options import bounded

    with blame("--max-memory"):
        most = None if memory is None else units.parse_size(memory)
    if timeout is not None and timeout.isdigit():  # elsewhere it would be nanoseconds
        raise InputError(
            f"{timeout} has no unit", key="--timeout", expected="a duration", suggestion=f"{timeout}s"
        )
    with blame("--timeout"):
        seconds = math.inf if timeout is None else units.parse_duration(timeout) / 1e9
    return bounded(max_states, most, seconds)
