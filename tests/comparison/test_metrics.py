"""The registry of metrics: direction, mean and thresholds are data that reports can rely on."""

import dataclasses
from typing import get_args

import pytest

from spfvar.comparison.metrics import METRICS, Better, Mean, Metric, lookup, select


@pytest.mark.parametrize("metric", METRICS.values(), ids=list(METRICS))
def test_every_metric_is_filed_under_its_name_and_fully_described(metric: Metric) -> None:
    assert METRICS[metric.name] is metric
    assert metric.better in get_args(Better)
    assert metric.mean in get_args(Mean)
    assert metric.title
    assert metric.doc.endswith(".")


@pytest.mark.parametrize("metric", METRICS.values(), ids=list(METRICS))
def test_rates_have_harmonic_means_and_times_arithmetic_ones(metric: Metric) -> None:
    assert (metric.mean == "harmonic") == metric.unit.endswith("/s")


@pytest.mark.parametrize("metric", METRICS.values(), ids=list(METRICS))
def test_every_metric_has_a_noise_threshold_well_below_the_effects_of_interest(
    metric: Metric,
) -> None:
    assert 0 < metric.noise <= 0.05


def test_the_registry_cannot_be_changed_by_accident() -> None:
    with pytest.raises(TypeError):
        METRICS["faults_per_s"] = METRICS["makespan"]  # type: ignore[index]
    with pytest.raises(dataclasses.FrozenInstanceError):
        METRICS["makespan"].noise = 0.5  # type: ignore[misc]


@pytest.mark.parametrize(("noise", "floor"), [(-0.01, 0.0), (0.01, -1.0)])
def test_a_negative_threshold_is_refused_with_the_name_of_the_metric(noise: float, floor: float) -> None:
    with pytest.raises(ValueError, match="'makespan': noise and floor must not be negative"):
        dataclasses.replace(METRICS["makespan"], noise=noise, floor=floor)


def test_an_unknown_metric_is_refused_with_the_nearest_name() -> None:
    with pytest.raises(ValueError, match="unknown metric 'fault_p9': did you mean 'fault_p99'"):
        lookup("fault_p9")


def test_an_unknown_metric_without_a_near_one_lists_what_there_is() -> None:
    with pytest.raises(ValueError, match="unknown metric 'xyz'; known: faults_per_s, fault_p50"):
        lookup("xyz")


def test_a_selection_keeps_the_order_that_was_asked_for() -> None:
    assert list(select(["makespan", "faults_per_s"])) == ["makespan", "faults_per_s"]
