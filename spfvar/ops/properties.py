"""The properties that are checked: those of the core, and what plugins declare.

P15 (readers that walk the tree without a lock show no gap that was never there) is not among them: it needs
what the model does not have.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Final

from spfvar.errors import InputError

_ID: Final = re.compile(r"[A-Z][A-Z0-9_]{0,19}")


@dataclass(frozen=True, slots=True)
class Property:
    """What has to hold in every interleaving.

    ``origin``: the plugin that declared it, which the registry sets ("": the core).
    """

    id: str
    text: str
    origin: str = ""

    def __post_init__(self) -> None:
        if not _ID.fullmatch(self.id):
            raise InputError(
                f"property {self.id!r} has no such id", key="Property.id",
                expected="a capital letter, then at most 19 capital letters, digits or _",
            )  # fmt: skip
        if not self.text.strip() or not self.text.isprintable():
            raise InputError(
                f"property {self.id} has no text", key="Property.text", expected="one printable line"
            )


#: What `bug_on` breaks if a text names nothing else.
ASSERTION: Final = Property("P17", "no assertion of a text's own fails (BUG_ON)")

#: Every property by id.  `declare` adds a plugin's; the registry takes those of one that did not load out.
PROPERTIES: Final[dict[str, Property]] = {
    p.id: p
    for p in (
        Property("P1", "nobody looks at a VMA that is freed, or recycled outside the type-safe rules"),
        Property("P2", "nobody looks at a freed file, anon_vma or memory policy"),
        Property("P3", "nobody looks at a freed mm"),
        Property("P4", "nobody looks at a freed page table; none is left behind or lost"),
        Property("P5", "nobody looks into a tree of VMAs that was destroyed, or at a freed node of one"),
        Property("P6", "no page-table entry is left for what is unmapped or truncated"),
        Property("P7", "no page-table entry that is present is overwritten"),
        Property(
            "P8",
            "no write of the user's is lost, nor a device's to a pinned page; none goes to others' pages",
        ),
        Property("P9", "no page is freed while a TLB or somebody's reference still leads to it"),
        Property("P10", "an entry has the protection and the page that its VMA says"),
        Property("P11", "no deadlock"),
        Property("P12", "no livelock: from every state some way leads to an end"),
        Property("P13", "nobody sleeps in an RCU, interrupts-off or spinlock section"),
        Property(
            "P14",
            "locks, sections and reference counts balance on every path, and nobody uses what an error left",
        ),
        Property("P16", "the reverse map knows every anonymous page that is mapped"),
        ASSERTION,
    )
}


#: Which file declared a plugin's property.
_FILES: Final[dict[str, str]] = {}


def declare(id_: str, text: str) -> Property:
    """A property of a plugin's own: what a text says by `bug_on`, a race is about, a twin breaks.

    Raises InputError for an id that is taken, or is none.
    """
    if id_ in PROPERTIES:
        raise InputError(
            f"property {id_} is declared already: {PROPERTIES[id_].text}", key="declare",
            expected="an id of its own",
        )  # fmt: skip
    PROPERTIES[id_] = found = Property(id_, text)
    _FILES[id_] = sys._getframe(1).f_code.co_filename
    return found


def credit(origin: str) -> None:
    """What was declared since the last time is that plugin's."""
    for id_ in _FILES.keys() & PROPERTIES.keys():
        if not PROPERTIES[id_].origin:
            PROPERTIES[id_] = replace(PROPERTIES[id_], origin=origin)


def forget(file: str) -> None:
    """Take back what an earlier execution of a file declared: it is executed again."""
    for id_ in [id_ for id_, declarer in _FILES.items() if declarer == file]:
        PROPERTIES.pop(id_, None)
        del _FILES[id_]


def order(ids: Iterable[str]) -> list[str]:
    """Ids in the order of the table; what it does not have is behind, by name."""
    known = list(PROPERTIES)
    return sorted(ids, key=lambda id_: (known.index(id_) if id_ in known else len(known), id_))
