"""Markdown from plain text: cells, tables, sources."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

_CODE = re.compile(r"``(.+?)``|`(.+?)`")
_LORE = re.compile(r"^\S+@[\w.-]+$")


def plain(text: str) -> str:
    """A docstring's text, with its code spans, and everything else that Markdown would read escaped."""
    parts, end = [], 0
    for found in _CODE.finditer(text):
        parts += [_escaped(text[end : found.start()]), f"`{found[1] or found[2]}`"]
        end = found.end()
    return "".join(parts) + _escaped(text[end:])


def _escaped(text: str) -> str:
    return re.sub(r"([\\*_<>\[\]#|])", r"\\\1", text)


def sentence(text: str) -> str:
    """The text with a capital at its start, and no other letter changed."""
    return text[:1].upper() + text[1:]


def table(headings: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table of cells that are Markdown already."""
    lines = [headings, ["---"] * len(headings), *rows]
    return "".join(f"| {' | '.join(_cell(cell) for cell in line)} |\n" for line in lines)


def _cell(text: str) -> str:
    return re.sub(r"(?<!\\)\|", r"\\|", " ".join(text.split()))


def codes(names: Iterable[str]) -> str:
    """Names as code, separated by commas."""
    return ", ".join(f"`{name}`" for name in names)


def source(text: str) -> str:
    """A message id as a link to the archive; anything else as it is."""
    return f"[{plain(text)}](https://lore.kernel.org/r/{text})" if _LORE.match(text) else plain(text)


def python(code: str) -> str:
    """A block of Python."""
    return f"```python\n{code.rstrip()}\n```\n"
