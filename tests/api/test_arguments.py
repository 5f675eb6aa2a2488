"""What calls are given: read by one rule for all parameters of a type, and refused by their names."""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import spfvar
from spfvar.api.arguments import numbers, whole

VERBS = [name for name in spfvar.__all__ if inspect.isfunction(getattr(spfvar, name))]


def parameters(*kinds: str) -> list[tuple[str, str]]:
    """Of all functions, those that are said to be of these types."""
    return [
        (verb, name)
        for verb in VERBS
        for name, one in inspect.signature(getattr(spfvar, verb)).parameters.items()
        if one.annotation in kinds
    ]


def refused(verb: str, name: str, value: object) -> str:
    """What a call with the value is told; whatever else is required is some text."""
    function = getattr(spfvar, verb)
    every = inspect.signature(function).parameters.values()
    several = any(one.name == name and one.kind is one.VAR_POSITIONAL for one in every)
    required = {
        one.name: "x"
        for one in every
        if one.default is one.empty and one.kind is not one.VAR_POSITIONAL and one.name != name
    }
    args, named = ([value], {}) if several else ([], {name: value})
    with pytest.raises(spfvar.InputError) as error:
        function(*args, **required, **named)
    return str(error.value)


@pytest.mark.parametrize(("verb", "name"), parameters("int", "int | None", "Numbers"))
def test_a_number_is_a_whole_one(verb: str, name: str) -> None:
    """Text is none, though its letters may be; neither is 1.5, NaN or True."""
    for value in ("2", "16", 1.5, float("nan"), float("inf"), True, b"2"):
        assert refused(verb, name, value).startswith(f"{name}: ")
    if (verb, name) in parameters("Numbers"):
        for value in ([1.7], ["2"], [1, None], {"1": 2}):  # type: ignore[assignment]
            assert refused(verb, name, value).startswith(f"{name}: ")


@pytest.mark.parametrize(("verb", "name"), parameters("float", "float | None"))
def test_seconds_are_a_number(verb: str, name: str) -> None:
    for value in ("2", float("nan"), True):
        assert refused(verb, name, value).startswith(f"{name}: ")


@pytest.mark.parametrize(("verb", "name"), parameters("str", "str | None", "Name", "Name | None", "Names"))
def test_names_and_files_are_text_or_paths(verb: str, name: str) -> None:
    """Neither numbers nor lists of what is none; one file is no list of them."""
    several = (verb, name) in parameters("Names")
    for value in (3, b"x", [3], None, ["a", "b"]):
        optional = value is None and (verb, name) in parameters("str | None", "Name | None")
        if not optional and not (several and value == ["a", "b"]):
            assert refused(verb, name, value).startswith(f"{name}: ")


@pytest.mark.parametrize("given", [2, 2.0, np.int64(2), np.uint8(2), np.float32(2)])
def test_whole_numbers_of_every_type_are_read(given: Any) -> None:
    """Alone, in lists and in arrays; what comes of them is Python's own."""
    assert numbers(given) == numbers([given]) == numbers(np.array([given])) == [2]
    assert type(whole(given)) is int


def test_what_numpy_counts_is_what_python_counts() -> None:
    """In a call: the same rows."""
    given: list[Any] = [(1, 2), (np.int64(1), np.float64(2))]
    frames = [spfvar.compare("mmap-lock", scenarios="pft", threads=one, seeds=two) for one, two in given]
    assert frames[0].equals(frames[1])


def test_variants_axes_and_counts_are_refused_by_name(tmp_path: Path) -> None:
    """Where the type takes more than names and numbers."""
    file = tmp_path / "run.jsonl"
    file.write_text("{}")
    for call, said in (
        (lambda: spfvar.load(file, variants=None), "variants: a NoneType is none"),  # type: ignore[arg-type]
        (lambda: spfvar.report("spf-anon", against=3), "variant: a int is none"),  # type: ignore[arg-type]
        (lambda: spfvar.compare(axes=3), "axes: a int is none; expected values by axis"),  # type: ignore[arg-type]
        (lambda: spfvar.check(counts=3), "counts: a int is none"),  # type: ignore[arg-type]
        (lambda: spfvar.check(counts={"a": "x"}), 'counts: "x" is no whole number'),  # type: ignore[dict-item]
    ):
        with pytest.raises(spfvar.InputError) as error:
            call()
        assert said in str(error.value)
