"""What the fields of a plugin's declarations may be: checked as strictly as a TOML file, where they are made.

An error is raised by the constructor, so its traceback has the plugin's own line.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import fields
from typing import Annotated, Any, get_type_hints

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    Strict,
    ValidationError,
    create_model,
)

from spfvar.errors import InputError, nearest, one_line, quote
from spfvar.model_errors import explain

#: The roles of a counted event.
ROLES = ("attempt", "abort", "reason")
LONGEST_LINE = 300
LONGEST_TEXT = 10_000
#: What a document's fields are called in the project's messages, and what a plugin's are.
_IN_PYTHON = {"an array": "a list or tuple", "true or false": "True or False"}
_COST_CLASS = re.compile(r"[a-z][a-z0-9_]{0,49}")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@+~-]{0,99}")


def _name(text: str) -> str:
    if not _NAME.fullmatch(text):
        raise InputError(
            f"{quote(text)} is no name", expected="a letter or digit, then letters, digits, '-', '.' or '_'"
        )
    return text


def _cost_class(text: str) -> str:
    if not _COST_CLASS.fullmatch(text):
        raise InputError(
            f"{quote(text)} is no cost class", expected="a small letter, then small letters, digits or _"
        )
    return text


def _line(text: str) -> str:
    if not text.isprintable():
        raise InputError(f"{quote(text)} has unprintable characters", expected="one printable line")
    return _limited(text, LONGEST_LINE)


def _text(text: str) -> str:
    if one_line(text.replace("\n", "")) != text.replace("\n", ""):
        raise InputError(f"{quote(text)} has unprintable characters", expected="printable lines")
    return _limited(text, LONGEST_TEXT)


def _limited(text: str, limit: int) -> str:
    if len(text) > limit:
        raise InputError(f"is {len(text)} characters long", expected=f"at most {limit}")
    return text


def _role(text: str) -> str:
    if text not in ROLES:
        raise InputError(f"found {quote(text)}", expected=" or ".join(ROLES), suggestion=nearest(text, ROLES))
    return text


def _patch(value: object) -> object:
    if not isinstance(value, type):
        kind = type(value).__name__
        raise InputError(f"found an object of class {kind}", expected=f"a class, such as {kind} itself")
    try:
        hash(value)
    except Exception:
        raise InputError(f"class {value.__name__} is not hashable", expected="an ordinary class") from None
    return value


def _tuple(value: object) -> object:
    return tuple(value) if type(value) is list else value


def _distinct(values: tuple[Any, ...]) -> tuple[Any, ...]:
    for place, value in enumerate(values):
        if value in values[:place]:
            raise InputError(f"{getattr(value, '__name__', value)} stands there twice", expected="once")
    return values


Name = Annotated[str, AfterValidator(_name)]
CostClass = Annotated[str, AfterValidator(_cost_class)]
#: As in a hardware profile: at most 1 ms of work within a fault.
Nanoseconds = Annotated[float, Field(ge=0, le=1e6, allow_inf_nan=False)]
Line = Annotated[str, AfterValidator(_line)]
Text = Annotated[str, AfterValidator(_text)]
Role = Annotated[str, AfterValidator(_role)]
Patch = Annotated[type, BeforeValidator(_patch)]
Patches = Annotated[tuple[Patch, ...], BeforeValidator(_tuple), AfterValidator(_distinct)]
Names = Annotated[tuple[Name, ...], BeforeValidator(_tuple)]
Costs = Annotated[dict[CostClass, Nanoseconds], Strict()]
Numbers = Annotated[tuple[int, ...], BeforeValidator(_tuple)]
#: Of a field that is a tuple of declarations.
AsTuple = BeforeValidator(_tuple)


def check(declaration: Any) -> None:
    """Check a frozen dataclass's fields against their types; lists become tuples.  Raises InputError."""
    kind = type(declaration)
    given = {field.name: getattr(declaration, field.name) for field in fields(kind)}
    try:
        model = _model(kind).model_validate(given)
    except ValidationError as invalid:
        data = {name: list(v) if type(v) is tuple else v for name, v in given.items()}
        error, _ = explain(invalid, data, _model(kind))
        error.expected = _IN_PYTHON.get(error.expected or "", error.expected)
        raise error.located(key=f"{kind.__name__}.{error.key}") from None
    for name in given:
        object.__setattr__(declaration, name, getattr(model, name))


def _model(kind: Any) -> type[BaseModel]:
    """The fields of a dataclass as a pydantic model."""
    if kind not in _MODELS:
        hints = get_type_hints(kind, include_extras=True)
        config = ConfigDict(strict=True, arbitrary_types_allowed=True)
        given: dict[str, Any] = {field.name: (hints[field.name], ...) for field in fields(kind)}
        _MODELS[kind] = create_model(kind.__name__, __config__=config, **given)
    return _MODELS[kind]


_MODELS: dict[type, type[BaseModel]] = {}


def twice(names: Iterable[str], what: str) -> None:
    """Raise InputError if a name is there twice."""
    seen: set[str] = set()
    for name in names:
        if name in seen:
            raise InputError(f"{what} {name} stands there twice", expected="once")
        seen.add(name)
