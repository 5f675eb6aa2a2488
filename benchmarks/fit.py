"""Published pft curves beside the model's, and the fit of the few fitted figures of a profile.

    python -m benchmarks.fit                     every curve, with errors
    python -m benchmarks.fit --refit skylake-2s56c
    python -m benchmarks.fit --ensemble skylake-2s56c

The curves are those of published/*.toml that say they were fitted.  The fit minimises the squared logarithm
of model / published over all points of a machine's curves.
"""

from __future__ import annotations

import argparse
import dataclasses
import tomllib
from concurrent.futures import ThreadPoolExecutor
from importlib import resources
from typing import Any

import numpy as np
import toml
from scipy.optimize import OptimizeResult, least_squares

from spfvar.matrix import catalogue
from spfvar.plugins.registry import Registry, load_registry
from spfvar.plugins.variant import Stack
from spfvar.scenario.hardware import Profile, scaled
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


def machines() -> dict[str, Machine]:
    """Profiles that something was fitted of, with the published curves (published/*.toml) that it was fitted
    to."""
    known, profiles = catalogue.published(), catalogue.hardware()
    found: dict[str, list[Series]] = {}
    for name in known.select(()):
        one = known[name]
        for table in one.table:
            if table.fitted and one.machine is not None:
                curves = {
                    design: dict(zip(table.threads, (value / 1e6 for value in column), strict=True))
                    for design, column in table.values.items()
                }
                found.setdefault(one.machine.profile, []).append(Series(one.source, curves))
    return {
        name: Machine(tuple(series), tuple(figure.partition(" ")[0] for figure in profiles[name].fitted))
        for name, series in found.items()
    }


MACHINES = machines()


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


def errors(model: Model, machine: Machine, profile: Profile) -> Vector:
    """Logarithm of model / published by point."""
    rates = model.rates(machine, profile)
    return np.array([np.log(rates[variant, n] / y) for variant, n, y in machine.points()])


def rms(found: Vector) -> float:
    """Root of the mean square."""
    return float(np.sqrt(np.mean(found**2)))


def best_factors(name: str, machine: Machine, model: Model) -> OptimizeResult:
    """Fit a profile's figures to the points of a machine; ``x`` is 1 + the logarithm of each figure's factor.

    So the solver's steps are relative to the figures.
    """
    raw = raw_profile(name)

    def residuals(variables: Vector) -> Vector:
        factors = list(np.exp(variables - 1.0))
        return errors(model, machine, Profile.model_validate(scaled(raw, machine.fitted, factors)))

    start = np.ones(len(machine.fitted))
    step = np.full(len(start), 0.05)
    return least_squares(residuals, start, bounds=(start - 1.0, start + 1.0), diff_step=step, max_nfev=15)


def refit(name: str, model: Model) -> None:
    """Fit a profile's figures, and print what they become."""
    machine, raw = MACHINES[name], raw_profile(name)
    found = best_factors(name, machine, model)
    before = rms(errors(model, machine, Profile.model_validate(raw)))
    print(f"{name}: rms {before:.3f} before, {rms(found.fun):.3f} now, {len(found.fun)} points")
    best = rounded(scaled(raw, machine.fitted, list(np.exp(found.x - 1.0))))
    print(toml.dumps({table: best[table] for table in ("latency_ns", "queue", "kernel", "cost_ns")}))


def rounded(raw: dict[str, Any]) -> dict[str, Any]:
    """A profile's tables with four digits behind the point."""
    return {
        table: {
            key: value if isinstance(value, int) else round(float(value), 4) for key, value in figures.items()
        }
        for table, figures in raw.items()
        if table in ("latency_ns", "queue", "kernel", "cost_ns")
    }


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
    parser.add_argument(
        "--ensemble", choices=catalogue.hardware().names(), help="draw this profile's figures"
    )
    parser.add_argument("--seeds", type=int, default=3)
    options = parser.parse_args()
    model = Model(load_registry(), 1 if options.refit or options.ensemble else options.seeds)
    if options.ensemble:
        from benchmarks.ensemble import write

        write(options.ensemble, model)
        return
    if options.refit:
        refit(options.refit, model)
        return
    for name in MACHINES:
        show(name, model)


if __name__ == "__main__":
    main()
