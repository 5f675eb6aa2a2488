"""The verbs of pins, and of who may not have what is pinned: a debugger that writes, ksmd."""

from __future__ import annotations

from spfvar.mm import hookspecs as hooks
from spfvar.mm.vmf import FORCE, VmFault
from spfvar.ops import objects as o
from spfvar.ops.op import Steps
from spfvar.ops.pinning import dma, unpin_user_page
from spfvar.ops.primitives import copy_register, is_null, set_null, set_register
from spfvar.scenario.calls import about
from spfvar.scenario.race import Actor, Race, RaceStatement, RaceVma


def pin(race: Race, vma: RaceVma, statement: RaceStatement) -> Steps:
    """pin_user_pages; where there is no page, nothing is pinned."""
    vmf = VmFault(statement.write, race.mapping(vma), user=False)
    yield from about(race, vma, statement.page)
    if (yield from (hooks.pin_user_pages_fast(vmf) if statement.fast else hooks.pin_user_pages(vmf))):
        yield copy_register(o.pinned_page, o.old_page)
        yield set_null(o.old_page)


def use_pin(actor: Actor, statement: RaceStatement) -> Steps:
    """The device does what the page was pinned for."""
    before = actor.program[: next(n for n, one in enumerate(actor.program) if one is statement)]
    last = [one for one in before if one.verb == "pin"][-1]
    if not (yield is_null(o.pinned_page)):
        yield dma(last.write)


def unpin() -> Steps:
    """unpin_user_page of what is pinned, if anything is."""
    if not (yield is_null(o.pinned_page)):
        yield unpin_user_page(o.pinned_page)


def poke(race: Race, vma: RaceVma, statement: RaceStatement) -> Steps:
    """A debugger's write."""
    yield from about(race, vma, statement.page)
    yield from hooks.access_remote_vm(VmFault(True, race.mapping(vma), frozenset((FORCE,)), user=False))


def ksm_merge(race: Race, vma: RaceVma, statement: RaceStatement) -> Steps:
    """ksmd on one page of a VMA."""
    yield set_register(o.range_start, vma.start)
    yield set_register(o.range_end, vma.end)
    yield set_register(o.cursor, vma.start + statement.page)
    yield from hooks.write_protect_page()
