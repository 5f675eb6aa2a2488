"""What two breakdowns differ in, by cause: cache lines, locks, servers, and the work of single steps.

Each nanosecond of a fault has one cause, so the differences add up to the difference of the mean latencies.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, replace
from typing import Literal

from spfvar.timing.breakdown import SERVERS, Breakdown, Line, Part, Step, Taker

Sort = Literal["line", "lock", "server", "work", "sleep", "other"]
#: Below this share of the smaller latency a difference is not worth a line.
NEGLIGIBLE = 0.002


@dataclass(frozen=True, slots=True)
class Cause:
    """What a time is spent on: a "line", "lock" or "server" by name, or the "work" or "sleep" of a primitive.

    A primitive is the same in whichever function a design has it.  "other": what CPUs and interrupts take.
    """

    sort: Sort
    name: str


@dataclass(frozen=True, slots=True)
class Difference:
    """What a cause costs in one breakdown (``ns``), in the other (``other_ns``), in ns a fault or call.

    ``function`` is where the difference of a primitive or line is largest, ``member`` what is touched there
    of the line, and ``at`` how much of the difference that is.  ``taker`` is the step that had the line
    before, to which the difference owes most: in 100 faults or calls there are ``transfers`` requests that
    took time, and before ``taken`` of them it was this step that had it.
    """

    cause: Cause
    ns: float
    other_ns: float
    function: str = ""
    member: str = ""
    at: float = 0.0
    taker: Taker | None = None
    taken: float = 0.0
    transfers: float = 0.0

    @property
    def change(self) -> float:
        """How much longer it takes here."""
        return self.ns - self.other_ns


def causes(part: Part) -> dict[Cause, float]:
    """The whole time of a part, by cause."""
    found: dict[Cause, float] = defaultdict(float)
    for step in part.steps:
        for kind, ns in step.ns.items():
            found[_cause(step, kind)] += ns
    return dict(found)


def _cause(step: Step, kind: str) -> Cause:
    if kind in ("transfer", "line wait"):
        return Cause("line", step.line)
    if kind in ("lock wait", "wake-up") and step.lock:
        return Cause("lock", step.lock)
    if kind in SERVERS:
        return Cause("server", kind)
    if kind in ("interrupts", "CPU wait"):
        return Cause("other", kind)
    sort: Sort = "work" if kind in ("work", "flush", "waking") else "sleep"
    return Cause(sort, step.name)


def differences(part: Part, other: Part) -> list[Difference]:
    """What ``part`` spends more, or less, time on than ``other``, by cause, the largest first."""
    mine, theirs = causes(part), causes(other)
    lines, other_lines = ({line.name: line for line in one.lines} for one in (part, other))
    found = []
    for cause in dict.fromkeys([*mine, *theirs]):
        ns, other_ns = mine.get(cause, 0.0), theirs.get(cause, 0.0)
        if cause.sort == "line":
            asked = Difference(cause, ns, other_ns, *_place(cause, part, other, ns >= other_ns))
            found.append(_with_taker(asked, lines.get(cause.name), other_lines.get(cause.name)))
        elif cause.sort in ("work", "sleep"):
            found.append(Difference(cause, ns, other_ns, *_place(cause, part, other, ns >= other_ns)))
        else:
            found.append(Difference(cause, ns, other_ns))
    return sorted(found, key=_largest)


def _largest(one: Difference) -> tuple[float, str, str]:
    return -abs(one.change), one.cause.sort, one.cause.name


def _place(cause: Cause, part: Part, other: Part, is_more: bool) -> tuple[str, str, float]:
    """Where most of the difference is: function, member and ns."""
    changes: dict[tuple[str, str], float] = defaultdict(float)
    for one, sign in ((part, 1.0), (other, -1.0)):
        for step in one.steps:
            ns = sum(ns for kind, ns in step.ns.items() if _cause(step, kind) == cause)
            if ns:
                changes[step.function, step.member if cause.sort == "line" else ""] += sign * ns
    if not changes:
        return "", "", 0.0
    place = max(sorted(changes), key=lambda key: changes[key] if is_more else -changes[key])
    return *place, changes[place]


def _with_taker(found: Difference, line: Line | None, other: Line | None) -> Difference:
    """The difference, and the step that had the line where it made the most of it."""
    here, there = _by_step(line), _by_step(other)
    sign = 1.0 if found.change >= 0.0 else -1.0
    best: Taker | None = None
    most = 0.0
    for key in dict.fromkeys([*here, *there]):
        change = sign * (_ns(here.get(key)) - _ns(there.get(key)))
        if change > most:
            best, most = here.get(key) if sign > 0 else there.get(key), change
    whole = line if sign > 0 else other
    if best is None or whole is None:
        return found
    requests = sum(one.transfers for one in whole.takers)
    return replace(found, taker=best, taken=100 * best.transfers, transfers=100 * requests)


def _by_step(line: Line | None) -> dict[tuple[str, str], Taker]:
    """Who had it, by member and function: which of its primitives does not matter."""
    found: dict[tuple[str, str], Taker] = {}
    for one in line.takers if line is not None else ():
        key = one.member, one.function
        before = found.get(key)
        if before is not None:
            one = replace(before, transfers=before.transfers + one.transfers, ns=before.ns + one.ns)
        found[key] = one
    return found


def _ns(taker: Taker | None) -> float:
    return taker.ns if taker is not None else 0.0


def worth_telling(found: list[Difference], part: Part, other: Part) -> list[Difference]:
    """Those that are not negligible beside the latencies."""
    least = NEGLIGIBLE * min(part.mean, other.mean)
    return [one for one in found if abs(one.change) >= least]


def ratio(breakdown: Breakdown, other: Breakdown) -> float:
    """Throughput beside the other's."""
    return breakdown.faults_per_s / other.faults_per_s if other.faults_per_s else float("nan")
