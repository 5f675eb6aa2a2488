"""What a page has to show: every text of the sections that all forms of a review have."""

from __future__ import annotations

from collections.abc import Iterator

from spfvar.explore.trace import Trace
from spfvar.render.columns import scheduled
from spfvar.review.clean import clean
from spfvar.review.document import sections
from spfvar.review.model import Review
from spfvar.review.parts import Beside, Command, Items, Part, Table, Text, TracePart


def squeezed(text: str) -> str:
    """The text without white space: where lines end is the browser's affair."""
    return "".join(text.split())


def texts_of(review: Review) -> list[str]:
    """Every text, as a page spells it."""
    found = [section.title for section in sections(review, narrow=False)]
    found += [text for section in sections(review, narrow=False) for p in section.parts for text in _part(p)]
    return [clean(text.strip()) for text in found if text.strip()]


def _part(part: Part) -> Iterator[str]:
    match part:
        case Text():
            yield part.text
        case Items():
            for item in part.items:
                yield from (item.label, item.text, *item.more)
        case Table():
            block = part.block
            yield from (block.title, block.direction, *block.stub_headers, *block.headers)
            for row in block.rows:
                # A row without values is the heading of a group, "hurts:"; a page has a column for it.
                yield from (stub.rstrip(":") for stub in row.stub)
                yield from (cell.value for cell in row.cells)
            yield from (note.text for note in block.footnotes)
        case Beside():
            yield from (part.left_title, part.right_title, *part.left, *part.right)
        case TracePart():
            yield from (part.title, part.replay, *_trace(part.trace))
        case Command():
            yield from (part.label, part.command)


def _trace(trace: Trace) -> Iterator[str]:
    yield from (*trace.threads, *trace.end)
    for number, _, lines in scheduled(trace.steps):
        yield str(number)
        yield from (text for _, text in lines)
