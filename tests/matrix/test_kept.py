"""Kept results: the same as computed ones, and none that another text, load, machine or seed gave."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import replace
from importlib import import_module
from pathlib import Path

import pytest

from spfvar.explore.options import Options
from spfvar.explore.verdict import INCOMPLETE
from spfvar.explore.walk import WalkOptions
from spfvar.matrix import catalogue
from spfvar.matrix.cases import Case, make_cases
from spfvar.matrix.check import run_checks
from spfvar.matrix.keys import (
    _imported,
    _is_text,
    code_digest,
    program_key,
    run_key,
    text_digest,
    verdict_key,
)
from spfvar.matrix.plan import Plan, make_plan
from spfvar.matrix.run import run_plan
from spfvar.plugins.registry import Registry, load_registry
from spfvar.plugins.variant import Variant
from spfvar.simulate import runner
from spfvar.store.database import Store

REGISTRY = load_registry()


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    made = Store(tmp_path / "results.sqlite")
    yield made
    assert made.trouble == ""
    made.close()


def plan(
    *variants: str, seeds: int = 2, seed: int = 1, threads: int = 2, registry: Registry = REGISTRY
) -> Plan:
    return make_plan(
        registry, catalogue.scenarios(), catalogue.hardware(), variants=variants, patterns=["pft"],
        threads=[threads], seeds=seeds, seed=seed, baseline=variants[0],
    )  # fmt: skip


def run_count(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """A list that grows by one for each simulated run."""
    runs: list[int] = []
    module = import_module("spfvar.matrix.run")

    def counted(*arguments: object) -> runner.Result:
        runs.append(1)
        return runner.simulate(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(module, "simulate", counted)
    return runs


# --- runs ----------------------------------------------------------------------------------------


def test_kept_runs_are_the_computed_ones(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """To the last bit, NaN where a metric does not apply; nothing is simulated the second time."""
    wanted = plan("mmap-lock", "spf-do-fault")
    computed = run_plan(wanted)
    first = run_plan(wanted, store=store)
    runs = run_count(monkeypatch)
    second = run_plan(wanted, store=store)
    assert runs == []
    for found in (first, second):
        assert found.values.equals(computed.values)
        assert found.events.equals(computed.events)


def test_more_seeds_run_only_those(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """Three after two: one more."""
    run_plan(plan("mmap-lock"), store=store)
    runs = run_count(monkeypatch)
    run_plan(plan("mmap-lock", seeds=3), store=store)
    assert len(runs) == 1


def test_what_runs_the_same_is_kept_once(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """A patch for file faults changes nothing of anonymous ones: its runs are those of the series before it."""
    run_plan(plan("spf-anon"), store=store)
    runs = run_count(monkeypatch)
    run_plan(plan("spf-anon", "spf-map-pages"), store=store)
    assert runs == []


@pytest.mark.parametrize("other", ["seed", "threads", "profile"])
def test_another_cell_is_another_key(other: str) -> None:
    """First seed, load and machine."""
    one = plan("mmap-lock")
    two = {
        "seed": lambda: plan("mmap-lock", seed=2),
        "threads": lambda: plan("mmap-lock", threads=3),
        "profile": lambda: replace(one, profile=one.profile.model_copy(update={"jitter": 0.5})),
    }[other]()
    keys = {run_key(p, p.cells[0], "program", index) for p in (one, two) for index in range(2)}
    assert len(keys) == 4


def test_a_plugin_is_extracted_and_found_by_what_it_does(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A text that does the same is found, even under another name; one that does something else is not.

    There is no key to a plugin's text: it may read whatever it likes.
    """
    source = (Path(__file__).parents[1] / "explore" / "broken.py").read_text(encoding="utf-8")
    file = tmp_path / "mine.py"
    file.write_text(source)
    registry = load_registry([str(file)])
    [mine] = [name for name in registry.variants if name == "no-rcu-free"]
    assert text_digest(registry[mine]) == ""
    wanted = make_plan(
        registry, catalogue.scenarios(), catalogue.hardware(), variants=[mine], patterns=["mmap-churn"],
        threads=[2], seeds=1, baseline=mine,
    )  # fmt: skip
    first = run_plan(wanted, store=store)
    runs = run_count(monkeypatch)
    assert run_plan(wanted, store=store).values.equals(first.values)
    assert runs == []


# --- verdicts ------------------------------------------------------------------------------------


def cases(*names: str, race: str = "munmap-file", twins: bool = False) -> list[Case]:
    return make_cases(REGISTRY, catalogue.races(), names, [] if twins else [race], twins)


def searches(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """A list that grows by one for each search."""
    found: list[int] = []
    module = import_module("spfvar.matrix.check")
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


# --- keys to texts -------------------------------------------------------------------------------


def test_a_shipped_text_covers_every_module_that_it_imports() -> None:
    """Whatever of the shipped texts a module has among its globals is in its digest."""
    texts = {name: module for name, module in sys.modules.items() if _is_text(name)}
    assert len(texts) > 20
    for name, module in texts.items():
        used = {
            getattr(value, "__module__", None) or getattr(value, "__name__", "")
            for value in vars(module).values()
        }
        assert {other for other in used if _is_text(str(other))} - {name} <= set(_imported(name)), name


def test_every_shipped_design_and_twin_has_a_key() -> None:
    """So that none has to be extracted to be looked up; no two designs have the same."""
    digests = {name: text_digest(REGISTRY[name]) for name in REGISTRY.variants}
    assert "" not in digests.values()
    assert len(set(digests.values())) == len(digests)
    twins = [name for name in REGISTRY.twins if not text_digest(REGISTRY.any_variant(name))]
    assert twins == []


def test_a_class_that_was_made_on_the_way_has_no_key() -> None:
    """It may do what no text says."""
    variant = REGISTRY["spf-anon"]
    made = type("Made", (), {"__module__": variant.patches[0].__module__})
    assert text_digest(replace(variant, patches=(*variant.patches, made))) == ""
    assert text_digest(replace(variant, patches=(), repairs=())) != text_digest(variant)


def test_what_the_cell_says_itself_has_no_key_to_its_text() -> None:
    """Costs and lines that sensitivity takes apart are in the program only."""
    [cell, *_] = plan("mmap-lock").cells
    assert program_key(cell)
    assert program_key(replace(cell, costs={})) == ""


def test_the_code_is_part_of_every_key(monkeypatch: pytest.MonkeyPatch) -> None:
    """A changed model knows nothing of what was computed before."""
    [case] = cases("mmap-lock")
    wanted = plan("mmap-lock")
    before = (
        verdict_key(case, "sc", Options()),
        run_key(wanted, wanted.cells[0], "", 0),
        program_key(wanted.cells[0]),
    )
    assert len(code_digest()) == 64
    monkeypatch.setattr(sys.modules["spfvar.matrix.keys"], "code_digest", lambda: "another")
    after = (
        verdict_key(case, "sc", Options()),
        run_key(wanted, wanted.cells[0], "", 0),
        program_key(wanted.cells[0]),
    )
    assert not set(before) & set(after)


def test_variants_with_equal_text_but_other_costs_differ() -> None:
    """A variant's own cost classes are part of it."""
    variant: Variant = REGISTRY["mmap-lock"]
    assert text_digest(replace(variant, costs={"own": 5.0})) != text_digest(variant)
