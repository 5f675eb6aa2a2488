"""Every fault that a recording may show: what its VMA may be, read or write, from user or kernel mode."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Final

from spfvar.coverage.runs import Facts, fault_text, small_race
from spfvar.ops.op import Steps
from spfvar.scenario.race import RaceFile, RaceVma

_Vma = dict[str, Any]
_Extra = tuple[tuple[str, bool], ...]

#: What the kernel does anywhere, and the model only where something asks for it.
_ALWAYS: Final[_Extra] = (("neighbours", True), ("protected", True))
#: A file system that has a page_mkwrite, which no race's statement writes to.
_NOTIFIES: Final[_Extra] = (("write_notify", True),)

#: Entries that are write-protected for a userfaultfd's monitor.
_PROTECTS: Final[_Extra] = (("uffd_wp", True),)
#: A page table's entry may map a huge page.
_HUGE: Final[_Extra] = (("huge", True),)

_ANONYMOUS: Final[tuple[tuple[_Vma, _Extra], ...]] = (
    ({}, ()),
    ({"growsdown": True}, ()),
    ({"userfault": True}, _PROTECTS),
    ({"swap": "device"}, ()),
    ({"numa": True}, _HUGE),
)
_FILES: Final[tuple[tuple[_Vma, _Extra], ...]] = (
    ({"sharing": "private"}, ()),
    ({"sharing": "shared"}, ()),
    ({"sharing": "shared"}, _NOTIFIES),
    ({"map_pages": False, "speculative": False}, ()),
)


_READ_OR_WRITE: Final = (False, True)


def _mappings() -> Iterator[tuple[_Vma, _Extra, tuple[bool, ...]]]:
    """Each mapping, and which of read and write is unlike that of those before it."""
    for anonymous, extra in _ANONYMOUS:
        yield anonymous, extra, _READ_OR_WRITE
    for of_file, extra in _FILES:
        # Only reads are mapped around, and only writes ask a file system.
        yield {"file": "data", "fault_around": 1, **of_file}, extra, (True,) if extra else _READ_OR_WRITE
        if not extra and of_file.get("map_pages", True):
            yield {"file": "data", "fault_around": 2, **of_file}, extra, (False,)


def fault_texts() -> Iterator[tuple[bool, bool, Callable[[], Steps]]]:
    """Each fault's text, with whether it is a write and whether user mode's.

    The kernel itself reads and writes plain mappings only.
    """
    for of_vma, extra, accesses in _mappings():
        vma = RaceVma.model_validate({"name": "map", "start": 0, "pages": 2, **of_vma})
        files = [RaceFile.model_validate({"name": "data", "pages": 2, "cached": "none"})] if vma.file else []
        special = extra or set(of_vma) - {"file", "fault_around", "sharing"}
        for write in accesses:
            for user in (True,) if special else (True, False):
                facts = Facts("map", write=write, user=user, extra=_ALWAYS + extra)
                yield write, user, fault_text(small_race(files, [vma], facts), facts)
