"""docs/fidelity.md: its tables are those of the published rows and of this model; to repair: make fidelity."""

from __future__ import annotations

import re

import pytest

from benchmarks.fidelity import BLOCK, DOCS, filled
from spfvar.matrix import catalogue
from spfvar.matrix.known_off import shipped
from spfvar.plugins.registry import load_registry
from spfvar.render.validation import _published
from spfvar.validation.points import load_rows
from spfvar.validation.run import run_rows
from spfvar.validation.scores import Scored, score

PAGE = (DOCS / "fidelity.md").read_text(encoding="utf-8")
BLOCKS = {found[2]: found[0] for found in BLOCK.finditer(PAGE)}
ROWS = load_rows(catalogue.published())


def test_every_row_has_its_block() -> None:
    """And the scores, and what is left out."""
    assert set(BLOCKS) == {point.row for point in ROWS.points} | {"scores", "left-out"}


def test_published_figures_are_those_of_the_data() -> None:
    """Every number of every row, as the tables spell it."""
    for point in ROWS.points:
        one = Scored(point, point.published, 0.0, 0.0, False)
        assert f" {_published(one)} |" in BLOCKS[point.row], point


def test_what_is_left_out_is_that_of_the_data() -> None:
    for one in ROWS.left_out:
        assert f"| {one.row} | {one.what} |" in BLOCKS["left-out"]


def test_the_models_figures_are_of_this_model() -> None:
    """At 12 threads on Skylake, within 5 %: rates of both designs."""
    known = catalogue.published()
    rows = load_rows(known, (), ["S3"])
    chosen = [point for point in rows.points if point.threads == 12 and point.kind == "rate"]
    rows = type(rows)(tuple(chosen), rows.files, ())
    found = run_rows(rows, known, load_registry(), catalogue.scenarios(), catalogue.hardware(), 1, 1)
    for one in score(rows, found, {}):
        line = next(
            text
            for text in BLOCKS["S3"].splitlines()
            if text.startswith(f"| {one.point.b.design}, M faults/s, model")
        )
        assert float(line.split("|")[5]) * 1e6 == pytest.approx(one.model, rel=0.05)


def test_charts_that_the_page_shows_are_there() -> None:
    """And no others of the generator's."""
    shown = set(re.findall(r"\((fidelity-\w+\.svg)\)", PAGE))
    assert shown == {path.name for path in DOCS.glob("fidelity-*.svg")}


def test_prose_between_the_blocks_stays() -> None:
    """A page is filled as often as one likes."""
    made = {name: f"of {name}" for name in BLOCKS}
    once = filled(PAGE, made)
    assert filled(once, made) == once
    assert BLOCK.sub("", once) == BLOCK.sub("", PAGE)


def test_what_is_marked_on_a_profiles_own_machine_is_what_comparisons_remark_on() -> None:
    """Of ratios: a mark in a table is in a range of published/known-off.toml, and no other number is."""
    for point in ROWS.points:
        machine = ROWS.machine(point.file)
        if point.kind != "ratio" or machine.relative:
            continue
        assert point.a is not None
        title = f"| {point.b.design} / {point.a.design}, "
        (line,) = (text for text in BLOCKS[point.row].splitlines() if text.startswith(f"{title}off, %"))
        curve = [
            p for p in ROWS.points if (p.row, p.kind, p.b.design) == (point.row, "ratio", point.b.design)
        ]
        threads = [p.threads for p in curve]
        said = line.strip("| ").split(" | ")[1 + threads.index(point.threads)]
        there = any(
            (one.row, one.design) == (point.row, point.b.design)
            and one.threads[0] <= point.threads <= one.threads[1]
            for one in shipped()
        )
        assert there is said.endswith(("*", "s")), (point.row, point.threads, said)
