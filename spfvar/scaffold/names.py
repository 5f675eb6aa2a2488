"""Names of new things: well formed, and nobody else's."""

from __future__ import annotations

import importlib.util
import keyword
import re
import sys
from pathlib import Path

from spfvar.errors import InputError
from spfvar.matrix import catalogue
from spfvar.mm.hookspecs import HOOKS
from spfvar.plugins.registry import Registry

_NAME = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")
_LONGEST = 40
_FORM = "lower-case letters, digits and single hyphens, beginning with a letter, such as my-idea"


def check_name(name: str, registry: Registry) -> None:
    """Raise InputError for a name that is no name, or that something already has which `show` explains."""
    if not _NAME.fullmatch(name) or len(name) > _LONGEST:
        near = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")
        fits = _NAME.fullmatch(near) and len(near) <= _LONGEST
        expected = _FORM if len(name) <= _LONGEST else f"at most {_LONGEST} characters"
        raise InputError(
            f"{name!r} is no name", key="NAME", expected=expected, suggestion=near if fits else None
        )
    for kind, names in _taken(registry).items():
        if name in names:
            raise InputError(f"there is a {kind} {name!r} already", key="NAME", expected="another name")


def _taken(registry: Registry) -> dict[str, list[str]]:
    return {
        "variant": list(registry.variants),
        "twin": list(registry.twins),
        "scenario": catalogue.scenarios().names(),
        "race": catalogue.races().names(),
        "hardware profile": catalogue.hardware().names(),
        "hook point": list(HOOKS),
    }


def module_name(name: str) -> str:
    """The Python module of a name.  InputError if it would hide another one."""
    module = name.replace("-", "_")
    if keyword.iskeyword(module) or module == "conftest" or _exists(module):
        raise InputError(
            f"{module} cannot be its module: Python, pytest or a package has that name", key="NAME",
            expected="another name",
        )  # fmt: skip
    return module


def _exists(module: str) -> bool:
    """Can the module be imported from elsewhere than the current folder, whose files are looked at later?"""
    if module in sys.modules:
        return True
    try:
        spec = importlib.util.find_spec(module)
    except (ImportError, ValueError):
        return True
    return spec is not None and Path.cwd() not in list(Path(spec.origin or "").parents)[:2]
