"""Write result files so that a reader sees the old content or the new, never a part."""

from __future__ import annotations

import contextlib
import os
import secrets
import stat
from pathlib import Path

from spfvar.errors import InputError, reason

_CREATE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC


def write_atomically(path: str | os.PathLike[str], data: str | bytes) -> None:
    """Replace the content of `path` by `data` (text as UTF-8), or leave it as it was.

    A file that exists keeps its mode, a symbolic link stays one and its target is replaced.
    Raises InputError, naming the path and the reason, when the file cannot be written.
    """
    try:
        content = data.encode() if isinstance(data, str) else data
        target, mode = _target(path)
        temporary = _temporary(target)
        try:
            with open(os.open(temporary, _CREATE, 0o666), "wb") as stream:
                stream.write(content)
                stream.flush()
                if mode is not None:
                    os.fchmod(stream.fileno(), mode)
                os.fsync(stream.fileno())
            os.replace(temporary, target)
        except BaseException:
            _discard(temporary)
            raise
    except (OSError, ValueError) as error:
        raise _refusal(path, error) from error


def check_writable(path: str | os.PathLike[str]) -> None:
    """Raise InputError now if `write_atomically(path, ...)` could not succeed later.

    Creates and removes an empty file beside `path`: permission bits alone say too little
    (root, read-only mounts).
    """
    try:
        target, _ = _target(path)
        temporary = _temporary(target)
        try:
            os.close(os.open(temporary, _CREATE, 0o666))
        finally:
            _discard(temporary)
    except (OSError, ValueError) as error:
        raise _refusal(path, error) from error


def _target(path: str | os.PathLike[str]) -> tuple[Path, int | None]:
    """Return the file to replace, links followed, and its mode (None: it does not exist)."""
    if not os.fspath(path):
        raise InputError("the path is empty")
    target = Path(os.path.realpath(path))
    try:
        found = os.stat(path).st_mode
    except FileNotFoundError:
        if not target.parent.is_dir():
            raise InputError("its directory does not exist") from None
        if str(os.fspath(path)).endswith(os.sep):
            raise InputError("a directory, not a file, is named") from None
        return target, None
    if stat.S_ISDIR(found):
        raise InputError("it is a directory")
    # Replacing /dev/null or a pipe would destroy it for everybody else.
    if not stat.S_ISREG(found):
        raise InputError("it is not a regular file")
    # The rename needs no permission on the file itself, but whoever took it meant it.
    if not os.access(target, os.W_OK):
        raise InputError("the file is read-only")
    return target, stat.S_IMODE(found)


def _temporary(target: Path) -> Path:
    # Not derived from the target's name, which may already be as long as names can be.
    return target.with_name(f".spfvar-{secrets.token_hex(8)}.tmp")


def _discard(temporary: Path) -> None:
    with contextlib.suppress(OSError):
        temporary.unlink()


def _refusal(path: str | os.PathLike[str], error: OSError | ValueError) -> InputError:
    why = error.message if isinstance(error, InputError) else reason(error)
    return InputError(f"cannot write: {why}", file=os.fspath(path) or '""')
