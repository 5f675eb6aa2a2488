"""What a plugin's module declares: its lists VARIANTS, TWINS and SERIES, read with care."""

from __future__ import annotations

import ast
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

from spfvar.errors import describe
from spfvar.plugins.series import Series
from spfvar.plugins.variant import Twin, Variant

#: A list of more is a mistake, and would take hours to be compared.
MOST = 1000

_KINDS: dict[str, type] = {"VARIANTS": Variant, "TWINS": Twin, "SERIES": Series}


@dataclass(frozen=True, slots=True)
class Declared:
    """A module's declarations; ``has``: which lists it has; ``wrong``: what of them is unusable, and why."""

    variants: Sequence[Variant]
    twins: Sequence[Twin]
    series: Sequence[Series]
    has: frozenset[str]
    wrong: tuple[str, ...]


def declared_by(module: ModuleType) -> Declared:
    """Read a module's lists.  Its own ``__getattr__`` is not asked."""
    names = getattr(module, "__dict__", {})
    found: dict[str, list[Any]] = {}
    wrong: list[str] = []
    has = frozenset(name for name in _KINDS if names.get(name) is not None)
    for name, kind in _KINDS.items():
        found[name] = []
        if name in has:
            found[name] = _read(names[name], name, kind, wrong)
    wrong = [f"{_place(module, text)}{text}" for text in wrong]
    return Declared(found["VARIANTS"], found["TWINS"], found["SERIES"], has, tuple(wrong))


def _read(values: object, name: str, kind: type, wrong: list[str]) -> list[Any]:
    if type(values) not in (list, tuple):
        wrong.append(f"{name} is {_told(values)}, expected a list of {kind.__name__}")
        return []
    assert isinstance(values, list | tuple)
    if len(values) > MOST:
        wrong.append(f"{name} has {len(values)} entries, expected at most {MOST}")
        return []
    good = []
    for place, value in enumerate(values):
        if issubclass(type(value), kind):
            good.append(value)
        else:
            hint = f": call it, {kind.__name__}(...)" if value is kind else ""
            wrong.append(f"{name}[{place}] is {_told(value)}, which is no {kind.__name__}{hint}")
    return good


def _place(module: ModuleType, text: str) -> str:
    """``file:line: `` of the assignment that a text begins with the name of; "" if there is none."""
    name = re.split(r"[ \[]", text, maxsplit=1)[0]
    file = str(getattr(module, "__file__", None))
    try:
        tree = ast.parse(Path(file).read_bytes())
    except (OSError, SyntaxError, ValueError):
        return ""
    lines = [
        node.lineno for node in tree.body
        if isinstance(node, ast.Assign | ast.AnnAssign | ast.AugAssign)
        for target in (node.targets if isinstance(node, ast.Assign) else [node.target])
        if isinstance(target, ast.Name) and target.id == name
    ]  # fmt: skip
    return f"{file}:{lines[-1]}: " if lines else ""


def _told(value: object) -> str:
    """A value by its class, unless it is a simple one: what a plugin made may not want to be shown."""
    if type(value) in (str, int, float, bool):
        return describe(value)
    if value is None:
        return "None"
    return (
        f"class {value.__name__}" if isinstance(value, type) else f"an object of class {type(value).__name__}"
    )
