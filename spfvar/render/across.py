"""The layouts of a comparison on several machines: text, mail, Markdown, CSV and JSON."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from spfvar.comparison.across import Differing, Sign, differing
from spfvar.comparison.metrics import Metric
from spfvar.render import units
from spfvar.render.blocks import Block
from spfvar.render.digested import entry_text, fitting, marks_line
from spfvar.render.machine import csv_of, document
from spfvar.render.machines import Across, Ends, Everywhere, OnMachine, Somewhere, on_machine
from spfvar.render.markdown import escaped, markdown_block
from spfvar.render.meta import Meta, legend, particulars
from spfvar.render.paint import verdict_colour
from spfvar.render.text import Change, block_lines, command_lines, legend_lines
from spfvar.render.wrap import wrapped

_GAP: Final = "  "
_DIFFER: Final = "signs differ"


def across_text(
    across: Across, runs: Sequence[OnMachine], safety: Mapping[str, str], tables: Sequence[tuple[str, Block]],
    width: int, *, spell: Change = str, paint: Change = str, colour: bool = False,
) -> str:  # fmt: skip
    """The report in at most ``width`` columns; ``tables``: those of single machines, which follow.

    ``spell`` changes every text before it is laid out, ``paint`` every line of a table after it.
    """
    meta = runs[0].meta
    blocks = [on_machine(block, machine) for machine, block in tables]
    ratios = _ratio_lines(across, _each(runs), width, colour=colour, more=not tables)
    marks = [(spell(mark), spell(text)) for mark, text in legend(blocks, meta)]
    parts = [
        [line for text in _opening(across) for line in wrapped(text, width)],
        [paint(spell(line)) for line in _claim_lines(across, safety, width)],
        [*map(spell, ratios), *_depends(across, width)],
        *(block_lines(block.with_texts(spell), width, paint) for block in blocks),
        legend_lines(marks, width),
        [part for line in _machine_lines(runs, bare=not tables) for part in wrapped(spell(line), width)],
        command_lines("Reproduce:", spell(meta.reproduce), width),
    ]
    return "\n\n".join("\n".join(part) for part in parts if part) + "\n"


def across_markdown(
    across: Across, runs: Sequence[OnMachine], safety: Mapping[str, str],
    tables: Sequence[tuple[str, Block]],
) -> str:  # fmt: skip
    """The report in Markdown: a list of claims, and a table with a row per load and a column per machine."""
    each, meta = _each(runs), runs[0].meta
    claims = []
    for claim in across.claims:
        lines = [safety.get(claim.variant, "safety not known"), *_told_of(claim, across, _at_threads)]
        claims.append(f"- **{escaped(claim.variant)}**: {escaped('; '.join(lines))}")
    head = ["variant", "load", *map(escaped, across.machines), _DIFFER]
    rows = [head, ["---", "---", *["---:"] * len(across.machines), "---"]]
    for variant, loads in across.rows.items():
        at = _differ_at(across, variant)
        for load, ends in loads.items():
            cells = [_ends_text(ends.get(machine)).strip() for machine in across.machines]
            rows.append([*map(escaped, (variant, load, *cells)), ", ".join(at.get(load, ()))])
    blocks = [on_machine(block, machine) for machine, block in tables]
    marks = [f"- `{mark}`: {escaped(text)}" for mark, text in legend(blocks, meta)]
    parts = [
        *map(escaped, _opening(across)),
        "\n".join(claims),
        escaped(_title(across, more=False).replace("@", "at ")),
        escaped(_legend(across, each)),
        "\n".join(f"| {' | '.join(row)} |" for row in rows),
        *map(markdown_block, blocks),
        *(["Marks:\n\n" + "\n".join(marks)] if marks else []),
        "\n".join(f"- {escaped(line)}" for line in _machine_lines(runs, bare=not tables)),
        f"Reproduce: `{meta.reproduce}`",
    ]
    return "\n\n".join(parts) + "\n"


def across_csv(runs: Sequence[OnMachine], metrics: Mapping[str, Metric]) -> str:
    """One line per cell, metric and machine, as for a single one."""
    return csv_of([(_shown(run.cells, metrics), run.comparisons, run.meta) for run in runs])


def across_json(runs: Sequence[OnMachine], metrics: Mapping[str, Metric]) -> str:
    """One object: ``machines`` has that of each, ``differ`` the cells whose signs differ between them."""
    found = differing({run.machine: _shown(run.comparisons, metrics) for run in runs})
    content = {
        "spfvar": runs[0].meta.version,
        "simulated": True,
        "baseline": runs[0].meta.baseline,
        "machines": [
            document(_shown(run.cells, metrics), _shown(run.comparisons, metrics), run.events, run.meta)
            for run in runs
        ],
        "differ": [_json_of(one) for one in found],
    }
    return json.dumps(content, indent=2, allow_nan=False) + "\n"


def _shown(frame: Any, metrics: Mapping[str, Metric]) -> Any:
    return frame[frame["metric"].isin(list(metrics))]


def _json_of(one: Differing) -> dict[str, Any]:
    return {
        "variant": one.variant,
        "scenario": one.scenario,
        "axes": json.loads(one.axes),
        "metric": one.metric,
        "sure": one.sure,
        "better": {sign.machine: sign.verdict for sign in one.up},
        "worse": {sign.machine: sign.verdict for sign in one.down},
    }


def _each(runs: Sequence[OnMachine]) -> bool:
    """Are samples draws, on any machine?"""
    return any(run.meta.draws for run in runs)


def _opening(across: Across) -> list[str]:
    count = sum(len(claim.differ) for claim in across.claims)
    cells = f"in {count} cell{'s' * (count > 1)}"
    return [
        f"SIMULATED on {len(across.machines)} machines: modelled times, not measured ones.",
        f"Signs differ between machines {cells}." if count else "No sign differs between machines.",
    ]


def _machine_lines(runs: Sequence[OnMachine], *, bare: bool) -> list[str]:
    """Of each machine how far it is to be trusted; where tables follow, where its figures come from, too."""
    lines = []
    for run in runs:
        meta = run.meta
        samples = f"{meta.seeds} {'draw' if meta.draws else 'seed'}{'s' * (meta.seeds > 1)}"
        lines.append(f"{run.machine}, {samples}: {meta.fidelity or 'nothing is said of its fidelity.'}")
    lines += dict.fromkeys(f"Note: {remark}" for run in runs for remark in run.meta.remarks)
    if not bare:
        own = [line for run in runs for line in _particulars(run.meta)]
        lines += dict.fromkeys(own)
    return lines


def _particulars(meta: Meta) -> list[str]:
    first, *rest = particulars(meta)
    return [f"{meta.hardware}: {first}", *rest]


def _depends(across: Across, width: int) -> list[str]:
    lines = []
    for machine, figures in across.depends.items():
        named = [f"{figure} ({count})" for figure, count in figures[:3]]
        if named:
            lines += wrapped(f"Open cells on {machine} depend on {', '.join(named)}", width)
    return lines


def _claim_lines(across: Across, safety: Mapping[str, str], width: int) -> list[str]:
    """Lines of each variant: is it safe, where does it gain on all machines, who pays, whose sign differs?"""
    lines = []
    for claim in across.claims:
        lines += wrapped(f"{claim.variant}: {safety.get(claim.variant, 'safety not known')}", width)
        for label, parts in _parts_of(claim, across, _at):
            lines += fitting(f"{_GAP}{label}: ", [parts, parts], width, 1)
    return lines


def _told_of(claim: Everywhere, across: Across, at: Callable[[str], str]) -> list[str]:
    return [f"{label}: {', '.join(parts[:5])}" for label, parts in _parts_of(claim, across, at)]


def _parts_of(
    claim: Everywhere, across: Across, at: Callable[[str], str]
) -> list[tuple[str, list[str]]]:  # fmt: skip
    """The lines of a claim: what each begins with, and its parts, the most important first."""
    if not claim.loads:
        return []
    every = len(across.machines)
    gains = [f"{_gain_text(found)} ({_many(len(found), every)})" for found in claim.gains]
    hidden = [f"{one.entry.metric} {_cell(one, at)}" for one in claim.hidden]
    losses = [f"{_cell(one, at)} ({_many(count, every)})" for one, count in claim.losses]
    pays = [*losses[:1], *hidden[:1], *losses[1:], *hidden[1:]]
    signs = [_signs_text(one, at) for one in claim.differ]
    return [
        (f"worth it{_of(len(gains), claim.loads)}", gains or ["nowhere for sure"]),
        (f"who pays{_of(len(losses), claim.loads)}", pays or ["nobody for sure"]),
        *([(f"{_DIFFER}, {len(signs)} cell{'s' * (len(signs) > 1)}", signs)] if signs else []),
    ]


def _of(count: int, loads: int) -> str:
    return f", {count} of {loads}" if count and loads > 1 else ""


def _many(count: int, every: int) -> str:
    """On how many machines."""
    return f"all {every}" if count == every else f"{count} of {every}"


def _gain_text(found: Sequence[Somewhere]) -> str:
    ratios = sorted(one.entry.ratio for one in found)
    low, high = units.ratio(ratios[0]) or "from 0", units.ratio(ratios[-1]) or "from 0"
    return f"{found[0].entry.load} {low}" + (f" to {high}" if low != high else "")


def _cell(one: Somewhere, at: Callable[[str], str]) -> str:
    ratio = units.ratio(one.entry.ratio) or "from 0"
    return f"{one.entry.load} {ratio}{at(one.entry.column)} on {one.machine}"


def _signs_text(one: Differing, at: Callable[[str], str]) -> str:
    """The loudest on either side; "likely" where a sign is no more than that."""
    sides = []
    for sign in (max(one.up, key=_loud), max(one.down, key=_loud)):
        likely = "likely " if sign.verdict.startswith("likely") else ""
        sides.append(f"{likely}{units.ratio(sign.ratio) or 'from 0'} on {sign.machine}")
    return f"{one.load}{at(one.column)} ({', '.join(sides)})"


def _loud(sign: Sign) -> tuple[bool, float]:
    return not sign.verdict.startswith("likely"), max(sign.ratio, 1 / sign.ratio) if sign.ratio > 0 else 0.0


def _at(column: str) -> str:
    return f" @{column}" if column else ""


def _at_threads(column: str) -> str:
    return f" at {column} threads" if column else ""


def _differ_at(across: Across, variant: str) -> dict[str, tuple[str, ...]]:
    """By load, the thread counts at which a variant's sign differs."""
    [claim] = [one for one in across.claims if one.variant == variant]
    found: dict[str, tuple[str, ...]] = {}
    for one in claim.differ:
        found[one.load] = (*found.get(one.load, ()), one.column or "yes")
    return found


def _title(across: Across, *, more: bool) -> str:
    better = f"; {across.metric.better} is better" if across.metric.better != "neutral" else ""
    spans = dict.fromkeys(across.columns.values())
    common = max(spans, key=lambda span: sum(one == span for one in across.columns.values()))
    own = [f"{name} @{','.join(span)}" for name, span in across.columns.items() if span != common]
    at = f" @{','.join(common)} threads" if common != ("",) else ""
    exceptions = f" ({'; '.join(own)})" if own and at else ""
    what = "lowest and highest" if across.metric.better == "neutral" else "worst and best"
    tables = "; -v: tables" if more else ""
    return f"{across.metric.name} against {across.baseline}, {what}{at}{exceptions}{better}{tables}"


def _legend(across: Across, each: bool) -> str:
    ends = [one for loads in across.rows.values() for of_load in loads.values() for one in of_load.values()]
    return marks_line((entry for one in ends for entry in (one.worst, one.best)), across.noise, each)


def _ratio_lines(across: Across, each: bool, width: int, *, colour: bool, more: bool) -> list[str]:
    """A table per variant: a line per load, a column per machine, and where signs differ."""
    if not any(across.rows.values()):
        return []
    stub = max(len(name) for loads in across.rows.values() for name in loads)
    size = {
        machine: max(
            [len(machine)]
            + [len(_ends_text(of.get(machine))) for loads in across.rows.values() for of in loads.values()]
        )
        for machine in across.machines
    }
    lines = [
        *wrapped(_title(across, more=more), width),
        *wrapped(_legend(across, each), width),
    ]
    for variant, loads in across.rows.items():
        at = {load: ",".join(columns) for load, columns in _differ_at(across, variant).items()}
        last = max([len(_GAP + _DIFFER), *(len(_GAP + text) for text in at.values())]) if at else 0
        lines.append(variant)
        for machines in _bands(across.machines, size, width - stub - last):
            head = " " * stub + "".join(_GAP + name.rjust(size[name]) for name in machines)
            lines.append(head + (_GAP + _DIFFER if at else ""))
            for load, ends in loads.items():
                cells = (_GAP + _padded(ends.get(name), size[name], colour) for name in machines)
                mark = _GAP + f"@{at[load]}" if load in at else ""
                lines.append((load.ljust(stub) + "".join(cells) + mark).rstrip())
    return lines


def _bands(machines: Sequence[str], size: Mapping[str, int], room: int) -> list[list[str]]:
    """Machines side by side as they fit."""
    bands: list[list[str]] = [[]]
    for name in machines:
        if bands[-1] and sum(size[one] + len(_GAP) for one in [*bands[-1], name]) > room:
            bands.append([])
        bands[-1].append(name)
    return bands


def _ends_text(ends: Ends | None) -> str:
    if ends is None:
        return ""
    worst, best = entry_text(ends.worst), entry_text(ends.best)
    return best if worst == best else f"{worst} {best}"


def _padded(ends: Ends | None, size: int, colour: bool) -> str:
    text = _ends_text(ends)
    if ends is None or not colour:
        return text.rjust(size)
    entries = (ends.best,) if entry_text(ends.worst) == entry_text(ends.best) else (ends.worst, ends.best)
    painted = " ".join(verdict_colour(entry_text(one), one.verdict) for one in entries)
    return " " * (size - len(text)) + painted
