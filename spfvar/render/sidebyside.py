"""Two texts, line against line: in two columns where there is room, or one under the other with signs."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence
from difflib import SequenceMatcher
from itertools import zip_longest

#: Two columns narrower than this are harder to read than one.
MIN_COLUMN = 44
GUTTER = " | "

#: A mark and a line of each text.
Row = tuple[str, str, str]
#: Parts of two texts that belong together.
Chunk = tuple[Sequence[str], Sequence[str]]


def align(left: Sequence[str], right: Sequence[str]) -> list[Row]:
    """Rows of (mark, left line, right line): mark " " equal, "<" left only, ">" right only, "!" changed.

    Changed lines pair up in order; an absent one is "".
    """
    rows: list[Row] = []
    matcher = SequenceMatcher(None, left, right, autojunk=False)
    for tag, l0, l1, r0, r1 in matcher.get_opcodes():
        for one, other in zip_longest(left[l0:l1], right[r0:r1]):
            differs = ">" if one is None else "<" if other is None else "!"
            rows.append((" " if tag == "equal" else differs, one or "", other or ""))
    return rows


def side_by_side(chunks: Sequence[Chunk], titles: tuple[str, str], width: int | None) -> list[str]:
    """The chunks, aligned one by one.

    In two columns if ``width`` leaves room for them; else, or for None, which is no terminal, in one.
    """
    if width is None or width < 2 * MIN_COLUMN + len(GUTTER):
        return [f"--- {titles[0]}", f"+++ {titles[1]}", *unified(chunks)]
    return columns(chunks, titles, width)


def columns(chunks: Sequence[Chunk], titles: tuple[str, str], width: int) -> list[str]:
    """Both texts beside each other within ``width`` characters; long lines are continued further in.

    Between the columns stands "|" where they agree, "<", ">" or "!" where not (see `align`).
    """
    half = (width - len(GUTTER)) // 2
    lines = [f"{titles[0]:<{half}} | {titles[1]}"]
    for left, right in chunks:
        lines.append(f"{'-' * half}-+-{'-' * half}")
        for mark, one, other in align(left, right):
            sign = "|" if mark == " " else mark
            for a, b in zip_longest(_folded(one, half), _folded(other, half), fillvalue=""):
                lines.append(f"{a:<{half}} {sign} {b}".rstrip())
    return lines


def unified(chunks: Sequence[Chunk]) -> list[str]:
    """Both texts as one, "-" before the lines of the first alone and "+" before those of the second."""
    lines = []
    for left, right in chunks:
        lines.append("")
        matcher = SequenceMatcher(None, left, right, autojunk=False)
        for tag, l0, l1, r0, r1 in matcher.get_opcodes():
            if tag == "equal":
                lines += [f" {line}" for line in left[l0:l1]]
            else:
                lines += [f"-{line}" for line in left[l0:l1]] + [f"+{line}" for line in right[r0:r1]]
    return lines


def _folded(line: str, width: int) -> Iterator[str]:
    indent = " " * (len(line) - len(line.lstrip()))
    folded = textwrap.wrap(line, width, subsequent_indent=f"{indent}    ", break_on_hyphens=False)
    yield from folded or [""]
