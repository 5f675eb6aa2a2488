"""What a check says: passed or failed, what it looked at, what is wrong and what to do about it."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

PASS = "pass"
FAIL = "fail"
NOT_RUN = "not run"

_PACKAGE = Path(__file__).parents[1]


@dataclass(frozen=True, slots=True)
class Trouble:
    """One thing that is wrong: ``where`` is file:line ("": nowhere in particular), ``do`` what to do."""

    what: str
    do: str
    where: str = ""
    details: tuple[str, ...] = ()

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {"what": self.what, "where": self.where or None, "details": list(self.details), "do": self.do}


@dataclass(frozen=True, slots=True)
class Result:
    """One check of one variant ("": of the plugin as a whole).  ``summary``: what was looked at."""

    variant: str
    check: str
    status: str
    summary: str
    troubles: tuple[Trouble, ...] = ()

    def as_dict(self) -> dict[str, Any]:
        """One entry of the JSON list."""
        return {
            "variant": self.variant or None,
            "check": self.check,
            "status": self.status,
            "why": self.summary,
            "troubles": [trouble.as_dict() for trouble in self.troubles],
        }


def short_place(where: str) -> str:
    """file:line as a reader knows it: from the package, or from where the command runs."""
    file, _, line = where.rpartition(":")
    path = Path(file)
    if path.is_relative_to(_PACKAGE):
        return f"spfvar/{path.relative_to(_PACKAGE)}:{line}"
    relative = os.path.relpath(path)
    return where if relative.startswith("..") else f"{relative}:{line}"


def number(n: int, what: str) -> str:
    """ "1 patch", "2 patches"."""
    plural = "es" if what.endswith(("ch", "s")) else "s"
    return f"{n} {what}{'' if n == 1 else plural}"
