"""What a variant's texts leave to be done: every call of `todo` in the modules of its patches."""

from __future__ import annotations

import ast
import inspect
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from types import ModuleType

from spfvar.ops import todo
from spfvar.plugins.variant import Variant


@dataclass(frozen=True, slots=True)
class Todo:
    """A call of `todo`: what it says, and its file and line."""

    what: str
    where: str


def todos_of(variant: Variant) -> tuple[Todo, ...]:
    """The calls of `todo` in a variant's own modules, in order; () for shipped ones, which have none.

    The source is looked at, not automata: what no sample comes to counts, too.
    """
    modules = dict.fromkeys(patch.__module__ for patch in variant.patches)
    found = [sys.modules[name] for name in modules if name in sys.modules and not name.startswith("spfvar.")]
    return tuple(one for module in found for one in _of_module(module))


def is_draft(variant: Variant) -> bool:
    """Was it drafted and not yet read, or is something to be done in it?"""
    return bool(variant.draft or todos_of(variant))


def draft_remark(variant: Variant) -> str:
    """What a reader of a draft's figures or verdicts has to know; "" if it is none."""
    todos = len(todos_of(variant))
    if not variant.draft and not todos:
        return ""
    origin = f", drafted from {variant.draft}" if variant.draft else ""
    worth = (
        "where a test is open, it does more than the patch will"
        if todos
        else "nobody has read it beside the patch yet"
    )
    return f"{variant.name} is a DRAFT with {todos} TODO{'s' * (todos != 1)}{origin}: {worth}"


def draft_remarks(variants: Iterable[Variant]) -> tuple[str, ...]:
    """The remark on each variant that is a draft."""
    return tuple(remark for remark in map(draft_remark, variants) if remark)


def _of_module(module: ModuleType) -> Iterator[Todo]:
    names = {name for name, value in vars(module).items() if value is todo.todo}
    try:
        source, file = inspect.getsource(module), inspect.getsourcefile(module)
    except (OSError, TypeError):
        return
    if not names:
        return
    calls = [node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Call)]
    for call in sorted(calls, key=lambda call: (call.lineno, call.col_offset)):
        if isinstance(call.func, ast.Name) and call.func.id in names:
            first = call.args[0] if call.args else None
            what = str(first.value) if isinstance(first, ast.Constant) else "?"
            yield Todo(what, f"{file}:{call.lineno}")
