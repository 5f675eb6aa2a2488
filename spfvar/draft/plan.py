"""`spfvar new variant --from-patch`: the file that is written, and what is said of it."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from spfvar.draft.known import Known
from spfvar.draft.module import Module, module_text
from spfvar.draft.sketch import Row, Sketch, sketch
from spfvar.errors import InputError
from spfvar.plugins.registry import Registry
from spfvar.plugins.variant import Variant
from spfvar.review.patchmail import Patch
from spfvar.scaffold.names import check_name, module_name
from spfvar.scaffold.plans import Base, Plan, class_name, next_steps

_WIDTH: Final = 80
#: A place beside which no name is printed.
_NONE: Final = "-"


@dataclass(frozen=True, slots=True)
class Draft:
    """The plan of a draft, its sketches, and lines that say what of the patch became what."""

    plan: Plan
    sketches: tuple[Sketch, ...]
    told: tuple[str, ...]


def draft(
    name: str, patches: Sequence[Patch], file: str, base: Base | None, directory: Path, registry: Registry
) -> Draft:
    """A plugin file with a patch's changes on top of a variant.

    Raises InputError for a name that cannot be used, for patches of which nothing is in the model, and if
    tree-sitter is not installed.
    """
    check_name(name, registry)
    module = module_name(name)
    variant = registry[base.name] if base is not None else Variant("unpatched", "", "v5.12", "")
    chosen = _in_order(patches)
    sketches = tuple(sketch(patch, variant) for patch in chosen)
    short = Path(file).name if file != "-" else "a patch"
    _check(sketches, file)
    told = tuple(line for one in sketches for line in _told(one, short))
    made = [one for one in sketches if one.parts]
    if not made:
        nothing = "The stack's texts do all of that already: there is nothing to write."
        return Draft(Plan({}, (nothing,)), sketches, told)
    classes = tuple(zip(_class_names(name, made), made, strict=True))
    text = module_text(Module(name, classes, short, base), Known(variant))
    path = directory / f"{module}.py"
    steps = (
        (f"edit {module}.py", "beside the patch; spfvar list hooks"),
        (f"spfvar check {name} --plugin {module}.py", "every race, as it is"),
        (f"spfvar compare {name} --plugin {module}.py --scenario pft", ""),
        (f"spfvar check-plugin {module}.py", "counts the TODOs"),
    )
    return Draft(Plan({path: text}, next_steps(directory, steps)), sketches, told)


def _in_order(patches: Sequence[Patch]) -> list[Patch]:
    """The patches of a series in its order, without answers; of several versions the newest."""
    posted = [patch for patch in patches if not patch.is_reply] or list(patches)
    newest = max(patch.version for patch in posted)
    found = [patch for patch in posted if patch.version == newest]
    if all(patch.position is not None for patch in found):
        found.sort(key=lambda patch: patch.position or (0, 0))
    return found


def _class_names(name: str, made: Sequence[Sketch]) -> list[str]:
    """A class for each patch, by its place in the series or in the file."""
    if len(made) == 1:
        return [class_name(name)]
    places = [one.patch.position[0] if one.patch.position is not None else 0 for one in made]
    if 0 in places or len(set(places)) < len(places):
        places = list(range(1, len(made) + 1))
    return [class_name(f"{name}{place}") for place in places]


def _check(sketches: Sequence[Sketch], file: str) -> None:
    """Is there anything of it in the model?"""
    rows = [row for one in sketches for row in one.rows]
    if any(row.hooks for row in rows):
        return
    names = list(dict.fromkeys(row.piece.function for row in rows if row.piece.function))
    which = f": {', '.join(names[:6])}{', ...' if len(names) > 6 else ''}" if names else ""
    raise InputError(
        f"no hunk changes a function that the model has a hook point for{which}", file=file,
        key="--from-patch", expected="C of page faults; spfvar list hooks has the names",
    )  # fmt: skip


# --- what is said --------------------------------------------------------------------------------


def _told(one: Sketch, file: str) -> Iterator[str]:
    patch = one.patch
    subject = patch.subject or patch.title or "a diff without a subject"
    yield from textwrap.wrap(f"{file}: {subject}", _WIDTH)
    for warning in patch.warnings:
        yield from _hanging(f"warning: {warning}")
    yield from _table(one.rows)
    for todo in one.todos:
        text = todo.text if len(todo.text) <= 48 else f"{todo.text[:45]}..."
        yield from _hanging(f"TODO line {todo.at}: {text} ({todo.why})")
    for note in (note for row in one.rows for note in row.notes):
        yield from _hanging(f"note: {note}")
    hunks = len(patch.hunks)
    reached = len({(row.piece.file, row.piece.hunk) for row in one.rows if row.hooks})
    translated, todos = one.count("translated"), one.count("TODO")
    yield (
        f"{reached} of {hunks} hunks; {translated} translated, {one.count('silent')} without effect, "
        f"{todos} TODO{'' if todos == 1 else 's'}"
    )
    yield ""


def _table(rows: Sequence[Row]) -> Iterator[str]:
    """A line for each function's part of each hunk."""
    shown = [row for row in rows if row.hooks or row.why.startswith(("no hook", "another"))]
    cells = [("function", "hook point", "translated", "no effect", "TODO")]
    for row in shown:
        hooks = ", ".join(row.hooks) or _NONE
        counts = (
            [str(row.count(came)) for came in ("translated", "silent", "TODO")] if row.hooks else [_NONE] * 3
        )
        cells.append((f"{row.piece.place} {row.piece.function}", hooks, counts[0], counts[1], counts[2]))
    if len(cells) == 1:
        return
    names = [cell[0] for cell in cells]
    first = max(len(name) for name in names)
    second = max(len(cell[1]) for cell in cells)
    for cell in cells:
        line = f"  {cell[0]:{first}}  {cell[1]:{second}}  {cell[2]:>10}  {cell[3]:>9}  {cell[4]:>4}"
        yield line.rstrip()


def _hanging(text: str) -> list[str]:
    return textwrap.wrap(text, _WIDTH - 2, initial_indent="  ", subsequent_indent="    ")
