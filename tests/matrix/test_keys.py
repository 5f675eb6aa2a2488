"""What decides a result is in its key; of shipped designs every module that their text imports."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace

import pytest

from spfvar.explore.options import Options
from spfvar.matrix import catalogue
from spfvar.matrix.cases import make_cases
from spfvar.matrix.kept_verdicts import verdict_key
from spfvar.matrix.keys import (
    OUTSIDE,
    _imported,
    _is_text,
    code_digest,
    machine_keys,
    program_key,
    run_key,
    text_digest,
)
from spfvar.matrix.plan import Plan, make_plan
from spfvar.plugins.registry import Registry, load_registry
from spfvar.plugins.variant import Variant

REGISTRY = load_registry()


def plan(
    *variants: str, seeds: int = 2, seed: int = 1, threads: int = 2, registry: Registry = REGISTRY
) -> Plan:
    return make_plan(
        registry, catalogue.scenarios(), catalogue.hardware(), variants=variants, patterns=["pft"],
        threads=[threads], seeds=seeds, seed=seed, baseline=variants[0],
    )  # fmt: skip


@pytest.mark.parametrize("other", ["seed", "threads", "profile"])
def test_another_cell_is_another_key(other: str) -> None:
    """First seed, load and machine."""
    one = plan("mmap-lock")
    two = {
        "seed": lambda: plan("mmap-lock", seed=2),
        "threads": lambda: plan("mmap-lock", threads=3),
        "profile": lambda: replace(one, profile=one.profile.model_copy(update={"jitter": 0.5})),
    }[other]()
    keys = {
        run_key(machine_keys(p)[index], p.cells[0], "program", index)
        for p in (one, two)
        for index in range(2)
    }
    assert len(keys) == 4


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
    [case] = make_cases(REGISTRY, catalogue.races(), ["mmap-lock"], ["munmap-file"])
    wanted = plan("mmap-lock")
    before = (
        verdict_key(case, "sc", Options()),
        run_key(machine_keys(wanted)[0], wanted.cells[0], "", 0),
        program_key(wanted.cells[0]),
    )
    assert len(code_digest()) == 64
    for module in ("keys", "kept_verdicts"):
        monkeypatch.setattr(sys.modules[f"spfvar.matrix.{module}"], "code_digest", lambda: "another")
    after = (
        verdict_key(case, "sc", Options()),
        run_key(machine_keys(wanted)[0], wanted.cells[0], "", 0),
        program_key(wanted.cells[0]),
    )
    assert not set(before) & set(after)


def test_variants_with_equal_text_but_other_costs_differ() -> None:
    """A variant's own cost classes are part of it."""
    variant: Variant = REGISTRY["mmap-lock"]
    assert text_digest(replace(variant, costs={"own": 5.0})) != text_digest(variant)


def test_no_result_comes_from_the_parts_that_are_left_out() -> None:
    """Whoever runs cells or searches imports none of them, however far down."""
    program = (
        "import sys, spfvar.matrix.run, spfvar.matrix.check\n"
        "from spfvar.plugins.registry import load_registry\n"
        "load_registry()\n"
        "print(*{name.split('.')[1] for name in sys.modules if name.startswith('spfvar.')})"
    )
    parts = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert {"simulate", "explore", "mm", "store"} <= set(parts.stdout.split())
    assert not OUTSIDE & set(parts.stdout.split())


def test_each_draw_is_a_machine_of_its_own() -> None:
    """Keys differ by draw, and a seed has the same draw whichever seed is the first."""

    def drawn(seed: int) -> Plan:
        return make_plan(
            REGISTRY, catalogue.scenarios(), catalogue.hardware(), variants=["mmap-lock"], patterns=["pft"],
            draws=4, seed=seed,
        )  # fmt: skip

    keys = machine_keys(drawn(1))
    assert len(set(keys)) == 4
    assert machine_keys(plan("mmap-lock"))[0] not in keys
    ensemble = drawn(1).ensemble
    assert ensemble is not None
    assert [ensemble.of_seed(seed) for seed in (1, 2, 24, 25)] == [0, 1, 23, 0]
