"""The lines of a function that a hunk shows, as C that can be parsed: whole statements, blocks that end."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from spfvar.draft.pieces import PieceLine

_COMMENT_LINE = re.compile(r"\s*\*(?:\s|/|\Z)")
_STRING = re.compile(r'"(?:[^"\\\n]|\\.)*"|\'(?:[^\'\\\n]|\\.)*\'')


@dataclass(frozen=True, slots=True)
class Fragment:
    """Statements as text, and where each of its lines is.

    ``begins``: they begin where the function does, ``ends``: they end where it does.

    ``at`` has the number of each line in the patch, ``changed`` whether it is one that the patch changes.
    """

    text: str
    at: tuple[int, ...]
    changed: tuple[bool, ...]
    begins: bool
    ends: bool = False


def fragment(lines: Sequence[PieceLine]) -> Fragment:
    """The statements in some lines of a function, without comments, its head and what is cut off."""
    texts = without_comments([line.text for line in lines])
    first = next((i + 1 for i, text in enumerate(texts) if text.startswith("{")), 0)
    last = next((i for i, text in enumerate(texts) if i >= first and text.startswith("}")), len(texts))
    begins, end = first > 0, last < len(texts)
    if not begins:
        first = min(last, _cut_begin(texts[:last]))
    last = max(first, _cut_end(texts, first, last))
    kept = texts[first:last]
    closed, opened = _braces(kept)
    ends = ["} while (0);" if re.match(r"do\b", text.strip()) else "}" for text in reversed(opened)]
    text = "if (1) {" * closed + "\n".join(kept) + "\n;" + " ".join(ends)
    shown = lines[first:last]
    return Fragment(
        text, tuple(line.at for line in shown), tuple(line.kind != " " for line in shown), begins,
        end,
    )  # fmt: skip


def without_comments(texts: Sequence[str]) -> list[str]:
    """The same lines without comments, of which the first and last may be cut off."""
    found = []
    inside = False
    for text in texts:
        rest, kept = text, ""
        if not inside and _COMMENT_LINE.match(text):
            rest = text.partition("*/")[2]
        while rest:
            if inside:
                _, end, rest = rest.partition("*/")
                inside = not end
            else:
                code, begin, rest = rest.partition("/*")
                kept += code
                inside = bool(begin)
        found.append(re.sub(r"//.*", "", kept).rstrip())
    return found


def _cut_begin(texts: Sequence[str]) -> int:
    """Behind the last line at which more parentheses have ended than begun: its begin is missing."""
    depth, first = 0, 0
    for number, text in enumerate(texts):
        plain = _STRING.sub("", text)
        depth += plain.count("(") - plain.count(")")
        if depth < 0:
            depth, first = 0, number + 1
    return first


def _cut_end(texts: Sequence[str], first: int, last: int) -> int:
    """The line at which a statement begins whose end is missing."""
    depth, begin = 0, last
    for number in range(first, last):
        plain = _STRING.sub("", texts[number])
        if depth == 0 and plain.strip():
            begin = number
        depth += plain.count("(") - plain.count(")")
    return begin if depth > 0 else last


def _braces(texts: Sequence[str]) -> tuple[int, list[str]]:
    """How many blocks end that have not begun, and the lines that begin those that do not end."""
    missing, opened = 0, list[str]()
    for text in texts:
        for sign in _STRING.sub("", text):
            if sign == "{":
                opened.append(text)
            elif sign == "}":
                if opened:
                    opened.pop()
                else:
                    missing += 1
    return missing, opened
