"""The whole matrix: no fixed design breaks, no published bug is missed."""

from __future__ import annotations

from collections.abc import Generator, Iterable
from typing import Any

from spfvar.explore.options import Options
from spfvar.matrix import catalogue
from spfvar.matrix.cases import make_cases
from spfvar.matrix.check import Checked, run_checks
from spfvar.matrix.executors import Here, Recipe, Work
from spfvar.plugins.registry import load_registry


def told(result: Checked) -> str:
    """A cell in a line."""
    verdict = result.verdict
    expected = f", expected {result.case.expected}" if result.case.expected else ""
    return (
        f"{verdict.variant} in {verdict.race}: {verdict.verdict} {verdict.property} {verdict.why}{expected}"
    )


def test_every_design_is_safe_in_every_race_and_every_published_bug_is_found_with_its_property() -> None:
    """Every search is complete within the bound that every command has.  A violation of a shipped design is a finding, to be explained or repaired.

    What is safe, a control too, got to everything that its race is about.  One test, for the designs without
    the bugs are among those of the matrix, and are searched once.
    """
    registry, races = load_registry(), catalogue.races()
    cases = make_cases(registry, races, list(registry.variants), ())
    twins = make_cases(registry, races, (), (), twins=True)
    results = run_checks([*cases, *twins], Options())
    designs, probes = results[: len(cases)], results[len(cases) :]
    assert [told(r) for r in designs if r.verdict.verdict != "safe"] == []
    assert [told(r) for r in probes if not r.as_expected or r.verdict.verdict == "incomplete"] == []
    assert [told(r) for r in results if r.verdict.vacuous] == []
    assert {r.case.twin for r in probes} == set(registry.twins)


class Listed(Here):
    """Notes which tasks there are, in the order in which they are given out."""

    def __init__(self) -> None:
        self.given: list[tuple[str, str]] = []

    def results(
        self, work: Work[Any, Any] | None, recipe: Recipe, tasks: Iterable[Any]
    ) -> Generator[tuple[int, Any], None, None]:
        tasks = list(tasks)
        self.given = [(task.variant, task.race_name) for task in tasks]
        yield from super().results(work, recipe, tasks)


def test_races_with_more_threads_come_first_and_results_are_in_the_order_that_was_asked_for() -> None:
    """uffd-wp has three threads, munmap-file two; of each, a design behind the other."""
    registry, races, designs = load_registry(), catalogue.races(), ["mmap-lock", "per-vma-6.12"]
    cases = make_cases(registry, races, designs, ("munmap-file", "uffd-wp"))
    listed = Listed()
    results = run_checks(cases, Options(), executor=listed)
    assert [races[name].threads for name in ("munmap-file", "uffd-wp")] == [2, 3]
    assert listed.given == [(d, race) for race in ("uffd-wp", "munmap-file") for d in designs]
    assert [(r.verdict.variant, r.verdict.race) for r in results] == [
        (case.variant.name, case.race_name) for case in cases
    ]
