"""Guards by the patch they stand in; cells and traces of the matrix."""

from __future__ import annotations

import inspect

import pytest

from spfvar.explore.options import Options
from spfvar.matrix import catalogue
from spfvar.matrix.ablate import Ablation, Break, ablate
from spfvar.matrix.cases import Case
from spfvar.matrix.check import run_checks
from spfvar.plugins.registry import load_registry
from spfvar.review.model import GuardUse
from spfvar.review.safety import layer_of, make_safety
from tests.explore import broken

REGISTRY = load_registry()
SPECULATIVE = REGISTRY["spf-do-fault"]
PATCH = next(patch for patch in SPECULATIVE.patches if patch.__name__ == "SpeculativeDoFault")
RACES = catalogue.races()


def ablations(of: str, race: str) -> list[Ablation]:
    """The guards that a race comes by, as if each were needed in it."""
    found = ablate(REGISTRY[of], {race: RACES[race]}, False, Options(max_states=100_000))
    return [Ablation(one.guard, [Break(1, race, "P1", "something")]) for one in found.guards]


@pytest.fixture(scope="module")
def guards() -> tuple[GuardUse, ...]:
    """The guards of the speculative series in one race, of which patch 24 is under review."""
    return make_safety([], ablations("spf-do-fault", "munmap-file"), SPECULATIVE, (PATCH,)).guards


def test_a_guard_belongs_to_the_patch_in_whose_text_it_stands(guards: tuple[GuardUse, ...]) -> None:
    """Patch 24 has an RCU section and a check; its text is in the class of that name."""
    own = [guard for guard in guards if guard.is_of_patch]
    assert sorted(guard.kind for guard in own) == ["RCU section", "check"]
    assert {guard.layer for guard in own} == {layer_of(PATCH)}
    assert {guard.function for guard in own} == {"do_fault"}
    source, first = inspect.getsourcelines(PATCH)
    for guard in own:
        file, _, line = guard.where.partition(":")
        assert file == "spf_patches.py"
        assert first <= int(line) < first + len(source)


def test_the_patch_stands_first_and_then_the_order_of_the_stack(guards: tuple[GuardUse, ...]) -> None:
    """Behind patch 24: 9, 10, 11, ... as they are stacked."""
    names = [guard.layer.name for guard in guards]
    rest = list(dict.fromkeys(name for name in names if name != PATCH.__name__))
    stack = [patch.__name__ for patch in SPECULATIVE.patches]
    assert names[:2] == [PATCH.__name__] * 2
    assert rest == [name for name in stack if name in rest]


def test_without_a_patch_every_guard_is_under_review() -> None:
    """The review is then of the variant."""
    found = make_safety([], ablations("spf-do-fault", "munmap-file"), SPECULATIVE, None).guards
    assert all(guard.is_of_patch for guard in found)


def test_guards_of_one_name_are_told_apart_by_their_order(guards: tuple[GuardUse, ...]) -> None:
    """pte_map_lock() checks the sequence count before the trylock and behind it."""
    checks = [g.name for g in guards if g.function == "pte_map_lock" and "mmap_seq" in g.name]
    assert [name.rpartition(", ")[2] for name in checks] == ["1 of 2", "2 of 2"]


def test_a_text_of_a_base_class_belongs_to_the_patch_that_inherits_it() -> None:
    """Both per-VMA designs inherit the reader; the RCU section of its lookup has a layer of the stack."""
    variant = REGISTRY["per-vma-6.12"]
    found = make_safety([], ablations("per-vma-6.12", "munmap-file"), variant, None).guards
    reader = [guard for guard in found if guard.function == "fault_with_vma_lock"]
    assert "RCU section" in {guard.kind for guard in reader}
    assert {guard.layer.name for guard in reader} == {"PerVmaReader"}


def test_cells_and_traces_are_those_of_the_search() -> None:
    """One design is safe in the race, the one without grace periods is not: P1, with trace and token."""
    bad = next(variant for variant in broken.VARIANTS if variant.name == "no-rcu-free")
    cases = [Case(variant, "munmap-file", RACES["munmap-file"]) for variant in (bad, REGISTRY["mmap-lock"])]
    safety = make_safety(run_checks(cases, Options()), [], bad, None)
    (cell,), (safe,) = safety.of("no-rcu-free"), safety.of("mmap-lock")
    assert (cell.verdict, cell.property, safe.verdict) == ("violation", "P1", "safe")
    (violation,) = safety.violations
    assert violation.trace.length == cell.steps > 0
    assert violation.token.startswith("no-rcu-free:munmap-file:")
    assert safety.races == {"munmap-file": RACES["munmap-file"].title}
