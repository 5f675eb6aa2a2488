"""The shipped repairs: each is of a bug that is known, and without them the posted stack is what it was."""

from __future__ import annotations

import pytest
from spfvar.variants.spf_series import SPF

from spfvar.explore.options import Options
from spfvar.explore.verdict import judge
from spfvar.explore.world import build_race
from spfvar.matrix import catalogue
from spfvar.plugins.registry import load_registry
from spfvar.plugins.repairs import posted_stack
from spfvar.plugins.series import posted_name
from spfvar.plugins.variant import Stack
from tests.variants.test_spf_series import automata

REGISTRY = load_registry()
REPAIRED = [variant for variant in REGISTRY.variants.values() if variant.repairs]


def test_the_designs_that_are_not_as_posted_are_those_of_the_page() -> None:
    """docs/designs.md and docs/series.md say which."""
    assert {variant.name for variant in REPAIRED} == {
        "spf-anon", "spf-do-fault", "spf-map-pages", "spf-v2", "spf-dufour-v12", "spf-zijlstra-2010",
        "spf-zijlstra-2014",
    }  # fmt: skip


@pytest.mark.parametrize("variant", REPAIRED, ids=lambda variant: variant.name)
def test_taking_a_repair_out_is_what_the_twin_of_its_bug_does(variant) -> None:  # type: ignore[no-untyped-def]
    """A repair's bug has a twin; one of this variant has the stack without that repair."""
    twins = REGISTRY.twins.values()
    for repair in variant.repairs:
        assert set(repair.bugs) <= {twin.bug for twin in twins}
        for twin in twins:
            if twin.bug in repair.bugs and twin.fixed == variant.name:
                without = posted_stack(variant.patches, [repair])
                assert set(twin.variant(variant).patches) == set(without)


def test_the_posted_form_of_the_whole_series_is_the_posted_series() -> None:
    """spf-do-fault is spf; the order of classes that do not touch each other makes no difference."""
    assert automata(REGISTRY["spf-do-fault-posted"]) == automata(REGISTRY["spf-posted"])
    assert automata(REGISTRY["spf-anon-posted"]) == automata(REGISTRY["spf-posted@23+33+34+35"])


@pytest.mark.parametrize("number", range(len(SPF.patches) + 1))
def test_every_prefix_without_its_repairs_is_the_posted_prefix(number: int) -> None:
    """The same classes, whether the series or the variant is asked."""
    variant = REGISTRY[f"spf@{number}"]
    posted = REGISTRY[posted_name(variant.name)]
    assert set(posted_stack(variant.patches, variant.repairs)) == set(posted.patches)


@pytest.mark.parametrize(
    ("name", "race", "found"),
    [
        ("spf-anon", "munmap-anon", "P4"),
        ("spf-do-fault", "reclaim-read", "P14"),
        ("spf-map-pages", "two-copies", "P14"),
        ("spf-v2", "munmap-anon", "P4"),
        ("spf-v2", "two-copies", ""),  # the second version ends the notifiers' section
        ("spf-dufour-v12", "mbind", "P2"),
        ("spf-zijlstra-2010", "mprotect", "P10"),
        ("spf-zijlstra-2010", "heap", ""),  # vma_adjust() was counted
        ("spf-zijlstra-2010", "merge-out-of-memory", ""),
        ("spf-zijlstra-2014", "two-copies", "P11"),
        ("spf-zijlstra-2014", "resplit-heap", ""),
    ],
)
def test_what_breaks_as_posted(name: str, race: str, found: str) -> None:
    """docs/designs.md has why; the repaired stack is safe in each."""
    races = catalogue.races()
    for variant, wanted in ((REGISTRY[posted_name(name)], found), (REGISTRY[name], "")):
        verdict = judge(build_race(races[race], Stack(variant)), variant.name, race, Options())
        assert verdict.property == wanted
