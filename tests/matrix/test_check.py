"""The whole matrix: no fixed design breaks, no published bug is missed."""

from __future__ import annotations

from spfvar.explore.explore import Options
from spfvar.matrix import catalogue
from spfvar.matrix.check import make_cases, run_checks
from spfvar.plugins.registry import load_registry

BOUNDS = Options(seconds=600.0, max_bytes=4 << 30)


def test_every_variant_is_safe_in_every_race() -> None:
    """Completely searched, and nothing found: a violation here is a finding, to be explained or repaired."""
    registry = load_registry()
    results = run_checks(make_cases(registry, catalogue.races(), list(registry.variants), ()), BOUNDS)
    wrong = [
        f"{r.verdict.variant} in {r.verdict.race}: {r.verdict.verdict} {r.verdict.property} {r.verdict.why}"
        for r in results
        if r.verdict.verdict != "safe"
    ]
    assert wrong == []
    assert [f"{r.verdict.variant} in {r.verdict.race}" for r in results if r.verdict.vacuous] == []


def test_every_twin_is_found_with_its_property_and_every_control_is_harmless() -> None:
    """And the design without the bug is safe in the same race."""
    cases = make_cases(load_registry(), catalogue.races(), (), (), twins=True)
    results = run_checks(cases, BOUNDS)
    wrong = [
        f"{r.case.twin} in {r.verdict.race}, {r.verdict.variant}: expected {r.case.expected}, "
        f"got {r.verdict.verdict} {r.verdict.property} {r.verdict.why}"
        for r in results
        if not r.as_expected or r.verdict.verdict == "incomplete"
    ]
    assert wrong == []
