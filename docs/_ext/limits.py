"""docs/limits.md from the table that the reports use.

``python -m docs._ext.limits > docs/limits.md``, or make limits.
"""

from __future__ import annotations

import textwrap

from spfvar.limits import LIMITS, Area, Limit

HEAD = """# Limits

What no table and no verdict of spfvar can tell. Where a figure is known to be wrong by how much is in
[fidelity](fidelity.md).
"""
SECTIONS: dict[Area, str] = {
    "both": "Both: what is not in the model",
    "checking": "Checking: what a verdict is about",
    "comparing": "Comparing: what a figure is made of",
}
WIDTH = 120


def page() -> str:
    """The whole page."""
    parts = [HEAD]
    for area, title in SECTIONS.items():
        entries = [_entry(limit) for limit in LIMITS if limit.area == area]
        parts.append(f"## {title}\n\n" + "".join(entries))
    return "\n".join(parts)


def _entry(limit: Limit) -> str:
    text = f"* **{limit.title}** {limit.text}".rstrip()
    lines = textwrap.wrap(text, WIDTH, subsequent_indent="  ", break_long_words=False, break_on_hyphens=False)
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    print(page(), end="")
