"""The file of a hunt that may be stopped and resumed: what was hunted, by which plan, and how far it got.

One JSON object.  It belongs to a plan, to designs and to the model as they were: with others, what was done
before says nothing, and the file is refused.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from spfvar.atomic import write_atomically
from spfvar.errors import InputError
from spfvar.generator.ground import KEY
from spfvar.generator.reduce import as_tables
from spfvar.generator.run import Cause
from spfvar.generator.tally import Tally
from spfvar.matrix.hunting import Plan
from spfvar.matrix.runs import MODEL, code_of, digest_of
from spfvar.model_errors import explain
from spfvar.plugins.variant import Variant
from spfvar.reading import read_file
from spfvar.scenario.race import Race

FORMAT = 2
#: Some 20 million races; far below what exhausts memory.
MAX_FILE_BYTES = 1 << 28
WRITTEN_BY = "a file written by spfvar hunt --resume"
#: Packages whose text decides what a hunt finds.
_TEXTS = (*(part for part in MODEL if part not in ("simulate", "layouts")), "explore", "generator")

Count = Annotated[int, Field(ge=0)]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class _Broken(_Strict):
    """A cause, the race that showed it first, and how many did."""

    property: str
    function: str
    op: str
    text: str
    races: Annotated[int, Field(ge=1)]
    race: dict[str, Any]


class _Done(_Strict):
    """What was done in a design.  ``keys``: of the races, one behind the other, in base 64."""

    variant: str
    slices: Count
    numbers: Count
    generated: Count
    states: Count
    known: Count
    seconds: Annotated[float, Field(ge=0, allow_inf_nan=False)]
    open: list[str]
    steps: list[str]
    reached: list[str]
    keys: str
    broken: list[_Broken]


class _File(_Strict):
    """``hunts``: what the file belongs to, as `HuntFile` writes it."""

    kind: Literal["hunt"]
    format: int
    hunts: dict[str, Any]
    done: list[_Done]


class HuntFile:
    """Keeps tallies of designs in a file, which need not exist yet."""

    def __init__(self, path: str, plan: Plan, variants: Sequence[Variant], against: Variant | None) -> None:
        """Raises InputError for a file that is damaged, or of another hunt."""
        self._path = path
        self._designs = {variant.name: digest_of(variant) for variant in variants}
        self._hunts: dict[str, Any] = {
            "size": plan.size, "actors": list(plan.actors), "memories": list(plan.memories),
            "verbs": list(plan.verbs), "seed": plan.seed, "model": code_of(_TEXTS),
            "variants": self._designs,
            "against": {} if against is None else {against.name: digest_of(against)},
        }  # fmt: skip
        if plan.model != "sc":
            self._hunts["memory model"] = plan.model
        self._tallies: dict[str, Tally] = {}
        if Path(path).exists():
            self._read(plan)

    def tally(self, variant: Variant) -> Tally:
        """What was done in a design so far."""
        return self._tallies.setdefault(variant.name, Tally())

    def write(self, _tally: Tally | None = None) -> None:
        """Replace the file.  Raises InputError."""
        done = [_entry(name, tally) for name, tally in self._tallies.items()]
        content = {"kind": "hunt", "format": FORMAT, "hunts": self._hunts, "done": done}
        write_atomically(self._path, json.dumps(content, allow_nan=False) + "\n")

    def _read(self, plan: Plan) -> None:
        try:
            data = json.loads(read_file(self._path, MAX_FILE_BYTES, WRITTEN_BY))
        except (ValueError, RecursionError):
            raise InputError("it is no JSON", file=self._path, expected=WRITTEN_BY) from None
        if not isinstance(data, dict) or data.get("kind") != "hunt":
            raise InputError("it is no hunt", file=self._path, expected=WRITTEN_BY)
        if data.get("format") != FORMAT:
            raise InputError(f"it has format {data.get('format')!r}", file=self._path, expected=str(FORMAT))
        try:
            found = _File.model_validate(data)
        except ValidationError as invalid:
            raise explain(invalid, data, _File)[0].located(file=self._path) from None
        self._check_same(found.hunts)
        for i, one in enumerate(found.done):
            try:
                self._tallies[one.variant] = self._tally_of(one, plan)
            except InputError as error:
                where = f"done[{i}].{error.key}" if error.key else f"done[{i}]"
                raise InputError(error.message, file=self._path, key=where, expected=error.expected) from None

    def _check_same(self, theirs: dict[str, Any]) -> None:
        """Refuse the file of another hunt, with the first thing that differs."""
        models = [hunt.get("memory model", "sc") for hunt in (theirs, self._hunts)]
        compared = [
            (key, theirs.get(key), mine) for key, mine in self._hunts.items() if key != "memory model"
        ]
        for key, other, mine in [("memory model", *models), *compared]:
            if other != mine:
                raise InputError(
                    f"it is of another hunt, whose {key} is {_short(other)}, not {_short(mine)}",
                    file=self._path, expected="the command that wrote it, or another file",
                )  # fmt: skip

    def _tally_of(self, done: _Done, plan: Plan) -> Tally:
        if done.variant not in self._designs:
            raise InputError(f"{done.variant!r} is not hunted", key="variant")
        try:
            keys = base64.b64decode(done.keys, validate=True)
        except binascii.Error:
            raise InputError("is not base 64", key="keys") from None
        pieces = {keys[at : at + KEY] for at in range(0, len(keys), KEY)}
        if len(pieces) * KEY != len(keys) or len(pieces) > done.generated or done.numbers > plan.numbers:
            raise InputError("its numbers do not fit together", expected="a file as it was written")
        tally = Tally(
            done.slices, done.numbers, done.generated, done.states, done.known, done.seconds, list(done.open),
            set(done.steps), set(done.reached), pieces,
        )  # fmt: skip
        for i, one in enumerate(done.broken):
            cause = Cause(one.property, one.function, one.op, one.text)
            try:
                tally.first[cause] = Race.model_validate(one.race)
            except ValidationError as invalid:
                error = explain(invalid, one.race, Race)[0]
                raise InputError(
                    error.message, key=f"broken[{i}].race.{error.key}", expected=error.expected
                ) from None
            tally.count[cause] = one.races
        return tally


def _short(value: object) -> str:
    text = json.dumps(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


def _entry(name: str, tally: Tally) -> dict[str, Any]:
    return {
        "variant": name, "slices": tally.slices, "numbers": tally.numbers, "generated": tally.generated,
        "states": tally.states, "known": tally.known, "seconds": tally.seconds, "open": tally.open,
        "steps": sorted(tally.steps), "reached": sorted(tally.reached),
        "keys": base64.b64encode(b"".join(sorted(tally.keys))).decode("ascii"),
        "broken": [
            {"property": cause.property, "function": cause.function, "op": cause.op, "text": cause.text,
             "races": tally.count[cause], "race": as_tables(race)}
            for cause, race in tally.first.items()
        ],
    }  # fmt: skip
