"""Published bugs of TLBs: flushes that pass CPUs by, for they run no thread of the mm."""

from __future__ import annotations

from spfvar.mm.context_switch import ContextSwitch
from spfvar.mm.hookspecs import hookimpl
from spfvar.ops.op import Steps
from spfvar.ops.paging import pmd_take
from spfvar.ops.places import Register
from spfvar.ops.primitives import ipi_send, ipi_wait
from spfvar.plugins.variant import Twin


class SwitchingIsNotLoaded(ContextSwitch):
    """To a flush, a CPU whose loaded_mm is LOADED_MM_SWITCHING is one that has not this mm."""

    def start_switching(self) -> Steps:
        return
        yield


class FreesNoTables:
    """The flush behind khugepaged's clearing of a pmd is one that frees no tables."""

    @hookimpl
    def pmdp_collapse_flush(self, key: Register) -> Steps:
        if not (yield pmd_take(key)):
            return False
        yield ipi_send("pmdp_collapse_flush", key)
        yield ipi_wait()
        return True


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
TWINS += [
    Twin(
        bug="X12",
        title="a lazy CPU may walk a page table that khugepaged frees: the flush before did not say so",
        source="3ef938c35035 (fixes 016c4d92cd16)",
        fixed=fixed,
        race="lazy-retract",
        prop="P4",
        patches=(FreesNoTables,),
        description="CPUs in lazy TLB mode are not interrupted where no tables are freed.",
    )
    for fixed in ("mmap-lock", "per-vma-6.12")
]
