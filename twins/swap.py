"""Published bugs of swap: slots that are freed and used again while somebody relies on them."""

from __future__ import annotations

from spfvar.mm.hookspecs import hookimpl
from spfvar.ops.op import Steps
from spfvar.plugins.variant import Twin


class SlotNotKept:
    """A page that is read past the swap cache leaves no trace in the swap map."""

    @hookimpl
    def swapcache_prepare(self) -> Steps:
        return True
        yield

    @hookimpl
    def swapcache_clear(self) -> Steps:
        return
        yield


TWINS = [
    Twin(
        bug="X1",
        title="two direct swap-ins of one entry, and its slot is used again in between",
        source="13ddaf26be32, CVE-2024-26759",
        fixed=fixed,
        race="two-direct-swap-ins",
        prop="P8",
        patches=(SlotNotKept,),
        description="The second one finds the entry as it was, and maps what it read before the user wrote.",
    )
    for fixed in ("mmap-lock", "per-vma-6.12")
]
