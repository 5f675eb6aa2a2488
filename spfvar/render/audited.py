"""A kernel's C beside a design's text, as a table, markdown or JSON."""

from __future__ import annotations

import json
from collections import defaultdict

from spfvar.csource.audit import Audit, Difference
from spfvar.csource.between import Between, Touched
from spfvar.csource.units import Exemption
from spfvar.kernel.texts import Edge
from spfvar.render.wrap import WIDTH, wrapped

#: Letters of a path that are shown, from its end; steps that stand instead; letters of a touched function.
_TAIL, _INSTEAD, _SOME = 6, 3, 4
CLAIM = (
    "Of the order of calls, and of tests, on each function's paths. Which lock, which page and which VMA is "
    "not followed, nor what a value is beyond what was tested; nothing is said of barriers."
)


def render(found: Audit, form: str, reproduce: str, exceptions: bool = False) -> str:
    """As "table", "markdown" or "json"; ``exceptions``: those that hold, each with its reason."""
    if form == "json":
        return json.dumps(as_dict(found), indent=2) + "\n"
    lines = _markdown(found) if form == "markdown" else _table(found)
    if exceptions:
        lines += ["", *_exceptions(found.used, form)]
    tail = [CLAIM] if form == "markdown" else wrapped(CLAIM, WIDTH, "")
    return "\n".join([*lines, "", *tail, "", f"Reproduce: {reproduce}"]) + "\n"


def as_dict(found: Audit) -> dict[str, object]:
    """The JSON document: differences, exceptions that hold, and counts."""
    return {
        "variant": found.variant,
        "kernel": found.kernel,
        "differences": [one.as_dict() for one in found.differences],
        "exceptions": [_entry(entry) for entry in found.used],
        "stale": [_entry(entry) for entry in found.stale],
        "unknown_calls": found.unknown,
        "not_read": found.unread,
        "counts": {
            "functions": len(found.compared),
            "read": len(found.read),
            "not_compared": list(found.untold),
            "differences": len(found.differences),
            "guards": sum(one.guard for one in found.differences),
            "exceptions": found.exceptions,
            "excepted": len(found.used),
            "reasons": len({entry.why for entry in found.used}),
            "lines_of_text": found.lines,
        },
    }


def headline(found: Audit) -> str:
    """One sentence."""
    many = len(found.differences)
    differ = "no difference" if not many else "1 difference" if many == 1 else f"{many} differences"
    reasons = len({entry.why for entry in found.used})
    return (
        f"{found.variant} beside the C of {found.kernel}: {len(found.compared)} functions ({len(found.read)} "
        f"with those that they are read with) against {found.lines} lines of text: {differ}; "
        f"{found.exceptions} exceptions ({len(found.used)} tests, calls and letters), for {reasons} reasons"
    )


def _entry(entry: Exemption) -> dict[str, object]:
    return {
        "kind": entry.kind, "what": entry.what, "class": entry.named, "functions": list(entry.functions),
        "why": entry.why,
    }  # fmt: skip


def _table(found: Audit) -> list[str]:
    lines = wrapped(headline(found), WIDTH, "")
    for one in found.differences:
        lines += ["", *_difference(one)]
    for entry in found.stale:
        lines += ["", *wrapped(f"WITHOUT USE  the exception that {entry.told}: {entry.why}", WIDTH, "  ")]
    for note in _notes(found):
        lines += ["", *wrapped(note, WIDTH, "  ")]
    return lines


def _notes(found: Audit) -> list[str]:
    """What was not compared, or not as it stands."""
    notes = []
    if found.unread:
        notes.append(_unread(found.unread))
    if found.untold:
        notes.append(f"not compared: {', '.join(found.untold)}")
    if found.unknown:
        notes.append(f"calls without a word, taken as silent: {len(found.unknown)}")
    return notes


def _unread(functions: dict[str, str]) -> str:
    return f"not all of it could be read: {', '.join(f'{name} ({at})' for name, at in functions.items())}"


def _difference(one: Difference) -> list[str]:
    kind = "GUARD" if one.guard else "DIFFERENCE"
    at = f" (in {one.at})" if one.at and one.at not in (one.function, one.hook) else ""
    lines = wrapped(f"{kind} {one.direction}: {one.letter}, {one.function}{at}", WIDTH, "  ")
    lines += wrapped(f"path  {_path(one)}", WIDTH, "      ")
    here, there = ("C", "text") if one.direction == "only in the C" else ("text", "C")
    lines += wrapped(f"{here:<5} {_short(one.where)} {one.letter}", WIDTH, "      ")
    return lines + wrapped(f"{there:<5} {_instead(one)}", WIDTH, "      ")


def _path(one: Difference) -> str:
    shown = one.path[-_TAIL:]
    return ("... > " if len(shown) < len(one.path) else "") + " > ".join(shown)


def _instead(one: Difference) -> str:
    shown = [_step(edge) for edge in one.instead[:_INSTEAD]]
    more = len(one.instead) - len(shown)
    return ", or ".join(shown) + (f", or {more} more" if more else "") or "nothing"


def _step(edge: Edge) -> str:
    return f"{_short(edge.where)} {edge.letter}" if edge.where else "the function's end"


def _short(where: str) -> str:
    return where if not where.startswith("/") else "/".join(where.rsplit("/", 2)[1:])


def _markdown(found: Audit) -> list[str]:
    lines = [headline(found), ""]
    if found.differences:
        lines += ["| function | only in | letters | C | text |", "|---|---|---|---|---|"]
    for one in found.differences:
        side = one.direction.removeprefix("only in the ")
        letters = f"**{_path(one)}**" if one.guard else _path(one)
        lines.append(
            f"| {one.function} | {side} | {letters} | {_short(one.c_line)} | {_short(one.text_line)} |"
        )
    notes = [f"without use: the exception that {entry.told}: {entry.why}" for entry in found.stale]
    return lines + [f"* {note}" for note in notes + _notes(found)]


def _exceptions(used: tuple[Exemption, ...], form: str) -> list[str]:
    by_reason: dict[str, list[Exemption]] = defaultdict(list)
    for entry in used:
        by_reason[entry.why].append(entry)
    lines = ["exceptions:"] + ([""] if form == "markdown" else [])
    for why, entries in by_reason.items():
        what = "; ".join(_told(entries))
        text = f"* {why}: {what}"
        lines += [text] if form == "markdown" else wrapped(text, WIDTH, "    ")
    return lines


def _told(entries: list[Exemption]) -> list[str]:
    """What is excepted for one reason; classes with what there is of them."""
    classes: dict[str, list[Exemption]] = defaultdict(list)
    for entry in entries:
        classes[entry.named].append(entry)
    told = [entry.told for entry in classes.pop("", [])]
    for name, members in classes.items():
        told.append(f"{name}: {len(members)} ({', '.join(entry.what for entry in members)})")
    return told


def render_between(found: Between, form: str, reproduce: str) -> str:
    """Which texts a release touches, as "table", "markdown" or "json"."""
    if form == "json":
        return json.dumps(
            {
                "kernel": found.kernel, "first": found.first, "second": found.second,
                "touched": [one.as_dict() for one in found.touched], "not_read": found.unread,
                "counts": _counts(found),
            },
            indent=2,
        ) + "\n"  # fmt: skip
    counts = _counts(found)
    head = (
        f"{found.first} and {found.second}, in the words of {found.kernel}: of {found.compared} functions "
        f"that texts are compared with, {counts['letters']} have other letters, {counts['source']} are "
        f"written otherwise with the same, {counts['gone']} are gone, {counts['new']} new"
    )
    if form == "markdown":
        lines = [head, "", "| function | hook point | how | changed |", "|---|---|---|---|"]
        lines += [
            f"| {one.unit.c} | {one.unit.text} | {one.how} | {', '.join(one.changed)} |"
            for one in found.touched
        ]
        lines += ["", f"* {_unread(found.unread)}"] if found.unread else []
    else:
        lines = wrapped(head, WIDTH, "")
        for one in found.touched:
            lines += ["", *_touched(one)]
        lines += ["", *wrapped(_unread(found.unread), WIDTH, "  ")] if found.unread else []
    return "\n".join([*lines, "", f"Reproduce: {reproduce}"]) + "\n"


def _counts(found: Between) -> dict[str, int]:
    return {how: sum(one.how == how for one in found.touched) for how in ("letters", "source", "gone", "new")}


def _touched(one: Touched) -> list[str]:
    lines = wrapped(f"{one.unit.c} (hook point {one.unit.text}): {one.how}", WIDTH, "  ")
    if one.changed:
        lines += wrapped(f"  changed: {', '.join(one.changed)}", WIDTH, "    ")
    for gap in one.gaps[:_SOME]:
        tree = "first" if gap.left else "second"
        path = " > ".join(edge.letter for edge in gap.word[-_TAIL:])
        lines += wrapped(f"  only in the {tree}: {path} ({gap.word[-1].where})", WIDTH, "    ")
    if len(one.gaps) > _SOME:
        lines.append(f"  and {len(one.gaps) - _SOME} more (--format json has all)")
    if one.calls:
        lines += wrapped(f"  calls without a word: {', '.join(one.calls)}", WIDTH, "    ")
    return lines
