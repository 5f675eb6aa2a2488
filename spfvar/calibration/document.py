"""What a calibration gives: the profile as a file, and in words how far it goes."""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from typing import Any

import toml

from spfvar.calibration.fit import Fitted
from spfvar.calibration.host import version
from spfvar.calibration.measurements import Measurements
from spfvar.errors import one_line
from spfvar.plugins.variant import Variant
from spfvar.render.units import digits, human
from spfvar.render.wrap import WIDTH, wrapped
from spfvar.scenario.hardware import Profile
from spfvar.validation.ensemble import quoted, table

#: From here on what else ran on the host is in the figures.
BUSY = 0.3


def profile_text(fitted: Fitted, measured: Measurements, design: Variant, shipped: str, command: str) -> str:
    """The profile as TOML, with its draws.

    ``shipped``: the profile that has what was not measured.  Raises InputError or ValidationError for what
    no profile may be.
    """
    host = measured.host
    head = {
        "title": one_line(host.title)
        + (", a virtual machine" if host.virtual else "")
        + f": {host.cpus} CPUs",
        "description": f"Measured by spfvar calibrate under Linux {host.kernel}, as {design.name}; what "
        f"was not measured is of {shipped}.\n",
        "source": command,
        "fitted": [f"{name} ({_factor(factor)})" for name, factor in fitted.moved.items()],
        "fidelity": fidelity(fitted, measured),
    }
    raw = {name: value for name, value in fitted.raw.items() if name not in head}
    plain = {name: value for name, value in raw.items() if not isinstance(value, dict)}
    tables = {name: _short(value) for name, value in raw.items() if isinstance(value, dict)}
    text = f"{_dumped(head | _short(plain))}\n{_dumped(tables)}"
    return f"{text}\n{table(command, fitted.rms, fitted.figures, fitted.factors)}"


def _dumped(content: dict[str, Any]) -> str:
    encoder: toml.TomlEncoder[dict[str, Any]] = toml.TomlEncoder()
    encoder.dump_funcs[str] = quoted  # its own gets backslashes wrong
    return toml.dumps(content, encoder)


def _factor(factor: float) -> str:
    return f"x{factor:.2f}"


def _short(values: dict[str, object]) -> dict[str, object]:
    """Numbers with four digits: no measurement has more."""
    return {
        name: float(f"{value:.4g}") if isinstance(value, float) else value for name, value in values.items()
    }


def check(text: str) -> None:
    """Is it a profile, and are its draws?  Raises InputError or ValidationError."""
    Profile.model_validate(tomllib.loads(text)).drawn()


def fidelity(fitted: Fitted, measured: Measurements) -> str:
    """What reports tell their readers of it."""
    threads = max(rate.threads for rate in fitted.rates)
    range_ = f"1 to {threads} threads" if threads > 1 else "one thread"
    busy = (
        f"; the host was busy (samples {100 * measured.noise:.0f} % apart)" if measured.noise > BUSY else ""
    )
    return (
        f"Fitted to this host's own faults at {range_} with an rms error of {100 * fitted.rms:.0f} %; more "
        f"threads are extrapolated{busy}."
    )


def summary(fitted: Fitted, measured: Measurements, design: Variant, width: int = WIDTH) -> str:
    """How well the host's kernel is reproduced, point by point; what was not measured, and why."""
    host = measured.host
    ours, theirs = version(design.kernel), version(host.kernel)
    nearest = "" if ours == theirs else f", the nearest that there is ({design.kernel})"
    lines = wrapped(
        f"{host.title}, {host.cpus} CPUs{', a virtual machine' if host.virtual else ''}; Linux "
        f"{host.kernel}, as {design.name}{nearest}.",
        width,
    )
    lines += ["", *_points(fitted), ""]
    worst = max(zip(fitted.rates, fitted.model, strict=True), key=lambda one: abs(one[1] / one[0].value - 1))
    where = f"{worst[0].load} with {worst[0].threads} thread{'' if worst[0].threads == 1 else 's'}"
    lines += wrapped(f"rms error {100 * fitted.rms:.0f} %; the worst is {where}.", width)
    lines += _scaling(fitted, width)
    if measured.noise > BUSY:
        lines += wrapped(
            f"The host was busy: the best samples, which count, are {100 * measured.noise:.0f} % above the "
            "usual ones. Again when it is idle?",
            width,
        )
    if fitted.moved:
        moved = ", ".join(f"{name} {_factor(factor)}" for name, factor in fitted.moved.items())
        lines += wrapped(f"Fitted, with the factor on what was there before: {moved}.", width)
    if measured.missing:
        lines += ["Not measured:"]
        for what, why in measured.missing.items():
            lines += wrapped(f"  {what}: {why}", width, "    ")
    return "\n".join(lines) + "\n"


def _points(fitted: Fitted) -> list[str]:
    """Measured and model, faults per second."""
    rows: list[tuple[str, ...]] = [("load", "threads", "measured", "usual", "model", "off")]
    for rate, model in zip(fitted.rates, fitted.model, strict=True):
        off = f"{100 * (model / rate.value - 1):+.0f} %"
        rates = (human(value, "faults/s") for value in (rate.value, rate.usual, model))
        rows.append((rate.load, str(rate.threads), *rates, off))
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [_row(row, widths) for row in rows]


def _row(row: Sequence[str], widths: Sequence[int]) -> str:
    first, *rest = (text.rjust(width) for text, width in zip(row, widths, strict=True))
    return "  ".join([row[0].ljust(len(first)), *rest])


def _scaling(fitted: Fitted, width: int) -> list[str]:
    """From one thread to the most: measured and model."""
    rates = {(rate.load, rate.threads): i for i, rate in enumerate(fitted.rates)}
    told = []
    for load in dict.fromkeys(rate.load for rate in fitted.rates):
        most = max(n for name, n in rates if name == load)
        if most == 1 or (load, 1) not in rates:
            continue
        one, many = rates[load, 1], rates[load, most]
        real = fitted.rates[many].value / fitted.rates[one].value
        told.append(f"{load} x{digits(real)} (model x{digits(fitted.model[many] / fitted.model[one])})")
    return wrapped(f"From one thread to the most: {', '.join(told)}.", width) if told else []
