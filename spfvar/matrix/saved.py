"""The file that `check --save` writes and `replay` reads: verdicts and tokens, for CI."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import toml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from spfvar.errors import InputError
from spfvar.matrix.check import Checked
from spfvar.toml_input import load_toml


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
        return load_toml(path, Saved)
    try:
        return Saved.model_validate_json(Path(path).read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(f"cannot read: {error.strerror}", file=path) from None
    except (ValidationError, UnicodeDecodeError) as error:
        first = str(error).splitlines()[0]
        raise InputError(f"is no file of verdicts: {first}", file=path) from None
