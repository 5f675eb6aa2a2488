"""Draws of a profile's figures: what they may be as far as measured curves and common sense say.

Laplace's approximation.  The figures' logarithms have a normal prior around the profile's own: `PRIORS` for
what is estimated, `FITTED` for what was fitted.  The curves' residuals, as large as those that the fit left,
have a covariance of which the share `TOGETHER` is discrepancy, alike for neighbouring numbers of threads of
one curve: a model that is 30 % too fast at 30 threads is so at 21, too, and more points between would teach
nothing. With the Jacobian of the curves the posterior is normal again.  A profile without curves has the
prior alone.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Hashable, Sequence
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from spfvar.scenario.hardware import Profile, scaled

Vector = npt.NDArray[np.float64]
#: Of a profile, log(model / measured) by point.
Errors = Callable[[Profile], Vector]

DRAWS: Final = 24
SEED: Final = 1
#: Standard deviation of the logarithm of a figure that the curves determine: a factor of 2.7 is possible.
FITTED: Final = 1.0
#: Of those that nothing measured determines.  Latencies: what CPUs of one make differ by.  Locks of
#: allocator and LRU, wake-ups, IPIs: half or twice is possible.  The split of a fault's and a call's local
#: work: 30 %.
PRIORS: Final = {
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
TOGETHER: Final = 0.8
REACH: Final = 1.0
STEP: Final = 0.1
#: Discrepancy of a machine that nothing was fitted of: as large as the largest that a fit left.
UNFITTED: Final = 0.31


def figures_of(profile: Profile) -> list[str]:
    """The figures that a profile's draws move: those that are more than nothing."""
    raw = profile.model_dump()
    figures = [figure for figure in PRIORS if value_of(raw, figure) > 0]
    if profile.clusters_per_socket == 1 and "latency_ns.socket" in figures:
        figures.remove("latency_ns.socket")  # nothing is as far as that
    return figures


def value_of(raw: dict[str, Any], figure: str) -> float:
    """A figure's value; that of a table is positive."""
    table, _, key = figure.partition(".")
    value = raw[table]
    if key:
        return float(value.get(key, 0.0))
    return 1.0 if isinstance(value, dict) else float(value)


def slopes(errors: Errors, raw: dict[str, Any], figures: Sequence[str]) -> tuple[Vector, Vector]:
    """The Jacobian of log(model / measured), points by figures; and the residuals."""

    def at(figure: str, step: float) -> Vector:
        return errors(Profile.model_validate(scaled(raw, [figure], [float(np.exp(step))])))

    columns = [(at(figure, STEP) - at(figure, -STEP)) / (2 * STEP) for figure in figures]
    return np.array(columns).T, errors(Profile.model_validate(raw))


def residual_covariance(points: Sequence[tuple[Hashable, int]], residuals: Vector) -> Vector:
    """Of the points' errors: independent ones, and discrepancy along each curve.

    ``points``: the curve that each is of, and its number of threads.
    """
    places = [(curve, np.log2(n)) for curve, n in points]
    alike = np.array([
        [np.exp(-0.5 * ((a[1] - b[1]) / REACH) ** 2) if a[0] == b[0] else 0.0 for b in places] for a in places
    ])  # fmt: skip
    variance = float(np.mean(residuals**2))
    return np.asarray(variance * (TOGETHER * alike + (1.0 - TOGETHER) * np.eye(len(places))))


def posterior(jacobian: Vector, noise: Vector, spread: Vector) -> Vector:
    """Covariance of figures with a prior of that spread, once the curves are known."""
    precision = jacobian.T @ np.linalg.solve(noise, jacobian) + np.diag(spread**-2.0)
    inverse: Vector = np.linalg.inv(precision)
    return (inverse + inverse.T) / 2


def drawn(covariance: Vector) -> Vector:
    """Factors of the figures, `DRAWS` by figures."""
    logs = np.random.default_rng(SEED).multivariate_normal(np.zeros(len(covariance)), covariance, DRAWS)
    return np.asarray(np.exp(logs))


def quoted(text: str) -> str:
    """Text as TOML has it: what JSON escapes, and nothing else, has to be."""
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")


def table(command: str, left: float, figures: Sequence[str], factors: Vector) -> str:
    """The draws as TOML; ``left``: the rms of the residuals, ``command``: what made them."""
    lines = ["[draws]", f"command = {quoted(command)}", f"discrepancy = {left:.3f}"]
    lines += ["figures = ["]
    lines += [f'    "{figure}",' for figure in figures]
    lines += ["]", "factors = ["]
    lines += [f"    [{', '.join(f'{max(factor, 0.001):.3f}' for factor in row)}]," for row in factors]
    return "\n".join([*lines, "]"]) + "\n"
