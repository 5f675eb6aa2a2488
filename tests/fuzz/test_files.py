"""Scenarios, races, machines and saved verdicts that were changed: shown and run, or refused in words."""

from __future__ import annotations

import contextlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spfvar.errors import InputError
from spfvar.matrix import catalogue
from spfvar.matrix.plan import place_load
from spfvar.plugins.registry import load_registry
from spfvar.scenario.schema import Scenario
from spfvar.toml_input import load_toml
from spfvar.validation.points import load_rows
from spfvar.validation.run import loads_of, machines_of
from tests.fuzz.bounds import examples, tried
from tests.fuzz.mutations import changed, data

SCENARIOS = [catalogue.scenarios().text(name) for name in catalogue.scenarios().names()]
RACES = [catalogue.races().text(name) for name in catalogue.races().names()]
MACHINES = [catalogue.hardware().text(name) for name in catalogue.hardware().names()]
REGISTRY = load_registry()
PUBLISHED = [catalogue.published().text(name) for name in catalogue.published().names()]
#: Loads that a second is enough for, whatever machine it is.
FEW_FAULTS = 5000
CHEAP = ("--threads", "1", "--seeds", "1", "--jobs", "1", "--metric", "all")
FORMS = ("table", "markdown", "mail", "csv", "json")


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file that every example writes anew."""
    return tmp_path_factory.mktemp("files") / "own.toml"


def is_quick(path: Path) -> bool:
    """Does the load end soon: few faults, short programs, no day between two of them?"""
    try:
        scenario = load_toml(path, Scenario)
        point = {name: axis.parse(axis.values[0]) for name, axis in scenario.axes.items()} | {"threads": 1}
        load, _ = place_load("own", scenario, point)
    except InputError:
        return False
    waits = [time for group in load.groups for time in (*group.compute_ns, *group.every_ns)]
    ends = load.faults or sum(group.group.repeat for group in load.groups) * load.pages
    return load.threads <= 4 and ends + load.warmup <= FEW_FAULTS and max([load.io_ns, *waits]) < 1e9


@examples(30, 2500)
@given(st.sampled_from(SCENARIOS).flatmap(changed), st.sampled_from(FORMS))
def test_scenarios(file: Path, text: str, form: str) -> None:
    """Shown, and compared if that takes no longer than a second."""
    file.write_bytes(data(text))
    tried("show", str(file))
    if is_quick(file):
        tried("compare", "mmap-lock", "--scenario", str(file), *CHEAP, "--format", form)


@examples(30, 1500)
@given(st.sampled_from(PUBLISHED).flatmap(changed))
def test_published_rows(file: Path, text: str) -> None:
    """Read, and every name in them looked up; nothing is run, for they may ask for any number of threads."""
    file.write_bytes(data(text))
    known = catalogue.published()
    with contextlib.suppress(InputError):
        rows = load_rows(known, [str(file)])
        machines_of(rows, known, catalogue.hardware())
        loads_of(rows, known, catalogue.scenarios(), REGISTRY)


@examples(40, 2000)
@given(st.sampled_from(RACES).flatmap(changed), st.sampled_from(["table", "mail", "json", "github"]))
def test_races(file: Path, text: str, form: str) -> None:
    """Shown, and checked up to a few states."""
    file.write_bytes(data(text))
    if tried("show", str(file)).code == 0:
        bounds = ("--max-states", "500", "--timeout", "5s", "--jobs", "1")
        tried("check", "mmap-lock", "--race", str(file), *bounds, "--format", form)


@examples(20, 1000)
@given(st.sampled_from(MACHINES).flatmap(changed), st.sampled_from(FORMS))
def test_machines(file: Path, text: str, form: str) -> None:
    """A small load is run on it."""
    file.write_bytes(data(text))
    tried(
        "compare", "mmap-lock", "--hardware", str(file), "--scenario", "mmap-churn", *CHEAP, "--format", form
    )
