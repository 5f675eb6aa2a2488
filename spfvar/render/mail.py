"""The mail layout: 72 columns of ASCII, to be pasted into a patch description or a reply."""

import unicodedata
from collections.abc import Sequence

from spfvar.render.blocks import Block
from spfvar.render.meta import Meta
from spfvar.render.text import Short, layout

WIDTH = 72
_SPELLED = str.maketrans({"±": "+-", "µ": "u", "\u00d7": "x", "\u2013": "-", "\u2014": "--", "\u2019": "'"})


def render_mail(blocks: Sequence[Block], meta: Meta, short: Short | None = None) -> str:
    """Return the report as ASCII text of at most 72 columns; with what is short, that first.

    No line starts with ``---``, ``diff -`` or ``Index:``, where ``git am`` ends the description.
    """
    return layout(blocks, meta, WIDTH, spell=to_ascii, short=short)


def to_ascii(text: str) -> str:
    """Return ``text`` in ASCII: signs spelled, accents dropped, the rest a question mark."""
    decomposed = unicodedata.normalize("NFKD", text.translate(_SPELLED))
    bare = "".join(c for c in decomposed if not unicodedata.combining(c))
    return bare.encode("ascii", "replace").decode("ascii")
