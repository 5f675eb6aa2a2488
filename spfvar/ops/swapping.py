"""Constructors of primitives on the slots of a synchronous swap device.

A slot is the folio that its page would be in the swap cache; ``folio`` refers to it.  The swap cache is in
`spfvar.ops.paging`.
"""

from __future__ import annotations

from spfvar.ops import codes
from spfvar.ops import objects as o
from spfvar.ops.op import Op, primitive
from spfvar.ops.places import Line, Place, Register
from spfvar.ops.primitives import BOOL, add, at, dec_and_test, life, load, store_register, test_register

# --- swap slots ----------------------------------------------------------------------------------


@primitive
def is_swap_pte() -> Op:
    """Outcome: is ``orig_pte``, which is not present, a swap entry?"""
    return test_register(o.orig_pte, codes.PTE_SWAP, "is_swap_pte")


@primitive
def set_pte_swap(key: Register) -> Op:
    """``set_pte_at`` of the swap entry of ``folio``."""
    return Op(
        codes.SET_PTE, "set_pte_at(swap entry)", place=Place(o.table, life(o.table)), src=key,
        src2=o.vm_page_prot, dst=o.folio, imm=codes.PTE_SWAP, line=Line(o.table, o.PTES, "rmw"),
        cost="set_pte",
    )  # fmt: skip


@primitive
def swap_duplicate() -> Op:
    """One entry more refers to the slot."""
    return add(at(o.folio, o.SWAP_COUNT), 1, "swap_duplicate")


@primitive
def swap_free() -> Op:
    """One entry less; outcome: was it the last, so that the slot is free?"""
    return dec_and_test(at(o.folio, o.SWAP_COUNT), "swap_free")


@primitive
def swap_read() -> Op:
    """Read the slot into ``swap_data``."""
    return load(at(o.folio, o.SWAP_DATA), o.swap_data)


@primitive
def swap_write() -> Op:
    """Write ``swap_data`` to the slot."""
    return store_register(at(o.folio, o.SWAP_DATA), o.swap_data)


@primitive
def page_read(register: Register) -> Op:
    """What an anonymous page holds, into ``swap_data``."""
    return load(at(register, o.PAGE_DATA), o.swap_data)


@primitive
def page_write(register: Register) -> Op:
    """``swap_data`` becomes what an anonymous page holds."""
    return store_register(at(register, o.PAGE_DATA), o.swap_data)


@primitive
def set_has_cache() -> Op:
    """Set SWAP_HAS_CACHE for a page that does not go to the swap cache; outcome: was it clear?"""
    return Op(
        codes.TRYLOCK, "swapcache_prepare", BOOL, place=at(o.folio, o.SWAP_HAS_CACHE),
        line=Line(o.folio, o.SWAP_HAS_CACHE, "rmw"), cost="atomic",
    )  # fmt: skip


@primitive
def clear_has_cache() -> Op:
    """Clear SWAP_HAS_CACHE."""
    return Op(
        codes.UNLOCK, "swapcache_clear", place=at(o.folio, o.SWAP_HAS_CACHE),
        line=Line(o.folio, o.SWAP_HAS_CACHE, "rmw"), cost="atomic",
    )  # fmt: skip
