"""The file of a review: what `report --save` writes and `report --load` reads.

JSON: the tree of `spfvar.review.model` by its own names, behind a header, with a checksum of it.  Numbers
that JSON does not have ("NaN", "Infinity") are strings.
"""

from __future__ import annotations

import hashlib
import json
import math
from functools import cache
from typing import Any, Final

from pydantic import TypeAdapter, ValidationError

import spfvar
from spfvar.errors import InputError
from spfvar.reading import read_file
from spfvar.review.model import Review

FORMAT: Final = 1
KIND: Final = "review"
WRITTEN_BY: Final = "a file written by spfvar report --save"
#: A review of everything has a few MB.
MAX_FILE_BYTES: Final = 1 << 28


def review_text(review: Review) -> str:
    """The content of the file; ASCII."""
    tree = _spelled(as_data(review))
    document = {
        "kind": KIND, "format": FORMAT, "spfvar": spfvar.__version__, "sha256": _checksum(tree),
        "review": tree,
    }  # fmt: skip
    return json.dumps(document, indent=1, allow_nan=False) + "\n"


def load_review(path: str) -> Review:
    """Read such a file.  Raises InputError, located, for what is none, is damaged, or is of another form."""
    raw = read_file(path, MAX_FILE_BYTES, WRITTEN_BY)
    try:
        document = json.loads(raw)
    except (ValueError, RecursionError):
        document = None
    if not isinstance(document, dict) or document.get("kind") != KIND:
        raise InputError("is no review", file=path, expected=WRITTEN_BY)
    if document.get("format") != FORMAT:
        other = document.get("spfvar")
        raise InputError(f"is a review of another form, written by spfvar {other}", file=path,
                         expected=f"one of form {FORMAT}")  # fmt: skip
    if _checksum(document.get("review")) != document.get("sha256"):
        raise InputError("is damaged: its checksum differs", file=path, expected=WRITTEN_BY)
    try:
        return from_data(document["review"])
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(map(str, first["loc"]))
        raise InputError(f"another form of review: {first['msg']}", file=path, key=key,
                         expected=f"one written by spfvar {spfvar.__version__}") from error  # fmt: skip


def as_data(review: Review) -> Any:
    """The tree as dicts and lists."""
    return _reviews().dump_python(review, mode="json")


def from_data(tree: Any) -> Review:
    """The review again.  Raises pydantic's ValidationError."""
    return _reviews().validate_python(tree)


@cache
def _reviews() -> TypeAdapter[Review]:
    return TypeAdapter(Review)


def _checksum(tree: Any) -> str:
    return hashlib.sha256(json.dumps(tree, sort_keys=True).encode()).hexdigest()


def _spelled(tree: Any) -> Any:
    """The tree with strings for what is no number; they are read as numbers where one is expected."""
    if isinstance(tree, dict):
        return {name: _spelled(value) for name, value in tree.items()}
    if isinstance(tree, list):
        return [_spelled(value) for value in tree]
    if isinstance(tree, float) and not math.isfinite(tree):
        return "NaN" if math.isnan(tree) else "Infinity" if tree > 0 else "-Infinity"
    return tree
