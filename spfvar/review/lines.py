"""What has fixed columns in every form of a review: steps side by side, and lines with an indent."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import zip_longest

from spfvar.report.columns import wrapped
from spfvar.review.parts import Beside

GAP = "  "

#: Makes a text harmless for the form that it is put into.
Spell = Callable[[str], str]


def beside_lines(part: Beside, width: int, spell: Spell) -> list[str]:
    """Both texts in at most ``width`` columns, each half as wide."""
    room = (width - 2 * len(GAP)) // 2
    left = _column([part.left_title, "", *part.left], room, spell)
    right = _column([part.right_title, "", *part.right], room, spell)
    pairs = zip_longest(left, right, fillvalue="")
    return [f"{GAP}{before:<{room}}{GAP}{after}".rstrip() for before, after in pairs]


def keeping_indent(line: str, spell: Spell) -> str:
    """The line, changed behind its indent."""
    text = line.lstrip(" ")
    return " " * (len(line) - len(text)) + spell(text)


def _column(lines: Sequence[str], width: int, spell: Spell) -> list[str]:
    found = []
    for line in lines:
        text = line.lstrip(" ")
        found += wrapped(spell(text), min(len(line) - len(text), width // 2), width)
    return found
