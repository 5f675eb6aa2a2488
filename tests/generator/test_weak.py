"""Hunts under the kernel's memory model."""

from __future__ import annotations

from dataclasses import replace

import pytest

from spfvar.errors import InputError
from spfvar.explore.explore import explore
from spfvar.explore.world import build_race
from spfvar.generator.run import Hunter
from spfvar.matrix.huntfile import HuntFile
from spfvar.matrix.hunting import Hunted, Plan, run_hunt
from spfvar.plugins.variant import Stack
from tests.explore import checking, weakworlds

PLAN = Plan(2, memories=("anon",), verbs=("load", "store", "munmap", "mprotect"))
WEAK = replace(PLAN, model="lkmm")


def told(hunted: Hunted) -> list[tuple[str, str, int, int]]:
    """Of each finding its race's name, property, steps, and how many races broke so."""
    return [(f.name, f.broken.property, f.broken.trace.length, f.races) for f in hunted.findings]


def test_without_weak_words_a_hunt_finds_the_same() -> None:
    """Two locks in opposite orders: as many races, states and findings, and the same traces."""
    variant = checking.registry().any_variant("crosses")
    plans = [replace(plan, verbs=("load", "munmap")) for plan in (PLAN, WEAK)]  # whose texts are its own
    strong, weak = (run_hunt(variant, plan, jobs=1) for plan in plans)
    assert strong.findings
    assert told(weak) == told(strong)
    assert (weak.races, weak.states, weak.open) == (strong.races, strong.states, strong.open)
    assert [f.broken.trace for f in weak.findings] == [f.broken.trace for f in strong.findings]


def test_a_missing_barrier_is_found_under_weak_memory_only() -> None:
    """By one of the races that nobody wrote, which replays under its model; with the barrier there is none."""
    registry = weakworlds.registry()
    broken = registry.any_variant("weak-no-rmb")
    assert run_hunt(broken, PLAN, jobs=1).findings == ()
    (finding,) = run_hunt(broken, WEAK, jobs=1).findings
    assert finding.broken.property == "P17"
    assert any(step.old is not None for step in finding.broken.trace.steps)
    assert "--memory lkmm" in finding.race.source
    assert run_hunt(registry.any_variant("weak-fences"), WEAK, jobs=1).findings == ()


def test_joint_worlds_have_the_states_of_their_races() -> None:
    """A race in a layout that it shares with others is the race: as many states as by itself.

    If somebody stores to its weak words: else they are strong in the race's own world, and save states.
    """
    stack = Stack(weakworlds.registry().any_variant("weak-fences"))
    hunter = Hunter(stack, model="lkmm")
    outcomes = [one for one in hunter.run(WEAK.groups()) if one.group == "anon: load map | munmap map"]
    assert outcomes
    assert all(not outcome.why for outcome in outcomes)
    group = next(group for group in WEAK.groups() if str(group) == outcomes[0].group)
    world = build_race(next(iter(group.races())), stack, "lkmm")
    assert world.weak is not None
    assert explore(world, hunter.options).states == outcomes[0].states


def test_the_file_of_a_hunt_belongs_to_its_model(tmp_path_factory: pytest.TempPathFactory) -> None:
    """One under sequential consistency has no word of it, and is refused under the other."""
    path = tmp_path_factory.mktemp("hunt") / "mine.hunt"
    variant = weakworlds.registry().any_variant("weak-fences")
    HuntFile(str(path), PLAN, [variant], None).write()
    assert "lkmm" not in path.read_text()
    with pytest.raises(InputError, match="whose memory model is"):
        HuntFile(str(path), WEAK, [variant], None)
    HuntFile(str(path), PLAN, [variant], None)
