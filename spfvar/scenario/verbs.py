"""What the verbs of a race mean: one table for the schema's errors, `show`, the documentation and the hunt.

A verb says what it needs of the memory, what it maps and unmaps, and what must not run beside it, so that a
race is a program that processes could run.  What a verb *does* is its text (`spfvar.scenario.actors`); a verb
without a text, or a text without a verb here, does not load.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

if TYPE_CHECKING:
    from spfvar.scenario.race import Race, RaceStatement, RaceVma

#: Keys that a statement may have besides its verb.
Extra = Literal["page", "prot", "to", "at", "fast", "on", "write", "args"]
#: Pages that a verb maps, unmaps or takes: of the VMA that it names, of the one at ``to``, of a heap from
#: ``page`` on.
Role = Literal["target", "to", "tail"]


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


@dataclass(frozen=True, slots=True)
class Verb:
    """The meaning of a verb.

    ``does``: one line for a reader.  ``of``: what it names.  ``extras``: the other keys it has.  ``needs``:
    what has to hold of the memory at the start.  ``maps``, ``unmaps``: the pages that are mapped, or no
    longer, when it is done. ``claims``: pages that it takes because they are free (``over``: or that it frees
    first), so that no other thread may take them too.  ``whole``: its range is one VMA exactly; ``reshapes``:
    it changes where a VMA ends, so that it cannot run beside another thread's verb that is ``whole``.
    ``lasting``: its VMA is there until it is done. ``absent``: it means something where nothing is mapped.
    ``outside``: its thread is no user of the address space, whose mm_struct it has kept (mm_count) since
    before the race, and gives up in the end.  ``unfinished``: it makes an address space of its own that is
    never finished; ``finds``: so one may be found by it.
    ``looks``: it means no VMA of one kind, or looks which kind it has found.
    ``tries``: what it would take may not be free; then it fails, and what the program has behind it is not
    run.
    ``pin``: it "takes" a pin of a page, which its program has until it is dropped, "uses" it, or "drops" it.
    ``monitors``: its thread is a monitor of the mm's userfaultfd, for which who misses a page waits until the
    last such thread has ended; so it must not miss one itself.
    ``generated``: is it in the programs of a hunt?  Not, if nothing is known of what it does.
    """

    name: str
    does: str
    of: Literal["vma", "file", "hook point"] = "vma"
    extras: tuple[Extra, ...] = ()
    needs: tuple[Need, ...] = ()
    maps: tuple[Role, ...] = ()
    unmaps: tuple[Role, ...] = ()
    claims: tuple[Role, ...] = ()
    over: bool = False
    tries: bool = False
    looks: bool = False
    whole: bool = False
    reshapes: bool = False
    lasting: bool = False
    absent: bool = False
    outside: bool = False
    unfinished: bool = False
    finds: bool = False
    pin: Literal["", "takes", "uses", "drops"] = ""
    monitors: bool = False
    generated: bool = True


# --- needs ---------------------------------------------------------------------------------------


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


# --- the table -----------------------------------------------------------------------------------

VERBS: Final[dict[str, Verb]] = {
    verb.name: verb
    for verb in (
        Verb("load", "a user's read of page ``page``", extras=("page",)),
        Verb("store", "a user's write to page ``page``", extras=("page",), needs=(UNNOTIFIED,)),
        Verb(
            "get_user",
            "the kernel's read of page ``page`` of its user's memory: a fault without FAULT_FLAG_USER, which "
            "designs may send to mmap_lock",
            extras=("page",),
        ),
        Verb(
            "put_user",
            "the kernel's write to page ``page`` of its user's memory, faulting as get_user does",
            extras=("page",),
            needs=(UNNOTIFIED,),
        ),
        Verb(
            "mmap",
            "mmap of the VMA at its place; what the program has behind it runs only if that was free",
            needs=(
                OPEN_FILE,
                NOT_SWAPPED,
                ALIKE,
            ),
            maps=("target",),
            claims=("target",),
            tries=True,
        ),
        Verb("munmap", "munmap of the VMA", needs=(COVERED,), unmaps=("target",), whole=True),
        Verb("mprotect", "mprotect of the VMA to ``prot``", needs=(COVERED,), extras=("prot",), whole=True),
        Verb("madvise", "madvise(MADV_DONTNEED) of the VMA", needs=(COVERED,)),
        Verb(
            "grow",
            "brk that extends the heap over its pages from ``page`` on",
            extras=("page",),
            needs=(HEAP, BRK),
            maps=("tail",),
            claims=("tail",),
            over=True,
            reshapes=True,
        ),
        Verb(
            "shrink",
            "brk that gives the heap's pages from ``page`` on back",
            extras=("page",),
            needs=(HEAP, BRK),
            unmaps=("tail",),
            reshapes=True,
        ),
        Verb(
            "exit",
            "the thread leaves the second mm; the last one to leave unmaps the VMA",
            needs=(SECOND_MM,),
            unmaps=("target",),
            whole=True,
        ),
        Verb(
            "merge",
            "an mprotect after which the VMA and the one behind it, ``to``, are one; what the program "
            "has behind it runs only if there was no memory for that",
            extras=("to",),
            needs=(FOLLOWED, CONTINUED),
            whole=True,
            reshapes=True,
        ),
        Verb(
            "move",
            "mremap to the free place ``to``; ``fast``: by whole page tables",
            extras=("to", "fast"),
            needs=(COVERED, PLACE, SAME_MM, NOT_SWAPPED, FAST),
            maps=("to",),
            unmaps=("target",),
            claims=("to",),
            whole=True,
        ),
        Verb(
            "dontunmap",
            "mremap(MREMAP_DONTUNMAP) to the free place ``to``",
            extras=("to",),
            needs=(COVERED, PLACE, SAME_MM, NOT_SWAPPED),
            maps=("to",),
            claims=("to",),
            whole=True,
        ),
        Verb(
            "fork",
            "fork, of which the child's copy of the VMA is seen, at ``to`` in the other mm",
            extras=("to",),
            needs=(COVERED, PLACE, OTHER_MM, NOT_SWAPPED),
            maps=("to",),
            claims=("to",),
            whole=True,
        ),
        Verb(
            "fork_fails",
            "fork of the VMA and the one behind it, for which there is no memory: what the child would have "
            "at ``to`` and ``at`` in the other mm goes again",
            extras=("to", "at"),
            needs=(COVERED, PLACE, OTHER_MM, SECOND, NOT_SWAPPED),
            whole=True,
            unfinished=True,
        ),
        Verb("mbind", "mbind: another memory policy for the VMA", needs=(COVERED,), whole=True),
        Verb("maps", "a read of /proc/pid/maps over the VMA's range", absent=True, looks=True),
        Verb("smaps", "a read of /proc/pid/smaps: every entry of the VMA's range", absent=True),
        Verb(
            "ksm",
            "ksmd's look at every VMA of the second mm, whose mm_struct it keeps, and not its users",
            needs=(SECOND_MM,),
            absent=True,
            outside=True,
        ),
        Verb(
            "mrelease",
            "process_mrelease: the VMA's private pages are reaped, by somebody who keeps the mm_struct alone",
            needs=(SECOND_MM,),
            absent=True,
            outside=True,
        ),
        Verb(
            "unuse",
            "swapoff's look at every VMA of the second mm, which it becomes a user of if that still has any",
            needs=(SECOND_MM,),
            absent=True,
            outside=True,
            finds=True,
        ),
        Verb(
            "monitor",
            "a userfaultfd monitor that reads of a fork, and looks at every VMA of the child",
            needs=(SECOND_MM, MONITORED),
            absent=True,
            outside=True,
            finds=True,
        ),
        Verb(
            "collapse",
            "khugepaged on the VMA's anonymous page table",
            needs=(COVERED, ANONYMOUS, WHOLE_TABLES),
            whole=True,
        ),
        Verb(
            "map_over",
            "mmap(MAP_FIXED) of the VMA over the mapping that starts at the same page",
            needs=(OVER, OPEN_FILE, NOT_SWAPPED),
            maps=("target",),
            unmaps=("target",),
            claims=("target",),
            over=True,
            whole=True,
        ),
        Verb(
            "anon_rmap",
            "a reverse-map walk that comes to page ``page`` by the VMA's anon_vma",
            extras=("page",),
            needs=(THERE,),
            lasting=True,
        ),
        Verb(
            "swapout",
            "reclaim of the anonymous page at page ``page``, into its slot",
            extras=("page",),
            needs=(THERE, SWAPPABLE),
            lasting=True,
        ),
        Verb(
            "pin",
            "pin_user_pages of page ``page``, for a device that will read it, or ``write`` to it; ``fast``: "
            "without locks, if that can be",
            extras=("page", "write", "fast"),
            needs=(PRIVATE,),
            pin="takes",
        ),
        Verb(
            "dma",
            "the device writes to the page that is pinned, or, if it is pinned for that, reads what the "
            "process wrote",
            absent=True,
            pin="uses",
        ),
        Verb(
            "unpin",
            "unpin_user_page of the page that is pinned, which at the latest the end of the program does",
            absent=True,
            pin="drops",
        ),
        Verb(
            "poke",
            "a debugger's write to page ``page``, which the process may not be allowed to make "
            "(/proc/pid/mem: FOLL_FORCE)",
            extras=("page",),
            needs=(PRIVATE,),
        ),
        Verb(
            "ksm_merge",
            "ksmd write-protects the anonymous page at page ``page``, to share it",
            extras=("page",),
            needs=(PRIVATE,),
        ),
        Verb(
            "schedule",
            "the thread's CPU runs another task, which borrows the VMA's mm or not, then the thread again: "
            "flushes may pass it by",
            needs=(WITH_TLBS,),
        ),
        Verb(
            "mkyoung",
            "a read fault on page ``page``, mapped or not, for its accessed bit",
            extras=("page",),
            needs=(NOT_SWAPPED,),
        ),
        Verb(
            "truncate",
            "truncate: the file ends before page ``page``",
            of="file",
            extras=("page",),
            needs=(OPEN, WITHIN_FOLIO),
        ),
        Verb(
            "punch",
            "a hole is punched at page ``page`` of the file",
            of="file",
            extras=("page",),
            needs=(OPEN, SMALL_FOLIOS),
        ),
        Verb(
            "reclaim",
            "reclaim of page ``page`` of the file",
            of="file",
            extras=("page",),
            needs=(OPEN, SMALL_FOLIOS),
        ),
        Verb(
            "migrate",
            "migration of page ``page`` of the file",
            of="file",
            extras=("page",),
            needs=(OPEN, SMALL_FOLIOS),
        ),
        Verb(
            "writeback",
            "writeback of the file from page ``page`` on",
            of="file",
            extras=("page",),
            needs=(OPEN, SMALL_FOLIOS),
        ),
        Verb(
            "retract", "khugepaged on the file's pages", of="file", needs=(OPEN, SMALL_FOLIOS, AT_FIRST_PAGE)
        ),
        Verb(
            "uffd_copy",
            "a userfaultfd monitor fills page ``page``, if it is missing (UFFDIO_COPY)",
            extras=("page",),
            needs=(REGISTERED, NOT_SWAPPED, COVERED),
            looks=True,
            monitors=True,
        ),
        Verb(
            "uffd_move",
            "a userfaultfd monitor moves page ``page``, if it is the VMA's alone, to that page of ``to`` "
            "(UFFDIO_MOVE)",
            extras=("page", "to"),
            needs=(ANONYMOUS, NOT_SWAPPED, COVERED, DESTINATION, SAME_MM),
            whole=True,
            monitors=True,
        ),
        Verb(
            "uffd_wp",
            "a userfaultfd monitor write-protects the VMA, and lets who writes go (UFFDIO_WRITEPROTECT)",
            needs=(REGISTERED, NOT_SWAPPED, COVERED),
            whole=True,
            monitors=True,
        ),
        Verb(
            "call",
            "a hook point, such as one that a plugin declares for an actor of its own; ``on``: the VMA or "
            "file that it is about, ``args``: its other arguments",
            of="hook point",
            extras=("on", "page", "write", "args"),
            generated=False,
        ),
    )
}

#: The accesses of a thread: its own, and the kernel's for it.
ACCESSES: Final = ("load", "store", "get_user", "put_user")
#: With one of these in a race, PG_anon_exclusive says which pages are a process's own.
PINNING: Final = ("pin", "poke", "ksm_merge")
#: The calls of a userfaultfd's monitor.
MONITORING: Final = tuple(name for name, verb in VERBS.items() if verb.monitors)
FILE_VERBS: Final = tuple(name for name, verb in VERBS.items() if verb.of == "file")
