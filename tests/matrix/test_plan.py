"""From names and axes to cells."""

from __future__ import annotations

import pytest

from spfvar.errors import InputError
from spfvar.matrix import catalogue
from spfvar.matrix.plan import Plan, make_plan
from spfvar.plugins.registry import load_registry

REGISTRY = load_registry()


def plan(**options: object) -> Plan:
    """A plan over the shipped files."""
    return make_plan(REGISTRY, catalogue.scenarios(), catalogue.hardware(), **options)  # type: ignore[arg-type]


def test_no_arguments_mean_every_variant_and_scenario() -> None:
    """Each scenario's points times all variants; the baseline has no patches.  By default some stay away."""
    scenarios = catalogue.scenarios()
    default, whole = plan(), plan(every=True)
    assert {cell.load.scenario for cell in whole.cells} == set(scenarios.names())
    assert {cell.load.scenario for cell in default.cells} == {
        n for n in scenarios.names() if scenarios[n].default
    }
    assert 0 < len(default.scenario_hashes) < len(whole.scenario_hashes)
    assert {cell.variant.name for cell in default.cells} == set(REGISTRY.variants)
    assert not REGISTRY[default.baseline].patches


def test_a_scenario_that_is_named_is_run_whether_it_is_a_default_or_not() -> None:
    """`default = false` is about comparisons that name none."""
    made = plan(variants=["mmap-lock"], patterns=["io-fork"], threads=[1])
    assert {cell.load.scenario for cell in made.cells} == {"io-fork"}


def test_axes_multiply_and_threads_vary_fastest() -> None:
    """Two hit rates and three thread counts are six points, threads innermost."""
    made = plan(
        variants=["mmap-lock"], patterns=["file-read"], threads=[1, 2, 3], settings={"hit_rate": ["0.5", "1"]}
    )
    points = [(cell.axes["hit_rate"], cell.axes["threads"]) for cell in made.cells]
    assert points == [(0.5, 1), (0.5, 2), (0.5, 3), (1.0, 1), (1.0, 2), (1.0, 3)]


def test_the_baseline_is_added_if_it_was_not_asked_for() -> None:
    """Ratios need their denominator."""
    made = plan(variants=["spf-anon"], patterns=["pft"], baseline="per-vma-6.12")
    assert {cell.variant.name for cell in made.cells} == {"spf-anon", "per-vma-6.12"}


def test_default_thread_counts_fit_the_machine() -> None:
    """More threads than CPUs are cut to the CPUs, except where a scenario has just one count."""
    made = plan(variants=["mmap-lock"], patterns=["pft", "app-start"], hardware="phone-8c")
    counts = {(cell.load.scenario, cell.axes["threads"]) for cell in made.cells}
    assert counts == {("pft", 1), ("pft", 4), ("pft", 8), ("app-start", 100)}


def test_sizes_are_spelled_as_a_user_writes_them() -> None:
    """An axis appears in tables as --set takes it."""
    made = plan(
        variants=["mmap-lock"], patterns=["page-fault1"], threads=[1], settings={"region": ["8388608"]}
    )
    assert made.cells[0].axes["region"] == "8MiB"


def test_a_run_smaller_than_the_published_benchmark_says_so() -> None:
    """The note disappears when the published size is set."""
    assert any("published size" in note for note in plan(patterns=["page-fault1"]).notes)
    published = plan(patterns=["page-fault1"], threads=[1], settings={"region": ["128MiB"]})
    assert published.notes == ()


def test_the_hash_tells_matrices_apart() -> None:
    """The same request has the same hash; seeds and axes change it."""
    assert plan(patterns=["pft"]).matrix_hash == plan(patterns=["pft"]).matrix_hash
    others = [plan(patterns=["pft"], seeds=7), plan(patterns=["pft"], threads=[1])]
    assert plan(patterns=["pft"]).matrix_hash not in {other.matrix_hash for other in others}


def test_an_axis_that_no_chosen_scenario_has_is_refused() -> None:
    """With the nearest axis as a hint."""
    with pytest.raises(InputError, match="hit_rate"):
        plan(patterns=["file-read"], settings={"hitrate": ["1"]})
