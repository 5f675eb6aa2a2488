"""The verbs of actors that are no users of the address space that they look at."""

from __future__ import annotations

from collections.abc import Callable

from spfvar.mm import hookspecs as hooks
from spfvar.ops import objects as o
from spfvar.ops.op import Steps
from spfvar.ops.primitives import set_register
from spfvar.scenario.race import Race, RaceStatement, RaceVma


def _whole_mm(race: Race, vma: RaceVma) -> Steps:
    """From the first place of the VMA's address space to the last one."""
    theirs = [other for other in race.vma if other.mm == vma.mm]
    yield set_register(o.range_start, min(other.start for other in theirs))
    yield set_register(o.range_end, max(other.end for other in theirs))


def _ksm(race: Race, vma: RaceVma, statement: RaceStatement) -> Steps:
    yield from _whole_mm(race, vma)
    yield from hooks.scan_get_next_rmap_item(race.mapping(vma))


def _mrelease(race: Race, vma: RaceVma, statement: RaceStatement) -> Steps:
    yield set_register(o.range_start, vma.start)
    yield set_register(o.range_end, vma.end)
    yield from hooks.process_mrelease(race.mapping(vma))


def _unuse(race: Race, vma: RaceVma, statement: RaceStatement) -> Steps:
    yield from _whole_mm(race, vma)
    yield from hooks.try_to_unuse(race.mapping(vma))


def _monitor(race: Race, vma: RaceVma, statement: RaceStatement) -> Steps:
    yield from _whole_mm(race, vma)
    yield from hooks.resolve_userfault_fork(race.mapping(vma))


OUTSIDE_STATEMENTS: dict[str, Callable[[Race, RaceVma, RaceStatement], Steps]] = {
    "ksm": _ksm,
    "mrelease": _mrelease,
    "unuse": _unuse,
    "monitor": _monitor,
}
