"""Say in the project's words what pydantic found wrong with a document, and at which key.

The document is what a TOML or JSON parser returned; tables and arrays are called so in both.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from pydantic import BaseModel, ValidationError
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue
from pydantic_core import ErrorDetails

from spfvar.errors import InputError, describe, hidden, nearest, quote, shortlist
from spfvar.toml_places import KeyPath, Place

_ABSENT: Final = object()


def hidden_text(data: object, places: Place | None = None) -> tuple[InputError, int] | None:
    """The first key or string with a character that steers a terminal or cannot be seen, as `explain`."""
    places = places or Place(0)
    ahead: list[tuple[object, KeyPath]] = [(data, ())]  # no recursion: dots may nest tables by thousands
    while ahead:
        value, path = ahead.pop()
        if isinstance(value, str) and (char := hidden(value)) is not None:
            expected = "text that can be seen"
            error = InputError(f"found the character {char}", key=_dotted(path), expected=expected)
            return error, places.at(path).offset
        children: list[tuple[str | int, object]] = []
        if isinstance(value, dict):
            children = list(value.items())
        elif isinstance(value, list):
            children = list(enumerate(value))
        for step, child in reversed(children):
            ahead += [(child, (*path, step)), (step, (*path, step))]
    return None


def explain(
    invalid: ValidationError, data: dict[str, Any], model: type[BaseModel], places: Place | None = None
) -> tuple[InputError, int]:
    """Return the first fault of `data`, which `model` refused, and the offset to look at.

    The error has the key and the number of further faults, but neither file nor line.  First is what
    stands first in `places` (None: what pydantic told first, at offset 0); a key that is missing counts as
    standing at the end of its table, and its offset is that of the table.
    """
    found = _Findings(data, places or Place(0), model).of(invalid)
    return found[0].error.located(more=len(found) - 1), found[0].offset


@dataclass(slots=True)
class _Finding:
    """One fault; `order` is its rank in file order, `offset` the place to tell."""

    kind: str
    order: int
    offset: int
    path: KeyPath
    error: InputError


class _Findings:
    """Turns pydantic's errors about one document into InputErrors."""

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

    def __init__(self, data: dict[str, Any], places: Place, model: type[BaseModel]) -> None:
        self._data = data
        self._places = places
        self._model = model

    def of(self, invalid: ValidationError) -> list[_Finding]:
        """Return one finding for each faulty key, in file order."""
        by_path: dict[KeyPath, _Finding] = {}
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

    def _missing(self, table: KeyPath, key: str | int) -> _Finding:
        place, path = self._places.at(table), (*table, key)
        what = "key" if isinstance(key, str) else "element"
        error = InputError(f"required {what} is missing", key=_dotted(path))
        return _Finding("missing", place.end(), place.offset, path, error)

    def _unknown_key(self, path: KeyPath) -> InputError:
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
                expected=_one_of(names) if names else str(choices),
                suggestion=nearest(value, names) if isinstance(value, str) else None,
            )
        if expected := self._EXPECTED.get(details["type"]):
            return InputError(found, expected=expected)
        if should := self._SHOULD.fullmatch(details["msg"]):
            return InputError(found, expected=should[1])
        return InputError(f"{found}: {details['msg']}")

    def _path(self, loc: KeyPath, value: object) -> KeyPath:
        """Return the document path that pydantic's `loc` means.

        Besides keys and indexes a `loc` holds names of union members, which may be spelt like
        keys; of the ways to read it the one that leads to the refused `value` is right.
        """
        reached: dict[KeyPath, object] = {(): self._data}
        for step in loc:
            for path, there in list(reached.items()):
                if (below := _item(there, step)) is not _ABSENT:
                    reached[*path, step] = below
        return max(reached, key=lambda path: (reached[path] is value, len(path)))

    def _known_keys(self, table: KeyPath) -> list[str]:
        schema = self._model.model_json_schema(schema_generator=_LenientSchema)
        definitions = schema.get("$defs", {})
        value: object = self._data
        nodes = list(_alternatives(schema, definitions, value))
        for step in table:
            value = _item(value, step)
            below = [_subschema(node, step) for node in nodes]
            nodes = [alt for node in below for alt in _alternatives(node, definitions, value)]
        return list(dict.fromkeys(key for node in nodes for key in node.get("properties", {})))


def _one_of(names: list[str]) -> str:
    return f"one of {shortlist(names)}" if len(names) > 1 else quote(names[0])


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


def _dotted(path: KeyPath) -> str | None:
    """Return `path` as "group[1].touch"; None for the document itself."""
    text = ""
    for step in path:
        if isinstance(step, int):
            text += f"[{step}]"
        else:
            bare = re.fullmatch(r"[A-Za-z0-9_-]{1,60}", step)
            text += ("." if text else "") + (step if bare else quote(step))
    return text or None
