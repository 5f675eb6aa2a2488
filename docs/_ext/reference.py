"""Writes docs/reference/: a page per hook point, and every op, property, command and shipped file.

Everything comes from the registries that the program itself uses, so nothing here names a variant, an op or
a command.  The pages are written whenever the documentation is built, and are not committed.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from docs._ext import commands, designs, hooks, lists, ops, properties, verbs
from spfvar.plugins.registry import load_registry

if TYPE_CHECKING:
    from sphinx.application import Sphinx

#: Pages by name, in the order of the table of contents.
WRITERS: dict[str, Callable[[], str]] = {
    "commands": commands.page,
    "python": commands.python_page,
    "hooks/index": hooks.index,
    "ops": ops.page,
    "properties": properties.page,
    "variants": designs.variants,
    "series": designs.series,
    "twins": designs.twins,
    "scenarios": lists.scenarios,
    "races": lists.races,
    "verbs": verbs.page,
    "hardware": lists.hardware,
    "metrics": lists.metrics,
}


def pages() -> dict[str, str]:
    """Every generated page: its path below reference/ without suffix, and its Markdown."""
    load_registry()  # variants declare hook points of their own
    found = {name: write() for name, write in WRITERS.items()}
    found |= {f"hooks/{name}": text for name, text in hooks.pages().items()}
    return {"index": _index(), **found}


def _index() -> str:
    contents = "\n".join(WRITERS)
    return f"# Reference\n\nWritten by the program's own registries.\n\n```{{toctree}}\n{contents}\n```\n"


def write_pages(app: Sphinx) -> None:
    """Bring docs/reference/ up to date; pages that did not change keep their time stamp."""
    folder = Path(app.srcdir) / "reference"
    wanted = {folder / f"{name}.md": text for name, text in pages().items()}
    for path in set(folder.rglob("*.md")) - set(wanted):
        path.unlink()
    for path, text in wanted.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            path.write_text(text, encoding="utf-8")


def setup(app: Sphinx) -> dict[str, Any]:
    """Register with Sphinx."""
    app.connect("builder-inited", write_pages)
    return {"parallel_read_safe": True}
