"""What decides a result, as keys of the store.

A result is kept under a digest of the program that gave it, which only its extraction yields; that takes
longer than looking it up.  Of what is shipped, the text is a key to that digest: it can only do what the
modules do that it imports, and these are all known.  A plugin may read whatever it likes, so its texts are
extracted each time.
"""

from __future__ import annotations

import ast
import hashlib
import inspect
from collections.abc import Iterable, Iterator
from functools import cache
from importlib import import_module, metadata, resources
from importlib.resources.abc import Traversable
from importlib.util import resolve_name
from pathlib import Path
from typing import Final

from spfvar.matrix.plan import CellSpec, Plan
from spfvar.plugins.variant import CORE, Variant
from spfvar.store.database import key_of

#: Parts that no run and no verdict comes from: they present it, or ask another question.
OUTSIDE: Final = frozenset(
    {
        "api", "calibration", "cli", "conformance", "csource", "diagnosis", "draft", "export", "faultpaths",
        "kernel", "litmus", "pages", "render", "review", "scaffold", "testing", "validation",
    }
)  # fmt: skip
#: Where shipped texts are, which have digests of their own; and lists of things that are keys themselves.
_OWN: Final = ("spfvar.variants", "spfvar.twins")
_TEXTS: Final = (".py", ".toml", ".json", ".jinja", ".html", ".css", ".js")
#: Packages beside the code.
DATA: Final = ("variants", "twins", "scenarios", "races", "hardware", "published", "questions", "layouts")


@cache
def code_digest() -> str:
    """Of the model's text, and of the libraries that compute with it."""
    libraries = "".join(f"{name} {metadata.version(name)}\n" for name in ("numpy", "numba"))
    digest = hashlib.sha256(libraries.encode())
    for part in (*_below(resources.files("spfvar"), top=True), *_below(resources.files("spfvar.layouts"))):
        digest.update(part.name.encode())
        digest.update(part.read_bytes())
    return digest.hexdigest()


@cache
def package_digest() -> str:
    """Of everything that came with spfvar: code, designs, and data."""
    digest = hashlib.sha256(code_digest().encode())
    folders = ("spfvar", *(f"spfvar.{name}" for name in DATA))
    for part in (part for folder in folders for part in _below(resources.files(folder))):
        digest.update(part.name.encode())
        digest.update(part.read_bytes())
    return digest.hexdigest()


def _below(folder: Traversable, top: bool = False) -> Iterator[Traversable]:
    """The texts in a folder, in one order everywhere."""
    for entry in sorted(folder.iterdir(), key=lambda entry: entry.name):
        if top and entry.name.removesuffix(".py") in OUTSIDE:
            continue
        if entry.is_dir():
            yield from _below(entry)
        elif entry.name.endswith(_TEXTS):
            yield entry


@cache
def text_digest(variant: Variant) -> str:
    """Of all that a shipped design's text is made of; "" for one that is not shipped.

    Nor for one with a class that was made on the way: such a one may do what no text says.
    """
    classes = {base for patch in variant.patches for base in patch.__mro__} - {object, *CORE}
    if not variant.is_shipped or not all(map(_is_written, classes)):
        return ""
    digest = hashlib.sha256()
    for patch in variant.patches:
        digest.update(f"{patch.__module__}.{patch.__qualname__}\n".encode())
    digest.update(
        repr((variant.kernel, variant.layout, variant.apart, variant.costs, variant.events)).encode()
    )
    for name in sorted(_closure(one.__module__ for one in classes if _is_text(one.__module__))):
        digest.update(name.encode())
        digest.update(_source(name))
    return digest.hexdigest()


def _is_written(patch: type) -> bool:
    """Is the class what a shipped module has under its name?"""
    if not patch.__module__.startswith("spfvar."):
        return False
    return getattr(import_module(patch.__module__), patch.__qualname__, None) is patch


def _is_text(module: str) -> bool:
    return module.rpartition(".")[0] in _OWN


def _closure(modules: Iterable[str]) -> set[str]:
    """These modules, and those among the shipped texts that they import, and so on."""
    found: set[str] = set()
    todo = list(modules)
    while todo:
        name = todo.pop()
        if name not in found:
            found.add(name)
            todo += _imported(name)
    return found


@cache
def _imported(module: str) -> tuple[str, ...]:
    """The shipped texts that a module imports, anywhere in it."""
    found: list[str] = []
    for node in ast.walk(ast.parse(_source(module))):
        if isinstance(node, ast.Import):
            found += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = resolve_name("." * node.level + (node.module or ""), module.rpartition(".")[0])
            found += [base, *(f"{base}.{alias.name}" for alias in node.names)]
    return tuple(name for name in dict.fromkeys(found) if _is_text(name) and _is_module(name))


def _is_module(name: str) -> bool:
    package, _, module = name.rpartition(".")
    return resources.files(package).joinpath(f"{module}.py").is_file()


@cache
def _source(module: str) -> bytes:
    file = inspect.getsourcefile(import_module(module))
    assert file is not None
    return Path(file).read_bytes()


# --- keys ----------------------------------------------------------------------------------------


def program_key(cell: CellSpec) -> str:
    """Of the program of a cell of a shipped design; "" if there is no such key."""
    text = text_digest(cell.variant)
    if not text or cell.memory is not None or cell.costs is not None:
        return ""
    return key_of("program", code_digest(), text, repr(cell.load))


def machine_keys(plan: Plan) -> list[str]:
    """Of the machine that a plan's cells run on, and of the first of its seeds; an entry for each seed."""
    if plan.ensemble is None:
        return [key_of("machine", plan.profile.model_dump(mode="json"), plan.seed)] * plan.seeds
    tables = [
        key_of("machine", profile.model_dump(mode="json"), plan.seed) for profile in plan.profile.drawn()
    ]
    return [tables[plan.ensemble.of_seed(plan.seed + index)] for index in range(plan.seeds)]


def run_key(machine: str, cell: CellSpec, program: str, index: int) -> str:
    """Of one run of a program: on that machine of `machine_keys`, with that one of the plan's seeds."""
    return key_of("run", code_digest(), program, machine, [index, cell.load.scenario, cell.load.threads])
