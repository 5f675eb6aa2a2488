"""Mistakes of a text that running it cannot show: a primitive, a hook point or a text that nobody runs.

``spin_lock(x)`` without ``yield`` makes a primitive and drops it; ``helper(vmf)`` without ``yield from``
makes a generator and drops it.  Python says nothing, and the variant lacks the step.  A call that stands
where its value is dropped, or is only asked for its truth, is always such a mistake: the calls looked for
have no effect of their own.
"""

from __future__ import annotations

import ast
import inspect
import textwrap
from collections.abc import Callable, Iterator
from typing import Any

from spfvar.mm import hookspecs as hooks

#: Modules whose public functions make primitives or marks, and do nothing else.
_PRIMITIVES = ("spfvar.ops.primitives", "spfvar.ops.paging", "spfvar.ops.op")


def unused_text(function: Callable[..., Any], owner: type | None = None) -> str | None:
    """The first such call of a function and of the generators that it calls by name, with file and line.

    ``owner``: the class whose method it is.  None if there is none, or no source to look at.
    """
    ahead, seen = [function], {function}
    while ahead:
        here = ahead.pop(0)
        source = _Source.of(here, owner)
        if source is None:
            continue
        for call, what in source.unused():
            return f"{here.__code__.co_filename}:{source.first + call.lineno - 1}: {here.__name__}: {what}"
        for called in source.called():
            if called not in seen and called.__module__ == function.__module__:
                seen.add(called)
                ahead.append(called)
    return None


class _Source:
    """A function's source, and what the names in it stand for."""

    def __init__(self, tree: ast.AST, first: int, function: Callable[..., Any], owner: type | None) -> None:
        self.first = first
        self._tree = tree
        self._function = function
        self._owner = owner

    @classmethod
    def of(cls, function: Callable[..., Any], owner: type | None) -> _Source | None:
        try:
            lines, first = inspect.getsourcelines(function)
            tree = ast.parse(textwrap.dedent("".join(lines)))
        except (OSError, TypeError, SyntaxError, ValueError):
            return None
        return cls(tree, max(first, 1), function, owner)

    def unused(self) -> Iterator[tuple[ast.Call, str]]:
        """Calls whose value is dropped or asked for its truth, and what to write instead."""
        for node in ast.walk(self._tree):
            for value in _dropped(node):
                if isinstance(value, ast.Call) and (instead := self._instead(value)) is not None:
                    yield value, f"{ast.unparse(value)} is made, but not run: {instead}"

    def called(self) -> Iterator[Callable[..., Any]]:
        """The generator functions that the source calls."""
        for node in ast.walk(self._tree):
            if isinstance(node, ast.Call):
                found = self._meant(node.func)
                if inspect.isfunction(found) and _is_text(found):
                    yield inspect.unwrap(found)

    def _instead(self, call: ast.Call) -> str | None:
        found = self._meant(call.func)
        if not inspect.isfunction(found):
            return None
        name = ast.unparse(call.func)
        if getattr(found, "__wrapped__", None) in hooks.HOOKS.values() or _is_text(found):
            return f"yield from {name}(...)"
        if found.__module__ in _PRIMITIVES and not found.__name__.startswith("_"):
            return f"yield {name}(...)"
        return None

    def _meant(self, node: ast.expr) -> Any:
        """What a name or attribute stands for; None for what only a run can tell."""
        if isinstance(node, ast.Name):
            if node.id in self._function.__code__.co_varnames:
                return None
            return self._function.__globals__.get(node.id)
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            if node.value.id == "self":
                return inspect.getattr_static(self._owner, node.attr, None) if self._owner else None
            module = self._function.__globals__.get(node.value.id)
            if inspect.ismodule(module) and node.value.id not in self._function.__code__.co_varnames:
                return vars(module).get(node.attr)
        return None


def _is_text(function: Callable[..., Any]) -> bool:
    """Does it give a generator, perhaps as a passage?"""
    return inspect.isgeneratorfunction(inspect.unwrap(function))


def _dropped(node: ast.AST) -> Iterator[ast.expr]:
    """The expressions below a node whose value is dropped, or matters by its truth alone."""
    if isinstance(node, ast.Expr):
        yield node.value
    elif isinstance(node, ast.If | ast.While | ast.IfExp | ast.Assert):
        yield node.test
    elif isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
        yield node.operand
    elif isinstance(node, ast.BoolOp):
        yield from node.values[:-1]
    elif isinstance(node, ast.Compare):
        yield from (node.left, *node.comparators)
