"""Draws of a shipped profile's figures, by its published curves (`spfvar.validation.ensemble`).

python -m benchmarks.fit --ensemble skylake-2s56c        writes [draws] into hardware/skylake-2s56c.toml
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from spfvar.matrix import catalogue
from spfvar.validation import ensemble as e

if TYPE_CHECKING:
    from benchmarks.fit import Machine, Model, Vector


def write(name: str, model: Model) -> None:
    """Draw, and put the draws in the place of those in the profile's file."""
    from benchmarks.fit import MACHINES, errors

    profile = catalogue.hardware()[name]
    machine = MACHINES.get(name)
    figures = e.figures_of(profile)
    spread = np.array([
        e.FITTED if machine is not None and figure in machine.fitted else e.PRIORS[figure]
        for figure in figures
    ])  # fmt: skip
    covariance, left = np.diag(spread**2), e.UNFITTED
    if machine is not None:
        raw = profile.model_dump()
        jacobian, residuals = e.slopes(lambda one: errors(model, machine, one), raw, figures)
        left = float(np.sqrt(np.mean(residuals**2)))
        covariance = e.posterior(jacobian, residual_covariance(machine, residuals), spread)
    path = Path(__file__).parents[1] / "hardware" / f"{name}.toml"
    text = re.split(r"^\[draws\]$", path.read_text(encoding="utf-8"), flags=re.MULTILINE)[0].rstrip()
    command = f"python -m benchmarks.fit --ensemble {name}"
    path.write_text(f"{text}\n\n{e.table(command, left, figures, e.drawn(covariance))}", encoding="utf-8")
    for figure, before, after in zip(figures, spread, np.sqrt(np.diag(covariance)), strict=True):
        print(f"{figure:<28} {before:6.2f} {after:6.2f}")


def residual_covariance(machine: Machine, residuals: Vector) -> Vector:
    """Of the errors of a machine's points."""
    points = [
        ((i, variant), n)
        for i, one in enumerate(machine.series)
        for variant, curve in one.curves.items()
        for n in curve
    ]
    return e.residual_covariance(points, residuals)
