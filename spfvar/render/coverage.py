"""Coverage as tables: kinds of faults by design, and what writers do to each design's faults."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Sequence

from spfvar.faultpaths.faults import Handling
from spfvar.faultpaths.kinds import FAULT_KINDS
from spfvar.faultpaths.system_calls import WRITERS
from spfvar.faultpaths.writers import Effect, Overlay
from spfvar.render.blocks import Block, Cell, Row, assign_marks
from spfvar.render.coverage_brief import brief_faults, brief_writers
from spfvar.render.grid import fitting_columns, grid_lines

WIDTH = 80
FAULT_WORDS: dict[str, str] = {
    "handled": "without mmap_lock; a footnote says on which condition",
    "falls back": "tried without mmap_lock, and done again under it",
    "mmap_lock": "not tried without it",
    "refused": "ends with a signal, or never",
}
#: How parts of the address space are locked; told only where a design does.
PARTS = "r, w, w>r"
WRITER_WORDS = {
    "R, W, W>R": "mmap_lock is taken for reading, for writing, or for writing and then downgraded",
    PARTS: "the same, of a part: a lock of ranges stands in mmap_lock's place, or locks of slots",
    "aborted": "a fault that was at the page tables when the writer came goes to mmap_lock",
    "waited for": "the writer waits for such a fault",
    "falls back": "a fault that begins while the writer is at work goes to mmap_lock",
    "waits": "the fault waits for the writer; the footnote names the lock",
    "-": "nothing but, at most, a wait for a spinlock that is held briefly",
    "IPI": "the writer interrupts the CPUs that run the mm",
    "RCU": "it frees something after a grace period",
    "tables": "it unlinks page tables",
}


def fault_block(found: Sequence[Handling]) -> Block:
    """Kinds of faults as rows, variants as columns."""
    variants = list(dict.fromkeys(one.variant for one in found))
    marks, notes = assign_marks([(*one.reasons, *one.conditions) for one in found])
    cells = {
        (one.kind, one.variant): Cell(one.verdict, notes=mark) for one, mark in zip(found, marks, strict=True)
    }
    kinds = dict.fromkeys(one.kind for one in found)
    rows = tuple(Row((kind,), tuple(cells[kind, variant] for variant in variants)) for kind in kinds)
    return Block("", "", ("fault",), tuple(variants), rows, notes, align="left", panel_columns=8)


def lock_block(found: Sequence[Overlay]) -> Block:
    """How writers take mmap_lock, and what else other CPUs notice of them, by variant."""
    variants = list(dict.fromkeys(one.variant for one in found))
    cells = {
        (one.writer, one.variant): Cell("; ".join(filter(None, [one.mmap_lock, ", ".join(one.also)])))
        for one in found
    }
    writers = dict.fromkeys(one.writer for one in found)
    rows = tuple(Row((writer,), tuple(cells[writer, variant] for variant in variants)) for writer in writers)
    return Block("mmap_lock", "", ("writer",), tuple(variants), rows, align="left", panel_columns=8)


def effect_block(variant: str, found: Sequence[Overlay]) -> Block:
    """Writers as rows, by where the faults are; what they do to one variant's faults as columns."""
    places = [(one.writer, *place) for one in found for place in _places(one)]
    reasons = [
        [reason for words in part.values() for reason in words]
        for _, _, effect in places for part in (effect.running, effect.new)
    ]  # fmt: skip
    marks, notes = assign_marks(reasons)
    rows = tuple(
        Row((writer, where), (_cell(effect.running, marks[2 * i]), _cell(effect.new, marks[2 * i + 1])))
        for i, (writer, where, effect) in enumerate(places)
    )
    headers = ("running faults", "new faults")
    return Block(variant, "", ("writer", "faults in"), headers, rows, notes, align="left", panel_columns=8)


def _places(one: Overlay) -> list[tuple[str, Effect]]:
    """Where faults are, and the effect there; one row if the words are the same everywhere."""
    if one.near is not None and one.far is not None and one.near.same_words(one.far):
        return [("any VMA", one.near)]
    places = (("its VMA", one.near), ("others", one.far))
    return [(where, effect) for where, effect in places if effect is not None]


def _cell(words: dict[str, tuple[str, ...]], mark: str) -> Cell:
    return Cell(", ".join(words) or "-", notes=mark)


#: Designs whose tables stand beside each other.
FEW = 3


def render_faults(found: Sequence[Handling], form: str, reproduce: str, every: bool = True) -> str:
    """The table of fault kinds as "table", "markdown" or "json"; without ``every`` detail, on a page."""
    if form == "json":
        return json.dumps([one.as_dict() for one in found], indent=2) + "\n"
    few = len({one.variant for one in found}) <= FEW
    if form == "table" and not every and not few:
        return brief_faults(found, reproduce)
    shown = {one.kind for one in found}
    words = {kind.name: kind.title for kind in FAULT_KINDS if kind.name in shown}
    used: set[str] = {one.verdict for one in found}
    verdicts = {word: text for word, text in FAULT_WORDS.items() if word in used}
    legend = {"Faults": words} if every or form == "markdown" else {}
    return _render([fault_block(found)], {**legend, "Words": verdicts}, form, reproduce)


def render_writers(found: Sequence[Overlay], form: str, reproduce: str, every: bool = True) -> str:
    """How writers take mmap_lock, then a table per variant of what they do to faults; in the same forms."""
    if form == "json":
        return json.dumps([one.as_dict() for one in found], indent=2) + "\n"
    variants = dict.fromkeys(one.variant for one in found)
    if form == "table" and not every and len(variants) > 1:
        return brief_writers(found, reproduce)
    effects = [effect_block(name, [one for one in found if one.variant == name]) for name in variants]
    blocks = [lock_block(found), *effects]
    writers = {writer.name: writer.title for writer in WRITERS}
    in_parts = any(one.mmap_lock != one.mmap_lock.upper() for one in found)
    words = {word: text for word, text in WRITER_WORDS.items() if in_parts or word != PARTS}
    return _render(blocks, {"Writers": writers, "Words": words}, form, reproduce)


def _render(blocks: Sequence[Block], words: dict[str, dict[str, str]], form: str, reproduce: str) -> str:
    markdown = form == "markdown"
    parts = [_markdown_lines(block) if markdown else _text_lines(block) for block in blocks]
    for title, texts in words.items():
        if markdown:
            parts.append([f"{title}:", "", *(f"* `{word}`: {text}" for word, text in texts.items())])
        else:
            column = max(map(len, texts))
            lines = (f"  {word.ljust(column)}  {text}" for word, text in texts.items())
            parts.append([f"{title}:", *(part for line in lines for part in _fill(line, column + 4))])
    parts.append([f"Reproduce: `{reproduce}`"] if markdown else _fill(f"Reproduce: {reproduce}", 2))
    return "\n\n".join("\n".join(part) for part in parts) + "\n"


def _text_lines(block: Block) -> list[str]:
    lines = [block.title, ""] if block.title else []
    for number, panel in enumerate(block.panels(fitting_columns(block, WIDTH))):
        lines += [""] if number else []
        lines += grid_lines(panel, WIDTH)
    for note in block.footnotes:
        lines += _fill(f"[{note.mark}] {note.text}", 4)
    return lines


def _markdown_lines(block: Block) -> list[str]:
    header = [*block.stub_headers, *block.headers]
    lines = [f"### {block.title}", ""] if block.title else []
    lines += [_pipe(header), _pipe(["---"] * len(header))]
    for row in block.rows:
        cells = [f"{cell.value} [{cell.notes}]" if cell.notes else cell.value for cell in row.cells]
        lines.append(_pipe([*row.stub, *cells]))
    notes = [f"* [{note.mark}] {note.text}" for note in block.footnotes]
    return [*lines, "", *notes] if notes else lines


def _pipe(texts: Sequence[str]) -> str:
    return f"| {' | '.join(texts)} |"


def _fill(text: str, indent: int) -> list[str]:
    return textwrap.wrap(
        text, WIDTH, subsequent_indent=" " * indent, break_long_words=False, break_on_hyphens=False
    )
