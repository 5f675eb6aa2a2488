"""Scenarios, races and hardware profiles by name: shipped ones, and files that users drop.

A name is looked for in the shipped directory, in ``./<kind>`` and in ``$XDG_CONFIG_HOME/spfvar/<kind>``, in
this order: what is shipped means the same in every folder.  Files of the user's are taken if they are named,
and by no command that names nothing.
"""

from __future__ import annotations

import fnmatch
import os
import re
import tomllib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import TYPE_CHECKING, Generic, TypeVar

from pydantic import BaseModel

from spfvar.errors import InputError, unknown
from spfvar.reading import read_file
from spfvar.scenario.hardware import Profile
from spfvar.scenario.schema import Scenario
from spfvar.toml_input import MAX_FILE_BYTES, load_toml

if TYPE_CHECKING:
    from spfvar.scenario.published import Published
    from spfvar.scenario.race import Race

M = TypeVar("M", bound=BaseModel)

#: Of objects: no glob, no path.
_NAME = re.compile(r"[\w-][\w.-]*(?<!\.toml)")
#: Files that say what they are, and which command takes them.
OWN = {"scenario": "spfvar compare --scenario", "race": "spfvar check --race"}


class Catalogue(Generic[M]):
    """Files of one kind by name; each is read and validated when it is asked for."""

    def __init__(self, kind: str, directory: str, model: type[M]) -> None:
        self.kind = kind
        self._model = model
        self._files: dict[str, Traversable | Path] = {}
        self._shipped: dict[str, Traversable] = {}
        self._loaded: dict[str, M] = {}
        self._given: set[str] = set()  # names of objects, which no file has
        for entry in sorted(resources.files(f"spfvar.{directory}").iterdir(), key=lambda e: e.name):
            if entry.name.endswith(".toml"):
                self._shipped[entry.name.removesuffix(".toml")] = entry
        #: The user's files whose names stand for shipped ones, which they are not equal to.
        self.hidden: dict[str, Path] = {}
        for folder in (_config_home() / directory, Path(directory)):
            if os.path.isdir(folder):
                for path in sorted(folder.glob("*.toml")):
                    self._find(path)
        self._files.update(self._shipped)

    def _find(self, path: Path) -> None:
        shipped = self._shipped.get(path.stem)
        if shipped is None:
            self._files[path.stem] = path
        elif path.read_bytes() != shipped.read_bytes():
            self.hidden[path.stem] = path

    def names(self) -> list[str]:
        """Every name, in alphabetical order."""
        return sorted({*self._files, *self._given})

    def own(self) -> dict[str, Path]:
        """The user's files by name, those that were named as files too."""
        return {name: path for name in self.names() if (path := self.own_file(name)) is not None}

    def is_shipped(self, name: str) -> bool:
        """Does the name stand for the file that came with spfvar, or for an equal one?"""
        if name not in self._shipped:  # no object has such a name
            return False
        file = self._files[name]
        return file is self._shipped[name] or _bytes_of(file) == self._shipped[name].read_bytes()

    def own_file(self, name: str) -> Path | None:
        """The user's file of that name; None if it is the one that came with spfvar."""
        if name in self._given:
            return None
        file = self._files[name]
        return None if file is self._shipped.get(name) else Path(str(file))

    def origin(self, name: str) -> str:
        """ "shipped", or the path of the user's file, or "Python" for an object."""
        if name in self._given:
            return "Python"
        return "shipped" if self.is_shipped(name) else str(self._files[name])

    def text(self, name: str) -> str:
        """The file's text, once it was found valid."""
        name = self.select([name])[0]
        self[name]
        return _bytes_of(self._files[name]).decode("utf-8-sig")

    def __getitem__(self, name: str) -> M:
        if name not in self._files and name not in self._given:
            raise unknown(self.kind, name, self.names())
        if name not in self._loaded:
            self._loaded[name] = self._read(self._files[name])
        return self._loaded[name]

    def _read(self, file: Traversable | Path) -> M:
        try:
            return load_toml(file, self._model)
        except InputError as error:
            other = kind_of(file)
            if other in OWN and self.kind in OWN and other != self.kind:
                message = f"is a {other}, not a {self.kind}: {OWN[other]} takes it"
                raise InputError(message, file=str(file)) from error
            raise

    def add_file(self, path: str, unless_taken: bool = False) -> str:
        """Take a TOML file that the user named; returns the name it goes by.

        ``unless_taken``: raise InputError if another file has that name, rather than take its place.
        """
        name = Path(path).stem
        if unless_taken and name in self._files and not _is_same(self._files[name], Path(path)):
            message = f"a {self.kind} is called {name!r} already: {self.origin(name)}"
            raise InputError(message, file=path, expected="a file of another name")
        self._files[name] = Path(path)
        self._loaded.pop(name, None)
        self[name]
        return name

    def give(self, name: str, content: M) -> str:
        """Take an object; returns the name it goes by.

        Raises InputError for a name that is a pattern or a path, and one that stands for something else.
        """
        if not _NAME.fullmatch(name):
            raise InputError(f"{name!r} is no name", expected="letters, digits, hyphens and underscores")
        if name not in self.names():
            self._given.add(name)
            self._loaded[name] = content
        elif self[name] != content:
            message = f"another {self.kind} is called {name!r}: {self.origin(name)}"
            raise InputError(message, expected="a name of its own")
        return name

    def name_of(self, content: M) -> str:
        """The name of what is equal to an object; "" if nothing is."""
        return next((name for name in self.names() if self._is(name, content)), "")

    def _is(self, name: str, content: M) -> bool:
        try:
            return self[name] == content
        except InputError:  # a file of the user's that is broken
            return False

    def select(self, patterns: Iterable[str]) -> list[str]:
        """Names by name, glob or path of a TOML file, in the order asked for; no patterns: those shipped.

        Raises InputError for what stands for nothing, and for two things of one name.
        """
        patterns = list(patterns)
        if not patterns:
            return sorted(self._shipped)
        chosen: dict[str, str] = {}  # by name: what it was asked for by
        for pattern in patterns:
            if pattern.endswith(".toml"):
                name = Path(pattern).stem
                if name in chosen and _bytes_of(self._files[name]) != _bytes_of(Path(pattern)):
                    raise self._two(name, chosen[name], pattern)
                chosen.setdefault(self.add_file(pattern), pattern)
                continue
            for name in matching(self.kind, pattern, self.names()):
                if name in chosen and name in self._shipped and not self.is_shipped(name):
                    raise self._two(name, chosen[name], pattern)
                chosen.setdefault(name, pattern)
        return list(chosen)

    def _two(self, name: str, one: str, other: str) -> InputError:
        """Both would be shown under that name, as if they were one."""
        return InputError(
            f"two {self.kind}s are called {name!r}: {one} and {other}", expected="files of different names"
        )


def matching(kind: str, pattern: str, names: Sequence[str]) -> list[str]:
    """The names that a name or glob stands for.  Raises InputError if there is none."""
    matches = fnmatch.filter(names, pattern)
    if not matches:
        if any(c in pattern for c in "*?["):
            raise InputError(f"no {kind} matches {pattern!r}", expected=", ".join(names))
        raise unknown(kind, pattern, names)
    return matches


def _is_same(file: Traversable | Path, path: Path) -> bool:
    return isinstance(file, Path) and file.resolve() == path.resolve()


def kind_of(file: Traversable | Path) -> str | None:
    """What a TOML file says it is: "scenario", "race" or, as far as one can tell, neither."""
    try:
        kind = tomllib.loads(_bytes_of(file).decode("utf-8-sig")).get("kind")
    except (ValueError, RecursionError):
        return None
    return {"load": "scenario", "race": "race"}.get(str(kind))


def _bytes_of(file: Traversable | Path) -> bytes:
    """A file's content; what a user has put in its place may be anything."""
    return read_file(file, MAX_FILE_BYTES) if isinstance(file, Path) else file.read_bytes()


def scenarios() -> Catalogue[Scenario]:
    """The load scenarios."""
    return Catalogue("scenario", "scenarios", Scenario)


def races() -> Catalogue[Race]:
    """The races."""
    from spfvar.scenario.race import Race  # a large model: a comparison does not need it

    return Catalogue("race", "races", Race)


def hardware() -> Catalogue[Profile]:
    """The hardware profiles."""
    return Catalogue("hardware profile", "hardware", Profile)


def published() -> Catalogue[Published]:
    """The published measurements."""
    from spfvar.scenario.published import Published

    return Catalogue("published measurement", "published", Published)


@dataclass(frozen=True)
class Known:
    """The loads, races and machines that names stand for."""

    scenarios: Catalogue[Scenario] = field(default_factory=scenarios)
    races: Catalogue[Race] = field(default_factory=races)
    hardware: Catalogue[Profile] = field(default_factory=hardware)


def user_folder(directory: str) -> Path:
    """Where a user's files of a kind are found by name from every folder."""
    return _config_home() / directory


def _config_home() -> Path:
    root = os.environ.get("XDG_CONFIG_HOME") or os.path.join(os.path.expanduser("~"), ".config")
    return Path(root) / "spfvar"
