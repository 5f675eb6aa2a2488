"""What a name of a file may be, and what is read of it."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from spfvar.errors import InputError
from spfvar.reading import read_file


def refusal(path: str) -> str:
    """What is said of a path that cannot be read."""
    with pytest.raises(InputError) as caught:
        read_file(path, 1 << 20, "a file of a test")
    return str(caught.value)


def test_a_regular_file_is_read_whole_up_to_its_limit(tmp_path: Path) -> None:
    """Exactly so many bytes are allowed; links are followed."""
    path, link = tmp_path / "f", tmp_path / "link"
    path.write_bytes(b"x" * (1 << 20))
    link.symlink_to(path)
    assert read_file(link, 1 << 20) == b"x" * (1 << 20)
    path.write_bytes(b"x" * ((1 << 20) + 1))
    assert refusal(str(path)) == f"{path}: the file is too large; expected at most 1MiB"


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("", "the path is empty"),
        ("none", "No such file or directory"),
        (".", "Is a directory"),
        ("n" * 300, "File name too long"),
        ("d/" * 3000, "File name too long"),
        ("a\0b", "embedded null byte"),
        ("\udcff", "No such file or directory"),
        ("loop", "Too many levels of symbolic links"),
        ("broken", "No such file or directory"),
        ("/dev/zero", "it is a device"),
        ("/dev/null", "it is a device"),
        ("pipe", "it is a named pipe"),
        ("socket", "No such device or address"),
    ],
)
def test_whatever_else_a_name_may_stand_for_is_an_error_in_one_line(
    name: str, why: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is waited for: nobody writes to the pipe, and a device has no end."""
    monkeypatch.chdir(tmp_path)
    os.mkfifo("pipe")
    Path("loop").symlink_to("loop")
    Path("broken").symlink_to("gone")
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind("socket")
        said = refusal(name)
    assert f"cannot read: {why}; expected a file of a test" in said
    assert said.isprintable()


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_that_may_not_be_read_is_named(tmp_path: Path) -> None:
    """With the system's reason."""
    path = tmp_path / "f"
    path.touch(0)
    assert refusal(str(path)) == f"{path}: cannot read: Permission denied; expected a file of a test"


def test_what_the_shell_has_opened_may_be_a_pipe() -> None:
    """As in --patch <(git show): the name is one of /dev/fd."""
    read, write = os.pipe()
    os.write(write, b"content")
    os.close(write)
    assert read_file(f"/dev/fd/{read}", 1 << 20) == b"content"
    os.close(read)
