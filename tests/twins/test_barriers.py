"""Missing barriers: each bug is seen under the kernel's memory model, and only there."""

from __future__ import annotations

import pytest
from spfvar.twins import barriers, pin_barriers, published, rcuwait, tree_nodes

from spfvar.automata.weaken import Memory
from spfvar.explore.options import Options
from spfvar.explore.verdict import SAFE, Verdict, judge
from spfvar.explore.world import build_race
from spfvar.matrix.catalogue import races
from spfvar.plugins.registry import load_registry
from spfvar.plugins.variant import Stack, Twin, Variant

REGISTRY = load_registry()
MODULES = (barriers, pin_barriers, rcuwait, published, tree_nodes)
TWINS = [REGISTRY.twins[twin.name] for module in MODULES for twin in module.TWINS if twin.memory == "lkmm"]
#: Texts that are not shipped, from which other twins take a barrier: controls.
CONTROLS = {"X22-mb": "x22-batch@mmap-lock", "X22-pin": "x22-batch@mmap-lock",
            "B7-wait": "b7@per-vma-refcnt", "B7-wake": "b7@per-vma-refcnt",
            "B21-wmb": "b21@mmap-lock", "B21-rmb": "b21@mmap-lock"}  # fmt: skip
#: Those that leave a barrier or an order away; the others do something elsewhere, or nothing wrong.
TAKEN_OUT = [twin for twin in TWINS if twin.bug != "B16" and twin.prop]


def verdict_of(variant: Variant, race: str, memory: Memory) -> Verdict:
    """The verdict on a variant in a shipped race, or in one that came with the twins."""
    catalogue = races()
    name = catalogue.add_file(race) if race.endswith(".toml") else race
    return judge(build_race(catalogue[name], Stack(variant), memory), variant.name, name, Options())


@pytest.mark.parametrize("twin", TWINS, ids=lambda twin: twin.name)
def test_a_missing_barrier_is_seen_under_lkmm_alone(twin: Twin) -> None:
    """Without the barrier the property breaks, with it nothing does; nor does it where nothing is reordered."""
    assert twin.memory == "lkmm"
    fixed = REGISTRY[twin.fixed]
    broken = twin.variant(fixed)
    assert verdict_of(broken, twin.race, "lkmm").property == twin.prop
    assert verdict_of(fixed, twin.race, "lkmm").verdict == SAFE
    assert verdict_of(broken, twin.race, "sc").verdict == SAFE


@pytest.mark.parametrize("twin", TAKEN_OUT, ids=lambda twin: twin.name)
def test_taking_a_barrier_out_changes_nothing_under_sequential_consistency(twin: Twin) -> None:
    """The same states, one by one: orders and barriers are no part of what it executes."""
    both = REGISTRY.any_variant(CONTROLS.get(twin.bug, twin.fixed)), twin.variant(REGISTRY[twin.fixed])
    with_it, without = (verdict_of(variant, twin.race, "sc") for variant in both)
    assert (without.states, without.transitions) == (with_it.states, with_it.transitions)
