"""Hardware profiles: topology, placement and turbo; farther is never faster."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from spfvar.errors import InputError
from spfvar.matrix.catalogue import hardware
from spfvar.model_errors import explain
from spfvar.scenario.hardware import MAX_CPUS, Profile, Turbo, scaled

TABLE: dict[str, Any] = hardware()["skylake-2s56c"].model_dump()


@pytest.mark.parametrize("name", hardware().names())
def test_a_shipped_profile_says_how_far_to_trust_it(name: str) -> None:
    """One sentence or two, short enough for the end of a mail, that ends as a sentence does."""
    fidelity = hardware()[name].fidelity
    assert 20 < len(fidelity) <= 160
    assert fidelity.endswith(".")


def profile(**changes: Any) -> Profile:
    """The Skylake profile with other values."""
    return Profile.model_validate({**TABLE, **changes})


SHAPES = st.fixed_dictionaries({
    "sockets": st.integers(1, 4), "clusters_per_socket": st.integers(1, 3),
    "cores_per_cluster": st.integers(1, 4), "smt": st.integers(1, 2), "place": st.sampled_from(["pack", "spread", "quarter"]),
})  # fmt: skip


@given(SHAPES, st.integers(1, 100))
def test_placement_is_a_permutation_of_the_cpus(shape: dict[str, Any], threads: int) -> None:
    """Every CPU once, whatever the rule and the number of threads."""
    one = profile(**shape)
    assert sorted(one.placement(threads)) == list(range(one.cpus))


@given(SHAPES)
def test_no_thread_shares_a_core_while_one_of_its_socket_is_idle(shape: dict[str, Any]) -> None:
    """Per socket, cores come before SMT siblings."""
    one = profile(**shape)
    core, _, socket = one.topology()
    for threads in range(1, one.cpus + 1):
        used = one.placement(threads)[:threads]
        for s in range(one.sockets):
            mine = [core[cpu] for cpu in used if socket[cpu] == s]
            cores = one.cores // one.sockets
            assert len(set(mine)) == min(len(mine), cores)


@given(SHAPES)
def test_topology_nests(shape: dict[str, Any]) -> None:
    """CPUs of one core are in one cluster, CPUs of one cluster in one socket."""
    core, cluster, socket = profile(**shape).topology()
    assert len(set(zip(core, cluster, strict=True))) == len(set(core))
    assert len(set(zip(cluster, socket, strict=True))) == len(set(cluster))
    assert len(set(socket)) == shape["sockets"]


@pytest.mark.parametrize(("place", "sockets"), [("spread", {0, 1}), ("pack", {0})])
def test_spread_alternates_sockets_and_pack_fills_one_first(place: str, sockets: set[int]) -> None:
    """Where the first four threads go."""
    one = profile(place=place)
    assert {one.topology()[2][cpu] for cpu in one.placement(4)[:4]} == sockets


def test_quarter_stays_on_one_socket_up_to_a_quarter_of_the_cpus() -> None:
    """16 CPUs on 2 sockets: 4 threads stay on the first; of 8, four go to each."""
    one = profile(sockets=2, clusters_per_socket=1, cores_per_cluster=8, smt=1, place="quarter")
    socket = one.topology()[2]
    for threads, on_first in ((1, 1), (4, 4), (6, 4), (8, 4), (16, 8)):
        assert [socket[cpu] for cpu in one.placement(threads)[:threads]].count(0) == on_first


def test_turbo_is_interpolated_between_points() -> None:
    """3.6 GHz for 2 cores, 2.4 GHz for 6: 3.0 GHz for 4, so 3.6/3.0 as slow; flat outside."""
    turbo = Turbo(ghz=[(6, 2.4), (2, 3.6)])
    assert turbo.slowdown(1) == turbo.slowdown(2) == 1.0
    assert turbo.slowdown(4) == pytest.approx(1.2)
    assert turbo.slowdown(6) == turbo.slowdown(60) == pytest.approx(1.5)


@pytest.mark.parametrize(
    "changes",
    [
        {"latency_ns": {"core": 10, "cluster": 9, "socket": 20, "remote": 30}},
        {"sockets": 0},
        {"jitter": 1.0},
        {"smt_slowdown": 0.5},
        {"turbo": {"ghz": []}},
        {"spf_bonus": 2},
        {"memory_gb_per_s": 0},
    ],
    ids=str,
)
def test_what_makes_no_sense_is_refused(changes: dict[str, Any]) -> None:
    """A closer line that is slower, no socket, a jitter that reaches 0, an unknown key."""
    with pytest.raises(ValidationError):
        profile(**changes)


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("cost_ns", "exception"), 1e308),
        (("cost_ns", "exception"), -1.0),
        (("cost_ns", "exception"), float("nan")),
        (("latency_ns", "remote"), 1e308),
        (("latency_ns", "core"), 1e-320),
        (("queue", "growth"), float("inf")),
        (("turbo", "ghz"), [[1, 1e-300]]),
        (("ipi", "handler_ns"), 1e300),
        (("kernel", "rcu_poll_ns"), 1e-9),
        (("kernel", "time_slice_ns"), float("inf")),
        (("kernel", "pcp_batch"), 1 << 62),
        (("smt_slowdown",), 1e200),
        (("memory_gb_per_s",), 1e-300),
        (("sockets",), 10**9),
    ],
)
def test_a_figure_that_no_machine_has_is_named_by_its_key(path: tuple[str, ...], value: object) -> None:
    """Rather than a run that overflows, or takes hours, in the end."""
    table = copy.deepcopy(TABLE)
    *above, last = path
    place = table
    for step in above:
        place = place[step]
    place[last] = value
    with pytest.raises(ValidationError) as caught:
        Profile.model_validate(table)
    error, _ = explain(caught.value, table, Profile)
    assert str(error).startswith(".".join(path))


def test_as_many_cpus_as_there_may_be() -> None:
    """4096 = 64 * 32 * 2; twice as many are refused in words, whichever factor is too large."""
    assert profile(sockets=64, cores_per_cluster=32, smt=2).cpus == MAX_CPUS
    with pytest.raises(ValidationError, match="8192 CPUs in all"):
        profile(sockets=128, cores_per_cluster=32, smt=2)


def test_draws_are_factors_that_keep_the_order_of_distances() -> None:
    """remote x 2 doubles it; cluster x 2 = 180 ns is beyond remote (120 ns), which is then as far."""
    draws = {"command": "c", "discrepancy": 0.1, "figures": ["latency_ns.remote"], "factors": [[2.0]]}
    [one] = profile(draws=draws).drawn()
    assert one.latency_ns.remote == 240.0
    [one] = profile(draws={**draws, "figures": ["latency_ns.cluster"]}).drawn()
    assert one.latency_ns.cluster == one.latency_ns.socket == one.latency_ns.remote == 180.0


def test_a_factor_on_all_costs_scales_each() -> None:
    """And a share stays one."""
    one = profile(queue={**TABLE["queue"], "locality": 0.8})
    raw = scaled(one.model_dump(), ["cost_ns", "queue.locality", "cost_ns.walk"], [2.0, 2.0, 3.0])
    assert raw["queue"]["locality"] == 1.0
    assert raw["cost_ns"]["walk"] == pytest.approx(6 * TABLE["cost_ns"]["walk"])
    assert raw["cost_ns"]["exception"] == pytest.approx(2 * TABLE["cost_ns"]["exception"])


@pytest.mark.parametrize("figure", ["latency_ns.far", "cost", "kernel", "place", "cost_ns.nothing"])
def test_a_figure_to_draw_has_to_be_one(figure: str) -> None:
    draws = {"command": "c", "discrepancy": 0.1, "figures": [figure], "factors": [[2.0]]}
    with pytest.raises(ValidationError, match="unknown figure"):
        profile(draws=draws)


@pytest.mark.parametrize("name", hardware().names())
def test_shipped_draws_centre_on_the_profile_and_decide_no_run(name: str) -> None:
    """The mean of 24 logarithms is within 4 standard errors of 0 for each figure; dumps have no draws."""
    one = hardware()[name]
    assert one.draws is not None
    logs = np.log(np.array(one.draws.factors))
    assert logs.shape[0] == len(one.drawn()) == 24
    error = logs.std(axis=0, ddof=1) / np.sqrt(24)
    assert (np.abs(logs.mean(axis=0)) < 4 * error + 0.01).all()
    assert "draws" not in one.model_dump()


def test_a_draw_beyond_what_a_profile_may_have_is_refused() -> None:
    """Costs are at most 1 ms; 415 us of one times 100 are not.  The second draw is named."""
    draws = {"command": "c", "discrepancy": 0.1, "figures": ["cost_ns.walk"], "factors": [[1.0], [100.0]]}
    one = profile(cost_ns={**TABLE["cost_ns"], "walk": 4.15e5}, draws=draws)
    with pytest.raises(InputError, match=r"draws\.factors\.1: cost_ns\.walk"):
        one.drawn()
