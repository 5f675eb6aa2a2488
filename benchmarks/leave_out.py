"""How well a curve is predicted by a fit to the others, and a machine by another machine's profile.

    python -m benchmarks.leave_out        prints the tables of docs/fidelity.md

A curve left out: the profile's figures are fitted again without it.  A figure that no other curve moves keeps
the profile's value, which that curve had a part in; such figures are named.  A machine left out: its points
by each other fitted profile, with its own sockets, clusters, cores and placement; its rates relative to one
thread's, and ratios of its designs.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from itertools import pairwise

import numpy as np

from benchmarks.fit import MACHINES, Machine, Model, Series, best_factors, errors, raw_profile, rms
from spfvar.matrix import catalogue
from spfvar.plugins.registry import load_registry
from spfvar.scenario.hardware import Profile, scaled
from spfvar.scenario.published import MeasuredOn

#: A figure is moved by a curve if a factor of e changes some point by more than 2 %.
MOVED = 0.02


def curves(machine: Machine) -> Iterator[tuple[str, Machine, Machine]]:
    """Each curve by name: the machine without it, and with it alone."""
    for i, one in enumerate(machine.series):
        for variant, curve in one.curves.items():
            rest = [
                Series(other.source, {v: c for v, c in other.curves.items() if j != i or v != variant})
                for j, other in enumerate(machine.series)
            ]
            alone = Series(one.source, {variant: curve})
            yield (
                f"{variant} ({i + 1})",
                Machine(tuple(rest), machine.fitted),
                Machine((alone,), machine.fitted),
            )


def left_out_curves(model: Model) -> None:
    """Print rms of each curve: with the profile, and predicted."""
    print("| machine | curve left out | rms, fitted | rms, predicted | figures that the others do not move |")
    print("|---|---|---:|---:|---|")
    for name, machine in MACHINES.items():
        raw = raw_profile(name)
        for curve, rest, alone in curves(machine):
            found = best_factors(name, rest, model)
            figures = scaled(raw, machine.fitted, list(np.exp(found.x - 1.0)))
            predicted = rms(errors(model, alone, Profile.model_validate(figures)))
            fitted = rms(errors(model, alone, Profile.model_validate(raw)))
            moved = np.abs(np.asarray(found.jac)).max(axis=0) > MOVED
            kept = ", ".join(f for f, m in zip(machine.fitted, moved, strict=True) if not m)
            print(f"| {name} | {curve} | {fitted:.3f} | {predicted:.3f} | {kept} |", flush=True)


def left_out_machines(model: Model) -> None:
    """Print rms by every fitted profile: of a machine's multiples of one thread, and of ratios of designs."""
    profiles = catalogue.hardware()
    print("\n| machine | " + " | ".join(f"by {name}" for name in MACHINES) + " |")
    print("|---|" + "---:|" * len(MACHINES))
    for name, machine in MACHINES.items():
        own = profiles[name]
        cells = []
        for other in MACHINES:
            place = MeasuredOn(
                title=name, profile=other, relative=True, sockets=own.sockets,
                clusters_per_socket=own.clusters_per_socket, cores_per_cluster=own.cores_per_cluster,
                smt=own.smt, place=own.place,
            )  # fmt: skip
            rates = model.rates(machine, place.on(profiles[other]))
            off = [
                np.log(rates[variant, n] / rates[variant, 1] / (curve[n] / curve[1]))
                for one in machine.series
                for variant, curve in one.curves.items()
                for n in curve
                if n > 1
            ]
            beside = [
                np.log(rates[b, n] / rates[a, n] / (one.curves[b][n] / one.curves[a][n]))
                for one in machine.series
                for a, b in pairwise(one.curves)
                for n in one.curves[a]
            ]
            cells.append(f"{rms(np.array(off)):.3f}, {rms(np.array(beside)):.3f}")
        print(f"| {name} | {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    chosen = Model(load_registry(), 1)
    if "--machines" not in sys.argv:
        left_out_curves(chosen)
    left_out_machines(chosen)
