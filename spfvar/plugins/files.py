"""A plugin's file as a module, which may import the files beside it.

The file's folder stands for a package with a name that nobody else has, so that ``from . import other`` works
as in any package, and two plugins with an ``other.py`` each have their own.  A plain ``import other`` gives
the same module while the plugin is loaded, if nothing installed has the name.
"""

from __future__ import annotations

import hashlib
import importlib
import importlib.util
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType

from spfvar.errors import InputError, SpfvarError
from spfvar.reading import read_file

#: Far beyond what anybody writes by hand.
MAX_FILE_BYTES = 1 << 24


def module_from(path: Path) -> ModuleType:
    """Execute the file; whatever it raises is passed on."""
    package = _package_of(path.resolve().parent)
    name = f"{package}.{path.stem.replace('.', '_')}"
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise SpfvarError("is no Python file")
    module = importlib.util.module_from_spec(spec)
    before = set(sys.modules)
    sys.modules[name] = module
    # Compiled code goes by seconds and size of its source: an edit within a second could go unnoticed.
    writes, sys.dont_write_bytecode = sys.dont_write_bytecode, True
    try:
        with _plain_imports(package, path.resolve().parent):
            spec.loader.exec_module(module)
    except BaseException:
        for loaded in [name, *(set(sys.modules) - before)]:
            if loaded.startswith(f"{package}."):  # its neighbours too: what they declared is taken back
                sys.modules.pop(loaded, None)
        raise
    finally:
        sys.dont_write_bytecode = writes
    return module


def _package_of(folder: Path) -> str:
    """The folder as a package, without its ``__init__.py``; another one once a file in it was edited."""
    digest = hashlib.sha256(str(folder).encode())
    for file in sorted(folder.glob("*.py")):
        with suppress(InputError):  # whoever imports it will be told
            digest.update(b"\0" + os.fsencode(file.name) + b"\0" + read_file(file, MAX_FILE_BYTES))
    name = f"spfvar_plugin_{digest.hexdigest()[:12]}"
    if name not in sys.modules:
        package = ModuleType(name)
        package.__path__ = [str(folder)]
        sys.modules[name] = package
    return name


@contextmanager
def _plain_imports(package: str, folder: Path) -> Iterator[None]:
    """Let ``import other`` find the folder's files, behind everything else there is."""
    finder = _Beside(package, folder)
    sys.meta_path.append(finder)
    try:
        yield
    finally:
        sys.meta_path.remove(finder)
        for name in finder.found:
            sys.modules.pop(name, None)  # the next plugin may have another one


class _Beside(MetaPathFinder, Loader):
    """Gives a module of the package another name: its own without the package's."""

    def __init__(self, package: str, folder: Path) -> None:
        self.found: set[str] = set()
        self._package = package
        self._folder = folder

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Is there such a file?"""
        if path is not None or not (self._folder / f"{fullname}.py").is_file():
            return None
        self.found.add(fullname)
        return ModuleSpec(fullname, self)

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        """The package's module, executed."""
        module = importlib.import_module(f"{self._package}.{spec.name}")
        self._spec = module.__spec__
        return module

    def exec_module(self, module: ModuleType) -> None:
        """Nothing is left to do but to give the module its own specification back."""
        module.__spec__ = self._spec
