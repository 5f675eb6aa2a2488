"""Errors a user can repair, each told in exactly one line."""

from __future__ import annotations

import copy
import datetime
import difflib
import unicodedata
from collections.abc import Iterable
from typing import ClassVar, Self

_LONGEST_TEXT = 400
_LONGEST_QUOTE = 60


class SpfvarError(Exception):
    """Base of every error raised on purpose; `exit_code` is the process status it leads to."""

    exit_code: ClassVar[int] = 1


class InputError(SpfvarError, ValueError):
    """Something the user gave cannot be used; `str()` is one printable line.

    It is a `ValueError` too, so a pydantic validator may raise it as it is.

    Fields: `message` says what is wrong; `file`, `line` and `column` (both from 1) and `key`
    (dotted path or option name) say where; `expected` says what would be right, `suggestion`
    is the nearest right spelling, `more` counts further errors found in the same input.
    """

    exit_code: ClassVar[int] = 2

    def __init__(
        self,
        message: str,
        *,
        file: str | None = None,
        line: int | None = None,
        column: int | None = None,
        key: str | None = None,
        expected: str | None = None,
        suggestion: str | None = None,
        more: int = 0,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.file = file
        self.line = line
        self.column = column
        self.key = key
        self.expected = expected
        self.suggestion = suggestion
        self.more = more

    def located(
        self,
        *,
        file: str | None = None,
        line: int | None = None,
        key: str | None = None,
        more: int | None = None,
    ) -> Self:
        """Return a copy of this error with the given fields replaced; None leaves a field."""
        twin = copy.copy(self)
        twin.file = self.file if file is None else file
        twin.line = self.line if line is None else line
        twin.key = self.key if key is None else key
        twin.more = self.more if more is None else more
        return twin

    def __str__(self) -> str:
        place = ""
        if self.file is not None:
            numbers = (number for number in (self.line, self.column) if number is not None)
            place = ":".join([self.file, *map(str, numbers)]) + ": "
        key = f"{self.key}: " if self.key is not None else ""
        more = f" (and {self.more} more)" if self.more else ""
        return one_line(f"{place}{key}{self._statement()}{more}")

    def _statement(self) -> str:
        text = shorten(self.message)
        if self.expected is not None:
            text += f"; expected {shorten(self.expected)}"
        if self.suggestion is not None:
            text += f" (did you mean {quote(self.suggestion)}?)"
        return text


class UnknownNameError(InputError):
    """A `name` that is none of the known ones of its `kind`, which `expected` lists; see `unknown`."""

    kind: str = ""
    name: str = ""

    def _statement(self) -> str:
        if self.suggestion is None:
            return f"{shorten(self.message)}; known: {self.expected}"
        meant = quote(self.suggestion, "'")
        return f"{shorten(self.message)}: did you mean {meant}? known: {self.expected}"


def unknown(
    kind: str,
    name: str,
    candidates: Iterable[str],
    *,
    file: str | None = None,
    line: int | None = None,
    key: str | None = None,
) -> UnknownNameError:
    """Return (not raise) the error for a `kind` (such as "variant") that has no `name`."""
    names = list(candidates)
    error = UnknownNameError(
        f"unknown {kind} " + quote(name, "'"),
        file=file,
        line=line,
        key=key,
        expected=shortlist(names),
        suggestion=nearest(name, names),
    )
    error.kind, error.name = kind, name
    return error


def nearest(name: str, candidates: Iterable[str]) -> str | None:
    """Return the candidate spelt most like `name`, ignoring case; None if none is close."""
    spelt: dict[str, str] = {}
    for candidate in candidates:
        spelt.setdefault(candidate.casefold(), candidate)
    close = difflib.get_close_matches(name.casefold(), spelt, n=1)
    return spelt[close[0]] if close else None


def shortlist(names: Iterable[str], limit: int = 8) -> str:
    """Join names with commas, replacing those past `limit` by their count."""
    every = [shorten(name, _LONGEST_QUOTE) for name in names]
    if len(every) > limit + 1:
        every[limit:] = [f"... ({len(every) - limit} more)"]
    return ", ".join(every) or "none"


def describe(value: object) -> str:
    """Say in TOML's words and on one line what `value` is, shortened where it is long."""
    match value:
        case bool():
            return str(value).lower()
        case str():
            return quote(value)
        case int() if value.bit_length() > 64:
            return f"an integer of {value.bit_length()} bits"
        case int() | float():
            return repr(value)
        case dict():
            return "a table"
        case list() | tuple() | set() | frozenset():
            return "an array"
        case datetime.date() | datetime.time():
            return value.isoformat()
        case _:
            return f"a value of type {type(value).__name__}"


def quote(text: str, mark: str = '"') -> str:
    """Return `text` shortened to one line between quotation marks."""
    return mark + shorten(one_line(text), _LONGEST_QUOTE).replace(mark, "\\" + mark) + mark


def shorten(text: str, limit: int = _LONGEST_TEXT) -> str:
    """Cut `text` to `limit` characters, showing with dots that it went on."""
    return text if len(text) <= limit else text[: limit - 3] + "..."


def one_line(text: str) -> str:
    """Escape every unprintable character (newlines, controls, lone surrogates) in `text`."""
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() else _escape(char) for char in text)


def printable(text: str) -> str:
    """Escape in a text of several lines what a terminal would obey or hide: controls, marks of direction.

    Newlines, tabs and blanks of every width stay.
    """
    if text.replace("\n", "").replace("\t", "").isprintable():
        return text
    return "".join(char if _is_shown(char) else _escape(char) for char in text)


def hidden(text: str) -> str | None:
    """The first character that `printable` would escape, as an escape; None if there is none."""
    return next((_escape(char) for char in text if not _is_shown(char)), None)


def _is_shown(char: str) -> bool:
    return char.isprintable() or char in "\n\t" or unicodedata.category(char) == "Zs"


def _escape(char: str) -> str:
    return char.encode("unicode_escape").decode("ascii")


def reason(error: OSError | ValueError) -> str:
    """Say why the system refused a path, without the path; ValueError: not even a path."""
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return str(error) or type(error).__name__
