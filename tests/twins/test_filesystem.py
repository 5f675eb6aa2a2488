"""Bugs between faults and the file's side are found; the designs without them are safe."""

from __future__ import annotations

import pytest
from spfvar.twins import filesystem

from spfvar.explore.explore import Options
from spfvar.explore.verdict import SAFE, VIOLATION, Verdict, judge
from spfvar.explore.world import build_race
from spfvar.matrix.catalogue import races
from spfvar.plugins.registry import load_registry
from spfvar.plugins.variant import Stack, Twin, Variant

REGISTRY = load_registry()
BUGS = [pytest.param(twin, id=twin.name) for twin in filesystem.TWINS if twin.prop]
CONTROLS = [pytest.param(twin, id=twin.name) for twin in filesystem.TWINS if not twin.prop]
FIXED = sorted({(twin.fixed, twin.race) for twin in filesystem.TWINS})
RACES = [name for name in races().names() if name.startswith(("truncate", "punch", "reclaim", "retract", "collapse",
         "map-over", "writeback", "two-faults"))]  # fmt: skip


def verdict_of(variant: Variant, race: str) -> Verdict:
    """The verdict on a variant in a shipped race."""
    return judge(build_race(races()[race], Stack(variant)), variant.name, race, Options())


@pytest.mark.parametrize("twin", BUGS)
def test_the_bug_is_found_with_its_property(twin: Twin) -> None:
    """A violation of what was published, or of what an open question asks."""
    verdict = verdict_of(twin.variant(REGISTRY[twin.fixed]), twin.race)
    assert (verdict.verdict, verdict.property) == (VIOLATION, twin.prop)


@pytest.mark.parametrize("twin", CONTROLS)
def test_a_control_is_safe(twin: Twin) -> None:
    """A complete search finds nothing."""
    assert verdict_of(twin.variant(REGISTRY[twin.fixed]), twin.race).verdict == SAFE


@pytest.mark.parametrize(("fixed", "race"), FIXED)
def test_the_design_without_the_bug_is_safe_and_gets_to_the_interesting_place(fixed: str, race: str) -> None:
    """A complete search, in which everything happened that the race is about."""
    verdict = verdict_of(REGISTRY[fixed], race)
    assert (verdict.verdict, verdict.vacuous) == (SAFE, ())


@pytest.mark.parametrize("variant", REGISTRY.variants)
def test_every_design_is_safe_against_the_files_side(variant: str) -> None:
    """Truncation, hole punch, reclaim, writeback, khugepaged, mmap over a mapping: safe, and not vacuous."""
    # Designs outside the default comparison have their paths from one inside it: every fourth race will do.
    whole = REGISTRY[variant].compared or variant == "per-vma-refcnt"
    verdicts = [verdict_of(REGISTRY[variant], race) for race in (RACES if whole else RACES[::4])]
    assert [(v.race, v.verdict, v.vacuous) for v in verdicts if v.verdict != SAFE or v.vacuous] == []


def test_the_late_look_at_the_anon_vma_does_no_harm_where_no_reverse_map_walk_comes_by_it() -> None:
    """PT3 without its third party: the page lock keeps every entry out of the table that goes."""
    twin = next(twin for twin in filesystem.TWINS if twin.bug == "PT3")
    assert verdict_of(twin.variant(REGISTRY[twin.fixed]), "retract-cow").verdict == SAFE
