"""Violations folded by what is to blame: one bug breaks many races."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from spfvar.explore.verdict import INCOMPLETE, SAFE, VIOLATION, Finding
from spfvar.matrix.check import Checked
from spfvar.ops.properties import order

Found = tuple[Checked, Finding]


@dataclass(frozen=True, slots=True)
class Cause:
    """Violations of one property by one variant with the same to blame: the ``first`` is the shortest."""

    first: Found
    others: tuple[Found, ...] = ()


def findings_of(results: Sequence[Checked]) -> list[Found]:
    """Every violation, shortest trace first; each once."""
    found: dict[tuple[str, str, str], Found] = {}
    for result in results:
        for finding in result.verdict.findings:
            found.setdefault((result.verdict.variant, result.verdict.race, finding.token), (result, finding))
    return sorted(found.values(), key=lambda pair: (pair[1].trace.length, pair[0].verdict.variant))


def causes_of(results: Sequence[Checked], apart: bool = False) -> list[Cause]:
    """The violations by cause, shortest first; ``apart``: each as a cause of its own."""
    groups: dict[object, list[Found]] = {}
    for number, (result, finding) in enumerate(findings_of(results)):
        key = (result.verdict.variant, finding.property, finding.text, finding.trace.blamed)
        groups.setdefault(number if apart else key, []).append((result, finding))
    return [Cause(first, tuple(others)) for first, *others in groups.values()]


def summary(results: Sequence[Checked]) -> list[str]:
    """How many are safe, and how many break what; of several variants first a line for each that breaks."""
    if any(result.case.expected for result in results):
        return [_of_twins(results)]
    variants = list(dict.fromkeys(result.verdict.variant for result in results))
    by_variant = {name: [r for r in results if r.verdict.variant == name] for name in variants}
    lines = [
        f"{name}: {_counted(mine)}"
        for name, mine in by_variant.items()
        if len(variants) > 1 and any(result.verdict.verdict != SAFE for result in mine)
    ]
    return [*lines, f"{'in all: ' if lines else ''}{_counted(results)}"]


def _counted(results: Sequence[Checked]) -> str:
    """ "39 of 62 safe, 23 broken: P4 (17), P2 (6)"."""
    verdicts = [result.verdict for result in results]
    safe = [verdict for verdict in verdicts if verdict.verdict == SAFE]
    broken = Counter(verdict.property for verdict in verdicts if verdict.verdict == VIOLATION)
    unfinished = [verdict for verdict in verdicts if verdict.verdict == INCOMPLETE]
    walked = any(verdict.walks for verdict in verdicts)
    parts = [] if walked else [f"{len(safe)} of {len(verdicts)} safe"]
    if vacuous := sum(bool(verdict.vacuous) for verdict in safe):
        parts.append(f"{vacuous} of them vacuous")
    if broken or walked:
        of = f" of {len(verdicts)}" if walked else ""
        parts.append(f"{broken.total()}{of} broken{': ' if broken else ''}{_listed(broken)}")
    if unfinished:
        parts.append(f"{len(unfinished)} {'proven neither way' if walked else 'incomplete'}")
    return ", ".join(parts)


def _listed(properties: Counter[str]) -> str:
    ordered = sorted(order(properties), key=lambda name: -properties[name])
    return ", ".join(f"{name} ({properties[name]})" for name in ordered)


def _of_twins(results: Sequence[Checked]) -> str:
    twins = [result for result in results if result.verdict.variant == result.case.twin]
    fixed = {
        (result.verdict.variant, result.verdict.race): result
        for result in results
        if result.verdict.variant != result.case.twin
    }
    return (
        f"{_met(twins)} of {len(twins)} twins as published, "
        f"{_met(fixed.values())} of {len(fixed)} designs without the bug safe in the twin's race"
    )


def _met(results: Iterable[Checked]) -> int:
    return sum(result.as_expected and result.verdict.verdict != INCOMPLETE for result in results)
