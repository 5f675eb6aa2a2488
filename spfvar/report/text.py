"""The plain text layout: fixed columns for a terminal."""

import re
import textwrap
from collections.abc import Callable, Sequence

from spfvar.report.blocks import Block
from spfvar.report.grid import GAP, fitting_columns, grid_lines
from spfvar.report.meta import Meta, heading, legend
from spfvar.report.paint import judged

WIDTH = 80

Change = Callable[[str], str]


def render_table(blocks: Sequence[Block], meta: Meta, width: int = WIDTH, *, colour: bool = False) -> str:
    """Return the report as text of at most ``width`` columns.

    Only a single word that is wider, such as a path in the command line, can stick out: broken,
    it could not be pasted. ``colour`` adds terminal escapes to the verdicts, which stay words.
    """
    return layout(blocks, meta, width, paint=judged if colour else str)


def layout(
    blocks: Sequence[Block], meta: Meta, width: int, *, spell: Change = str, paint: Change = str
) -> str:
    """Return heading, tables, marks and command line as text.

    ``spell`` changes every text before it is laid out, ``paint`` every line of a table after it.
    """
    parts = [
        [part for line in heading(meta) for part in wrapped(spell(line), width, GAP)],
        *(block_lines(block.with_texts(spell), width, paint) for block in blocks),
        _legend_lines([(spell(m), spell(text)) for m, text in legend(blocks, meta)], width),
        command_lines("Reproduce:", spell(meta.reproduce), width),
    ]
    return "\n\n".join("\n".join(part) for part in parts if part) + "\n"


def command_lines(label: str, command: str, width: int) -> list[str]:
    """Return a command line that a shell reads as one, broken between words by backslashes."""
    words = re.findall(r"(?:[^\s'\"\\]|'[^']*'|\"[^\"]*\"|\\.)+", command)
    lines = [label]
    for word in words:
        if len(f"{lines[-1]} {word} \\") <= width or lines == [label]:
            lines[-1] += f" {word}"
        else:
            lines[-1] += " \\"
            lines.append(f"    {word}")
    return lines


def wrapped(text: str, width: int, indent: str) -> list[str]:
    """Return text in lines that are broken between words only; all but the first are indented."""
    return textwrap.wrap(
        text, width, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False
    )


def block_lines(block: Block, width: int, paint: Change = str) -> list[str]:
    """Return a table as lines: title, direction, as many panels as it needs, footnotes."""
    lines: list[str] = []
    for panel in block.panels(fitting_columns(block, width)):
        lines += [""] if lines else []
        lines += wrapped(panel.title, width, GAP)
        lines += wrapped(panel.direction, width, GAP)
        lines += ["", *map(paint, grid_lines(panel, width))] if panel.rows else []
    for note in block.footnotes:
        lines += wrapped(f"[{note.mark}] {note.text}" if note.mark else note.text, width, "    ")
    return lines


def _legend_lines(marks: Sequence[tuple[str, str]], width: int) -> list[str]:
    column = max((len(mark) for mark, _ in marks), default=0)
    indent = GAP + " " * column + GAP
    lines = ["Marks:"] if marks else []
    for mark, text in marks:
        lines += wrapped(f"{GAP}{mark.ljust(column)}{GAP}{text}", width, indent)
    return lines
