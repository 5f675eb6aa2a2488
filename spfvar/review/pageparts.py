"""What a page is drawn with: the parts of every form, and those that need more room than text has.

Tables that can be sorted and filtered, figures, hunks beside the steps of the protocol, traces with the state
beside them, and details that are folded away.  Texts are as they were found; `spfvar.review.html` escapes.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from spfvar.explore.trace import Trace
from spfvar.render.blocks import Block
from spfvar.review.parts import Part

#: A sentence in a cell is longer, a name is not.
LONG = 48

GOOD, BAD, OPEN = "good", "bad", "open"


@dataclass(frozen=True, slots=True)
class Entry:
    """A cell: its text and more lines below; ``key`` is what it is sorted by (None: its text; NaN: last).

    ``tone`` is `GOOD`, `BAD`, `OPEN`, "up1" to "down4" (of a heat map) or "", and never says what the text
    does not.  ``href``: where the text
    leads, "" if nowhere; ``ident``: its anchor, "" if it has none.
    """

    text: str
    more: tuple[str, ...] = ()
    key: float | None = None
    tone: str = ""
    href: str = ""
    ident: str = ""

    @property
    def is_long(self) -> bool:
        """Does it need a wide column?"""
        return len(self.text) > LONG


@dataclass(frozen=True, slots=True)
class Grid:
    """A table that can be sorted by each column; the first cell of a row names it.

    ``numeric``: all columns but the first ``stubs`` hold numbers.  ``kind``: "heat" if colours fill cells.
    """

    caption: str
    headers: tuple[str, ...]
    rows: tuple[tuple[Entry, ...], ...]
    notes: tuple[str, ...] = ()
    stubs: int = 1
    numeric: bool = False
    kind: str = ""


@dataclass(frozen=True, slots=True)
class Drawing:
    """A chart: an <svg> element, and what stands below it."""

    svg: str
    caption: str


@dataclass(frozen=True, slots=True)
class Drawings:
    """Charts beside each other, as many as there is room for."""

    drawings: tuple[Drawing, ...]


@dataclass(frozen=True, slots=True)
class Fold:
    """What is folded away until it is asked for, or printed."""

    summary: str
    parts: tuple[PagePart, ...]


@dataclass(frozen=True, slots=True)
class Message:
    """What the mail says above the diff, line by line."""

    lines: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class HunkPart:
    """A hunk, line by line (its sign and its text), and beside it the steps that it touches.

    ``left_out`` counts the lines that are not shown.
    """

    header: str
    lines: tuple[tuple[str, str], ...]
    left_out: int
    parts: tuple[PagePart, ...]


@dataclass(frozen=True, slots=True)
class TraceView:
    """A counterexample, step by step, with the state beside it; ``ident`` is its anchor.

    ``replay``: the command that replays it; "" if none can.
    """

    ident: str
    title: str
    trace: Trace
    replay: str
    is_open: bool = True


@dataclass(frozen=True, slots=True)
class SourceLines:
    """A source file, or some lines of one from ``first`` on; ``title``: which.

    Each line has an anchor, ``prefix`` and its number.
    """

    title: str
    lines: tuple[str, ...]
    first: int = 1
    prefix: str = "L"


PagePart = Part | Grid | Drawings | Fold | Message | HunkPart | TraceView | SourceLines


@dataclass(frozen=True, slots=True)
class PageSection:
    """A section as a page has it; ``key`` is its anchor."""

    key: str
    title: str
    parts: tuple[PagePart, ...]


def grid_of(block: Block) -> Grid:
    """A table of the other forms; a cell that is a number is sorted by it."""
    rows = tuple(
        (*map(Entry, row.stub), *(Entry(cell.value, key=_number(cell.value)) for cell in row.cells))
        for row in block.rows
    )
    caption = ": ".join(filter(None, (block.title, block.direction)))
    notes = tuple(note.text for note in block.footnotes)
    headers = (*block.stub_headers, *block.headers)
    return Grid(caption, headers, rows, notes, len(block.stub_headers), block.align == "right")


def _number(text: str) -> float | None:
    try:
        return float(text) if text else math.nan
    except ValueError:
        return None
