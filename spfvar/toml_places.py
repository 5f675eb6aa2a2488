"""Where each key of a TOML document stands, which neither tomllib nor pydantic can tell.

Indexes in key paths count from 0, offsets are into the text.
"""

from __future__ import annotations

import itertools
import re
import tomllib
from collections.abc import Callable
from dataclasses import dataclass, field

from spfvar.errors import InputError, shorten

#: Keys and indexes from the document down to a value.
KeyPath = tuple[str | int, ...]


def find_places(text: str, name: str) -> Place:
    """Return the places of the document `text`, which tomllib has accepted; errors call it `name`.

    Raises InputError for an integer beyond 64 bits.  Text that tomllib would refuse leads to an
    InputError or to wrong places, no more.
    """
    return _Scanner(text, name).document()


def line_of(text: str, offset: int) -> int:
    """Return the number of the line that holds `offset`, from 1."""
    return text.count("\n", 0, offset) + 1


@dataclass(slots=True)
class Place:
    """Where one key or array element begins, and those below it; the document itself is a place too."""

    offset: int
    below: dict[str | int, Place] = field(default_factory=dict)
    of_tables: bool = False

    def child(self, step: str | int, offset: int) -> Place:
        """Return the place one step below, which begins at `offset` if it is new."""
        if step not in self.below:
            self.below[step] = Place(offset)
        return self.below[step]

    def at(self, path: KeyPath) -> Place:
        """Return the place of `path`, or of the last step of it that the document has."""
        place = self
        for step in path:
            if step not in place.below:
                break
            place = place.below[step]
        return place

    def end(self) -> int:
        """Return the offset at which the last thing below begins."""
        last, todo = self.offset, [self]
        while todo:
            place = todo.pop()
            last = max(last, place.offset)
            todo.extend(place.below.values())
        return last


class _Scanner:
    """Walks a document from key to key."""

    _BLANK = re.compile(r"(?:[ \t\n]|#[^\n]*+)*+")
    _BARE = re.compile(r"[A-Za-z0-9_-]++")
    _EQUALS = re.compile(r"=")
    _SCALAR = re.compile(r"[^,\]}#\n]++")
    _INTEGER = re.compile(r"[+-]?(?:0x[0-9A-Fa-f]+|0o[0-7]+|0b[01]+|[0-9]+)")
    # A closing delimiter of three quotes may have one or two of its own content before it.
    _STRING = re.compile(
        r'"""(?:[^"\\]|\\.|"(?!""))*+""""{0,2}'
        r"|'''(?:[^']|'(?!''))*+''''{0,2}"
        r'|"(?:[^"\\\n]|\\.)*+"'
        r"|'[^'\n]*+'",
        re.DOTALL,
    )

    def __init__(self, text: str, name: str) -> None:
        self._text = text
        self._name = name
        self._at = 0

    def document(self) -> Place:
        root = table = Place(0)
        self._take(self._BLANK)
        while self._at < len(self._text):
            if self._next() == "[":
                table = self._header(root)
            else:
                self._pair(table)
            self._take(self._BLANK)
        return root

    def _header(self, root: Place) -> Place:
        start = self._at
        brackets = 2 if self._text.startswith("[[", start) else 1
        self._at += brackets
        *parents, (name, _) = self._key()
        place = root
        for parent, offset in parents:
            place = place.child(parent, offset)
            if place.of_tables:
                place = place.below[len(place.below) - 1]
        place = place.child(name, start)
        if brackets == 2:
            place.of_tables = True
            place = place.child(len(place.below), start)
        place.offset = start  # a header of its own beats the mention in a subtable's header
        self._at += brackets
        return place

    def _key(self) -> list[tuple[str, int]]:
        """Read a dotted key up to what follows it; return its parts and their offsets."""
        parts = []
        while True:
            self._take(self._BLANK)
            start = self._at
            if self._next() in ('"', "'"):
                part = tomllib.loads(f"key = {self._take(self._STRING)}")["key"]
            else:
                part = self._take(self._BARE)
            parts.append((part, start))
            self._take(self._BLANK)
            if self._next() != ".":
                return parts
            self._at += 1

    def _pair(self, place: Place) -> None:
        for part, offset in self._key():
            place = place.child(part, offset)
        self._take(self._EQUALS)
        self._value(place)

    def _value(self, place: Place) -> None:
        self._take(self._BLANK)
        match self._next():
            case "[":
                indexes = itertools.count()
                self._items("]", lambda: self._value(place.child(next(indexes), self._at)))
            case "{":
                self._items("}", lambda: self._pair(place))
            case '"' | "'":
                self._take(self._STRING)
            case _:
                self._scalar()

    def _items(self, close: str, item: Callable[[], None]) -> None:
        self._at += 1
        self._take(self._BLANK)
        while self._next() != close:
            item()
            self._take(self._BLANK)
            if self._next() == ",":
                self._at += 1
                self._take(self._BLANK)
        self._at += 1

    def _scalar(self) -> None:
        start = self._at
        token = self._take(self._SCALAR).strip().replace("_", "")
        if not self._INTEGER.fullmatch(token):
            return
        # 64 bits take at most 66 characters in any base; int() refuses thousands of digits.
        if len(token) > 70 or not -(1 << 63) <= int(token, 0) < 1 << 63:
            raise self._error(f"the integer {shorten(token, 40)} does not fit in 64 bits", start)

    def _next(self) -> str:
        return self._text[self._at : self._at + 1]

    def _take(self, pattern: re.Pattern[str]) -> str:
        match = pattern.match(self._text, self._at)
        if match is None:
            raise self._error("invalid TOML", self._at)
        self._at = match.end()
        return match[0]

    def _error(self, message: str, offset: int) -> InputError:
        return InputError(message, file=self._name, line=line_of(self._text, offset))
