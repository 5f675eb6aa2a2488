"""Draws of a profile's figures: what they may be as far as its published curves and common sense say.

    python -m benchmarks.fit --ensemble skylake-2s56c        writes [draws] into hardware/skylake-2s56c.toml

Laplace's approximation.  The figures' logarithms have a normal prior around the profile's own: `PRIORS` for
what is estimated, `FITTED` for what was fitted.  The curves' residuals, as large as those that the fit left,
have a covariance of which the share `TOGETHER` is discrepancy, alike for neighbouring numbers of threads of
one curve: a model that is 30 % too fast at 30 threads is so at 21, too, and more points between would teach
nothing. With the Jacobian of the curves the posterior is normal again.  A profile without curves has the
prior alone.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from spfvar.matrix import catalogue
from spfvar.scenario.hardware import Profile, scaled

if TYPE_CHECKING:
    from benchmarks.fit import Machine, Model, Vector

DRAWS = 24
SEED = 1
#: Standard deviation of the logarithm of a figure that the curves determine: a factor of 2.7 is possible.
FITTED = 1.0
#: Of those that nothing published determines.  Latencies: what CPUs of one make differ by.  Locks of
#: allocator and LRU, wake-ups, IPIs: half or twice is possible.  The split of a fault's and a call's local
#: work: 30 %.
PRIORS = {
    "cost_ns": 0.2,
    "latency_ns.core": 0.25, "latency_ns.cluster": 0.25, "latency_ns.socket": 0.25, "latency_ns.remote": 0.25,
    "queue.growth": 0.5, "queue.locality": 0.2, "queue.read_hold": 0.35, "queue.late_store": 0.5,
    "smt_slowdown": 0.1, "memory_gb_per_s": 0.2,
    "ipi.per_cpu_ns": 0.35, "ipi.handler_ns": 0.35,
    "kernel.zone_lock_page_ns": 0.35, "kernel.lru_lock_page_ns": 0.35, "kernel.memcg_pages": 0.5,
    "kernel.wake_ns": 0.35, "kernel.wakeup_ns": 0.35, "kernel.writer_spin_ns": 0.5,
    "kernel.spin_handoff_ns": 0.35, "kernel.context_switch_ns": 0.35,
    "cost_ns.exception": 0.3, "cost_ns.zero_page": 0.3, "cost_ns.copy_page": 0.3,
    "cost_ns.handle_mm_fault": 0.3,
    "cost_ns.add_folio": 0.3, "cost_ns.syscall": 0.3, "cost_ns.tree_store": 0.3, "cost_ns.alloc_table": 0.3,
    "cost_ns.zap_pte": 0.3,
}  # fmt: skip
#: Share of the residuals' variance that neighbours have in common, and how far that reaches, in doublings.
TOGETHER, REACH = 0.8, 1.0
STEP = 0.1
#: Discrepancy of a machine that nothing was fitted of: as large as the largest that a fit left.
UNFITTED = 0.31


def write(name: str, model: Model) -> None:
    """Draw, and put the draws in the place of those in the profile's file."""
    from benchmarks.fit import MACHINES

    profile = catalogue.hardware()[name]
    machine = MACHINES.get(name)
    raw = profile.model_dump()
    figures = [figure for figure in PRIORS if _value(raw, figure) > 0]
    if profile.clusters_per_socket == 1 and "latency_ns.socket" in figures:
        figures.remove("latency_ns.socket")  # nothing is as far as that
    spread = np.array([
        FITTED if machine is not None and figure in machine.fitted else PRIORS[figure] for figure in figures
    ])  # fmt: skip
    covariance, left = np.diag(spread**2), UNFITTED
    if machine is not None:
        jacobian, residuals = slopes(model, machine, raw, figures)
        left = float(np.sqrt(np.mean(residuals**2)))
        covariance = posterior(jacobian, residual_covariance(machine, residuals), spread)
    drawn = np.random.default_rng(SEED).multivariate_normal(np.zeros(len(figures)), covariance, DRAWS)
    path = Path(__file__).parents[1] / "hardware" / f"{name}.toml"
    text = re.split(r"^\[draws\]$", path.read_text(encoding="utf-8"), flags=re.MULTILINE)[0].rstrip()
    path.write_text(f"{text}\n\n{table(name, left, figures, np.exp(drawn))}", encoding="utf-8")
    for figure, before, after in zip(figures, spread, np.sqrt(np.diag(covariance)), strict=True):
        print(f"{figure:<28} {before:6.2f} {after:6.2f}")


def table(name: str, left: float, figures: list[str], factors: Vector) -> str:
    """The draws as TOML; ``left``: the rms of the residuals."""
    lines = [
        "[draws]",
        f'command = "python -m benchmarks.fit --ensemble {name}"',
        f"discrepancy = {left:.3f}",
    ]
    lines += ["figures = ["]
    lines += [f'    "{figure}",' for figure in figures]
    lines += ["]", "factors = ["]
    lines += [f"    [{', '.join(f'{max(factor, 0.001):.3f}' for factor in row)}]," for row in factors]
    return "\n".join([*lines, "]"]) + "\n"


def slopes(model: Model, machine: Machine, raw: dict[str, Any], figures: list[str]) -> tuple[Vector, Vector]:
    """The Jacobian of log(model / published), points by figures; and the residuals."""
    from benchmarks.fit import errors

    def at(figure: str, step: float) -> Vector:
        return errors(model, machine, Profile.model_validate(scaled(raw, [figure], [float(np.exp(step))])))

    columns = [(at(figure, STEP) - at(figure, -STEP)) / (2 * STEP) for figure in figures]
    return np.array(columns).T, errors(model, machine, Profile.model_validate(raw))


def residual_covariance(machine: Machine, residuals: Vector) -> Vector:
    """Of the points' errors: independent ones, and discrepancy along each curve."""
    places = [
        (i, variant, np.log2(n))
        for i, one in enumerate(machine.series)
        for variant, curve in one.curves.items()
        for n in curve
    ]
    alike = np.array([
        [np.exp(-0.5 * ((a[2] - b[2]) / REACH) ** 2) if a[:2] == b[:2] else 0.0 for b in places] for a in
        places
    ])  # fmt: skip
    variance = float(np.mean(residuals**2))
    return variance * (TOGETHER * alike + (1.0 - TOGETHER) * np.eye(len(places)))


def posterior(jacobian: Vector, noise: Vector, spread: Vector) -> Vector:
    """Covariance of figures with a prior of that spread, once the curves are known."""
    precision = jacobian.T @ np.linalg.solve(noise, jacobian) + np.diag(spread**-2.0)
    inverse: Vector = np.linalg.inv(precision)
    return (inverse + inverse.T) / 2


def _value(raw: dict[str, Any], figure: str) -> float:
    """A figure's value; that of a table is positive."""
    table, _, key = figure.partition(".")
    value = raw[table]
    if key:
        return float(value.get(key, 0.0))
    return 1.0 if isinstance(value, dict) else float(value)
