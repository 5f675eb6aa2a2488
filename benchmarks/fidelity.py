"""Write the tables and charts of docs/fidelity.md, and published/known-off.toml, from spfvar validate.

    python -m benchmarks.fidelity        (make fidelity)

A table stands between ``<!-- validate ROW -->`` (or ``scores``, ``left-out``) and ``<!-- end -->``; what is
around it is prose.  Charts are docs/fidelity-ROW.svg, one per table that has curves.  Comparisons remark on
what is in known-off.toml.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

import toml

from benchmarks.picture import MARK, STYLE
from spfvar.matrix import catalogue
from spfvar.matrix.known_off import FILE
from spfvar.plugins.registry import load_registry
from spfvar.render import validation
from spfvar.render.measured import chart
from spfvar.validation.points import Rows, load_rows
from spfvar.validation.run import discrepancies, run_rows
from spfvar.validation.scores import Scored, known_off, score, scores

DOCS = Path(__file__).parents[1] / "docs"
PUBLISHED = DOCS.parent / "published"
OFF = "ratios on a profile's own machine that the model is more than 15 % off, or whose sign it misses"
SEEDS = 3
BLOCK = re.compile(r"(<!-- validate (\S+) -->\n).*?(<!-- end -->)", re.DOTALL)


def results() -> tuple[Rows, list[Scored]]:
    """Every shipped row with the model's figures."""
    known, profiles = catalogue.published(), catalogue.hardware()
    rows = load_rows(known)
    found = run_rows(
        rows, known, load_registry(), catalogue.scenarios(), profiles, SEEDS,
        progress=lambda done, total: print(f"\r{done}/{total}", end="", file=sys.stderr),
    )  # fmt: skip
    print(file=sys.stderr)
    return rows, score(rows, found, discrepancies(rows, profiles))


def blocks(rows: Rows, scored: list[Scored]) -> dict[str, str]:
    """The text of each block, by name."""
    made: dict[str, str] = {
        "scores": validation.markdown_scores(scores(rows, scored)),
        "left-out": validation.markdown_left_out(rows.left_out),
    }
    for one, curves in validation.tables(scored):
        row = one.point.row
        said = validation.markdown_table(rows, one, curves)
        made[row] = f"{made[row]}\n\n{said}" if row in made else said
    return made


def charts(rows: Rows, scored: list[Scored]) -> dict[str, str]:
    """The charts, by name of the file."""
    made = {}
    for one, curves in validation.tables(scored):
        row = one.point.row
        svg = chart(rows, [result for curve in curves for result in curve.results], f"chart-{row}")
        if svg:
            head, body = svg.removesuffix("</svg>").split(">", 1)
            made[f"fidelity-{row}.svg"] = f"{head}>{STYLE}{body}{MARK}</svg>\n"
    return made


def known_errors(rows: Rows, scored: list[Scored]) -> str:
    """published/known-off.toml."""
    variants = load_registry().variants
    patches = {name: [patch.__name__ for patch in one.patches] for name, one in variants.items()}
    ranges = [one.model_dump(mode="json") for one in known_off(rows, scored, patches)]
    return "# Written by make fidelity.\n" + toml.dumps({"title": OFF, "known_off": ranges})


def filled(page: str, made: dict[str, str]) -> str:
    """The page with its blocks written anew.  KeyError for a block of a row that there is not."""
    return BLOCK.sub(lambda found: f"{found[1]}\n{made[found[2]]}\n\n{found[3]}", page)


def main() -> None:
    """Rewrite the page and the charts."""
    rows, scored = results()
    page = DOCS / "fidelity.md"
    page.write_text(filled(page.read_text(encoding="utf-8"), blocks(rows, scored)), encoding="utf-8")
    for name, svg in charts(rows, scored).items():
        (DOCS / name).write_text(svg, encoding="utf-8")
    (PUBLISHED / f"{FILE}.toml").write_text(known_errors(rows, scored), encoding="utf-8")


if __name__ == "__main__":
    main()
