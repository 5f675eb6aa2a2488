"""The bounds of searches: one default for every command that searches, in states, whatever runs side by side."""

from __future__ import annotations

import inspect
import json
import math

import click
import pytest

from spfvar.api.checking import check
from spfvar.cli.bounds import search_options
from spfvar.cli.main import COMMANDS, cli
from spfvar.conformance.running import Scope
from spfvar.explore.options import MAX_STATES, Options
from spfvar.explore.walk import WalkOptions
from tests.cli.running import spfvar

BOUNDS = {"max_states": MAX_STATES, "memory": None, "timeout": None}
SEARCH = {"check", "ablate", "bisect", "report", "check-plugin", "litmus"}


@pytest.mark.parametrize("name", sorted(SEARCH))
def test_every_command_that_searches_has_the_same_bounds(name: str) -> None:
    """Its options' defaults: a bound in states, and none in bytes or seconds."""
    command = cli.get_command(click.Context(cli), name)
    assert command is not None
    with command.make_context(name, ["x"], resilient_parsing=True) as context:
        assert {key: context.params[key] for key in BOUNDS} == BOUNDS


def test_no_other_command_bounds_a_search() -> None:
    """A new one that does belongs into the list above."""
    context = click.Context(cli)
    found = {name: cli.get_command(context, name) for name in COMMANDS}
    assert {
        name for name, one in found.items() if one and {p.name for p in one.params} & set(BOUNDS)
    } == SEARCH


def test_python_has_the_same_bounds() -> None:
    """`check`, the searches themselves, walks and the conformance kit."""
    options = Options()
    assert (options.max_states, options.max_bytes, options.seconds) == (MAX_STATES, None, math.inf)
    assert search_options(MAX_STATES, None, None) == options == Scope().options
    assert WalkOptions().seconds == math.inf
    parameters = inspect.signature(check).parameters
    names = ("max_states", "max_memory", "seconds")
    assert [parameters[name].default for name in names] == [MAX_STATES, None, math.inf]


@pytest.mark.parametrize("bound", [["--max-states", "3000"], ["--max-memory", "2MiB"]])
def test_a_bound_is_hit_at_the_same_state_whatever_runs_side_by_side(bound: list[str]) -> None:
    """Verdict, reason and counts of two searches, one of which hits the bound, on one core and on two."""
    command = ["check", "spf-anon", "mmap-lock", "--race", "fork-cow", *bound, "--format", "json"]
    answers = []
    for jobs in ("1", "2"):
        found = json.loads(spfvar(*command, "--jobs", jobs).out)
        answers.append([{key: one[key] for key in one if key != "seconds"} for one in found])
    assert answers[0] == answers[1]
    assert {one["verdict"] for one in answers[0]} == {"safe", "incomplete"}


def test_check_ablate_and_api_agree_on_what_is_open() -> None:
    """The same bound, the same verdict: a race that check leaves open is left open by ablate."""
    [cell] = json.loads(
        spfvar("check", "spf-anon", "--race", "fork-cow", "--max-states", "500", "--format", "json").out
    )
    frame = check("spf-anon", races=["fork-cow"], max_states=500)
    guards = json.loads(
        spfvar("ablate", "spf-anon", "--race", "fork-cow", "--max-states", "500", "--format", "json").out
    )
    assert (cell["verdict"], cell["why"]) == ("incomplete", "max-states")
    assert frame.states.tolist() == [cell["states"]]
    assert all(one["incomplete"] == ["fork-cow"] for one in guards)
