"""Bisection: where a property breaks and heals, where a metric moves; equal protocols are run once."""

from __future__ import annotations

from pathlib import Path

import pytest

from spfvar.errors import InputError
from spfvar.explore.options import Options
from spfvar.matrix import catalogue
from spfvar.matrix.bisect import BREAKS, HEALS, Prefix, RaceStep, bisect_loads, bisect_races, prefixes_of
from spfvar.matrix.plan import make_plan
from spfvar.plugins.registry import load_registry

REGISTRY = load_registry([str(Path(__file__).with_name("broken_series.py"))])
PREFIXES = prefixes_of(REGISTRY, "detour")


def in_race(prefixes: list[Prefix], race: str) -> list[RaceStep]:
    """The steps of one race; whoever is done is counted."""
    races = catalogue.races()
    return bisect_races(prefixes, {race: races[race]}, Options())


def test_prefixes_have_numbers_titles_and_names() -> None:
    """From none to all; a stack that lacks patches has prefixes of what it has."""
    assert [(p.number, p.variant.name) for p in PREFIXES] == [(n, f"detour@{n}") for n in range(6)]
    assert [p.title for p in PREFIXES][:3] == [
        "v5.12, without the series", "prepare", "take RCU instead of mmap_lock",
    ]  # fmt: skip
    without = prefixes_of(REGISTRY, "detour~4")
    assert [(p.number, p.variant.name) for p in without][-2:] == [(3, "detour@3"), (5, "detour@3+5")]


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("mmap-lock", "'mmap-lock' is a variant and no series; expected a series: spf"),
        ("detuor", "did you mean 'detour'"),
        ("detour@0", "'detour@0' has no patches"),
        ("detour@1+4", "needs 2"),
    ],
)
def test_what_is_no_series_is_refused(name: str, says: str) -> None:
    """With what it is, or what was probably meant."""
    with pytest.raises(InputError) as caught:
        prefixes_of(REGISTRY, name)
    assert says in str(caught.value)


def test_a_property_breaks_at_one_patch_and_heals_at_another() -> None:
    """RCU does not keep a page table (P4) from being freed under a fault; 4 is the base's protocol again."""
    steps = in_race(PREFIXES, "munmap-anon")
    assert [step.change for step in steps] == ["", "", BREAKS, "", HEALS, ""]
    assert [step.same for step in steps] == [False, True, False, True, False, True]
    assert [step.verdict.property for step in steps] == ["", "", *[steps[2].verdict.property] * 2, "", ""]
    assert steps[2].verdict.property in ("P1", "P4")
    assert steps[4].verdict == steps[0].verdict  # equal protocols are explored once, wherever they stand


def test_the_posted_series_breaks_where_its_bugs_can_first_be_reached() -> None:
    """H5 is in patch 25 (references that leak), but nothing calls it before 30; as meant, all is safe."""
    posted = in_race(prefixes_of(REGISTRY, "spf-posted"), "reclaim-read")
    assert [(s.prefix.number, s.change, s.verdict.property) for s in posted if s.change] == [
        (30, BREAKS, "P14")
    ]
    meant = in_race(prefixes_of(REGISTRY, "spf"), "reclaim-read")
    assert {step.verdict.verdict for step in meant} == {"safe"}
    # By hand: who speculates changes with 11, 16, 30 and 33; 9 and 10 are about writers, and there is none.
    assert [step.prefix.number for step in meant if not step.same] == [0, 11, 16, 30, 33]


def test_a_metric_moves_where_the_protocol_does() -> None:
    """Each prefix against the one before: without a lock faults are faster, with it as fast as before."""
    names = [prefix.variant.name for prefix in PREFIXES]
    plan = make_plan(
        REGISTRY, catalogue.scenarios(), catalogue.hardware(), variants=names, baseline=names[0],
        patterns=["pft"], threads=[16], seeds=3,
    )  # fmt: skip
    done = []
    found = bisect_loads(plan, PREFIXES, "faults_per_s", progress=lambda n, of: done.append((n, of)))
    assert done == [(1, 2), (2, 2)]  # two protocols, for six prefixes
    assert list(found.cells["number"]) == [0, 1, 2, 3, 4, 5]
    values = dict(zip(found.cells["number"], found.cells["value"], strict=True))
    assert values[0] == values[1] == values[4] == values[5] < values[2] == values[3]
    assert list(found.steps["number"]) == [2, 4]
    assert list(found.steps["verdict"]) == ["better", "WORSE"]
    assert list(found.steps["scenario"]) == ["pft", "pft"]
    assert found.steps["ratio"].iloc[0] == pytest.approx(1 / found.steps["ratio"].iloc[1])
    assert found.failures == ()
