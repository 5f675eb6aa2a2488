"""Checks that need the search and the transition function as plain Python: run with NUMBA_DISABLE_JIT=1.

    python -m tests.explore.uncompiled FIRST LAST      tiny worlds of these seeds

Prints a line per seed and disagreement.  The hash is a poor one here, so that different parts and keys do collide.
"""

from __future__ import annotations

import json
import sys
from typing import Any

import numpy as np

from spfvar.explore import parts, search
from spfvar.explore.explore import Exploration, explore
from spfvar.explore.options import Options
from spfvar.explore.search import AT_REST
from spfvar.explore.symmetry import rename
from spfvar.explore.world import RaceWorld
from spfvar.ops import codes as c
from tests.explore.tiny import Naive, moves, naive_search, replayed, tiny_world

LIMIT = 80
REDUCTIONS = ("merge", "forget", "symmetry", "partial_order")


def weak_mix(lane: Any, position: Any) -> int:
    """Sixteen hashes in all."""
    return int(int(lane) ^ int(lane) >> 17 ^ position) & 15


def options(*reductions: str) -> Options:
    """Search everything, with some reductions only."""
    return Options(first=False, livelock=False, **{name: name in reductions for name in REDUCTIONS})


def sets(found: Exploration) -> tuple[set[int], set[int]]:
    """The violations of steps and at rest."""
    codes = {v.code for v in found.violations if v.way != AT_REST}
    return codes, {v.code for v in found.violations if v.way == AT_REST}


def disagreements(seed: int) -> list[str]:
    """What the searches of a tiny world find that the search by the book does not, or the other way."""
    world = tiny_world(seed)
    naive = naive_search(world, LIMIT)
    if naive is None:
        return ["large"]
    wrong = []
    for reductions in ((), *((name,) for name in REDUCTIONS), REDUCTIONS):
        found = explore(world, options(*reductions))
        wrong += [
            f"{'+'.join(reductions) or 'plain'}: {text}"
            for text in differences(world, naive, found, reductions)
        ]
    return wrong + renaming(world, seed)


def differences(world: RaceWorld, naive: Naive, found: Exploration, reductions: tuple[str, ...]) -> list[str]:
    """One search against the search by the book."""
    wrong = []
    both = naive.codes & naive.rests  # a code is noted where it was found first
    codes, rests = sets(found)
    if (
        not found.complete
        or (codes | rests) != (naive.codes | naive.rests)
        or (codes - both) != (naive.codes - both)
    ):
        wrong.append(f"violations {codes} {rests}, not {naive.codes} {naive.rests}")
    covered = set(np.flatnonzero(found.covered).tolist())
    if not covered <= naive.covered or (not naive.codes and covered != naive.covered):
        wrong.append(f"covered differs by {covered ^ naive.covered}")
    numbers = (found.states, found.transitions, found.depth, found.ends)
    if not reductions and numbers != (naive.states, naive.transitions, naive.depth, naive.ends):
        wrong.append(f"{numbers}")
    if found.states > naive.states:
        wrong.append("more states than without reductions")
    for violation in found.violations:
        if not replayed(world, found.ways_of(violation), violation.code, violation.way):
            wrong.append(f"the ways to {c.VIOLATIONS[violation.code]!r} do not lead there")
    return wrong


def renaming(world: RaceWorld, seed: int, steps: int = 60) -> list[str]:
    """A step of renamed threads is the renamed step, along a random walk."""
    from spfvar.explore.rules import groups_of, owners_of

    rng = np.random.default_rng(seed)
    g, owners = world.layout.g, owners_of(world.layout)
    order = np.arange(world.threads)
    for first, number in groups_of(world):
        order[first : first + number] = first + rng.permutation(number)
    name = np.zeros(world.threads, dtype=np.int64)

    def renamed(state: Any) -> Any:
        other = state.copy()
        rename(state, other, g, owners, order, name)
        return other

    state = world.start
    for _ in range(steps):
        here = [(w, s, out) for w, s, out, _ in moves(world, state) if out != c.VIOLATED]
        there = {w: (s, out) for w, s, out, _ in moves(world, renamed(state))}
        for way, after, outcome in here:
            other = int(np.flatnonzero(order == way // search.WAYS)[0]) * search.WAYS + way % search.WAYS
            if there[other][1] != outcome or not np.array_equal(there[other][0], renamed(after)):
                return [f"way {way} of renamed threads differs"]
        if not here:
            break
        state = here[rng.integers(len(here))][1]
    return []


def summary(seed: int) -> list[int]:
    """What a search with all reductions finds, in numbers."""
    found = explore(tiny_world(seed), options(*REDUCTIONS))
    return [found.states, found.transitions, found.depth, *(v.code for v in found.violations)]


def main() -> None:
    """Check the seeds of the command line."""
    for module in (parts, search):
        setattr(module, "mix", weak_mix)  # noqa: B010 (a compiled function by another)
    for seed in range(int(sys.argv[1]), int(sys.argv[2])):
        found = disagreements(seed)
        print(json.dumps({"seed": seed, "wrong": found, "found": [] if found else summary(seed)}), flush=True)


if __name__ == "__main__":
    main()
