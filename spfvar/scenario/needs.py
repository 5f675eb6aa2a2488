"""Conditions on the statements of a race: what their verbs need of the memory, in words and as checks.

See `spfvar.scenario.verbs`, which says of each verb which of them it has.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from spfvar.scenario.race import Race, RaceStatement, RaceVma


@dataclass(frozen=True, slots=True)
class Need:
    """A condition on a statement.

    ``text`` says what it has to be, for a reader and in errors; ``wrong`` returns what is wrong in words, ""
    for nothing.  ``key`` is the statement's key to blame ("": the verb's own).  ``exact`` says for an error
    what would be right for the VMA ``vma`` of ``race``, as a template.
    """

    text: str
    wrong: Callable[[Race, RaceStatement], str]
    key: str = ""
    exact: str = ""

    def expected(self, race: Race, statement: RaceStatement) -> str:
        """What an error says that was expected."""
        if not self.exact:
            return self.text
        vma = _vma(race, statement)
        return self.exact.format(vma=vma, race=race, pgoff=vma.pgoff + vma.pages)


def _vma(race: Race, statement: RaceStatement) -> RaceVma:
    return race.vma_named(statement.target)


def _if(condition: Callable[[RaceVma], bool], words: str) -> Callable[[Race, RaceStatement], str]:
    """Wrong if the VMA that the statement names is so; ``words`` may hold its name."""

    def wrong(race: Race, statement: RaceStatement) -> str:
        vma = _vma(race, statement)
        return words.format(name=vma.name) if condition(vma) else ""

    return wrong


HEAP: Final = Need(
    "a vma of 2 pages or more", _if(lambda vma: vma.pages == 1, "a heap of one page has no tail")
)
BRK: Final = Need(
    "anonymous private memory",
    _if(lambda vma: bool(vma.file) or vma.growsdown, "vma {name!r} is no heap"),
)
SECOND_MM: Final = Need(
    "a vma with mm = 1", _if(lambda vma: vma.mm == 0, "the first address space never ends")
)
UNNOTIFIED: Final = Need(
    "loads only",
    _if(lambda vma: vma.write_notify, "vma {name!r} notifies of writes, which are not modelled"),
)
NOT_SWAPPED: Final = Need(
    "a vma without swap", _if(lambda vma: vma.swap != "no", "pages in swap, which are not modelled here")
)
SWAPPABLE: Final = Need(
    'a vma with swap = "synchronous"',
    _if(lambda vma: vma.swap != "synchronous", "the pages of vma {name!r} have no slots to go to"),
)
COVERED: Final = Need(
    "a vma without growsdown", _if(lambda vma: vma.growsdown, "vma {name!r} does not cover its lowest page")
)
THERE: Final = Need(
    "a vma that is mapped at the start", _if(lambda vma: not vma.mapped, "vma {name!r} comes later")
)
PRIVATE: Final = Need(
    "a private mapping",
    _if(lambda vma: vma.sharing == "shared", "what is in the shared pages of vma {name!r} is not modelled"),
)
WITH_TLBS: Final = Need(
    "tlb = true", lambda race, statement: "" if race.tlb else "no CPU has a TLB that could be out of date"
)
ANONYMOUS: Final = Need("an anonymous vma", _if(lambda vma: bool(vma.file), "vma {name!r} maps a file"))


def _closed(race: Race, statement: RaceStatement) -> str:
    file = race.file_named(statement.target)
    return "" if file.open else f"nobody has file {file.name!r} open"


def _not_open(race: Race, statement: RaceStatement) -> str:
    vma = _vma(race, statement)
    closed = vma.file and not race.file_named(vma.file).open
    return f"nobody has file {vma.file!r} open" if closed else ""


def _not_followed(race: Race, statement: RaceStatement) -> str:
    vma = _vma(race, statement)
    follows = any(other.name == statement.to and other.start == vma.end for other in race.vma)
    return "" if follows else f"vma {vma.name!r} is not followed by {statement.to!r}"


def _over_nothing(race: Race, statement: RaceStatement) -> str:
    vma = _vma(race, statement)
    there = any(v.mapped and not v.growsdown and v.mm == vma.mm and v.start == vma.start for v in race.vma)
    return "" if there else f"no mapping starts where vma {vma.name!r} does"


def _unlike(race: Race, statement: RaceStatement) -> str:
    vma = _vma(race, statement)
    if not race.is_contested(vma):
        return ""
    for other in race.overlapping(vma):
        if not race.is_ever_mapped(other):
            continue
        if not other.is_like(vma) or not (other.growsdown or other.range == vma.range):
            return f"vma {other.name!r}, of another kind or range, may lie where {vma.name!r} does"
    return ""


ALIKE: Final = Need("a place that is free, or that only vmas of the same kind and range take", _unlike)


def _of_large_folios(race: Race, statement: RaceStatement) -> str:
    file = race.file_named(statement.target)
    return (
        f"file {file.name!r} has large folios, of which that is not modelled" if file.folio_pages > 1 else ""
    )


def _not_within_last_folio(race: Race, statement: RaceStatement) -> str:
    file = race.file_named(statement.target)
    within = file.folio_pages == 1 or file.pages - file.folio_pages < statement.page
    return "" if within else f"page {statement.page} is not within the last folio of file {file.name!r}"


SMALL_FOLIOS: Final = Need("a file with folio_pages = 1", _of_large_folios)
WITHIN_FOLIO: Final = Need(
    "a page behind the first of the file's last folio, if its folios are large",
    _not_within_last_folio,
    "page",
)
OPEN: Final = Need("a file with open = true", _closed)
OPEN_FILE: Final = Need("a file with open = true", _not_open)


def _not_continued(race: Race, statement: RaceStatement) -> str:
    vma, to = _vma(race, statement), race.vma_named(statement.to)
    goes_on = (to.file, to.pgoff, to.prot) == (vma.file, vma.pgoff + vma.pages, vma.prot)
    return "" if goes_on and to.is_like(vma) else f"vma {to.name!r} cannot be one with {vma.name!r}"


CONTINUED: Final = Need(
    "a vma of the same kind, of one file, whose pgoff goes on where the first one's ends",
    _not_continued,
    "to",
    "pgoff = {pgoff}, all else as of {vma.name}",
)
FOLLOWED: Final = Need(
    "a vma that starts where it ends", _not_followed, "to", "a vma that starts at {vma.end}"
)
OVER: Final = Need(
    "a mapped vma that starts at the same page", _over_nothing, exact="a mapped vma at {vma.start}"
)


def _behind_first_page(race: Race, statement: RaceStatement) -> str:
    """A table that is taken away has to be one VMA's alone."""
    for vma in race.vma:
        if vma.file == statement.target and vma.pgoff:
            return f"vma {vma.name!r} begins at page {vma.pgoff}, so that another may share its page table"
    return ""


AT_FIRST_PAGE: Final = Need("a file that is mapped from its first page on", _behind_first_page)


def _not_whole_tables(race: Race, statement: RaceStatement) -> str:
    vma = _vma(race, statement)
    whole = vma.in_whole_tables(race.table_pages)
    return "" if whole else f"vma {vma.name!r} is not made of whole page tables"


WHOLE_TABLES: Final = Need("start and pages that are multiples of table_pages", _not_whole_tables)
FAST: Final = Need(
    WHOLE_TABLES.text,
    lambda race, statement: _not_whole_tables(race, statement) if statement.fast else "",
    "fast",
)


def _no_place(race: Race, statement: RaceStatement) -> str:
    vma, to = _vma(race, statement), race.vma_named(statement.to)
    fits = (
        to is not vma
        and not to.mapped
        and to.pages == vma.pages
        and (to.start - vma.start) % race.table_pages == 0
    )
    return "" if fits else f"{statement.verb} cannot put vma {vma.name!r} at {to.name!r}"


def _wrong_mm(other: bool) -> Callable[[Race, RaceStatement], str]:
    def wrong(race: Race, statement: RaceStatement) -> str:
        same = _vma(race, statement).mm == race.vma_named(statement.to).mm
        return f"{statement.verb} to {'the same' if same else 'another'} mm" if same == other else ""

    return wrong


PLACE: Final = Need(
    "a place that is not mapped, with as many pages, that lies in its page tables as the vma does",
    _no_place,
    "to",
    "a place that is not mapped, of {vma.pages} pages, in its page table "
    "as {vma.start} is in one of {race.table_pages}",
)


def _no_second(race: Race, statement: RaceStatement) -> str:
    vma, to, at = (race.vma_named(name) for name in (statement.target, statement.to, statement.at))
    behind = next(
        (other for other in race.vma if other.mapped and other.range == (vma.end, vma.end + at.pages)), None
    )
    fits = behind is not None and behind.mm == vma.mm and not behind.growsdown
    alone = all(other in (to, at) for other in race.vma if other.mm == to.mm)
    placed = not at.mapped and at.mm == to.mm and at.start == to.end
    return "" if fits and placed and alone else f"a fork of vma {vma.name!r} cannot fail at {at.name!r}"


SECOND: Final = Need(
    "the place behind ``to`` for the vma behind the first one, and no other in that mm",
    _no_second,
    "at",
    "a place that is not mapped and starts where ``to`` ends, of as many pages as the vma at {vma.end} "
    "has, and no third one in their mm",
)
MONITORED: Final = Need(
    "a vma with userfault = true", _if(lambda vma: not vma.userfault, "nobody monitors vma {name!r}")
)
REGISTERED: Final = Need(
    "an anonymous vma with userfault = true",
    _if(lambda vma: not vma.userfault or bool(vma.file), "no monitor fills vma {name!r}"),
)


def _nowhere_to(race: Race, statement: RaceStatement) -> str:
    to = race.vma_named(statement.to)
    fits = to.mapped and to.userfault and not to.file and to.swap == "no" and statement.page < to.pages
    fits = fits and to.name != statement.target
    return "" if fits else f"no monitor fills page {statement.page} of vma {to.name!r}"


DESTINATION: Final = Need(
    "another anonymous vma with userfault = true that is mapped at the start and has the page",
    _nowhere_to,
    "to",
)
SAME_MM: Final = Need("a place in the same mm", _wrong_mm(other=False), "to")
OTHER_MM: Final = Need("a place in the other mm", _wrong_mm(other=True), "to")
