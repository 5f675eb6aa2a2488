"""The layouts of a digest: lines of text, and Markdown."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Final

from spfvar.render import units
from spfvar.render.digest import Claim, Digest, Entry, number
from spfvar.render.paint import verdict_colour
from spfvar.render.wrap import wrapped

#: What stands behind a ratio; none means better, for lower ratios where lower is better.
MARKS: Final = {
    "better": "", "WORSE": "!", "likely better": "~", "likely WORSE": "~", "differs": "*", "same": "=",
    "unsure": "?", "n/a": "#",
}  # fmt: skip
#: Behind that, where a published ratio of the machine does not come out.
OFF: Final = "^"
_GAP: Final = "  "
_MORE: Final = "; -v: tables"
#: What a claim says of a place: "@56" on a terminal; Markdown has other ideas about "@".
At = Callable[[Entry], str]


def claim_lines(digest: Digest, safety: Mapping[str, str], width: int, each: bool) -> list[str]:
    """Three lines per variant: is it safe, where is it worth it, who pays; more only where they are too long.

    What does not fit is left out, but for the largest gain, the largest loss, and that of another outcome.
    """
    lines = []
    for claim in digest.claims:
        lines += wrapped(f"{claim.variant}: {_safety(claim.variant, safety)}{_missing(claim)}", width)
        if not claim.loads:
            continue
        gains, losses = (_in(entries, claim.loads) for entries in (claim.gains, claim.losses))
        worth, pays = ([make(claim, how, _at) for how in (each, False)] for make in (_worth, _pays))
        lines += fitting(f"{_GAP}worth it{gains}: ", worth, width, 1)
        lines += fitting(f"{_GAP}who pays{losses}: ", pays, width, 2)
    return lines


def claim_texts(claim: Claim, safety: Mapping[str, str], each: bool) -> list[str]:
    """The same in words, as long as they get: its safety, then where it is worth it, and who pays.

    ``each``: with intervals, which are those of draws.
    """
    told = [f"{_safety(claim.variant, safety)}{_missing(claim)}"]
    if claim.loads:
        told.append(f"worth it: {', '.join(_worth(claim, each, _at_threads)[:5])}")
        told.append(f"who pays: {', '.join(_pays(claim, each, _at_threads)[:5])}")
    return told


def explained(digest: Digest, each: bool) -> tuple[str, str]:
    """What a table of ratios shows, and what the marks in it mean."""
    columns = tuple(dict.fromkeys(column for line in digest.lines for column in line.columns))
    return _title(digest, columns, more=False).replace("@", "at "), _legend(digest, each)


def _safety(variant: str, safety: Mapping[str, str]) -> str:
    return safety.get(variant, "safety not known")


def _missing(claim: Claim) -> str:
    """Loads that the lines below say nothing of."""
    parts = [f"; no figure in {', '.join(claim.missing)}"] if claim.missing else []
    parts += [f"; too few runs to tell in {', '.join(claim.untold)}"] if claim.untold else []
    return "".join(parts)


def _in(entries: Sequence[Entry], loads: int) -> str:
    """ ", 4 of 11" loads, where there is more than one."""
    return f", {len(entries)} of {loads}" if entries and loads > 1 else ""


def _worth(claim: Claim, each: bool, at: At) -> list[str]:
    if claim.gains:
        return [_cell(claim.gains[0], each, at), *(_cell(entry, False, at) for entry in claim.gains[1:])]
    maybe = [entry for entry in claim.likely if entry.verdict == "likely better"]
    return [f"nowhere for sure; likely {_cell(maybe[0], each, at)}" if maybe else "nowhere for sure"]


def _pays(claim: Claim, each: bool, at: At) -> list[str]:
    """The largest loss, the largest of another outcome, the others; what is likely only if none is sure."""
    hidden = [f"{entry.metric} {_cell(entry, False, at)}" for entry in claim.hidden]
    losses = [_cell(entry, each and i == 0, at) for i, entry in enumerate(claim.losses)]
    if losses:
        return [*losses[:1], *hidden[:1], *losses[1:], *hidden[1:]]
    maybe = [entry for entry in claim.likely if entry.verdict == "likely WORSE"]
    likely = [f"likely {_cell(maybe[0], each, at)}"] if maybe else []
    return [*(hidden[:1] or ["nobody for sure"]), *likely, *hidden[1:]]


def _cell(entry: Entry, each: bool, at: At) -> str:
    """ "pft x2.01 (1.80-2.24) @56"; the interval if it is one of draws."""
    ends = units.interval(entry.low, entry.high) if each else ""
    interval = f" ({ends})" if ends else ""
    return f"{entry.load} {units.ratio(entry.ratio) or 'from 0'}{interval}{at(entry)}"


def _at(entry: Entry) -> str:
    return f" @{entry.column}" if entry.column else ""


def _at_threads(entry: Entry) -> str:
    return f" at {entry.column} threads" if entry.column else ""


def fitting(label: str, forms: Sequence[Sequence[str]], width: int, first: int) -> list[str]:
    """The ``first`` parts in any case, in the second, shorter form if need be; of the others what fits."""
    parts = forms[0] if len(label + ", ".join(forms[0][:first])) <= width else forms[1]
    line = label + ", ".join(parts[:first])
    for part in parts[first:]:
        if len(line) + len(part) + 2 > width:
            break
        line += f", {part}"
    return wrapped(line, width, _GAP * 2)


def ratio_lines(
    digest: Digest, width: int, *, each: bool, colour: bool = False, more: bool = True
) -> list[str]:
    """A line per load with a ratio for each variant and thread count; variants side by side as they fit."""
    if not digest.lines:
        return []
    columns = Counter(line.columns for line in digest.lines).most_common(1)[0][0]
    names = {line.load: _load_name(line.columns, columns, line.load) for line in digest.lines}
    stub = max(map(len, names.values()))
    entries = [entry for line in digest.lines for entry in line.entries.values()]
    wide = any(entry.off for entry in entries)
    size = max(len(entry_text(entry, wide)) for entry in entries)
    size = max(size, *(len(column) + 1 for column in columns))
    most = max(len(line.columns) for line in digest.lines)
    block = max(most * (size + 1) - 1, max(map(len, digest.variants)))
    room = max(1, (width - stub) // (block + len(_GAP)))
    bands = math.ceil(len(digest.variants) / room)
    room = math.ceil(len(digest.variants) / bands)
    title = _title(digest, columns, more)
    lines = [*wrapped(title, width), *wrapped(_legend(digest, each), width)]
    for start in range(0, len(digest.variants), room):
        shown = digest.variants[start : start + room]
        lines.append((" " * stub + "".join(_GAP + name.rjust(block) for name in shown)).rstrip())
        for line in digest.lines:
            text = names[line.load].ljust(stub)
            for variant in shown:
                found = [line.entries.get((variant, column)) for column in line.columns]
                cells = " ".join(_padded(entry, size, colour, wide) for entry in found)
                blanks = block - (len(found) * (size + 1) - 1)
                text += _GAP + " " * blanks + cells
            lines.append(text.rstrip())
    return lines


def _load_name(own: Sequence[str], columns: Sequence[str], load: str) -> str:
    return load if own == columns or own == ("",) else f"{load} @{','.join(own)}"


def entry_text(entry: Entry, wide: bool = False) -> str:
    """The ratio with its mark; ``wide``: with room for that of cells that are known to be off."""
    return number(entry) + (MARKS[entry.verdict] or " ") + (OFF if entry.off else " " * wide)


def _padded(entry: Entry | None, size: int, colour: bool, wide: bool) -> str:
    if entry is None:
        return " " * size
    text = entry_text(entry, wide).rjust(size)
    bare = text.rstrip()
    return verdict_colour(bare, entry.verdict) + " " * (len(text) - len(bare)) if colour else text


def _legend(digest: Digest, each: bool) -> str:
    entries = (entry for line in digest.lines for entry in line.entries.values())
    return marks_line(entries, digest.noise, each)


def _title(digest: Digest, columns: Sequence[str], more: bool) -> str:
    at = "" if columns == ("",) else f" @{','.join(columns)} threads"
    better = f"; {digest.metric.better} is better" if digest.metric.better != "neutral" else ""
    return f"{digest.metric.name} against {digest.baseline}{at}{better}{_MORE if more else ''}"


def marks_line(entries: Iterable[Entry], noises: tuple[float, float], each: bool) -> str:
    """What the marks mean that entries have; ``noises``: the smallest and largest share that is the same."""
    entries = list(entries)
    used = {entry.verdict for entry in entries}
    low, high = noises
    noise = f"{100 * low:g} %" if low == high else f"{100 * low:g} to {100 * high:g} %"
    meanings: list[tuple[set[str], str]] = [
        ({"better"}, "no mark: better" + (" on 95 % of machines" if each else "")),
        ({"WORSE"}, "! WORSE"),
        ({"likely better", "likely WORSE"}, "~ 80 %"),
        ({"same"}, f"= within {noise}"),
        ({"unsure"}, "? depends" if each else "? unsure"),
        ({"differs"}, "* differs"),
        ({"n/a"}, "# too few runs"),
    ]
    known = [f"{OFF} known to be off (docs/fidelity.md)"] if any(entry.off for entry in entries) else []
    return "; ".join([*(text for words, text in meanings if words & used), *known])


def depends_line(digest: Digest) -> list[str]:
    """Which of the machine's figures leave cells open."""
    named = [f"{figure} ({count})" for figure, count in digest.depends]
    return [f"Open cells depend on {', '.join(named[:3])}"] if named else []


def markdown_parts(
    digest: Digest, safety: Mapping[str, str], each: bool, escaped: Callable[[str], str]
) -> list[str]:
    """The digest as Markdown: a list of claims, and a table with a row per load and a column per cell."""
    if not digest.lines:
        return []
    claims = []
    for claim in digest.claims:
        told = claim_texts(claim, safety, each)
        claims.append(f"- **{escaped(claim.variant)}**: {escaped('; '.join(told))}")
    columns = tuple(dict.fromkeys(column for line in digest.lines for column in line.columns))
    head = [f"{escaped(variant)} {column}".strip() for variant in digest.variants for column in columns]
    rows = []
    for line in digest.lines:
        entries = [line.entries.get((variant, column)) for variant in digest.variants for column in columns]
        texts = ("" if entry is None else escaped(entry_text(entry).strip()) for entry in entries)
        rows.append([escaped(line.load), *texts])
    table = [["load", *head], ["---", *(["---:"] * len(head))], *rows]
    return [
        "\n".join(claims),
        *map(escaped, explained(digest, each)),
        "\n".join(f"| {' | '.join(row)} |" for row in table),
    ]
