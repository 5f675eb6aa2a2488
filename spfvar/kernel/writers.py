"""System calls that a recording may show, and what in the model they are.

Locks, RCU sections, flushes and the begin of some functions are compared, and no more: a call of the kernel
loops over pages and VMAs where the model has one step, and looks VMAs up in ways of its own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from spfvar.faultpaths.small import Facts, small_race
from spfvar.faultpaths.system_calls import WRITERS
from spfvar.kernel.texts import Marked
from spfvar.mm import hookspecs as hooks
from spfvar.mm.vmf import Mapping as VmaFacts
from spfvar.mm.vmf import VmFault
from spfvar.ops import objects as o
from spfvar.ops.op import Steps
from spfvar.ops.primitives import set_register
from spfvar.plugins.variant import Variant
from spfvar.scenario.actors import actor_text
from spfvar.scenario.race import RaceFile, RaceStatement, RaceVma

Text = Callable[[], Steps]

#: What the VMAs of a process are.
_EACH: Final = (VmaFacts(), VmaFacts(anonymous=False), VmaFacts(anonymous=False, shared=True))
_REGISTERED: Final = VmaFacts(userfault=True, write_protects=True, neighbours=True)


@dataclass(frozen=True, slots=True)
class Compared:
    """A call, and the texts that it may be: ``writers`` are those of `spfvar coverage`, ``texts`` others."""

    writers: tuple[str, ...] = ()
    texts: tuple[Text, ...] = ()


def _range() -> Steps:
    yield set_register(o.range_start, 0)
    yield set_register(o.range_end, 2)


def _fork() -> Steps:
    yield from _range()
    yield set_register(o.delta, 4)
    yield set_register(o.child_mm, 1)
    yield from hooks.fork_all(VmaFacts(), 1)


def _page() -> Steps:
    yield from _range()
    yield set_register(o.address, 0)
    yield set_register(o.cursor, 0)


def _uffd_copy() -> Steps:
    yield from _page()
    yield from hooks.mfill_atomic(VmFault(True, _REGISTERED, user=False))


def _uffd_protect() -> Steps:
    yield from _range()
    yield from hooks.mwriteprotect_range(_REGISTERED)


def _try_to_unmap() -> Steps:
    yield from _page()
    yield from hooks.try_to_unmap_anon(VmaFacts())


def _race(vmas: Sequence[RaceVma], files: Sequence[RaceFile], verb: str, target: str) -> Text:
    program = (RaceStatement.model_validate({verb: target}),)
    race = small_race(files, vmas, Facts(vmas[0].name), program)
    return actor_text(race, race.actor[1])


def _punch() -> Steps:
    file = RaceFile(name="data", pages=2)
    vma = RaceVma.model_validate({"name": "map", "start": 0, "pages": 2, "file": "data", "fault_around": 2})
    return _race((vma,), (file,), "punch", "data")()


def _collapse() -> Steps:
    yield from _range()
    yield from hooks.collapse_huge_page()


def _merge() -> Steps:
    yield from _range()
    yield set_register(o.limit, 4)
    yield from hooks.vma_merge(VmaFacts())


#: Hook points that fork and exit go through for VMAs of every kind, where the model has one; and again for
#: each VMA.
EITHER: Final = ("dup_mmap_vma", "exit_free_pgtables")
REPEATED: Final = ("exit_free_pgtables",)

#: A marked call, and what it may be.
CALLS: Final[Mapping[str, Compared]] = {
    "sys-mmap": Compared(("mmap",)),
    "sys-mmap-over": Compared(("mmap-fixed",)),
    "sys-munmap": Compared(("munmap",)),
    "sys-mprotect": Compared(("mprotect",)),
    "sys-mprotect-merge": Compared(texts=(_merge,)),
    "sys-madvise": Compared(("madvise",)),
    "sys-brk-grow": Compared(("brk-grow",)),
    "sys-brk-shrink": Compared(("brk-shrink",)),
    "sys-mremap": Compared(("mremap", "mremap-fast")),
    "sys-truncate": Compared(("truncate",)),
    "sys-punch": Compared(texts=(_punch,)),
    "sys-fork": Compared(texts=(_fork,)),
    "sys-exit": Compared(("exit",)),
    "sys-uffd-copy": Compared(texts=(_uffd_copy,)),
    "sys-uffd-protect": Compared(texts=(_uffd_protect,)),
    "sys-try-to-unmap": Compared(texts=(_try_to_unmap,)),
    "sys-collapse-huge-page": Compared(texts=(_collapse,)),
}
#: What is recorded and has no text, and why.
UNCOMPARED: Final[Mapping[str, str]] = {
    "sys-mprotect-split": "the model changes whole VMAs",
    "sys-munmap-part": "the model unmaps whole VMAs, or the tail of a heap",
    "sys-uffd-register": "that a VMA is registered is a fact in the model, and stays",
    "sys-uffd-unprotect": "in the model what was write-protected is let go at once",
    "sys-uffd-move": "the kernel locks the folio and its anon_vma, which no anonymous page of the model has",
    "sys-collapse": "the model collapses what was chosen; that part is compared",
    "sys-pageout": "the model reclaims one page at a time; each unmapping of one is compared",
}
_WRITERS = {writer.name: writer for writer in WRITERS}


def writer_texts(call: str) -> Iterator[Text]:
    """The texts of a marked call, any of which it may be."""
    compared = CALLS[call]
    for name in compared.writers:
        writer = _WRITERS[name]
        place = writer.near or writer.far or Facts(writer.vmas[-1].name)
        race = small_race(writer.files, writer.vmas, place, writer.program)
        yield actor_text(race, race.actor[1])
    yield from compared.texts


def marked(variant: Variant) -> Marked:
    """A design's hook points for faults and calls, as recordings are compared with them."""
    return Marked(variant, dict.fromkeys(EITHER, _EACH), REPEATED)
