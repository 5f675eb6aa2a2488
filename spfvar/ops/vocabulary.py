"""Every primitive by name, and what one is like: for lists, help and the reference."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
import re
from collections.abc import Callable
from functools import cache
from typing import Any

import spfvar.ops
from spfvar.ops.objects import CLASSES
from spfvar.ops.op import Op
from spfvar.ops.places import Field, ObjectClass, Place, Register

#: Stands for whatever a text gives to a primitive that takes objects of any class.
ANY = ObjectClass("object")


@cache
def constructors() -> dict[str, Callable[..., Op]]:
    """Every primitive by name: the public functions of spfvar.ops that return an Op."""
    found = {}
    for entry in pkgutil.iter_modules(spfvar.ops.__path__):
        module = importlib.import_module(f"spfvar.ops.{entry.name}")
        if module.__name__ == __name__:
            continue
        for name, function in inspect.getmembers(module, inspect.isfunction):
            own = function.__module__ == module.__name__ and not name.startswith("_")
            if own and inspect.signature(function, eval_str=True).return_annotation is Op:
                found[name] = function
    first = "spfvar.ops.primitives"

    def place(item: tuple[str, Callable[..., Op]]) -> tuple[bool, str, int]:
        module, code = item[1].__module__, inspect.unwrap(item[1]).__code__
        return module != first, module, code.co_firstlineno

    return dict(sorted(found.items(), key=place))


def sample(constructor: Callable[..., Op]) -> Op:
    """The op that a constructor makes of sample arguments, of the first class of objects that it takes."""
    for cls in (ANY, *CLASSES):
        try:
            return constructor(*_arguments(constructor, cls))
        except TypeError:
            continue  # "page->refcount cannot be reached through register folio"
    raise TypeError(f"no class of object suits {constructor.__name__}")


def _arguments(constructor: Callable[..., Op], cls: ObjectClass) -> list[Any]:
    """A value for every argument without a default: of its type, or else the argument's name."""
    register = Register("register", cls)
    samples = {Register: register, Place: Place(register, Field(cls, "field")), bool: False, int: 1}
    return [
        samples.get(parameter.annotation, parameter.name)
        for parameter in inspect.signature(constructor, eval_str=True).parameters.values()
        if parameter.default is parameter.empty
    ]


def section_of(constructor: Callable[..., Op]) -> str:
    """The heading, a comment between rules, that stands above a constructor in its file."""
    lines = inspect.getsource(inspect.getmodule(constructor) or constructor).splitlines()
    above = "\n".join(lines[: inspect.unwrap(constructor).__code__.co_firstlineno])
    headings = re.findall(r"^# --- (.+?) -+$", above, re.MULTILINE)
    return headings[-1] if headings else constructor.__module__
