"""Recordings as letters, in a file: what ships with spfvar, and what ``spfvar conform --save`` writes.

A JSON document: the release, every letter with the function that it is of (and the site, if known), and each
different fault as
``[kind, error code, times, [letter, ...]]``.  A change of the letters' tables needs a new recording.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from importlib import resources
from importlib.resources.abc import Traversable

from pydantic import BaseModel, ConfigDict, ValidationError

from spfvar.errors import InputError, shorten, unknown
from spfvar.kernel.conform import Recording, Word
from spfvar.kernel.letters import Letter, letters_for


class _Document(BaseModel):
    model_config = ConfigDict(extra="forbid")

    kernel: str
    letters: list[tuple[str, str] | tuple[str, str, str]]
    faults: list[tuple[str, int, int, list[int]]]


def render(recording: Recording) -> str:
    """The file's text; a line for each fault."""
    numbers: dict[tuple[str, ...], int] = {}
    faults = []
    for word, times in recording.words:
        spelled = [numbers.setdefault(_spelled(letter), len(numbers)) for letter in word.letters]
        faults.append(json.dumps([word.kind, word.error_code, times, spelled], separators=(",", ":")))
    letters = json.dumps([list(letter) for letter in numbers])
    return (
        f'{{"kernel": {json.dumps(recording.kernel)},\n"letters": {letters},\n"faults": [\n'
        + ",\n".join(faults)
        + "\n]}\n"
    )


def _spelled(letter: Letter) -> tuple[str, ...]:
    return (letter.text, letter.by, letter.site) if letter.site else (letter.text, letter.by)


def parse(text: str, file: str) -> Recording:
    """Read such a file.  Raises InputError."""
    try:
        document = _Document.model_validate_json(text)
        letters = [Letter(name, 0, by, *site) for name, by, *site in document.letters]
        words = tuple(
            (Word(kind, code, tuple(letters[number] for number in spelled)), times)
            for kind, code, times, spelled in document.faults
        )
    except (ValidationError, IndexError) as error:
        key, message = _first(error)
        raise InputError(
            f"no recording: {message}", file=file, key=key, expected="what spfvar conform --save wrote"
        ) from error
    if all(word.is_call for word, _ in words):
        raise InputError("no page fault in it", file=file, expected="a fault at least")
    return Recording(document.kernel, letters_for(document.kernel, file=file), words)


def _first(error: ValidationError | IndexError) -> tuple[str | None, str]:
    """Where, and what, is wrong first."""
    if isinstance(error, IndexError):
        return "faults", "a letter that is not in the list"
    first = error.errors(include_url=False)[0]
    return ".".join(map(str, first["loc"])) or None, shorten(first["msg"])


def _shipped() -> Iterator[tuple[str, Traversable]]:
    folder = resources.files("spfvar.kernel") / "recorded"
    for file in sorted(folder.iterdir(), key=lambda file: file.name):
        if file.name.endswith(".json"):
            yield file.name.removesuffix(".json"), file


def releases() -> list[str]:
    """The kernels of which there is a recording."""
    return [release for release, _ in _shipped()]


def shipped(release: str) -> Recording:
    """The recording of a release, or of the only one of its line ("6.12").  Raises UnknownNameError."""
    files = dict(_shipped())
    for name, file in files.items():
        if name == release or name.startswith(f"{release}."):
            return parse(file.read_text(encoding="utf-8"), file.name)
    raise unknown("recorded kernel", release, files, key="--kernel")


def release_of(kernel: str) -> str | None:
    """The recorded release of what a variant says that it is made for ("v6.12"); None if there is none."""
    line = kernel.removeprefix("v")
    return next((name for name in releases() if name == line or name.startswith(f"{line}.")), None)
