"""The properties that are checked.

P5 (tree nodes are objects) and P15 (readers that walk the tree without a lock) need objects that the model
does not have.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Property:
    """What has to hold in every interleaving."""

    id: str
    text: str


PROPERTIES: Final[dict[str, Property]] = {
    p.id: p
    for p in (
        Property("P1", "nobody looks at a VMA that is freed, or recycled outside the type-safe rules"),
        Property("P2", "nobody looks at a freed file, anon_vma or memory policy"),
        Property("P3", "nobody looks at a freed mm"),
        Property("P4", "nobody looks at a freed page table; none is left behind or lost"),
        Property("P6", "no page-table entry is left for what is unmapped or truncated"),
        Property("P7", "no page-table entry that is present is overwritten"),
        Property("P8", "no write of the user's is lost"),
        Property("P9", "no page is freed while a TLB or somebody's reference still leads to it"),
        Property("P10", "an entry has the protection and the page that its VMA says"),
        Property("P11", "no deadlock"),
        Property("P12", "no livelock: from every state some way leads to an end"),
        Property("P13", "nobody sleeps in an RCU, interrupts-off or spinlock section"),
        Property("P14", "locks, sections and reference counts balance on every path"),
        Property("P16", "the reverse map knows every anonymous page that is mapped"),
    )
}
