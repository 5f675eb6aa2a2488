"""The kinds of faults that designs differ in, each as a small world with one fault."""

from __future__ import annotations

from dataclasses import dataclass, field

from spfvar.faultpaths.small import Facts
from spfvar.scenario.race import RaceFile, RaceVma


@dataclass(frozen=True)
class FaultKind:
    """A kind of fault.  ``answers``: open outcomes that make it this kind, by primitive, as numbers."""

    name: str
    title: str
    vma: RaceVma
    fault: Facts
    file: RaceFile | None = None
    answers: dict[str, int] = field(default_factory=dict)


def _kind(
    name: str, title: str, write: bool = False, *, user: bool = True, cached: str = "all",
    answers: dict[str, int] | None = None, extra: tuple[tuple[str, bool], ...] = (), **vma: object,
) -> FaultKind:  # fmt: skip
    region = RaceVma.model_validate({"name": "map", "start": 0, "pages": 2, **vma})
    file = RaceFile.model_validate({"name": "data", "pages": 2, "cached": cached}) if region.file else None
    fault = Facts("map", write=write, user=user, extra=extra)
    return FaultKind(name, title, region, fault, file, answers or {})


FAULT_KINDS: tuple[FaultKind, ...] = (
    _kind("anon-write", "first write to an anonymous page", True),
    _kind("anon-read", "first read of an anonymous page (zero page)"),
    _kind("no-anon-vma", "first write in a VMA, which has no anon_vma yet", True, anon_vma=False),
    _kind("no-table", "first fault of 2 MiB, which have no page table yet", True, table=False),
    _kind("present", "page present, accessed bit to be set", present="anon"),
    _kind("wp", "write to a write-protected page, which is copied", True, present="zero"),
    _kind("swap-cache", "page in swap, and in the swap cache", swap="cache"),
    _kind("swap-io", "page in swap, to be read from the device", swap="device"),
    _kind("numa", "NUMA hint", present="anon", numa=True, answers={"pte_protnone": 1}),
    _kind("userfault", "missing page of a VMA registered with userfaultfd", True, userfault=True),
    _kind("huge", "huge page, present", extra=(("huge", True),), answers={"pmd_trans_huge": 1}),
    _kind("policy", "first write to a page of a VMA with a memory policy", True, policy=True),
    _kind("file-around", "read of a cached file page, with fault-around", file="data", fault_around=2),
    _kind("file-read", "read of a cached file page, without fault-around", file="data"),
    _kind("file-io", "read of a file page that is not cached", file="data", cached="none", fault_around=2),
    _kind("file-cow", "write to a private mapping of a cached file page", True, file="data"),
    _kind("file-cow-io", "the same, of a page that is not cached", True, file="data", cached="none"),
    _kind("file-shared", "write to a shared mapping of a cached file page", True, file="data",
          sharing="shared"),
    _kind("no-map-pages", "read of a driver's mapping, which has no map_pages", file="data",
          map_pages=False, speculative=False),
    _kind("stack", "access below a stack, which has to grow", True, growsdown=True),
    _kind("kernel", "first write to an anonymous page, from kernel mode", True, user=False),
)  # fmt: skip
