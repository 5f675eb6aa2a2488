"""Kept verdicts are the computed ones, traces and all."""

from __future__ import annotations

from dataclasses import replace
from importlib import import_module

import pytest

from spfvar.explore.options import Options
from spfvar.explore.tokens import whole_digest
from spfvar.explore.verdict import INCOMPLETE
from spfvar.explore.walk import WalkOptions
from spfvar.explore.world import build_race
from spfvar.matrix import catalogue
from spfvar.matrix.cases import Case, make_cases
from spfvar.matrix.check import run_checks
from spfvar.matrix.kept_verdicts import program_digest, verdict_key
from spfvar.plugins.registry import load_registry
from spfvar.plugins.variant import Stack
from spfvar.store.database import Store

REGISTRY = load_registry()


def cases(*names: str, race: str = "munmap-file", twins: bool = False) -> list[Case]:
    return make_cases(REGISTRY, catalogue.races(), names, [] if twins else [race], twins)


def searches(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """A list that grows by one for each search."""
    found: list[int] = []
    module = import_module("spfvar.matrix.searching")
    judge = module.judge

    def counted(*arguments: object) -> object:
        found.append(1)
        return judge(*arguments)

    monkeypatch.setattr(module, "judge", counted)
    return found


def test_kept_verdicts_are_the_computed_ones(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """With traces, tokens and causes; safe ones, and both of a twin."""
    wanted = [*cases("mmap-lock"), *cases("f1@mmap-lock", twins=True)]
    first = run_checks(wanted, Options(), store=store)
    counted = searches(monkeypatch)
    second = run_checks(wanted, Options(), store=store)
    assert counted == []
    assert [one.verdict for one in second] == [one.verdict for one in first]
    assert any(one.verdict.findings and one.verdict.findings[0].trace.steps for one in second)


def test_a_program_that_is_safe_is_searched_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """A patch for faults on files changes nothing where there are none; what breaks has traces of its own."""
    counted = searches(monkeypatch)
    wanted = cases("spf-map-pages", "spf-do-fault", race="munmap-anon")
    one, two = (result.verdict for result in run_checks(wanted, Options(), jobs=1))
    assert counted == [1]
    assert (one.variant, two.variant) == ("spf-map-pages", "spf-do-fault")
    [alone] = run_checks(wanted[1:], Options(), jobs=1)
    assert replace(two, seconds=0.0) == replace(alone.verdict, seconds=0.0)
    assert counted == [1, 1]


def test_a_bound_that_another_machine_would_not_meet_is_not_kept(store: Store) -> None:
    """A search that time ended is searched again; one that the number of states ended is the same everywhere."""
    case = cases("mmap-lock", race="three-faults-munmap")
    [one] = run_checks(case, Options(seconds=0.0), store=store)
    assert one.verdict.verdict == INCOMPLETE
    assert store.kinds() == []
    [two] = run_checks(case, Options(max_states=10), store=store)
    assert two.verdict.verdict == INCOMPLETE
    [kind] = store.kinds()
    assert kind.kind == "verdict"


def test_a_violation_that_time_may_have_cut_short_is_not_kept(store: Store) -> None:
    """Another time there may be more of them, or a shorter way; a safe verdict has seen every state."""
    broken, fixed = cases("f1@mmap-lock", twins=True)
    [one, two] = run_checks([broken, fixed], Options(first=False, seconds=60.0), store=store)
    assert one.verdict.findings
    assert not two.verdict.findings
    [kind] = store.kinds()
    assert (kind.kind, kind.entries) == ("verdict", 1)


def test_what_a_field_is_is_part_of_a_program() -> None:
    """A count that must be even at rest is looked at after the search: no opcode says so."""
    world = build_race(catalogue.races()["munmap-anon"], Stack(REGISTRY["spf-anon"]))
    assert len(world.sequences) > 0
    other = replace(world, sequences=world.sequences[:0])
    assert whole_digest(other) == whole_digest(world)
    assert program_digest(other) != program_digest(world)


def test_another_search_is_another_key() -> None:
    """Bounds, reductions, walks and their seeds, memory models, races and designs; not how long one may take."""
    [case], [race], [variant] = cases("mmap-lock"), cases("mmap-lock", race="munmap-anon"), cases("spf-anon")
    keys = [
        verdict_key(case, "sc", Options()),
        verdict_key(case, "lkmm", Options()),
        verdict_key(race, "sc", Options()),
        verdict_key(variant, "sc", Options()),
        verdict_key(case, "sc", Options.plain()),
        verdict_key(case, "sc", Options(max_states=5)),
        verdict_key(case, "sc", WalkOptions(10)),
        verdict_key(case, "sc", WalkOptions(10, seed=2)),
        verdict_key(case, "sc", Options(), "a program"),
    ]
    assert len(set(keys)) == len(keys)
    assert verdict_key(case, "sc", Options(seconds=5.0)) == keys[0]
