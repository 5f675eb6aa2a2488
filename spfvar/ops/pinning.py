"""Constructors of primitives on pinned pages: what get_user_pages takes, and what a device does with it.

As in the kernel, a pin of a small page is so much of its reference count (GUP_PIN_COUNTING_BIAS), and
PG_anon_exclusive says that an anonymous page belongs to one process, so that it may be pinned.
"""

from __future__ import annotations

from spfvar.ops import codes
from spfvar.ops import objects as o
from spfvar.ops.op import Op, primitive
from spfvar.ops.places import Line, Place, Register
from spfvar.ops.primitives import BOOL, NULL, at, equals, life, load, store, test_register

# --- pinned pages --------------------------------------------------------------------------------


@primitive
def try_grab_folio(register: Register = o.old_page) -> Op:
    """Pin a page, which may have been freed since somebody saw it mapped; outcome: "ok" or "zero"."""
    place = at(register, o.PAGE_REFS)
    return Op(
        codes.INC_NOT_ZERO, "try_grab_folio", ("ok", "zero"), place=place, imm=NULL, imm2=codes.PIN_BIAS,
        line=Line(register, o.PAGE_REFS, "rmw"), cost="atomic", typesafe=True,
    )  # fmt: skip


@primitive
def unpin_user_page(register: Register, name: str = "unpin_user_page") -> Op:
    """Drop a pin; the last reference frees the page, which then no TLB may hold."""
    place = at(register, o.PAGE_REFS)
    return Op(codes.PAGE_PUT, name, place=place, imm=codes.PIN_BIAS, cost="atomic")


@primitive
def load_pins(register: Register = o.old_page) -> Op:
    """The page's reference count, pins and all, for `is_pinned`."""
    return load(at(register, o.PAGE_REFS), o.scratch)


@primitive
def is_pinned() -> Op:
    """Outcome: were there pins in the count that was loaded?"""
    return test_register(o.scratch, -codes.PIN_BIAS, "folio_maybe_dma_pinned")


@primitive
def page_anon_exclusive(register: Register = o.old_page) -> Op:
    """Outcome: is the page one process's own?"""
    return equals(at(register, o.PAGE_EXCLUSIVE), 1, "PageAnonExclusive")


@primitive
def set_page_anon_exclusive(exclusive: bool, register: Register = o.old_page) -> Op:
    """The page is one process's own, or may be shared from now on."""
    return store(at(register, o.PAGE_EXCLUSIVE), int(exclusive))


@primitive
def pte_same_pinned(name: str = "pte_same") -> Op:
    """Outcome: does the entry still hold ``orig_pte``, whose page is pinned?

    If it does, the page has to stay there as long as it is pinned, unless the process unmaps it or asks for
    its content to be thrown away.
    """
    return Op(
        codes.PTE_SAME, name, BOOL, place=Place(o.table, life(o.table)), src=o.address, src2=o.orig_pte,
        imm=1, line=Line(o.table, o.PTES, "read"),
    )  # fmt: skip


@primitive
def dma(write: bool, register: Register = o.pinned_page, name: str = "") -> Op:
    """A device writes to a pinned page, or reads what the process wrote to it."""
    name = name or ("DMA to the page" if write else "DMA from the page")
    return Op(codes.PAGE_DMA, name, place=Place(register, o.PAGE_DATA), imm=int(write), cost="free")
