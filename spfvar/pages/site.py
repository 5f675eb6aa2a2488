"""What the pages of a site lead to: addresses, sources with their lines, and the reference of hook points."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import spfvar
from spfvar.mm.hookspecs import HOOKS, PROJECT
from spfvar.pages.document import Document, render_document
from spfvar.plugins.texts import core_of
from spfvar.review.pageparts import Entry, Grid, PageSection, SourceLines

INDEX, RACES, BUGS, HOOK_POINTS = "index.html", "races.html", "bugs.html", "hooks.html"
#: Where the pages lie that lead to all others; from a page one folder down.
TRAIL = (("gallery", INDEX), ("races", RACES), ("bugs", BUGS), ("hook points", HOOK_POINTS))


def slug(name: str) -> str:
    """A name as part of an address and of a file's name."""
    return re.sub("[^A-Za-z0-9.-]", "_", name)


def cell_page(design: str, load: str) -> str:
    """Of a design under a load, on every machine."""
    return f"cells/{slug(design)}--{slug(load)}.html"


def design_page(design: str) -> str:
    """Of a design."""
    return f"designs/{slug(design)}.html"


def race_page(race: str) -> str:
    """Of a race."""
    return f"races/{slug(race)}.html"


def bug_page(twin: str) -> str:
    """Of a bug that was put back into a design."""
    return f"bugs/{slug(twin)}.html"


def trail(deep: bool) -> tuple[tuple[str, str], ...]:
    """The way back; ``deep``: from a page one folder down."""
    return tuple((name, ("../" if deep else "") + href) for name, href in TRAIL)


@dataclass(frozen=True, slots=True)
class Place:
    """Where a class or a method is written: the file, relative to what it came with, and the line."""

    file: str
    line: int

    @property
    def href(self) -> str:
        """Its address, from a page one folder down."""
        return f"../{source_page(self.file)}#L{self.line}"

    def __str__(self) -> str:
        return f"{self.file}:{self.line}"


@cache
def _written(thing: type | Callable[..., Any]) -> tuple[Path, int]:
    """The file and the line; of a class its file is parsed, which takes 20 ms.  Raises OSError, TypeError."""
    code = getattr(thing, "__code__", None)
    line = code.co_firstlineno if code is not None else inspect.getsourcelines(thing)[1]
    return Path(inspect.getfile(thing)), line


def source_page(file: str) -> str:
    """Of a source file."""
    return f"source/{slug(file)}.html"


class Sources:
    """The files that pages lead to; ``paths`` by their names there."""

    def __init__(self) -> None:
        self.paths: dict[str, Path] = {}

    def place(self, thing: type | Callable[..., Any]) -> Place | None:
        """Where a class or a function is written; None if that is no file."""
        try:
            path, line = _written(thing)
        except (OSError, TypeError):
            return None
        file = f"{path.parent.name}/{path.name}"
        if self.paths.setdefault(file, path) != path:
            return None
        return Place(file, max(1, line))

    def pages(self) -> Iterable[tuple[str, str]]:
        """A page per file, with an anchor per line."""
        for file, path in sorted(self.paths.items()):
            lines = tuple(path.read_text(encoding="utf-8").splitlines())
            section = PageSection("text", file, (SourceLines(file, lines),))
            page = Document(file, file, (), (), (section,), spfvar.__version__, trail(deep=True))
            yield source_page(file), render_document(page, "../")


def hook_page(sources: Sources, users: Mapping[str, Iterable[str]]) -> str:
    """The reference of hook points: contract, the core's text, and the designs that have one of their own."""
    rows = []
    for name in HOOKS:
        core = core_of(name)
        place = sources.place(getattr(core, name)) if core is not None else None
        rows.append(
            (
                Entry(f"{name}()", ident=f"hook-{name}"),
                Entry(" ".join((inspect.getdoc(HOOKS[name]) or "").split())),
                Entry(str(place), href=place.href.removeprefix("../")) if place else Entry("only in patches"),
                Entry(", ".join(users.get(name, ()))),
            )
        )
    grid = Grid(
        "Where designs differ: a patch implements a hook point, or stacks on what is below it",
        ("hook point", "contract", "the core's text", "designs with one of their own"), tuple(rows),
    )  # fmt: skip
    page = Document(
        "Hook points", "Hook points", (), (), (PageSection("hooks", "Every hook point", (grid,)),),
        spfvar.__version__, trail(deep=False),
    )  # fmt: skip
    return render_document(page, "")


def hooks_of(patches: Iterable[type]) -> dict[str, type]:
    """The hook points that patches implement, each with the outermost class that does."""
    return {
        name: patch
        for patch in patches
        for name in HOOKS
        if hasattr(getattr(patch, name, None), f"{PROJECT}_impl")
    }
