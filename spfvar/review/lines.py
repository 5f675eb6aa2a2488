"""What has fixed columns in every form of a review: steps side by side, and traces."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import zip_longest

from spfvar.explore.trace import Trace
from spfvar.render.columns import wrapped
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


def spelled_trace(trace: Trace, spell: Spell) -> Trace:
    """The trace with every text changed, before it is laid out."""
    steps = tuple(
        replace(
            step,
            thread=spell(step.thread),
            function=spell(step.function),
            name=spell(step.name),
            outcome=spell(step.outcome),
            changes=tuple(map(spell, step.changes)),
        )
        for step in trace.steps
    )
    return replace(
        trace,
        threads=tuple(map(spell, trace.threads)),
        steps=steps,
        end=tuple(map(spell, trace.end)),
        story=tuple(map(spell, trace.story)),
    )


def _column(lines: Sequence[str], width: int, spell: Spell) -> list[str]:
    found = []
    for line in lines:
        text = line.lstrip(" ")
        found += wrapped(spell(text), min(len(line) - len(text), width // 2), width)
    return found
