"""The text of a race: a few actors, a small memory to start from, and what has to happen at least once."""

from __future__ import annotations

import hashlib
import json
from functools import cached_property
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from spfvar.errors import InputError, nearest, unknown
from spfvar.mm.vmf import Mapping
from spfvar.ops.properties import PROPERTIES
from spfvar.scenario.calls import check_call
from spfvar.scenario.sense import check_sense, is_contested
from spfvar.scenario.verbs import FILE_VERBS, MONITORING, PINNING, VERBS
from spfvar.shown import Shown

#: Bounds of a race's memory: every word of a state has 16 bits, and sets of pages or CPUs are bit masks.
MAX_PAGES = 32
MAX_ANON_PAGES = 14
MAX_THREADS = 14  # and the grace-period kthread

Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_-]*$")]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, validate_default=True)


class RaceFile(_Strict):
    """A file: which of its pages the page cache holds at the start; ``open``: a descriptor refers to it.

    ``folio_pages``: pages of each of its folios; a large one is never split.
    """

    name: Name
    pages: int = Field(default=1, ge=1, le=8)
    cached: Literal["all", "none"] = "all"
    open: bool = True
    folio_pages: Literal[1, 2] = 1


class RaceVma(_Strict):
    """A VMA, or a place for one that an actor maps: ``start`` and ``pages`` in pages.

    ``file`` names its file (none: anonymous); ``table``: does a page table exist; ``present``: which entry
    its pages have at the start; ``anon_vma``: does it have one.  ``mm``: its address space (the second one,
    1, has page numbers of its own).  ``write_notify``: its file wants to see the first write to a page.
    ``shares``: it is what fork made of that VMA; both have the same pages.  ``growsdown``: a stack that does
    not cover its lowest page yet; ``policy``: it has a memory policy.  ``swap``: its pages are in swap, on
    the device or (which saves the read) in the swap cache; "synchronous": each has a slot, where it is unless
    it is present, and where it may go again.  ``numa``: its present pages may be NUMA hints.  ``warm``: the
    first thread that runs in its mm has used its present entries: its TLB still has them.  ``pgoff``: its
    vm_pgoff; of two neighbours that can merge, the second one's goes on where the first one ends.
    """

    name: Name
    start: int = Field(ge=0, lt=MAX_PAGES)
    pages: int = Field(default=1, ge=1, le=8)
    mapped: bool = True
    mm: int = Field(default=0, ge=0, le=1)
    shares: str = ""
    growsdown: bool = False
    pgoff: int = Field(default=0, ge=0, lt=MAX_PAGES)
    policy: bool = False
    file: str = ""
    sharing: Literal["private", "shared"] = "private"
    prot: Literal["r", "rw"] = "rw"
    fault_around: int = Field(default=1, ge=1, le=16)
    map_pages: bool = True
    speculative: bool = True
    anon_vma: bool = True
    neighbours: bool = False
    userfault: bool = False
    swap: Literal["no", "cache", "device", "synchronous"] = "no"
    numa: bool = False
    write_notify: bool = False
    table: bool = True
    present: Literal["no", "zero", "file", "anon"] = "no"
    warm: bool = False

    @property
    def covers(self) -> int:
        """Its first page at the start: a stack does not cover its lowest one yet."""
        return self.start + self.growsdown

    @property
    def end(self) -> int:
        """One past the last page."""
        return self.start + self.pages

    @property
    def backed(self) -> bool:
        """Does it map a file?"""
        return bool(self.file)

    @property
    def range(self) -> tuple[int, int]:
        """First page, and one past the last."""
        return self.start, self.end

    def is_like(self, other: RaceVma) -> bool:
        """Do faults and calls that mean the one do the right thing with the other?"""
        return all(getattr(self, key) == getattr(other, key) for key in _KIND)

    def in_whole_tables(self, table_pages: int) -> bool:
        """Does it consist of all that some page tables map?"""
        return self.start % table_pages == 0 and self.pages % table_pages == 0


#: What of a VMA the texts branch on; whether it is a file's is among them, which file is not.
_KIND = ("backed", "sharing", "fault_around", "map_pages", "speculative", "neighbours", "userfault", "policy",
         "swap", "numa", "write_notify")  # fmt: skip


class RaceStatement(_Strict):
    """One step of an actor: exactly one verb, which names a VMA or a file, with its options.

    ``load`` and ``store`` are the user's accesses to page ``page`` of the VMA.  With ``exit`` the thread
    leaves the second address space, whose last VMA is the one named.  ``merge``: the VMA takes over the one
    behind it, ``to``; the rest of the program is run only if there was no memory for that.  ``move``
    (mremap), ``dontunmap`` (mremap that leaves the VMA behind) and ``fork`` need a free place ``to``, which
    lies in the page tables as the VMA does; ``fast``: by whole page tables.  ``fork_fails`` finds no memory
    for the VMA behind, whose place would be ``at``.  ``maps`` reads the VMA's range
    in /proc/pid/maps, ``smaps`` its entries, too.  ``collapse`` is khugepaged on anonymous memory,
    ``retract`` on a file's pages; ``map_over`` is mmap(MAP_FIXED) over the VMA that starts at the same page;
    ``truncate`` cuts the file off before page ``page``, ``punch`` and ``reclaim`` take that page away,
    ``migrate`` moves it to another place in memory, ``writeback`` writes from it on.  ``anon_rmap`` is a
    reverse-map walk that comes by the VMA's anon_vma; ``mkyoung`` is a fault on a page that may be mapped,
    for the sake of its accessed bit.  ``swapout`` is reclaim of an anonymous page.  With ``schedule`` the
    thread's CPU runs another task, and then the thread again.  ``pin`` takes a
    page for a device (to ``write`` to it; ``fast``: without locks), ``dma`` lets the device use it, ``unpin``
    gives it back; ``poke`` is a debugger's write, ``ksm_merge`` write-protects a page to share it.  ``ksm``,
    ``mrelease``, ``unuse`` (swapoff) and ``monitor`` (of a userfaultfd) look at an address space from
    outside, and may come when it has ended; the last two may find the child of a fork that fails.
    ``uffd_copy``, ``uffd_move`` and ``uffd_wp`` are a userfaultfd monitor's: with them in a race, who misses
    a page of a VMA with ``userfault`` waits for them, until the last monitor's program ends.
    ``get_user`` and ``put_user`` are the kernel's accesses on behalf of its user.  ``call`` runs a hook
    point, with the registers of the VMA or file ``on`` set (its address from ``page``), the facts of that VMA
    (a VmFault of a ``write``) for arguments, and the rest from ``args``; a Register by its name.
    """

    load: str | None = None
    store: str | None = None
    mmap: str | None = None
    munmap: str | None = None
    mprotect: str | None = None
    madvise: str | None = None
    grow: str | None = None
    shrink: str | None = None
    exit: str | None = None
    merge: str | None = None
    move: str | None = None
    dontunmap: str | None = None
    fork: str | None = None
    mbind: str | None = None
    maps: str | None = None
    smaps: str | None = None
    ksm: str | None = None
    mrelease: str | None = None
    unuse: str | None = None
    monitor: str | None = None
    fork_fails: str | None = None
    collapse: str | None = None
    map_over: str | None = None
    anon_rmap: str | None = None
    mkyoung: str | None = None
    swapout: str | None = None
    pin: str | None = None
    dma: str | None = None
    unpin: str | None = None
    poke: str | None = None
    ksm_merge: str | None = None
    schedule: str | None = None
    truncate: str | None = None
    punch: str | None = None
    reclaim: str | None = None
    migrate: str | None = None
    writeback: str | None = None
    retract: str | None = None
    get_user: str | None = None
    put_user: str | None = None
    uffd_copy: str | None = None
    uffd_move: str | None = None
    uffd_wp: str | None = None
    call: str | None = None

    to: str = ""
    at: str = ""
    fast: bool = False
    page: int = Field(default=0, ge=0)
    prot: Literal["r", "rw"] = "rw"
    on: str = ""
    write: bool = False
    args: dict[str, bool | int | str] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _one_verb(self) -> RaceStatement:
        verbs = [verb for verb in VERBS if getattr(self, verb) is not None]
        if len(verbs) != 1:
            found = " and ".join(verbs) or "no verb"
            raise InputError(f"a statement has {found}", expected=f"exactly one of {', '.join(VERBS)}")
        return self

    @cached_property
    def verb(self) -> str:
        """The statement's verb."""
        return next(verb for verb in VERBS if getattr(self, verb) is not None)

    @property
    def target(self) -> str:
        """The VMA or file that the verb names."""
        return str(getattr(self, self.verb))

    @property
    def extras(self) -> set[str]:
        """The keys besides the verb that say something."""
        return {key for key in _KEYS if key in self.model_dump(exclude_defaults=True)}


_KEYS = ("to", "at", "fast", "page", "prot", "on", "write", "args")
if set(RaceStatement.model_fields) != {*VERBS, *_KEYS}:
    unlike = ", ".join(sorted(set(RaceStatement.model_fields) ^ {*VERBS, *_KEYS}))
    raise TypeError(f"a verb has no field here, or no meaning in spfvar.scenario.verbs: {unlike}")


class Actor(_Strict):
    """``count`` threads that run the same program once; ``after``: when all of that actor's have ended."""

    name: Name
    after: str = ""
    count: int = Field(default=1, ge=1, le=MAX_THREADS)
    program: list[RaceStatement] = Field(min_length=1)


class Race(Shown, _Strict):
    """A race: all interleavings of its actors are explored under each variant.

    ``properties`` are those that it is about (all are checked); ``sometimes`` names primitives, as a trace
    shows them, that some interleaving has to execute: otherwise the race says nothing ("a or b": either will
    do).
    """

    kind: Literal["race"]
    title: str
    description: str = ""
    source: str = ""
    properties: list[str] = Field(min_length=1)
    sometimes: list[str] = Field(default_factory=list)
    table_pages: int = Field(default=2, ge=1, le=8)
    tlb: bool = False
    single_threaded: bool = False
    file: list[RaceFile] = Field(default_factory=list)
    vma: list[RaceVma] = Field(min_length=1)
    actor: list[Actor] = Field(min_length=1)

    @model_validator(mode="after")
    def _fits(self) -> Race:
        self._check_properties()
        self._check_names()
        self._check_vmas()
        self._check_folios()
        self._check_order()
        places = [
            (statement, f"actor[{a}].program[{s}].")
            for a, actor in enumerate(self.actor)
            for s, statement in enumerate(actor.program)
        ]
        for statement, where in places:
            self._check_target(statement, where)
        for statement, where in places:
            self.check_statement(statement, where)
        check_sense(self)
        if self.threads > MAX_THREADS:
            raise InputError(f"{self.threads} threads in all", key="actor", expected=f"at most {MAX_THREADS}")
        if self.table_pages & (self.table_pages - 1):
            raise InputError(
                f"{self.table_pages} is no power of 2", key="table_pages", expected="1, 2, 4 or 8"
            )
        return self

    def check_statement(self, statement: RaceStatement, where: str) -> None:
        """Names, pages and other keys, then what the verb needs of the memory."""
        verb = VERBS[statement.verb]
        self._check_target(statement, where)
        if verb.of == "hook point":
            check_call(self, statement, where)
            return
        pages = {item.name: item.pages for item in (self.file if verb.of == "file" else self.vma)}
        if statement.page >= pages[statement.target]:
            raise InputError(
                f"{verb.of} {statement.target!r} has no page {statement.page}",
                key=f"{where}page",
                expected=f"0 to {pages[statement.target] - 1}",
            )
        for need in verb.needs:
            if wrong := need.wrong(self, statement):
                raise InputError(
                    wrong, key=f"{where}{need.key or verb.name}", expected=need.expected(self, statement)
                )

    def _check_target(self, statement: RaceStatement, where: str) -> None:
        """What it names is there, and its keys are the verb's."""
        verb = VERBS[statement.verb]
        if verb.of != "hook point":
            names = [item.name for item in (self.file if verb.of == "file" else self.vma)]
            self._check_name(statement.target, names, f"{where}{verb.name}", verb.of)
        for key in sorted(statement.extras - set(verb.extras)):
            raise InputError(
                f"{verb.name} has no {key}", key=f"{where}{key}",
                expected=f"only {', '.join(verb.extras)}" if verb.extras else "nothing but the verb",
            )  # fmt: skip
        for key in ("to", "at"):
            if key in verb.extras:
                self._check_name(
                    getattr(statement, key), [vma.name for vma in self.vma], f"{where}{key}", "vma"
                )

    @staticmethod
    def _check_name(name: str, names: list[str], key: str, kind: str) -> None:
        if name not in names:
            raise InputError(
                f"no {kind} is called {name!r}",
                key=key,
                expected=", ".join(names) or "none",
                suggestion=nearest(name, names),
            )

    def _check_vmas(self) -> None:
        files = [file.name for file in self.file]
        for i, vma in enumerate(self.vma):
            if vma.file and vma.file not in files:
                raise InputError(
                    f"no file is called {vma.file!r}",
                    key=f"vma[{i}].file",
                    expected=", ".join(files) or "none",
                    suggestion=nearest(vma.file, files),
                )
            if vma.end > MAX_PAGES:
                raise InputError("the vma is too high", key=f"vma[{i}].start", expected=f"below {MAX_PAGES}")
            if vma.write_notify and vma.sharing != "shared":
                raise InputError("only shared mappings notify of writes", key=f"vma[{i}].write_notify")
            if vma.pgoff and vma.file and not vma.mapped:
                raise InputError("what is mapped later begins at page 0 of its file", key=f"vma[{i}].pgoff")
            if vma.file and vma.fault_around > 1 and self.mapping(vma).offset:
                raise InputError(
                    f"faults map single pages where a mapping of {vma.file!r} has a pgoff",
                    key=f"vma[{i}].fault_around", expected="1",
                )  # fmt: skip
            if vma.shares:
                self._check_shared(vma, f"vma[{i}].")
            if vma.sharing == "shared" and not vma.file:
                raise InputError("an anonymous vma cannot be shared", key=f"vma[{i}].sharing")
            for file in self.file:
                if vma.file == file.name and vma.pgoff + vma.pages > file.pages:
                    raise InputError(
                        f"file {file.name!r} has fewer pages",
                        key=f"vma[{i}].pages",
                        expected=f"at most {file.pages - vma.pgoff}",
                    )
            self._check_present(i, vma)
            if vma.warm and not (self.tlb and (vma.present != "no" or vma.shares)):
                raise InputError(
                    "no TLB has anything of it", key=f"vma[{i}].warm",
                    expected="a race with tlb = true, and a vma with present entries",
                )  # fmt: skip
            for other in self.vma[:i]:
                if vma.mapped and other.mapped and vma.covers < other.end and other.covers < vma.end:
                    raise InputError(f"overlaps vma {other.name!r}", key=f"vma[{i}].start")
                grows = vma.growsdown or other.growsdown
                if grows and other in self.overlapping(vma) and not vma.is_like(other):
                    raise InputError(
                        f"vma {vma.name!r} and vma {other.name!r}, of another kind, may lie at one page",
                        key=f"vma[{i}].start", expected="a stack that grows to a vma like it",
                    )  # fmt: skip
        populated = sum(vma.pages for vma in self.vma if vma.present == "anon")
        if populated > MAX_ANON_PAGES:
            raise InputError(
                f"{populated} anonymous pages are present", key="vma", expected=f"at most {MAX_ANON_PAGES}"
            )

    def _check_folios(self) -> None:
        """All have one size, and are mapped as they lie."""
        size = self.folio_pages
        for i, file in enumerate(self.file):
            if file.folio_pages != size or file.pages % size:
                raise InputError(
                    f"file {file.name!r} does not consist of folios of {size} pages, as others do",
                    key=f"file[{i}].folio_pages", expected=f"{size}, and as many pages or a multiple",
                )  # fmt: skip
        for i, vma in enumerate(self.vma):
            places = (vma.start, vma.pgoff if vma.file else 0, self.table_pages)
            if size > 1 and (any(place % size for place in places) or vma.swap != "no"):
                raise InputError(
                    f"vma {vma.name!r} does not lie as folios of {size} pages do", key=f"vma[{i}].start",
                    expected=f"start, pgoff and table_pages that are multiples of {size}, no swap",
                )  # fmt: skip

    def _check_present(self, i: int, vma: RaceVma) -> None:
        key = f"vma[{i}].present"
        if vma.present == "zero" and vma.file:
            raise InputError("a mapping of a file never has the zero page", key=key)
        if vma.present == "file" and not vma.file:
            raise InputError("an anonymous vma has no file pages", key=key)
        if vma.present == "file" and next(f.cached for f in self.file if f.name == vma.file) == "none":
            raise InputError("a page that is not cached cannot be mapped", key=key)
        if vma.present == "anon" and vma.sharing == "shared":
            raise InputError("a shared vma has no anonymous pages", key=key)
        if (vma.present == "anon" or vma.swap != "no") and not vma.anon_vma:
            raise InputError("a vma with anonymous pages has an anon_vma", key=key)
        present = ("no", "anon") if vma.swap == "synchronous" else ("no",)
        anonymous = not vma.file and vma.table and vma.mapped and not vma.shares
        if vma.swap != "no" and not (anonymous and vma.present in present):
            raise InputError(
                "only pages of anonymous memory that was there before are in swap", key=f"vma[{i}].swap",
                expected=f"a mapped vma without file, with a table, with present = {' or '.join(present)}",
            )  # fmt: skip

    def _check_properties(self) -> None:
        for i, name in enumerate(self.properties):
            if name not in PROPERTIES:
                raise unknown("property", name, PROPERTIES, key=f"properties[{i}]")

    def _check_order(self) -> None:
        """Nobody waits for itself, or for an actor that is not there."""
        after = {actor.name: actor.after for actor in self.actor}
        for i, actor in enumerate(self.actor):
            others = [name for name in after if name != actor.name]
            seen, name = {actor.name}, actor.after
            while name:
                if name not in after:
                    self._check_name(name, others, f"actor[{i}].after", "actor")
                if name in seen:
                    raise InputError(
                        f"actor {actor.name!r} waits for itself", key=f"actor[{i}].after",
                        expected="an actor that begins earlier",
                    )  # fmt: skip
                seen.add(name)
                name = after[name]

    def _check_names(self) -> None:
        """Each file, VMA and actor has a name of its own."""
        for kind, items in (("file", self.file), ("vma", self.vma), ("actor", self.actor)):
            names = [item.name for item in items]
            for i, name in enumerate(names):
                if name in names[:i]:
                    raise InputError(f"a second {kind} {name!r}", key=f"{kind}[{i}].name")

    def _check_shared(self, vma: RaceVma, where: str) -> None:
        others = [other for other in self.vma if other is not vma]
        if vma.shares not in [other.name for other in others]:
            raise InputError(
                f"no other vma is called {vma.shares!r}", key=f"{where}shares",
                expected=", ".join(other.name for other in others) or "none",
            )  # fmt: skip
        parent = self.vma_named(vma.shares)
        if parent.present != "anon" or parent.shares or (parent.pages, parent.file) != (vma.pages, vma.file):
            raise InputError(
                f"vma {vma.name!r} cannot share the pages of {parent.name!r}", key=f"{where}shares",
                expected="a vma of as many pages of the same file, with its own anonymous pages",
            )  # fmt: skip

    def vma_named(self, name: str) -> RaceVma:
        """The VMA of that name."""
        return next(vma for vma in self.vma if vma.name == name)

    def file_named(self, name: str) -> RaceFile:
        """The file of that name."""
        return next(file for file in self.file if file.name == name)

    @property
    def swapped(self) -> list[RaceVma]:
        """The VMAs whose pages are or may go to swap; their swap cache is a file behind those of the race."""
        return [vma for vma in self.vma if vma.swap != "no"]

    @property
    def folio_pages(self) -> int:
        """Pages of a folio."""
        return max((file.folio_pages for file in self.file), default=1)

    @property
    def mms(self) -> int:
        """Address spaces."""
        return 1 + max(vma.mm for vma in self.vma)

    def runs_in(self, actor: Actor, mm: int) -> bool:
        """Does the actor ever run in this address space?  Who only touches files does so in the first."""
        return any(
            self.mm_of(statement) == mm and not VERBS[statement.verb].outside for statement in actor.program
        )

    def keeps(self, actor: Actor, mm: int) -> int:
        """How many references to this mm_struct each thread of the actor has at the start (mm_count)."""
        return sum(
            self.mm_of(statement) == mm and VERBS[statement.verb].outside for statement in actor.program
        )

    def _monitors(self, vma: RaceVma) -> int:
        """Threads that fill missing pages of the VMA's address space."""
        return sum(
            actor.count
            for actor in self.actor
            if any(one.verb in MONITORING and self.mm_of(one) == vma.mm for one in actor.program)
        )

    def mm_of(self, statement: RaceStatement) -> int:
        """The address space that a statement is about; of a file, the first one."""
        if statement.verb in FILE_VERBS:
            return 0
        name = statement.on if statement.verb == "call" else statement.target
        return next((vma.mm for vma in self.vma if vma.name == name), 0)

    def overlapping(self, vma: RaceVma) -> list[RaceVma]:
        """Other VMAs, or places, that have a page in common with a VMA."""
        return [
            other for other in self.vma
            if other is not vma and other.mm == vma.mm and vma.start < other.end and other.start < vma.end
        ]  # fmt: skip

    def is_ever_mapped(self, vma: RaceVma) -> bool:
        """Is it there at the start, or does an actor map it?"""
        names = {
            statement.target if role == "target" else statement.to
            for actor in self.actor
            for statement in actor.program
            for role in VERBS[statement.verb].maps
        }
        return vma.mapped or vma.name in names

    def is_contested(self, vma: RaceVma) -> bool:
        """May something else be mapped where an actor maps the VMA, or where it, a stack, would grow?"""
        return is_contested(self, vma)

    def before(self, actor: Actor) -> list[Actor]:
        """The actors that have ended when it begins, the first one first."""
        found: list[Actor] = []
        while actor.after:
            actor = next(one for one in self.actor if one.name == actor.after)
            found.insert(0, actor)
        return found

    @property
    def threads(self) -> int:
        """Threads of all actors."""
        return sum(actor.count for actor in self.actor)

    def _calls(self, hook: str) -> bool:
        """Does a program call the hook point itself?"""
        return any(
            statement.verb == "call" and statement.target == hook
            for actor in self.actor
            for statement in actor.program
        )

    def mapping(self, vma: RaceVma) -> Mapping:
        """What the fault path branches on."""
        policy = vma.policy or any(
            statement.mbind == vma.name for actor in self.actor for statement in actor.program
        )
        verbs = {statement.verb for actor in self.actor for statement in actor.program}
        return Mapping(
            anonymous=not vma.file,
            shared=vma.sharing == "shared",
            fault_around=vma.fault_around,
            map_pages=vma.map_pages,
            speculative=vma.speculative,
            neighbours=vma.neighbours,
            userfault=vma.userfault,
            write_notify=vma.write_notify,
            growsdown=vma.growsdown,
            policy=policy,
            protected="mprotect" in verbs or vma.prot == "r",
            reclaims="writeback" in verbs,
            contested=self.is_contested(vma),
            migrates="migrate" in verbs and bool(vma.file),
            offset=any(other.pgoff for other in self.vma if other.file and other.file == vma.file),
            reaped="mrelease" in verbs,
            monitors=self._monitors(vma) if vma.userfault else 0,
            write_protects=vma.userfault and "uffd_wp" in verbs,
            pinned=vma.sharing == "private" and not verbs.isdisjoint(PINNING),
            read=bool(vma.file) and self._calls("filemap_read"),
            whole_tables="madvise" in verbs and vma.in_whole_tables(self.table_pages),
            swapped=vma.swap != "no",
            synchronous=vma.swap == "synchronous",
            numa=vma.numa,
            folio_pages=self.file_named(vma.file).folio_pages if vma.file else 1,
        )


def race_hash(race: Race) -> str:
    """Twelve hex digits of the race's content."""
    text = json.dumps(race.model_dump(mode="json"), sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:12]
