"""spfvar show and list of what texts and tables are made of."""

from __future__ import annotations

import inspect
import json

import pytest

from spfvar.api.rows import KINDS
from spfvar.comparison.metrics import METRICS
from spfvar.explore.properties import PROPERTIES
from spfvar.mm.fault import MmapLockFault
from spfvar.mm.hookspecs import HOOKS
from spfvar.ops.vocabulary import constructors
from spfvar.plugins.registry import load_registry
from spfvar.plugins.texts import core_of
from tests.cli.running import spfvar


def shown(name: str) -> str:
    """The output of a show that works, as one line."""
    answer = spfvar("show", name)
    assert answer.code == 0, answer.err
    return " ".join(answer.out.split())


@pytest.mark.parametrize("kind", ["properties", "metrics", "events", "primitives"])
def test_what_is_listed_can_be_shown(kind: str) -> None:
    """Every name of the list, with the title that it has there."""
    rows = json.loads(spfvar("list", kind, "--format", "json").out)
    assert rows
    for row in rows:
        out = shown(row["name"])
        assert (
            all(part in out for part in row["title"].replace("``", "").split("; or: "))
            or kind == "primitives"
        )


def test_lists_are_complete() -> None:
    """As many as there are, and no list lacks in the help."""
    listed = {kind: {row["name"] for row in json.loads(spfvar("list", kind, "--format", "json").out)}
              for kind in ("properties", "metrics", "events", "primitives", "hooks")}  # fmt: skip
    assert listed["properties"] == set(PROPERTIES)
    assert listed["metrics"] == set(METRICS)
    assert listed["primitives"] == set(constructors())
    assert listed["hooks"] == set(HOOKS)
    assert listed["events"] == {e.name for v in load_registry().variants.values() for e in v.events}
    text = spfvar("list", "--help").out
    assert [kind for kind in KINDS if kind not in text] == []


def test_a_hook_point_has_the_cores_text() -> None:
    """As it is written, line by line, also where a line is longer than the terminal."""
    assert core_of("pte_map_lock") is MmapLockFault
    out = spfvar("show", "pte_map_lock").out
    for line in inspect.getsource(MmapLockFault.pte_map_lock).splitlines():
        assert f"{line}\n" in out
    assert "spf-anon: PteMapLock" in out


def test_a_hook_point_that_only_a_series_has_says_so() -> None:
    """It was declared by a patch."""
    declared = next(name for name in HOOKS if core_of(name) is None)
    assert "a patch declares it" in shown(declared)


def test_an_event_says_who_counts_it_and_what_it_means_there() -> None:
    """One name may have two meanings."""
    out = shown("spf_abort_odd")
    assert "a writer held mmap_lock when the fault began" in out
    assert "a writer was changing the VMA when the fault began" in out
    assert "counted by: spf-anon, spf-do-fault" in out


def test_a_metric_says_which_way_is_better() -> None:
    """Direction, unit and noise of the table of metrics."""
    out = shown("fault_p99")
    assert "unit: ns; lower is better; arithmetic mean" in out
    assert "differences up to 3% are noise" in out


def test_a_property_names_the_bugs_that_break_it() -> None:
    """Written small, too."""
    assert "f1@mmap-lock" in shown("P6")
    assert shown("p6") == shown("P6")


def test_a_name_of_two_things_shows_both() -> None:
    """mprotect is a race and a hook point."""
    out = shown("mprotect")
    assert "Actors:" in out
    assert "Implemented by:" in out


@pytest.mark.parametrize(("typo", "meant"), [("faults_per_sec", "faults_per_s"), ("spin_lokc", "spin_lock")])
def test_a_mistyped_name_is_told_with_the_nearest(typo: str, meant: str) -> None:
    """Of all kinds."""
    answer = spfvar("show", typo)
    assert answer.code == 2
    assert f"did you mean '{meant}'?" in answer.err
