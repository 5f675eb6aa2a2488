"""Generated races say of a guard that some of them break without it, or that all hold."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

from spfvar.explore.explore import explore
from spfvar.explore.guards import Guard
from spfvar.explore.sections import LOCK
from spfvar.explore.world import build_race
from spfvar.generator.guards import GuardHunter, needed_in, without_guard
from spfvar.generator.memories import MEMORIES
from spfvar.generator.programs import groups
from spfvar.generator.run import BOUNDS, cause_of
from spfvar.ops.op import Op
from spfvar.plugins.variant import Stack
from spfvar.scenario.race import Race
from tests.explore.checking import registry


def only_write_locks(_: Race) -> Callable[[Op], bool]:
    """v6.12's lock of a VMA for writing, and nothing else."""

    def wanted(op: Op) -> bool:
        return op.function == "vma_start_write"

    return wanted


@cache
def stack() -> Stack:
    """The design that is looked at."""
    return Stack(registry().any_variant("per-vma-6.12"))


@cache
def hunted() -> GuardHunter:
    """Loads against merges of two neighbours."""
    hunter = GuardHunter(stack(), only_write_locks, set())
    hunter.run(groups(MEMORIES["neighbours"], 2, (2,), ("load", "merge")))
    return hunter


def locks() -> list[Guard]:
    """The lock at each call in a merge: the first VMA, then the second, which the text locks before."""
    every = {*hunted().tried, *hunted().broken}
    merge = "vma_merge_existing_range"
    mine = [g for g in every if g.kind == LOCK and g.caller is not None and g.caller.function == merge]
    return sorted(mine, key=lambda guard: guard.order, reverse=True)


def test_the_lock_of_the_vma_that_a_merge_frees_is_needed_by_a_race_that_nobody_wrote() -> None:
    """The lock of the first one, which only grows, is not, in any race that comes by it."""
    first, second = locks()
    assert first not in hunted().broken
    assert hunted().tried[first] > 0
    _, cause = hunted().broken[second]
    assert cause.property == "P1"


def test_the_race_is_reduced_and_holds_with_the_guard_in_place() -> None:
    """A load of the second VMA against the merge is all that it takes."""
    _, second = locks()
    needed = needed_in(*hunted().broken[second], stack(), second, only_write_locks, BOUNDS)
    programs = [[(s.verb, s.target) for s in actor.program] for actor in needed.race.actor]
    assert sorted(programs) == [[("load", "next")], [("merge", "map")]]
    world = build_race(needed.race, stack())
    assert cause_of(world, explore(world, BOUNDS)) is None
    broken = without_guard(needed.race, stack(), second, only_write_locks, BOUNDS)
    assert broken is not None
    cause = cause_of(broken, explore(broken, BOUNDS))
    assert cause is not None
    assert (cause.property, needed.property) == ("P1", "P1")
    assert Race.model_validate(needed.as_dict()["race"]) == needed.race


def test_what_is_needed_already_is_not_tried_and_equal_races_are_run_once() -> None:
    """Nothing is counted for a guard that is decided; a second run of the same races adds nothing."""
    hunter = GuardHunter(stack(), only_write_locks, set(hunted().tried) | set(hunted().broken))
    some = list(groups(MEMORIES["neighbours"], 2, (2,), ("load", "merge")))
    hunter.run(some)
    assert (dict(hunter.tried), hunter.broken) == ({}, {})
    assert hunter.races == hunted().races
    again = GuardHunter(stack(), only_write_locks, set())
    again.run(some[:2])
    tried = dict(again.tried)
    again.run(some[:2])
    assert dict(again.tried) == tried


def test_only_what_is_sought_is_tried() -> None:
    """Of two locks one is asked for: the other is neither counted nor found needed."""
    first, second = locks()
    some = list(groups(MEMORIES["neighbours"], 2, (2,), ("load", "merge")))
    hunter = GuardHunter(stack(), only_write_locks, set(), sought={second})
    hunter.run(some)
    assert set(hunter.broken) == {second}
    assert first not in hunter.tried


def test_a_race_that_does_not_come_by_a_guard_is_not_one_without_it() -> None:
    """Two loads lock nothing for writing."""
    first, _ = locks()
    race = next(iter(groups(MEMORIES["neighbours"], 2, (2,), ("load",)))).memory.race(
        [{"name": "a", "program": [{"load": "map"}]}, {"name": "b", "program": [{"load": "next"}]}]
    )
    assert without_guard(race, stack(), first, only_write_locks, BOUNDS) is None
