"""Violations by cause, and the line that sums a check up."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest

from spfvar.explore.trace import Step, Trace
from spfvar.explore.verdict import Finding, Verdict
from spfvar.matrix.cases import SAFE, Case
from spfvar.matrix.check import Checked
from spfvar.plugins.registry import load_registry
from spfvar.render.causes import causes_of, findings_of, summary
from spfvar.render.verdicts import remarks, render_json, render_markdown, render_text
from tests.explore.checking import world as race_world

REGISTRY = load_registry()


def finding(prop: str, steps: int, where: tuple[str, ...], token: str) -> Finding:
    """A violation at a primitive, after so many steps."""
    path = tuple(Step(n, "fault", "do_fault", f"step {n}", "", ()) for n in range(1, steps + 1))
    return Finding(prop, "access to a freed object", Trace(("fault",), path, ("wrong",), (0,), where), token)


def cell(variant: str, race: str, verdict: str, findings: Sequence[Finding] = (), **more: object) -> Checked:
    """A cell of the matrix; the race's text plays no part."""
    base = REGISTRY[variant]
    found = Verdict(variant, race, verdict, 9, 9, 9, 0.1, tuple(findings), **more)  # type: ignore[arg-type]
    return Checked(Case(base, race, race_world(variant, "munmap-file").race), found)


HERE, THERE = ("do_fault: vma_lookup",), ("munmap: free",)
RESULTS = [
    cell("spf-anon", "one", "violation", [finding("P1", 9, HERE, "t1")]),
    cell("spf-anon", "two", "violation", [finding("P1", 4, HERE, "t2")]),
    cell("spf-anon", "three", "violation", [finding("P1", 5, THERE, "t3")]),
    cell("spf-anon", "four", "violation", [finding("P4", 6, HERE, "t4")]),
    cell("spf-anon", "five", SAFE),
    cell("mmap-lock", "one", "violation", [finding("P1", 7, HERE, "t5")]),
]


def test_a_cause_is_a_variants_property_and_what_is_to_blame() -> None:
    """Of the same cause the shortest is first; another variant, property or primitive is another cause."""
    found = [(c.first[1].token, [finding.token for _, finding in c.others]) for c in causes_of(RESULTS)]
    assert found == [("t2", ["t1"]), ("t3", []), ("t4", []), ("t5", [])]


def test_apart_every_violation_is_shown() -> None:
    """As before, shortest first."""
    assert [c.first for c in causes_of(RESULTS, apart=True)] == findings_of(RESULTS)
    assert not any(c.others for c in causes_of(RESULTS, apart=True))


@pytest.mark.parametrize("render", [render_text, render_markdown])
def test_every_race_that_breaks_has_its_replay_command(render: object) -> None:
    """One trace for each of four causes, five commands; with all traces five of each."""
    text = render(RESULTS, "spfvar check")  # type: ignore[operator]
    every = render(RESULTS, "spfvar check", every_trace=True)  # type: ignore[operator]
    for token in ("t1", "t2", "t3", "t4", "t5"):
        assert f"spfvar replay {token}" in text
        assert f"spfvar replay {token}" in every
    assert (text.count(" broken in "), every.count(" broken in ")) == (4, 5)
    assert "spf-anon breaks P1 in the same way in another race" in " ".join(text.split())
    assert "one, 9 steps" in text
    assert "in the same way" not in every


def test_json_has_every_trace() -> None:
    """Folding is for readers."""
    assert render_json(RESULTS).count('"token": "t') == 5


@pytest.mark.parametrize(
    ("results", "lines"),
    [
        (RESULTS[4:5], ["1 of 1 safe"]),
        (RESULTS[:5], ["1 of 5 safe, 4 broken: P1 (3), P4 (1)"]),
        (
            RESULTS,
            [
                "spf-anon: 1 of 5 safe, 4 broken: P1 (3), P4 (1)",
                "mmap-lock: 0 of 1 safe, 1 broken: P1 (1)",
                "in all: 1 of 6 safe, 5 broken: P1 (4), P4 (1)",
            ],
        ),
        (
            [cell("spf-anon", "one", SAFE, vacuous=("x",)), cell("spf-anon", "two", "incomplete", why="max-states")],
            ["1 of 2 safe, 1 of them vacuous, 1 incomplete"],
        ),
        ([cell("spf-anon", "one", "incomplete", walks=10)], ["0 of 1 broken, 1 proven neither way"]),
    ],
)  # fmt: skip
def test_the_summary_counts_races(results: Sequence[Checked], lines: list[str]) -> None:
    """By property, the most frequent first; a line for each variant that is not safe, and one for all."""
    assert summary(results) == lines
    assert render_text(results, "spfvar check").splitlines()[-len(lines) :] == lines
    assert render_markdown(results, "spfvar check").rstrip().endswith(lines[-1])


def test_twins_are_summed_up_as_found() -> None:
    """A miss and a false alarm are none."""
    case = RESULTS[4].case
    found = Checked(
        Case(case.variant, "one", case.race, "spf-anon", "P1"),
        cell("spf-anon", "one", "violation", [finding("P1", 3, HERE, "t")]).verdict,
    )
    missed = Checked(
        Case(case.variant, "two", case.race, "spf-anon", "P1"), cell("spf-anon", "two", SAFE).verdict
    )
    fixed = Checked(Case(case.variant, "one", case.race, "x", SAFE), cell("mmap-lock", "one", SAFE).verdict)
    assert summary([found, missed, fixed]) == [
        "1 of 2 twins as published, 1 of 1 designs without the bug safe in the twin's race"
    ]


def test_a_verdict_of_a_draft_says_so_once_and_in_json() -> None:
    """With its TODOs, of which a variant without texts of its own has none."""
    checked = [cell("mmap-lock", race, SAFE) for race in ("one", "two")]
    assert not any("DRAFT" in line for line in remarks(checked))
    drafted = [
        replace(one, case=replace(one.case, variant=replace(one.case.variant, draft="1.patch")))
        for one in checked
    ]
    (said,) = [line for line in remarks(drafted) if "DRAFT" in line]
    assert said.startswith("mmap-lock is a DRAFT with 0 TODOs, drafted from 1.patch")
    assert all(one.as_dict()["draft"] == {"from": "1.patch", "todos": 0} for one in drafted)
    assert "draft" not in checked[0].as_dict()


def test_many_races_that_hold_are_counted_unless_all_are_wanted() -> None:
    """What breaks under some variant, and what is vacuous, keeps its row; a dozen do, too."""
    races = [f"race-{i:02}" for i in range(16)]
    found = [cell("spf-anon", race, SAFE) for race in races]
    found += [cell("mmap-lock", race, SAFE) for race in races[2:]]
    found[0] = cell("spf-anon", races[0], SAFE, vacuous=("vma_lookup",))
    found.append(cell("mmap-lock", races[1], "violation", [finding("P1", 4, HERE, "t")]))
    short = render_text(found, "spfvar check", every_race=False)
    rows = [line.split()[0] for line in short.splitlines() if line.startswith("race-")]
    assert rows == ["race-00", "race-01"]
    assert "14 races are safe under each of these variants, in 9 to 9 states; -v lists them" in short
    assert "14 races are safe" in render_markdown(found, "spfvar check", every_race=False)
    whole = render_text(found, "spfvar check")
    assert all(f"\n{race} " in f"\n{whole}" for race in races)
    few = [one for one in found if one.case.race_name in races[2:14]]
    assert "are safe" not in render_text(few, "spfvar check", every_race=False)
