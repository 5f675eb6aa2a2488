"""Where a step of a text stands, as its reader finds it."""

from __future__ import annotations

from pathlib import Path
from typing import Final

#: What is below it came with spfvar, wherever that is installed.
_ROOT: Final = Path(__file__).parents[2]


def place(where: str) -> str:
    """``file:line`` without the machine's part: "spfvar/mm/fault.py:82"; of other files the name alone."""
    file, _, line = where.rpartition(":")
    path = Path(file)
    told = path.relative_to(_ROOT).as_posix() if path.is_relative_to(_ROOT) else path.name
    return f"{told}:{line}" if file else where
