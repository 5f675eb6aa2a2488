"""A review as markdown of GitHub's dialect, for a tracker."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from spfvar.render.blocks import Block
from spfvar.render.columns import trace_lines
from spfvar.render.text import WIDTH
from spfvar.review.clean import clean
from spfvar.review.document import sections
from spfvar.review.lines import beside_lines, spelled_trace
from spfvar.review.model import Review
from spfvar.review.parts import Beside, Command, Items, Part, Section, Table, Text, TracePart

#: What markdown, GitHub's mentions (@name) and its references (#1) would take for more than text.
_MEANS_SOMETHING = re.compile(r"[\\`*_|<\[\]&~#$]|(?<!\w)@")
_BLOCK = re.compile(r"[-+=>]|\d+(?=[.)](?:\s|$))")


def render_markdown(review: Review) -> str:
    """The whole review."""
    return (
        "\n\n".join(part for section in sections(review, narrow=False) for part in _section(section)) + "\n"
    )


def escaped(text: str) -> str:
    """Text that markdown shows as it is, on one line, wherever it stands."""
    shown = _MEANS_SOMETHING.sub(r"\\\g<0>", clean(text))
    match = _BLOCK.match(shown)
    if match is None:
        return shown
    end = match.end() if match[0].isdigit() else 0
    return f"{shown[:end]}\\{shown[end:]}"


def code(text: str) -> str:
    """Text as code within a line."""
    text = clean(text)
    ticks = "`" * (1 + max((len(run) for run in re.findall("`+", text)), default=0))
    space = " " if "`" in text else ""
    return f"{ticks}{space}{text}{space}{ticks}"


def _section(section: Section) -> Iterator[str]:
    if section.title:
        yield f"## {escaped(section.title)}"
    for number, part in enumerate(section.parts):
        text = "\n\n".join(_part(part))
        # The first line of a review is its title.
        yield f"# {text}" if not section.title and number == 0 else text


def _part(part: Part) -> Iterator[str]:
    match part:
        case Text():
            yield escaped(part.text)
        case Items():
            yield "\n".join(_items(part))
        case Table():
            yield from _table(part.block)
        case Beside():
            yield _fence(beside_lines(part, WIDTH, clean))
        case TracePart():
            yield f"### {escaped(part.title)}"
            yield _fence(trace_lines(spelled_trace(part.trace, clean), WIDTH))
            if part.replay:
                yield f"Replay: {code(part.replay)}"
        case Command():
            yield f"{escaped(part.label)} {code(part.command)}"


def _items(part: Items) -> Iterator[str]:
    for item in part.items:
        label = f"**{escaped(item.label)}** " if item.label else ""
        yield f"* {label}{escaped(item.text) if item.text else ''}".rstrip()
        yield from (f"  * {escaped(text)}" for text in item.more)


def _table(block: Block) -> Iterator[str]:
    if block.title:
        yield f"**{escaped(block.title)}**"
    if block.direction:
        yield f"*{escaped(block.direction)}*"
    rule = "---" if block.align == "left" else "---:"
    headers = [*block.stub_headers, *block.headers]
    rules = ["---"] * len(block.stub_headers) + [rule] * len(block.headers)
    lines = [_row(headers), f"| {' | '.join(rules)} |"]
    lines += [
        _row([*row.stub, *(f"{cell.value} {cell.interval}".strip() for cell in row.cells)])
        for row in block.rows
    ]
    yield "\n".join(lines)
    yield from (escaped(note.text) for note in block.footnotes)


def _row(texts: Iterable[str]) -> str:
    shown = (escaped(text).replace("WORSE", "**WORSE**") for text in texts)
    return f"| {' | '.join(shown)} |"


def _fence(lines: Iterable[str]) -> str:
    """Lines of fixed columns, in a fence longer than any in them."""
    text = "\n".join(lines)
    ticks = "`" * max(3, 1 + max((len(run) for run in re.findall("`+", text)), default=0))
    return f"{ticks}text\n{text}\n{ticks}"
