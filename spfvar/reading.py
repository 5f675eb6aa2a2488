"""Read the files that users name: whole, bounded, and never one that has no end.

A name may be anything: too long, empty, a directory, a device, a pipe that nobody writes to.
"""

from __future__ import annotations

import errno
import os
import stat
from typing import Final

from spfvar.errors import InputError, reason

#: What the shell has opened for the command, as in ``--patch <(git show)``: whatever it is, it is meant.
_OPENED: Final = ("/dev/stdin", "/dev/fd/", "/proc/self/fd/")
_KINDS: Final = (
    (stat.S_ISDIR, os.strerror(errno.EISDIR)),
    (stat.S_ISFIFO, "it is a named pipe"),
    (stat.S_ISSOCK, "it is a socket"),
)


def read_file(path: str | os.PathLike[str], limit: int, expected: str | None = None) -> bytes:
    """Return the bytes of a regular file, at most ``limit`` of them, or of what the shell has opened.

    Raises InputError, and nothing else, for whatever else the path names; ``expected`` says what file it
    should have been.
    """
    name = os.fspath(path)
    if not name:
        raise InputError("cannot read: the path is empty", file='""', expected=expected)
    try:
        # Opening a pipe would wait for its writer.
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        with open(descriptor, "rb") as stream:
            if not name.startswith(_OPENED):
                _check_kind(os.fstat(descriptor).st_mode, name, expected)
            os.set_blocking(descriptor, True)
            data = stream.read(limit + 1)
    except InputError:
        raise
    except (OSError, ValueError) as error:
        raise InputError(f"cannot read: {reason(error)}", file=name, expected=expected) from error
    if len(data) > limit:
        raise InputError("the file is too large", file=name, expected=f"at most {limit >> 20}MiB")
    return data


def _check_kind(mode: int, name: str, expected: str | None) -> None:
    if stat.S_ISREG(mode):
        return
    kind = next((what for test, what in _KINDS if test(mode)), "it is a device")
    raise InputError(f"cannot read: {kind}", file=name, expected=expected)
