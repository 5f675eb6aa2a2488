"""Write several new files: all of them or none, and none that exists."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Mapping
from pathlib import Path

from spfvar.atomic import write_atomically
from spfvar.errors import InputError, reason


def write_new(files: Mapping[Path, str]) -> None:
    """Write text files and the folders they need; InputError, and nothing written, if one is there already.

    Every name is claimed before the first file gets its content, so that two writers cannot mix.
    """
    made: list[Path] = []  # in order, folders before what is in them
    path = Path()
    try:
        for path in files:
            _make_parents(path, made)
            os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666))
            made.append(path)
        for path, text in files.items():
            write_atomically(path, text)
    except BaseException as error:
        _undo(made)
        if isinstance(error, FileExistsError):
            raise InputError(
                "is there already, so nothing was written",
                file=str(path),
                expected="another name or --directory",
            ) from error
        if isinstance(error, OSError | ValueError) and not isinstance(error, InputError):
            raise InputError(f"cannot be written: {reason(error)}", file=str(path)) from error
        raise


def _make_parents(path: Path, made: list[Path]) -> None:
    missing = []
    folder = path.parent
    while not os.path.exists(folder):
        missing.append(folder)
        folder = folder.parent
    for folder in reversed(missing):
        folder.mkdir()
        made.append(folder)


def _undo(made: list[Path]) -> None:
    for path in reversed(made):
        with contextlib.suppress(OSError):
            path.rmdir() if path.is_dir() else path.unlink()
