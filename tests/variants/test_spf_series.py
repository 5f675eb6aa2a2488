"""The 2021 series: complete, in order, bisectable in behaviour, and what the shipped variants are made of."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import pytest
from spfvar.variants import spf_patches

from spfvar.automata.automaton import Automaton
from spfvar.explore.options import Options
from spfvar.explore.verdict import SAFE, VIOLATION, judge
from spfvar.explore.world import build_race
from spfvar.matrix import catalogue
from spfvar.mm import hookspecs as hooks
from spfvar.mm.vmf import Mapping, VmFault
from spfvar.plugins.registry import load_registry, sample_texts
from spfvar.plugins.variant import Stack, Variant
from tests.transition import driver as d

REGISTRY = load_registry()
SPF, POSTED = REGISTRY.series["spf"], REGISTRY.series["spf-posted"]
PAGE = (Path(__file__).parents[2] / "docs" / "series.md").read_text(encoding="utf-8")
FILE_WRITE = VmFault(True, Mapping(anonymous=False))


def automata(variant: Variant) -> dict[str, Automaton]:
    """Those of every kind of fault and every writer."""
    stack = Stack(variant)
    return {name: stack.automaton(name, text) for name, text in sample_texts()}


def test_it_has_the_37_patches_with_their_mails() -> None:
    """Patch k is message k + 1, the cover letter being the first; what changes nothing says why."""
    assert [patch.number for patch in SPF.patches] == list(range(1, 38))
    for patch in SPF.patches:
        assert patch.source == f"20210407014502.24091-{patch.number + 1}-michel@lespinasse.org"
        assert bool(patch.changes) != bool(patch.note)
    assert [(p.number, p.title, p.needs) for p in POSTED.patches] == [
        (p.number, p.title, p.needs) for p in SPF.patches
    ]


def test_each_class_is_the_patch_that_its_docstring_says() -> None:
    """ "24/37: ...", by which a mail is found again."""
    for series in (SPF, POSTED):
        for patch in series.patches:
            for change in patch.changes:
                assert (change.__doc__ or "").startswith(f"{patch.number}/37")


@pytest.mark.parametrize(
    ("variant", "expression"), [("spf-anon", "spf@23+33+34+35"), ("spf-do-fault", "spf")]
)
def test_a_shipped_variant_is_a_stack_of_the_series(variant: str, expression: str) -> None:
    """The same automata, and its description names the stack."""
    shipped = REGISTRY[variant]
    assert automata(shipped) == automata(REGISTRY[expression])
    assert f"{expression}." in shipped.description


def test_map_pages_only_is_a_stack_and_the_reviewers_patch() -> None:
    """The stack alone speculates on anonymous memory only, as spf-anon: 27 and 28 are not switched on."""
    shipped, stack = REGISTRY["spf-map-pages"], REGISTRY["spf@23+27+28+33+34+35"]
    assert set(shipped.patches) - set(stack.patches) == {spf_patches.MapPagesOnly}
    assert automata(stack) == automata(REGISTRY["spf-anon"]) != automata(shipped)


def test_taking_a_patch_out_takes_out_what_needs_it() -> None:
    """By hand: 25 and 26 work on what 24 fetched, 29 declares 25 and 28, 30 switches them on."""
    assert SPF.choose("spf~24").fallen == (25, 26, 29, 30, 31, 32)
    assert SPF.choose("spf~9").fallen == (11, *range(14, 23), *range(24, 34), 35, 37)
    assert SPF.choose("spf~23").fallen == ()  # it only makes 24 safe, which the checker has to find


def test_every_stack_without_one_patch_has_a_fault_and_a_writer() -> None:
    """What is left calls nothing that fell out: the texts can be extracted."""
    seen = set()
    for patch in SPF.patches:
        variant = REGISTRY[f"spf~{patch.number}"]
        if variant.patches not in seen:
            seen.add(variant.patches)
            stack = Stack(variant)
            assert len(stack.automaton("fault", partial(hooks.do_user_addr_fault, FILE_WRITE))) > 1
            assert len(stack.automaton("munmap", partial(hooks.munmap, FILE_WRITE.mapping))) > 1


def counts(variant: str, region: dict[str, Any], access: str) -> dict[str, int]:
    """The events of one thread that touches 16 KiB, while a second one is there."""
    groups = [
        {"name": "t", "threads": 1, "repeat": 1, "program": [{"touch": "r", "access": access}]},
        {"name": "other", "threads": 1, "repeat": 1, "program": [{"compute": "1us"}]},
    ]
    load = d.small_load([{"name": "r", "size": "16KiB", "mapped": True, **region}], groups)
    run = d.start(d.variant_world(variant, load))
    assert run.finish() == d.FINISHED
    return run.counts()


@pytest.mark.parametrize(
    ("variant", "attempts", "aborts"),
    [
        ("spf@10", 0, 0),  # nobody tries
        ("spf@11", 4, 4),  # tried, and given up by do_handle_mm_fault
        ("spf@15", 4, 4),  # all is there and nothing is switched on
        ("spf@16", 4, 1),  # the first page finds no table, the others succeed
        ("spf", 4, 1),
    ],
)
def test_speculation_of_anonymous_faults_begins_with_patch_16(
    variant: str, attempts: int, aborts: int
) -> None:
    """Four faults; before 16 nothing speculates, and 11 to 15 pay for attempts that all fail."""
    found = counts(variant, {}, "write")
    assert (found.get("spf_attempt", 0), found.get("spf_abort", 0)) == (attempts, aborts)
    assert found["mmap_lock_fault"] == max(aborts, 4 - attempts)


@pytest.mark.parametrize(
    ("variant", "aborts", "turned_away"),
    [("spf@15", 4, 0), ("spf@16", 4, 4), ("spf@29", 4, 4), ("spf@30", 1, 0), ("spf~24", 4, 4)],
)
def test_speculation_of_file_faults_begins_with_patch_30(variant: str, aborts: int, turned_away: int) -> None:
    """Private write faults: 11 copies any VMA, 16 turns files away, 30 lets them in, unless 24 is missing."""
    found = counts(variant, {"backing": "file"}, "write")
    assert (found["spf_attempt"], found["spf_abort"]) == (4, aborts)
    assert found.get("spf_abort_no_speculate", 0) == turned_away


@pytest.mark.parametrize(
    ("patch", "race", "property_", "bug"),
    [
        (16, "munmap-anon", "P4", "H13"),
        (16, "mbind", "P2", "H4"),
        (20, "two-copies", "P14", "H7"),
        (30, "reclaim-read", "P14", "H5"),
        (30, "retract-young", "P4", "N1"),
    ],
)
def test_the_posted_series_breaks_at_the_patches_that_the_page_names(
    patch: int, race: str, property_: str, bug: str
) -> None:
    """Safe one patch before; docs/series.md has a row for each bug, and the repaired stack is safe."""
    races = catalogue.races()

    def verdict(name: str) -> tuple[str, str]:
        found = judge(build_race(races[race], Stack(REGISTRY[name])), name, race, Options())
        return found.verdict, found.property

    assert verdict(f"spf-posted@{patch - 1}") == (SAFE, "")
    assert verdict(f"spf-posted@{patch}") == (VIOLATION, property_)
    assert verdict(f"spf@{patch}") == (SAFE, "")
    rows = [line for line in PAGE.splitlines() if line.startswith(f"| {patch} | {property_} | {bug}:")]
    assert len(rows) == 1
    assert f"`{race}`" in rows[0]
