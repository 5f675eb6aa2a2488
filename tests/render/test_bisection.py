"""A bisection on paper: patches that change nothing are one row, changes are marked, machines get all."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from spfvar.comparison.depends import REMARK
from spfvar.explore.options import Options
from spfvar.matrix import catalogue
from spfvar.matrix.bisect import LoadBisection, RaceStep, bisect_loads, bisect_races, prefixes_of
from spfvar.matrix.plan import make_plan
from spfvar.plugins.registry import load_registry
from spfvar.render.again import Files
from spfvar.render.bisection import load_sentences, race_sentences, render_loads, render_races
from spfvar.render.meta import Meta

REGISTRY = load_registry([str(Path(__file__).parents[1] / "matrix" / "broken_series.py")])
PREFIXES = prefixes_of(REGISTRY, "detour")
META = Meta("0", "1", "a machine", "detour@0", "0" * 12, 2, 1, "spfvar bisect detour --scenario pft")


@pytest.fixture(scope="module")
def steps() -> list[RaceStep]:
    """A series that breaks and heals one race, and stays safe in another without munmap."""
    races = catalogue.races()
    chosen = {name: races[name] for name in ("munmap-anon", "two-faults")}
    return bisect_races(PREFIXES, chosen, Options())


@pytest.fixture(scope="module")
def loads() -> LoadBisection:
    """The same series under a load."""
    names = [prefix.variant.name for prefix in PREFIXES]
    plan = make_plan(
        REGISTRY, catalogue.scenarios(), catalogue.hardware(), variants=names, baseline=names[0],
        patterns=["pft"], threads=[1, 16], seeds=4,  # with two, one of the points is unsure
    )  # fmt: skip
    return bisect_loads(plan, PREFIXES, "faults_per_s")


@pytest.mark.parametrize(("form", "width"), [("table", 80), ("mail", 72)])
def test_races_fit_and_mark_what_changes(steps: list[RaceStep], form: str, width: int) -> None:
    """A row per patch that changes something, one for those between, and where to find the trace."""
    text = render_races("detour", steps, form, "spfvar bisect detour --race munmap-anon", Files(["mine.py"]))
    assert max(map(len, text.splitlines())) <= width
    assert text.isascii()
    rows = [line.split()[0] for line in text.split("\n\n")[1].splitlines() if line[:1].strip()]
    assert rows == ["patch", "0", "1", "2", "3", "4", "5"]
    assert text.count("the same protocol as before") == 3  # 1, 3 and 5, which do not follow each other
    assert text.split("BREAKS")[0].splitlines()[-2].startswith("2 ")
    assert text.split("heals")[0].splitlines()[-2].startswith("4 ")
    flat = " ".join(text.split())
    assert "2 (take RCU instead of mmap_lock) breaks P" in flat
    assert "spfvar check detour@2 --race munmap-anon --plugin mine.py" in flat
    assert "4 (take mmap_lock again) heals munmap-anon." in flat
    assert "Every prefix is safe" not in text


def test_without_every_patch_only_changes_have_a_row(steps: list[RaceStep]) -> None:
    """The start, what breaks (2) and what heals (4); the other three of six are counted."""
    text = render_races("detour", steps, "table", "spfvar bisect detour", every=False)
    rows = [line.split()[0] for line in text.split("\n\n")[1].splitlines() if line[:1].strip()]
    assert rows == ["patch", "0", "2", "4"]
    assert "left out: 3; -v has all." in text


def test_a_series_that_is_safe_throughout_is_said_to_be(steps: list[RaceStep]) -> None:
    """Only if every prefix is, and was searched completely."""
    safe = [step for step in steps if step.race == "munmap-anon" and step.prefix.number < 2]
    assert race_sentences(safe) == [
        "Every prefix is safe: as far as these races tell, the series can be bisected."
    ]


def test_markdown_is_a_table(steps: list[RaceStep]) -> None:
    """With the same rows."""
    text = render_races("detour", steps, "markdown", "spfvar bisect detour")
    assert "| patch | title | munmap-anon | two-faults |\n| --- | --- | --- | --- |\n| 0 | v5.12" in text
    assert "| 3 | the same protocol as before | = | = |" in text


def test_race_json_has_a_row_for_every_prefix(steps: list[RaceStep]) -> None:
    """With the stack's name, so that each can be asked for again; no times, so that it is repeatable."""
    rows = json.loads(render_races("detour", steps, "json", ""))
    assert [(r["patch"], r["variant"], r["race"]) for r in rows] == [
        (n, f"detour@{n}", race) for race in ("munmap-anon", "two-faults") for n in range(6)
    ]
    assert [(r["patch"], r["change"]) for r in rows if r["change"] and r["race"] == "munmap-anon"] == [
        (2, "BREAKS"), (4, "heals"),
    ]  # fmt: skip
    assert rows[2]["token"].startswith("detour@2:munmap-anon:")
    assert "seconds" not in rows[0]


@pytest.mark.parametrize(("form", "width"), [("table", 80), ("mail", 72)])
def test_loads_fit_and_compare_with_the_patch_before(loads: LoadBisection, form: str, width: int) -> None:
    """A value and a ratio per patch that changes something, and what the ratio is to."""
    text = render_loads(loads, form, META)
    assert max(map(len, text.splitlines())) <= width
    table = text.split("same = within 1%")[1].split("Marks:")[0]
    rows = [line.split()[0] for line in table.splitlines() if line[:1].strip()]
    assert rows[:7] == ["patch", "0", "1", "2", "3", "4", "5"]
    assert "x1.00 same" not in table
    assert "ratio to the patch before" in " ".join(text.split())
    assert "detour@" not in text


def test_sentences_say_which_patch_moves_the_metric(loads: LoadBisection) -> None:
    """By how much, over the points of a load; or that none does."""
    better, worse = load_sentences(loads)
    assert better.startswith("2 (take RCU instead of mmap_lock): faults_per_s better in pft (x1.")
    assert worse.startswith("4 (take mmap_lock again): faults_per_s WORSE in pft (x0.")
    still = LoadBisection(loads.plan, loads.metric, loads.prefixes, loads.cells, loads.steps[:0], ())
    assert load_sentences(still) == ["no patch moves faults_per_s."]


def test_a_step_that_is_unsure_is_not_said_to_move_nothing(loads: LoadBisection) -> None:
    """It is named instead."""
    steps = loads.steps.assign(verdict=["same"] * (len(loads.steps) - 1) + ["unsure"])
    found = LoadBisection(loads.plan, loads.metric, loads.prefixes, loads.cells, steps, ())
    assert load_sentences(found) == ["4 (take mmap_lock again): faults_per_s unsure in pft."]
    same = LoadBisection(
        loads.plan, loads.metric, loads.prefixes, loads.cells, loads.steps.assign(verdict="same"), ()
    )
    assert load_sentences(same) == ["no patch moves faults_per_s."]


def test_a_step_that_the_machine_leaves_open_names_the_figure(loads: LoadBisection) -> None:
    """What is likely is told as such, and of what is unsure on which figure it depends."""
    ratios = loads.steps[:2].assign(
        verdict=["likely better", "unsure"],
        warning=["", f"{REMARK}more with queue.growth (rank ...)"],
        number=[2, 4],
    )
    found = LoadBisection(loads.plan, loads.metric, loads.prefixes, loads.cells, ratios, ())
    first, second = load_sentences(found)
    assert first.startswith("2 (take RCU instead of mmap_lock): faults_per_s likely better in pft (x1.")
    assert second.endswith("faults_per_s unsure in pft, which depends on queue.growth (1).")


def test_a_load_s_own_threshold_decides_which_patch_moves_it() -> None:
    """A load that calls up to x101 noise: its line says so, and no patch moves it."""
    scenarios = catalogue.scenarios()
    names = [prefix.variant.name for prefix in PREFIXES]
    plan = make_plan(
        REGISTRY, scenarios, catalogue.hardware(), variants=names, baseline=names[0], patterns=["pft"],
        threads=[16], seeds=2,
    )  # fmt: skip
    deaf = plan.scenarios["pft"].model_copy(update={"threshold": {"faults_per_s": 100.0}})
    found = bisect_loads(replace(plan, scenarios={"pft": deaf}), PREFIXES, "faults_per_s")
    assert load_sentences(found) == ["no patch moves faults_per_s."]
    assert "same = within 10000%" in render_loads(found, "table", META)


def test_load_json_has_a_row_for_every_prefix_and_point(loads: LoadBisection) -> None:
    """Values everywhere; a ratio and a verdict where the protocol is another one than before."""
    document = json.loads(render_loads(loads, "json", META))
    assert (document["simulated"], document["metric"]) == (True, "faults_per_s")
    rows = document["steps"]
    assert [(r["patch"], r["axes"]["threads"]) for r in rows] == [(n, t) for t in (1, 16) for n in range(6)]
    assert {r["patch"] for r in rows if r["verdict"] is not None} == {2, 4}
    assert all((r["ratio"] is None) == (r["patch"] not in (2, 4)) for r in rows)
    assert all(r["ratio_ci_low"] <= r["ratio"] <= r["ratio_ci_high"] for r in rows if r["patch"] in (2, 4))
    assert all(r["same"] == (r["patch"] in (1, 3, 5)) for r in rows)
