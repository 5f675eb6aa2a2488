"""Folding: time and events of skipped nodes lie on the edges, and nothing is lost or counted twice."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from itertools import pairwise

import numpy as np
import pytest

from spfvar.automata.link import Program
from spfvar.matrix.catalogue import hardware, scenarios
from spfvar.ops import codes as c
from spfvar.plugins.registry import load_registry
from spfvar.scenario.load import make_load
from spfvar.simulate import edges as e
from spfvar.simulate import machine as m
from spfvar.simulate.edges import fold
from spfvar.simulate.runner import seed_sequence, simulate
from spfvar.simulate.world import build_world
from tests.stacks import stack
from tests.transition import driver as d

PROFILE = hardware()["phone-8c"]
TIMES_WITHOUT_A_SERVER = (m.PLAIN, m.USER, m.JITTERED)


@cache
def folded(variant: str) -> tuple[Program, m.Costs, e.Edges]:
    """The file load's program under a variant, its costs and its edges."""
    world = d.variant_world(variant, d.with_repeat("file", 1))
    costs = m.cost_table(world.program.costs, PROFILE, dict(world.compute_ns))
    return world.program, costs, fold(world.program, costs)


@pytest.mark.parametrize("variant", load_registry().variants)
def test_walks_over_folded_and_unfolded_tables_take_the_same_time_and_count_the_same(variant: str) -> None:
    """Along random outcomes both tables give the same time, events, marks and other ops."""
    program, costs, edges = folded(variant)
    rng = np.random.default_rng(1)
    counted = np.isin(costs.kind, TIMES_WITHOUT_A_SERVER)
    for entry in program.entry.values():
        node, visited, time, events = entry, [entry], 0.0, []
        outcomes: list[tuple[int, int]] = []
        marks: list[int] = []
        for _ in range(300):
            n = len(program.ops[node].outcomes)
            outcome = int(rng.integers(n))
            outcomes.append((node, outcome))
            if edges.flags[node] != 0 and edges.kind[node] in TIMES_WITHOUT_A_SERVER:
                time += edges.ns[node]
            time += edges.work[node, outcome] + edges.after[node, outcome] + edges.jittered[node, outcome]
            if edges.mark[node, outcome] > 0:
                marks.append(int(edges.mark[node, outcome]))
            if edges.event[node, outcome] >= 0:
                events.append(int(edges.event[node, outcome]))
            node = int(edges.table[node, c.C_SUCC + outcome])
            visited.append(node)
        # The same way in the table as linked: skipped nodes have one outcome that can be.
        expected_time = 0.0
        expected_events: list[int] = []
        expected_marks: list[int] = []
        for (here, outcome), (_, there) in zip(outcomes, pairwise(visited), strict=True):
            step = here
            while True:
                row = program.table[step]
                expected_time += float(costs.ns[row[c.C_COST]]) if counted[row[c.C_COST]] else 0.0
                if row[c.C_OP] == c.COUNT:
                    expected_events.append(int(row[c.C_IMM]))
                if row[c.C_OP] == c.MARK:
                    expected_marks.append(int(row[c.C_IMM]))
                passed = 1 if row[c.C_OP] == c.TRYLOCK else 0  # nobody else can have the lock
                step = int(row[c.C_SUCC + (outcome if step == here else passed)])
                if step == there:
                    break
        assert time == pytest.approx(expected_time)
        assert events == expected_events
        assert marks == expected_marks


@pytest.mark.parametrize("variant", ["mmap-lock", "spf-do-fault", "per-vma-6.12"])
def test_it_is_known_whose_time_is_on_an_edge(variant: str) -> None:
    """The times of the folded nodes are what the edge has, part by part; so are a node's own, without flags."""
    world = d.variant_world(variant, d.with_repeat("file", 1))
    costs = m.cost_table(world.program.costs, PROFILE, dict(world.compute_ns))
    whose: e.Folded = {}
    edges = fold(world.program, costs, folded=whose)
    parts = {e.BEFORE: edges.work, e.AFTER: edges.after, e.JITTERED: edges.jittered}
    own = costs.ns[world.program.table[:, c.C_COST]]
    for part, times in parts.items():
        for node, outcome in zip(*np.nonzero(times), strict=True):
            there = [entry for entry in whose[int(node), int(outcome)] if entry[1] == part]
            assert sum(ns for _, _, ns in there) == pytest.approx(times[node, outcome])
            assert all(ns == own[folded] for folded, _, ns in there)


def test_only_nodes_that_nobody_can_see_are_skipped() -> None:
    """Every op with an effect is still some node's successor, or an entry."""
    program, costs, edges = folded("spf-do-fault")
    targets = set(edges.table[:, c.C_SUCC :].ravel().tolist()) | set(program.entry.values())
    skipped = set(range(len(program.ops))) - targets
    assert skipped
    for node in skipped:
        assert program.ops[node].code in (c.NOP, c.COUNT, c.MARK, c.LOCK, c.TRYLOCK, c.UNLOCK)
        assert program.table[node, c.C_FLAGS] == 0
        assert costs.kind[program.table[node, c.C_COST]] in TIMES_WITHOUT_A_SERVER
    assert np.array_equal(edges.table[:, : c.C_SUCC], program.table[:, : c.C_SUCC])


@pytest.mark.parametrize("scenario", ["pft", "mmap-churn"])
@pytest.mark.parametrize("variant", load_registry().variants)
def test_nodes_that_only_pass_time_give_the_same_result_as_when_they_are_executed(
    variant: str, scenario: str
) -> None:
    """Executing locks that nobody else sees, and keeping every thread in bounds, changes nothing of a run.

    Times are added up in another order, so figures agree to rounding.
    """
    registered = load_registry()[variant]
    text = scenarios()[scenario]
    axes = {name: axis.parse(axis.values[0]) for name, axis in text.axes.items()}
    load = replace(make_load(scenario, text, {**axes, "threads": 4}), warmup=20, faults=300)
    world = build_world(load, stack(variant))
    seeds = seed_sequence(1, 0, scenario, 4)
    passing = simulate(world, registered, PROFILE, seeds)
    _, (machine, _) = world.prepared[id(PROFILE)]
    costs = m.cost_table(world.program.costs, PROFILE, dict(world.compute_ns))
    edges = fold(world.program, costs, keep_locks=True)
    passes = (edges.flags & e.PASSES) > 0
    lock = passes & (edges.table[:, c.C_OP] != c.NOP)
    assert lock.any()  # every thread has page tables of its own
    executing = edges._replace(
        flags=(edges.flags & ~e.PASSES) | np.where(lock, e.LOCK, 0),
        ahead=np.minimum(edges.ahead, e.RUN_AHEAD_NS),
    )
    world.prepared[id(PROFILE)] = (PROFILE, (machine, executing))
    executed = simulate(world, registered, PROFILE, seeds)
    assert passing.metrics == pytest.approx(executed.metrics, rel=1e-9, nan_ok=True)
    assert (passing.events, passing.faults) == (executed.events, executed.faults)


@pytest.mark.parametrize("variant", load_registry().variants)
def test_threads_keep_their_order_where_others_can_see_them(variant: str) -> None:
    """Shared nodes are never ahead; with TLB flushes (the file load has some) no node is without bound."""
    _, costs, edges = folded(variant)
    shared = (edges.flags & c.FLAG_SHARED) > 0
    assert m.IPI in costs.kind
    assert (edges.ahead[shared] == 0.0).all()
    assert (edges.ahead[~shared] == e.RUN_AHEAD_NS).all()


@pytest.mark.parametrize("variant", ["mmap-lock", "spf-do-fault"])
def test_a_folded_program_with_other_times_is_what_folding_it_with_these_gives(variant: str) -> None:
    """To the bit, for each of a machine's draws; where a cost takes no time any more it is folded anew."""
    world = d.variant_world(variant, d.with_repeat("file", 1))
    parts: e.Parts = []
    given = dict(world.compute_ns)
    costs = m.cost_table(world.program.costs, PROFILE, given)
    edges = fold(world.program, costs, parts=parts)
    for profile in PROFILE.drawn()[:3]:
        other = m.cost_table(world.program.costs, profile, given)
        found = e.with_costs(edges, world.program, other, parts)
        assert found is not None
        for mine, anew in zip(found, fold(world.program, other), strict=True):
            np.testing.assert_array_equal(mine, anew)
    assert e.with_costs(edges, world.program, costs._replace(ns=0 * costs.ns), parts) is None
