"""A table as data: what the builders make and the layouts draw."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from spfvar.comparison.verdicts import VERDICTS

PANEL_COLUMNS = 4
"""More columns than this are wrapped into a second panel."""


@dataclass(frozen=True, slots=True)
class Cell:
    """One entry of a table; an empty text is left out.

    ``spread`` is the half-interval ("±2%"), ``notes`` are footnote marks ("a,b"), ``interval`` is that of
    the ratio ("1.05-1.71").
    """

    value: str
    spread: str = ""
    notes: str = ""
    ratio: str = ""
    verdict: str = ""
    interval: str = ""

    def with_texts(self, change: Callable[[str], str]) -> "Cell":
        """Return the cell with every text in it changed."""
        texts = (self.value, self.spread, self.notes, self.ratio, self.verdict, self.interval)
        return Cell(*map(change, texts))


@dataclass(frozen=True, slots=True)
class Row:
    """A row: the texts that name it (its stub) and one cell per column."""

    stub: tuple[str, ...]
    cells: tuple[Cell, ...]


@dataclass(frozen=True, slots=True)
class Footnote:
    """A remark on the cells that carry ``mark``, or on the whole table if that is empty."""

    mark: str
    text: str


@dataclass(frozen=True, slots=True)
class Block:
    """One table: title, what is better in it, headers, rows and footnotes.

    ``stub_headers`` has one text per stub column, ``headers`` one per cell column.
    """

    title: str
    direction: str
    stub_headers: tuple[str, ...]
    headers: tuple[str, ...]
    rows: tuple[Row, ...]
    footnotes: tuple[Footnote, ...] = ()
    align: Literal["left", "right"] = "right"
    panel_columns: int = PANEL_COLUMNS

    def panels(self, columns: int) -> Iterator["Block"]:
        """Split into tables of at most ``columns`` columns each; the last has the footnotes."""
        starts = range(0, max(len(self.headers), 1), columns)
        for start in starts:
            part = slice(start, start + columns)
            yield replace(
                self,
                title=self.title if start == 0 else f"{self.title} (continued)",
                headers=self.headers[part],
                rows=tuple(Row(row.stub, row.cells[part]) for row in self.rows),
                footnotes=self.footnotes if start == starts[-1] else (),
            )

    def with_texts(self, change: Callable[[str], str]) -> "Block":
        """Return the table with every text in it changed."""
        return replace(
            self,
            title=change(self.title),
            direction=change(self.direction),
            stub_headers=tuple(map(change, self.stub_headers)),
            headers=tuple(map(change, self.headers)),
            rows=tuple(
                Row(
                    tuple(map(change, row.stub)),
                    tuple(cell.with_texts(change) for cell in row.cells),
                )
                for row in self.rows
            ),
            footnotes=tuple(Footnote(note.mark, change(note.text)) for note in self.footnotes),
        )

    def marks_used(self) -> set[str]:
        """Return the kinds of marks that need a definition: "±N%", "xN", "[a]" and verdicts."""
        cells = [cell for row in self.rows for cell in row.cells]
        kinds = {"±N%": "spread", "xN": "ratio", "[a]": "notes"}
        marks = {mark for mark, name in kinds.items() if any(getattr(c, name) for c in cells)}
        words = {cell.verdict for cell in cells} | {cell.value for cell in cells}
        words |= set(self.headers)
        return marks | (words & set(VERDICTS))


def footnote_mark(index: int) -> str:
    """Return the mark of footnote ``index``: a to z, then aa, ab, ..."""
    letters = "abcdefghijklmnopqrstuvwxyz"
    if index < len(letters):
        return letters[index]
    return footnote_mark(index // len(letters) - 1) + letters[index % len(letters)]


def assign_marks(texts: Sequence[Sequence[str]]) -> tuple[list[str], tuple[Footnote, ...]]:
    """Give letters to footnotes, in order of first appearance.

    ``texts`` has the remarks of each cell. Returns the marks of each cell ("a,b") and the notes.
    """
    marks: dict[str, str] = {}
    for text in (text for of_cell in texts for text in of_cell):
        marks.setdefault(text, footnote_mark(len(marks)))
    of_cells = [",".join(marks[text] for text in of_cell) for of_cell in texts]
    return of_cells, tuple(Footnote(mark, text) for text, mark in marks.items())
