"""Bugs of the writers that move and copy are found; the designs without them are safe."""

from __future__ import annotations

from typing import Any

import pytest

from spfvar.explore.explore import Options
from spfvar.explore.verdict import SAFE, VIOLATION, Verdict, judge
from spfvar.explore.world import build_race
from spfvar.matrix.catalogue import races
from spfvar.plugins.registry import load_registry
from spfvar.plugins.variant import Stack, Twin, Variant

REGISTRY = load_registry()
TWINS = [twin for twin in REGISTRY.twins.values() if twin.origin == "spfvar.twins.movers"]
ALL = [pytest.param(twin, id=twin.name) for twin in TWINS]


def verdict_of(variant: Variant, race: str) -> Verdict:
    """The verdict on a variant in a shipped race."""
    return judge(build_race(races()[race], Stack(variant)), variant.name, race, Options())


@pytest.mark.parametrize("twin", [param for param in ALL if param.values[0].prop])  # type: ignore[union-attr]
def test_the_bug_is_found_with_its_property(twin: Twin) -> None:
    """A violation of what was published."""
    verdict = verdict_of(twin.variant(REGISTRY[twin.fixed]), twin.race)
    assert (verdict.verdict, verdict.property) == (VIOLATION, twin.prop)


@pytest.mark.parametrize("twin", [param for param in ALL if not param.values[0].prop])  # type: ignore[union-attr]
def test_a_control_is_safe(twin: Twin) -> None:
    """Nothing is broken by this rule's absence."""
    assert verdict_of(twin.variant(REGISTRY[twin.fixed]), twin.race).verdict == SAFE


@pytest.mark.parametrize("twin", ALL)
def test_the_design_without_the_bug_is_safe_and_gets_to_the_interesting_place(twin: Twin) -> None:
    """A complete search, in which everything happened that the race is about."""
    verdict = verdict_of(REGISTRY[twin.fixed], twin.race)
    assert verdict.verdict == SAFE
    assert verdict.vacuous == ()


def test_every_twin_patches_something_or_is_a_control() -> None:
    """A bug with neither patches nor left-out ones would be the fixed design itself."""
    empty: list[Any] = [twin.bug for twin in TWINS if not (twin.patches or twin.without) and twin.prop]
    assert empty == []
