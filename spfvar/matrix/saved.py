"""The file that `check --save` writes and `replay` reads: verdicts and tokens, for CI."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, Literal

import toml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from spfvar.errors import InputError
from spfvar.matrix.check import Checked
from spfvar.model_errors import explain, hidden_text
from spfvar.reading import read_file
from spfvar.toml_input import load_toml

#: A thousand times what all races under all variants take.
MAX_FILE_BYTES = 1 << 26
WRITTEN_BY = "a file written by spfvar check --save"


class SavedCase(BaseModel):
    """One cell of the matrix: ``steps`` are the primitives of the token's path."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    variant: str
    race: str
    verdict: Literal["safe", "violation", "incomplete"]
    property: str = ""
    token: str = ""
    steps: list[str] = Field(default_factory=list)


class Saved(BaseModel):
    """The whole file."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: Literal["verdicts"]
    case: list[SavedCase] = Field(default_factory=list)


def saved_text(results: Sequence[Checked], path: str) -> str:
    """The content of the file: JSON if its name ends so, else TOML."""
    cases: dict[tuple[str, str, str], dict[str, Any]] = {}
    for result in results:
        verdict = result.verdict
        place = {"variant": verdict.variant, "race": verdict.race, "verdict": verdict.verdict}
        if not verdict.findings:
            cases[verdict.variant, verdict.race, ""] = place
        for finding in verdict.findings:
            steps = [str(step) for step in finding.trace.steps]
            more = {"property": finding.property, "token": finding.token, "steps": steps}
            cases[verdict.variant, verdict.race, finding.token] = place | more
    document = {"kind": "verdicts", "case": list(cases.values())}
    return json.dumps(document, indent=2) + "\n" if path.endswith(".json") else toml.dumps(document)


def load_saved(path: str) -> Saved:
    """Read such a file.  Raises InputError, located, for what is none."""
    if not path.endswith(".json"):
        try:
            return load_toml(path, Saved)
        except InputError as error:
            if error.column is not None:  # it is not even TOML
                error.expected = WRITTEN_BY
            raise
    raw = read_file(path, MAX_FILE_BYTES, WRITTEN_BY)
    try:
        data = json.loads(raw)
    except (ValueError, RecursionError):
        data = None
    if not isinstance(data, dict):
        raise InputError("is no file of verdicts", file=path, expected=WRITTEN_BY)
    try:
        if (unseen := hidden_text(data)) is not None:
            raise unseen[0].located(file=path)
        return Saved.model_validate(data)
    except ValidationError as error:
        first, _ = explain(error, data, Saved)
        raise first.located(file=path) from error
