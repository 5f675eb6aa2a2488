"""The code blocks of a page: files to be saved, commands to be run, outputs to be compared.

A block of Python below "Save this as `name`:" is a file.  In a console block a line behind ``$`` is a command,
what follows is its output; a line of three dots stands for any lines.  Numbers, hashes and widths may differ, for
they move with the model; words, marks and the order of lines may not.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").glob("*.md"))]

_FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_FILE = re.compile(r"Save this as\s+`([\w.-]+)`:\s*\Z")
#: A hash, or a number that is no part of a name such as P4 or v5.12; behind an x it is a ratio.
_NUMBER = re.compile(r"\b[0-9a-f]{12}\b|(?:(?<=\bx)|(?<![\w.]))\d[\d.,]*")


@dataclass(frozen=True)
class Block:
    """A fenced block; ``file`` is the name that the sentence above it says to save it by."""

    language: str
    text: str
    file: str | None


def blocks(page: str) -> Iterator[Block]:
    """Every fenced block of a page, in order."""
    for found in _FENCE.finditer(page):
        name = _FILE.search(page, 0, found.start())
        yield Block(found[1], found[2], name[1] if name else None)


def commands(console: str) -> list[tuple[list[str], str]]:
    """The commands of a console block, in words, each with the output that follows it."""
    parts = re.split(r"^\$ (.*)\n", console, flags=re.MULTILINE)
    assert not parts[0].strip(), "a console block begins with a command"
    return [(shlex.split(command), output) for command, output in zip(parts[1::2], parts[2::2], strict=True)]


def difference(expected: str, actual: str) -> str | None:
    """The first line of ``expected`` that ``actual`` does not have in its place; None if there is none."""
    lines = _normal(expected)
    have = "".join(f"{line}\n" for line in _normal(actual))
    pattern = ""
    for number, line in enumerate(lines):
        pattern += r"(?:.*\n)*?" if line == "..." else re.escape(f"{line}\n")
        if not re.match(pattern, have):
            return expected.splitlines()[number]
    return None if re.fullmatch(pattern, have) else "the end of the output"


def _normal(text: str) -> list[str]:
    return [" ".join(_NUMBER.sub("0", line).split()) for line in text.rstrip().splitlines()]
