"""A target file is replaced as a whole or not at all, and nothing is left beside it."""

from __future__ import annotations

import contextlib
import os
import resource
import signal
import stat
from collections.abc import Iterator
from pathlib import Path
from unittest.mock import patch

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spfvar.atomic import check_writable, write_atomically
from spfvar.errors import InputError

AS_ROOT = pytest.mark.skipif(os.geteuid() == 0, reason="permissions do not bind root")
# Every system call of a write, in order; each may fail or be where the user presses Ctrl-C.
STEPS = ["os.open", "os.fchmod", "os.fsync", "os.replace"]


def contents(directory: Path) -> dict[str, bytes]:
    """Return every file in `directory`, temporary ones included."""
    return {path.name: path.read_bytes() for path in directory.iterdir()}


@contextlib.contextmanager
def file_size_limit(limit: int) -> Iterator[None]:
    """Make writing past `limit` bytes of any file fail, as a full disk would."""
    old = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, old[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, old)
        signal.signal(signal.SIGXFSZ, handler)


@given(data=st.text() | st.binary(), old=st.none() | st.binary())
def test_writes_what_it_is_given(
    tmp_path_factory: pytest.TempPathFactory, data: str | bytes, old: bytes | None
) -> None:
    """Text is stored as UTF-8 without newline translation, bytes as they are, nothing else."""
    directory = tmp_path_factory.mktemp("write")
    if old is not None:
        (directory / "out").write_bytes(old)
    write_atomically(directory / "out", data)
    assert contents(directory) == {"out": data.encode() if isinstance(data, str) else data}


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), KeyboardInterrupt()])
@pytest.mark.parametrize("old", [None, b"old"])
def test_failing_step(tmp_path: Path, step: str, error: BaseException, old: bytes | None) -> None:
    """Whichever step fails or is interrupted, the directory is as it was before."""
    target = tmp_path / "out"
    if old is not None:
        target.write_bytes(old)
    before = contents(tmp_path)
    expected = InputError if isinstance(error, OSError) else KeyboardInterrupt
    if step == "os.fchmod" and old is None:
        pytest.skip("a new file has no mode to keep")
    with patch(step, side_effect=error), pytest.raises(expected) as caught:
        write_atomically(target, b"new")
    assert contents(tmp_path) == before
    if expected is InputError:
        assert str(caught.value) == f"{target}: cannot write: No space left on device"


@given(limit=st.integers(0, 200_000), old=st.binary(), excess=st.integers(1, 200_000))
def test_disk_full_midway(
    tmp_path_factory: pytest.TempPathFactory, limit: int, old: bytes, excess: int
) -> None:
    """A write that stops after any number of bytes leaves the old content and no litter."""
    directory = tmp_path_factory.mktemp("full")
    target = directory / "out"
    target.write_bytes(old)
    with file_size_limit(limit), pytest.raises(InputError, match="File too large"):
        write_atomically(target, bytes(limit + excess))
    assert contents(directory) == {"out": old}


def test_interrupt_just_after_replacing(tmp_path: Path) -> None:
    """An interrupt that comes too late leaves the new content whole."""
    replace = os.replace

    def late(source: Path, target: Path) -> None:
        replace(source, target)
        raise KeyboardInterrupt

    (tmp_path / "out").write_bytes(b"old")
    with patch("os.replace", late), pytest.raises(KeyboardInterrupt):
        write_atomically(tmp_path / "out", b"new")
    assert contents(tmp_path) == {"out": b"new"}


@pytest.mark.parametrize("mode", [0o600, 0o640, 0o755])
def test_keeps_the_mode(tmp_path: Path, mode: int) -> None:
    """A replaced file keeps its permission bits."""
    target = tmp_path / "out"
    target.touch()
    target.chmod(mode)
    write_atomically(target, "new")
    assert stat.S_IMODE(target.stat().st_mode) == mode


def test_new_file_obeys_the_umask(tmp_path: Path) -> None:
    """A new file has the mode that open() would have given it."""
    old = os.umask(0o027)
    try:
        write_atomically(tmp_path / "out", "new")
    finally:
        os.umask(old)
    assert stat.S_IMODE((tmp_path / "out").stat().st_mode) == 0o640


def test_follows_symbolic_links(tmp_path: Path) -> None:
    """A link stays a link and its target is written, even one that does not exist yet."""
    (tmp_path / "real").mkdir()
    link = tmp_path / "link"
    link.symlink_to(Path("real") / "out")
    for content in (b"first", b"second"):
        check_writable(link)
        write_atomically(link, content)
        assert link.is_symlink()
        assert contents(tmp_path / "real") == {"out": content}


def test_relative_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A bare name is written to the current directory; the longest name works too."""
    monkeypatch.chdir(tmp_path)
    for name in ("out", "n" * 255):
        write_atomically(name, b"x")
    assert contents(tmp_path) == {"out": b"x", "n" * 255: b"x"}


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("", "the path is empty"),
        (".", "it is a directory"),
        ("none/out", "its directory does not exist"),
        ("new/", "a directory, not a file, is named"),
        ("file/out", "Not a directory"),
        ("loop", "Too many levels of symbolic links"),
        ("pipe", "it is not a regular file"),
        ("/dev/null", "it is not a regular file"),
        ("n" * 256, "File name too long"),
        ("a\0b", "embedded null byte"),
        ("/proc/out", "No such file or directory"),
    ],
)
def test_unwritable(name: str, why: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What cannot be written is refused alike before and at the writing, with path and reason."""
    monkeypatch.chdir(tmp_path)
    Path("file").touch()
    Path("loop").symlink_to("loop")
    os.mkfifo("pipe")
    before = sorted(tmp_path.iterdir())
    for attempt in (check_writable, lambda path: write_atomically(path, b"")):
        with pytest.raises(InputError) as caught:
            attempt(name)
        assert caught.value.message == f"cannot write: {why}"
        assert caught.value.file == (name or '""')
    assert sorted(tmp_path.iterdir()) == before


@AS_ROOT
def test_no_permission(tmp_path: Path) -> None:
    """A read-only directory and a read-only file are both refused."""
    target = tmp_path / "out"
    target.touch(0o400)
    with pytest.raises(InputError, match="the file is read-only"):
        check_writable(target)
    tmp_path.chmod(0o500)
    with pytest.raises(InputError, match="Permission denied"):
        check_writable(tmp_path / "new")


@given(st.text(st.characters()))
def test_any_path(tmp_path_factory: pytest.TempPathFactory, name: str) -> None:
    """No text given as a path leads to another exception than InputError."""
    directory = tmp_path_factory.getbasetemp()
    for attempt in (check_writable, lambda path: write_atomically(path, b"")):
        with contextlib.suppress(InputError):
            attempt(f"{directory}/{name.replace('/', '')}")


def test_check_writable_leaves_no_trace(tmp_path: Path) -> None:
    """The check neither creates the target nor touches one that exists."""
    check_writable(tmp_path / "out")
    assert contents(tmp_path) == {}
    (tmp_path / "out").write_bytes(b"old")
    check_writable(tmp_path / "out")
    assert contents(tmp_path) == {"out": b"old"}


def test_text_that_is_not_unicode(tmp_path: Path) -> None:
    """Text with lone surrogates is refused before anything is written."""
    with pytest.raises(InputError, match="surrogates not allowed"):
        write_atomically(tmp_path / "out", "\udcff")
    assert contents(tmp_path) == {}
