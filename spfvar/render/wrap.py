"""Lines of text for a terminal: what those need, too, who have no tables."""

import textwrap

WIDTH = 80


def wrapped(text: str, width: int, indent: str = "  ") -> list[str]:
    """Return text in lines that are broken between words only; all but the first are indented."""
    return textwrap.wrap(
        text, width, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False
    )
