"""From measurements to a profile and its ensemble.

What was measured directly replaces the figures of a shipped profile, which stands for all that no program can
see.  The rest is moved to the most probable point, given the rates: Gauss and Newton with the priors of
`spfvar.validation.ensemble`, whose Laplace approximation there gives the draws.  Figures that were measured
keep to what was measured (`MEASURED`), whatever the local work in general comes to.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Final

import numpy as np

from spfvar.calibration.host import version
from spfvar.calibration.measurements import Host, Measurements, Rate
from spfvar.cpus import available_cpus
from spfvar.plugins.variant import Stack, Variant
from spfvar.scenario.hardware import Profile, scaled
from spfvar.scenario.load import make_load
from spfvar.scenario.schema import Scenario
from spfvar.simulate.runner import seed_sequence, simulate
from spfvar.simulate.world import World, build_world
from spfvar.threads import in_threads
from spfvar.validation import ensemble as e

#: Of the logarithm of a figure that was measured directly.
MEASURED: Final = 0.1
#: What a fit takes for its error before it knows: about what those to published curves left.
EXPECTED: Final = 0.1
#: Steps of the fit at most; it ends when one gains less than this share.
STEPS: Final = 4
GAIN: Final = 0.02
#: No figure goes farther from the shipped one than by this factor.
FARTHEST: Final = 30.0
#: A smaller change of every rate by a factor of e is none.
MOVED: Final = 0.002

#: Figures that a measurement gives as it is.
_DIRECT: Final = {
    "syscall": "cost_ns.syscall", "atomic": "cost_ns.atomic", "zero": "cost_ns.zero_page",
    "copy": "cost_ns.copy_page", "wake": "kernel.wake_ns", "wakeup": "kernel.wakeup_ns",
    **{f"line.{name}": f"latency_ns.{name}" for name in ("core", "cluster", "socket", "remote")},
}  # fmt: skip
#: Called with the profiles that the model has run, and how many there may be.
Progress = Callable[[int, int], None]
#: Faults per second of profiles, profiles by rates.
RatesOf = Callable[[Sequence[Profile]], e.Vector]


@dataclass(frozen=True)
class Start:
    """A profile's tables with what was measured in them, and the figures that were."""

    raw: dict[str, Any]
    measured: tuple[str, ...]


@dataclass(frozen=True)
class Fitted:
    """The profile, its rates beside those measured, and how far both are apart.

    ``figures`` are those of the draws; ``factors`` has a row per draw.  ``moved``: those that the rates say
    something of, with the factor on what the start had.
    """

    raw: dict[str, Any]
    rates: tuple[Rate, ...]
    model: tuple[float, ...]
    rms: float
    figures: tuple[str, ...]
    factors: e.Vector
    moved: Mapping[str, float]


class Model:
    """The model's rates of the same loads and threads, under the design of the host's kernel."""

    def __init__(
        self,
        design: Variant,
        scenarios: Mapping[str, Scenario],
        rates: Sequence[Rate],
        jobs: int | None = None,
    ) -> None:
        self.rates = tuple(rates)
        self._design = design
        self._jobs = jobs or available_cpus()
        stack = Stack(design)
        self._worlds: list[World] = []
        for rate in rates:
            scenario = scenarios[rate.load]
            axes = {name: axis.parse(axis.values[0]) for name, axis in scenario.axes.items()}
            load = make_load(rate.load, scenario, axes | {"threads": rate.threads})
            self._worlds.append(build_world(load, stack))

    def of(self, profiles: Sequence[Profile]) -> e.Vector:
        """Faults per second, profiles by rates."""
        tasks = [(world, profile) for profile in profiles for world in self._worlds]
        ran = dict(in_threads(lambda task: self._one(*task), tasks, self._jobs, lambda: None))
        found = [ran[number] for number in range(len(tasks))]
        return np.array(found).reshape(len(profiles), len(self._worlds))

    def _one(self, world: World, profile: Profile) -> float:
        load = world.load
        seeds = seed_sequence(1, 0, load.scenario, load.threads)
        return simulate(world, self._design, profile, seeds).metrics["faults_per_s"]


def start_of(measured: Measurements, shipped: Profile) -> Start:
    """A shipped profile with the host's shape, and with its figures where these were measured."""
    raw = shipped.model_dump(mode="json")
    host, found = measured.host, dict(measured.figures)
    raw |= {
        "sockets": host.sockets, "clusters_per_socket": host.clusters_per_socket,
        "cores_per_cluster": host.cores_per_cluster, "smt": host.smt, "place": _place_of(host),
    }  # fmt: skip
    names = []
    for name, figure in _DIRECT.items():
        if name in found:
            table, _, key = figure.partition(".")
            raw[table][key] = found[name]
            names.append(figure)
    _latencies(raw, shipped.model_dump()["latency_ns"], names)
    if "bandwidth" in found:
        raw["memory_gb_per_s"] = found["bandwidth"] / host.sockets
        names.append("memory_gb_per_s")
    if "switch" in found and "syscall" in found:  # a hand-over is a read, a write and a switch
        raw["kernel"]["context_switch_ns"] = max(found["switch"] - 2 * found["syscall"], found["syscall"])
        names.append("kernel.context_switch_ns")
    if "flush" in found and found.get("flush_all", 0.0) > found["flush"]:
        names += _ipis(raw, found["flush_all"] - found["flush"], host.cpus - 1)
    raw["turbo"] = {"ghz": _turbo(host, found)}
    if version(host.kernel) >= (5, 13):  # since aa48e47e3906 a statistic is handed on once per batch and CPU
        raw["kernel"]["memcg_pages"] = 64.0
    return Start(raw, tuple(names))


def _place_of(host: Host) -> str:
    """How the kernel's scheduler spreads threads over sockets."""
    return "quarter" if (5, 11) <= version(host.kernel) < (5, 18) else "spread"


def _latencies(raw: dict[str, Any], shipped: Mapping[str, float], measured: Sequence[str]) -> None:
    """Distances that were not measured go with the nearest that was; farther is no faster."""
    latency = raw["latency_ns"]
    names = list(latency)
    known = [name for name in names if f"latency_ns.{name}" in measured]
    for name in names:
        if name not in known and known:
            near = min(known, key=lambda one: abs(names.index(one) - names.index(name)))
            latency[name] = latency[near] * shipped[name] / shipped[near]
    for before, name in pairwise(names):
        latency[name] = max(latency[name], latency[before])


def _ipis(raw: dict[str, Any], more_ns: float, targets: int) -> list[str]:
    """What others in the mm add to two changes of protection, of which one flushes: the interrupts."""
    now = raw["cost_ns"]["tlb_flush_ipi"] + raw["ipi"]["per_cpu_ns"] * targets
    factor = min(max(more_ns / now, 0.1), FARTHEST)
    raw["cost_ns"]["tlb_flush_ipi"] *= factor
    raw["ipi"]["per_cpu_ns"] *= factor
    return ["ipi.per_cpu_ns"]


def _turbo(host: Host, found: Mapping[str, float]) -> list[list[float]]:
    """Frequencies with one core busy, and with all, as far as a loop tells."""
    ghz = min(max(host.ghz or 1.0, 0.1), 10.0)
    if "speed" not in found or "speed_all" not in found or host.smt > 1:
        return [[1, ghz]]
    share = min(max(found["speed_all"] / found["speed"], 0.3), 1.0)
    cores = host.clusters_per_socket * host.cores_per_cluster
    return [[1, ghz], [max(2, cores), round(max(0.1, ghz * share), 3)]]


def figures_to_fit(profile: Profile) -> list[str]:
    """The figures of the draws that this machine has a use for."""
    absent = set()
    if profile.sockets == 1:
        absent |= {"latency_ns.remote"}
    if profile.cores_per_cluster == 1 and profile.clusters_per_socket == 1:
        absent |= {"latency_ns.cluster"}
    if profile.smt == 1:
        absent |= {"latency_ns.core", "smt_slowdown"}
    return [figure for figure in e.figures_of(profile) if figure not in absent]


def fit(
    start: Start,
    rates: Sequence[Rate],
    model: RatesOf,
    figures: Sequence[str] = (),
    expected: float = EXPECTED,
    progress: Progress | None = None,
) -> Fitted:
    """The most probable figures, given the rates, and draws around them.

    ``model`` gives the rates of profiles; ``figures`` (none: `figures_to_fit`) are moved, and so is the local
    work as a whole first, until one thread's faults take the time that they take.  ``expected``: the error of
    the model, and so how much the rates weigh against what was believed before.
    """
    target = np.log([rate.value for rate in rates])
    raw = _roughly(start, rates, model)
    names = list(figures or figures_to_fit(Profile.model_validate(raw)))
    names += [name for name in _costs(start) if name not in names]
    spread = np.array([
        MEASURED if name in start.measured else e.FITTED if name == "cost_ns" else e.PRIORS[name]
        for name in names
    ])  # fmt: skip
    turn = _turn(names, start.measured)
    points = [(rate.load, rate.threads) for rate in rates]
    noise = e.residual_covariance(points, np.full(len(points), expected))
    done, most = 0, (STEPS + 1) * (len(names) + 1)

    def errors(xs: Sequence[e.Vector]) -> e.Vector:
        nonlocal done
        found = np.log(model([_moved(raw, names, turn @ x) for x in xs])) - target
        done += len(xs)
        if progress is not None:
            progress(min(done, most), most)
        return np.asarray(found)

    def unlikely(x: e.Vector, error: e.Vector) -> float:
        return float(error @ np.linalg.solve(noise, error) + np.sum((x / spread) ** 2))

    x = np.zeros(len(names))
    error, jacobian = _slopes(errors, x)
    for _ in range(STEPS):
        weighed = np.linalg.solve(noise, jacobian)
        step = (
            np.linalg.solve(jacobian.T @ weighed + np.diag(spread**-2.0), weighed.T @ (jacobian @ x - error))
            - x
        )
        tried = [x + step * share for share in (1.0, 0.5, 0.2)]
        found = errors(tried)
        best = min(range(len(tried)), key=lambda i: unlikely(tried[i], found[i]))
        before, after = unlikely(x, error), unlikely(tried[best], found[best])
        if after >= before * (1.0 - GAIN):
            break
        x = tried[best]
        error, jacobian = _slopes(errors, x)
    left = float(np.sqrt(np.mean(error**2)))
    # What is left of a fit to as few points as these is smaller than its error elsewhere.
    covariance = e.posterior(
        jacobian, e.residual_covariance(points, np.maximum(np.abs(error), expected / 2)), spread
    )
    known = np.abs(jacobian).max(axis=0) > MOVED
    moved = {
        name: float(factor)
        for name, factor, known_one in zip(names, np.exp(turn @ x), known, strict=True)
        if known_one and name not in start.measured
    }
    best_raw = _moved(raw, names, turn @ x).model_dump(mode="json")
    return Fitted(
        best_raw, tuple(rates), tuple(np.exp(error + target)), left, tuple(names),
        e.drawn(turn @ covariance @ turn.T), moved,
    )  # fmt: skip


def _roughly(start: Start, rates: Sequence[Rate], model: RatesOf) -> dict[str, Any]:
    """The start with its local work, but for what was measured, such that one thread is about right."""
    alone = [i for i, rate in enumerate(rates) if rate.threads == 1]
    raw = start.raw
    turn = _turn(["cost_ns", *_costs(start)], start.measured)
    for _ in range(3):
        found = model([Profile.model_validate(raw)])[0]
        off = float(np.median([np.log(found[i] / rates[i].value) for i in alone]))
        step = float(np.clip(off * 1.2, -1.5, 1.5))  # a part of the time is not local work
        x = np.zeros(1 + len(_costs(start)))
        x[0] = step
        raw = _moved(raw, ["cost_ns", *_costs(start)], turn @ x).model_dump(mode="json")
        if abs(off) < 0.05:
            break
    return raw


def _costs(start: Start) -> list[str]:
    return [name for name in start.measured if name.startswith("cost_ns.")]


def _turn(names: Sequence[str], measured: Sequence[str]) -> e.Vector:
    """From independent figures to factors: what was measured does not follow the local work as a whole."""
    turn = np.eye(len(names))
    if "cost_ns" in names:
        for i, name in enumerate(names):
            if name.startswith("cost_ns.") and name in measured:
                turn[i, names.index("cost_ns")] = -1.0
    return turn


def _slopes(errors: Callable[[Sequence[e.Vector]], e.Vector], x: e.Vector) -> tuple[e.Vector, e.Vector]:
    """The errors at a point, and their Jacobian, points by figures."""
    found = errors([x, *(x + e.STEP * np.eye(len(x)))])
    return found[0], np.asarray((found[1:] - found[0]).T / e.STEP)


def _moved(raw: dict[str, Any], names: Sequence[str], logs: e.Vector) -> Profile:
    """The profile with its figures multiplied, within what a profile may have."""
    limit = np.log(FARTHEST)
    return Profile.model_validate(
        scaled(raw, names, [float(f) for f in np.exp(np.clip(logs, -limit, limit))])
    )
