"""A profile becomes arrays: distances, speeds, placement, costs."""

from __future__ import annotations

import numpy as np
import pytest

from spfvar.errors import InputError
from spfvar.matrix.catalogue import hardware
from spfvar.simulate import machine as m

PROFILES = hardware()


@pytest.mark.parametrize("name", PROFILES.names())
def test_distances_are_symmetric_and_follow_the_topology(name: str) -> None:
    """0 exactly for CPUs of one core, 3 exactly across sockets; latencies never fall with distance."""
    profile = PROFILES[name]
    machine = m.build_machine(profile, 4)
    core, _, socket = (np.array(x) for x in profile.topology())
    assert np.array_equal(machine.distance, machine.distance.T)
    assert np.array_equal(machine.distance == 0, core[:, None] == core[None, :])
    assert np.array_equal(machine.distance == 3, socket[:, None] != socket[None, :])
    assert list(machine.latency) == sorted(machine.latency)


@pytest.mark.parametrize("name", PROFILES.names())
def test_threads_get_cpus_of_their_own_while_there_are_any(name: str) -> None:
    """Up to the number of CPUs no two threads share one; beyond, all CPUs are shared evenly."""
    cpus = PROFILES[name].cpus
    for threads in (1, 2, cpus // 2, cpus):
        assert len(set(m.build_machine(PROFILES[name], threads).cpu_of.tolist())) == threads
    counts = np.bincount(m.build_machine(PROFILES[name], 2 * cpus).cpu_of, minlength=cpus)
    assert set(counts.tolist()) == {2}


@pytest.mark.parametrize("name", PROFILES.names())
def test_work_never_gets_faster_with_more_threads(name: str) -> None:
    """Turbo and SMT only slow down: the slowest used CPU's factor grows from 1."""
    profile = PROFILES[name]
    slowest = []
    for threads in (1, 2, profile.cores, profile.cpus):
        machine = m.build_machine(profile, threads)
        slowest.append(float(machine.speed[machine.cpu_of].max()))
    assert slowest[0] == 1.0
    assert slowest == sorted(slowest)


def test_costs_are_looked_up_by_name_and_the_scenarios_come_first() -> None:
    """Kinds follow from names; an unknown class is an InputError with the nearest name."""
    profile = PROFILES["phone-8c"]
    costs = m.cost_table(
        ("zero_page", "io", "compute:t.0", "local"), profile, {"io": 5.0, "compute:t.0": 7.0}
    )
    assert costs.kind.tolist() == [m.FILL, m.SLEEP, m.USER, m.PLAIN]
    assert costs.ns.tolist() == [profile.cost_ns["zero_page"], 5.0, 7.0, profile.cost_ns["local"]]
    with pytest.raises(InputError, match="unknown cost class 'zero_pge': did you mean 'zero_page'"):
        m.cost_table(("zero_pge",), profile, {})
