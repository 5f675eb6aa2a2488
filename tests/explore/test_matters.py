"""What a search with weak words forgets makes no difference to anything that it may still meet."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from itertools import pairwise

import numpy as np
import numpy.typing as npt
import pytest

from spfvar.explore.explore import Exploration, explore
from spfvar.explore.options import Options
from spfvar.explore.world import RaceWorld, build_race
from spfvar.matrix.catalogue import races
from spfvar.plugins.registry import load_registry
from spfvar.plugins.variant import Stack

Ints = npt.NDArray[np.int64]
REGISTRY = load_registry()
#: Sequence counts, copies of VMAs, reference counts; locks that are taken before what they protect is read;
#: interrupts, also of interchangeable threads; VMAs that are found in the tree, and new ones; stores whose order
#: counts; designs that lack a barrier; VMAs that are mapped while others look.
RACES = [
    ("per-vma-6.12", "mprotect"),
    ("per-vma-refcnt", "mprotect"),
    ("spf-do-fault", "mprotect"),
    ("bonsai", "mprotect"),
    ("v6-acquire@per-vma-6.6", "mprotect"),
    ("r4@mmap-lock", "mprotect"),
    ("mmap-lock", "pin-munmap"),
    ("mmap-lock", "uffd-wp"),
    ("per-vma-6.12", "two-copies"),
    ("spf-do-fault", "merge-over-fault"),
    ("x22-exclusive@mmap-lock", "pin-ksm"),
    ("b11@mmap-lock", "first-writes"),
    ("per-vma-6.12", "munmap-file"),
    ("spf-do-fault", "munmap-file"),
    ("mmap-lock", "remap-anon"),
    ("per-vma-refcnt", "remap-anon"),
]


@cache
def world(variant: str, race: str) -> RaceWorld:
    """A race under a variant or twin, with weak words."""
    return build_race(races()[race], Stack(REGISTRY.any_variant(variant)), "lkmm")


def remembering(world: RaceWorld) -> RaceWorld:
    """The same world in which everything is taken to matter, and no lock to be taken for sure."""
    assert world.weak is not None
    every = {
        name: np.full_like(getattr(world.weak, name), -1)
        for name in ("loads", "stores", "touched", "stored", "own", "told", "sends", "taken", "given")
    }
    own = {
        name: np.zeros_like(getattr(world.weak, name)) for name in ("found", "sure", "room", "seen", "stale")
    }
    return replace(world, weak=world.weak._replace(**own, **every))


def searched(world: RaceWorld) -> Exploration:
    """Every interleaving of every primitive; nothing else is left out, either."""
    found = explore(world, Options.plain(first=False, max_states=400_000))
    assert found.complete
    assert world.weak is not None
    return found


def strong_words(found: Exploration, world: RaceWorld) -> list[bytes]:
    """By state: all but histories and views."""
    search, layout = found.search, world.layout
    keys = search.space.keys.rows[: found.states]
    parts = [keys[:, word] >> bit & mask for word, bit, mask in search.rules.fields.tolist()]
    memory = search.space.memories.rows.view(np.int16)[parts[-1] - 1]
    threads = [search.space.threads.rows.view(np.int16)[part][:, : layout.views] for part in parts[:-1]]
    rows = np.hstack([memory[:, : layout.rings], *threads])
    return [row.tobytes() for row in rows]


def behaviours(found: list[tuple[Exploration, RaceWorld]]) -> list[set[int]]:
    """By search: the classes of its states that nobody can tell apart, whatever happens from there on.

    Bisimulation over all searches together, by refinement, from what the states' strong words are.
    """
    first = np.cumsum([0, *(one.states for one, _ in found)])
    words = [row for one, world in found for row in strong_words(one, world)]
    classes = numbered(words)
    edges = [one.search.space.edges for one, _ in found]
    ends = [
        np.stack([edge.source[: edge.used[0]] + n, edge.target[: edge.used[0]] + n]).astype(np.int64)
        for edge, n in zip(edges, first.tolist(), strict=False)
    ]
    source, target = np.hstack(ends)
    count = 0
    while classes.max() + 1 != count:
        count = int(classes.max()) + 1
        ahead: list[set[int]] = [set() for _ in words]
        for here, there in zip(source.tolist(), classes[target].tolist(), strict=True):
            ahead[here].add(there)
        classes = numbered([(c, frozenset(a)) for c, a in zip(classes.tolist(), ahead, strict=True)])
    return [set(classes[a:b].tolist()) for a, b in pairwise(first.tolist())]


def numbered(keys: list[object] | list[bytes] | list[tuple[int, frozenset[int]]]) -> Ints:
    """The same number for the same key."""
    seen: dict[object, int] = {}
    return np.array([seen.setdefault(key, len(seen)) for key in keys], dtype=np.int64)


@pytest.mark.parametrize(("variant", "race"), RACES)
def test_what_is_forgotten_makes_no_difference(variant: str, race: str) -> None:
    """With it, there are more states, which behave as those without it do: in what is executed, in which
    violations there are, and in every way on from each of them."""
    short, long = world(variant, race), remembering(world(variant, race))
    less, more = searched(short), searched(long)
    assert less.states <= more.states
    assert {v.code for v in less.violations} == {v.code for v in more.violations}
    assert np.array_equal(less.covered, more.covered)
    assert short.weak is not None
    assert long.weak is not None
    assert np.array_equal(
        short.weak.seen != 0, long.weak.seen != 0
    )  # unordered stores, and what is incomplete
    assert np.array_equal(short.weak.stale, long.weak.stale)
    without, all_of_it = behaviours([(less, short), (more, long)])
    assert without == all_of_it


def test_a_lock_that_will_be_taken_tells_what_was_done_under_it() -> None:
    """Of mprotect, where both sides take mmap_lock or the VMA's before they look, there are fewer states."""
    assert searched(world(*RACES[0])).states < searched(remembering(world(*RACES[0]))).states
