"""A bisected series as tables: a row per patch that changes something, what it breaks, heals or moves."""

from __future__ import annotations

import json
import math
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import pandas as pd

from spfvar.automata.weaken import Memory
from spfvar.comparison.depends import figures_of
from spfvar.comparison.metrics import METRICS
from spfvar.explore.properties import PROPERTIES
from spfvar.explore.verdict import SAFE
from spfvar.limits import OF_VERDICTS
from spfvar.matrix.bisect import BREAKS, HEALS, LoadBisection, Prefix, RaceStep
from spfvar.plugins.series import spans
from spfvar.render import units
from spfvar.render.again import NO_FILES, Files
from spfvar.render.blocks import Block, Cell, Row
from spfvar.render.grid import fitting_columns, grid_lines
from spfvar.render.mail import WIDTH as MAIL_WIDTH
from spfvar.render.mail import render_mail, to_ascii
from spfvar.render.markdown import render_markdown, table_lines
from spfvar.render.meta import Meta
from spfvar.render.tables import build_blocks
from spfvar.render.text import WIDTH, command_lines, render_table, wrapped
from spfvar.render.verdicts import cell_text

#: What each patch is compared with, as the definitions of the marks call it.
BEFORE = "the patch before"
AS_BEFORE = "the same protocol as before"
_EQUAL = Cell("=")
#: What JSON calls a ratio and its interval, and where these come from.
_RATIOS = {"": "ratio", "_ci_low": "ci_low", "_ci_high": "ci_high"}
_STUB = ("patch", "title")


# --- races ---------------------------------------------------------------------------------------


def race_block(steps: Sequence[RaceStep], every: bool = True) -> Block:
    """Patches as rows, races as columns; patches behind which nothing is new are one row.

    Without ``every`` patch: the first, and those that break or heal something, or leave it open.
    """
    races = list(dict.fromkeys(step.race for step in steps))
    by_number: dict[int, dict[str, RaceStep]] = {}
    for step in steps:
        by_number.setdefault(step.prefix.number, {})[step.race] = step
    rows = {
        number: Row((str(number), at[races[0]].prefix.title), tuple(_race_cell(at[race]) for race in races))
        for number, at in by_number.items()
    }
    hidden = {number for number, at in by_number.items() if all(step.same for step in at.values())}
    if not every:
        told = {n for n, at in by_number.items() if n == min(by_number) or any(map(_tells, at.values()))}
        return Block("", "", _STUB, tuple(races), tuple(rows[n] for n in sorted(told)), align="left")
    return Block("", "", _STUB, tuple(races), tuple(_folded(rows, hidden)), align="left")


def _tells(step: RaceStep) -> bool:
    return bool(step.change) or (not step.same and bool(step.verdict.why or step.verdict.vacuous))


def left_out(block: Block, prefixes: int) -> list[str]:
    """A line about the patches that have no row."""
    left = prefixes - len(block.rows)
    if left <= 0:
        return []
    return [f"Patches that change nothing here are left out: {left}; -v has all."]


def _race_cell(step: RaceStep) -> Cell:
    return _EQUAL if step.same else Cell(cell_text(step.verdict), verdict=step.change)


def race_sentences(steps: Sequence[RaceStep], files: Files = NO_FILES, memory: Memory = "sc") -> list[str]:
    """What happens at which patch, or that every prefix is safe; ``files``: those a check of one needs."""
    lines = []
    if all(step.verdict.verdict == SAFE for step in steps):
        lines.append("Every prefix is safe: as far as these races tell, the series can be bisected.")
    for step in steps:
        verdict, where = step.verdict, f"{step.prefix.number} ({step.prefix.title})"
        if step.change == HEALS:
            lines.append(f"{where} heals {step.race}.")
        elif step.change:
            found = verdict.findings[0]
            how = "breaks" if step.change == BREAKS else "then breaks"
            command = files.check(step.race, step.prefix.variant.name, memory=memory)
            text = PROPERTIES[found.property].text
            lines.append(f"{where} {how} {found.property} in {step.race} ({text}). Its trace: {command}")
        if verdict.why and not step.same:
            lines.append(f"incomplete: {where} in {step.race}: {verdict.why}")
        if verdict.vacuous and not step.same:
            lines.append(f"* vacuous: {where} in {step.race}: nothing reached {', '.join(verdict.vacuous)}")
    return lines


def race_title(name: str, steps: Sequence[RaceStep]) -> str:
    """ "spf: 38 prefixes, of which 12 are another protocol than the one before"."""
    prefixes = {step.prefix.number for step in steps}
    new = {step.prefix.number for step in steps if not step.same and step.prefix.number}
    return f"{name}: {len(prefixes)} prefixes, of which {len(new)} are another protocol than the one before"


def render_races(
    name: str, steps: Sequence[RaceStep], form: str, reproduce: str, files: Files = NO_FILES,
    every: bool = True, memory: Memory = "sc",
) -> str:  # fmt: skip
    """The table, what happens where, and what a verdict is worth; ``form``: table, mail, markdown or json.

    ``files``: those that commands have to name.  ``every``: also the patches that change nothing; machines
    get them anyway.
    """
    if form == "json":
        return json.dumps([_race_entry(step) for step in steps], indent=2) + "\n"
    title, block, said = (
        race_title(name, steps),
        race_block(steps, every),
        race_sentences(steps, files, memory),
    )
    if not every:
        said = [*left_out(block, len({step.prefix.number for step in steps})), *said]
    if form == "markdown":
        said = [line.replace("*", "\\*") for line in said]
        table = "\n".join(table_lines(block))
        return "\n\n".join([f"## {title}", table, *said, OF_VERDICTS, f"Reproduce: `{reproduce}`"]) + "\n"
    width = MAIL_WIDTH if form == "mail" else WIDTH
    parts = [wrapped(title, width, "  ")]
    parts += [grid_lines(panel, width) for panel in block.panels(fitting_columns(block, width))]
    parts += [wrapped(line, width, "  ") for line in [*said, OF_VERDICTS]]
    parts.append(command_lines("Reproduce:", reproduce, width))
    text = "\n\n".join("\n".join(part) for part in parts) + "\n"
    return to_ascii(text) if form == "mail" else text


def _race_entry(step: RaceStep) -> dict[str, Any]:
    """A row for machines: the verdict without times and trace, which spfvar replay has from the token."""
    verdict = step.verdict.as_dict()
    kept = ("verdict", "property", "states", "transitions", "depth", "what", "vacuous", "why", "token")
    place = {**_place(step.prefix), "race": step.race, "same": step.same, "change": step.change or None}
    return place | {key: verdict[key] for key in kept}


# --- loads ---------------------------------------------------------------------------------------


def load_blocks(found: LoadBisection, every: bool = True) -> list[Block]:
    """A table per load: patches as rows, each compared with the one before.

    Without ``every`` patch: the first, and those that are not the same as the one before.
    """
    titles = {prefix.number: prefix.title for prefix in found.prefixes}
    metrics = {found.metric: METRICS[found.metric]}
    blocks = []
    for scenario, cells in found.cells.groupby("scenario", sort=False):
        hidden = set(cells["number"]) - set(cells.loc[~cells["same"], "number"])
        shown = _by_variant(cells[~cells["number"].isin(hidden)].drop(columns="same"))
        steps = _by_variant(found.steps[found.steps["scenario"] == scenario])
        for block in build_blocks(
            shown, steps, baseline="", metrics=metrics, thresholds=found.plan.thresholds,
            intervals=found.plan.ensemble is not None,
        ):  # fmt: skip
            numbers = {int(row.stub[0]): row for row in block.rows}
            rows = {
                number: replace(row, stub=(str(number), titles[number])) for number, row in numbers.items()
            }
            if every:
                folded = tuple(_folded(rows, hidden)) if rows else ()
            else:
                own = found.steps[found.steps["scenario"] == scenario]
                moved = set(own.loc[own["verdict"] != "same", "number"]) | {found.prefixes[0].number}
                folded = tuple(row for number, row in rows.items() if number in moved)
            blocks.append(replace(block, stub_headers=_STUB, rows=folded))
    return blocks


def load_sentences(found: LoadBisection) -> list[str]:
    """Which patches move the metric, or are likely to, and by how much; of which that is open, and why."""
    titles = {prefix.number: prefix.title for prefix in found.prefixes}
    verdicts = ["better", "WORSE", "differs", "likely better", "likely WORSE"]
    moved = found.steps[found.steps["verdict"].isin(verdicts)].sort_values("number", kind="stable")
    unsure = found.steps[found.steps["verdict"] == "unsure"].sort_values("number", kind="stable")
    lines = []
    if (found.steps["verdict"] == "same").all():
        lines.append(f"no patch moves {found.metric}.")
    for place, rows in moved.groupby(["number", "scenario", "verdict"], sort=False):
        number, scenario, verdict = map(str, place)
        ratios = dict.fromkeys(units.ratio(value) for value in (rows["ratio"].min(), rows["ratio"].max()))
        by = f" ({' to '.join(ratios)})" if "" not in ratios else ""
        lines.append(f"{number} ({titles[int(number)]}): {found.metric} {verdict} in {scenario}{by}.")
    for patch, rows in unsure.groupby("number", sort=False):
        where = ", ".join(dict.fromkeys(rows["scenario"]))
        why = depends_text(figures_of(rows["warning"]))
        lines.append(f"{patch} ({titles[int(str(patch))]}): {found.metric} unsure in {where}{why}.")
    return lines


def depends_text(figures: Sequence[tuple[str, int]]) -> str:
    """ ", which depends on queue.growth (2)"; "" if nothing is known of it."""
    named = [f"{figure} ({count})" for figure, count in figures[:3]]
    return f", which depends on {', '.join(named)}" if named else ""


def render_loads(found: LoadBisection, form: str, meta: Meta, every: bool = True) -> str:
    """Tables, and which patches move the metric; ``form`` and ``every`` as for `render_races`."""
    if form == "json":
        return _load_json(found, meta)
    blocks = load_blocks(found, every)
    shown = [] if every or not blocks else left_out(blocks[0], len(found.prefixes))
    meta = replace(meta, baseline=BEFORE, notes=[*meta.notes, *shown, *load_sentences(found)])
    if form == "markdown":
        return render_markdown(blocks, meta)
    return render_mail(blocks, meta) if form == "mail" else render_table(blocks, meta)


def _load_json(found: LoadBisection, meta: Meta) -> str:
    """Where it comes from, and a row per patch, load and point; what is not a finite number is null."""
    key = ["number", "scenario", "axes"]
    steps = {tuple(row[name] for name in key): row for row in found.steps.to_dict("records")}
    prefixes = {prefix.number: prefix for prefix in found.prefixes}
    rows = []
    for row in found.cells.to_dict("records"):
        step = steps.get(tuple(row[name] for name in key), {})
        rows.append({
            **_place(prefixes[row["number"]]), "scenario": row["scenario"], "axes": json.loads(row["axes"]),
            "same": bool(row["same"]), "seeds": int(row["n"]),
            **{name: _finite(row[name]) for name in ("value", "ci_low", "ci_high")},
            **{f"ratio{end}": _finite(step.get(name, math.nan)) for end, name in _RATIOS.items()},
            "verdict": step.get("verdict"),
        })  # fmt: skip
    document = {
        "spfvar": meta.version, "simulated": True, "metric": found.metric, "hardware": meta.hardware,
        "matrix_hash": meta.matrix_hash, "steps": rows,
    }  # fmt: skip
    return json.dumps(document, indent=2, allow_nan=False) + "\n"


def _by_variant(frame: pd.DataFrame) -> pd.DataFrame:
    """The patch's number as what tables call the variant."""
    return frame.assign(variant=frame["number"].astype(str)).drop(columns="number")


def _finite(value: float) -> float | None:
    return float(f"{value:.12g}") if math.isfinite(value) else None


# --- both ----------------------------------------------------------------------------------------


def _folded(rows: Mapping[int, Row], hidden: Collection[int]) -> Iterator[Row]:
    """Rows in the order of their patches; hidden ones that follow each other are one row."""
    columns = len(next(iter(rows.values())).cells)
    run: list[int] = []
    for number in [*sorted({*rows, *hidden}), -1]:
        if number in hidden:
            run.append(number)
            continue
        if run:
            yield Row((spans(run), AS_BEFORE), (_EQUAL,) * columns)
            run = []
        if number in rows:
            yield rows[number]


def _place(prefix: Prefix) -> dict[str, Any]:
    return {"patch": prefix.number, "title": prefix.title, "variant": prefix.variant.name}
