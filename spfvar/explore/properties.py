"""Which of the properties a violation breaks."""

from __future__ import annotations

from typing import Final

from spfvar.ops import codes as c
from spfvar.ops import objects as o
from spfvar.ops.op import Op
from spfvar.ops.places import ObjectClass
from spfvar.ops.properties import ASSERTION
from spfvar.ops.properties import PROPERTIES as PROPERTIES

#: Codes of accesses: the object's class says which property they break.
_ACCESS: Final = (c.V_NULL, c.V_USE_AFTER_FREE, c.V_STALE_REFERENCE, c.V_OUTSIDE_RCU)

_BY_CLASS: Final[dict[ObjectClass, str]] = {
    o.VMA: "P1",
    o.FILE: "P2",
    o.ANON_VMA_CLASS: "P2",
    o.MEMPOLICY: "P2",
    o.MAPLE_NODE: "P5",
    o.MM: "P3",
    o.PAGE_TABLE: "P4",
    o.PAGE: "P9",
    o.FOLIO: "P9",
}

_BY_CODE: Final[dict[int, str]] = {
    c.V_UNBALANCED: "P14",
    c.V_SLEEP_IN_ATOMIC: "P13",
    c.V_OVERWRITE: "P7",
    c.V_TLB: "P9",
    c.V_PTE_LEFT: "P6",
    c.V_TABLE_LEFT: "P4",
    c.V_PROTECTION: "P10",
    c.V_WRONG_PAGE: "P10",
    c.V_TRUNCATED: "P6",
    c.V_REFCOUNT: "P14",
    c.V_LOST_WRITE: "P8",
    c.V_RMAP: "P16",
    c.V_LOCK_LEFT: "P14",
    c.V_TABLE_OVERWRITE: "P4",
    c.V_TABLE_IN_USE: "P4",
    c.V_STALE_COPY: "P10",
    c.V_MIGRATION_UNLOCKED: "P10",
    c.V_MIGRATION_LEFT: "P10",
    c.V_TREE_DESTROYED: "P5",
    c.V_ZERO_ENTRY: "P14",
    c.V_DEADLOCK: "P11",
    c.V_LIVELOCK: "P12",
    c.V_SEQUENCE_LEFT: "P14",
    c.V_TLB_BEHIND: "P9",
    c.V_TABLE_CACHED: "P4",
}


def touched_class(op: Op) -> ObjectClass | None:
    """The class of the object that a primitive touches; None if it touches none."""
    if op.place is not None:
        return op.place.field.cls
    if op.code == c.PAGES_PUT:
        return o.PAGE
    return op.src.cls if op.src is not None else None


def property_of(code: int, op: Op | None) -> str:
    """The property that a violation breaks.

    ``op`` is the primitive to blame; None at rest, where an object in use has a reference to a freed file
    or anon_vma.
    """
    if code in _ACCESS:
        cls = touched_class(op) if op is not None else None
        return _BY_CLASS[cls] if cls is not None else "P2"
    if code == c.V_BUG:
        return op.event if op is not None and op.code == c.BUG else ASSERTION.id
    return _BY_CODE[code]


def violation_text(code: int) -> str:
    """A V_* code in words."""
    return c.VIOLATIONS[code]
