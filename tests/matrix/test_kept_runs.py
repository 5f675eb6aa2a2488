"""Kept runs are the computed ones, and none that another text, load, machine or seed gave."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from types import ModuleType

import pytest

from spfvar.matrix import catalogue
from spfvar.matrix.keys import text_digest
from spfvar.matrix.plan import Plan, make_plan
from spfvar.matrix.run import run_plan
from spfvar.plugins.registry import Registry, load_registry
from spfvar.simulate import runner
from spfvar.simulate.result import Result
from spfvar.store.database import Store

REGISTRY = load_registry()


def plan(
    *variants: str, seeds: int = 2, seed: int = 1, threads: int = 2, registry: Registry = REGISTRY
) -> Plan:
    return make_plan(
        registry, catalogue.scenarios(), catalogue.hardware(), variants=variants, patterns=["pft"],
        threads=[threads], seeds=seeds, seed=seed, baseline=variants[0],
    )  # fmt: skip


def module(name: str) -> ModuleType:
    """A module of the matrix, to be patched."""
    return import_module(f"spfvar.matrix.{name}")


def run_count(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """A list that grows by one for each simulated run."""
    runs: list[int] = []

    def counted(*arguments: object) -> Result:
        runs.append(1)
        return runner.simulate(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(module("cells"), "simulate", counted)
    return runs


def test_kept_runs_are_the_computed_ones(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """To the last bit, NaN where a metric does not apply; nothing is simulated the second time."""
    wanted = plan("mmap-lock", "spf-do-fault")
    computed = run_plan(wanted)
    first = run_plan(wanted, store=store)
    runs = run_count(monkeypatch)
    monkeypatch.setattr(module("cells"), "build_world", None)  # nor is a text extracted
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
