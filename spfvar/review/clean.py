"""Texts of strangers made harmless, before a layout escapes them: from patches, files and plugins."""

from __future__ import annotations

import re

from spfvar.errors import one_line

#: What mail tools collect as a vote: "Reviewed-by:", "Tested-by:", "Co-developed-by:", "Fixes:" are not ours.
_TRAILER = re.compile(r"(?i)\b([a-z-]*-by|acked|fixes|cc|link|closes)(\s*):(?=\s|$)")


def clean(text: str) -> str:
    """One printable line without control characters, and without a trailer that a tool would collect."""
    return _TRAILER.sub(r"\1\2 :", one_line(text))
