"""What callers may give: names, files or objects, one or several; and what they are told of mistakes."""

from __future__ import annotations

import functools
import inspect
import math
import os
import re
import shlex
import warnings
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from numbers import Integral, Real
from typing import Final, ParamSpec, TypeAlias, TypeVar

import numpy as np
from pydantic import BaseModel

from spfvar.errors import InputError, describe
from spfvar.explore.options import MAX_STATES
from spfvar.matrix.catalogue import Catalogue, Known
from spfvar.matrix.executors import Executor
from spfvar.plugins.registry import GIVEN, Registry, load_registry
from spfvar.plugins.variant import Variant
from spfvar.scenario.hardware import Profile
from spfvar.scenario.race import Race
from spfvar.scenario.schema import Scenario
from spfvar.store.database import Store, opened
from spfvar.units import format_duration

P = ParamSpec("P")
R = TypeVar("R")
M = TypeVar("M", bound=BaseModel)

#: A name, a glob where several may match, or the path of a file.
Name: TypeAlias = str | os.PathLike[str]
Names: TypeAlias = Name | Sequence[Name]
Numbers: TypeAlias = int | Sequence[int]
Variants: TypeAlias = str | Variant | Sequence[str | Variant]
#: An object that differs from all that came with spfvar has no name yet: ``{"mine": scenario}`` gives it one.
Scenarios: TypeAlias = Name | Scenario | Mapping[str, Scenario] | Sequence[Name | Scenario]
Races: TypeAlias = Name | Race | Mapping[str, Race] | Sequence[Name | Race]
Hardware: TypeAlias = Name | Profile | Mapping[str, Profile]
#: "all", or what several machines are called.
Machines: TypeAlias = Hardware | Sequence[Name | Profile]
#: Values by axis, one or several of each.
Axes: TypeAlias = Mapping[str, object | Sequence[object]]

#: Parameters that are not called as the option of the command line is.
_PARAMETERS = {
    "scenario": "scenarios", "race": "races", "plugin": "plugins", "set": "axes", "timeout": "seconds",
    "all": "every", "start": "memories",
}  # fmt: skip
_OPTION = re.compile(r"--([a-z][a-z-]*)")


def verb(function: Callable[P, R]) -> Callable[P, R]:
    """A function whose InputErrors name its parameters where they would name options.

    What it is given for parameters of the types in `_READ` has been read: numbers of numpy and the like are
    Python's.  Raises InputError for what is none.
    """
    signature = inspect.signature(function)
    parameters = signature.parameters

    @functools.wraps(function)
    def called(*args: P.args, **kwargs: P.kwargs) -> R:
        given = signature.bind(*args, **kwargs)
        for name, value in given.arguments.items():
            given.arguments[name] = _read(value, parameters[name])
        try:
            return function(*given.args, **given.kwargs)
        except InputError as error:
            error.message = _in_python(error.message, parameters)
            error.key = error.key and _in_python(error.key, parameters)
            error.expected = error.expected and _in_python(error.expected, parameters)
            raise

    return called


def _in_python(text: str, parameters: Collection[str]) -> str:
    """Options as parameters, where there is such a parameter."""

    def name(found: re.Match[str]) -> str:
        parameter = _PARAMETERS.get(found[1], found[1].replace("-", "_"))
        return parameter if parameter in parameters else found[0]

    return _OPTION.sub(name, text)


class Inputs:
    """What a call is about: variants, loads, races and machines by name, objects among them.

    ``objects``: the names of those that were given as objects, which no command line can name.
    """

    def __init__(self, plugins: Names = ()) -> None:
        self.plugins = texts(plugins)
        self.registry: Registry = load_registry(self.plugins)
        self.known = Known()
        self.objects: list[str] = []

    def variant(self, one: object) -> str:
        """A variant's name."""
        if not isinstance(one, Variant):
            return _text(one, "variant", "a name or a spfvar.Variant")
        name = self.registry.give(one)
        if self.registry.any_variant(name).origin == GIVEN:
            self.objects.append(name)
        return name

    def variants(self, some: Variants) -> list[str]:
        """Their names."""
        return [self.variant(one) for one in _several(some)]

    def scenarios(self, some: Scenarios) -> list[str]:
        """Names, globs and files of loads."""
        return self._named(self.known.scenarios, Scenario, some, "scenarios")

    def races(self, some: Races) -> list[str]:
        """Names, globs and files of races."""
        return self._named(self.known.races, Race, some, "races")

    def hardware(self, one: Hardware) -> str:
        """The name, or the file, of a machine."""
        found = self._named(self.known.hardware, Profile, one, "hardware")
        if len(found) != 1:
            raise InputError(f"{len(found)} machines are given", key="hardware", expected="one")
        return found[0]

    def machines(self, some: Machines) -> list[str]:
        """Names, globs and files of machines, "all" among them."""
        found = self._named(self.known.hardware, Profile, some, "hardware")
        if not found:
            raise InputError("0 machines are given", key="hardware", expected="one or more")
        return found

    def _named(self, known: Catalogue[M], model: type[M], some: object, key: str) -> list[str]:
        if isinstance(some, Mapping):
            return [self._given(known, model, key, name, one) for name, one in some.items()]
        many = some if isinstance(some, Sequence) and not isinstance(some, str) else [some]
        return [
            self._given(known, model, key, "", one)
            if isinstance(one, BaseModel)
            else _text(one, key, f"a name, a file or a spfvar.{model.__name__}")
            for one in many
        ]

    def _given(self, known: Catalogue[M], model: type[M], key: str, name: str, one: object) -> str:
        if not isinstance(one, model):
            raise InputError(f"a {type(one).__name__} is no {known.kind}", key=key)
        name = name or known.name_of(one)
        if not name:
            raise InputError(f"this {known.kind} has no name", key=key, expected='{"its-name": ...}')
        known.give(name, one)
        if known.origin(name) == "Python":
            self.objects.append(name)
        return name

    def warn(self) -> None:
        """Say which plugins and variants are left out."""
        for problem in self.registry.problems:
            warnings.warn(str(problem), stacklevel=4)  # of who called the function that is a `verb`


@contextmanager
def cluster(on: str | None, given: Inputs, jobs: int | None) -> Iterator[Executor | None]:
    """The workers of the Dask scheduler at an address; None: this process and machine do it.

    Raises InputError for variants that are objects, which workers cannot load by name, and for ``jobs``.
    """
    if on is None:
        yield None
        return
    if jobs is not None:
        raise InputError("the cluster has its workers", key="jobs", expected="on without it")
    objects = [name for name, one in given.registry.variants.items() if one.origin == GIVEN]
    if objects:
        raise InputError(
            f"{objects[0]} is an object, which other machines do not have", key="on",
            expected="variants by name, with plugins",
        )  # fmt: skip
    from spfvar.matrix.cluster import connected  # Dask: an extra

    with connected(on, given.plugins) as executor:
        yield executor


def texts(names: object, key: str = "") -> list[str]:
    """One name or path, or several, as a list of text.  Raises InputError for what is neither."""
    return [path(name, key) for name in _several(names)]


def path(one: object, key: str = "") -> str:
    """A name or a path as text."""
    return _text(one, key, "a name or a path")


def text(one: object, key: str = "") -> str:
    """Text, and nothing else."""
    if not isinstance(one, str):
        raise InputError(f"a {type(one).__name__} is none", key=key or None, expected="text")
    return one


def names_of(variants: object) -> list[str]:
    """Variants by name, objects among them, where no registry is needed."""
    return [
        one.name if isinstance(one, Variant) else _text(one, "variants", "a name or a spfvar.Variant")
        for one in _several(variants)
    ]


def _several(some: object) -> Iterable[object]:
    """One thing alone is one of several."""
    return some if isinstance(some, Iterable) and not isinstance(some, str | bytes | Mapping) else [some]


def numbers(some: object, key: str = "") -> list[int]:
    """One whole number or several as a list.  Raises InputError for what is neither."""
    return [whole(one, key) for one in _several(some)]


def whole(value: object, key: str = "") -> int:
    """A whole number of any type that has such, 2.0 and numpy's among them; no text, and no True."""
    number = isinstance(value, Integral | Real) and not isinstance(value, bool)
    if not number or not math.isfinite(value) or int(value) != value:  # type: ignore[arg-type,call-overload]
        raise InputError(f"{_called(value)} is no whole number", key=key or None, expected="such as 4")
    return int(value)  # type: ignore[call-overload,no-any-return]


def real(value: object, key: str = "") -> float:
    """A number of any type, NaN not among them."""
    if not isinstance(value, Real) or isinstance(value, bool) or math.isnan(value):
        raise InputError(f"{_called(value)} is no number", key=key or None, expected="such as 2.5")
    return int(value) if isinstance(value, Integral) else float(value)


def _called(value: object) -> str:
    return describe(value.item() if isinstance(value, np.generic) else value)


def settings(axes: Axes | None) -> dict[str, list[str]]:
    """Values of axes as the command line has them.  Raises InputError for what is no mapping."""
    if axes is not None and not isinstance(axes, Mapping):
        raise InputError(f"a {type(axes).__name__} is none", key="axes", expected="values by axis")
    return {
        name: [str(one) for one in (value if isinstance(value, list | tuple | range) else [value])]
        for name, value in (axes or {}).items()
    }


def _text(one: object, key: str, expected: str) -> str:
    if not isinstance(one, str | os.PathLike):
        raise InputError(f"a {type(one).__name__} is none", key=key or None, expected=expected)
    return str(os.fspath(one))


def command(name: str, words: Sequence[str], **options: object) -> tuple[str, ...]:
    """The command that does the same: ``scenario=["pft"]`` is --scenario pft.

    Options that are None, False or empty are left out; several numbers are one value.
    """
    line = [name, *words]
    for key, value in options.items():
        option = f"--{key.replace('_', '-')}"
        if value is True:
            line.append(option)
        elif isinstance(value, list | tuple) and value and all(isinstance(one, int) for one in value):
            line += [option, ",".join(map(str, value))]
        elif isinstance(value, list | tuple):
            line += [word for one in value for word in (option, str(one))]
        elif value is not None and value is not False and value != "":
            line += [option, str(value)]
    return tuple(line)


def bounds(max_states: int, max_memory: int | None, seconds: float) -> dict[str, object]:
    """The bounds of searches as `command` takes them, those that are no defaults."""
    timeout = None if math.isinf(seconds) else format_duration(max(1.0, float(round(seconds * 1e9))))
    return {
        "max_states": max_states if max_states != MAX_STATES else None,
        "max_memory": max_memory,
        "timeout": timeout,
    }


def assignments(axes: Mapping[str, Sequence[str]]) -> list[str]:
    """Settings as --set has them."""
    return [f"{name}={','.join(values)}" for name, values in axes.items()]


def spelled(words: Sequence[str]) -> str:
    """A command line."""
    return shlex.join(["spfvar", *words])


@contextmanager
def kept(wanted: bool) -> Iterator[Store | None]:
    """The user's store, if wanted; what was wrong with it becomes a warning."""
    with opened(wanted) as store:
        yield store
    if store is not None and store.trouble:
        warnings.warn(f"store: {store.trouble}", stacklevel=5)


#: How values are read, by what parameters are said to be; those that may be None are left alone if they are.
_READ: Final[Mapping[str, Callable[[object, str], object]]] = {
    "int": whole, "float": real, "Numbers": numbers, "Names": texts, "Name": path, "str": text,
}  # fmt: skip


def _read(value: object, parameter: inspect.Parameter) -> object:
    """An argument as its function takes it."""
    kind, _, other = str(parameter.annotation).partition(" | ")
    reader = _READ.get(kind)
    if reader is None or other not in ("", "None") or (value is None and other):
        return value
    if parameter.kind is inspect.Parameter.VAR_POSITIONAL:
        return tuple(reader(one, parameter.name) for one in value)  # type: ignore[attr-defined]
    return reader(value, parameter.name)
