"""Read TOML files into pydantic models; whatever is wrong with one is a located InputError.

tomllib checks the syntax and pydantic the content. Neither knows on which line a key stands,
so a scanner walks the text tomllib has accepted and notes where each key path begins.
Indexes in key paths count from 0, lines and columns from 1.
"""

from __future__ import annotations

import itertools
import os
import re
import tomllib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any, Final, TypeVar

from pydantic import BaseModel, ValidationError
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue
from pydantic_core import ErrorDetails

from spfvar.errors import InputError, describe, nearest, quote, reason, shorten, shortlist
from spfvar.units import UNITS_REQUIRED

MAX_FILE_BYTES: Final = 1 << 20
"""Largest file read, bytes: far above any scenario, far below what exhausts memory."""

M = TypeVar("M", bound=BaseModel)

_Path = tuple[str | int, ...]
_ABSENT: Final = object()


def load_toml(path: str | os.PathLike[str] | Traversable, model: type[M]) -> M:
    """Return the TOML file at `path`, validated as `model`.

    Raises InputError, and nothing else, for a file that cannot be read or is not UTF-8 and
    for everything `parse_toml` refuses.
    """
    name = str(path) or '""'
    source = path if isinstance(path, Traversable) else Path(path)
    try:
        with source.open("rb") as stream:
            raw = stream.read(MAX_FILE_BYTES + 1)
    except (OSError, ValueError) as error:
        raise InputError(f"cannot read: {reason(error)}", file=name) from error
    if len(raw) > MAX_FILE_BYTES:
        limit = f"at most {MAX_FILE_BYTES >> 20}MiB"
        raise InputError("the file is too large", file=name, expected=limit)
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        message = f"byte 0x{error.object[error.start]:02x} is not UTF-8"
        raise InputError(message, file=name, line=line, expected="UTF-8 text") from error
    return parse_toml(text, name, model)


def parse_toml(text: str, name: str, model: type[M]) -> M:
    """Return the TOML document `text`, validated as `model`; errors call it `name`.

    Raises InputError, and nothing else, for bad syntax, an empty document, an integer beyond
    64 bits and content the model refuses. Of several errors in the content the first in file
    order is told and the others are counted; a key that is missing counts as standing at the
    end of its table and is told with the line on which the table begins.

    A validator may raise InputError itself; its `key`, if set, is a path within the value it
    validates, such as "group[0].count", and the line told is that key's.
    """
    text = text.replace("\r\n", "\n")  # as tomllib does, so that offsets agree
    if not text.strip():
        raise InputError("the file is empty", file=name, expected="a TOML document")
    if "\0" in text:
        line = _line(text, text.index("\0"))
        raise InputError("NUL byte in the file", file=name, line=line, expected="UTF-8 text")
    try:
        data = _loads(text, name)
        places = _Scanner(text, name).document()
    except RecursionError:
        message = "tables or arrays are nested too deeply"
        raise InputError(message, file=name) from None
    try:
        return model.model_validate(data, context=UNITS_REQUIRED)
    except ValidationError as error:
        found = _Findings(data, places, model).of(error)
        first = found[0]
        line = _line(text, first.offset)
        raise first.error.located(file=name, line=line, more=len(found) - 1) from error


def _loads(text: str, name: str) -> dict[str, Any]:
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        message, _, place = str(error).rpartition(" (at ")
        at = re.fullmatch(r"line (\d+), column (\d+)\)", place)
        last = text.rstrip("\n")
        raise InputError(
            f"invalid TOML: {message}",
            file=name,
            line=int(at[1]) if at else _line(last, len(last)),
            column=int(at[2]) if at else len(last) - last.rfind("\n"),
        ) from error
    except ValueError as error:
        # Python refuses to convert thousands of digits, without saying where they stand.
        _Scanner(text, name).document()
        raise InputError(f"invalid TOML: {error}", file=name) from error


def _line(text: str, offset: int) -> int:
    return text.count("\n", 0, offset) + 1


# --- where keys stand ---------------------------------------------------------------------


@dataclass(slots=True)
class _Place:
    """Where one key or array element begins, and those below it."""

    offset: int
    below: dict[str | int, _Place] = field(default_factory=dict)
    of_tables: bool = False

    def child(self, step: str | int, offset: int) -> _Place:
        if step not in self.below:
            self.below[step] = _Place(offset)
        return self.below[step]

    def at(self, path: _Path) -> _Place:
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
    """Finds the places of a document that tomllib has accepted.

    On text tomllib would refuse it raises InputError or finds wrong places, no more.
    """

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

    def document(self) -> _Place:
        root = table = _Place(0)
        self._take(self._BLANK)
        while self._at < len(self._text):
            if self._next() == "[":
                table = self._header(root)
            else:
                self._pair(table)
            self._take(self._BLANK)
        return root

    def _header(self, root: _Place) -> _Place:
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

    def _pair(self, place: _Place) -> None:
        for part, offset in self._key():
            place = place.child(part, offset)
        self._take(self._EQUALS)
        self._value(place)

    def _value(self, place: _Place) -> None:
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
        return InputError(message, file=self._name, line=_line(self._text, offset))


# --- what is wrong with the content -------------------------------------------------------


@dataclass(slots=True)
class _Finding:
    """One fault; `order` is its rank in file order, `offset` the place to tell."""

    kind: str
    order: int
    offset: int
    path: _Path
    error: InputError


class _Findings:
    """Turns pydantic's errors about one document into located InputErrors."""

    _EXPECTED: Final = {
        "bool_parsing": "true or false",
        "bool_type": "true or false",
        "dataclass_type": "a table",
        "dict_type": "a table",
        "frozen_set_type": "an array",
        "list_type": "an array",
        "model_attributes_type": "a table",
        "model_type": "a table",
        "set_type": "an array",
        "string_type": "a string",
        "tuple_type": "an array",
    }
    # "Input should be a valid integer, got ..." or "List should have at least 1 item ..."
    _SHOULD = re.compile(
        r"\w+ should (?:be|have|match) (.+?)(?: after validation)?(?:, (?:unable|got|not) .*)?"
    )
    _QUOTED = re.compile(r"'([^']*)'")
    _STEP = re.compile(r"\[([0-9]{1,9})\]|([^.\[\]]+)")

    def __init__(self, data: dict[str, Any], places: _Place, model: type[BaseModel]) -> None:
        self._data = data
        self._places = places
        self._model = model

    def of(self, invalid: ValidationError) -> list[_Finding]:
        """Return one finding for each faulty key, in file order."""
        by_path: dict[_Path, _Finding] = {}
        for details in invalid.errors(include_url=False):
            finding = self._finding(details)
            first = by_path.setdefault(finding.path, finding).error
            # Each member of a union refuses the value for a reason of its own.
            also = finding.error.expected
            if first.expected and also and also not in first.expected:
                first.expected += f" or {also}"
        # A misspelt required key is one fault, though it is both unknown and missing.
        misspelt = {
            (*finding.path[:-1], finding.error.suggestion)
            for finding in by_path.values()
            if finding.kind == "unknown"
        }
        found = [
            finding
            for finding in by_path.values()
            if not (finding.kind == "missing" and finding.path in misspelt)
        ]
        return sorted(found, key=lambda finding: finding.order)

    def _finding(self, details: ErrorDetails) -> _Finding:
        kind, loc = details["type"], details["loc"]
        tag = self._QUOTED.fullmatch(str(details.get("ctx", {}).get("discriminator")))
        path = self._path(loc[:-1] if kind == "missing" else loc, details["input"])
        if kind == "missing":
            return self._missing(path, loc[-1])
        if kind == "union_tag_not_found" and tag:
            return self._missing(path, tag[1])
        if kind in ("extra_forbidden", "unexpected_keyword_argument"):
            kind, error = "unknown", self._unknown_key(path)
        else:
            error = self._refusal(details)
        if tag:
            path = (*path, tag[1])
        elif error.key is not None:  # a validator of a whole table told which key it means
            steps = self._STEP.findall(error.key)
            path += tuple(int(index) if index else name for index, name in steps)
        offset = self._places.at(path).offset
        return _Finding(kind, offset, offset, path, error.located(key=_dotted(path)))

    def _missing(self, table: _Path, key: str | int) -> _Finding:
        place, path = self._places.at(table), (*table, key)
        what = "key" if isinstance(key, str) else "element"
        error = InputError(f"required {what} is missing", key=_dotted(path))
        return _Finding("missing", place.end(), place.offset, path, error)

    def _unknown_key(self, path: _Path) -> InputError:
        known = self._known_keys(path[:-1])
        return InputError(
            "unknown key",
            expected=f"one of {shortlist(known)}" if known else "no key here",
            suggestion=nearest(str(path[-1]), known),
        )

    def _refusal(self, details: ErrorDetails) -> InputError:
        context = details.get("ctx", {})
        raised = context.get("error")
        if isinstance(raised, InputError):
            return raised
        if isinstance(raised, Exception):
            return InputError(str(raised) or type(raised).__name__)
        value = context.get("tag", details["input"])
        found = f"found {describe(value)}"
        if choices := context.get("expected_tags", context.get("expected")):
            names = self._QUOTED.findall(str(choices))
            return InputError(
                found,
                expected=f"one of {shortlist(names)}" if names else str(choices),
                suggestion=nearest(value, names) if isinstance(value, str) else None,
            )
        if expected := self._EXPECTED.get(details["type"]):
            return InputError(found, expected=expected)
        if should := self._SHOULD.fullmatch(details["msg"]):
            return InputError(found, expected=should[1])
        return InputError(f"{found}: {details['msg']}")

    def _path(self, loc: _Path, value: object) -> _Path:
        """Return the document path that pydantic's `loc` means.

        Besides keys and indexes a `loc` holds names of union members, which may be spelt like
        keys; of the ways to read it the one that leads to the refused `value` is right.
        """
        reached: dict[_Path, object] = {(): self._data}
        for step in loc:
            for path, there in list(reached.items()):
                if (below := _item(there, step)) is not _ABSENT:
                    reached[*path, step] = below
        return max(reached, key=lambda path: (reached[path] is value, len(path)))

    def _known_keys(self, table: _Path) -> list[str]:
        schema = self._model.model_json_schema(schema_generator=_LenientSchema)
        definitions = schema.get("$defs", {})
        value: object = self._data
        nodes = list(_alternatives(schema, definitions, value))
        for step in table:
            value = _item(value, step)
            below = [_subschema(node, step) for node in nodes]
            nodes = [alt for node in below for alt in _alternatives(node, definitions, value)]
        return list(dict.fromkeys(key for node in nodes for key in node.get("properties", {})))


class _LenientSchema(GenerateJsonSchema):
    """Gives the schema of any model; what JSON schema cannot express is left open."""

    ignored_warning_kinds = {"skipped-choice", "non-serializable-default"}  # noqa: RUF012

    def handle_invalid_for_json_schema(self, schema: Any, error_info: str) -> JsonSchemaValue:
        """Stand in for the method that raises."""
        del schema, error_info
        return {}


def _alternatives(
    node: JsonSchemaValue, definitions: dict[str, JsonSchemaValue], value: object
) -> Iterator[JsonSchemaValue]:
    """Yield the schemas without references and unions that `value` may have to match."""
    if "$ref" in node:
        node = definitions[node["$ref"].rpartition("/")[2]]
    discriminator = node.get("discriminator", {})
    tag = _item(value, discriminator.get("propertyName", ""))
    mapping = discriminator.get("mapping", {})
    if isinstance(tag, str) and tag in mapping:
        yield from _alternatives({"$ref": mapping[tag]}, definitions, value)
        return
    members = [node[word] for word in ("anyOf", "oneOf", "allOf") if word in node]
    for member in itertools.chain.from_iterable(members):
        yield from _alternatives(member, definitions, value)
    if not members:
        yield node


def _subschema(node: JsonSchemaValue, step: str | int) -> JsonSchemaValue:
    if isinstance(step, int):
        items = node.get("prefixItems", [])
        below = items[step] if step < len(items) else node.get("items")
    else:
        patterns = node.get("patternProperties", {}).values()
        others = next(iter(patterns), node.get("additionalProperties"))
        below = node.get("properties", {}).get(step, others)
    return below if isinstance(below, dict) else {}


def _item(value: object, step: str | int) -> object:
    if isinstance(value, dict):
        return value.get(step, _ABSENT)
    if isinstance(value, list) and isinstance(step, int) and step < len(value):
        return value[step]
    return _ABSENT


def _dotted(path: _Path) -> str | None:
    """Return `path` as "group[1].touch"; None for the document itself."""
    text = ""
    for step in path:
        if isinstance(step, int):
            text += f"[{step}]"
        else:
            bare = re.fullmatch(r"[A-Za-z0-9_-]{1,60}", step)
            text += ("." if text else "") + (step if bare else quote(step))
    return text or None
