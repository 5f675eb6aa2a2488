"""What a notebook shows of an object: text as it stands, or a table of two columns."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape

#: What is shown of things with names and titles, as far as they have it.
_FIELDS = (
    "name", "title", "kernel", "cpus", "threads", "properties", "axes", "patches", "source", "fidelity",
    "description",
)  # fmt: skip


class Shown:
    """Something that a notebook shows as a table."""

    def _repr_html_(self) -> str:
        found = {name: _spelled(getattr(self, name, "")) for name in _FIELDS}
        side = 'style="text-align: left"'
        rows = "".join(
            f"<tr><th {side}>{name}</th><td {side}>{escape(text)}</td></tr>"
            for name, text in found.items()
            if text
        )
        return f"<table><caption>{type(self).__name__}</caption>{rows}</table>"


def preformatted(text: str) -> str:
    """Lines of text as HTML; what is long has a bar to roll it."""
    return f'<pre style="max-height: 60em; overflow: auto">{escape(text)}</pre>'


def _spelled(value: object) -> str:
    if isinstance(value, list | tuple | Mapping):
        return ", ".join(map(_spelled, value))
    return value.__name__ if isinstance(value, type) else str(value)
