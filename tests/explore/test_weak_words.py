"""Weak words in whole designs: reductions lose nothing, and where nothing can be stale nothing is different."""

from __future__ import annotations

from functools import cache

import pytest

from spfvar.automata.weaken import Memory
from spfvar.explore.explore import Exploration, explore
from spfvar.explore.options import Options
from spfvar.explore.verdict import with_reductions
from spfvar.explore.world import RaceWorld, build_race
from spfvar.matrix.catalogue import races
from spfvar.ops import codes as c
from spfvar.plugins.registry import load_registry
from spfvar.plugins.variant import Stack

REGISTRY = load_registry()

#: Two threads; a grace-period kthread; interrupts (a TLB is flushed), of interchangeable threads, too; range
#: locks; twins that break.
RACES = [
    ("mmap-lock", "munmap-file"),
    ("per-vma-6.12", "munmap-file"),
    ("spf-anon", "munmap-file"),
    ("per-vma-6.12", "mprotect"),
    ("per-vma-refcnt", "mprotect"),
    ("range-lock", "mprotect"),
    ("bonsai", "mprotect"),
    ("v6-acquire@per-vma-6.6", "mprotect"),
    ("r4@mmap-lock", "mprotect"),
    ("mmap-lock", "pin-munmap"),
    ("mmap-lock", "uffd-wp"),
    ("per-vma-6.12", "two-copies"),
    ("x22-exclusive@mmap-lock", "pin-ksm"),
    ("b11@mmap-lock", "first-writes"),
]


@cache
def world(variant: str, race: str, memory: Memory = "lkmm") -> RaceWorld:
    """A race under a variant or twin."""
    return build_race(races()[race], Stack(REGISTRY.any_variant(variant)), memory)


def explored(variant: str, race: str, *reductions: str) -> Exploration:
    """Every violation, by a search with these reductions."""
    plain = Options.plain(first=False, max_states=400_000)
    return explore(world(variant, race), with_reductions(plain, reductions, True))


def noted(variant: str, race: str, *reductions: str) -> tuple[Exploration, bytes]:
    """The same, and the loads that ever returned an old value, with what is beyond the model."""
    weak = world(variant, race).weak
    assert weak is not None
    weak.seen[:] = 0
    weak.stale[:] = 0
    found = explored(variant, race, *reductions)
    return found, (weak.seen != 0).tobytes() + weak.stale.tobytes()


@pytest.mark.parametrize(("variant", "race"), RACES)
@pytest.mark.parametrize(
    "reductions", [("merge", "forget"), ("partial_order",), ("merge", "forget", "symmetry", "partial_order")],
    ids="+".join,
)  # fmt: skip
def test_the_reductions_lose_no_violation(variant: str, race: str, reductions: tuple[str, ...]) -> None:
    """Nor a primitive's outcome, nor a load of an old value; the search of every interleaving is the oracle."""
    whole, old = noted(variant, race)
    assert whole.complete
    found, old_of_it = noted(variant, race, *reductions)
    assert found.complete
    assert old_of_it == old
    assert {v.code for v in found.violations} == {v.code for v in whole.violations}
    assert found.states <= whole.states
    if not whole.violations:
        assert found.covered.tobytes() == whole.covered.tobytes()


@pytest.mark.parametrize("variant", ["mmap-lock", "per-vma-6.12", "per-vma-6.17"])
def test_a_race_in_which_no_weak_word_changes_has_the_same_states(variant: str) -> None:
    """madvise write-locks nothing and stores to no field of a VMA, nor does taking a file's table away."""
    race = "retract-madvise"
    strong, weak = (explore(world(variant, race, memory), Options()) for memory in ("sc", "lkmm"))
    assert world(variant, race).weak is None
    assert (weak.states, weak.transitions) == (strong.states, strong.transitions)


@pytest.mark.parametrize(("variant", "race"), RACES[1:5])
def test_no_text_has_an_order_under_sequential_consistency(variant: str, race: str) -> None:
    """So its table is that of a text without any."""
    assert {op.order for op in world(variant, race, "sc").program.ops} == {""}
    assert {op.order for op in world(variant, race).program.ops} > {""}
    codes = {op.code for op in world(variant, race, "sc").program.ops}
    assert not codes & {c.FENCE, *range(c.FIRST_WEAK, c.LAST_WEAK + 1)}


@pytest.mark.parametrize("twin", ["v6-acquire@per-vma-6.12", "r4@mmap-lock", "s-seq-start@spf-do-fault"])
def test_who_is_listed_first_makes_no_difference(twin: str) -> None:
    """A flush interrupts the others, whose barriers do not tell them what the sender has just stored, whatever
    their number is: the bug breaks, and the design without it has as many states."""
    race = races()["mprotect"]
    states = set()
    for actors in (race.actor, race.actor[::-1]):
        one = race.model_copy(update={"actor": actors})
        broken = explore(build_race(one, Stack(REGISTRY.any_variant(twin)), "lkmm"), Options())
        assert broken.violations
        fixed = explore(build_race(one, Stack(REGISTRY[REGISTRY.twins[twin].fixed]), "lkmm"), Options())
        assert fixed.complete
        assert not fixed.violations
        states.add(fixed.states)
    assert len(states) == 1


@pytest.mark.parametrize(
    ("variant", "race"), [("bonsai", "merge-out-of-memory"), ("mmap-lock", "merge-out-of-memory")]
)
def test_every_outcome_of_an_open_choice_is_taken(variant: str, race: str) -> None:
    """An allocation succeeds and fails, whatever loads may read."""
    found = explore(world(variant, race), Options())
    ops = found.search.world.program.ops
    covered = found.covered.reshape(-1, c.MAX_OUTCOMES)
    choices = [covered[node, : len(op.outcomes)] for node, op in enumerate(ops) if op.code == c.CHOOSE]
    executed = [outcomes for outcomes in choices if outcomes.any()]
    assert executed
    assert all(outcomes.all() for outcomes in executed)
