"""What races execute of barriers, and which loads return old values in them."""

from __future__ import annotations

import json
from typing import Any

from spfvar.explore.options import Options
from spfvar.faultpaths.barriers import BarrierCoverage, barrier_coverage
from spfvar.matrix import catalogue
from spfvar.plugins.variant import Stack
from spfvar.render.barriers import render_barriers
from tests.explore.weakworlds import RACE, registry


def coverage_of(name: str, *races: str, **bounds: Any) -> BarrierCoverage:
    """A design's, in some races."""
    chosen = {race: catalogue.races()[race] for race in races or (RACE,)}
    stack = Stack(registry().any_variant(f"weak-{name}"))
    return barrier_coverage(name, stack, chosen, Options(first=False, livelock=False, **bounds))


def test_every_barrier_and_weak_load_is_listed_and_reached() -> None:
    """Both fences, the loads of flag and data; whoever reads the flag late reads an old value."""
    found = {(use.kind, use.name): use for use in coverage_of("fences").uses}
    assert set(found) == {
        ("fence", "smp_rmb()"), ("fence", "smp_wmb()"), ("load", "load(mm->flag)"), ("load", "load(mm->data)"),
    }  # fmt: skip
    assert all(use.reached == [RACE] for use in found.values())
    assert found["load", "load(mm->flag)"].stale == [RACE]
    assert found["load", "load(mm->data)"].stale == []  # behind both barriers
    assert found["fence", "smp_rmb()"].stale is None


def test_without_a_barrier_the_load_behind_it_returns_old_values() -> None:
    """Which is what the race breaks by; the search goes on behind that."""
    found = {use.name: use for use in coverage_of("no-rmb").uses}
    assert found["load(mm->data)"].stale == [RACE]


def test_a_barrier_behind_what_never_happens_is_not_reached() -> None:
    """Two faults and nobody who unmaps: the race has weak words only if somebody stores to them."""
    found = coverage_of("fences", "two-copies")
    assert (found.races, found.weak, found.uses) == (1, 0, [])


def test_a_bound_is_told() -> None:
    """By race."""
    found = coverage_of("buffers", max_states=3)
    assert found.open == {RACE: "max-states"}
    assert f"incomplete: {RACE}: max-states" in render_barriers([found], "table", "again")


def test_every_form_has_the_same_numbers() -> None:
    """Text, markdown, JSON."""
    found = [coverage_of("orders")]
    entries = json.loads(render_barriers(found, "json", "again"))
    (acquire,) = [entry for entry in entries if entry["kind"] == "acquire"]
    assert (acquire["races"], acquire["reached"], acquire["stale"]) == ([RACE], [RACE], [RACE])
    (release,) = [entry for entry in entries if entry["kind"] == "release"]
    assert release["stale"] is None
    text = " ".join(render_barriers(found, "table", "again").split())
    assert "reached in 1 of 1 races, old values in 1 of 1" in text
    assert "| 1 of 1 | 1 of 1 |" in render_barriers(found, "markdown", "again")
