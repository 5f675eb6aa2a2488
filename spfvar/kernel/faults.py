"""Every fault that a recording may show: what its VMA may be, read or write, from user or kernel mode."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final

from spfvar.faultpaths.small import Facts, fault_text, small_race
from spfvar.ops.op import Steps
from spfvar.scenario.race import RaceFile, RaceVma

#: Keys of a race's VMA.
Vma = dict[str, Any]
#: Facts of a mapping that no race file has.
Extra = tuple[tuple[str, bool], ...]

#: What the kernel does anywhere, and the model only where something asks for it.
ALWAYS: Final[Extra] = (("neighbours", True), ("protected", True))
#: A file system that has a page_mkwrite, which no race's statement writes to.
NOTIFIES: Final[Extra] = (("write_notify", True),)

#: Entries that are write-protected for a userfaultfd's monitor.
_PROTECTS: Final[Extra] = (("uffd_wp", True),)
#: A page table's entry may map a huge page.
_HUGE: Final[Extra] = (("huge", True),)

_ANONYMOUS: Final[tuple[tuple[Vma, Extra], ...]] = (
    ({}, ()),
    ({"growsdown": True}, ()),
    ({"userfault": True}, _PROTECTS),
    ({"swap": "device"}, ()),
    ({"numa": True}, _HUGE),
)
#: Mappings of a file.
FILES: Final[tuple[tuple[Vma, Extra], ...]] = (
    ({"sharing": "private"}, ()),
    ({"sharing": "shared"}, ()),
    ({"sharing": "shared"}, NOTIFIES),
    ({"map_pages": False, "speculative": False}, ()),
)


_READ_OR_WRITE: Final = (False, True)


def _mappings(
    files: Sequence[tuple[Vma, Extra]], every: bool
) -> Iterator[tuple[Vma, Extra, tuple[bool, ...]]]:
    """Each mapping, and which of read and write is unlike that of those before it; or ``every`` one."""
    for anonymous, extra in _ANONYMOUS:
        yield anonymous, extra, _READ_OR_WRITE
    for of_file, extra in files:
        # Only reads are mapped around, and only writes ask a file system.
        alone = (True,) if extra and not every else _READ_OR_WRITE
        yield {"file": "data", "fault_around": 1, **of_file}, extra, alone
        if every or (not extra and of_file.get("map_pages", True)):
            around = _READ_OR_WRITE if every else (False,)
            yield {"file": "data", "fault_around": 2, **of_file}, extra, around


def fault_texts(
    always: Extra = ALWAYS, files: Sequence[tuple[Vma, Extra]] = FILES, anywhere: bool = False
) -> Iterator[tuple[bool, bool, Callable[[], Steps]]]:
    """Each fault's text, with whether it is a write and whether user mode's.

    The kernel itself reads and writes plain mappings only.  ``always``: facts of every mapping;
    ``files``: the mappings of files; ``anywhere``: the kernel reads and writes the others, too.
    """
    for of_vma, extra, accesses in _mappings(files, anywhere):
        vma = RaceVma.model_validate({"name": "map", "start": 0, "pages": 2, **of_vma})
        of_race = (
            [RaceFile.model_validate({"name": "data", "pages": 2, "cached": "none"})] if vma.file else []
        )
        special = extra or set(of_vma) - {"file", "fault_around", "sharing"}
        for write in accesses:
            for user in (True,) if special and not anywhere else (True, False):
                facts = Facts("map", write=write, user=user, extra=always + extra)
                yield write, user, fault_text(small_race(of_race, [vma], facts), facts)
