"""What ships: every scenario and every hardware profile validates, and builds worlds that run."""

from __future__ import annotations

import itertools
from typing import Any

import pytest

from spfvar.matrix import catalogue
from spfvar.matrix.plan import make_plan
from spfvar.ops import codes as c
from spfvar.ops import objects as o
from spfvar.plugins.registry import load_registry
from spfvar.simulate import machine as m
from spfvar.simulate.world import build_world, extract_programs
from tests.stacks import stack
from tests.transition import driver as d

SCENARIOS = catalogue.scenarios()
PROFILES = catalogue.hardware()
REGISTRY = load_registry()
STACK = stack("spf-do-fault")


def cells(name: str, threads: list[int]) -> Any:
    """The first point of a scenario's default axes at these thread counts."""
    plan = make_plan(REGISTRY, SCENARIOS, PROFILES, variants=["spf-do-fault"], baseline="spf-do-fault",
                     patterns=[name], threads=threads)  # fmt: skip
    return plan.cells


@pytest.mark.parametrize("threads", [1, 4])
@pytest.mark.parametrize("name", SCENARIOS.names())
def test_every_scenario_builds_a_world_and_walks(name: str, threads: int) -> None:
    """Ranges are disjoint, registers of each thread point into them, and some thousand steps go well."""
    load = cells(name, [threads])[0].load
    assert load.threads >= threads
    world = build_world(load, STACK)
    for region in load.regions:
        spans = sorted((r.start, r.start + r.pages * region.count) for r in region.ranges if r.pages)
        assert all(a[1] <= b[0] for a, b in itertools.pairwise(spans))
    run = d.start(world)
    run.owners = run.owners[:0]
    assert run.drive(3000, stay=0.9) in (d.MOVED, d.FINISHED), run.where()
    assert run.faults > 0


@pytest.mark.parametrize("name", SCENARIOS.names())
def test_every_scenario_says_what_it_is_and_where_it_is_from(name: str) -> None:
    """`spfvar list` shows the title, reports cite the source."""
    scenario = SCENARIOS[name]
    assert scenario.title
    assert scenario.source
    assert all(axis.doc for axis in scenario.axes.values())


@pytest.mark.parametrize("name", SCENARIOS.names())
def test_every_profile_knows_every_cost_of_every_scenario(name: str) -> None:
    """Under every variant: a run never stops for a cost class that is missing."""
    load = cells(name, [1])[0].load
    costs = {cost for variant in REGISTRY.variants for cost in _costs(load, variant)}
    given = {cost for cost in costs if cost == "io" or cost.startswith("compute:")}
    for profile in PROFILES.names():
        assert costs - given <= set(PROFILES[profile].cost_ns), profile


def _costs(load: Any, variant: str) -> set[str]:
    programs = extract_programs(load, stack(variant))
    return {op.cost for automaton in programs.values() for op in automaton.ops()}


@pytest.mark.parametrize("name", PROFILES.names())
def test_every_profile_builds_a_machine_and_names_its_source(name: str) -> None:
    """At one thread, at all CPUs and beyond."""
    profile = PROFILES[name]
    assert profile.source
    for threads in (1, profile.cpus, 2 * profile.cpus):
        machine = m.build_machine(profile, threads)
        assert len(machine.cpu_of) == threads
        assert machine.parameters[m.P_PCP_BATCH] == profile.kernel.pcp_batch


@pytest.mark.parametrize("name", PROFILES.names())
def test_no_profile_names_a_variant(name: str) -> None:
    """A machine is the same for every design: no key of its tables is about one."""
    words = {part for variant in REGISTRY.variants for part in (variant, variant.replace("-", "_"))}
    words |= {event.name for variant in REGISTRY.variants.values() for event in variant.events}

    def keys(table: Any) -> list[str]:
        if not isinstance(table, dict):
            return []
        return [*table, *(key for value in table.values() for key in keys(value))]

    found = keys(PROFILES[name].model_dump())
    assert "cost_ns" in found
    assert not words & set(found)


def test_the_default_matrix_covers_what_the_review_argued_about() -> None:
    """Private writes and reads without fault-around, beside reads with it."""
    assert {"file-read", "file-read-nofa", "file-cow"} <= set(SCENARIOS.names())


def test_a_load_of_the_state_is_what_the_layout_says() -> None:
    """The start state of a shipped scenario has its VMAs in the tree and nothing queued."""
    world = build_world(cells("file-read", [4])[0].load, STACK)
    run = d.start(world)
    assert d.live(run, o.VMA) == set(range(4))
    assert run.state[world.layout.g[c.G_RCU] + 4] == 0
