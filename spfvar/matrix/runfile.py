"""The file of a run: what `compare --save` writes and `compare --load` reads, as JSON lines.

Lines can be read, compared and searched with everybody's tools, an error can name the line, and a file that
was cut off is noticed.  One object per line, told apart by ``kind``: the header, the hardware profile, the
scenarios, the variants, the cells with their samples, and last a checksum of all that is above it.  The same
run gives the same bytes.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, TypeVar

from pydantic import ValidationError

from spfvar.errors import InputError, shorten, unknown
from spfvar.matrix.plan import CellSpec, Value, place_load
from spfvar.matrix.runfile_lines import (
    KIND,
    LINES,
    CellLine,
    EndLine,
    HeaderLine,
    Line,
    ProfileLine,
    ScenarioLine,
    VariantLine,
)
from spfvar.matrix.runs import Result, Run, Source, assemble
from spfvar.matrix.samples import Failure, Place, Sample, by_cell, place_of
from spfvar.model_errors import explain, hidden_text
from spfvar.plugins.variant import Event, Variant
from spfvar.reading import read_file
from spfvar.scenario.load import Load

FORMAT = 1
#: Far above the largest matrix, far below what exhausts memory.
MAX_FILE_BYTES = 1 << 28
WRITTEN_BY = "a file written by spfvar compare --save"

L = TypeVar("L", bound=Line)


def run_text(run: Run) -> str:
    """The content of the file; ASCII."""
    body = "".join(json.dumps(line, allow_nan=False) + "\n" for line in _lines(run))
    return body + json.dumps({"kind": "end", "sha256": checksum(body)}) + "\n"


def checksum(body: str) -> str:
    """What the end line says of all bytes before it."""
    return hashlib.sha256(body.encode()).hexdigest()


def _lines(run: Run) -> Iterator[dict[str, Any]]:
    plan, source = run.plan, run.source
    yield {
        "kind": KIND, "format": FORMAT, "spfvar": plan.version, "model": plan.model,
        "code": source.code, "hardware": plan.hardware, "baseline": plan.baseline,
        "seeds": source.draws, "commands": source.commands, "remarks": source.remarks,
    }  # fmt: skip
    profile = {"kind": "profile", "profile": plan.profile.model_dump(mode="json", exclude_defaults=True)}
    yield profile | ({} if plan.ensemble is None else {"draws": plan.ensemble.model_dump(mode="json")})
    for name, scenario in plan.scenarios.items():
        content = scenario.model_dump(mode="json", exclude_defaults=True)
        yield {"kind": "scenario", "name": name, "hash": plan.scenario_hashes[name], "scenario": content}
    for variant in plan.variants:
        yield {
            "kind": "variant", "name": variant.name, "title": variant.title, "kernel": variant.kernel,
            "source": variant.source, "origin": variant.origin, "replaces": variant.replaces,
            "digest": source.digests[variant.name],
            "events": [{"name": e.name, "role": e.role, "doc": e.doc} for e in variant.events],
            "rivals": variant.rivals, "safety": source.safety.get(variant.name, ""),
        }  # fmt: skip
    found = by_cell(run.samples)
    for cell in plan.cells:
        yield _cell_line(cell, found[place_of(cell)])


def _cell_line(cell: CellSpec, found: list[Sample] | Failure) -> dict[str, Any]:
    line = {"kind": "cell", "variant": cell.variant.name, "scenario": cell.load.scenario, "axes": cell.axes}
    if isinstance(found, Failure):
        return line | {"failure": found.message}
    return line | {
        "seeds": [sample.seed for sample in found],
        "metrics": _columns([sample.metrics for sample in found]),
        "events": _columns([sample.events for sample in found]),
    }


def _columns(rows: Sequence[Mapping[str, float]]) -> dict[str, list[float | None]]:
    """A list per name, with None for what is missing or not a number."""
    names = dict.fromkeys(name for row in rows for name in row)
    columns = {name: [row.get(name, math.nan) for row in rows] for name in names}
    return {name: [None if math.isnan(v) else v for v in values] for name, values in columns.items()}


def load_run(path: str) -> Run:
    """Read a run's file.  Raises InputError, located, for what is none or is damaged."""
    if not path:
        raise InputError("the path is empty", key="--load", expected=WRITTEN_BY)
    raw = read_file(path, MAX_FILE_BYTES)
    try:
        return parse_run(raw.decode(), path)
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        raise InputError(
            "is not a saved run: not UTF-8", file=path, line=line, expected=WRITTEN_BY
        ) from error


def parse_run(text: str, name: str) -> Run:
    """Return the run whose file has the content `text`; errors call it `name`.

    Raises InputError, and nothing else.
    """
    return _Reader(text, name).run()


class _Reader:
    """Reads the lines one after the other; ``_at`` is the number of the last one."""

    def __init__(self, text: str, name: str) -> None:
        self._lines = text.split("\n")
        self._name = name
        self._at = 0
        self._loads: dict[tuple[str, str], tuple[Load, dict[str, Value]]] = {}

    def run(self) -> Run:
        """The whole file."""
        header = self._header()
        profile: ProfileLine | None = None
        scenarios: dict[str, ScenarioLine] = {}
        variants: dict[str, Variant] = {}
        digests: dict[str, str] = {}
        safety: dict[str, str] = {}
        cells: dict[Place, Result] = {}
        while not isinstance(line := self._line(), EndLine):
            match line:
                case ProfileLine() if profile is None:
                    profile = line
                case ScenarioLine() if line.name not in scenarios:
                    scenarios[line.name] = line
                case VariantLine() if line.name not in variants:
                    variants[line.name], digests[line.name] = self._variant(line), line.digest
                    safety |= {line.name: line.safety} if line.safety else {}
                case CellLine():
                    cell, found = self._cell(line, header, variants, scenarios)
                    if place_of(cell) in cells:
                        raise self._error(f"{line.variant} in {line.scenario} is here twice at this point")
                    cells[place_of(cell)] = cell, found
                case _:
                    raise self._error(f"a second line of this kind: {line.kind}")
        self._end(line)
        if profile is None or not cells:
            raise InputError(f"has no {'cells' if profile else 'hardware profile'}", file=self._name)
        if header.baseline not in variants:
            raise unknown("baseline", header.baseline, variants, file=self._name, line=1, key="baseline")
        source = Source(
            version=header.spfvar,
            model=header.model,
            code=tuple(header.code),
            hardware=header.hardware,
            profile=profile.profile,
            baseline=header.baseline,
            draws=tuple((first, count) for first, count in header.seeds),
            commands=tuple(map(tuple, header.commands)),
            variants=variants,
            digests=digests,
            scenarios={name: one.scenario for name, one in scenarios.items()},
            hashes={name: one.hash for name, one in scenarios.items()},
            remarks=tuple(header.remarks),
            ensemble=profile.draws,
            safety=safety,
        )
        return assemble(source, cells.values())

    def _header(self) -> HeaderLine:
        self._at = 1
        if self._lines == [""]:
            raise InputError("the file is empty", file=self._name, expected=WRITTEN_BY)
        try:
            data = json.loads(self._lines[0])
        except (ValueError, RecursionError):
            data = None
        if not isinstance(data, dict) or data.get("kind") != KIND:
            raise InputError("is not a saved run", file=self._name, expected=WRITTEN_BY)
        if data.get("format") != FORMAT:
            found = shorten(json.dumps(data.get("format")), 40)
            expected = f"format {FORMAT}; a newer spfvar may read it"
            raise self._error(f"a run of format {found}", expected=expected)
        return self._valid(data, HeaderLine)

    def _line(self) -> Line:
        self._at += 1
        text = self._lines[self._at - 1] if self._at <= len(self._lines) else ""
        if not text:
            raise self._error("the file ends too early", expected="an end line: was it cut off?")
        try:
            data = json.loads(text)
        except json.JSONDecodeError as error:
            raise self._error(f"invalid JSON: {error.msg}", column=error.colno) from error
        except (ValueError, RecursionError) as error:
            raise self._error("invalid JSON: a number or nesting that is too large") from error
        if not isinstance(data, dict):
            raise self._error("is no JSON object")
        kind = data.get("kind")
        if not isinstance(kind, str) or kind not in LINES or kind == KIND:
            known = [one for one in LINES if one != KIND]
            raise unknown("kind of line", str(kind), known, file=self._name, line=self._at, key="kind")
        return self._valid(data, LINES[kind])

    def _valid(self, data: dict[str, Any], model: type[L]) -> L:
        try:
            if (unseen := hidden_text(data)) is not None:
                raise unseen[0].located(file=self._name, line=self._at)
            return model.model_validate(data)
        except RecursionError:
            raise self._error("arrays or objects are nested too deeply") from None
        except ValidationError as error:
            first, _ = explain(error, data, model)
            raise first.located(file=self._name, line=self._at) from error

    def _variant(self, line: VariantLine) -> Variant:
        """What reports need of a variant; its patches are not there."""
        try:
            return Variant(
                line.name, line.title, line.kernel, line.source,
                events=tuple(Event(e.name, e.role, e.doc) for e in line.events),
                rivals=tuple(line.rivals), origin=line.origin, replaces=line.replaces,
            )  # fmt: skip
        except InputError as error:
            raise error.located(file=self._name, line=self._at) from error

    def _cell(
        self,
        line: CellLine,
        header: HeaderLine,
        variants: Mapping[str, Variant],
        scenarios: Mapping[str, ScenarioLine],
    ) -> Result:
        where: dict[str, Any] = {"file": self._name, "line": self._at}
        if line.variant not in variants:
            raise unknown("variant", line.variant, variants, key="variant", **where)
        if line.scenario not in scenarios:
            raise unknown("scenario", line.scenario, scenarios, key="scenario", **where)
        for seed in line.seeds:
            if not any(first <= seed < first + count for first, count in header.seeds):
                raise self._error(f"seed {seed} is not among those that line 1 names", key="seeds")
        load, axes = self._load(line, scenarios[line.scenario])
        cell = CellSpec(variants[line.variant], load, axes)
        if line.failure:
            return cell, Failure(*place_of(cell), line.failure)
        return cell, list(_samples(line))

    def _load(self, line: CellLine, scenario: ScenarioLine) -> tuple[Load, dict[str, Value]]:
        """The scenario at the cell's point; made once for all its variants."""
        key = (line.scenario, json.dumps(line.axes))
        if key in self._loads:
            return self._loads[key]
        axes = scenario.scenario.axes
        if set(line.axes) != set(axes):
            expected = f"values for {', '.join(axes)}"
            raise self._error("other axes than the scenario's", key="axes", expected=expected)
        try:
            point = {axis: axes[axis].parse(value) for axis, value in line.axes.items()}
            self._loads[key] = place_load(line.scenario, scenario.scenario, point)
        except InputError as error:
            raise error.located(file=self._name, line=self._at, key=error.key or "axes") from error
        return self._loads[key]

    def _end(self, line: EndLine) -> None:
        above = "".join(f"{one}\n" for one in self._lines[: self._at - 1])
        if checksum(above) != line.sha256:
            raise self._error("the lines above have been changed since they were written", key="sha256")
        if self._lines[self._at :] != [""]:
            self._at += 1
            raise self._error("text behind the end line")

    def _error(
        self, message: str, *, column: int | None = None, key: str | None = None, expected: str | None = None
    ) -> InputError:
        return InputError(message, file=self._name, line=self._at, column=column, key=key, expected=expected)


def _samples(line: CellLine) -> Iterator[Sample]:
    for i, seed in enumerate(line.seeds):
        metrics = {name: math.nan if (v := column[i]) is None else v for name, column in line.metrics.items()}
        events = {name: v for name, column in line.events.items() if (v := column[i]) is not None}
        yield Sample(seed, metrics, events)
