"""A file is read into its model, or one line says where and how it is wrong."""

from __future__ import annotations

import os
import tomllib
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, ConfigDict

from spfvar.errors import InputError, printable
from spfvar.toml_input import MAX_FILE_BYTES, load_toml, parse_toml


class Scenario(BaseModel):
    """A document with a required key and an optional one, and no others."""

    model_config = ConfigDict(extra="forbid")

    title: str
    threads: int = 1


class Open(BaseModel):
    """Takes any document as it is."""

    model_config = ConfigDict(extra="allow")


def refusal(text: str) -> InputError:
    """Return the error that `text` is answered with."""
    with pytest.raises(InputError) as caught:
        parse_toml(text, "x.toml", Scenario)
    return caught.value


# --- whatever is given --------------------------------------------------------------------

TOKENS = [*"abx1_-+.=,#\n \t[]{}\"'\\", "[[", "]]", '"""', "'''", "a = ", "1979-05-27 07:32:00"]


def strings(data: object) -> Iterator[str]:
    """Every key and string of a document."""
    if isinstance(data, str):
        yield data
    elif isinstance(data, dict | list):
        for item in [*data, *(data.values() if isinstance(data, dict) else ())]:
            yield from strings(item)


@given(st.text(st.characters()) | st.lists(st.sampled_from(TOKENS), max_size=40).map("".join))
def test_any_text(text: str) -> None:
    """A text that tomllib takes and that can be seen becomes the same data; any other one an InputError."""
    found: object
    try:
        expected = tomllib.loads(text) if text.strip() else None
    except ValueError:
        expected = None
    if expected is not None and any(printable(word) != word for word in strings(expected)):
        expected = None
    try:
        found = parse_toml(text, "x.toml", Open).model_dump()
    except InputError:
        found = None
    assert found == expected


@given(st.binary() | st.text().map(str.encode))
def test_any_bytes(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    """No content of a file leads to another exception, and the error names the file."""
    path = tmp_path_factory.getbasetemp() / "any.toml"
    path.write_bytes(content)
    with pytest.raises(InputError) as caught:
        load_toml(path, Scenario)
    assert str(caught.value).startswith(str(path))


# --- syntax -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "line", "column"),
    [("\ntitle = ]", 2, 9), ("title = 't'\nx\n\n", 2, 2), ("title = ['t',\n\n", 1, 14)],
)
def test_syntax_error(text: str, line: int, column: int) -> None:
    """A syntax error has line and column; one at the end has those of the last line's end."""
    error = refusal(text)
    assert str(error).startswith(f"x.toml:{line}:{column}: invalid TOML: ")


def test_64_bit_integers_are_taken() -> None:
    """The least and the greatest 64-bit integer are no errors."""
    data = {"least": -(1 << 63), "greatest": (1 << 63) - 1}
    text = "".join(f"{key} = {value}\n" for key, value in data.items())
    assert parse_toml(text, "x.toml", Open).model_dump() == data


@pytest.mark.parametrize("text", ["a=" + "[" * 9_000, "a=" + "{a=" * 9_000])
def test_nested_too_deeply(text: str) -> None:
    """Nesting beyond what the interpreter can follow is told, not a RecursionError."""
    assert "nested too deeply" in str(refusal(text))


# --- files --------------------------------------------------------------------------------


def test_loads_a_file(tmp_path: Path) -> None:
    """A good file becomes its model, from a path, a string and with a byte order mark."""
    path = tmp_path / "s.toml"
    path.write_bytes(b"\xef\xbb\xbftitle = 't'\r\nthreads = 3\r\n")
    assert load_toml(path, Scenario) == Scenario(title="t", threads=3)
    assert load_toml(str(path), Scenario) == Scenario(title="t", threads=3)


def test_loads_a_resource(tmp_path: Path) -> None:
    """A resource inside an archive is read like a file, and its errors name it."""
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("good.toml", "title = 't'")
        archive.writestr("bad.toml", "title = 1")
    root = zipfile.Path(tmp_path / "a.zip")
    assert load_toml(root / "good.toml", Scenario).title == "t"
    for name in ("bad.toml", "none.toml", ""):
        with pytest.raises(InputError, match=r"a\.zip/" + name):
            load_toml(root / name, Scenario)


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("none.toml", "No such file or directory"),
        (".", "Is a directory"),
        ("", "the path is empty"),
        ("n" * 300, "File name too long"),
        ("a\0b", "embedded null byte"),
        ("/dev/zero", "it is a device"),
        ("\udcff", "No such file or directory"),
    ],
)
def test_unreadable(name: str, why: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A path that cannot be read is named together with the system's reason."""
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match=why) as caught:
        load_toml(name, Scenario)
    assert caught.value.file


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_no_permission(tmp_path: Path) -> None:
    """A file without read permission is told as such."""
    path = tmp_path / "s.toml"
    path.touch(0o200)
    with pytest.raises(InputError, match="Permission denied"):
        load_toml(path, Scenario)


def test_not_utf8(tmp_path: Path) -> None:
    """The line of the first byte that is not UTF-8 is told."""
    path = tmp_path / "s.toml"
    path.write_bytes(b"title = 't'\n# caf\xe9\n")
    with pytest.raises(InputError, match=r"s\.toml:2: byte 0xe9 is not UTF-8"):
        load_toml(path, Scenario)


def test_size_limit(tmp_path: Path) -> None:
    """A file of exactly the limit is read, one byte more is refused."""
    path = tmp_path / "s.toml"
    path.write_bytes(b"title = 't' #".ljust(MAX_FILE_BYTES, b"-"))
    assert load_toml(path, Scenario).title == "t"
    path.write_bytes(b"title = 't' #".ljust(MAX_FILE_BYTES + 1, b"-"))
    with pytest.raises(InputError, match="too large; expected at most 1MiB"):
        load_toml(path, Scenario)
