"""Canonical forms that are remembered by what they depend on: the same as those that are computed."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from spfvar.explore import explore as bounds
from spfvar.explore.explore import Exploration, Search, explore, run
from spfvar.explore.options import Options
from spfvar.explore.search import prepare
from spfvar.explore.sights import forget_forms, note_sights, owner_words
from spfvar.explore.world import RaceWorld, build_race
from spfvar.matrix.catalogue import races
from spfvar.ops import codes as c
from spfvar.plugins.registry import load_registry
from spfvar.plugins.variant import Stack
from spfvar.transition.jit import compiled
from spfvar.transition.weakly import settled, settled_alone, step_of
from tests.kernels import kernel

step, settle, settle_alone = map(kernel, (step_of, settled, settled_alone))

REGISTRY = load_registry()
#: Sequence counts; locks of VMAs; reference counts; pins and interrupts; a broken one.
RACES = [
    ("spf-do-fault", "munmap-file"),
    ("per-vma-6.12", "mprotect"),
    ("per-vma-refcnt", "mprotect"),
    ("mmap-lock", "pin-munmap"),
    ("v6-acquire@per-vma-6.6", "mprotect"),
]
#: States that are looked at, spread over the search.
LOOKED_AT = 300
#: Nodes that are tried in a thread's place.
OTHER_NODES = 20


def world_of(variant: str, race: str) -> RaceWorld:
    """A race under a variant, with weak words."""
    return build_race(races()[race], Stack(REGISTRY.any_variant(variant)), "lkmm")


def told(found: Exploration) -> tuple[object, ...]:
    """All that a search says: the keys of its states, too, so that parts have the same numbers."""
    space = found.search.space
    used = found.states
    arrays = (space.keys.rows[:used], space.parent[:used], space.way[:used], found.covered)
    violations = [(one.code, one.state, one.way, one.node) for one in found.violations]
    return found.transitions, found.depth, found.ends, violations, [array.tobytes() for array in arrays]


@pytest.mark.parametrize(("variant", "race"), RACES)
def test_what_is_remembered_is_what_would_be_computed(
    variant: str, race: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With room for one form in all, nearly every one is computed."""
    world = world_of(variant, race)
    searches = [Search(world, Options(first=False)) for _ in range(2)]
    remembered = run(searches[0])
    space = searches[1].space
    searches[1].space = space._replace(sights=forget_forms(space.sights, 1))
    monkeypatch.setattr(bounds, "_SETTLED", 1)
    assert told(run(searches[1])) == told(remembered)


def settles(world: RaceWorld) -> Any:
    """Which words of a state a canonical form may change: views and histories."""
    layout = world.layout
    found = np.zeros(len(world.start), dtype=np.bool_)
    found[layout.rings : layout.thread_base(0)] = True
    for thread in range(world.threads):
        first = layout.thread_base(thread)
        found[first + layout.views : first + layout.thread_stride] = True
    return found


@compiled
def look(space: Any, work: Any, rules: Any) -> None:
    """Note what is seen of the state in ``work.s``, whose parts become ``work.parts``."""
    prepare(space, work, rules)
    note_sights(rules.weak, space, work, rules.g)


def seen(search: Search, state: Any) -> tuple[int, ...]:
    """What a canonical form depends on, by numbers."""
    assert not search.enlarge()
    search.work.s[:] = state
    look(search.space, search.work, search.rules)
    return tuple(search.work.seen.tolist())


def unlike(search: Search, state: Any, nodes: int, rng: Any) -> Any:
    """Another state of which the same is seen: other strong words, registers, and nodes where there are such.

    The tree has the same VMAs, at other addresses.
    """
    weak, layout = search.world.weak, search.world.layout
    assert weak is not None
    other = state.copy()
    other[: layout.rings] = rng.integers(0, 100, layout.rings)
    other[owner_words(weak)] = state[owner_words(weak)]
    tree = slice(int(layout.g[c.G_TREE]), int(layout.g[c.G_PMD]))
    other[tree] = rng.permutation(state[tree])
    wanted = seen(search, state)
    for thread in range(search.world.threads):
        first = layout.thread_base(thread)
        other[first + 1 : first + layout.views] = rng.integers(0, 100, layout.views - 1)
        for word in weak.pointers.tolist():
            other[first + word] = state[first + word]
        for node in rng.integers(0, nodes, OTHER_NODES).tolist():
            other[first] = node
            if seen(search, other) == wanted:
                break
            other[first] = state[first]
    return other


@pytest.mark.parametrize(("variant", "race"), RACES)
def test_a_canonical_form_depends_on_nothing_else_and_changes_nothing_else(variant: str, race: str) -> None:
    """Of states that look alike, views and histories become the same; all other words stay as they are."""
    world = world_of(variant, race)
    found = explore(world, Options.plain(first=False, max_states=100_000))
    world = found.search.world
    search = Search(world, Options())
    assert world.weak is not None
    weak_words = settles(world)
    nodes = len(world.weak.nodes)
    states = [found.search.words_of(n) for n in range(0, found.states, max(1, found.states // LOOKED_AT))]
    rng = np.random.default_rng(1)
    forgotten = elsewhere = 0
    for stored in states:
        for thread in range(world.threads):
            state = stored.copy()
            out: Any = np.zeros(c.OUT_WOKEN0 + world.threads, dtype=np.int32)
            if step(world.weak, state, world.program.table, world.layout.g, thread, 0, out) < 0:
                continue
            other = unlike(search, state, nodes, rng)
            assert seen(search, other) == seen(search, state)
            first = world.layout.thread_base(thread)
            elsewhere += int(other[first] != state[first])
            before = [one.copy() for one in (state, other)]
            for one in (state, other):
                settle(world.weak, one, world.layout.g)
            assert (other[weak_words] == state[weak_words]).all()
            for old, new in zip(before, (state, other), strict=True):
                assert (new[~weak_words] == old[~weak_words]).all()
                forgotten += int((new != old).any())
    assert forgotten > 0
    assert elsewhere > 0


@pytest.mark.parametrize(("variant", "race"), RACES)
def test_what_one_thread_forgets_alone_the_canonical_form_forgets_anyway(variant: str, race: str) -> None:
    """Behind a step, the canonical form is the same whether its thread has forgotten what it can alone or not."""
    world = world_of(variant, race)
    found = explore(world, Options.plain(first=False, max_states=100_000))
    world = found.search.world
    weak, g = world.weak, world.layout.g
    assert weak is not None
    forgotten = 0
    for number in range(0, found.states, max(1, found.states // LOOKED_AT)):
        for thread in range(world.threads):
            state = found.search.words_of(number)
            out: Any = np.zeros(c.OUT_WOKEN0 + world.threads, dtype=np.int32)
            if step(weak, state, world.program.table, g, thread, 0, out) < 0:
                continue
            other = state.copy()
            settle_alone(weak, other, g, thread)
            forgotten += int((other != state).any())
            for one in (state, other):
                settle(weak, one, g)
            assert (other == state).all()
            again = state.copy()
            settle(weak, again, g)
            assert (again == state).all()
    assert forgotten > 0
