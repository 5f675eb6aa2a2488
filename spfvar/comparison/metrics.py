"""Metrics: what a run is judged by, which way is better and what counts as noise.

Direction and noise threshold are data here, so that no report decides them in code.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

from spfvar.errors import unknown

#: By scenario and metric: the noise that a scenario's own file sets.
Thresholds = Mapping[str, Mapping[str, float]]
NO_THRESHOLDS: Thresholds = MappingProxyType({})

Better = Literal["higher", "lower", "neutral"]
Mean = Literal["arithmetic", "harmonic"]


#: Larger than any run's figure, and far from where squares and reciprocals overflow.
LARGEST = 1e30


@dataclass(frozen=True, slots=True)
class Metric:
    """One number that every run of a scenario reports.

    ``noise`` (relative: how much larger one value may be than the other) and ``floor`` (absolute, in
    ``unit``) are thresholds: a difference from the baseline within either is "same", however sure it is.
    The floor keeps a share that went from 0.001 % to 0.002 % from being reported as doubled.
    ``outcome`` tells what a user feels (throughput, latency) from what explains it (shares,
    backlogs): only outcomes compete for a report's worst and best cell.

    ``highest`` is the largest value that a run can have; none has one below zero.

    Raises ValueError for a threshold below zero.
    """

    name: str
    title: str
    unit: str
    better: Better
    mean: Mean
    noise: float
    doc: str
    floor: float = 0.0
    outcome: bool = True
    highest: float = LARGEST

    def __post_init__(self) -> None:
        if self.noise < 0 or self.floor < 0:
            raise ValueError(f"metric {self.name!r}: noise and floor must not be negative")


def _latency(name: str, title: str, noise: float, doc: str) -> Metric:
    return Metric(name, title, "ns", "lower", "arithmetic", noise, doc)


def _share(name: str, title: str, better: Better, doc: str, highest: float = LARGEST) -> Metric:
    return Metric(name, title, "share", better, "arithmetic", 0.02, doc, 0.001, False, highest)


_BUILT_IN = (
    Metric(
        "faults_per_s",
        "page faults per second",
        "faults/s",
        "higher",
        "harmonic",
        0.01,
        "Page faults completed per simulated second, all threads together.",
    ),
    _latency("fault_p50", "fault latency, median", 0.02, "Median time from fault entry to exit."),
    _latency(
        "fault_p99",
        "fault latency, 99th percentile",
        0.03,
        "Time from fault entry to exit that 99 % of the faults stay within.",
    ),
    _latency(
        "fault_p999",
        "fault latency, 99.9th percentile",
        0.05,
        "Time from fault entry to exit that 99.9 % of the faults stay within.",
    ),
    _latency(
        "writer_p50",
        "writer latency, median",
        0.02,
        "Median time of a call that changes the address space (mmap, munmap, mprotect, ...).",
    ),
    _latency(
        "writer_p99",
        "writer latency, 99th percentile",
        0.03,
        "Time that 99 % of the calls that change the address space stay within.",
    ),
    _share(
        "lock_wait_share",
        "thread time spent waiting for locks",
        "lower",
        "Time threads wait for a lock, as a share of their total time.",
    ),
    _share(
        "stalled_share",
        "thread time stalled behind a writer",
        "lower",
        "Time threads wait until a writer releases a lock, as a share of their total time.",
    ),
    _latency(
        "worst_stall",
        "longest stall behind a writer",
        0.05,
        "The longest single wait that a writer's release of a lock ended.",
    ),
    _share(
        "spec_success",
        "speculative faults that succeeded",
        "higher",
        "Faults completed on the speculative path, as a share of those that tried it.",
        highest=1.0,
    ),
    _share(
        "mmap_lock_share",
        "fallbacks to mmap_lock per fault",
        "lower",
        "Faults that took mmap_lock, as a share of all faults.",
    ),
    _share(
        "lost_retries",
        "retries that came too late",
        "lower",
        "Faults whose page was gone again when they came back from waiting for it, as a share of those that "
        "dropped their lock for the wait.",
        highest=1.0,
    ),
    Metric(
        "deferred_backlog",
        "backlog of deferred frees",
        "objects",
        "lower",
        "arithmetic",
        0.05,
        "Objects retired but not yet freed, such as those that wait for a grace period.",
        floor=1.0,
        outcome=False,
    ),
    _latency("makespan", "time until the last thread ends", 0.01, "Simulated time of the run."),
)

METRICS: Mapping[str, Metric] = MappingProxyType({metric.name: metric for metric in _BUILT_IN})
"""The built-in metrics by name, in the order in which reports show them."""


def lookup(name: str, metrics: Mapping[str, Metric] = METRICS) -> Metric:
    """Return the metric called ``name``.

    Raises UnknownNameError (a ValueError) with the nearest known name.
    """
    if name not in metrics:
        raise unknown("metric", name, metrics)
    return metrics[name]


def noise_of(metric: Metric, scenario: str, thresholds: Thresholds) -> float:
    """Return the relative difference that is noise: the scenario's threshold, or else the metric's."""
    return thresholds.get(scenario, {}).get(metric.name, metric.noise)


def select(names: Iterable[str], metrics: Mapping[str, Metric] = METRICS) -> dict[str, Metric]:
    """Return the named metrics, in the order given.

    Raises UnknownNameError (a ValueError) for one that does not exist.
    """
    return {name: lookup(name, metrics) for name in names}
