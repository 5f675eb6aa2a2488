"""The layouts: golden outputs of a small comparison, and widths and bytes of a large one.

``SPFVAR_UPDATE_GOLDEN=1 pytest tests/render`` rewrites the golden files after a change of layout;
the difference is then for the reader of the commit to judge.
"""

import csv
import io
import json
import math
import os
import re
import shlex
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from spfvar.comparison import stats
from spfvar.comparison.metrics import METRICS, select
from spfvar.comparison.stats import WARNING_SEPARATOR
from spfvar.render.blocks import Block, Cell, Row
from spfvar.render.machine import to_csv, to_json
from spfvar.render.mail import render_mail, to_ascii
from spfvar.render.markdown import render_markdown
from spfvar.render.meta import Meta
from spfvar.render.tables import build_blocks, events_blocks
from spfvar.render.text import command_lines, render_table

GOLDEN = Path(__file__).parent / "golden"
BASE = "mmap-lock"
META = Meta(
    version="0.1.0",
    model_version="1",
    hardware="two-socket",
    baseline=BASE,
    matrix_hash="3f9a0c1b7d2e",
    seeds=6,
    seed=1,
    reproduce="spfvar compare --scenario page_fault1 --threads 1,64 --seeds 6",
    scenario_hashes={"page_fault1": "1a2b3c4d5e6f"},
    notes=["page_fault1 has no writer"],
)


@dataclass(frozen=True)
class Results:
    """A comparison in all the forms that layouts take."""

    cells: pd.DataFrame
    comparisons: pd.DataFrame
    events: pd.DataFrame
    blocks: list[Block]


def results(
    samples: Sequence[tuple[Any, ...]],
    events: Sequence[tuple[Any, ...]] = (),
    metrics: Sequence[str] = tuple(METRICS),
) -> Results:
    """Evaluate rows of (variant, scenario, axes, seed, metric or event, value)."""
    columns = ["variant", "scenario", "axes", "seed"]
    frame = pd.DataFrame(samples, columns=[*columns, "metric", "value"])
    cells, comparisons = stats.summarise(frame), stats.compare_to(frame, BASE)
    happened = stats.summarise_events(pd.DataFrame(events, columns=[*columns, "event", "value"]), frame)
    chosen = select(metrics)
    blocks = [
        *build_blocks(cells, comparisons, baseline=BASE, metrics=chosen),
        *events_blocks(happened),
    ]
    return Results(cells, comparisons, happened, blocks)


@pytest.fixture(scope="module")
def small() -> Results:
    """Two variants at two thread counts: faster at 64 threads, slower at one.

    Per seed a factor of 0.99, 1 or 1.01 applies to both variants, which makes the half-interval
    0.9 % (see test_tables) and every ratio exact.
    """
    rates = {(BASE, 1): 0.6e6, (BASE, 64): 4e6, ("spf", 1): 0.57e6, ("spf", 64): 6.6e6}
    samples = [
        (variant, "page_fault1", stats.axes_key({"threads": threads}), seed, metric, value)
        for (variant, threads), rate in rates.items()
        for seed in range(1, 7)
        for metric, value in {
            "faults_per_s": rate * (1 + 0.01 * (seed % 3 - 1)),
            "spec_success": math.nan if variant == BASE else 0.97,
        }.items()
    ]
    odd = [
        ("spf", "page_fault1", stats.axes_key({"threads": 64}), seed, "spf_abort_odd", 1.5)
        for seed in range(1, 7)
    ]
    return results(samples, odd, ["faults_per_s", "spec_success"])


@pytest.fixture(scope="module")
def large() -> Results:
    """Five variants, three scenarios, four thread counts, six seeds and every metric."""
    rng = np.random.default_rng(24)
    variants = [BASE, "spf-do-fault", "per-vma-6.12", "spf-map-pages", "spf-do-fault-no-seq-check"]
    scale = {"ns": 2e3, "faults/s": 1e6, "share": 0.3, "objects": 40.0}
    samples, events = [], []
    for scenario in ("page_fault1", "page_fault3", "app_start"):
        for threads in (1, 16, 64, 112):
            axes = stats.axes_key({"threads": threads})
            for seed in range(1, 7):
                for i, variant in enumerate(variants):
                    place = (variant, scenario, axes, seed)
                    for name, metric in METRICS.items():
                        size = scale[metric.unit] * (1 if metric.unit == "share" else threads)
                        none = name == "deferred_backlog" and i == 0 and threads == 1
                        gain = 0 if none else 1 + 0.3 * i
                        value = size * gain * rng.lognormal(sigma=0.2)
                        missing = name.startswith("writer") and scenario == "app_start"
                        samples.append((*place, name, math.nan if missing else value))
                    events.append((*place, "spf_abort_vma_changed", 0.01 * i * threads))
                    events.append((*place, "spf_abort_odd", 0.1 * i * threads))
    return results(samples, events)


Layout = Callable[[Sequence[Block], Meta], str]
LAYOUTS: Mapping[str, Layout] = {
    "table": render_table,
    "mail": render_mail,
    "markdown": render_markdown,
}


def check_golden(name: str, text: str) -> None:
    """Compare with the golden file, or replace it where that is asked for."""
    path = GOLDEN / name
    if os.environ.get("SPFVAR_UPDATE_GOLDEN"):
        path.write_bytes(text.encode())
    assert text.encode() == path.read_bytes()


class TestGolden:
    @pytest.mark.parametrize("name", LAYOUTS)
    def test_the_form_for_people_is_as_it_was(self, name: str, small: Results) -> None:
        check_golden(f"{name}.txt", LAYOUTS[name](small.blocks, META))

    def test_csv_is_as_it_was(self, small: Results) -> None:
        check_golden("cells.csv", to_csv(small.cells, small.comparisons, META))

    def test_json_is_as_it_was(self, small: Results) -> None:
        text = to_json(small.cells, small.comparisons, small.events, META)
        check_golden("comparison.json", text)


def test_json_tells_the_thresholds_that_scenarios_set(small: Results) -> None:
    """By scenario and metric, before the cells; without any there is no such key."""
    own = replace(META, thresholds={"page_fault1": {"faults_per_s": 0.02}})
    document = json.loads(to_json(small.cells, small.comparisons, small.events, own))
    assert document.pop("thresholds") == {"page_fault1": {"faults_per_s": 0.02}}
    assert document == json.loads(to_json(small.cells, small.comparisons, small.events, META))


def test_json_has_the_notes_that_tables_have(small: Results) -> None:
    """What is for every reader first: a draft says so, for one."""
    noted = replace(META, remarks=("my-idea is a DRAFT",), notes=("small",))
    document = json.loads(to_json(small.cells, small.comparisons, small.events, noted))
    assert document["notes"] == ["my-idea is a DRAFT", "small"]


class TestEveryFormForPeople:
    @pytest.mark.parametrize("name", LAYOUTS)
    def test_the_first_line_says_simulated_and_names_the_hardware(self, name: str, large: Results) -> None:
        first = LAYOUTS[name](large.blocks, META).splitlines()[0]
        assert first.startswith("SIMULATED on two-socket")

    @pytest.mark.parametrize("name", LAYOUTS)
    def test_one_command_line_ends_it(self, name: str, large: Results) -> None:
        text = LAYOUTS[name](large.blocks, META)
        assert text.count("Reproduce:") == 1
        end = text.partition("Reproduce:")[2].strip().strip("`")
        assert shlex.split(end.replace("\\\n", "")) == shlex.split(META.reproduce)

    @pytest.mark.parametrize("name", LAYOUTS)
    def test_every_mark_is_defined(self, name: str, large: Results) -> None:
        tables, _, footer = LAYOUTS[name](large.blocks, META).partition("\nMarks:\n")
        defined = set(re.findall(r"^(?:  |- `)(\S+?)`?:?  ?", footer, re.MULTILINE))
        assert {"xN", "better", "WORSE", "unsure", "[a]"} <= defined
        assert defined & {"±N%", "+-N%"}
        words = set(re.findall(r"better(?!$)|WORSE|unsure|same(?! =)|differs|n/a", tables))
        assert words <= defined

    @pytest.mark.parametrize("name", LAYOUTS)
    def test_it_never_speaks_for_a_person(self, name: str, large: Results) -> None:
        assert not re.search(r"(?i)(tested|reviewed|acked)-by", LAYOUTS[name](large.blocks, META))

    @pytest.mark.parametrize("name", LAYOUTS)
    def test_the_same_input_gives_the_same_bytes(self, name: str, large: Results) -> None:
        layout = LAYOUTS[name]
        assert layout(large.blocks, META) == layout(list(large.blocks), replace(META))

    @pytest.mark.parametrize("name", LAYOUTS)
    def test_every_block_says_which_way_is_better(self, name: str, large: Results) -> None:
        text = LAYOUTS[name](large.blocks, META)
        metrics_shown = [b for b in large.blocks if b.direction.split(" is better")[0] != b.direction]
        assert len(metrics_shown) == 40  # 14 metrics in 3 scenarios, without 2 for writers in one
        assert len(re.findall(r"^\*?(?:higher|lower) is better;", text, re.MULTILINE)) >= 40

    @pytest.mark.parametrize("name", LAYOUTS)
    def test_no_line_ends_in_blanks_and_the_text_ends_in_one_newline(self, name: str, large: Results) -> None:
        text = LAYOUTS[name](large.blocks, META)
        assert not re.search(r"[ \t]$", text, re.MULTILINE)
        assert text.endswith("\n")
        assert not text.endswith("\n\n")


class TestText:
    @pytest.mark.parametrize("width", [60, 72, 80, 132])
    def test_no_line_is_wider_than_asked_for(self, width: int, large: Results) -> None:
        assert max(map(len, render_table(large.blocks, META, width).splitlines())) <= width

    def test_four_thread_counts_stand_side_by_side_in_80_columns(self, large: Results) -> None:
        assert "(continued)" not in render_table(large.blocks, META)

    def test_a_fifth_column_goes_into_a_second_panel_with_the_names_repeated(self) -> None:
        headers = tuple(f"threads={n}" for n in (1, 2, 4, 8, 16))
        row = Row(("spf",), tuple(Cell(str(n)) for n in range(5)))
        text = render_table([Block("T", "D", ("variant",), headers, (row,))], META)
        assert text.split("\n\n")[1:5] == [
            "T\nD",
            "variant  threads=1  2  4  8\nspf              0  1  2  3",
            "T (continued)\nD",
            "variant  threads=16\nspf               4",
        ]

    def test_a_long_name_is_broken_where_its_parts_meet(self) -> None:
        headers = tuple(f"threads={n}" for n in (1, 2, 4, 8))
        cells = tuple(Cell("1.00", "±1%", ratio="x1.65", verdict="better") for _ in headers)
        name = "spf-do-fault-without-the-sequence-count"
        text = render_table([Block("T", "D", ("variant",), headers, (Row((name,), cells),))], META)
        # Four cells of 12 columns with their gaps leave 80 - 4 * 14 = 24 for the name.
        left = [line[:24].rstrip() for line in text.splitlines()]
        start = left.index("spf-do-fault-without-")
        assert left[start + 1] == "the-sequence-count"

    def test_there_are_no_colours_unless_asked_for(self, large: Results) -> None:
        assert "\x1b" not in render_table(large.blocks, META)

    def test_colours_change_nothing_but_the_verdicts(self, large: Results) -> None:
        text = render_table(large.blocks, META, colour=True)
        painted = set(re.findall(r"\x1b\[[0-9;]+m(.+?)\x1b\[0m", text))
        assert painted == {"better", "WORSE", "unsure"}
        assert re.sub(r"\x1b\[[0-9;]*m", "", text) == render_table(large.blocks, META)

    @pytest.mark.parametrize("width", [20, 30, 60])
    def test_a_broken_command_line_is_one_command_for_a_shell(self, width: int) -> None:
        command = "spfvar compare --scenario 'file-*' --set \"a=1 2\" --note it\\'s --threads 1"
        lines = command_lines("Reproduce:", command, width)
        assert max(map(len, lines)) <= width
        joined = "\n".join(lines).replace("\\\n", "").removeprefix("Reproduce:")
        assert shlex.split(joined) == shlex.split(command)


class TestMail:
    def test_it_is_ascii_of_at_most_72_columns(self, large: Results) -> None:
        meta = replace(META, hardware="Zürich – µ-benchmark", notes=["± ½ × 漢字 " * 9])
        text = render_mail(large.blocks, meta)
        assert text.isascii()
        assert max(map(len, text.splitlines())) <= 72
        assert text.startswith("SIMULATED on Zurich - u-benchmark")

    def test_no_line_ends_a_patch_description(self, large: Results) -> None:
        lines = render_mail(large.blocks, META).splitlines()
        assert not [line for line in lines if line.startswith(("---", "diff -", "Index:", "-- "))]

    @pytest.mark.parametrize(
        ("text", "spelled"),
        [("±3%", "+-3%"), ("1.85µs", "1.85us"), ("naïve", "naive"), ("漢", "?")],
    )
    def test_signs_are_spelled(self, text: str, spelled: str) -> None:
        assert to_ascii(text) == spelled


class TestMarkdown:
    def test_all_rows_of_a_table_have_as_many_cells_as_its_header(self, large: Results) -> None:
        text = render_markdown(large.blocks, META)
        tables = re.findall(r"(?:^\|.*\n?)+", text, re.MULTILINE)
        assert len(tables) == 43  # 40 of metrics, 3 of events
        for table in tables:
            assert len({line.count(" | ") for line in table.splitlines()}) == 1

    def test_signs_of_markdown_in_a_name_are_shown_as_they_are(self) -> None:
        block = Block("a*b*", "", ("variant",), ("value",), (Row(("x|y",), (Cell("<1"),)),))
        text = render_markdown([block], META)
        assert r"### a\*b\*" in text
        assert r"| x\|y | \<1 |" in text


class TestMachine:
    def test_json_has_exactly_the_keys_of_its_contract(self, large: Results) -> None:
        document = json.loads(to_json(large.cells, large.comparisons, large.events, META))
        top = ["spfvar", "simulated", "baseline", "hardware", "matrix_hash", "notes", "cells", "comparisons"]
        assert list(document) == top
        assert document["simulated"] is True
        cell = ["variant", "scenario", "axes", "seeds", "metrics", "events"]
        assert {tuple(entry) for entry in document["cells"]} == {tuple(cell)}
        comparison = ["variant", "scenario", "axes", "metric", "ratio", "ci_low", "ci_high"]
        comparison += ["ci999_low", "ci999_high", "verdict", "warnings"]
        assert {tuple(entry) for entry in document["comparisons"]} == {tuple(comparison)}
        metric = ("value", "ci_low", "ci_high", "unit", "better")
        assert {tuple(m) for c in document["cells"] for m in c["metrics"].values()} == {metric}

    def test_json_has_what_there_is_to_say_of_a_comparison(self, large: Results) -> None:
        """One text each, as tables have them at their marks."""
        said = large.comparisons.assign(warning="few seeds" + WARNING_SEPARATOR + "known to be off: V1")
        document = json.loads(to_json(large.cells, said, large.events, META))
        assert document["comparisons"][0]["warnings"] == ["few seeds", "known to be off: V1"]

    def test_json_has_every_cell_and_comparison(self, large: Results) -> None:
        document = json.loads(to_json(large.cells, large.comparisons, large.events, META))
        assert len(document["cells"]) == 5 * 3 * 4
        assert len(document["comparisons"]) == 4 * 3 * 4 * len(METRICS)
        assert {cell["seeds"] for cell in document["cells"]} == {6}

    def test_what_is_not_a_finite_number_is_null(self, large: Results) -> None:
        cells = large.cells.assign(ci_high=math.inf, ci_low=math.nan)
        document = json.loads(to_json(cells, large.comparisons, large.events, META))
        values = document["cells"][0]["metrics"]["faults_per_s"]
        assert (values["ci_low"], values["ci_high"]) == (None, None)

    def test_events_are_left_out_with_their_cell(self, large: Results) -> None:
        cells = large.cells[large.cells["variant"] == BASE]
        document = json.loads(to_json(cells, large.comparisons, large.events, META))
        assert {cell["variant"] for cell in document["cells"]} == {BASE}

    def test_csv_reads_back_as_the_frame_it_came_from(self, large: Results) -> None:
        back = pd.read_csv(io.StringIO(to_csv(large.cells, large.comparisons, META)))
        assert len(back) == len(large.cells)
        # Twelve digits are written.
        np.testing.assert_allclose(back["value"], large.cells["value"], rtol=1e-11)
        assert back["simulated"].all()
        compared = back[back["variant"] != BASE]
        np.testing.assert_allclose(compared["ratio"], large.comparisons["ratio"], rtol=1e-11)
        assert back.loc[back["variant"] == BASE, "ratio"].isna().all()

    def test_csv_has_a_column_per_axis(self) -> None:
        points: dict[str, dict[str, Any]] = {"a": {"threads": 4}, "b": {"hit": "on"}}
        rows = [
            (variant, scenario, stats.axes_key(axes), 1, "makespan", 5.0)
            for variant in (BASE, "spf")
            for scenario, axes in points.items()
        ]
        made = results(rows)
        lines = list(csv.DictReader(io.StringIO(to_csv(made.cells, made.comparisons, META))))
        written = [(line["axes.threads"], line["axes.hit"]) for line in lines[:2]]
        assert written == [("4", ""), ("", "on")]
