"""The lines of a run's file, as pydantic models: what each kind of line must hold."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, FiniteFloat, model_validator

from spfvar.comparison.metrics import LARGEST, METRICS
from spfvar.errors import InputError, unknown
from spfvar.matrix.plan import MAX_SEED, MAX_SEEDS
from spfvar.scenario.hardware import Draws, Profile
from spfvar.scenario.schema import Scenario

KIND = "spfvar-run"


class Line(BaseModel):
    """What all lines share: no unknown keys, no text in the place of numbers."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    kind: str


class HeaderLine(Line):
    """The first line: where the samples come from.

    ``seeds``: [first, how many] of each draw.  ``commands``: the command lines that give these samples.
    ``code`` stands for the text of the model, one entry per run that was merged into this one.
    """

    kind: Literal["spfvar-run"]
    format: int
    spfvar: str
    model: str
    code: list[str] = Field(min_length=1)
    hardware: str
    baseline: str
    seeds: list[list[int]] = Field(min_length=1, max_length=MAX_SEEDS)
    commands: list[list[str]] = Field(min_length=1)
    remarks: list[str]

    @model_validator(mode="after")
    def _seeds_are_ranges(self) -> HeaderLine:
        for i, entry in enumerate(self.seeds):
            if len(entry) != 2 or not 0 <= entry[0] <= MAX_SEED or not 1 <= entry[1] <= MAX_SEEDS:
                raise InputError("not a range of seeds", key=f"seeds[{i}]", expected="[first, how many]")
        return self


class ProfileLine(Line):
    """The hardware profile; ``draws``: those of its figures that the seeds were run with, if they were."""

    kind: Literal["profile"]
    profile: Profile
    draws: Draws | None = None


class ScenarioLine(Line):
    """A scenario, and the hash that it has in reports."""

    kind: Literal["scenario"]
    name: str
    hash: str
    scenario: Scenario


class EventField(BaseModel):
    """An event that a variant counts."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    name: str
    role: str
    doc: str


class VariantLine(Line):
    """A variant; ``digest`` stands for the text of its patches, ``safety`` says what was known of it."""

    kind: Literal["variant"]
    name: str
    title: str
    kernel: str
    source: str
    origin: str
    replaces: str
    digest: str
    events: list[EventField]
    rivals: list[str]
    safety: str = ""


class CellLine(Line):
    """A cell with its samples by metric and event, one per seed (null: it has none), or why it has none."""

    kind: Literal["cell"]
    variant: str
    scenario: str
    axes: dict[str, int | float | str]
    seeds: list[int] = Field(default_factory=list)
    metrics: dict[str, list[FiniteFloat | None]] = Field(default_factory=dict)
    events: dict[str, list[FiniteFloat | None]] = Field(default_factory=dict)
    failure: str = ""

    @model_validator(mode="after")
    def _samples_fit(self) -> CellLine:
        if bool(self.seeds) == bool(self.failure):
            raise InputError("a cell has either samples or a reason why it has none", key="seeds")
        if self.seeds != sorted(set(self.seeds)):
            raise InputError("seeds out of order", key="seeds", expected="each once, the lowest first")
        if self.seeds and not self.metrics:
            raise InputError("seeds without a single figure", key="metrics", expected="at least one metric")
        for name in self.metrics:
            if name not in METRICS:
                raise unknown("metric", name, METRICS, key=f"metrics.{name}")
        for table, columns in (("metrics", self.metrics), ("events", self.events)):
            for name, values in columns.items():
                if len(values) != len(self.seeds):
                    wanted = f"{len(self.seeds)}, one per seed"
                    raise InputError(f"{len(values)} values", key=f"{table}.{name}", expected=wanted)
                highest = METRICS[name].highest if table == "metrics" else LARGEST
                for i, value in enumerate(values):
                    if value is not None and not _is_figure(value, highest):
                        key, wanted = f"{table}.{name}[{i}]", f"null, or a figure from 0 to {highest:g}"
                        raise InputError(f"found {value:g}", key=key, expected=wanted)
        return self


def _is_figure(value: float, highest: float) -> bool:
    """Can a run have given it?  The reciprocal of what is nearly zero would overflow."""
    return value == 0.0 or 1 / LARGEST <= value <= highest


class EndLine(Line):
    """The last line: SHA-256 of all bytes before it."""

    kind: Literal["end"]
    sha256: str


LINES: dict[str, type[Line]] = {
    KIND: HeaderLine,
    "profile": ProfileLine,
    "scenario": ScenarioLine,
    "variant": VariantLine,
    "cell": CellLine,
    "end": EndLine,
}
