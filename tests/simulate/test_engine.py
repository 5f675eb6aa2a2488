"""The event loop's parts: what an executed node does to its cache line."""

from __future__ import annotations

import numpy as np
import pytest

from spfvar.matrix.catalogue import hardware
from spfvar.ops import codes as c
from spfvar.simulate import clock as k
from spfvar.simulate import engine
from spfvar.simulate import machine as m
from tests.kernels import kernel

touch_line = kernel(engine.touch_line)


@pytest.mark.parametrize(
    ("outcomes", "outcome", "stores"), [(1, 0, True), (1, -1, False), (2, 1, True), (2, 0, False)]
)
def test_only_who_gets_a_rwsem_stores_its_owner(outcomes: int, outcome: int, stores: bool) -> None:
    """down_read (one outcome) stores unless it blocks, a trylock (failed, taken) if it takes the lock.

    Every waiting request comes before the store (late_store 1): it costs the line as much as the atomic did.
    """
    profile = hardware()["broadwell-2s28c"]
    machine = m.build_machine(profile, 4)
    machine.parameters[m.P_LATE_STORE] = 1.0
    clock = k.new_clock(machine, 1, 0, 4, np.random.default_rng(0))
    clock.owner[0], clock.free[0] = machine.cpu_of[0], 1e6  # so many wait that the limit is reached
    node = np.full((1, c.COLUMNS), -1, dtype=np.int32)
    node[0, [c.C_L_REG, c.C_L_BASE, c.C_L_MODE]] = 0, 0, c.L_RMW_STORE  # C_L_OWNER: -1, the same line
    node[0, c.C_SUCC : c.C_SUCC + outcomes] = 0
    state = np.zeros(1, dtype=np.int32)
    had = touch_line(node, state, 0, outcome, 0, machine, clock, machine.cpu_of[1], 0.0)
    assert had > 1e6
    assert clock.free[0] - had == pytest.approx((had - 1e6) if stores else 0.0)


@pytest.mark.parametrize(
    ("outcomes", "outcome", "stores"), [(1, 0, True), (1, -1, False), (2, 1, True), (2, 0, False)]
)
def test_an_owner_on_another_line_takes_that_line_along_but_nobody_waits(
    outcomes: int, outcome: int, stores: bool
) -> None:
    """The count comes from CPU 0's cache; the owner's line, read by both, is then this CPU's alone."""
    machine = m.build_machine(hardware()["broadwell-2s28c"], 4)
    clock = k.new_clock(machine, 2, 2, 4, np.random.default_rng(0))
    first, second = (int(cpu) for cpu in machine.cpu_of[:2])
    clock.owner[:] = first
    clock.sharers[1, 0] = 1 << first | 1 << second
    node = np.full((1, c.COLUMNS), -1, dtype=np.int32)
    node[0, [c.C_L_REG, c.C_L_BASE, c.C_L_MODE, c.C_L_OWNER]] = 0, 0, c.L_RMW_STORE, 1
    node[0, c.C_SUCC : c.C_SUCC + outcomes] = 0
    had = touch_line(node, np.zeros(1, dtype=np.int32), 0, outcome, 0, machine, clock, second, 0.0)
    fetch = machine.latency[machine.distance[first, second]]
    assert had == clock.free[0] == pytest.approx(fetch)
    assert clock.owner[1] == (second if stores else first)
    assert clock.free[1] == pytest.approx(2 * fetch if stores else 0.0)
    assert clock.sharers[1, 0] == (1 << second if stores else 1 << first | 1 << second)
