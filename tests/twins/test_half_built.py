"""Bugs of forks that fail half-way: what each of them needs (tests/matrix finds them all)."""

from __future__ import annotations

from dataclasses import replace

import pytest
from spfvar.twins import half_built as twins

from spfvar.explore.options import Options
from spfvar.explore.verdict import SAFE, Verdict, judge
from spfvar.explore.world import build_race
from spfvar.matrix.catalogue import races
from spfvar.plugins.registry import load_registry
from spfvar.plugins.variant import Stack, Twin, Variant

REGISTRY = load_registry()


def twin(bug: str) -> Twin:
    """The twin of a bug's number."""
    found: Twin = next(twin for twin in twins.TWINS if twin.bug == bug)
    return found


def judged(variant: Variant, race: str) -> Verdict:
    """The verdict on a variant in a shipped race."""
    return judge(build_race(races()[race], Stack(variant)), variant.name, race, Options())


@pytest.mark.parametrize("bug", ["K1", "X16"])
def test_a_tree_that_is_filled_vma_by_vma_has_nothing_to_be_taken_for_a_vma(bug: str) -> None:
    """The same patches on v6.7: the bugs came with the tree that is copied whole."""
    before = REGISTRY["per-vma-6.7"]
    assert (
        judged(replace(before, patches=(*before.patches, *twin(bug).patches)), twin(bug).race).verdict == SAFE
    )


@pytest.mark.parametrize("bug", ["K1", "X16"])
def test_what_is_met_is_the_entry_where_fork_stopped(bug: str) -> None:
    """By who looks from outside."""
    broken = twin(bug).variant(REGISTRY[twin(bug).fixed])
    (finding,) = judged(broken, twin(bug).race).findings
    assert finding.text == "an entry of the tree that a failed fork has left is taken for a VMA"
    assert finding.trace.steps[-1].thread in ("swapoff", "monitor")
