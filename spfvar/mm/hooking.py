"""How hook points are declared, and called through pluggy when automata are built."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from functools import wraps
from typing import Any

import pluggy

from spfvar.ops.op import Call, Steps

PROJECT = "spfvar"
hookspec = pluggy.HookspecMarker(PROJECT)
hookimpl = pluggy.HookimplMarker(PROJECT)

#: Every hook point by name: its specification.
HOOKS: dict[str, Callable[..., Any]] = {}


def forget(file: str) -> None:
    """Take back the hook points that an earlier execution of a file declared: it is executed again."""
    for name in [name for name, spec in HOOKS.items() if inspect.unwrap(spec).__code__.co_filename == file]:
        del HOOKS[name]


def hook_point(specification: Callable[..., Steps]) -> Callable[..., Steps]:
    """Declare a hook point.  A patch may declare more of them for the patches that build on it."""
    name = specification.__name__
    if name in HOOKS:
        raise ValueError(f"hook point {name} is declared twice")
    HOOKS[name] = specification
    parameters = list(inspect.signature(specification).parameters)

    @wraps(specification)
    def call_hook_point(*args: Any) -> Steps:
        if len(args) != len(parameters):
            raise TypeError(f"{name}({', '.join(parameters)}) is called with {len(args)} arguments")
        return Call(name, args)  # type: ignore[return-value]  # which `yield from` runs

    return call_hook_point
