"""Pins: references of a page, and what a device's reads and writes say of the page at its address."""

from __future__ import annotations

import pytest

from spfvar.ops import codes as c
from spfvar.ops import objects as o
from spfvar.ops.op import Op
from spfvar.ops.paging import (
    alloc_page,
    page_add_new_anon_rmap,
    pte_put_back,
    pte_restore,
    pte_take,
    put_page,
    set_pte_of_child,
    zap_ptes,
)
from spfvar.ops.pinning import (
    dma,
    is_pinned,
    load_pins,
    page_anon_exclusive,
    pte_same_pinned,
    try_grab_folio,
    unpin_user_page,
)
from spfvar.ops.primitives import local_irq_disable
from tests.transition.bench import Bench
from tests.transition.test_pages import entry_of, one, writes

LOST = c.VIOLATIONS[c.V_LOST_WRITE]


def pinned(*ops: Op) -> Bench:
    """Page 0 is mapped at page 5 of the address space, and pinned there; then these ops."""
    run = one(alloc_page(o.old_page), try_grab_folio(), pte_same_pinned(), *ops, dma(True, o.old_page))
    run.step(0)
    run.state[run.pte_word(1, 5)] = entry_of(0)
    run.put(0, o.orig_pte, entry_of(0))
    assert (run.ask(0), run.ask(0)) == (0, 1)
    return run


def noted(run: Bench, address: int) -> int:
    """The page that has to stay at an address, or -1."""
    return int(run.state[run.layout.g[c.G_PINNED] + address]) - 1


def test_a_pin_is_more_references_than_a_page_has_otherwise() -> None:
    """folio_maybe_dma_pinned is about the count alone, whoever else has references."""
    run = one(alloc_page(o.old_page), load_pins(), is_pinned(), try_grab_folio(), load_pins(), is_pinned())
    run.steps(0, 0)
    run.put(0, o.scratch, c.PIN_BIAS - 1)  # as many as nobody has
    assert run.ask(0) == 0
    run.step(0)
    assert run.get(o.PAGE_REFS) == 1 + c.PIN_BIAS
    run.step(0)
    assert run.ask(0) == 1


def test_a_page_that_is_free_is_not_pinned() -> None:
    """try_get_folio: a count of 0 stays 0; in an interrupts-off section that is no use after free."""
    run = one(local_irq_disable(), alloc_page(), put_page(o.page), try_grab_folio())
    run.steps(0, 0)
    run.put(0, o.old_page, 0)
    run.step(0)
    assert (run.ask(0), run.get(o.PAGE_REFS)) == (1, 0)


def test_the_last_pin_frees_a_page_that_is_unmapped() -> None:
    """And the reference is gone from the register."""
    run = pinned(put_page(o.page), unpin_user_page(o.old_page))
    run.put(0, o.page, 0)
    run.step(0)
    assert run.life(o.PAGE, 0) == c.LIVE
    run.step(0)
    assert run.life(o.PAGE, 0) != c.LIVE
    assert (run.register(0, o.old_page), noted(run, 5)) == (-1, -1)


def test_a_device_s_write_is_expected_where_the_page_is_pinned() -> None:
    """Written once: the page holds it, and so must page 5, whatever is mapped there at the end."""
    run = pinned()
    assert noted(run, 5) == 0
    run.step(0)
    assert (run.get(o.PAGE_DATA), writes(run, 5), writes(run, 4)) == (1, 1, 0)


def test_a_device_reads_what_the_user_wrote() -> None:
    """The user's write went to another page: what is expected at page 5 is not what the pinned one has."""
    run = pinned(dma(False, o.old_page), dma(False, o.old_page))
    assert run.step(0) == "ok"
    run.state[run.layout.g[c.G_WRITES] + 5] = 1
    assert run.step(0) == LOST


def test_what_was_unmapped_is_the_device_s_alone() -> None:
    """A zap throws the content away: later writes to the page say nothing of what is mapped there next."""
    run = pinned(zap_ptes(), dma(False, o.old_page))
    run.put(0, o.cursor, 5)
    run.put(0, o.limit, 6)
    run.step(0)
    run.state[run.layout.g[c.G_WRITES] + 5] = 3
    assert (noted(run, 5), run.step(0)) == (-1, "ok")
    run.step(0)
    assert writes(run, 5) == 3


def test_a_pin_moves_with_its_page() -> None:
    """mremap from page 5 to page 7: the device's writes are expected there."""
    run = pinned(pte_take(), pte_restore(o.cursor, o.address))
    run.put(0, o.cursor, 7)
    run.steps(0, 0, 0)
    assert (noted(run, 5), noted(run, 7), writes(run, 7)) == (-1, 0, 1)


def test_a_page_has_to_stay_as_long_as_anybody_pins_it() -> None:
    """The first of two unpins changes nothing, the second ends it."""
    run = pinned(try_grab_folio(), unpin_user_page(o.page), unpin_user_page(o.old_page))
    run.put(0, o.page, 0)
    run.steps(0, 0)
    assert (noted(run, 5), run.get(o.PAGE_REFS)) == (0, 1 + c.PIN_BIAS)
    run.step(0)
    assert (noted(run, 5), run.get(o.PAGE_REFS)) == (-1, 1)


@pytest.mark.parametrize(("writable", "bits"), [(True, c.PTE_WRITE), (False, 0)])
def test_an_entry_is_put_back_with_what_is_expected_there(writable: bool, bits: int) -> None:
    """Taken and set again at page 5: the user's two writes are still expected, with or without permission."""
    run = one(pte_take(), pte_put_back(o.address, writable))
    run.state[run.pte_word(1, 5)] = entry_of(2)
    run.state[run.layout.g[c.G_WRITES] + 5] = 2
    run.steps(0, 0)
    assert (run.pte(1, 5) & c.PTE_WRITE, run.pte(1, 5) | c.PTE_WRITE) == (bits, entry_of(2))
    assert writes(run, 5) == 2


def test_a_child_s_copy_defines_what_is_expected_there() -> None:
    """Where nothing was mapped, 0 writes were expected; the copy comes with 3 of the parent's."""
    run = one(alloc_page(), set_pte_of_child(o.address, o.table))
    run.step(0)
    run.set(o.PAGE_DATA, 3)
    run.put(0, o.vm_page_prot, 1)
    run.step(0)
    assert (writes(run, 5), run.pte(1, 5)) == (3, entry_of(0))


def test_a_new_page_is_exclusive_once_it_is_in_the_reverse_map() -> None:
    """page_add_new_anon_rmap sets PG_anon_exclusive where somebody looks at it."""
    run = one(alloc_page(), page_add_new_anon_rmap(), page_anon_exclusive(o.page))
    run.steps(0, 0)
    assert run.ask(0) == 1
