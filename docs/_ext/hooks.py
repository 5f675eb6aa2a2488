"""The page of each hook point: contract, arguments, result, and every text that implements it."""

from __future__ import annotations

import ast
import inspect
import re
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from docs._ext.markdown import codes, plain, python, table
from spfvar.mm.hookspecs import HOOKS, PROJECT
from spfvar.mm.vmf import Mapping, VmFault
from spfvar.ops.places import Register
from spfvar.plugins.registry import Registry, load_registry
from spfvar.plugins.texts import text_of
from spfvar.plugins.variant import CORE

ROOT = Path(__file__).parents[2]
_KERNEL = re.compile(r"\b((?:[\w-]+/)+[\w-]+\.(?:[ch]|rs))(?:: ([\w, ]+))?")
#: What an argument of a type is, where the type's name does not say it.
TYPES: dict[Any, str] = {
    VmFault: "the fault: read or write, its mapping, FAULT_FLAG_* (`spfvar.mm.vmf`)",
    Mapping: "the kind of mapping (`spfvar.mm.vmf`)",
    Register: "the thread's register that holds it",
}


@dataclass(frozen=True)
class Contract:
    """A specification's docstring, taken apart."""

    text: str
    returns: str
    kernel: str


def contract(name: str) -> Contract:
    """What a hook point is for, what its implementation returns, and which kernel function it stands for."""
    doc = " ".join((inspect.getdoc(HOOKS[name]) or "").split())
    text, _, returns = doc.partition(" Returns ")
    found = _KERNEL.search(text)
    kernel = f"`{found[2] or name}` in `{found[1]}`" if found else ""
    return Contract(text, returns, kernel)


def index() -> str:
    """The table of hook points, by the module that declares them."""
    text = (
        "# Hook points\n\nWhere the designs differ. A patch implements a hook point by a method of its "
        "name and arguments, marked `@hookimpl`, or stacks on what is below with "
        "`@hookimpl(wrapper=True)`; a text calls it with `yield from`.\n"
        "[Writing a variant](../../write-a-variant.md) shows how.\n"
    )
    for module in dict.fromkeys(spec.__module__ for spec in HOOKS.values()):
        names = [name for name, spec in HOOKS.items() if spec.__module__ == module]
        rows = [[f"[`{name}`]({name}.md)", plain(contract(name).text)] for name in names]
        text += f"\n## Declared in `{module}`\n\n{table(['Hook point', 'Contract'], rows)}"
    return text + "\n```{toctree}\n:hidden:\n\n" + "\n".join(HOOKS) + "\n```\n"


def pages() -> dict[str, str]:
    """A page per hook point."""
    registry = load_registry()
    return {name: _page(name, registry) for name in HOOKS}


def _page(name: str, registry: Registry) -> str:
    spec, what = HOOKS[name], contract(name)
    parameters = inspect.signature(spec, eval_str=True).parameters
    text = f"# `{name}`\n\n{plain(what.text)}\n\n    {name}({', '.join(parameters)})\n\n"
    rows = [[f"`{p.name}`", f"`{_type(p)}`", TYPES.get(p.annotation, "")] for p in parameters.values()]
    text += f"{table(['Argument', 'Type', ''], rows)}\n" if rows else ""
    text += f"**Returns** {plain(what.returns) or 'nothing.'}\n\n"
    text += f"**Kernel** {what.kernel}\n\n" if what.kernel else ""
    callers = _callers().get(name, [])
    text += f"**Called by** {', '.join(callers)}\n\n" if callers else ""
    text += "".join(_section(name, patch, "the core of every variant") for patch in CORE)
    for patch in _patches(registry):
        users = [v.name for v in registry.variants.values() if patch in v.patches]
        users += [name for name, patches in registry.posted_patches().items() if patch in patches]
        text += _section(name, patch, f"part of {codes(users)}")
    twins = [t.name for t in registry.twins.values() if any(hasattr(p, name) for p in t.patches)]
    return text + (f"**Twins that change it** {codes(twins)}\n" if twins else "")


def _type(parameter: inspect.Parameter) -> str:
    return str(getattr(parameter.annotation, "__name__", parameter.annotation))


def _patches(registry: Registry) -> Iterable[type]:
    """Every shipped variant's patches, in order of discovery."""
    stacks = [variant.patches for variant in registry.variants.values()]
    return dict.fromkeys(
        patch for patches in (*stacks, *registry.posted_patches().values()) for patch in patches
    )


def _section(name: str, patch: type, users: str) -> str:
    method = getattr(patch, name, None)
    marks = getattr(method, f"{PROJECT}_impl", None)
    if method is None or marks is None:
        return ""
    how = "stacks on what is below it, " if marks["wrapper"] else "replaces what is below it, "
    title = plain((inspect.getdoc(patch) or "").splitlines()[0])
    return (
        f"## `{patch.__name__}`\n\n{title}\n\n"
        f"In `{file_of(patch)}`; {'' if patch in CORE else how}{users}.\n\n"
        f"{python(text_of(patch, name))}\n"
    )


def file_of(thing: Any) -> str:
    """The source file, relative to the project."""
    path = Path(inspect.getsourcefile(thing) or "").resolve()
    return str(path.relative_to(ROOT)) if path.is_relative_to(ROOT) else path.name


@cache
def _callers() -> dict[str, list[str]]:
    """By hook point: who calls it in the core and in shipped patches, as links where that is a hook point."""
    found: dict[str, dict[str, None]] = {}
    modules = {cls.__module__ for patch in (*CORE, *_patches(load_registry())) for cls in patch.__mro__[:-1]}
    for module in sorted(modules):
        for node in ast.parse(inspect.getsource(sys.modules[module])).body:
            methods = [n for n in getattr(node, "body", []) if isinstance(n, ast.FunctionDef)]
            owner = f"{node.name}." if isinstance(node, ast.ClassDef) else ""
            for function in methods if owner else [node]:
                if isinstance(function, ast.FunctionDef):
                    for called in _called(function):
                        found.setdefault(called, {})[_link(owner, function.name)] = None
    return {name: list(callers) for name, callers in found.items()}


def _called(function: ast.FunctionDef) -> Iterable[str]:
    for node in ast.walk(function):
        if isinstance(node, ast.YieldFrom) and isinstance(node.value, ast.Call):
            target = node.value.func
            name = target.attr if isinstance(target, ast.Attribute) else getattr(target, "id", "")
            if name in HOOKS:
                yield name


def _link(owner: str, function: str) -> str:
    return f"[`{function}`]({function}.md)" if function in HOOKS else f"`{owner}{function}`"
