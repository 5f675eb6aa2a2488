"""A review as mail: ASCII, 72 columns, to be pasted under a quoted patch; in full, or in 25 lines."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterator, Sequence

from spfvar.limits import OF_VERDICTS_SHORT, OF_WEAK_VERDICTS_SHORT
from spfvar.render.columns import trace_lines
from spfvar.render.mail import WIDTH, to_ascii
from spfvar.render.text import block_lines, command_lines
from spfvar.review.clean import clean
from spfvar.review.document import (
    against,
    flips_against,
    headline,
    own_guards,
    sections,
    shown_flips,
    stat_text,
    subject_line,
    verdict_items,
)
from spfvar.review.lines import beside_lines, spelled_trace
from spfvar.review.model import GuardUse, Review
from spfvar.review.parts import Beside, Command, Item, Items, Part, Section, Table, Text, TracePart

SHORT_LINES = 25
GAP = "  "
#: Wider labels get no column of their own.
LABEL = 16
#: Where git am ends a description, mbox a message, and mail programs begin a quotation.
_SPECIAL = re.compile(r"---|diff -|Index:|From |>|-- $|\.$")


def render_mail(review: Review) -> str:
    """The whole review as text."""
    parts = [part for section in sections(review, narrow=True) for part in _section(section)]
    return _joined(parts)


def render_short(review: Review) -> str:
    """The review in at most `SHORT_LINES` lines: verdict, fine print, and of guards and flips what fits.

    Only a variant with many rivals, or a command line of many words, can take more.
    """
    command = _command(Command("Reproduce:", review.provenance.reproduce))
    must = [*_text(headline(review)), *_subject(review), *_text(against(review))]
    must += _items(verdict_items(review))
    races = OF_VERDICTS_SHORT if review.memory == "sc" else OF_WEAK_VERDICTS_SHORT
    fine = _text(f"Times: {review.machine.fidelity} {races}")
    guards = [_short_use(guard) for guard in own_guards(review)]
    flips = [f"{item.label} {item.text}" for item in shown_flips(review.sensitivity)]
    lists = {"Guards, and what breaks without them:": guards, f"Flips{flips_against(review)}:": flips}
    spare = SHORT_LINES - len(must) - len(fine) - len(command) - 1
    for title, texts in lists.items():
        lines = _fitting(title, texts, spare)
        must += lines
        spare -= len(lines)
    return _joined([[*must, *fine], command])


def _short_use(guard: GuardUse) -> str:
    if not guard.breaks:
        return f"{guard.function}(), {guard.kind}: no race here needs it"
    first = guard.breaks[0]
    return f"{guard.function}(), {guard.kind}: {first.property} in {first.race}, {first.steps} steps"


def _fitting(title: str, texts: Sequence[str], room: int) -> list[str]:
    """A title and as many entries as fit into ``room`` lines; the last line counts those left out."""
    lines = _text(title)
    for number, text in enumerate(texts):
        entry = _text(text, GAP, "* ")
        is_last = number == len(texts) - 1
        if len(lines) + len(entry) + (not is_last) > room:
            lines.append(f"* {len(texts) - number} more")
            break
        lines += entry
    has_entries = len(lines) > 2 or len(texts) == 1
    return lines if has_entries and len(lines) <= room else []


def _joined(parts: Sequence[Sequence[str]]) -> str:
    text = "\n\n".join("\n".join(map(_unspecial, part)) for part in parts if part)
    return text + "\n"


def _unspecial(line: str) -> str:
    """A line that no tool takes for more than text."""
    return f" {line}"[:WIDTH] if _SPECIAL.match(line) else line.rstrip()


def _spelled(text: str) -> str:
    return to_ascii(clean(text))


def _section(section: Section) -> Iterator[list[str]]:
    if section.title:
        yield [f"== {_spelled(section.title)} =="]
    for part in section.parts:
        yield list(_part(part))


def _part(part: Part) -> list[str]:
    match part:
        case Text():
            return _text(part.text)
        case Items():
            return _items(part)
        case Table():
            return "\n".join(block_lines(part.block.with_texts(_spelled), WIDTH)).lstrip("\n").split("\n")
        case Beside():
            return beside_lines(part, WIDTH, _spelled)
        case TracePart():
            trace = trace_lines(spelled_trace(part.trace, _spelled), WIDTH)
            replay = ["", *_command(Command("Replay:", part.replay))] if part.replay else []
            return [*_text(part.title), "", *trace, *replay]
        case Command():
            return _command(part)


def _text(text: str, indent: str = "", first: str = "") -> list[str]:
    return textwrap.wrap(
        _spelled(text),
        WIDTH,
        initial_indent=first or indent,
        subsequent_indent=indent,
        break_on_hyphens=False,
    )


def _items(part: Items) -> list[str]:
    """Short labels share a column; if one of them is long, each begins its text."""
    labels = [_spelled(item.label) for item in part.items]
    widest = max(map(len, labels), default=0)
    column = widest if widest <= LABEL else 0
    return [
        line for item, label in zip(part.items, labels, strict=True) for line in _item(item, label, column)
    ]


def _item(item: Item, label: str, column: int) -> Iterator[str]:
    if not label:
        yield from _text(item.text, GAP, "* ")
    elif len(label) <= column:
        yield from _text(item.text, " " * (column + 1), f"{label:<{column}} ")
    else:
        yield from _text(f"{item.label} {item.text}", GAP, "* ")
    for text in item.more:
        yield from _text(text, GAP * 2)


def _command(part: Command) -> list[str]:
    lines = command_lines(part.label, _spelled(part.command), WIDTH)
    return [piece for line in lines for piece in _shell_pieces(line)]


def _shell_pieces(line: str) -> Iterator[str]:
    """A line in pieces that a shell puts together again: a token is longer than any line."""
    while len(line) > WIDTH and "'" not in line and '"' not in line:
        yield f"{line[: WIDTH - 1]}\\"
        line = line[WIDTH - 1 :]
    yield line


def _subject(review: Review) -> list[str]:
    if review.patch is None:
        return []
    line = f"{subject_line(review.patch)} ({stat_text(review.patch)})"
    return [textwrap.shorten(_spelled(line), WIDTH, placeholder="...")]
