"""How much would a recording notice?  Texts with one witnessed step left out, or swapped with the next.

A step is a primitive in a function of the text, at however many lines: those of two arms may look the same.

A mutant is noticed if a fault that was a path is none any more.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from spfvar.kernel.conform import Recording, Text, Word
from spfvar.kernel.texts import Edge, Misfit, Way
from spfvar.plugins.variant import Variant

LEFT_OUT: Final = "left out"
SWAPPED: Final = "swapped with the next"


@dataclass(frozen=True, slots=True)
class Mutant:
    """A step of the text, and what was done to it."""

    how: str
    step: Edge
    noticed: bool


@dataclass(frozen=True, slots=True)
class Tried:
    """Every mutant of a design's witnessed steps, beside a recording."""

    variant: str
    kernel: str
    mutants: tuple[Mutant, ...]

    @property
    def noticed(self) -> int:
        """How many the recording notices."""
        return sum(mutant.noticed for mutant in self.mutants)


def try_mutants(
    variant: Variant, recording: Recording, told: Callable[[int, int], None] = lambda done, total: None
) -> Tried:
    """Try each witnessed step of the text, left out and behind what follows it.  Raises StrategyError."""
    text = Text(variant, recording.table)
    users: dict[tuple[str, str], list[Word]] = defaultdict(list)
    lines: dict[tuple[str, str], Edge] = {}
    for word, _ in recording.words:
        way = text.read(word)
        if isinstance(way, Way):
            for edge in way.steps:
                if edge.where:
                    users[edge.kind].append(word)
                    lines.setdefault(edge.kind, edge)
    mutants = []
    for number, kind in enumerate(sorted(users)):
        told(number, len(users))
        without = text.changed(lambda acceptor, kind=kind: acceptor.without(kind))  # type: ignore[misc]
        swapped = text.changed(lambda acceptor, kind=kind: acceptor.swapped(kind))  # type: ignore[misc]
        for how, changed in ((LEFT_OUT, without), (SWAPPED, swapped)):
            if changed is not None:
                noticed = any(isinstance(changed.read(word), Misfit) for word in users[kind])
                mutants.append(Mutant(how, lines[kind], noticed))
    told(len(users), len(users))
    return Tried(variant.name, recording.kernel, tuple(mutants))
