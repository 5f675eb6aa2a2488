"""The text of a load scenario: TOML tables, validated, with axes still open.

A value written ``"$axis"`` is taken from the axis of that name when the load is made concrete.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeAlias

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StrictFloat,
    StrictInt,
    StrictStr,
    ValidationInfo,
    model_validator,
)

from spfvar.comparison.metrics import METRICS
from spfvar.errors import InputError, describe, nearest, unknown
from spfvar.shown import Shown
from spfvar.units import Percent, duration_field, parse_duration, parse_size

PAGE = 4096
MAX_THREADS = 1024

Unit = Literal["count", "size", "duration", "share", "choice"]


def parse_value(value: object, unit: Unit, choices: tuple[str, ...] = ()) -> int | float | str:
    """A literal in the axis's unit: pages' bytes, nanoseconds, a number, a share of 1, or a choice.

    Raises InputError (a ValueError) that says what was expected.
    """
    if unit == "size":
        return parse_size(value)
    if unit == "duration":
        return parse_duration(value)
    if unit == "choice":
        if value not in choices:
            close = nearest(value, choices) if isinstance(value, str) else None
            raise InputError(
                f"{describe(value)} is not among the choices", expected=", ".join(choices), suggestion=close
            )
        return str(value)
    try:
        if isinstance(value, bool):
            raise TypeError
        number = float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError, OverflowError):
        raise InputError(f"{describe(value)} is no number", expected=f"a {unit}") from None
    if not math.isfinite(number):
        raise InputError(f"{describe(value)} is no {unit}", expected="a finite number")
    if unit == "share":
        if not 0 <= number <= 1:
            raise InputError(f"{describe(value)} is no share", expected="a number from 0 to 1")
        return number
    if number != int(number) or not 1 <= number <= 1_000_000:
        raise InputError(f"{describe(value)} is no count", expected="a whole number from 1 to 1000000")
    return int(number)


def _literal(unit: Unit, choices: tuple[str, ...] = ()) -> Any:
    def check(value: object, info: ValidationInfo) -> int | float | str:
        if isinstance(value, str) and value.startswith("$"):
            return value
        return duration_field(value, info) if unit == "duration" else parse_value(value, unit, choices)

    return Annotated[int | float | str, BeforeValidator(check)]


def _repeat(value: int | str) -> int | str:
    if isinstance(value, str) and value.startswith("$"):
        return value
    if isinstance(value, str) or value < 0:
        raise InputError(f"{value!r} is no number of times", expected='0 or more, or "$AXIS"')
    return value


if TYPE_CHECKING:
    Count: TypeAlias = int | float | str
    Repeat: TypeAlias = int  # a load has the number, only its text may have "$axis"
    Size: TypeAlias = int | float | str
    Duration: TypeAlias = int | float | str
    Share: TypeAlias = int | float | str
    Per: TypeAlias = int | float | str
else:
    Count = _literal("count")
    Size = _literal("size")
    Duration = _literal("duration")
    Share = _literal("share")
    Per = _literal("choice", ("thread", "process"))
    Repeat = Annotated[int | str, AfterValidator(_repeat)]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, validate_default=True)


class Axis(_Strict):
    """A quantity that a comparison may vary.

    ``values`` are run when the user sets nothing; ``published`` is the value of the published benchmark, if
    the default is smaller to save time.  ``range`` is what is plausible, lowest and highest: a review
    looks there for the value at which its verdict would be another.
    """

    doc: str
    unit: Unit = "count"
    values: list[StrictInt | StrictFloat | StrictStr] = Field(min_length=1)
    published: StrictInt | StrictFloat | StrictStr | None = None
    choices: list[str] = Field(default_factory=list)
    range: tuple[int | float | str, int | float | str] | None = None

    @model_validator(mode="after")
    def _values_fit(self) -> Axis:
        for value in [*self.values, *([] if self.published is None else [self.published])]:
            self.parse(value)
        if self.range is None:
            return self
        if self.unit == "choice":
            raise InputError("a choice has no range", expected="choices alone", key="range")
        low, high = (float(self.parse(value)) for value in self.range)
        if not low <= float(self.parse(self.values[0])) <= high or low == high:
            raise InputError(
                f"the first value {self.values[0]} is not within {self.range[0]} to {self.range[1]}",
                expected="the lowest and the highest plausible value", key="range",
            )  # fmt: skip
        if low <= 0 and self.unit != "share":
            raise InputError(f"the range begins at {self.range[0]}", key="range", expected="more than 0")
        return self

    def parse(self, value: object) -> int | float | str:
        """The value in the axis's unit; InputError if it does not fit."""
        return parse_value(value, self.unit, tuple(self.choices))


class Region(_Strict):
    """A mapping of the program: one range per thread, or one for the process.

    ``window``: a process-wide region much larger than the run; each thread goes through its own part
    of it, of which the model keeps this much at a time.  ``count``: how many such ranges a thread has,
    to be used one after another, round and round.  ``cached``: the share of a file's pages that the page
    cache holds, or of the pages in swap that the swap cache holds.
    """

    name: str = Field(pattern=r"^[a-z][a-z0-9_]*$")
    size: Size
    window: Size | None = None
    backing: Literal["anon", "file", "swap"] = "anon"
    sharing: Literal["private", "shared"] = "private"
    per: Per = "thread"
    mapped: bool = False
    count: Count = 1
    cached: Share = 1.0
    fault_around: Size = "64KiB"
    map_pages: bool = True
    speculative: bool = True
    anon_vma: bool = True


class Statement(_Strict):
    """One step of a program: exactly one verb, with its options.

    ``fork`` copies every VMA of the region to a child, which then ends; ``maps`` reads the region's range in
    /proc/pid/maps; ``reclaim`` takes the next page of the region's files, round and round, out of the page
    cache.  These three concern the whole region, whoever its ranges belong to; ``whole``: so does an
    mprotect of a process-wide region.
    """

    mmap: str | None = None
    munmap: str | None = None
    touch: str | None = None
    mprotect: str | None = None
    madvise: str | None = None
    brk: str | None = None
    next: str | None = None
    fork: str | None = None
    maps: str | None = None
    reclaim: str | None = None
    compute: Duration | None = None

    access: Literal["read", "write"] = "write"
    every: Duration | None = None
    prot: Literal["r", "rw"] = "rw"
    advice: Literal["dontneed"] = "dontneed"
    change: Literal["grow", "shrink"] = "grow"
    whole: bool = False

    @model_validator(mode="after")
    def _one_verb(self) -> Statement:
        verbs = [verb for verb in VERBS if getattr(self, verb) is not None]
        if len(verbs) != 1:
            found = " and ".join(verbs) or "no verb"
            raise InputError(f"a statement has {found}", expected=f"exactly one of {', '.join(VERBS)}")
        if self.whole and self.mprotect is None:
            raise InputError(f"{verbs[0]} of a whole region", key="whole", expected="mprotect only")
        return self

    @property
    def verb(self) -> str:
        """The statement's verb."""
        return next(verb for verb in VERBS if getattr(self, verb) is not None)

    @property
    def target(self) -> str:
        """The region that the verb names ("": none)."""
        return "" if self.verb == "compute" else str(getattr(self, self.verb))

    @property
    def reaches_all(self) -> bool:
        """Is it about the whole region, not about the thread's part of it?"""
        return self.whole or self.verb in WHOLE_VERBS


#: Verbs that are always about a whole region.
WHOLE_VERBS = ("fork", "maps", "reclaim")
VERBS = ("mmap", "munmap", "touch", "mprotect", "madvise", "brk", "next", *WHOLE_VERBS, "compute")


class Group(_Strict):
    """Threads that run the same program; ``repeat = 0`` is without end."""

    name: str
    threads: Count
    program: list[Statement] = Field(min_length=1)
    repeat: Repeat = 0

    @property
    def goes_round(self) -> bool:
        """Does it never end, and call into the kernel once a round, not only touch and compute?"""
        return self.repeat == 0 and any(s.verb not in ("touch", "next", "compute") for s in self.program)


class Measure(_Strict):
    """When counting begins and ends.

    In faults of all threads, base + per_thread * threads; and in rounds of each thread of every group that
    goes round, for what a writer costs is seen over whole rounds only.  Both have to be reached.  A load all
    of whose programs end, without ``faults``, is counted from the start until every thread has ended.
    """

    warmup_rounds: int = Field(default=4, ge=1)
    rounds: int = Field(default=4, ge=1)
    warmup: int = Field(default=0, ge=0)
    warmup_per_thread: int = Field(default=0, ge=0)
    faults: int = Field(default=0, ge=0)
    faults_per_thread: int = Field(default=0, ge=0)


class Scenario(Shown, _Strict):
    """A load: what a program's threads do, over axes.

    ``threshold``: by metric, the share that a difference from the baseline has to exceed to be none of this
    load's noise; other metrics keep their own.  ``default``: is it part of a comparison that names no
    scenarios?
    """

    kind: Literal["load"]
    title: str
    default: bool = True
    description: str = ""
    source: str = ""
    io: Duration = "100us"
    axes: dict[str, Axis]
    region: list[Region] = Field(min_length=1)
    group: list[Group] = Field(min_length=1)
    measure: Measure = Measure()
    threshold: dict[str, Percent] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _names_exist(self) -> Scenario:
        if "threads" not in self.axes:
            raise InputError("there is no axis threads", key="axes", expected="axes.threads")
        for path, reference in self._references():
            if reference not in self.axes:
                raise InputError(
                    f"no axis is called {reference!r}", key=path, expected=", ".join(self.axes),
                    suggestion=nearest(reference, self.axes),
                )  # fmt: skip
        for metric in self.threshold:
            if metric not in METRICS:
                raise unknown("metric", metric, METRICS, key=f"threshold.{metric}")
        regions = [region.name for region in self.region]
        for g, group in enumerate(self.group):
            for s, statement in enumerate(group.program):
                self._check_statement(f"group[{g}].program[{s}]", statement, regions)
            endless = group.repeat == 0 and not group.goes_round
            if endless and not (self.measure.faults or self.measure.faults_per_thread):
                raise InputError(
                    "the program never ends and nothing ends the measurement", key=f"group[{g}].repeat",
                    expected="repeat > 0, or measure.faults",
                )  # fmt: skip
        return self

    def _check_statement(self, path: str, statement: Statement, regions: list[str]) -> None:
        target = statement.target
        if target and target not in regions:
            raise InputError(
                f"no region is called {target!r}", key=f"{path}.{statement.verb}",
                expected=", ".join(regions), suggestion=nearest(target, regions),
            )  # fmt: skip
        region = next((region for region in self.region if region.name == target), None)
        if statement.verb == "reclaim" and region is not None and region.backing != "file":
            raise InputError(
                f"region {target!r} has no pages in the page cache", key=f"{path}.reclaim",
                expected='a region with backing = "file"',
            )  # fmt: skip
        if statement.whole and region is not None and region.per == "thread":
            raise InputError(
                f"region {target!r} is not one VMA", key=f"{path}.whole", expected='per = "process"'
            )

    def _references(self) -> list[tuple[str, str]]:
        found: list[tuple[str, str]] = []

        def collect(path: str, model: BaseModel) -> None:
            for name in type(model).model_fields:
                value = getattr(model, name)
                if isinstance(value, str) and value.startswith("$"):
                    found.append((f"{path}{name}", value[1:]))

        collect("", self)
        for i, region in enumerate(self.region):
            collect(f"region[{i}].", region)
        for i, group in enumerate(self.group):
            collect(f"group[{i}].", group)
            for j, statement in enumerate(group.program):
                collect(f"group[{i}].program[{j}].", statement)
        return found
