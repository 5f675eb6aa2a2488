"""The memories that generated races start from: a few VMAs each, in every state they may be found in."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from itertools import product
from typing import Any, Final

from spfvar.scenario.race import Race, RaceVma

#: A VMA or a file as a table of a race's file.
Table = Mapping[str, Any]

#: How a VMA may be found, smallest first: what it has besides its range.
_STARTS: Final[tuple[dict[str, Any], ...]] = (
    {"table": False, "anon_vma": False},
    {"table": False},
    {"anon_vma": False},
    {},
    {"present": "zero", "anon_vma": False},
    {"present": "zero"},
    {"present": "file", "anon_vma": False},
    {"present": "file"},
    {"present": "anon"},
    {"present": "file", "warm": True},
    {"present": "anon", "warm": True},
)


@dataclass(frozen=True)
class Memory:
    """What a race starts from.

    ``vmas`` and ``files`` are tables as in a race's file; ``varied`` names the mapped VMAs that are tried in
    every state they may be found in.  ``used``: the VMAs that a program has to name, or a smaller memory
    would do.
    """

    name: str
    text: str
    vmas: tuple[Table, ...]
    files: tuple[Table, ...] = ()
    varied: tuple[str, ...] = ("map",)
    used: frozenset[str] = field(default=frozenset())
    table_pages: int = 2

    @cached_property
    def base(self) -> Race:
        """A race on it, whose actors are to be replaced."""
        return self.race([{"name": "reader", "program": [{"maps": self.vmas[0]["name"]}]}])

    @cached_property
    def starts(self) -> tuple[tuple[RaceVma, ...], ...]:
        """The VMAs of its races, in every state that they may be found in together; the emptiest first."""
        return tuple(self._starts())

    @cached_property
    def fullest(self) -> tuple[RaceVma, ...]:
        """The start with the most anonymous pages, which needs the most objects."""
        return max(self.starts, key=lambda vmas: sum(vma.pages for vma in vmas if vma.present == "anon"))

    def race(self, actors: list[dict[str, Any]], states: Mapping[str, Table] = {}) -> Race:
        """A race of these actors, its VMAs as in ``states``.  ValueError if it makes no sense."""
        vmas = [{**vma, **states.get(vma["name"], {})} for vma in self.vmas]
        return Race.model_validate(
            {
                "kind": "race",
                "title": "generated",
                "properties": ["P1"],
                "tlb": True,
                "table_pages": self.table_pages,
                "file": list(self.files),
                "vma": vmas,
                "actor": actors,
            }
        )

    def _starts(self) -> Iterator[tuple[RaceVma, ...]]:
        looks = self.base.model_dump(mode="json", exclude_defaults=True)["actor"]
        for chosen in product(_STARTS, repeat=len(self.varied)):
            try:
                yield tuple(self.race(looks, dict(zip(self.varied, chosen, strict=True))).vma)
            except ValueError:
                continue  # no VMA of this kind can be found so


def _vma(name: str, start: int, **more: Any) -> Table:
    return {"name": name, "start": start, **more}


def _place(name: str, start: int, **more: Any) -> Table:
    return {"name": name, "start": start, "mapped": False, **more}


_MAP: Final = frozenset({"map"})
_FILE: Final = ({"name": "data"},)
_PAGES: Final = ({"name": "data", "pages": 2},)
_CLOSED: Final = ({"name": "data", "open": False},)


def _both(*names: str) -> frozenset[str]:
    return frozenset(names)


MEMORIES: Final[dict[str, Memory]] = {
    memory.name: memory
    for memory in (
        Memory("anon", "an anonymous VMA of one page", (_vma("map", 0),), used=_MAP),
        Memory("file", "a private mapping of a file", (_vma("map", 0, file="data"),), _FILE, used=_MAP),
        Memory(
            "closed-file",
            "a private mapping of a file that nobody else has open",
            (_vma("map", 0, file="data"),),
            _CLOSED,
            used=_MAP,
        ),
        Memory(
            "shared",
            "a shared mapping of a file",
            (_vma("map", 0, file="data", sharing="shared"),),
            _FILE,
            used=_MAP,
        ),
        Memory(
            "uncached",
            "a private mapping of a file whose page has to be read",
            (_vma("map", 0, file="data"),),
            ({"name": "data", "cached": "none"},),
            used=_MAP,
        ),
        Memory(
            "file-pages",
            "a private mapping of two pages of a file",
            (_vma("map", 0, pages=2, file="data"),),
            _PAGES,
            used=_MAP,
        ),
        Memory(
            "around",
            "the same, and a fault maps both pages",
            (_vma("map", 0, pages=2, file="data", fault_around=2),),
            _PAGES,
            used=_MAP,
        ),
        Memory(
            "large-folio",
            "the same where both pages are one folio",
            (_vma("map", 0, pages=2, file="data", fault_around=2),),
            ({"name": "data", "pages": 2, "folio_pages": 2},),
            used=_MAP,
        ),
        Memory(
            "notify",
            "a place for a shared mapping of a file that wants to see the first write to a page",
            (_place("map", 0, file="data", sharing="shared", write_notify=True),),
            _FILE,
            varied=(),
            used=_MAP,
        ),
        Memory(
            "readonly", "an anonymous VMA that may not be written to", (_vma("map", 0, prot="r"),), used=_MAP
        ),
        Memory(
            "readonly-file",
            "a private mapping of a file that may not be written to",
            (_vma("map", 0, file="data", prot="r"),),
            _FILE,
            used=_MAP,
        ),
        Memory("heap", "an anonymous VMA of two pages", (_vma("map", 0, pages=2),), used=_MAP),
        Memory(
            "heap-tables",
            "an anonymous VMA of two pages, each in a page table of its own",
            (_vma("map", 0, pages=2),),
            table_pages=1,
            used=_MAP,
        ),
        Memory(
            "stack", "a stack that may grow by a page", (_vma("map", 0, pages=2, growsdown=True),), used=_MAP
        ),
        Memory("userfault", "a VMA of a userfaultfd", (_vma("map", 0, userfault=True),), used=_MAP),
        Memory(
            "userfault-over",
            "a VMA of a userfaultfd, and a shared mapping of a file over its place",
            (_vma("map", 0, userfault=True), _place("over", 0, file="data", sharing="shared")),
            _FILE,
            used=_both("map", "over"),
        ),
        Memory(
            "userfault-move",
            "an anonymous VMA, and one of a userfaultfd, each in a page table of its own",
            (_vma("from", 0), _vma("map", 2, userfault=True)),
            varied=("from", "map"),
            used=_both("from", "map"),
        ),
        Memory("numa", "anonymous pages that may be NUMA hints", (_vma("map", 0, numa=True),), used=_MAP),
        Memory("policy", "an anonymous VMA with a memory policy", (_vma("map", 0, policy=True),), used=_MAP),
        Memory(
            "swap-cache",
            "anonymous memory in swap, its page still cached",
            (_vma("map", 0, swap="cache"),),
            varied=(),
            used=_MAP,
        ),
        Memory("swap", "anonymous memory in swap", (_vma("map", 0, swap="device"),), varied=(), used=_MAP),
        Memory(
            "swap-slot",
            "anonymous memory on a synchronous swap device, where it may go again",
            (_vma("map", 0, swap="synchronous"),),
            varied=(),
            used=_MAP,
        ),
        Memory(
            "table",
            "an anonymous VMA that fills its page table, and a free place",
            (_vma("map", 0), _place("away", 1)),
            table_pages=1,
            used=_MAP,
        ),
        Memory(
            "file-table",
            "a mapping of a file that fills its page table, and a free place",
            (_vma("map", 0, file="data"), _place("away", 1, file="data")),
            _FILE,
            table_pages=1,
            used=_MAP,
        ),
        Memory(
            "place",
            "an anonymous VMA and a free place",
            (_vma("map", 0), _place("away", 2)),
            used=_both("map", "away"),
        ),
        Memory(
            "file-place",
            "a private mapping of a file and a free place for it",
            (_vma("map", 0, file="data"), _place("away", 2, file="data")),
            _FILE,
            used=_both("map", "away"),
        ),
        Memory(
            "neighbours",
            "two anonymous VMAs side by side in one page table",
            (_vma("map", 0), _vma("next", 1, pgoff=1)),
            varied=("map", "next"),
            used=_both("map", "next"),
        ),
        Memory(
            "file-neighbours",
            "two private mappings of one file, side by side",
            (_vma("map", 0, file="data"), _vma("next", 1, file="data", pgoff=1)),
            _PAGES,
            varied=("map", "next"),
            used=_both("map", "next"),
        ),
        Memory(
            "beside",
            "an anonymous VMA whose faults may share the anon_vma of the one behind it, and a free place",
            (_vma("map", 0, neighbours=True), _vma("next", 1), _place("away", 2)),
            used=_both("map", "next", "away"),
        ),
        Memory(
            "gap",
            "a gap in front of a VMA, which somebody reads the map of",
            (_place("range", 0, pages=2), _place("gap", 0), _vma("next", 1)),
            varied=(),
            used=_both("range", "gap", "next"),
        ),
        Memory(
            "over",
            "two private mappings of files, one over the other's place",
            (_vma("map", 0, file="data"), _place("over", 0, file="new")),
            (*_FILE, {"name": "new"}),
            used=_both("map", "over"),
        ),
        Memory(
            "fork",
            "an anonymous VMA, and where a child would have it",
            (_vma("map", 0), _place("child", 2, mm=1)),
            used=_both("map", "child"),
        ),
        Memory(
            "two-forked",
            "two anonymous VMAs of a userfaultfd, and where a child would have them",
            (
                _vma("map", 0, userfault=True),
                _vma("next", 1, userfault=True),
                _place("child", 2, mm=1, userfault=True),
                _place("later", 3, mm=1, userfault=True),
            ),
            used=_both("map", "child", "later"),
        ),
        Memory(
            "file-fork",
            "a private mapping of a file, and where a child would have it",
            (_vma("map", 0, file="data"), _place("child", 2, mm=1, file="data")),
            _FILE,
            used=_both("map", "child"),
        ),
        Memory(
            "child",
            "an anonymous page that a child shares",
            (_vma("map", 0, present="anon"), _vma("child", 2, mm=1, shares="map")),
            varied=(),
            used=_MAP,
        ),
        Memory(
            "child-table",
            "the same, where the VMA fills its page table and has a free place",
            (_vma("map", 0, present="anon"), _place("away", 1), _vma("child", 2, mm=1, shares="map")),
            varied=(),
            used=_both("map", "away", "child"),
            table_pages=1,
        ),
        Memory(
            "ending",
            "an anonymous VMA of a process that may end",
            (_vma("map", 0, mm=1),),
            used=_MAP,
        ),
        Memory(
            "second-mm",
            "an anonymous VMA, and another process that maps one",
            (_vma("map", 0), _place("theirs", 2, mm=1)),
            used=_both("map", "theirs"),
        ),
        Memory(
            "two-mms",
            "a private mapping of a file that another process maps, too",
            (_vma("map", 0, file="data"), _vma("theirs", 2, mm=1, file="data", present="file")),
            _FILE,
            used=frozenset({"data"}),
        ),
    )
}
