"""A comparison as a page: what to think of each variant, a table of ratios, curves, and every table."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import pandas as pd

from spfvar.comparison.metrics import METRICS, Metric
from spfvar.matrix.compare import Comparison
from spfvar.pages.document import Document, Said, render_document
from spfvar.render.blocks import Block, Cell
from spfvar.render.charts import scaling_chart, without_equals
from spfvar.render.compared import events_of, in_short, meta_of, tables_of
from spfvar.render.digest import Digest, Line
from spfvar.render.digested import claim_texts, entry_text, explained
from spfvar.render.meta import Meta, legend, opening, particulars
from spfvar.review.pageparts import (
    BAD,
    GOOD,
    OPEN,
    Drawing,
    Drawings,
    Entry,
    Fold,
    Grid,
    PagePart,
    PageSection,
)
from spfvar.review.parts import Command, Item, Items, Text
from spfvar.review.speed import make_charts

_TONES = {"better": GOOD, "WORSE": BAD}
#: From which factor on a cell has the next colour.
_STEPS = (1.0, 1.2, 1.7, 3.0)


def page_of(
    comparison: Comparison,
    commands: Sequence[Sequence[str]],
    safety: Mapping[str, str],
    metrics: Mapping[str, Metric] = METRICS,
) -> str:
    """The page of a comparison that ``commands`` give; ``safety``: what is known of variants, in words."""
    titles = {name: one.title for name, one in comparison.plan.scenarios.items()}
    return comparison_page(
        in_short(comparison, metrics), tables_of(comparison, metrics), events_of(comparison),
        comparison.cells, meta_of(comparison, commands), safety, titles,
    )  # fmt: skip


def comparison_page(
    digest: Digest,
    blocks: Sequence[Block],
    events: Sequence[Block],
    cells: pd.DataFrame,
    meta: Meta,
    safety: Mapping[str, str],
    titles: Mapping[str, str],
) -> str:
    """The page, in one file.

    ``cells`` is as `spfvar.matrix.compare.Comparison` has it; ``safety`` and ``titles`` say what is known of
    variants, and what loads are called.
    """
    names = [digest.baseline, *digest.variants]
    found = [
        PageSection("ratios", f"Ratios to {digest.baseline}", tuple(ratio_parts(digest, meta))),
        PageSection("scaling", "Scaling", tuple(scaling_parts(cells, names, titles, meta))),
        PageSection("tables", "Every table", tuple(_tables(blocks))),
        PageSection("events", "What variants counted", tuple(map(values_grid, events))),
        PageSection("marks", "Marks", _marks(blocks, meta)),
        PageSection("provenance", "Where the figures come from", tuple(_provenance(meta))),
    ]
    sections = tuple(section for section in found if section.parts)
    said = verdict_of(digest, meta, safety)
    title = f"SIMULATED comparison on {meta.hardware}: {', '.join(names)}"
    heading = f"{', '.join(digest.variants) or digest.baseline} against {digest.baseline}"
    return render_document(Document(title, heading, tuple(opening(meta)), said, sections, meta.version))


def verdict_of(digest: Digest, meta: Meta, safety: Mapping[str, str]) -> tuple[Said, ...]:
    """What there is to say of each variant; its safety first, in its colour."""
    return tuple(
        Said(claim.variant, tuple(_sentences(claim_texts(claim, safety, meta.draws))))
        for claim in digest.claims
    )


def _sentences(texts: Sequence[str]) -> Iterator[tuple[str, str]]:
    yield texts[0], tone_of_safety(texts[0])
    yield from ((text, "") for text in texts[1:])


def tone_of_safety(text: str) -> str:
    """Of a sentence on safety: red for a violation, green only if everything was searched."""
    return BAD if text.startswith("UNSAFE") else GOOD if text.startswith("safe in all") else OPEN


def ratio_parts(digest: Digest, meta: Meta) -> Iterator[PagePart]:
    """A row per load, a column per variant and number of threads; the colour says how far and which way."""
    if not digest.lines:
        return
    title, marks = explained(digest, meta.draws)
    columns = tuple(dict.fromkeys(column for line in digest.lines for column in line.columns))
    headers = [
        f"{variant} @{column}" if column else variant for variant in digest.variants for column in columns
    ]
    rows = tuple(
        (
            Entry(line.load),
            *(_ratio(line, variant, column) for variant in digest.variants for column in columns),
        )
        for line in digest.lines
    )
    yield Text(marks)
    yield Grid(title, ("load", *headers), rows, numeric=True, kind="heat")


def _ratio(line: Line, variant: str, column: str) -> Entry:
    entry = line.entries.get((variant, column))
    if entry is None:
        return Entry("", key=float("nan"))
    return Entry(entry_text(entry).strip(), key=round(entry.ratio, 6), tone=heat(entry.ratio, entry.verdict))


def heat(ratio: float, verdict: str) -> str:
    """The colour of a ratio: by how far it goes, if it goes surely or likely anywhere; "" else."""
    ways = {"better": "up", "likely better": "up", "WORSE": "down", "likely WORSE": "down"}
    if verdict not in ways or not ratio > 0:
        return ways.get(verdict, "") and f"{ways[verdict]}1"
    far = max(ratio, 1 / ratio)
    level = sum(far >= step for step in _STEPS)
    return f"{ways[verdict]}{1 if verdict.startswith('likely') else level}"


def scaling_parts(
    cells: pd.DataFrame, names: Sequence[str], titles: Mapping[str, str], meta: Meta, prefix: str = "scaling",
    tips: bool = True,
) -> Iterator[PagePart]:  # fmt: skip
    """A chart per load; curves that lie on one another are one.  ``tips``: texts on points."""
    charts = make_charts(cells, names, titles)
    drawings = []
    for number, chart in enumerate(charts, 1):
        name = chart.scenario + chart.subtitle
        svg = scaling_chart(
            without_equals(chart.curves), chart.metric, title=name, ident=f"{prefix}-{number}", tips=tips
        )
        drawings.append(Drawing(svg, f"{name}: {chart.title}" if chart.title else name))
    if drawings:
        yield Text(
            "Bands: where 95 % of such machines lie, by the draws of the machine's figures." if meta.draws
            else "Bands: 95 % confidence intervals over the seeds."
        )  # fmt: skip
        yield Drawings(tuple(drawings))


def _tables(blocks: Sequence[Block]) -> Iterator[PagePart]:
    """Folded by load; tables without a value are named."""
    by_load: dict[str, list[Block]] = {}
    for block in blocks:
        by_load.setdefault(block.title.split(" ")[0].rstrip(","), []).append(block)
    for load, found in by_load.items():
        grids = [values_grid(block) for block in found if block.rows]
        without = [block.title.partition(": ")[2] for block in found if not block.rows]
        empty = [Text(f"No value in {load}: {', '.join(dict.fromkeys(without))}.")] if without else []
        yield Fold(f"{load}: {len(grids)} tables", (*grids, *empty))


def values_grid(block: Block) -> Grid:
    """A table of values: below each its ratio, interval and verdict."""
    rows = tuple((*map(Entry, row.stub), *map(_value, row.cells)) for row in block.rows)
    caption = ": ".join(filter(None, (block.title, block.direction)))
    notes = tuple(f"[{note.mark}] {note.text}" if note.mark else note.text for note in block.footnotes)
    headers = (*block.stub_headers, *block.headers)
    return Grid(caption, headers, rows, notes, len(block.stub_headers), block.align == "right")


def _value(cell: Cell) -> Entry:
    text = " ".join(filter(None, (cell.value, cell.spread, f"[{cell.notes}]" if cell.notes else "")))
    interval = f"({cell.interval})" if cell.interval else ""
    below = " ".join(filter(None, (cell.ratio, interval, cell.verdict)))
    try:
        key: float | None = float(cell.value)
    except ValueError:
        key = None
    return Entry(text, (below,) if below else (), key, _TONES.get(cell.verdict, ""))


def _marks(blocks: Sequence[Block], meta: Meta) -> tuple[PagePart, ...]:
    items = tuple(Item(mark, text) for mark, text in legend(blocks, meta))
    return (Items(items),) if items else ()


def _provenance(meta: Meta) -> Iterator[PagePart]:
    yield Items(tuple(Item("", line) for line in particulars(meta)))
    yield Command("Reproduce:", meta.reproduce)
