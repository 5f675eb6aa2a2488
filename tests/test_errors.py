"""Every error is one printable line that says where, what, and what would be right."""

from __future__ import annotations

import pickle
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, ValidationError, field_validator

from spfvar.errors import (
    InputError,
    SpfvarError,
    describe,
    hidden,
    nearest,
    one_line,
    printable,
    quote,
    shortlist,
    unknown,
)

ANY_TEXT = st.text(st.characters())  # lone surrogates too: argv may hold them


def test_line_holds_every_field() -> None:
    """All fields appear, in the order a reader looks for them."""
    error = InputError(
        "unknown key",
        file="scenarios/x.toml",
        line=12,
        key="axes.thraeds",
        expected="one of threads, region",
        suggestion="threads",
        more=2,
    )
    assert str(error) == (
        "scenarios/x.toml:12: axes.thraeds: unknown key; expected one of threads, region "
        '(did you mean "threads"?) (and 2 more)'
    )


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (InputError("m"), "m"),
        (InputError("m", file="f"), "f: m"),
        (InputError("m", file="f", line=3, column=7), "f:3:7: m"),
        (InputError("m", key="--threads"), "--threads: m"),
        (InputError("m", expected="e"), "m; expected e"),
    ],
)
def test_absent_fields_leave_no_trace(error: InputError, line: str) -> None:
    """A field that is None adds nothing to the line, not even punctuation."""
    assert str(error) == line


@given(ANY_TEXT, ANY_TEXT, ANY_TEXT, ANY_TEXT, ANY_TEXT)
def test_always_one_printable_line(
    message: str,
    file: str,
    key: str,
    expected: str,
    suggestion: str,
) -> None:
    """Whatever the fields hold, the line has no line break and can be encoded and printed."""
    error = InputError(message, file=file, key=key, expected=expected, suggestion=suggestion)
    for line in (str(error), str(unknown("variant", message, [key, expected], file=file))):
        assert line.isprintable()
        assert len(line.splitlines()) <= 1
        line.encode()


def test_long_values_are_cut() -> None:
    """A megabyte of input does not come back as a megabyte of message."""
    huge = "x" * 1_000_000
    error = InputError(huge, expected=huge, suggestion=huge)
    assert len(str(error)) < 1_000
    assert len(str(unknown("variant", huge, [huge] * 5))) < 1_000


def test_exit_codes() -> None:
    """Bad input ends the process with 2, any other deliberate error with 1."""
    assert InputError("m").exit_code == 2
    assert unknown("variant", "x", []).exit_code == 2
    assert SpfvarError("m").exit_code == 1


def test_pydantic_reports_it_as_a_validation_error() -> None:
    """A validator may raise InputError: pydantic collects it instead of letting it through."""

    class Model(BaseModel):
        field: int

        @field_validator("field")
        @classmethod
        def refuse(cls, value: int) -> int:
            raise InputError(f"{value} is refused")

    with pytest.raises(ValidationError, match="1 is refused"):
        Model(field=1)


@pytest.mark.parametrize("error", [InputError("m", line=3), unknown("variant", "x", ["xy", "b"])])
def test_survives_a_process_boundary(error: InputError) -> None:
    """A worker process can hand its error to the parent without losing a field."""
    copy = pickle.loads(pickle.dumps(error))
    assert type(copy) is type(error)
    assert str(copy) == str(error)
    assert vars(copy) == vars(error)


def test_located_returns_a_copy() -> None:
    """Adding a place keeps the other fields and the class, and leaves the original alone."""
    bare = unknown("variant", "mmaplock", ["mmap-lock"], key="k")
    placed = bare.located(file="f.toml", line=0, more=1)
    assert type(placed) is type(bare)
    assert (placed.file, placed.line, placed.key, placed.more) == ("f.toml", 0, "k", 1)
    assert placed.suggestion == "mmap-lock"
    assert (bare.file, bare.line, bare.more) == (None, None, 0)


def test_unknown_names_the_nearest_and_the_known() -> None:
    """An unknown name is answered with the nearest one and the list of the known ones."""
    error = unknown("variant", "mmaplock", ["mmap-lock", "per-vma"], key="--variant")
    assert str(error) == (
        "--variant: unknown variant 'mmaplock': did you mean 'mmap-lock'? known: mmap-lock, per-vma"
    )


def test_unknown_without_a_near_name() -> None:
    """Where nothing is near, nothing is suggested; where nothing is known, that is said."""
    assert str(unknown("variant", "zzz", ["a", "b"])) == "unknown variant 'zzz'; known: a, b"
    assert str(unknown("variant", "zzz", [])) == "unknown variant 'zzz'; known: none"


def test_long_lists_are_shortened() -> None:
    """A list much longer than the limit ends in the number left out; no name is lost for one."""
    names = [f"n{index}" for index in range(20)]
    assert shortlist(names, 3) == "n0, n1, n2, ... (17 more)"
    assert shortlist(names[:4], 3) == "n0, n1, n2, n3"
    assert "(12 more)" in str(unknown("variant", "?", names))


@given(st.lists(st.text(min_size=1), min_size=1), st.data())
def test_nearest_returns_a_candidate(names: list[str], data: st.DataObject) -> None:
    """A name that is known is nearest to itself but for case; the answer is a candidate."""
    name = data.draw(st.sampled_from(names))
    found = nearest(name, names)
    assert found in names
    assert found.casefold() == name.casefold()


@pytest.mark.parametrize(
    ("name", "found"),
    [("thraeds", "threads"), ("THREADS", "threads"), ("regions", "region"), ("qqq", None)],
)
def test_nearest_finds_typing_errors(name: str, found: str | None) -> None:
    """Swapped letters, case and plural find the name; a name unlike all finds none."""
    assert nearest(name, ["threads", "region"]) == found


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (True, "true"),
        ("a\nb", '"a\\nb"'),
        (1.5, "1.5"),
        ({}, "a table"),
        ([1], "an array"),
        pytest.param(1 << 20_000, "an integer of 20001 bits", id="huge"),
        (None, "a value of type NoneType"),
    ],
)
def test_describe_uses_the_words_of_toml(value: object, text: str) -> None:
    """Values are shown as the user wrote them or by kind, and never fail to be shown."""
    assert describe(value) == text


@given(ANY_TEXT)
def test_quote_is_short_and_printable(text: str) -> None:
    """Quoted text keeps printable text readable and escapes the rest, within a bound."""
    assert quote(text).isprintable()
    assert len(quote(text)) <= 2 * 60 + 2
    if text.isprintable():
        assert one_line(text) == text


@given(st.text(st.characters()))
def test_a_printable_text_has_no_control_but_newlines_and_tabs(text: str) -> None:
    """Nothing of Unicode's categories Cc, Cf, Cs, Zl and Zp is left; what is escaped comes back from the escape."""
    shown = printable(text)
    left = {char for char in shown if unicodedata.category(char) in ("Cc", "Cf", "Cs", "Zl", "Zp")}
    assert left <= set("\n\t")
    assert (hidden(text) is None) == (shown == text)
    assert printable(shown) == shown


def test_blanks_and_letters_of_every_script_stay() -> None:
    """A no-break space is none that deceives."""
    text = "Jürgen\xa0Łukasz 山田 ±5 %\n\tnext\n"
    assert printable(text) == text
