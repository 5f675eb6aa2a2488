"""Numbers for people: unit prefixes, significant digits, shares and ratios."""

import math
from collections.abc import Iterable
from dataclasses import dataclass

DIGITS = 3
NOT_AVAILABLE = "n/a"

_TIME = ((1e9, "s"), (1e6, "ms"), (1e3, "us"), (1.0, "ns"))
_COUNT = ((1e9, "G"), (1e6, "M"), (1e3, "k"), (1.0, ""))


@dataclass(frozen=True, slots=True)
class Scale:
    """A unit prefix: values are divided by ``factor`` and are then in ``unit``.

    ``glue`` stands between a number and the unit: ``1.85us`` but ``12.3 %``.
    """

    factor: float
    unit: str
    glue: str = ""

    def number(self, value: float) -> str:
        """Return ``value`` in this unit, without the unit; "n/a" for NaN."""
        return digits(value / self.factor)

    def text(self, value: float) -> str:
        """Return ``value`` with the unit, e.g. ``1.85us``; "n/a" for NaN."""
        return self.number(value) + ("" if math.isnan(value) else self.glue + self.unit)


def scale_for(values: Iterable[float], unit: str) -> Scale:
    """Return the one scale in which all ``values`` (in ``unit``) are shown together.

    It suits the middle of their magnitudes, so that neither end needs many digits. "ns" scales
    to us, ms and s, "share" is shown in per cent, anything else takes k, M or G.
    """
    if unit == "share":
        return Scale(0.01, "%", " ")
    sizes = [math.log10(abs(v)) for v in values if math.isfinite(v) and v != 0]
    middle = 10 ** ((min(sizes) + max(sizes)) / 2) if sizes else 1.0
    steps = _TIME if unit == "ns" else _COUNT
    factor, prefix = next((step for step in steps if middle >= step[0]), steps[-1])
    if unit == "ns":
        return Scale(factor, prefix)
    return Scale(factor, f"{prefix} {unit}")


def human(value: float, unit: str) -> str:
    """Return one value for running text: ``4.70M faults/s``, ``1.85us``, ``12.3 %``."""
    return scale_for([value], unit).text(value)


def digits(value: float, count: int = DIGITS) -> str:
    """Return ``value`` with ``count`` significant digits, never with an exponent.

    Digits before the point are never rounded away: 4234.5 is ``4234``, or ``4235`` by rounding.
    """
    if math.isnan(value):
        return NOT_AVAILABLE
    if math.isinf(value):
        return "inf" if value > 0 else "-inf"
    if value == 0:
        return "0"
    # The exponent after rounding: 9.999 is shown as 10.0, not as 10.00.
    exponent = int(f"{value:.{count - 1}e}".partition("e")[2])
    return f"{value:.{max(0, count - 1 - exponent)}f}"


def percent(share: float) -> str:
    """Return a non-negative share in per cent: ``0.4%``, ``12%``, at most ``>999%``; "" for NaN."""
    if math.isnan(share):
        return ""
    if share > 9.99:
        return ">999%"
    return f"{100 * share:.1f}%" if share < 0.00995 else f"{100 * share:.0f}%"


def ratio(value: float) -> str:
    """Return a ratio to the baseline: ``x1.65``, ``x0.034``, ``x12.3``; "" for NaN.

    Far from one only the magnitude matters, so it is cut off at ``x<0.001`` and ``x>9999``.
    """
    if math.isnan(value):
        return ""
    if value < 0.001:
        return "x0" if value == 0 else "x<0.001"
    if value > 9999:
        return "x>9999"
    if value < 0.1:
        return f"x{value:.3f}"
    return f"x{value:.2f}" if value < 9.995 else f"x{digits(value)}"


def interval(low: float, high: float) -> str:
    """Return the interval of a ratio, such as ``1.05-1.71``; "" if an end is missing or there is none."""
    return f"{ratio(low)[1:]}-{ratio(high)[1:]}" if math.isfinite(low + high) else ""
