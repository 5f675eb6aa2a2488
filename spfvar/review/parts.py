"""What a review is written with: sections of paragraphs, items, tables, steps, traces and commands.

`spfvar.review.document` fills them, the layouts draw them.  Texts are as they were found: layouts escape.
"""

from __future__ import annotations

from dataclasses import dataclass

from spfvar.explore.trace import Trace
from spfvar.render.blocks import Block


@dataclass(frozen=True, slots=True)
class Text:
    """A paragraph."""

    text: str


@dataclass(frozen=True, slots=True)
class Item:
    """An entry of a list: a label (may be ""), what is said under it, and more below that."""

    label: str
    text: str
    more: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Items:
    """A list."""

    items: tuple[Item, ...]


@dataclass(frozen=True, slots=True)
class Table:
    """A table, with its title and footnotes."""

    block: Block


@dataclass(frozen=True, slots=True)
class Beside:
    """Two texts of steps, side by side: kernel code in words, a line each, indents kept."""

    left_title: str
    right_title: str
    left: tuple[str, ...]
    right: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class TracePart:
    """A counterexample: its title, the trace, and the command that replays it; "" if none can."""

    title: str
    trace: Trace
    replay: str


@dataclass(frozen=True, slots=True)
class Command:
    """A command line that can be pasted into a shell."""

    label: str
    command: str


Part = Text | Items | Table | Beside | TracePart | Command


@dataclass(frozen=True, slots=True)
class Section:
    """A heading and what stands below it; the first section of a review has no heading.

    ``key`` names it within a review, whatever its title says: "races", "speed-1".
    """

    key: str
    title: str
    parts: tuple[Part, ...]
