"""Published pft curves beside the model's, and the fit of the few fitted figures of a profile.

    python -m benchmarks.fit                     every curve, with errors
    python -m benchmarks.fit --refit skylake-2s56c

The fit minimises the squared logarithm of model / published over all points of a machine's curves.
"""

from __future__ import annotations

import argparse
import dataclasses
import tomllib
from concurrent.futures import ThreadPoolExecutor
from copy import deepcopy
from importlib import resources
from typing import Any

import numpy as np
import toml
from scipy.optimize import least_squares

from spfvar.matrix import catalogue
from spfvar.plugins.registry import Registry, load_registry
from spfvar.plugins.variant import Stack
from spfvar.scenario.hardware import Profile
from spfvar.scenario.load import make_load
from spfvar.simulate.runner import seed_sequence, simulate
from spfvar.simulate.world import World, build_world

Curve = dict[int, float]
Vector = np.ndarray[Any, np.dtype[np.float64]]


@dataclasses.dataclass(frozen=True)
class Series:
    """Curves of one published table: million faults/s by variant and threads."""

    source: str
    curves: dict[str, Curve]


@dataclasses.dataclass(frozen=True)
class Machine:
    """What was published of a machine, and which of its profile's figures that fits."""

    series: tuple[Series, ...]
    fitted: tuple[str, ...]

    def points(self) -> list[tuple[str, int, float]]:
        """Every published variant, threads and million faults/s."""
        return [(v, n, y) for one in self.series for v, curve in one.curves.items() for n, y in curve.items()]


#: A. Rasmussen's reply to 20210407014502.24091-1-michel@lespinasse.org (pft, base pages, 30 runs);
#: CAJuCfpF4CAzuX_YWfqpjK6xJmF3GguTC8cFoKkgY=VqNRBuSpA@mail.gmail.com (pft, separate vma_lock);
#: 20250213224655.1680278-1-surenb@google.com (pft, separate vma_lock and count, the same author's 56 CPUs).
MACHINES = {
    "skylake-2s56c": Machine(
        (
            Series("reply to 20210407014502.24091-1-michel@lespinasse.org", {
                "mmap-lock": {
                    1: 0.573625, 4: 2.062801, 7: 3.169454, 12: 4.703127, 21: 4.569292, 30: 4.150170,
                    48: 3.820861, 79: 3.772895, 110: 3.660475, 112: 3.627511,
                },
                "spf-anon": {
                    1: 0.580978, 4: 2.099822, 7: 3.353176, 12: 5.359867, 21: 7.552176, 30: 6.994074,
                    48: 6.456859, 79: 7.495920, 110: 8.546154, 112: 8.579053,
                },
            }),
        ),
        ("cost_ns", "latency_ns.socket", "latency_ns.remote", "queue.growth", "kernel.memcg_pages"),
    ),
    "rome-2s128c": Machine(
        (
            Series("reply to 20210407014502.24091-1-michel@lespinasse.org", {
                "mmap-lock": {
                    1: 1.331130, 4: 3.122836, 7: 3.518852, 12: 3.352668, 21: 3.559292, 30: 4.914003,
                    48: 7.775728, 79: 6.533078, 110: 8.874888, 128: 10.121932,
                },
                "spf-anon": {
                    1: 1.323121, 4: 4.163924, 7: 6.329056, 12: 5.504753, 21: 4.272312, 30: 5.492737,
                    48: 7.751114, 79: 6.984747, 110: 8.302723, 128: 9.113201,
                },
            }),
        ),
        ("cost_ns", "latency_ns.socket", "latency_ns.remote", "queue.locality", "kernel.memcg_pages"),
    ),
    "broadwell-2s28c": Machine(
        (
            Series("CAJuCfpF4CAzuX_YWfqpjK6xJmF3GguTC8cFoKkgY=VqNRBuSpA@mail.gmail.com", {
                "per-vma-6.12": {
                    1: 0.470924, 12: 3.934168, 21: 3.736832, 30: 3.845187, 48: 4.712318, 56: 4.873234,
                },
            }),
            Series("20250213224655.1680278-1-surenb@google.com", {
                "per-vma-6.12": {
                    1: 0.507566, 4: 1.880478, 7: 3.106394, 12: 4.061358, 21: 3.988619, 30: 3.909840,
                    48: 4.761108, 56: 4.885561,
                },
                "per-vma-refcnt": {
                    1: 0.506139, 4: 1.886796, 7: 3.140551, 12: 4.112477, 21: 4.577747, 30: 4.311052,
                    48: 5.283791, 56: 5.415839,
                },
            }),
        ),
        (
            "cost_ns", "latency_ns.cluster", "latency_ns.remote", "queue.growth", "queue.locality",
            "queue.late_store",
        ),
    ),
}  # fmt: skip


class Model:
    """Runs pft cells; worlds are kept, for a fit asks for the same ones again and again."""

    def __init__(self, registry: Registry, seeds: int) -> None:
        self.registry = registry
        self.seeds = seeds
        self.scenario = catalogue.scenarios()["pft"]
        self._worlds: dict[tuple[str, int], World] = {}

    def world(self, variant: str, threads: int) -> World:
        """The world of a variant at a thread count, with one VMA for all threads."""
        key = (variant, threads)
        if key not in self._worlds:
            load = make_load("pft", self.scenario, {"threads": threads, "vma": "process"})
            self._worlds[key] = build_world(load, Stack(self.registry[variant]))
        return self._worlds[key]

    def rate(self, variant: str, threads: int, profile: Profile) -> float:
        """Median over seeds, in million faults/s."""
        world = self.world(variant, threads)
        runs = [
            simulate(world, self.registry[variant], profile, seed_sequence(1, seed, "pft", threads))
            for seed in range(self.seeds)
        ]
        return float(np.median([run.metrics["faults_per_s"] for run in runs])) / 1e6

    def rates(self, machine: Machine, profile: Profile) -> dict[tuple[str, int], float]:
        """The model's million faults/s, by variant and threads, where something was published."""
        cells = list(dict.fromkeys((variant, n) for variant, n, _ in machine.points()))
        for cell in cells:
            self.world(*cell)
        with ThreadPoolExecutor() as pool:
            return dict(
                zip(cells, pool.map(lambda cell: self.rate(cell[0], cell[1], profile), cells), strict=True)
            )


def raw_profile(name: str) -> dict[str, Any]:
    """A shipped profile as plain TOML tables."""
    return tomllib.loads((resources.files("spfvar.hardware") / f"{name}.toml").read_text())


def scaled(raw: dict[str, Any], names: tuple[str, ...], factors: list[float]) -> dict[str, Any]:
    """The profile with each named figure multiplied; ``cost_ns`` scales every local cost alike."""
    copy = deepcopy(raw)
    for name, factor in zip(names, factors, strict=True):
        table, _, key = name.partition(".")
        keys = [key] if key else list(copy[table])
        for k in keys:
            copy[table][k] = round(copy[table][k] * float(factor), 4)
    latency, queue = copy["latency_ns"], copy["queue"]
    latency["socket"] = max(latency["socket"], latency["cluster"])
    latency["remote"] = max(latency["remote"], latency["socket"])
    for share in ("locality", "late_store"):
        queue[share] = min(1.0, queue.get(share, 0.0))
    return copy


def errors(model: Model, machine: Machine, profile: Profile) -> Vector:
    """Logarithm of model / published by point."""
    rates = model.rates(machine, profile)
    return np.array([np.log(rates[variant, n] / y) for variant, n, y in machine.points()])


def rms(found: Vector) -> float:
    """Root of the mean square."""
    return float(np.sqrt(np.mean(found**2)))


def refit(name: str, model: Model) -> None:
    """Fit a profile's figures, and print what they become.

    The variables are 1 + the logarithm of a figure's factor: the solver's steps are relative to them.
    """
    machine, raw = MACHINES[name], raw_profile(name)

    def residuals(variables: Vector) -> Vector:
        factors = list(np.exp(variables - 1.0))
        return errors(model, machine, Profile.model_validate(scaled(raw, machine.fitted, factors)))

    start = np.ones(len(machine.fitted))
    step = np.full(len(start), 0.05)
    found = least_squares(residuals, start, bounds=(start - 1.0, start + 1.0), diff_step=step, max_nfev=15)
    before = rms(residuals(start))
    print(f"{name}: rms {before:.3f} before, {rms(found.fun):.3f} now, {len(found.fun)} points")
    best = scaled(raw, machine.fitted, list(np.exp(found.x - 1.0)))
    print(toml.dumps({table: best[table] for table in ("latency_ns", "queue", "kernel", "cost_ns")}))


def show(name: str, model: Model) -> None:
    """Published and model, point by point."""
    machine, profile = MACHINES[name], catalogue.hardware()[name]
    rates = model.rates(machine, profile)
    print(f"\n{name}: pft, one VMA; million faults/s; rms {rms(errors(model, machine, profile)):.3f}")
    for series in machine.series:
        print(f"  {series.source}")
        for variant, published in series.curves.items():
            found = {n: rates[variant, n] for n in published}
            print(f"  {variant:<24}" + "".join(f"{n:>7}" for n in published))
            print("    published             " + "".join(f"{y:7.2f}" for y in published.values()))
            print("    model                 " + "".join(f"{y:7.2f}" for y in found.values()))
            print("    error %               " + "".join(
                f"{(found[n] / y - 1) * 100:7.0f}" for n, y in published.items()
            ))  # fmt: skip
        if len(series.curves) == 2:
            (a, first), (b, second) = series.curves.items()
            print(f"  {b} / {a}")
            print("    published             " + "".join(f"{second[n] / first[n]:7.2f}" for n in first))
            print("    model                 " + "".join(f"{rates[b, n] / rates[a, n]:7.2f}" for n in first))


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--refit", choices=list(MACHINES), help="fit this profile's figures again")
    parser.add_argument("--seeds", type=int, default=3)
    options = parser.parse_args()
    model = Model(load_registry(), 1 if options.refit else options.seeds)
    if options.refit:
        refit(options.refit, model)
        return
    for name in MACHINES:
        show(name, model)


if __name__ == "__main__":
    main()
