"""A trace with one column per thread, time downwards."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from itertools import groupby

from spfvar.explore.trace import Step, Trace

GAP = "  "
NUMBER = 3
#: No column is narrower, unless the threads would not fit.
NARROW = 14


def trace_lines(trace: Trace, width: int) -> list[str]:
    """The story of the trace, and its steps, in at most ``width`` columns."""
    story = [line for text in trace.story for line in _folded(text, width, "  ")]
    return [*story, *([""] if story else []), *step_columns(trace, width)]


def step_columns(trace: Trace, width: int) -> list[str]:
    """The steps in at most ``width`` columns, and what is wrong at their end."""
    cells = scheduled(trace.steps)
    widths = _widths(trace.threads, cells, width)
    lines = [_row("", dict(enumerate(trace.threads)), widths)]
    lines.append(
        _row(
            "",
            {i: "-" * min(w, len(n)) for i, (n, w) in enumerate(zip(trace.threads, widths, strict=True))},
            widths,
        )
    )
    for number, thread, entries in cells:
        column = trace.threads.index(thread)
        label = str(number)
        for indent, text in entries:
            for line in wrapped(text, indent, widths[column]):
                lines.append(_row(label, {column: line}, widths))
                label = ""
    for text in trace.end:
        lines += _folded(f"=> {text}", width, "   ")
    return lines


def _folded(text: str, width: int, indent: str) -> list[str]:
    return textwrap.wrap(text, width, subsequent_indent=indent, break_on_hyphens=False)


def _row(label: str, texts: dict[int, str], widths: Sequence[int]) -> str:
    columns = [texts.get(i, "").ljust(width)[:width] for i, width in enumerate(widths)]
    return GAP.join([label.rjust(NUMBER), *columns]).rstrip()


def scheduled(steps: Sequence[Step]) -> list[tuple[int, str, list[tuple[int, str]]]]:
    """Per scheduled step: its number, thread, and lines with their indents."""
    cells = []
    functions: dict[str, str] = {}
    for (number, thread), group in groupby(steps, key=lambda step: (step.number, step.thread)):
        cells.append((number, thread, step_lines(list(group), functions)))
    return cells


def step_lines(steps: Sequence[Step], functions: dict[str, str]) -> list[tuple[int, str]]:
    """The primitives of one step as lines with their indents.

    ``functions`` is the function that each thread's column is in; a new one is named.  Plain work is folded.
    """
    lines: list[tuple[int, str]] = []
    for (function, is_work), same in groupby(steps, key=lambda step: (step.function, step.is_work)):
        entries = list(same)
        if functions.get(entries[0].thread) != function:
            functions[entries[0].thread] = function
            lines.append((0, f"{function}()"))
        if is_work:
            lines.append((1, f"({'; '.join(step.name for step in entries)})"))
            continue
        for step in entries:
            if not step.assigns:
                lines.append((1, step.name + (f": {step.outcome}" if step.outcome else "")))
            lines += [(1 if step.assigns else 2, change) for change in step.changes]
    return lines


def _widths(
    threads: Sequence[str], cells: Sequence[tuple[int, str, list[tuple[int, str]]]], width: int
) -> list[int]:
    """Columns as wide as their longest line needs, cut down to share ``width``."""
    room = width - NUMBER - len(GAP) * len(threads)
    widths = [len(thread) for thread in threads]
    for _, thread, entries in cells:
        column = threads.index(thread)
        widths[column] = max(widths[column], *(indent + len(text) for indent, text in entries))
    least = min(NARROW, room // len(threads))
    while sum(widths) > room:
        widest = widths.index(max(widths))
        if widths[widest] <= least:
            break
        widths[widest] -= 1
    return widths


def wrapped(text: str, indent: int, width: int) -> list[str]:
    """The text in lines of a column; long names are broken behind ``(``, ``_``, ``-`` or ``>``."""
    room = max(4, width - indent)
    lines = [""]
    for word in text.split(" "):
        for first, piece in _pieces(word, room - 1):
            glue = " " if lines[-1] and first else ""
            if len(lines[-1]) + len(glue) + len(piece) > room - (len(lines) > 1):
                lines.append("")
                glue = ""
            lines[-1] += glue + piece
    return [" " * indent + lines[0], *(" " * (indent + 1) + line for line in lines[1:])]


def _pieces(word: str, room: int) -> list[tuple[bool, str]]:
    """A word in pieces of at most ``room``; the flag says whether a space stands before the piece."""
    pieces: list[tuple[bool, str]] = []
    while len(word) > room:
        cut = max((word.rfind(mark, 0, room) + 1 for mark in "(_>-"), default=0)
        cut = cut if cut > room // 3 else room
        pieces.append((not pieces, word[:cut]))
        word = word[cut:]
    return [*pieces, (not pieces, word)]
