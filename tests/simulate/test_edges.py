"""Folding: time and events of skipped nodes lie on the edges, and nothing is lost or counted twice."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from spfvar.automata.link import Program
from spfvar.matrix.catalogue import hardware
from spfvar.ops import codes as c
from spfvar.plugins.registry import load_registry
from spfvar.simulate import edges as e
from spfvar.simulate import machine as m
from spfvar.simulate.edges import fold
from tests.transition import driver as d

PROFILE = hardware()["phone-8c"]


def folded(variant: str) -> tuple[Program, m.Costs, e.Edges]:
    """The file load's program under a variant, its costs and its edges."""
    world = d.variant_world(variant, d.with_repeat("file", 1))
    costs = m.cost_table(world.program.costs, PROFILE, dict(world.compute_ns))
    return world.program, costs, fold(world.program, costs)


@pytest.mark.parametrize("variant", load_registry().variants)
def test_walks_over_folded_and_unfolded_tables_take_the_same_time_and_count_the_same(variant: str) -> None:
    """Along random outcomes both tables give the same plain work, events and other ops."""
    program, costs, edges = folded(variant)
    rng = np.random.default_rng(1)
    plain = (costs.kind == m.PLAIN) | (costs.kind == m.USER)
    for entry in program.entry.values():
        node, visited, time, events = entry, [entry], edges.work[entry], []
        outcomes = []
        for _ in range(300):
            n = len(program.ops[node].outcomes)
            outcome = int(rng.integers(n))
            outcomes.append((node, outcome))
            time += edges.edge_work[node, outcome]
            if edges.event[node, outcome] >= 0:
                events.append(int(edges.event[node, outcome]))
            node = int(edges.table[node, c.C_SUCC + outcome])
            time += edges.work[node]
            visited.append(node)
            if program.table[node, c.C_OP] == c.COUNT:
                events.append(int(program.table[node, c.C_IMM]))
        # The same way in the table as linked: skipped nodes have one outcome.
        expected_time = float(
            np.where(plain[program.table[entry, c.C_COST]], costs.ns[program.table[entry, c.C_COST]], 0)
        )
        expected_events: list[int] = []
        for (here, outcome), (_, there) in zip(outcomes, pairwise(visited), strict=True):
            step = int(program.table[here, c.C_SUCC + outcome])
            while True:
                cost = program.table[step, c.C_COST]
                expected_time += float(costs.ns[cost]) if plain[cost] else 0.0
                if program.table[step, c.C_OP] == c.COUNT:
                    expected_events.append(int(program.table[step, c.C_IMM]))
                if step == there:
                    break
                step = int(program.table[step, c.C_SUCC])
        assert time == pytest.approx(expected_time)
        assert events == expected_events


def test_only_nodes_that_nobody_can_see_are_skipped() -> None:
    """Every op with an effect is still some node's successor, or an entry."""
    program, costs, edges = folded("spf-do-fault")
    targets = set(edges.table[:, c.C_SUCC :].ravel().tolist()) | set(program.entry.values())
    skipped = set(range(len(program.ops))) - targets
    assert skipped
    for node in skipped:
        assert program.ops[node].code in (c.NOP, c.COUNT)
        assert program.table[node, c.C_FLAGS] == 0
        assert costs.kind[program.table[node, c.C_COST]] in (m.PLAIN, m.USER)
    assert np.array_equal(edges.table[:, : c.C_SUCC], program.table[:, : c.C_SUCC])
