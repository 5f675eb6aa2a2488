"""Where work is done: what processes are told."""

from __future__ import annotations

import sys
from collections.abc import Generator, Iterable
from dataclasses import replace
from multiprocessing import spawn
from types import ModuleType
from typing import TypeVar

import pytest

from spfvar.apart import without_main
from spfvar.matrix import catalogue, executors
from spfvar.matrix.plan import Plan, make_plan
from spfvar.matrix.run import run_plan
from spfvar.plugins.registry import load_registry

T = TypeVar("T")
R = TypeVar("R")
REGISTRY = load_registry()


class Again:
    """What a cluster does that loses results: every task is done twice, and the first answer is lost."""

    remote = True

    def results(
        self, work: executors.Work[T, R] | None, recipe: executors.Recipe, tasks: Iterable[T]
    ) -> Generator[tuple[int, R], None, None]:
        """In the order of the tasks, by a work that is made here."""
        made = recipe.made(())
        for number, task in enumerate(tasks):
            made.run(task)
            yield number, made.run(task)


class Forgetful(Again):
    """Loses the results for good, and says of each cell that another one has run its program."""

    def results(
        self, work: executors.Work[T, R] | None, recipe: executors.Recipe, tasks: Iterable[T]
    ) -> Generator[tuple[int, R], None, None]:
        """Programs alone."""
        for number, (_, result) in enumerate(super().results(work, recipe, tasks)):
            yield number, replace(result, results=None)  # type: ignore[type-var]


def plan() -> Plan:
    """Two designs that have one program in this load (its faults are anonymous), and one with another."""
    return make_plan(
        REGISTRY, catalogue.scenarios(), catalogue.hardware(),
        variants=["mmap-lock", "spf-anon", "spf-map-pages"], patterns=["pft"], threads=[1], seeds=1,
    )  # fmt: skip


def test_cells_that_are_run_again_give_the_same() -> None:
    """Of a cell that began a program, which another one takes, and of one that begins its own."""
    again, once = run_plan(plan(), executor=Again()), run_plan(plan(), 1)
    assert once.failures == again.failures == []
    assert again.values.equals(once.values)


def test_cells_without_an_answer_say_so() -> None:
    """Never an empty message: whoever reads "failed: " knows nothing."""
    failures = run_plan(plan(), executor=Forgetful()).failures
    assert [one.message for one in failures] == ["nothing came back of the cell that ran this program"] * 3


def test_workers_do_not_run_the_program_that_hunts(monkeypatch: pytest.MonkeyPatch) -> None:
    """A script without a guard by ``__name__`` would hunt in each of them: they are told of no main module."""
    script = ModuleType("__main__")
    script.__file__ = "script.py"
    monkeypatch.setitem(sys.modules, "__main__", script)
    keys = {"init_main_from_name", "init_main_from_path"}
    assert spawn.get_preparation_data("x").keys() & keys
    with without_main():
        assert not spawn.get_preparation_data("x").keys() & keys
