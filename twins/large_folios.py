"""Published bugs of large folios: what is mapped with a page, but lies beyond the end of the file.

X30-early is no published bug, but the order of v6.12.y's filemap_map_pages, found by the checker.
"""

from __future__ import annotations

from collections.abc import Generator

from spfvar.mm.hookspecs import hookimpl
from spfvar.mm.vmf import VmFault
from spfvar.ops import objects as o
from spfvar.ops.op import Steps
from spfvar.ops.paging import inside_i_size
from spfvar.ops.primitives import copy_register
from spfvar.plugins.variant import Twin


class MapsWholeFolio:
    """Fault-around maps all of a folio that its window has."""

    @hookimpl
    def filemap_map_folio_range(self) -> Steps:
        return True
        yield


class FileEndReadEarly(MapsWholeFolio):
    """The window is cut off at the end of the file before any folio is locked."""

    @hookimpl(wrapper=True)
    def map_pages(self, vmf: VmFault) -> Generator[None, Steps, Steps]:
        return self._clamped(vmf, (yield))

    def _clamped(self, vmf: VmFault, map_pages: Steps) -> Steps:
        """Of a window of two pages, the second one: the first is looked at under its lock."""
        if vmf.mapping.folio_pages > 1:
            yield copy_register(o.scratch, o.limit, -1)
            if not (yield inside_i_size(o.scratch)):
                yield copy_register(o.limit, o.scratch)
        return (yield from map_pages)


TWINS = [
    Twin(
        bug="X30",
        title="fault-around maps a large folio beyond the end of the file",
        source="74207de2ba10",
        fixed=fixed,
        race="truncate-folio",
        prop="P6",
        patches=(MapsWholeFolio,),
        description="Accesses there should give SIGBUS; the file was cut off, but the folio not split.",
    )
    for fixed in ("mmap-lock", "per-vma-6.12")
]
TWINS += [
    Twin(
        bug="X30-early",
        title="fault-around reads the end of the file before it locks the folio",
        source="mm/filemap.c of v6.12.y",
        fixed="mmap-lock",
        race="truncate-folio",
        prop="P6",
        patches=(FileEndReadEarly,),
        description="A truncation that comes and goes between the two is not seen.",
    ),
]
