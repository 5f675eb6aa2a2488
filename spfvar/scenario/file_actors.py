"""The verbs of actors that come from a file, from reclaim or from khugepaged, and mmap over a mapping."""

from __future__ import annotations

from collections.abc import Callable

from spfvar.mm import hookspecs as hooks
from spfvar.mm.khugepaged import rmap_walk_anon
from spfvar.mm.vmf import VmFault
from spfvar.ops import objects as o
from spfvar.ops.op import Steps
from spfvar.ops.primitives import set_register
from spfvar.scenario.calls import about
from spfvar.scenario.race import Race, RaceStatement, RaceVma


def _file(race: Race, statement: RaceStatement, one_page: bool = False) -> Steps:
    """The call's file, and its pages from ``page`` on, or that one page."""
    number = [file.name for file in race.file].index(statement.target)
    yield set_register(o.mapped_file, number)
    yield set_register(o.file_start, statement.page)
    yield set_register(o.file_end, statement.page + 1 if one_page else race.file[number].pages)


def _truncate(race: Race, statement: RaceStatement) -> Steps:
    yield from _file(race, statement)
    yield from hooks.truncate_pagecache(race.file_named(statement.target).folio_pages > 1)


def _punch(race: Race, statement: RaceStatement) -> Steps:
    yield from _file(race, statement, one_page=True)
    yield from hooks.truncate_pagecache_range()


def _reclaim(race: Race, statement: RaceStatement) -> Steps:
    yield from _file(race, statement, one_page=True)
    yield from hooks.shrink_folio_list()


def _migrate(race: Race, statement: RaceStatement) -> Steps:
    yield from _file(race, statement, one_page=True)
    yield from hooks.unmap_and_move()


def _writeback(race: Race, statement: RaceStatement) -> Steps:
    yield from _file(race, statement)
    yield from hooks.writepages()


def _retract(race: Race, statement: RaceStatement) -> Steps:
    yield from _file(race, statement)
    yield from hooks.collapse_file()


def collapse(race: Race, vma: RaceVma, statement: RaceStatement) -> Steps:
    """khugepaged on the anonymous page table of a VMA."""
    yield set_register(o.range_start, vma.start)
    yield set_register(o.range_end, vma.end)
    yield from hooks.collapse_huge_page()


def mkyoung(race: Race, vma: RaceVma, statement: RaceStatement) -> Steps:
    """A read whose entry may be present: the hardware wants its accessed bit set."""
    yield set_register(o.address, vma.start + statement.page)
    yield from hooks.do_user_addr_fault(VmFault(False, race.mapping(vma)))


def anon_rmap(race: Race, vma: RaceVma, statement: RaceStatement) -> Steps:
    """A reverse-map walk that comes to a VMA, mapped from the start, by its anon_vma."""
    yield set_register(o.rmap_vma, [other.name for other in race.vma if other.mapped].index(vma.name))
    yield set_register(o.cursor, vma.start + statement.page)
    yield from rmap_walk_anon()


def swapout(race: Race, vma: RaceVma, statement: RaceStatement) -> Steps:
    """Reclaim of one anonymous page of a VMA."""
    yield from about(race, vma, statement.page)
    yield set_register(o.cursor, vma.start + statement.page)
    yield from hooks.swap_out(race.mapping(vma))


def map_over(race: Race, vma: RaceVma, statement: RaceStatement) -> Steps:
    """mmap(MAP_FIXED) of a VMA over the one that lies there."""
    old = next(other for other in race.vma if other.mapped and other.start == vma.start)
    yield set_register(o.range_start, vma.start)
    yield set_register(o.range_end, vma.end)
    if vma.file:
        yield set_register(o.mapped_file, [file.name for file in race.file].index(vma.file))
    yield from hooks.mmap_fixed(race.mapping(vma), race.mapping(old))


FILE_STATEMENTS: dict[str, Callable[[Race, RaceStatement], Steps]] = {
    "truncate": _truncate,
    "punch": _punch,
    "reclaim": _reclaim,
    "migrate": _migrate,
    "writeback": _writeback,
    "retract": _retract,
}
