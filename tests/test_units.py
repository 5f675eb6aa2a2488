"""Sizes, durations, thread lists and expressions: exact both ways, or one InputError."""

from __future__ import annotations

import contextlib
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, ValidationError

from spfvar.errors import InputError
from spfvar.units import (
    MAX_DURATION,
    MAX_SIZE,
    MAX_THREADS,
    UNITS_REQUIRED,
    Bytes,
    Duration,
    FailOn,
    Percent,
    format_duration,
    format_percent,
    format_size,
    format_threads,
    parse_assignment,
    parse_assignments,
    parse_duration,
    parse_fail_on,
    parse_percent,
    parse_size,
    parse_threads,
)

PARSERS: list[Callable[[str], object]] = [
    parse_assignment,
    parse_duration,
    parse_fail_on,
    parse_percent,
    parse_size,
    parse_threads,
]
ALMOST = st.text("0123456789.-,=:>%_ eEkKMGTiBnums\u00b5\u0663\n", max_size=30)
DURATIONS = st.floats(0, MAX_DURATION)
NAMES = st.from_regex(r"[A-Za-z_][A-Za-z0-9_.-]{0,20}", fullmatch=True)


class Model(BaseModel):
    """Every field type, each with a default so that it can be left out."""

    size: Bytes = 1
    time: Duration = 0.0
    noise: Percent = 0.0


@given(st.one_of(st.text(st.characters()), ALMOST), st.sampled_from(PARSERS))
def test_no_text_raises_anything_else(text: str, parse: Callable[[str], object]) -> None:
    """Every text is either understood or an InputError; no other exception comes out."""
    with contextlib.suppress(InputError):
        parse(text)


@pytest.mark.parametrize("parse", PARSERS)
@pytest.mark.parametrize("digits", [400, 5_000, 1_000_000])
def test_endless_digits(parse: Callable[[str], object], digits: int) -> None:
    """Numbers beyond what int(), float or Decimal can take are refused like any other."""
    for text in ("9" * digits, f"{'9' * digits}s", f"worse>{'9' * digits}%", "9," * digits):
        with pytest.raises(InputError) as caught:
            parse(text)
        assert len(str(caught.value)) < 400


@pytest.mark.parametrize(
    ("text", "size"),
    [("4096", 4096), ("4096B", 4096), ("64KiB", 1 << 16), (" 128 MiB ", 1 << 27), (4096, 4096)],
)
def test_sizes(text: str | int, size: int) -> None:
    """Binary units are powers of 1024 and a plain number is bytes."""
    assert parse_size(text) == size


@given(st.integers(1, MAX_SIZE))
def test_sizes_round_trip(size: int) -> None:
    """A formatted size parses to the same bytes."""
    assert parse_size(format_size(size)) == size


def test_format_size_prefers_the_largest_exact_unit() -> None:
    """The unit is the largest that needs no fraction."""
    assert format_size(1 << 27) == "128MiB"
    assert format_size((1 << 27) + 1) == "134217729B"
    assert format_size(0) == "0B"


@pytest.mark.parametrize(
    "value", ["", "0", "-1", "10^9", "x", "1.5MiB", "1e3", "129TiB", 0, -1, True, 1.0, None, []]
)
def test_no_sizes(value: object) -> None:
    """Zero, negative, fractional and too large sizes and other types are refused."""
    with pytest.raises(InputError):
        parse_size(value)


@pytest.mark.parametrize(
    ("text", "meant"),
    [("128MB", "128MiB"), ("64k", "64KiB"), ("2gib", "2GiB"), ("8b", "8B"), ("3XB", None)],
)
def test_size_units_are_suggested(text: str, meant: str | None) -> None:
    """A decimal or misspelt unit is not guessed but answered with the one that exists."""
    with pytest.raises(InputError) as caught:
        parse_size(text)
    assert caught.value.suggestion == meant


@pytest.mark.parametrize(
    ("text", "ns"),
    [("500ns", 500.0), ("100us", 1e5), ("3ms", 3e6), ("2s", 2e9), ("0.1us", 100.0), ("0ns", 0.0)],
)
def test_durations(text: str, ns: float) -> None:
    """Every unit gives nanoseconds, rounded once from the exact decimal."""
    assert parse_duration(text) == ns


@given(DURATIONS)
def test_durations_round_trip(ns: float) -> None:
    """A formatted duration parses to the same float, to the last bit."""
    assert parse_duration(format_duration(ns)) == ns


@pytest.mark.parametrize(
    ("ns", "text"), [(0.0, "0ns"), (0.5, "0.5ns"), (1500.0, "1.5us"), (1e9, "1s"), (1e5, "100us")]
)
def test_format_duration_prefers_the_largest_unit(ns: float, text: str) -> None:
    """The unit is the largest of which there is at least one; no trailing zeros are shown."""
    assert format_duration(ns) == text


@pytest.mark.parametrize(
    "value", ["", "0", "-1ns", "10^9", "x", "1e3ns", "ns", ".5s", "1.s", "86401s", 5, 1.5, True, []]
)
def test_no_durations(value: object) -> None:
    """Durations without unit, negative, beyond a day or in exponent form are refused."""
    with pytest.raises(InputError):
        parse_duration(value)


@pytest.mark.parametrize(("text", "meant"), [("5msec", "5ms"), ("5", "5ns"), ("5parsec", None)])
def test_duration_units_are_suggested(text: str, meant: str | None) -> None:
    """A missing or misspelt unit is answered with the nearest one."""
    with pytest.raises(InputError) as caught:
        parse_duration(text)
    assert caught.value.suggestion == meant


@pytest.mark.parametrize("ns", [-1.0, float("nan"), float("inf"), MAX_DURATION * 2])
def test_format_duration_refuses_what_cannot_be_read(ns: float) -> None:
    """What parse_duration would never give is not formatted either."""
    with pytest.raises(InputError):
        format_duration(ns)


@pytest.mark.parametrize(
    ("text", "counts"),
    [("1", [1]), ("1,4,16", [1, 4, 16]), ("4,1,4", [1, 4]), ("1-3, 8 - 9", [1, 2, 3, 8, 9])],
)
def test_threads(text: str, counts: list[int]) -> None:
    """Lists and inclusive ranges give each count once, in ascending order."""
    assert parse_threads(text) == counts


@given(st.sets(st.integers(1, MAX_THREADS), min_size=1))
def test_threads_round_trip(counts: set[int]) -> None:
    """A formatted list parses to the same counts."""
    assert parse_threads(format_threads(sorted(counts))) == sorted(counts)


@pytest.mark.parametrize(
    "text",
    ["", "0", "-1", "10^9", "1000000000", "1,,2", "1,", "x", "1.5", "4-1", "0-3", "1-", "1025"],
)
def test_no_threads(text: str) -> None:
    """Empty items, reversed ranges and counts outside 1..1024 are refused."""
    with pytest.raises(InputError, match="is not a thread count"):
        parse_threads(text)


def test_threads_error_names_the_item() -> None:
    """Of a long list the item that is wrong is named."""
    with pytest.raises(InputError, match='"x" in "1,x,2"'):
        parse_threads("1,x,2")


@pytest.mark.parametrize(
    ("text", "pair"),
    [
        ("hit_rate=0.9", ("hit_rate", "0.9")),
        (" a.b = c=d ", ("a.b", "c=d")),
        ("a=b c", ("a", "b c")),
    ],
)
def test_assignments(text: str, pair: tuple[str, str]) -> None:
    """The first "=" separates name and value; space around them does not count."""
    assert parse_assignment(text) == pair


@pytest.mark.parametrize("text", ["", "=", "a", "a=", "a= ", "=1", "1a=2", "a b=1"])
def test_no_assignments(text: str) -> None:
    """An assignment needs a name and a value."""
    with pytest.raises(InputError):
        parse_assignment(text)


def test_assigned_twice() -> None:
    """A second value for a name is an error, not the winner."""
    assert parse_assignments(["b=1", "a=2"]) == {"b": "1", "a": "2"}
    with pytest.raises(InputError, match=r'^a: assigned twice: "1" and "2"'):
        parse_assignments(["a=1", "b=1", "a=2"])


@pytest.mark.parametrize(
    ("text", "condition"),
    [
        ("worse>5%", FailOn(None, 5.0)),
        ("faults_per_s:worse>2.5%", FailOn("faults_per_s", 2.5)),
        (" p99 : worse > 0 % ", FailOn("p99", 0.0)),
    ],
)
def test_fail_on(text: str, condition: FailOn) -> None:
    """A condition has an optional metric and a percentage."""
    assert parse_fail_on(text) == condition


@given(st.none() | NAMES, st.floats(0, 1e15))
def test_fail_on_round_trips(metric: str | None, percent: float) -> None:
    """The text of a condition parses to an equal condition."""
    condition = FailOn(metric, percent)
    assert parse_fail_on(str(condition)) == condition


@pytest.mark.parametrize(
    "text", ["", "worse", "worse>5", "worse>-5%", "worse>x%", ":worse>5%", "a:b:worse>5%", "5%"]
)
def test_no_fail_on(text: str) -> None:
    """A condition without relation, number or percent sign is refused."""
    with pytest.raises(InputError, match="fail-on condition"):
        parse_fail_on(text)


def test_fail_on_relation_is_suggested() -> None:
    """A relation other than "worse" is named as the unknown part."""
    with pytest.raises(InputError, match=r"unknown relation 'worst': did you mean 'worse'\?"):
        parse_fail_on("worst>5%")


@pytest.mark.parametrize(("text", "share"), [("2%", 0.02), ("0.5 %", 0.005), (" 0%", 0.0), ("100%", 1.0)])
def test_percentages(text: str, share: float) -> None:
    """Text and share."""
    assert parse_percent(text) == share


@given(st.floats(0, 1))
def test_percentages_round_trip(share: float) -> None:
    """What is written is read back to the same bits."""
    assert parse_percent(format_percent(share)) == share


@pytest.mark.parametrize(
    ("value", "says"),
    [("2", '"2" has no % sign'), (0.02, "0.02 has no % sign"), ("2 per cent", "is not a percentage"),
     ("-1%", "is not a percentage"), ("100.1%", "out of range"), (True, "is not a percentage"), ("", "is not")],
)  # fmt: skip
def test_no_percentages(value: object, says: str) -> None:
    """What is wrong, and what was expected."""
    with pytest.raises(InputError, match=says) as caught:
        parse_percent(value)
    assert caught.value.expected == 'a percentage from 0% to 100% such as "2%" or "0.5%"'


def test_fields_take_texts() -> None:
    """Model fields take the texts and hold bytes, nanoseconds and shares."""
    model = Model.model_validate({"size": "64KiB", "time": "3ms", "noise": "2%"})
    assert (model.size, model.time, model.noise) == (1 << 16, 3e6, 0.02)


@given(st.integers(1, MAX_SIZE), DURATIONS, st.floats(0, 1))
def test_dumped_fields_load_again(size: int, time: float, noise: float) -> None:
    """A dumped model, with plain numbers, validates to an equal one."""
    model = Model(size=size, time=time, noise=noise)
    assert Model.model_validate(model.model_dump()) == model
    assert Model.model_validate_json(model.model_dump_json()) == model


def test_files_must_give_units() -> None:
    """Under UNITS_REQUIRED a bare number is no duration, though it still is a size."""
    assert Model.model_validate({"size": 7}, context=UNITS_REQUIRED).size == 7
    with pytest.raises(ValidationError, match="5 has no unit"):
        Model.model_validate({"time": 5}, context=UNITS_REQUIRED)
    with pytest.raises(ValidationError, match=r"0\.5 has no % sign"):
        Model.model_validate({"noise": 0.5}, context=UNITS_REQUIRED)


@pytest.mark.parametrize("time", [-1, 10**400, float("nan"), True, "soon"])
def test_field_errors_are_validation_errors(time: object) -> None:
    """A bad value in a model is pydantic's ValidationError and says what was expected."""
    with pytest.raises(ValidationError, match="expected a duration"):
        Model.model_validate({"time": time})


def test_json_schema_tells_both_forms() -> None:
    """The schema of a field shows that a number and a text are taken."""
    size = Model.model_json_schema()["properties"]["size"]
    assert {option["type"] for option in size["anyOf"]} == {"integer", "string"}
