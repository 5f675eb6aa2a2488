"""Tables in fixed columns: how much fits side by side, and the lines of it."""

import re
from collections.abc import Sequence

from spfvar.render.blocks import Block, Cell

GAP = "  "
STUB_MIN = 14
"""Stub columns wider than this are wrapped where the cells need the room."""

Lines = list[str]


def fitting_columns(block: Block, width: int) -> int:
    """Return how many columns fit side by side into ``width``, the stub wrapped if need be."""
    stub = sum(min(natural, STUB_MIN) + len(GAP) for natural in _stub_widths(block))
    for count in range(min(block.panel_columns, len(block.headers)), 1, -1):
        if all(stub + _width(_cell_columns(panel)) <= width for panel in block.panels(count)):
            return count
    return 1


def grid_lines(panel: Block, width: int) -> Lines:
    """Return header and rows of a table as lines; a row is as high as its highest entry."""
    cells = _cell_columns(panel)
    stubs = _stub_columns(panel, width - _width(cells))
    lines = []
    for row in zip(*stubs, *cells, strict=True):
        height = max(map(len, row))
        filled = [[*entry, *[" " * len(entry[0])] * (height - len(entry))] for entry in row]
        lines += [GAP.join(texts).rstrip() for texts in zip(*filled, strict=True)]
    return lines


def _width(columns: Sequence[Sequence[Lines]]) -> int:
    """Return the width of columns side by side; all lines of a column have the same."""
    return sum(len(column[0][0]) for column in columns) + len(GAP) * max(0, len(columns) - 1)


def _stub_texts(panel: Block) -> list[tuple[str, ...]]:
    """Return the texts of each stub column, its header first."""
    return list(zip(panel.stub_headers, *(row.stub for row in panel.rows), strict=True))


def _stub_widths(panel: Block) -> list[int]:
    return [max(map(len, texts)) for texts in _stub_texts(panel)]


def _stub_columns(panel: Block, room: int) -> list[list[Lines]]:
    """Return the lines of each stub column, which share ``room``, the gaps behind included."""
    widths = _stub_widths(panel)
    while sum(widths) + len(GAP) * len(widths) > room and max(widths) > 1:
        widths[widths.index(max(widths))] -= 1
    columns = _stub_texts(panel)
    if len(columns) > 1:
        columns[0] = _without_repeats(columns[0])
    return [
        [_padded(_broken(text, width), width) for text in texts]
        for texts, width in zip(columns, widths, strict=True)
    ]


def _without_repeats(texts: Sequence[str]) -> tuple[str, ...]:
    """Blank what repeats the text above, so that rows which belong together show it."""
    above = ("", *texts)
    return tuple("" if text == before else text for text, before in zip(texts, above, strict=False))


def _broken(text: str, width: int) -> Lines:
    """Break a name into lines, behind one of ``-_/`` or a space where there is one."""
    lines = [""]
    for part in re.findall(r"[^-_/ ]*[-_/ ]?", text):
        if len(lines[-1]) + len(part.rstrip()) > width and lines[-1]:
            lines.append("")
        lines[-1] += part
        while len(lines[-1].rstrip()) > width:
            lines[-1:] = [lines[-1][:width], lines[-1][width:]]
    return [line.rstrip() for line in lines]


def _padded(lines: Lines, width: int) -> Lines:
    return [line.ljust(width) for line in lines]


def _cell_columns(panel: Block) -> list[list[Lines]]:
    headers = _shortened(panel.headers)
    return [_cell_column(panel, index, header) for index, header in enumerate(headers)]


def _shortened(headers: Sequence[str]) -> Lines:
    """Name the axis in the first header only: ``threads=1  16  64``."""
    axes = {header.partition("=")[0] for header in headers if "=" in header}
    if len(axes) != 1 or not all("=" in header for header in headers):
        return list(headers)
    return [headers[0], *(header.partition("=")[2] for header in headers[1:])]


def _cell_column(panel: Block, index: int, header: str) -> list[Lines]:
    """Return the lines of header and cells of one column, all of the same width."""
    cells = [row.cells[index] for row in panel.rows]
    texts = [[header], *_cell_lines(cells, panel.align == "right")]
    width = max(len(line) for lines in texts for line in lines)
    pad = str.rjust if panel.align == "right" else str.ljust
    return [[pad(line, width) for line in lines] for lines in texts]


def _cell_lines(cells: Sequence[Cell], right: bool) -> list[Lines]:
    """Return value and comparison of each cell, aligned among themselves."""
    notes = [f"[{cell.notes}]" if cell.notes else "" for cell in cells]
    values = [(c.value, c.spread, note) for c, note in zip(cells, notes, strict=True)]
    tests = [(c.ratio, c.verdict) for c in cells]
    intervals = [(c.interval,) for c in cells]
    columns = (_aligned(values, right), _aligned(tests, right), _aligned(intervals, right))
    return [[line for line in lines if line.strip()] or [""] for lines in zip(*columns, strict=True)]


def _aligned(rows: Sequence[tuple[str, ...]], right: bool) -> Lines:
    """Join texts to lines of one width; the first of each is a number, and ``right`` aligns it."""
    widths = [max(map(len, texts)) for texts in zip(*rows, strict=True)]
    pads = [str.rjust if right and i == 0 else str.ljust for i in range(len(widths))]
    return [" ".join(pad(t, w) for t, w, pad in zip(row, widths, pads, strict=True) if w) for row in rows]
