"""Recordings in files: what is written is read again, and a damaged file is refused with its name."""

from __future__ import annotations

import pytest

from spfvar.errors import InputError, UnknownNameError
from spfvar.kernel.fixtures import parse, release_of, releases, render, shipped


def test_what_ships_is_read_and_written_back_byte_by_byte() -> None:
    """All recordings; each word once."""
    assert releases() == ["6.1.176", "6.12.117", "6.17.13"]
    for release in releases():
        recording = shipped(release)
        assert parse(render(recording), "again") == recording
        keys = [(word.kind, word.error_code, word.letters) for word, _ in recording.words]
        assert len(set(keys)) == len(keys)


def test_a_release_is_found_by_its_line_and_not_by_a_longer_number() -> None:
    """6.1 is not 6.12."""
    assert (release_of("v6.1"), release_of("v6.12"), release_of("v5.12")) == ("6.1.176", "6.12.117", None)
    assert shipped("6.1").kernel == "6.1.176"
    with pytest.raises(UnknownNameError, match=r"6\.12\.117"):
        shipped("6.12.118")


@pytest.mark.parametrize(
    "text",
    [
        "{", "[]", '{"kernel": "6.1.176"}',
        '{"kernel": "6.1.176", "letters": [], "faults": [["a", 4, 1, [0]]]}',
        '{"kernel": "6.1.176", "letters": [], "faults": [["a", 4, "x", []]]}',
    ],
)  # fmt: skip
def test_a_damaged_file_is_refused_with_its_name(text: str) -> None:
    """Whatever is wrong with it."""
    with pytest.raises(InputError, match=r"mine\.json"):
        parse(text, "mine.json")
