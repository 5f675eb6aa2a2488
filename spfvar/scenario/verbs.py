"""What the verbs of a race mean: one table for the schema's errors, `show`, the documentation and the hunt.

A verb says what it needs of the memory, what it maps and unmaps, and what must not run beside it, so that a
race is a program that processes could run.  What a verb *does* is its text (`spfvar.scenario.actors`); a verb
without a text, or a text without a verb here, does not load.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

from spfvar.scenario.needs import (
    ALIKE,
    ANONYMOUS,
    AT_FIRST_PAGE,
    BRK,
    CONTINUED,
    COVERED,
    DESTINATION,
    FAST,
    FOLLOWED,
    HEAP,
    MONITORED,
    NOT_SWAPPED,
    OPEN,
    OPEN_FILE,
    OTHER_MM,
    OVER,
    PLACE,
    PRIVATE,
    REGISTERED,
    SAME_MM,
    SECOND,
    SECOND_MM,
    SMALL_FOLIOS,
    SWAPPABLE,
    THERE,
    UNNOTIFIED,
    WHOLE_TABLES,
    WITH_TLBS,
    WITHIN_FOLIO,
    Need,
)

#: Keys that a statement may have besides its verb.
Extra = Literal["page", "prot", "to", "at", "fast", "on", "write", "args"]
#: Pages that a verb maps, unmaps or takes: of the VMA that it names, of the one at ``to``, of a heap from
#: ``page`` on.
Role = Literal["target", "to", "tail"]


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
    elsewhere: bool = False
    unfinished: bool = False
    finds: bool = False
    pin: Literal["", "takes", "uses", "drops"] = ""
    monitors: bool = False
    generated: bool = True


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
        Verb(
            "maps", "a read of /proc/pid/maps over the VMA's range", absent=True, looks=True, elsewhere=True
        ),
        Verb(
            "smaps", "a read of /proc/pid/smaps: every entry of the VMA's range", absent=True, elsewhere=True
        ),
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
            elsewhere=True,
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
            elsewhere=True,
        ),
        Verb(
            "swapout",
            "reclaim of the anonymous page at page ``page``, into its slot",
            extras=("page",),
            needs=(THERE, SWAPPABLE),
            lasting=True,
            elsewhere=True,
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
            elsewhere=True,
        ),
        Verb(
            "ksm_merge",
            "ksmd write-protects the anonymous page at page ``page``, to share it",
            extras=("page",),
            needs=(PRIVATE,),
            elsewhere=True,
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
            elsewhere=True,
        ),
        Verb(
            "punch",
            "a hole is punched at page ``page`` of the file",
            of="file",
            extras=("page",),
            needs=(OPEN, SMALL_FOLIOS),
            elsewhere=True,
        ),
        Verb(
            "reclaim",
            "reclaim of page ``page`` of the file",
            of="file",
            extras=("page",),
            needs=(OPEN, SMALL_FOLIOS),
            elsewhere=True,
        ),
        Verb(
            "migrate",
            "migration of page ``page`` of the file",
            of="file",
            extras=("page",),
            needs=(OPEN, SMALL_FOLIOS),
            elsewhere=True,
        ),
        Verb(
            "writeback",
            "writeback of the file from page ``page`` on",
            of="file",
            extras=("page",),
            needs=(OPEN, SMALL_FOLIOS),
            elsewhere=True,
        ),
        Verb(
            "retract",
            "khugepaged on the file's pages",
            of="file",
            needs=(OPEN, SMALL_FOLIOS, AT_FIRST_PAGE),
            elsewhere=True,
        ),
        Verb(
            "uffd_copy",
            "a userfaultfd monitor fills page ``page``, if it is missing (UFFDIO_COPY)",
            extras=("page",),
            needs=(REGISTERED, NOT_SWAPPED, COVERED),
            looks=True,
            monitors=True,
            elsewhere=True,
        ),
        Verb(
            "uffd_move",
            "a userfaultfd monitor moves page ``page``, if it is the VMA's alone, to that page of ``to`` "
            "(UFFDIO_MOVE)",
            extras=("page", "to"),
            needs=(ANONYMOUS, NOT_SWAPPED, COVERED, DESTINATION, SAME_MM),
            whole=True,
            monitors=True,
            elsewhere=True,
        ),
        Verb(
            "uffd_wp",
            "a userfaultfd monitor write-protects the VMA, and lets who writes go (UFFDIO_WRITEPROTECT)",
            needs=(REGISTERED, NOT_SWAPPED, COVERED),
            whole=True,
            monitors=True,
            elsewhere=True,
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
