"""The Markdown layout: tables for a wiki, an issue or a pull request."""

from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Final

from spfvar.render.blocks import Block, Cell
from spfvar.render.digest import Digest
from spfvar.render.digested import markdown_parts
from spfvar.render.meta import Meta, heading, legend, opening, particulars

#: Of no design.
NOTHING_KNOWN: Final[Mapping[str, str]] = MappingProxyType({})


def render_markdown(
    blocks: Sequence[Block],
    meta: Meta,
    digest: Digest | None = None,
    safety: Mapping[str, str] = NOTHING_KNOWN,
) -> str:
    """Return the report in Markdown with the tables of GitHub's dialect; with a digest, that first."""
    marks = [f"- `{mark}`: {escaped(text)}" for mark, text in legend(blocks, meta)]
    first = opening(meta) if digest is not None else heading(meta)
    last = particulars(meta) if digest is not None else []
    parts = [
        *(escaped(line) for line in first),
        *(markdown_parts(digest, safety, meta.draws, escaped) if digest is not None else []),
        *map(markdown_block, blocks),
        *(["Marks:\n\n" + "\n".join(marks)] if marks else []),
        *(escaped(line) for line in last),
        f"Reproduce: `{meta.reproduce}`",
    ]
    return "\n\n".join(parts) + "\n"


def markdown_block(block: Block) -> str:
    """Return a table with its title and notes."""
    lines = [f"### {escaped(block.title)}", ""]
    if block.direction:
        lines += [f"*{escaped(block.direction)}*", ""]
    if block.rows:
        lines += [*table_lines(block), ""]
    for note in block.footnotes:
        text = escaped(note.text)
        lines += [f"\\[{note.mark}\\] {text}" if note.mark else text, ""]
    return "\n".join(lines[:-1])


def table_lines(block: Block) -> list[str]:
    """Return a table without its title and notes."""
    rule = "---" if block.align == "left" else "---:"
    return [
        _line([*block.stub_headers, *block.headers]),
        _line(["---"] * len(block.stub_headers) + [rule] * len(block.headers)),
        *(_line([*map(escaped, row.stub), *map(_cell, row.cells)]) for row in block.rows),
    ]


def _line(texts: Iterable[str]) -> str:
    return f"| {' | '.join(texts)} |"


def _cell(cell: Cell) -> str:
    verdict = f"**{cell.verdict}**" if cell.verdict in ("better", "WORSE") else cell.verdict
    value = [
        escaped(cell.value),
        cell.spread,
        f"\\[{cell.notes}\\]" if cell.notes else "",
    ]
    interval = f"({cell.interval})" if cell.interval else ""
    lines = (" ".join(filter(None, parts)) for parts in (value, [cell.ratio, interval, verdict]))
    return "<br>".join(filter(None, lines))


def escaped(text: str) -> str:
    """Return text that Markdown shows as it is."""
    return "".join(f"\\{char}" if char in "\\`*|<[]" else char for char in text)
