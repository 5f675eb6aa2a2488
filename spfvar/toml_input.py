"""Read TOML files into pydantic models; whatever is wrong with one is a located InputError.

tomllib checks the syntax and pydantic the content (`spfvar.model_errors`); where a key stands is
found by `spfvar.toml_places`.  Lines and columns count from 1.
"""

from __future__ import annotations

import os
import re
import tomllib
from importlib.resources.abc import Traversable
from typing import Any, Final, TypeVar

from pydantic import BaseModel, ValidationError

from spfvar.errors import InputError, reason
from spfvar.model_errors import explain, hidden_text
from spfvar.reading import read_file
from spfvar.toml_places import find_places, line_of
from spfvar.units import UNITS_REQUIRED

MAX_FILE_BYTES: Final = 1 << 20
"""Largest file read, bytes: far above any scenario, far below what exhausts memory."""

M = TypeVar("M", bound=BaseModel)


def load_toml(path: str | os.PathLike[str] | Traversable, model: type[M]) -> M:
    """Return the TOML file at `path`, validated as `model`.

    Raises InputError, and nothing else, for a file that cannot be read or is not UTF-8 and
    for everything `parse_toml` refuses.
    """
    name = str(path) or '""'
    try:
        raw = read_file(path, MAX_FILE_BYTES) if isinstance(path, str | os.PathLike) else path.read_bytes()
    except OSError as error:
        raise InputError(f"cannot read: {reason(error)}", file=name) from error
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
    64 bits, a character that no terminal shows and content the model refuses. Of several errors
    in the content the first in file order is told and the others are counted; a key that is missing
    counts as standing at the end of its table and is told with the line on which the table begins.

    A validator may raise InputError itself; its `key`, if set, is a path within the value it
    validates, such as "group[0].count", and the line told is that key's.
    """
    text = text.replace("\r\n", "\n")  # as tomllib does, so that offsets agree
    if not text.strip():
        raise InputError("the file is empty", file=name, expected="a TOML document")
    if "\0" in text:
        line = line_of(text, text.index("\0"))
        raise InputError("NUL byte in the file", file=name, line=line, expected="UTF-8 text")
    try:
        data = _loads(text, name)
        places = find_places(text, name)
        unseen = hidden_text(data, places)
    except RecursionError:
        message = "tables or arrays are nested too deeply"
        raise InputError(message, file=name) from None
    if unseen is not None:
        raise unseen[0].located(file=name, line=line_of(text, unseen[1]))
    try:
        return model.model_validate(data, context=UNITS_REQUIRED)
    except ValidationError as error:
        first, offset = explain(error, data, model, places)
        raise first.located(file=name, line=line_of(text, offset)) from error


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
            line=int(at[1]) if at else line_of(last, len(last)),
            column=int(at[2]) if at else len(last) - last.rfind("\n"),
        ) from error
    except ValueError as error:
        # Python refuses to convert thousands of digits, without saying where they stand.
        find_places(text, name)
        raise InputError(f"invalid TOML: {error}", file=name) from error
