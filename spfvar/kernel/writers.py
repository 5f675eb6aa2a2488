"""System calls that a recording may show, and what in the model they are.

Only locks and RCU sections are compared: a call of the kernel loops over pages and VMAs where the model has
one step, and looks VMAs up in ways of its own.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from spfvar.coverage.runs import Facts, small_race
from spfvar.coverage.writers import WRITERS
from spfvar.ops.op import Steps
from spfvar.scenario.actors import actor_text

#: A marked call, and the writers of `spfvar coverage` that it may be.  Calls on every VMA of a process (fork,
#: exit) are not compared: a writer has one.
CALLS: Final[Mapping[str, tuple[str, ...]]] = {
    "sys-munmap": ("munmap",),
    "sys-mprotect": ("mprotect",),
    "sys-madvise": ("madvise",),
    "sys-brk-grow": ("brk-grow",),
    "sys-brk-shrink": ("brk-shrink",),
    "sys-mremap": ("mremap", "mremap-fast"),
    "sys-truncate": ("truncate",),
}
_WRITERS = {writer.name: writer for writer in WRITERS}


def writer_texts(call: str) -> list[Callable[[], Steps]]:
    """The texts of a call, any of which it may be."""
    texts = []
    for name in CALLS[call]:
        writer = _WRITERS[name]
        place = writer.near or writer.far or Facts(writer.vmas[-1].name)
        race = small_race(writer.files, writer.vmas, place, writer.program)
        texts.append(actor_text(race, race.actor[1]))
    return texts
