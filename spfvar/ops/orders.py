"""What a primitive orders, as the kernel's names say it, and the barriers.

Under sequential consistency, the default, nothing can be reordered: an order changes nothing, and a
barrier is work that touches nothing.  Under ``--memory lkmm`` they keep a load of a weak word from seeing an
older store (docs/weak-memory.md).
"""

from __future__ import annotations

from typing import Final

from spfvar.ops import codes
from spfvar.ops.op import Op, primitive

#: Of a load: none, or what it read holds for everything behind it.
LOAD_ORDERS: Final = ("once", "acquire")
#: Of a store: none, or everything before it is seen by whoever reads it and acquires.
STORE_ORDERS: Final = ("once", "release")
#: Of an atomic read-modify-write; full: as if between two `smp_mb`.
RMW_ORDERS: Final = ("once", "acquire", "release", "full")
#: What an update by the only writer, which is no atomic, orders; and its op's order.
PLAIN_ORDERS: Final = {"once": "plain", "release": "plain release"}
#: Of taking a lock: everything before its last release, or nothing.
LOCK_ORDERS: Final = ("acquire", "once")
#: What the barriers order.
RMB, WMB, MB = "rmb", "wmb", "mb"
FENCES: Final = (RMB, WMB, MB)


def ordered(name: str, order: str, allowed: tuple[str, ...]) -> str:
    """The order of a primitive, as its op has it.  Raises TypeError for one that it cannot have."""
    if order not in allowed:
        raise TypeError(f"{name} has the order {order!r}, expected {', '.join(allowed)}")
    return "" if order == "once" else order


def is_fence(op: Op) -> bool:
    """Is it a barrier by itself?"""
    return op.code == codes.NOP and op.order in FENCES


@primitive
def smp_rmb() -> Op:
    """Loads before it come before loads behind it; on x86 without an instruction."""
    return _fence(RMB)


@primitive
def smp_wmb() -> Op:
    """Stores before it are seen before stores behind it; on x86 without an instruction."""
    return _fence(WMB)


@primitive
def smp_mb() -> Op:
    """Everything before it comes before everything behind it, for every CPU."""
    return _fence(MB, "atomic")


@primitive
def smp_mb__after_atomic() -> Op:
    """The same behind an atomic that orders nothing, which on x86 needs no instruction."""
    return Op(codes.NOP, "smp_mb__after_atomic()", order=MB, cost="free")


def _fence(kind: str, cost: str = "free") -> Op:
    return Op(codes.NOP, f"smp_{kind}()", order=kind, cost=cost)
