"""Published figures beside the model's: text, Markdown and JSON."""

from __future__ import annotations

import json
import math
import textwrap
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import TypeVar

from spfvar.render import units
from spfvar.render.paint import Paint
from spfvar.render.text import command_lines
from spfvar.scenario.published import LeftOut
from spfvar.validation.points import Rows
from spfvar.validation.scores import NEAR, Score, Scored, scores

T = TypeVar("T")
K = TypeVar("K")

WIDTH = 80
_LABEL = 14
_COLUMN = 6


@dataclass(frozen=True, slots=True)
class Curve:
    """The results of one pair of designs, or of one design, in the order of their threads."""

    title: str
    results: tuple[Scored, ...]


def tables(results: Sequence[Scored]) -> Iterator[tuple[Scored, list[Curve]]]:
    """A result of each published table, and the table's curves."""
    for _, group in groupby(results, key=lambda one: (one.point.file, one.point.table)):
        every = list(group)
        curves = [
            Curve(title, tuple(members))
            for title, members in _grouped(every, lambda one: _title(one)).items()
        ]
        yield every[0], curves


def heading(rows: Rows, one: Scored) -> str:
    """ "S3: pft, vma=process; skylake-2s56c; v5.12-rc5; fitted"."""
    point = one.point
    file, machine = rows.files[point.file], rows.machine(point.file)
    load = ", ".join([point.b.load, *(f"{name}={value}" for name, value in point.b.settings)])
    if point.b.metric != "faults_per_s":
        load += f", {point.b.metric}"
    where = f"{machine.title}, by {machine.profile}" if machine.relative else machine.profile
    how = "fitted" if point.fitted else "not fitted"
    return f"{point.row}: {load}; {where}; {file.kernel}; {how}{', sign only' if point.sign_only else ''}"


def said_of(rows: Rows, one: Scored) -> str:
    """The source, how it was read, and what does not compare."""
    file = rows.files[one.point.file]
    note = file.table[one.point.table].note
    quoted = "" if file.confidence == "read" else f" ({file.confidence})"
    return f"{file.source}{quoted}{f'; {note}' if note else ''}"


def render_text(
    rows: Rows, results: Sequence[Scored], reproduce: str, width: int = WIDTH, paint: Paint = str
) -> str:
    """A block per published table, then the scores."""
    parts = [_fill(INTRODUCTION, width)]
    for one, curves in tables(results):
        lines = [_fill(heading(rows, one), width), _fill(f"  {said_of(rows, one)}", width, "  ")]
        fits = max(1, (width - _LABEL - 2) // _COLUMN)
        for curve in curves:
            lines.append(f"  {curve.title}")
            for start in range(0, len(curve.results), fits):
                lines += _lines(curve.results[start : start + fits])
        parts.append("\n".join(paint(line) for line in lines))
    if results:
        parts.append("\n".join(_score_lines(scores(rows, results), width)))
        parts.append("\n".join(_fill(line, width) for line in footer(rows, results)))
    parts += [_left_out(rows.left_out, width)] if rows.left_out else []
    parts.append("\n".join(command_lines("Reproduce:", reproduce, width)))
    return "\n\n".join(parts) + "\n"


INTRODUCTION = (
    "SIMULATED beside published. Ratios are b / a; multiples are of one thread's rate; rates are faults/s. "
    "low and high: where 95 % would be by the machine's ensemble of figures and by what its fit left; the "
    "seeds' range where it has no ensemble."
)


def footer(rows: Rows, results: Sequence[Scored]) -> list[str]:
    """What the marks mean, and what the intervals are of."""
    lines = [f"* more than {NEAR:.0%} off; s: a published effect beyond 5 % whose sign does not come out."]
    by_draws = {one.point.file for one in results if one.by_draws}
    names = {rows.machine(one.point.file).profile for one in results if one.point.file not in by_draws}
    if names:
        lines.append(
            f"No ensemble, so seeds only, which say nothing of the model's error: {', '.join(sorted(names))}."
        )
    return lines


def render_markdown(rows: Rows, results: Sequence[Scored], reproduce: str) -> str:
    """The same as tables of GitHub's dialect."""
    parts = [INTRODUCTION, *(markdown_table(rows, one, curves) for one, curves in tables(results))]
    parts += [markdown_scores(scores(rows, results)), *footer(rows, results)] if results else []
    parts += [markdown_left_out(rows.left_out)] if rows.left_out else []
    return "\n\n".join([*parts, f"Reproduce: `{reproduce}`"]) + "\n"


def markdown_table(rows: Rows, one: Scored, curves: Sequence[Curve]) -> str:
    """A published table: threads as columns, published, model and error of each curve as rows."""
    parts = [f"**{heading(rows, one)}**", f"{said_of(rows, one)}"]
    for same in _grouped(list(curves), lambda curve: tuple(r.point.threads for r in curve.results)).values():
        threads = [str(result.point.threads) for result in same[0].results]
        lines = [_row(["threads", *threads]), _row(["---", *["---:"] * len(threads)])]
        for curve in same:
            lines += [
                _row([f"{curve.title}, {what}", *(cell(result) for result in curve.results)])
                for what, cell in (("published", _published), ("model", _model), ("interval", _interval),
                                   ("off, %", _off))
            ]  # fmt: skip
        parts.append("\n".join(lines))
    return "\n\n".join(parts)


def markdown_scores(found: Sequence[Score]) -> str:
    """A group a row."""
    lines = [_row(["", "numbers", f"within {NEAR:.0%}", "signs right", "in the interval", "rms"])]
    lines.append(_row(["---", *["---:"] * 5]))
    lines += [_row([one.title, *_cells(one)]) for one in found]
    return "\n".join(lines)


def markdown_left_out(left: Sequence[LeftOut]) -> str:
    """Rows that the model cannot express."""
    lines = [_row(["row", "published", "why not"]), _row(["---"] * 3)]
    return "\n".join([*lines, *(_row([one.row, one.what, one.reason]) for one in left)])


def render_json(rows: Rows, results: Sequence[Scored]) -> str:
    """A list with one entry per published number; ratios are b/a."""
    return json.dumps([entry(rows, one) for one in results], indent=2, allow_nan=False) + "\n"


def entry(rows: Rows, one: Scored) -> dict[str, object]:
    """One number.  ``a`` is null for a rate; of a multiple both designs are the same, ``a_threads`` is 1."""
    point = one.point
    machine, file = rows.machine(point.file), rows.files[point.file]
    return {
        "row": point.row,
        "kind": point.kind,
        "machine": machine.title,
        "hardware": machine.profile,
        "relative": machine.relative,
        "kernel": file.kernel,
        "load": point.b.load,
        "settings": dict(point.b.settings),
        "metric": point.b.metric,
        "threads": point.threads,
        "a": None if point.a is None else point.a.design,
        "a_threads": None if point.a is None else point.a.threads,
        "b": point.b.design,
        "published": point.published,
        "model": one.model,
        "low": one.low,
        "high": one.high,
        "interval": "ensemble" if one.by_draws else "seeds",
        "compares": "sign" if point.sign_only else "size",
        "fitted": point.fitted,
        "source": file.source,
        "confidence": file.confidence,
    }


# --- pieces --------------------------------------------------------------------------------------


def _title(one: Scored) -> str:
    point = one.point
    if point.a is None:
        return f"{point.b.design}, M faults/s"
    if point.kind == "scaling":
        return f"{point.b.design}, times one thread"
    return f"{point.b.design} / {point.a.design}"


def _grouped(items: Sequence[T], key: Callable[[T], K]) -> dict[K, list[T]]:
    groups: dict[K, list[T]] = {}
    for item in items:
        groups.setdefault(key(item), []).append(item)
    return groups


def _number(one: Scored, value: float) -> str:
    return units.digits(value / 1e6 if one.point.kind == "rate" else value)


def _published(one: Scored) -> str:
    return _number(one, one.point.published)


def _model(one: Scored) -> str:
    return _number(one, one.model)


def _interval(one: Scored) -> str:
    return f"{_number(one, one.low)}-{_number(one, one.high)}"


def _off(one: Scored) -> str:
    off = 100.0 * (one.model / one.point.published - 1.0)
    sign = "s" if one.has_sign and not one.sign_holds else ""
    return f"{off:+.0f}{'' if one.is_near or one.point.sign_only else '*'}{sign}"


def _lines(results: Sequence[Scored]) -> list[str]:
    rows: list[tuple[str, Callable[[Scored], str]]] = [
        ("threads", lambda one: str(one.point.threads)),
        ("published", _published),
        ("model", _model),
        ("  low", lambda one: _number(one, one.low)),
        ("  high", lambda one: _number(one, one.high)),
        ("off, %", _off),
    ]
    return [
        f"    {name:<{_LABEL - 2}}" + "".join(f"{cell(one):>{_COLUMN}}" for one in results)
        for name, cell in rows
    ]


def _cells(one: Score) -> list[str]:
    return [
        str(one.count),
        _share(one.near, one.count),
        _share(one.signs_right, one.signs),
        _share(one.inside, one.intervals),
        "" if math.isnan(one.rms) else f"{one.rms:.3f}",
    ]


def _share(part: int, whole: int) -> str:
    return f"{part}/{whole} ({part / whole:.0%})" if whole else ""


def _score_lines(found: Sequence[Score], width: int) -> list[str]:
    columns = ["numbers", f"within {NEAR:.0%}", "signs right", "in interval", "rms"]
    widths = [7, 13, 13, 13, 6]
    lines = [" ".join(f"{text:>{w}}" for text, w in zip(columns, widths, strict=True))]
    for one in found:
        cells = " ".join(f"{text:>{w}}" for text, w in zip(_cells(one), widths, strict=True))
        lines += [_fill(one.title, width), cells]
    return lines


def _left_out(left: Sequence[LeftOut], width: int) -> str:
    lines = [f"Not expressed ({len(left)} published rows):"]
    lines += [_fill(f"  {one.row}: {one.what}: {one.reason}", width, "    ") for one in left]
    return "\n".join(lines)


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |"


def _fill(text: str, width: int, indent: str = "  ") -> str:
    first = text[: len(text) - len(text.lstrip())]
    return textwrap.fill(
        text.strip(), width, initial_indent=first, subsequent_indent=indent, break_long_words=False,
        break_on_hyphens=False,
    )  # fmt: skip
