"""The fit of a calibration: synthetic measurements of a known machine give that machine back."""

from __future__ import annotations

import tomllib
from functools import cache

import numpy as np
import pytest

from spfvar.calibration.document import check, fidelity, profile_text, summary
from spfvar.calibration.fit import Fitted, Model, Start, figures_to_fit, fit, start_of
from spfvar.calibration.measurements import Host, Measurements, Rate
from spfvar.matrix import catalogue
from spfvar.plugins.registry import load_registry
from spfvar.scenario.hardware import Profile, scaled
from spfvar.scenario.schema import Scenario

HOST = Host(
    title="A CPU", kernel="6.12.1", architecture="x86_64", virtual=False, sockets=1, clusters_per_socket=1,
    cores_per_cluster=2, smt=1, ghz=2.0,
)  # fmt: skip
DESIGN = load_registry()["mmap-lock"]
SHIPPED = catalogue.hardware()["skylake-2s56c"]
#: What the machine has that is to be found, as factors on the shipped profile.
TRUE = {"cost_ns": 1.6, "cost_ns.zap_pte": 1.5}
FIGURES = ("cost_ns", "cost_ns.exception", "cost_ns.zap_pte")


def small(name: str) -> Scenario:
    """A load that is measured for a moment."""
    found = catalogue.scenarios()[name]
    brief = found.measure.model_copy(
        update={"faults": 600, "faults_per_thread": 200, "warmup": 0, "warmup_per_thread": 50, "rounds": 1}
    )
    return found.model_copy(update={"measure": brief})


def measurements(rates: tuple[Rate, ...] = (), **figures: float) -> Measurements:
    """Of the host."""
    return Measurements(host=HOST, rates=list(rates), figures=figures, missing={"x": "why"}, noise=0.02)


@cache
def found() -> tuple[Start, Profile, Fitted]:
    """The start, the true machine, and what a fit to its rates gives."""
    start = start_of(measurements(), SHIPPED)
    true = Profile.model_validate(scaled(start.raw, list(TRUE), list(TRUE.values())))
    wanted = [Rate(load=load, threads=n, value=1, usual=1) for load in ("pft", "page-fault1") for n in (1, 2)]
    model = Model(DESIGN, {load: small(load) for load in ("pft", "page-fault1")}, wanted, 1)
    rates = [
        rate.model_copy(update={"value": value, "usual": value})
        for rate, value in zip(wanted, model.of([true])[0], strict=True)
    ]
    return start, true, fit(start, rates, model.of, FIGURES)


def believed(error: float) -> Fitted:
    """The same, where the rates are believed to be right but for such an error."""
    start, _, fitted = found()
    model = Model(DESIGN, {load: small(load) for load in ("pft", "page-fault1")}, fitted.rates, 1)
    return fit(start, fitted.rates, model.of, FIGURES, error)


def test_the_machine_that_was_measured_comes_back() -> None:
    """Local work x1.6, zapping x2.4: every rate within 3 %, and the parts of a fault within 5 %.

    That takes rates which are believed to 0.5 %.  Where they are worth 10 %, the prior keeps zapping, of which
    one load has a little, nearer to the shipped profile.
    """
    _, true, fitted = found()
    assert fitted.model == pytest.approx([rate.value for rate in fitted.rates], rel=0.03)
    assert fitted.rms < 0.03
    assert set(fitted.moved) == set(FIGURES)
    exact = believed(0.005)
    for name in ("exception", "handle_mm_fault", "zap_pte"):
        assert exact.raw["cost_ns"][name] == pytest.approx(true.cost_ns[name], rel=0.05)
    shares = [one.raw["cost_ns"]["zap_pte"] / true.cost_ns["zap_pte"] for one in (fitted, exact)]
    assert abs(shares[1] - 1.0) < abs(shares[0] - 1.0)


def test_draws_hold_the_true_machine_and_are_narrower_than_what_was_believed_before() -> None:
    """Truth within two deviations of the draws; a factor of 2.7 was possible for local work, 20 % is left."""
    _, true, fitted = found()
    logs = np.log(fitted.factors[:, fitted.figures.index("cost_ns")])
    off = np.log(true.cost_ns["walk"] / fitted.raw["cost_ns"]["walk"])
    assert abs(off) < 2 * logs.std()
    assert logs.std() < 0.2


def test_what_was_measured_replaces_the_shipped_figure_and_does_not_follow_the_fit() -> None:
    """A page is zeroed in 100 ns, whatever the local work comes to: 100 ns +- 10 % stay."""
    _, true, _ = found()
    start = start_of(measurements(zero=100.0), SHIPPED)
    assert (start.raw["cost_ns"]["zero_page"], start.measured) == (100.0, ("cost_ns.zero_page",))
    wanted = [Rate(load="pft", threads=1, value=1, usual=1)]
    model = Model(DESIGN, {"pft": small("pft")}, wanted, 1)
    fast = model.of([true])[0][0]
    fitted = fit(start, [Rate(load="pft", threads=1, value=fast, usual=fast)], model.of, FIGURES)
    assert fitted.raw["cost_ns"]["zero_page"] == pytest.approx(100.0, rel=0.1)
    assert fitted.raw["cost_ns"]["walk"] > 1.2 * SHIPPED.cost_ns["walk"]
    assert fitted.figures == (*FIGURES, "cost_ns.zero_page")


def test_the_start_has_the_shape_of_the_host_and_distances_that_it_cannot_measure() -> None:
    """One socket of two cores; lines from core to core take 50 ns instead of 90, so all others 50/90 as long."""
    found = start_of(
        measurements((), **{"line.cluster": 50.0, "bandwidth": 20.0, "flush": 1000.0, "flush_all": 1927.0}),
        SHIPPED,
    ).raw
    profile = Profile.model_validate(found)
    assert (profile.sockets, profile.cpus, profile.place) == (1, 2, "spread")
    latency = SHIPPED.latency_ns
    assert profile.latency_ns.cluster == 50.0
    assert profile.latency_ns.remote == pytest.approx(latency.remote * 50.0 / latency.cluster)
    assert profile.memory_gb_per_s == 20.0
    # 927 ns more with another CPU in the mm; shipped are 277 for the flush and 150 per CPU, 427 in all.
    assert profile.ipi.per_cpu_ns == pytest.approx(150 * 927 / 427)
    assert profile.cost_ns["tlb_flush_ipi"] == pytest.approx(277 * 927 / 427)


def test_a_flush_that_others_do_not_slow_is_not_believed() -> None:
    """In noise alone the shipped figures stay."""
    raw = start_of(measurements(flush=1000.0, flush_all=900.0), SHIPPED).raw
    assert raw["ipi"]["per_cpu_ns"] == SHIPPED.ipi.per_cpu_ns


def test_figures_that_the_machine_has_no_use_for_are_not_drawn() -> None:
    """One socket without SMT: nothing is remote, nothing shares a core; what is left can matter."""
    profile = Profile.model_validate(start_of(measurements(), SHIPPED).raw)
    names = figures_to_fit(profile)
    assert not {"latency_ns.remote", "latency_ns.socket", "latency_ns.core", "smt_slowdown"} & set(names)
    assert {"latency_ns.cluster", "cost_ns", "queue.growth"} <= set(names)


def test_the_file_is_a_profile_with_its_draws_and_says_how_far_it_goes() -> None:
    """What was written is what was fitted, to four digits; the words name what is missing."""
    _, _, fitted = found()
    measured = measurements(fitted.rates)
    text = profile_text(fitted, measured, DESIGN, "skylake-2s56c", "spfvar calibrate here")
    check(text)
    profile = Profile.model_validate(tomllib.loads(text))
    assert profile.draws is not None
    assert profile.draws.figures == list(fitted.figures)
    assert profile.cost_ns["walk"] == pytest.approx(fitted.raw["cost_ns"]["walk"], rel=1e-3)
    assert profile.fidelity == fidelity(fitted, measured)
    told = summary(fitted, measured, DESIGN)
    assert max(map(len, told.splitlines())) <= 80
    assert "as mmap-lock, the nearest that there is (v5.12)" in " ".join(told.split())
    assert "x: why" in told
    assert "busy" not in told
    assert "The host was busy" in summary(fitted, measured.model_copy(update={"noise": 0.6}), DESIGN)
