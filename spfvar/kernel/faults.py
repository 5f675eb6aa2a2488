"""Every fault that a recording may show: what its VMA may be, read or write, from user or kernel mode."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Final

from spfvar.coverage.runs import Facts, fault_text, small_race
from spfvar.ops.op import Steps
from spfvar.scenario.race import RaceFile, RaceVma

#: What the kernel does anywhere, and the model only where something asks for it.
_ALWAYS: Final = (("neighbours", True), ("protected", True))

_ANONYMOUS: Final[tuple[dict[str, Any], ...]] = ({}, {"growsdown": True}, {"userfault": True}, {"swap": "device"})
_FILES: Final[tuple[dict[str, Any], ...]] = tuple(
    {"file": "data", "sharing": sharing, "fault_around": window}
    for sharing in ("private", "shared")
    for window in (1, 2)
)


def fault_texts() -> Iterator[tuple[bool, bool, Callable[[], Steps]]]:
    """Each fault's text, with whether it is a write and whether user mode's."""
    for of_vma in (*_ANONYMOUS, *_FILES):
        vma = RaceVma.model_validate({"name": "map", "start": 0, "pages": 2, **of_vma})
        files = [RaceFile.model_validate({"name": "data", "pages": 2, "cached": "none"})] if vma.file else []
        for write in (False, True):
            for user in (False, True):
                facts = Facts("map", write=write, user=user, extra=_ALWAYS)
                yield write, user, fault_text(small_race(files, [vma], facts), facts)
