"""Reductions leave verdicts as they are: against the plain search, and against searches by the book."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
from dataclasses import replace
from functools import lru_cache
from itertools import chain
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spfvar.explore.ahead import ends_first, successors_of
from spfvar.explore.explore import Exploration, explore
from spfvar.explore.footprints import QUEUEING, REST, footprint, futures_of
from spfvar.explore.options import Options
from spfvar.explore.rules import _pieces, rules_of
from spfvar.explore.search import AT_REST
from spfvar.explore.world import RaceWorld, build_race
from spfvar.ops import codes as c
from spfvar.ops.places import RWSEM_WORDS, SPIN_WORDS, Field
from spfvar.plugins.registry import load_registry
from spfvar.scenario.race import Race
from spfvar.toml_input import load_toml
from tests.explore.tiny import replayed, tiny_world
from tests.explore.worlds import race_text
from tests.stacks import stack

ROOT = Path(__file__).parents[2]
VARIANTS = list(load_registry().variants)
#: One of each optimistic design; SPFVAR_FULL=1 takes all variants, and each reduction alone in all races.
FULL = bool(os.environ.get("SPFVAR_FULL"))
DESIGNS = VARIANTS if FULL else ["per-vma-refcnt", "spf-do-fault"]
RACES = sorted(path.name for path in (ROOT / "races").glob("*.toml"))
REDUCTIONS = ("merge", "forget", "symmetry", "partial_order")
#: A race is compared with its plain search if that has at most so many states.
SMALL = 60_000 if FULL else 15_000
TINY = range(29, 60)  # among them use after free, a section left open, and no memory
SINGLY = ("munmap-file.toml", "two-copies.toml", "madvise.toml", "remap-anon.toml")


def options(*reductions: str) -> Options:
    """A search for all violations with some reductions only."""
    chosen = {name: name in reductions for name in REDUCTIONS}
    return Options(max_states=SMALL, first=False, livelock=False, **chosen)


@lru_cache
def world(variant: str, race: str) -> RaceWorld:
    """A shipped race."""
    return build_race(load_toml(ROOT / "races" / race, Race), stack(variant))


@lru_cache
def plain(variant: str, race: str) -> Exploration:
    """Its plain search."""
    return explore(world(variant, race), options())


def codes(found: Exploration) -> set[int]:
    """The properties that are violated."""
    return {violation.code for violation in found.violations}


@pytest.mark.parametrize(
    ("race", "reductions"),
    [
        (race, reductions)
        for race in RACES
        for reductions in [*((name,) for name in REDUCTIONS), REDUCTIONS]
        if FULL or reductions == REDUCTIONS or race in SINGLY
    ],
    ids=lambda value: value if isinstance(value, str) else "+".join(value),
)
@pytest.mark.parametrize("variant", DESIGNS)
def test_a_reduced_search_of_a_race_has_the_plain_verdict(
    variant: str, race: str, reductions: tuple[str, ...]
) -> None:
    """Same violations, same primitives executed, no more states."""
    whole = plain(variant, race)
    if not whole.complete:
        pytest.skip(f"the plain search has more than {SMALL} states")
    found = explore(world(variant, race), options(*reductions))
    assert found.complete
    assert codes(found) == codes(whole)
    assert found.states <= whole.states
    if not whole.violations:
        assert found.covered.tobytes() == whole.covered.tobytes()


@pytest.mark.parametrize("variant", ["spf-do-fault", "mmap-lock"])
def test_symmetry_leaves_a_state_per_set_of_threads(variant: str) -> None:
    """Two interchangeable faults: nearly half of the states go, never more than half."""
    pair = build_race(Race(**race_text(faults=2)), stack(variant))
    several = explore(pair, replace(options("merge", "forget"), max_states=1_000_000))
    renamed = explore(pair, replace(options("merge", "forget", "symmetry"), max_states=1_000_000))
    assert several.complete
    assert several.states / 2 <= renamed.states < 0.6 * several.states


@pytest.mark.parametrize("reductions", [(), REDUCTIONS], ids=["plain", "all"])
def test_ways_lead_to_each_violation(reductions: tuple[str, ...]) -> None:
    """One primitive a way, by the real threads, whatever was merged and renamed between stored states."""
    violations = 0
    for seed in TINY:
        tiny = tiny_world(seed)
        found = explore(tiny, options(*reductions))
        for violation in found.violations:
            ways = found.ways_of(violation)
            assert replayed(tiny, ways, violation.code, violation.way)
            assert (violation.way == AT_REST) == (violation.node < 0)
            violations += 1
    assert violations > 2


@lru_cache
def uncompiled(module: str, *arguments: str) -> list[str]:
    """What a program of the tests prints when nothing is compiled."""
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-m", f"tests.explore.{module}", *arguments],
        capture_output=True, text=True, cwd=ROOT, check=False, timeout=300,
        env={**os.environ, "NUMBA_DISABLE_JIT": "1"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def tiny_results() -> list[dict[str, object]]:
    """By seed: disagreements of the searches of a tiny world, and what the reduced one found."""
    return [json.loads(line) for line in uncompiled("uncompiled", str(TINY.start), str(TINY.stop))]


def test_searches_of_tiny_worlds_agree_with_one_by_the_book() -> None:
    """Random programs of locks, loads, stores, RCU, interrupts and objects, each reduction and all of them.

    Compared are violations, executed primitives, and the plain search's states, transitions, depth and ends.
    The hash has 16 values there, so keys and parts are told apart by themselves.  A step of renamed threads is
    the renamed step.
    """
    results = [result for result in tiny_results() if result["wrong"] != ["large"]]
    assert len(results) > len(TINY) / 4
    assert [result for result in results if result["wrong"]] == []


def test_the_compiled_search_finds_what_the_uncompiled_does() -> None:
    """State by state, with another hash."""
    results = [result for result in tiny_results() if result["found"]]
    for result in results:
        found = explore(tiny_world(int(str(result["seed"]))), Options(first=False, livelock=False))
        numbers = [found.states, found.transitions, found.depth, *(v.code for v in found.violations)]
        assert numbers == result["found"]


@pytest.mark.parametrize("variant", DESIGNS)
def test_footprints_own_up_to_every_word(variant: str) -> None:
    """Whatever an op reads or changes on random walks belongs to a resource of its footprint."""
    races = [str(path) for path in sorted((ROOT / "races").glob("*.toml"))]
    assert uncompiled("footprints_uncompiled", "5000" if FULL else "900", variant, *races) == []


def test_the_shipped_races_meet_every_kind_of_primitive() -> None:
    """No op of a shipped race is unknown to the footprints: it would conflict with everything."""
    worlds = [world(variant, race) for variant in DESIGNS for race in RACES]
    ops = set(chain.from_iterable(w.program.ops for w in worlds))
    assert [op.name for op in ops if footprint(op, ()).unknown] == []


def test_only_an_unlock_lets_a_lock_go() -> None:
    """Any other primitive that clears a lock's word would leave those who queue for it waiting.

    Two more write such words: they lock the folio that they find, or add.
    """
    locks = {c.DOWN_READ_TRYLOCK, c.DOWNGRADE_WRITE, c.TRYLOCK, *QUEUEING}
    ops = set(chain.from_iterable(world("mmap-lock", race).program.ops for race in RACES))
    writers = {
        op.code
        for op in ops
        for resource in footprint(op, ()).writes
        if isinstance(resource, Field) and resource.width in (SPIN_WORDS, RWSEM_WORDS)
    }
    assert {c.NAMES[code] for code in writers - locks} == {"FOLIO_CREATE", "NEXT_CANDIDATE"}


@given(number=st.integers(0, 2**32))
@settings(max_examples=50, deadline=None)
def test_what_a_thread_may_still_do_is_what_nodes_ahead_do(number: int) -> None:
    """Against a walk from each node of a random program, with circles in it."""
    draw = random.Random(number)
    nodes = draw.randint(1, 12)
    table = np.full((nodes, c.COLUMNS), -1, dtype=np.int32)
    for row in table:
        for outcome in range(draw.randint(0, 2)):
            row[c.C_SUCC + outcome] = draw.randrange(nodes)
    bits = [1 << draw.randint(0, REST) for _ in range(3 * nodes)]
    masks = np.array(bits, dtype=np.int64).reshape(nodes, 3)
    successors = successors_of(table)
    found = futures_of(masks, successors, ends_first(successors))
    for node in range(nodes):
        seen, ahead = set[int](), [node]
        while ahead:
            here = ahead.pop()
            if here not in seen:
                seen.add(here)
                ahead += [n for n in table[here, c.C_SUCC : c.C_SUCC + c.MAX_OUTCOMES].tolist() if n >= 0]
        assert found[node].tolist() == np.bitwise_or.reduce(masks[sorted(seen)]).tolist()


def test_worlds_share_what_a_search_follows_in_equal_programs() -> None:
    """A race's two searches; a piece that was thrown away meanwhile is made again, and is the same."""
    race = load_toml(ROOT / "races" / "munmap-file.toml", Race)
    first, second = (rules_of(build_race(race, stack("spf-do-fault")), Options()).rules for _ in range(2))
    before = len(_pieces)
    assert all(np.array_equal(one, other) for one, other in zip(first[:11], second[:11], strict=True))
    rules_of(build_race(race, stack("spf-do-fault")), Options(merge=False))
    assert len(_pieces) == before
    _pieces.clear()
    again = rules_of(build_race(race, stack("spf-do-fault")), Options()).rules
    assert all(np.array_equal(one, other) for one, other in zip(first[:11], again[:11], strict=True))
