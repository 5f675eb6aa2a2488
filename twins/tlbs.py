"""Published bugs of TLBs: flushes that pass CPUs by, for they run no thread of the mm."""

from __future__ import annotations

from spfvar.mm.context_switch import ContextSwitch
from spfvar.ops.op import Steps
from spfvar.plugins.variant import Twin


class SwitchingIsNotLoaded(ContextSwitch):
    """To a flush, a CPU whose loaded_mm is LOADED_MM_SWITCHING is one that has not this mm."""

    def start_switching(self) -> Steps:
        return
        yield


TWINS = [
    Twin(
        bug="X11",
        title="a flush passes a CPU by that is just switching to the mm and has looked at tlb_gen",
        source="fea4e317f9e7 (fixes 6db2526c1d69)",
        fixed=fixed,
        race="lazy-madvise",
        prop="P9",
        patches=(SwitchingIsNotLoaded,),
        description="It comes back with what its TLB had of the mm, when the page is freed.",
    )
    for fixed in ("mmap-lock", "per-vma-6.12")
]
