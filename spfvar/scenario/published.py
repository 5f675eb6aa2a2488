"""Published measurements: tables of rates or times by design and threads, on a machine that a profile stands
for.

A file holds what one source says of one machine.  No table names a test or a verdict: what the model makes of
it is computed (`spfvar.validation`).
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from spfvar.comparison.metrics import METRICS
from spfvar.errors import InputError, unknown
from spfvar.scenario.hardware import Cpus, Place, Profile
from spfvar.structs.shipped import layout_named
from spfvar.units import MAX_THREADS

Threads = Annotated[int, Field(ge=1, le=MAX_THREADS)]
#: No rate or time that anybody published is beyond; ratios of two neither overflow nor vanish.
SMALLEST, LARGEST = 1e-9, 1e15
Figure = Annotated[float, Field(ge=SMALLEST, le=LARGEST)]
Text = Annotated[str, Field(min_length=1)]

#: Of a unit, does less of it mean more faults per second?
TIMES = ("ns", "us", "ms", "s")
#: What the rates of pft and will-it-scale are.
RATE = "faults_per_s"


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class MeasuredOn(_Strict):
    """The machine of a measurement: a profile, which may be of a ``relative``, and what is unlike it.

    Rates of a relative do not compare; ratios, and multiples of one thread's rate, do.
    """

    title: Text
    profile: Text
    relative: bool = False
    sockets: Cpus | None = None
    clusters_per_socket: Cpus | None = None
    cores_per_cluster: Cpus | None = None
    smt: Cpus | None = None
    place: Place | None = None
    kernel: dict[str, float] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _says_so(self) -> MeasuredOn:
        shape = self._shape()
        if shape and not self.relative:
            raise InputError(
                "a machine of another shape is not the profile's", key=next(iter(shape)),
                expected="relative = true",
            )  # fmt: skip
        return self

    def _shape(self) -> dict[str, Any]:
        names = ("sockets", "clusters_per_socket", "cores_per_cluster", "smt", "place")
        return {name: value for name in names if (value := getattr(self, name)) is not None}

    def on(self, profile: Profile) -> Profile:
        """The profile with what is unlike it.  Raises InputError for a figure that a profile cannot have."""
        raw = profile.model_dump()
        raw.update(self._shape())
        raw["kernel"] |= self.kernel
        try:
            return Profile.model_validate(raw)
        except ValidationError as error:
            cause = error.errors()[0].get("ctx", {}).get("error")
            if isinstance(cause, InputError):
                raise cause.located(key=f"machine.{cause.key}") from error
            place = ".".join(map(str, error.errors()[0]["loc"]))
            raise InputError(error.errors()[0]["msg"], key=f"machine.{place}") from error


class Table(_Strict):
    """Figures by design and threads under one load; ratios are of each later design to the first.

    ``values`` are in ``unit``: a time of fixed work counts as the reciprocal of a rate where the metric is a
    rate.  Where there is one design, or the machine is a relative's, a column that begins with one thread is
    held against multiples of that.  ``results`` names files of a benchmark instead
    (`spfvar.validation.readers`). ``compares``: "sign" where the load has something else in it than what was
    measured.
    """

    row: Text
    load: Text
    settings: dict[str, int | float | str] = Field(default_factory=dict)
    metric: str = RATE
    unit: Literal["faults/s", "ops/s", "relative", "ns", "us", "ms", "s"] = "faults/s"
    compares: Literal["size", "sign"] = "size"
    fitted: bool = False
    note: str = ""
    threads: list[Threads] = Field(default_factory=list)
    values: dict[str, list[Figure]] = Field(default_factory=dict)
    format: Literal["will-it-scale", "pft", "mmtests", "perf-stat"] | None = None
    results: dict[str, Text] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _fits(self) -> Table:
        if self.metric not in METRICS:
            raise _at(unknown("metric", self.metric, METRICS), "metric")
        if bool(self.values) == bool(self.results):
            both = "values and results" if self.values else "neither values nor results"
            raise InputError(both, expected="[table.values], or format and [table.results]")
        if self.results and (self.format is None or self.metric != RATE):
            raise InputError(
                "results need a format, and are rates", key="results", expected=f"format, {RATE}"
            )
        if self.threads != sorted(set(self.threads)):
            raise InputError("thread counts are not in order, each once", key="threads")
        if self.values:
            self._whole()
        return self

    def _whole(self) -> None:
        if not self.threads:
            raise InputError("values without threads", key="threads", expected="thread counts")
        for design, column in self.values.items():
            if len(column) != len(self.threads):
                raise InputError(
                    f"{len(column)} values", key=f"values.{design}",
                    expected=f"{len(self.threads)}, one per thread count",
                )  # fmt: skip
        alone = len(self.threads) == 1 or self.threads[0] != 1 or self.metric != RATE
        if len(self.values) == 1 and (alone or self.compares == "sign"):
            raise InputError(
                "one design and no rate of a single thread: nothing to compare", key="values",
                expected="two designs, or rates at threads that begin with 1",
            )  # fmt: skip

    @property
    def inverse(self) -> bool:
        """Is less of the unit more of the metric?"""
        return self.unit in TIMES and METRICS[self.metric].unit != "ns"


class LeftOut(_Strict):
    """A published row that the model cannot express, and why."""

    row: Text
    what: Text
    reason: Text


class KnownOff(_Strict):
    """Thread counts, from the first to the last, at which a published ratio does not come out.

    Of ``design`` to ``baseline``, on the machine of a ``profile`` itself.  ``patches``: the names of the
    design's.  ``off``: the largest error, as a share of what was published.
    """

    row: Text
    profile: Text
    load: Text
    settings: dict[str, int | float | str] = Field(default_factory=dict)
    metric: str = RATE
    design: Text
    patches: list[Text] = Field(default_factory=list)
    baseline: Text
    threads: tuple[Threads, Threads]
    off: float = Field(gt=-1, le=1e3)


class Published(_Strict):
    """One source's figures of one machine, or rows that are left out, or where the model is known to be off.

    ``layout`` is the struct layout of the kernel that was measured, where a design stands for it that is of
    another ("": each design has that of its own kernel).
    """

    title: Text
    source: str = ""
    confidence: Literal["read", "quoted", "excerpt"] = "read"
    kernel: str = ""
    layout: str = ""
    machine: MeasuredOn | None = None
    table: list[Table] = Field(default_factory=list)
    left_out: list[LeftOut] = Field(default_factory=list)
    known_off: list[KnownOff] = Field(default_factory=list)

    @model_validator(mode="after")
    def _has_rows(self) -> Published:
        if not self.table and not self.left_out and not self.known_off:
            raise InputError("no rows", expected="[[table]] or [[left_out]]")
        if self.layout:
            try:
                layout_named(self.layout)
            except InputError as error:
                raise _at(error, "layout") from error
        if self.table and (self.machine is None or not self.source or not self.kernel):
            raise InputError(
                "tables need a machine, a source and a kernel", expected="[machine], source, kernel"
            )
        return self


def _at(error: InputError, key: str) -> InputError:
    return error.located(key=key)
