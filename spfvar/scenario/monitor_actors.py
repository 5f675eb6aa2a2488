"""The verbs of a userfaultfd's monitor."""

from __future__ import annotations

from collections.abc import Callable

from spfvar.mm import hookspecs as hooks
from spfvar.mm.userfault import both_end, both_start
from spfvar.mm.userfault_wait import begin_ioctl, userfaultfd_release, wake_userfault
from spfvar.mm.vmf import VmFault
from spfvar.ops import objects as o
from spfvar.ops.op import Steps
from spfvar.ops.primitives import set_register
from spfvar.scenario.race import Actor, Race, RaceStatement, RaceVma
from spfvar.scenario.verbs import MONITORING


def _ioctl(race: Race, vma: RaceVma, statement: RaceStatement) -> Steps:
    yield from begin_ioctl()
    yield from _CALLS[statement.verb](race, vma, statement)
    yield from wake_userfault()


def _copy(race: Race, vma: RaceVma, statement: RaceStatement) -> Steps:
    page = vma.start + statement.page
    yield set_register(o.address, page)
    yield set_register(o.range_start, page)
    yield set_register(o.range_end, page + 1)
    yield from hooks.mfill_atomic(VmFault(True, race.mapping(vma), user=False))


def _move(race: Race, vma: RaceVma, statement: RaceStatement) -> Steps:
    to = race.vma_named(statement.to)
    page, new = vma.start + statement.page, to.start + statement.page
    yield set_register(o.range_start, page)
    yield set_register(o.range_end, page + 1)
    yield set_register(o.new_start, new)
    yield set_register(o.new_end, new + 1)
    yield set_register(both_start, min(page, new))
    yield set_register(both_end, max(page, new) + 1)
    same_table = page // race.table_pages == new // race.table_pages
    vmf = VmFault(True, race.mapping(to), user=False)
    yield from hooks.move_pages(vmf, same_table, new < page)


def _write_protect(race: Race, vma: RaceVma, statement: RaceStatement) -> Steps:
    yield set_register(o.range_start, vma.start)
    yield set_register(o.range_end, vma.end)
    yield from hooks.mwriteprotect_range(race.mapping(vma))


def close_userfaultfd(race: Race, actor: Actor) -> Steps:
    """The end of a monitor's program, in every address space that it fills."""
    spaces = {
        race.vma_named(statement.target).mm for statement in actor.program if statement.verb in MONITORING
    }
    for mm in sorted(spaces):
        if race.mms > 1:
            yield set_register(o.mm, mm)
        yield from userfaultfd_release()


_CALLS: dict[str, Callable[[Race, RaceVma, RaceStatement], Steps]] = {
    "uffd_copy": _copy,
    "uffd_move": _move,
    "uffd_wp": _write_protect,
}
MONITOR_STATEMENTS = dict.fromkeys(_CALLS, _ioctl)
