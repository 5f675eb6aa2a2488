"""Read the files that users name: whole, bounded, and never one that has no end.

A name may be anything: too long, empty, a directory, a device, a pipe that nobody writes to.
"""

from __future__ import annotations

import os
import stat
from typing import Final

from spfvar.errors import InputError, reason

#: What the shell has opened for the command, as in ``--patch <(git show)``: whatever it is, it is meant.
_OPENED: Final = ("/dev/stdin", "/dev/fd/", "/proc/self/fd/")


def read_file(path: str | os.PathLike[str], limit: int, expected: str | None = None) -> bytes:
    """Return the bytes of a regular file, at most ``limit`` of them, or of what the shell has opened.

    Raises InputError, and nothing else, for whatever else the path names; ``expected`` says what file it
    should have been.
    """
    name = os.fspath(path)
    if not name:
        raise InputError("cannot read: the path is empty", file='""', expected=expected)
    try:
        with open(path, "rb", opener=_open) as stream:
            if not name.startswith(_OPENED):
                _check_kind(os.fstat(stream.fileno()).st_mode, name, expected)
            os.set_blocking(stream.fileno(), True)
            data = stream.read(limit + 1)
    except InputError:
        raise
    except (OSError, ValueError) as error:
        raise InputError(f"cannot read: {reason(error)}", file=name, expected=expected) from error
    if len(data) > limit:
        raise InputError("the file is too large", file=name, expected=f"at most {limit >> 20}MiB")
    return data


def _open(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_NONBLOCK)  # or a pipe would wait for its writer


def _check_kind(mode: int, name: str, expected: str | None) -> None:
    if not stat.S_ISREG(mode):
        kind = "a named pipe" if stat.S_ISFIFO(mode) else "a device"
        raise InputError(f"cannot read: it is {kind}", file=name, expected=expected)
