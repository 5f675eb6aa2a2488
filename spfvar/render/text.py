"""The plain text layout: fixed columns for a terminal."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from spfvar.render.blocks import Block
from spfvar.render.digest import Digest
from spfvar.render.digested import claim_lines, depends_line, ratio_lines
from spfvar.render.grid import GAP, fitting_columns, grid_lines
from spfvar.render.meta import Meta, heading, legend, particulars, simulated
from spfvar.render.paint import judged
from spfvar.render.wrap import WIDTH as WIDTH
from spfvar.render.wrap import wrapped as wrapped

Change = Callable[[str], str]


@dataclass(frozen=True, slots=True)
class Short:
    """A digest, and by variant what is known of its safety; ``bare``: no tables follow, nor particulars."""

    digest: Digest
    safety: Mapping[str, str]
    bare: bool


def render_table(
    blocks: Sequence[Block],
    meta: Meta,
    width: int = WIDTH,
    *,
    colour: bool = False,
    short: Short | None = None,
) -> str:
    """Return the report as text of at most ``width`` columns; with what is short, that first.

    Only a single word that is wider, such as a path in the command line, can stick out: broken,
    it could not be pasted. ``colour`` adds terminal escapes to the verdicts, which stay words.
    """
    return layout(blocks, meta, width, paint=judged if colour else str, colour=colour, short=short)


def layout(
    blocks: Sequence[Block],
    meta: Meta,
    width: int,
    *,
    spell: Change = str,
    paint: Change = str,
    colour: bool = False,
    short: Short | None = None,
) -> str:
    """Return heading, tables, marks and command line as text.

    ``spell`` changes every text before it is laid out, ``paint`` every line of a table after it.
    """

    def told(lines: Sequence[str]) -> list[str]:
        return [part for line in lines for part in wrapped(spell(line), width, GAP)]

    tables = [
        *(block_lines(block.with_texts(spell), width, paint) for block in blocks),
        legend_lines([(spell(m), spell(text)) for m, text in legend(blocks, meta)], width),
    ]
    command = command_lines("Reproduce:", spell(meta.reproduce), width)
    if short is None:
        parts = [told(heading(meta)), *tables, command]
    else:
        claims = claim_lines(short.digest, short.safety, width, meta.draws)
        ratios = ratio_lines(short.digest, width, each=meta.draws, colour=colour, more=not blocks)
        depends = told(depends_line(short.digest))
        # The first 15 lines say what to think of four variants; how far to trust figures comes with those.
        far = told([meta.fidelity]) if meta.fidelity else []
        top = [told(simulated(meta)), [paint(spell(line)) for line in claims]]
        shown = [*far, *map(spell, ratios), *depends]
        if short.bare:
            parts = [*top, [*shown, *command]]
        else:
            parts = [*top, shown, *tables, told(particulars(meta)), command]
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


def legend_lines(marks: Sequence[tuple[str, str]], width: int) -> list[str]:
    """Return the definitions of marks as lines."""
    column = max((len(mark) for mark, _ in marks), default=0)
    indent = GAP + " " * column + GAP
    lines = ["Marks:"] if marks else []
    for mark, text in marks:
        lines += wrapped(f"{GAP}{mark.ljust(column)}{GAP}{text}", width, indent)
    return lines
