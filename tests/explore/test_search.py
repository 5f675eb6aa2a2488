"""The search itself: bounds, determinism, growth."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache

import numpy as np
import pytest

from spfvar.explore import explore as module
from spfvar.explore.explore import Exploration, explore, fields_of
from spfvar.explore.options import Options
from spfvar.explore.world import RaceWorld, build_race
from spfvar.scenario.race import Race
from tests.explore.tiny import naive_search, tiny_world
from tests.explore.worlds import race_text
from tests.stacks import stack


@lru_cache
def pair() -> RaceWorld:
    """Two speculative faults against munmap: some 100,000 states without reductions."""
    return build_race(Race(**race_text(faults=2)), stack("spf-do-fault"))


def told(found: Exploration) -> tuple[object, ...]:
    """All that has to be the same again."""
    space = found.search.space
    used = found.states
    return (
        found.states, found.transitions, found.depth, found.ends, tuple(found.violations),
        space.parent[:used].tobytes(), space.way[:used].tobytes(), found.covered.tobytes(),
    )  # fmt: skip


@pytest.mark.parametrize("seed", range(12))
def test_a_plain_search_counts_what_a_search_by_the_book_counts(seed: int) -> None:
    """States, transitions, depth, ends, violations, and the shortest way to the first of them."""
    world = tiny_world(seed)
    naive = naive_search(world, 600)
    if naive is None:
        pytest.skip("large")
    found = explore(world, Options.plain(first=False, livelock=False))
    assert found.complete
    assert (found.states, found.transitions) == (naive.states, naive.transitions)
    assert (found.depth, found.ends) == (naive.depth, naive.ends)
    assert {violation.code for violation in found.violations} == naive.codes | naive.rests
    if found.violations:
        assert len(found.ways_of(found.violations[0])) == naive.shortest


@pytest.mark.parametrize("options", [Options.plain(), Options()], ids=["plain", "reduced"])
def test_the_same_search_again_is_the_same_to_the_last_parent(
    options: Options, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However the search is cut into slices, and however small its stores begin."""
    first = told(explore(pair(), options))
    monkeypatch.setattr(module, "_FIRST_SLICE", 7)
    monkeypatch.setattr(module, "_LAST_SLICE", 1_000)
    monkeypatch.setattr(module, "_FIRST_PARTS", 64)
    monkeypatch.setattr(module, "_FIRST_STATES", 1024)
    monkeypatch.setattr(module, "_MEMO", 64)
    assert told(explore(pair(), options)) == first


def test_a_search_by_the_rules_of_another_one_is_the_same() -> None:
    """As without partial-order reduction, by which rules differ in one word: after another was packed, too."""
    options = Options(partial_order=False)
    rules = explore(pair(), Options()).search.followed
    rules = replace(rules, rules=rules.rules._replace(partial=False))
    assert told(explore(pair(), options, followed=rules)) == told(explore(pair(), options))


@pytest.mark.parametrize(
    ("bounds", "why"),
    [
        ({"max_states": 1}, "max-states"),
        ({"max_states": 5_000}, "max-states"),
        ({"max_bytes": 1}, "memory"),
        ({"max_bytes": 400_000}, "memory"),
        ({"seconds": 0.0}, "timeout"),
    ],
)
def test_a_bound_makes_a_search_incomplete(bounds: dict[str, float], why: str) -> None:
    """Never a crash, and never a verdict."""
    found = explore(pair(), Options.plain(**bounds))
    assert (found.complete, found.why, found.violations) == (False, why, [])
    assert found.states > 0


def test_memory_stays_under_its_bound() -> None:
    """The arrays, the old ones beside those they grow into included."""
    bound = 3_000_000
    found = explore(pair(), Options.plain(max_bytes=bound))
    assert found.why == "memory"
    assert bound / 8 < found.memory <= bound


def test_progress_is_told() -> None:
    """States and transitions, growing."""
    heard: list[tuple[int, int]] = []
    explore(pair(), Options.plain(), lambda states, transitions, seconds: heard.append((states, transitions)))
    assert len(heard) > 3
    assert heard == sorted(heard)


@pytest.mark.parametrize("bits", [[9] * 5, [20] * 3, [24] * 9, [1]])
def test_parts_of_a_key_do_not_overlap(bits: list[int]) -> None:
    """Each field lies within one word and has the bits that it needs; memory's is in the first."""
    needed = [*bits, 14]
    fields, words = fields_of(needed)
    used = np.zeros((words, 64), dtype=int)
    for word, bit, mask in fields.tolist():
        used[word, bit : bit + mask.bit_length()] += 1
        assert bit + mask.bit_length() <= 64
    assert used.max() == 1
    assert all(mask.bit_length() >= least for mask, least in zip(fields[:, 2].tolist(), needed, strict=True))
    assert fields[-1].tolist()[:2] == [0, 0]


def test_keys_are_packed_again_only_when_a_number_needs_more_bits(monkeypatch: pytest.MonkeyPatch) -> None:
    """Four threads' numbers have 10 bits in a key of 64, memory's 24: more than this search has parts."""
    packed: list[int] = []
    pack = module.Search._pack

    def noted(search: module.Search) -> None:
        packed.append(search.states)
        pack(search)

    monkeypatch.setattr(module, "_FIRST_PARTS", 64)
    monkeypatch.setattr(module.Search, "_pack", noted)
    found = explore(pair(), Options())
    space = found.search.space
    assert min(len(space.threads.rows), len(space.memories.rows)) > 64
    assert packed == [0]
