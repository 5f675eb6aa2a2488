"""Sizes, durations, thread counts and the small expressions of the command line.

Every `parse_*` function raises InputError, and nothing else, on text it cannot use.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Annotated, Final, TypeGuard

from pydantic import BeforeValidator, ValidationInfo

from spfvar.errors import InputError, describe, nearest, quote, unknown

MAX_SIZE: Final = 1 << 47
"""Largest size, bytes: the user half of a 48-bit address space."""
MAX_DURATION: Final = 86_400e9
"""Longest duration, ns: one day."""
MAX_THREADS: Final = 1024

UNITS_REQUIRED: Final[Mapping[str, bool]] = {"units_required": True}
"""Validation context under which a bare number is no Duration and no Percent, as in a hand-written file."""

_BYTES_PER: Final = {"TiB": 1 << 40, "GiB": 1 << 30, "MiB": 1 << 20, "KiB": 1 << 10, "B": 1}
_POWER_OF_TEN: Final = {"s": 9, "ms": 6, "us": 3, "ns": 0}
# Decimal would overflow on unbounded digits; the smallest float written in full fits in this.
_MAX_DIGITS: Final = 400

_SIZE_TEXT: Final = 'bytes (4096) or a size such as "64KiB", "128MiB" or "2GiB"'
_DURATION_TEXT: Final = 'a duration such as "500ns", "100us", "3ms" or "2s"'
_THREADS_TEXT: Final = f'thread counts 1..{MAX_THREADS} such as "1,4,16" or "1-4"'
_FAIL_ON_TEXT: Final = '"worse>5%" or "METRIC:worse>5%"'

_PERCENT_TEXT: Final = 'a percentage from 0% to 100% such as "2%" or "0.5%"'

_NAME = r"[A-Za-z_][A-Za-z0-9_.-]*"
_NUMBER = r"[0-9]+(?:\.[0-9]+)?"
_SIZE_RE = re.compile(r"([0-9]+)\s*([A-Za-z]*)")
_DURATION_RE = re.compile(rf"({_NUMBER})\s*([^\W\d_]*)")
_PERCENT_RE = re.compile(rf"({_NUMBER})\s*%")
_THREADS_RE = re.compile(r"\s*([0-9]{1,9})\s*(?:-\s*([0-9]{1,9})\s*)?")
_ASSIGNMENT_RE = re.compile(rf"\s*({_NAME})\s*=\s*(.*\S)\s*", re.DOTALL)
_FAIL_ON_RE = re.compile(rf"\s*(?:({_NAME})\s*:\s*)?([A-Za-z]+)\s*>\s*({_NUMBER})\s*%\s*")


def parse_size(value: object) -> int:
    """Return the bytes meant by "64KiB", "4096" or a plain int; 1 byte to 128TiB."""
    if isinstance(value, int) and not isinstance(value, bool):
        size = value
    elif isinstance(value, str) and (match := _SIZE_RE.fullmatch(_bounded(value))):
        number, unit = match.groups()
        if unit and unit not in _BYTES_PER:
            meant = next((name for name in _BYTES_PER if name[0] == unit[0].upper()), None)
            raise InputError(
                f"{quote(value)} has an unknown unit",
                expected=_SIZE_TEXT,
                suggestion=meant and f"{number}{meant}",
            )
        size = int(number) * _BYTES_PER[unit or "B"]
    else:
        raise InputError(f"{describe(value)} is not a size", expected=_SIZE_TEXT)
    if not 1 <= size <= MAX_SIZE:
        limits = f"a size from 1B to {format_size(MAX_SIZE)}"
        raise InputError(f"{describe(value)} is out of range", expected=limits)
    return size


def format_size(size: int) -> str:
    """Return the shortest exact text for `size` bytes; `parse_size` gives the same back."""
    whole = (unit for unit, scale in _BYTES_PER.items() if size and size % scale == 0)
    unit = next(whole, "B")
    return f"{size // _BYTES_PER[unit]}{unit}"


def parse_duration(value: object) -> float:
    """Return the nanoseconds meant by "500ns", "1.5us", "3ms" or "2s"; 0ns to one day."""
    match = _DURATION_RE.fullmatch(_bounded(value)) if isinstance(value, str) else None
    if match is None:
        wrong = "has no unit" if _is_number(value) else "is not a duration"
        raise InputError(f"{describe(value)} {wrong}", expected=_DURATION_TEXT)
    number, unit = match.groups()
    if unit not in _POWER_OF_TEN:
        meant = nearest(unit, _POWER_OF_TEN) if unit else "ns"
        raise InputError(
            f"{describe(value)} has {'an unknown' if unit else 'no'} unit",
            expected=_DURATION_TEXT,
            suggestion=meant and f"{number}{meant}",
        )
    return _checked_ns(float(Decimal(number).scaleb(_POWER_OF_TEN[unit])), describe(value))


def format_duration(ns: float) -> str:
    """Return the exact text for `ns` nanoseconds; `parse_duration` gives the same back.

    Raises InputError where `parse_duration` would: negative, not finite, over one day.
    """
    exact = Decimal(repr(_checked_ns(float(ns), repr(ns))))
    units = _POWER_OF_TEN.items()
    unit, power = next(((u, p) for u, p in units if exact >= Decimal(10) ** p), ("ns", 0))
    return f"{_plain(exact.scaleb(-power))}{unit}"


def parse_percent(value: object) -> float:
    """Return the share meant by "2%" or "0.5 %"; 0% to 100%."""
    match = _PERCENT_RE.fullmatch(_bounded(value)) if isinstance(value, str) else None
    if match is None:
        bare = _is_number(value) or (isinstance(value, str) and re.fullmatch(_NUMBER, value.strip()))
        wrong = "has no % sign" if bare else "is not a percentage"
        raise InputError(f"{describe(value)} {wrong}", expected=_PERCENT_TEXT)
    return _checked_share(float(Decimal(match[1]).scaleb(-2)), describe(value))


def format_percent(share: float) -> str:
    """Return the exact text for `share`; `parse_percent` gives the same back."""
    return f"{_plain(Decimal(repr(share)).scaleb(2))}%"


def parse_threads(text: str) -> list[int]:
    """Return the sorted distinct thread counts of "1,4,16" or "1-4,8"; each 1..1024."""
    counts: set[int] = set()
    for item in text.split(","):
        match = _THREADS_RE.fullmatch(item)
        first = int(match[1]) if match else 0
        last = int(match[2]) if match and match[2] else first
        if not 1 <= first <= last <= MAX_THREADS:
            # Naming the whole text as well would only repeat a list of one item.
            inside = f" in {quote(text)}" if "," in text else ""
            message = f"{quote(item.strip())}{inside} is not a thread count or range"
            raise InputError(message, expected=_THREADS_TEXT)
        counts.update(range(first, last + 1))
    return sorted(counts)


def format_threads(counts: Iterable[int]) -> str:
    """Return thread counts as "1,4,16", which `parse_threads` reads."""
    return ",".join(map(str, counts))


def parse_assignment(text: str) -> tuple[str, str]:
    """Split "hit_rate=0.9" at its first "=" into name and text, both stripped, none empty."""
    if match := _ASSIGNMENT_RE.fullmatch(text):
        return match[1], match[2]
    raise InputError(f"{quote(text)} is not an assignment", expected='NAME=VALUE ("hit_rate=0.9")')


def parse_assignments(texts: Iterable[str]) -> dict[str, str]:
    """Return the assignments by name in the order given; a name may be assigned only once."""
    values: dict[str, str] = {}
    for text in texts:
        name, value = parse_assignment(text)
        if name in values:
            both = f"{quote(values[name])} and {quote(value)}"
            raise InputError(f"assigned twice: {both}", key=name, expected="one assignment")
        values[name] = value
    return values


@dataclass(frozen=True, slots=True)
class FailOn:
    """Fail when `metric` (None: any) is worse by more than `percent`; `str()` parses back."""

    metric: str | None
    percent: float

    def __str__(self) -> str:
        metric = f"{self.metric}:" if self.metric is not None else ""
        return f"{metric}worse>{_plain(Decimal(repr(self.percent)))}%"


def parse_fail_on(text: str) -> FailOn:
    """Return the condition written "worse>5%" or "faults_per_s:worse>5%"."""
    match = _FAIL_ON_RE.fullmatch(_bounded(text))
    if match is None:
        raise InputError(f"{quote(text)} is not a fail-on condition", expected=_FAIL_ON_TEXT)
    metric, relation, number = match.groups()
    if relation != "worse":
        raise unknown("relation", relation, ["worse"])
    percent = float(number)
    if not math.isfinite(percent):
        raise InputError(f"{quote(number)} is too large a percentage", expected=_FAIL_ON_TEXT)
    return FailOn(metric, percent)


def duration_field(value: object, info: ValidationInfo) -> float:
    """Validate a field of type Duration: a bare number is nanoseconds, except under UNITS_REQUIRED."""
    if _is_number(value) and info.context is not UNITS_REQUIRED:
        return _checked_ns(value, describe(value))
    return parse_duration(value)


def percent_field(value: object, info: ValidationInfo) -> float:
    """Validate a field of type Percent: a bare number is a share, except under UNITS_REQUIRED."""
    if _is_number(value) and info.context is not UNITS_REQUIRED:
        return _checked_share(value, describe(value))
    return parse_percent(value)


def _is_number(value: object) -> TypeGuard[float]:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _checked_ns(ns: float, shown: str) -> float:
    # Compared before float(): an int may be too large to become one.
    if not 0 <= ns <= MAX_DURATION:
        limits = f"a duration from 0ns to {MAX_DURATION / 1e9:.0f}s"
        raise InputError(f"{shown} is out of range", expected=limits)
    return float(ns)


def _checked_share(share: float, shown: str) -> float:
    if not 0 <= share <= 1:
        raise InputError(f"{shown} is out of range", expected=_PERCENT_TEXT)
    return float(share)


def _plain(number: Decimal) -> str:
    text = f"{number:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def _bounded(text: str) -> str:
    # Too long a text becomes one that no pattern here matches.
    return text.strip() if len(text) <= _MAX_DIGITS else ""


Bytes = Annotated[int, BeforeValidator(parse_size, json_schema_input_type=int | str)]
"""A pydantic field in bytes, given as `parse_size` reads it."""

Duration = Annotated[float, BeforeValidator(duration_field, json_schema_input_type=float | str)]
"""A pydantic field in nanoseconds, given as `parse_duration` reads it.

A bare number is nanoseconds, so that dumped models load again, except under UNITS_REQUIRED.
"""

Percent = Annotated[float, BeforeValidator(percent_field, json_schema_input_type=float | str)]
"""A pydantic field that is a share, given as `parse_percent` reads it; dumped models load again."""
