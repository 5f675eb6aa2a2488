"""The layouts of a digest: lines of text, and Markdown."""

from __future__ import annotations

import math
import textwrap
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Final

from spfvar.report import units
from spfvar.report.digest import Claim, Digest, Entry, number
from spfvar.report.paint import verdict_colour

#: What stands behind a ratio; none means better, for lower ratios where lower is better.
MARKS: Final = {
    "better": "", "WORSE": "!", "likely better": "~", "likely WORSE": "~", "differs": "", "same": "=",
    "unsure": "?", "n/a": "",
}  # fmt: skip
_GAP: Final = "  "
_MORE: Final = "; -v: tables"


def claim_lines(digest: Digest, safety: Mapping[str, str], width: int, each: bool) -> list[str]:
    """Three lines per variant: is it safe, where is it worth it, who pays."""
    loads = len(digest.lines)
    lines = []
    for claim in digest.claims:
        lines += _wrapped(f"{claim.variant}: {_safety(claim.variant, safety)}", width)
        lines.append(_told(f"  worth it{_in(claim.gains, loads)}: ", _worth(claim, each), width))
        lines.append(_told(f"  who pays{_in(claim.losses, loads)}: ", _pays(claim, each), width))
    return lines


def _safety(variant: str, safety: Mapping[str, str]) -> str:
    return safety.get(variant, f"not checked for races yet (spfvar check {variant})")


def _in(entries: Sequence[Entry], loads: int) -> str:
    """ " in 4/11 loads", where there is more than one."""
    return f" in {len(entries)}/{loads} loads" if entries and loads > 1 else ""


def _worth(claim: Claim, each: bool) -> list[str]:
    if claim.gains:
        return [_cell(claim.gains[0], each), *(_cell(entry, False) for entry in claim.gains[1:])]
    maybe = [entry for entry in claim.likely if entry.verdict == "likely better"]
    return [f"nowhere for sure; likely {_cell(maybe[0], each)}" if maybe else "nowhere"]


def _pays(claim: Claim, each: bool) -> list[str]:
    """The largest loss, the largest of another kind, and the others."""
    parts = [_cell(entry, each and i == 0) for i, entry in enumerate(claim.losses)]
    if not parts:
        maybe = [entry for entry in claim.likely if entry.verdict == "likely WORSE"]
        parts = [f"nobody for sure; likely {_cell(maybe[0], each)}" if maybe else "no throughput"]
    hidden = [f"{entry.metric} {_cell(entry, False)}" for entry in claim.hidden]
    return [*parts[:1], *hidden[:1], *parts[1:], *hidden[1:]]


def _cell(entry: Entry, each: bool) -> str:
    """ "pft x2.01 (1.80-2.24) @56"; the interval if it is one of draws."""
    interval = ""
    if each and math.isfinite(entry.low) and math.isfinite(entry.high):
        interval = f" ({units.ratio(entry.low)[1:]}-{units.ratio(entry.high)[1:]})"
    at = f" @{entry.column}" if entry.column else ""
    return f"{entry.load} {units.ratio(entry.ratio)}{interval}{at}"


def _told(label: str, parts: Sequence[str], width: int) -> str:
    """As many parts as fit into a line, the first in any case."""
    line = label + parts[0]
    for part in parts[1:]:
        if len(line) + len(part) + 2 > width:
            break
        line += f", {part}"
    return line


def ratio_lines(
    digest: Digest, width: int, *, each: bool, colour: bool = False, more: bool = True
) -> list[str]:
    """A line per load with a ratio for each variant and thread count; variants side by side as they fit."""
    if not digest.lines:
        return []
    columns = Counter(line.columns for line in digest.lines).most_common(1)[0][0]
    names = {line.load: _load_name(line.columns, columns, line.load) for line in digest.lines}
    stub = max(map(len, names.values()))
    size = max(len(_text(e)) for line in digest.lines for e in line.entries.values())
    size = max(size, *(len(column) + 1 for column in columns))
    most = max(len(line.columns) for line in digest.lines)
    block = max(most * (size + 1) - 1, max(map(len, digest.variants)))
    room = max(1, (width - stub) // (block + len(_GAP)))
    bands = math.ceil(len(digest.variants) / room)
    room = math.ceil(len(digest.variants) / bands)
    title = _title(digest, columns, more)
    lines = [*_wrapped(title, width), *_wrapped(_legend(digest, each), width)]
    for start in range(0, len(digest.variants), room):
        shown = digest.variants[start : start + room]
        lines.append((" " * stub + "".join(_GAP + name.rjust(block) for name in shown)).rstrip())
        for line in digest.lines:
            text = names[line.load].ljust(stub)
            for variant in shown:
                entries = [line.entries.get((variant, column)) for column in line.columns]
                cells = " ".join(_padded(entry, size, colour) for entry in entries)
                blanks = block - (len(entries) * (size + 1) - 1)
                text += _GAP + " " * blanks + cells
            lines.append(text.rstrip())
    return lines


def _load_name(own: Sequence[str], columns: Sequence[str], load: str) -> str:
    return load if own == columns or own == ("",) else f"{load} @{','.join(own)}"


def _text(entry: Entry) -> str:
    return number(entry) + (MARKS[entry.verdict] or " ")


def _padded(entry: Entry | None, size: int, colour: bool) -> str:
    if entry is None:
        return " " * size
    text = _text(entry).rjust(size)
    bare = text.rstrip()
    return verdict_colour(bare, entry.verdict) + " " * (len(text) - len(bare)) if colour else text


def _title(digest: Digest, columns: Sequence[str], more: bool) -> str:
    at = "" if columns == ("",) else f" @{','.join(columns)} threads"
    better = f"; {digest.metric.better} is better" if digest.metric.better != "neutral" else ""
    return f"{digest.metric.name} against {digest.baseline}{at}{better}{_MORE if more else ''}"


def _legend(digest: Digest, each: bool) -> str:
    """The marks that are used."""
    used = {entry.verdict for line in digest.lines for entry in line.entries.values()}
    low, high = digest.noise
    noise = f"{100 * low:g} %" if low == high else f"{100 * low:g} to {100 * high:g} %"
    meanings: list[tuple[set[str], str]] = [
        ({"better"}, "no mark: better" + (" on 95 % of machines" if each else "")),
        ({"WORSE"}, "! WORSE"),
        ({"likely better", "likely WORSE"}, "~ 80 %"),
        ({"same"}, f"= within {noise}"),
        ({"unsure"}, "? depends" if each else "? unsure"),
    ]
    return "; ".join(text for words, text in meanings if words & used)


def _wrapped(text: str, width: int) -> list[str]:
    return textwrap.wrap(text, width, subsequent_indent=_GAP, break_long_words=False, break_on_hyphens=False)


def depends_line(digest: Digest) -> list[str]:
    """Which of the machine's figures leave cells open."""
    named = [f"{figure} ({count})" for figure, count in digest.depends if figure != "several"]
    return [f"Open cells depend on {', '.join(named[:3])}"] if named else []


def markdown_parts(
    digest: Digest, safety: Mapping[str, str], each: bool, escaped: Callable[[str], str]
) -> list[str]:
    """The digest as Markdown: a list of claims, and a table with a row per load and a column per cell."""
    claims = []
    for claim in digest.claims:
        worth = f"worth it: {', '.join(_worth(claim, each)[:5])}"
        pays = f"who pays: {', '.join(_pays(claim, each)[:5])}"
        told = _safety(claim.variant, safety)
        claims.append(f"- **{escaped(claim.variant)}**: {escaped('; '.join((told, worth, pays)))}")
    columns = tuple(dict.fromkeys(column for line in digest.lines for column in line.columns))
    head = [f"{escaped(variant)} {column}".strip() for variant in digest.variants for column in columns]
    rows = []
    for line in digest.lines:
        entries = [line.entries.get((variant, column)) for variant in digest.variants for column in columns]
        rows.append([escaped(line.load), *("" if e is None else escaped(_text(e).strip()) for e in entries)])
    table = [["load", *head], ["---", *(["---:"] * len(head))], *rows]
    return [
        "\n".join(claims),
        escaped(_title(digest, columns, more=False)),
        escaped(_legend(digest, each)),
        "\n".join(f"| {' | '.join(row)} |" for row in table),
    ]
